"""A store of a million turns: search, lists, opening a long conversation, and what it all takes of memory.

    python tests/bench/bench_store.py [TURNS] [--keep FOLDER]

The store is the real one, its texts those of bench_search. Goals: search under 50 ms in the median, a conversation of
2,000 turns opened to its first paint in under 150 ms, memory that does not grow with the store. Building it takes some
minutes and 2 GB of temporary space; with --keep the folder is used again.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_search import RARE, messages
from tui_chat.domain.finding import wanted
from tui_chat.domain.folding import indexed
from tui_chat.store.database import Database
from tui_chat.store.library import Library
from tui_chat.store.nodes import PER_SECOND
from tui_chat.store.search import search
from tui_chat.ui.app import TuiChat
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.wiring import Choice, House

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

TURNS = 100
"""Of a conversation."""
LONG = 2_000
BATCH = 10_000
ROUNDS = 7
QUERIES = (
    RARE,
    "model",
    "error function",
    "time people model",
    "mo",
    "str",
    "func",
    '"of the"',
    "không",
    "中",
    "data model:maker-1/model-1.1:free",
    "error:yes",
    "since:2020 until:2022 model",
    "nothingofthekind",
)


def build(folder: Path, turns: int) -> None:
    """Fill a store, in conversations of 100 turns and one of 2,000."""
    house = House({"TUI_CHAT_DATA_DIR": str(folder), "TUI_CHAT_CONFIG": str(folder / "config.toml")})
    house.open_store()
    database = house.chats.database
    source = messages(turns)
    done = 0
    while batch := list(islice(source, BATCH)):
        database.write(lambda c, batch=batch, first=done: put(c, batch, first)).result()
        done += len(batch)
        print(f"\r{done:,} turns", end="", file=sys.stderr)
    database.write(lambda c: put_long(c, turns)).result()
    house.chats.shut()
    print(file=sys.stderr)


def put(c: sqlite3.Connection, batch: list[tuple[int, str, list[str]]], first: int) -> None:
    conversations, nodes, index = [], [], []
    for n, (at, text, facets) in enumerate(batch, first):
        row, place = divmod(n, TURNS)
        if not place:
            conversations.append((row + 1, f"c{row:011}", text[:50], at, at))
        parent = nodes[-1][0] if place else None
        role = "assistant" if n % 2 else "user"
        nodes.append((at * PER_SECOND, f"n{n:011}", row + 1, parent, role, at, text, "completed" if n % 2 else None))
        index.append((at * PER_SECOND, indexed(text), " ".join(facets)))
    c.executemany(
        "INSERT INTO conversations (id, uid, title, created, updated, turns) VALUES (?, ?, ?, ?, ?, 100)", conversations
    )
    c.executemany(
        "INSERT INTO nodes (id, uid, conversation, parent, role, created, in_chat, indexed, text, state)"
        " VALUES (?, ?, ?, ?, ?, ?, 1, 1, ?, ?)",
        nodes,
    )
    c.executemany("INSERT INTO search (rowid, words, facets) VALUES (?, ?, ?)", index)


def put_long(c: sqlite3.Connection, turns: int) -> None:
    row = turns // TURNS + 2
    now = time.time()
    c.execute(
        "INSERT INTO conversations (id, uid, title, created, updated, turns) VALUES (?, 'long', 'long', ?, ?, ?)",
        (row, now, now, LONG),
    )
    texts = [text for _, text, _ in messages(50)]
    parent = None
    for n in range(LONG):
        id_ = round(now) * PER_SECOND + n
        role, state = ("assistant", "completed") if n % 2 else ("user", None)
        c.execute(
            "INSERT INTO nodes (id, uid, conversation, parent, role, created, in_chat, indexed, text, state)"
            " VALUES (?, ?, ?, ?, ?, ?, 1, 1, ?, ?)",
            (id_, f"long{n}", row, parent, role, now, texts[n % 50], state),
        )
        parent = id_


def median_ms(act: Callable[[], object]) -> tuple[float, float]:
    """(processor, wall) of one call."""
    cpu: list[float] = []
    wall: list[float] = []
    for _ in range(ROUNDS):
        before, began = time.thread_time(), time.perf_counter()
        act()
        cpu.append(time.thread_time() - before)
        wall.append(time.perf_counter() - began)
    return statistics.median(cpu) * 1000, statistics.median(wall) * 1000


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(folder: Path) -> None:
    library = Library(Database(folder / "tui-chat.db"))
    database = library._database  # pyright: ignore[reportPrivateUsage]
    database.open()
    before = rss_mb()
    print(f"{'search':40} {'hits':>5} {'CPU ms':>8} {'wall ms':>8}")
    medians: list[float] = []
    for query in QUERIES:
        asked = wanted(query)
        found = len(search(database, asked))
        cpu, wall = median_ms(lambda asked=asked: search(database, asked))
        medians.append(wall)
        print(f"{query:40} {found:5} {cpu:8.1f} {wall:8.1f}")
    print(f"{'median of the searches (goal 50)':40} {'':5} {'':8} {statistics.median(medians):8.1f}")
    for name, act in (
        ("list of 50", lambda: library.list(0, 50)),
        ("list of 50, at 9,000", lambda: library.list(9_000, 50)),
        ("count", library.count),
        ("load of 2,000 turns", lambda: library.load("long")),
    ):
        cpu, wall = median_ms(act)
        print(f"{name:40} {'':5} {cpu:8.1f} {wall:8.1f}")
    gc.collect()
    print(f"{'memory, more than before, MB':40} {'':5} {'':8} {rss_mb() - before:8.1f}")
    database.close()


async def first_paint(folder: Path) -> None:
    """Open the conversation of 2,000 turns from another one, to the first row of it on the screen."""
    env = {"TUI_CHAT_DATA_DIR": str(folder), "TUI_CHAT_CONFIG": str(folder / "config.toml")}
    house = House(env)
    house.open_store()
    app = TuiChat(house, Choice(), demo=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        times: list[float] = []
        for _ in range(ROUNDS):
            screen.action_new_chat()
            await pilot.pause()
            painted = screen.transcript.painted
            began = time.perf_counter()
            screen.open_conversation("long")
            while screen.chat.id != "long" or screen.transcript.painted == painted:
                await asyncio.sleep(0.001)
            times.append((time.perf_counter() - began) * 1000)
    print(f"{'2,000 turns opened to first paint (150)':40} {'':5} {'':8} {statistics.median(times):8.1f}")


def main() -> None:
    arguments = argparse.ArgumentParser(description="A store of a million turns.")
    arguments.add_argument("turns", nargs="?", type=int, default=1_000_000)
    arguments.add_argument("--keep", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        if not (folder / "tui-chat.db").exists():
            build(folder, given.turns)
        size = (folder / "tui-chat.db").stat().st_size / 1e6
        print(f"{given.turns:,} turns, {size:,.0f} MB on the disk")
        measure(folder)
        asyncio.run(first_paint(folder))


if __name__ == "__main__":
    main()
