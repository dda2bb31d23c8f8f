"""A damaged file: kept aside, what can be read carried over, and the program goes on."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.kit import DONE, HANG, Pause, Stage, said, stopped
from tests.kit.desk import Desk, eventually, played, rows, shape, sound, until
from tests.store.test_library import put
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import StoreError
from tui_chat.store import database as database_module
from tui_chat.store import salvage, writer
from tui_chat.store.database import Database
from tui_chat.store.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096
CONVERSATIONS = 40
TURNS = 20


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.05)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A store with 800 turns, closed."""
    desk = Desk(tmp_path / "data").open()
    for n in range(CONVERSATIONS):
        put(desk, f"conv{n:02}", turns=TURNS, text="words of some length " * 20)
    desk.close()
    return desk.path


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def leaves(path: Path, table: str) -> list[int]:
    """The pages of a table that hold rows, by their numbers from 0."""
    with closing(sqlite3.connect(path)) as c:
        (root,) = c.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    data = path.read_bytes()
    start = (root - 1) * PAGE
    assert data[start] == 5, "the root leads to others"
    count = int.from_bytes(data[start + 3 : start + 5], "big")
    cells = [int.from_bytes(data[start + 12 + 2 * n : start + 14 + 2 * n], "big") for n in range(count)]
    children = [int.from_bytes(data[start + cell : start + cell + 4], "big") - 1 for cell in cells]
    assert all(data[child * PAGE] == 13 for child in children)
    return children


def reopened(path: Path) -> tuple[Desk, str]:
    """A program that starts on the damaged file, and what it says."""
    desk = Desk(path.parent).open()
    desk.flush()
    until(lambda: desk.database.problems or desk.told)
    (told,) = [*desk.database.problems, *desk.told]
    return desk, told


def aside(path: Path) -> Path:
    (found,) = (p for p in path.parent.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm")))
    return found


def turns(path: Path) -> int:
    return rows(path, "SELECT count(*) FROM nodes")[0][0]


@pytest.mark.parametrize("size", [16, 100, PAGE])
@pytest.mark.parametrize("filler", [b"\0", b"\xa5"])
def test_a_header_of_garbage_loses_nothing(filled, size, filler):
    whole = rows(filled, "SELECT * FROM nodes ORDER BY id")
    overwrite(filled, 0, filler * size)
    damaged = filled.read_bytes()
    desk, told = reopened(filled)
    assert aside(filled).read_bytes() == damaged
    assert str(aside(filled)) in told
    assert f"turns saved from it into a new one: {CONVERSATIONS * TURNS}." in told
    assert [row[:5] for row in desk.rows("SELECT * FROM nodes ORDER BY id")] == [row[:5] for row in whole]
    assert desk.library.count() == CONVERSATIONS
    assert [n.role for n in desk.library.load("conv07").conversation.path()] == ["user", "assistant"] * (TURNS // 2)
    desk.close()
    assert sound(filled)
    assert sorted(p.name for p in filled.parent.glob("*.copy*")) == []


def test_pages_of_zeros_cost_their_turns_alone(filled, hasty):
    pages = leaves(filled, "nodes")
    lost = 0
    for page in (pages[len(pages) // 4], pages[len(pages) // 2], pages[-3]):
        data = filled.read_bytes()[page * PAGE : (page + 1) * PAGE]
        lost += int.from_bytes(data[3:5], "big")
        overwrite(filled, page * PAGE, b"\0" * PAGE)
    assert lost > 3
    desk = Desk(filled.parent).open()
    for n in range(CONVERSATIONS):
        try:
            desk.library.load(f"conv{n:02}")
        except StoreError:
            break
    else:
        raise AssertionError("nobody has met the damage")
    until(lambda: desk.told)
    assert str(aside(filled)) in desk.told[0]
    assert turns(filled) == CONVERSATIONS * TURNS - lost
    assert desk.library.count() == CONVERSATIONS
    every = [
        node.id for n in range(CONVERSATIONS) for node in desk.library.load(f"conv{n:02}").conversation.nodes.values()
    ]
    assert len(every) == turns(filled)
    desk.library.reindex()
    until(lambda: desk.rows("SELECT count(*) FROM nodes WHERE indexed = 0") == [(0,)])
    assert desk.rows("SELECT count(*) FROM search WHERE search MATCH '_words'") == [(turns(filled),)]
    desk.close()
    assert sound(filled)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_file_cut_short(filled, part):
    size = int(filled.stat().st_size * part) // PAGE * PAGE
    with filled.open("r+b") as file:
        file.truncate(size)
    desk = Desk(filled.parent).open()
    for n in range(CONVERSATIONS):
        try:
            desk.library.load(f"conv{n:02}")
        except StoreError:
            break
    until(lambda: desk.database.problems or desk.told)
    saved = turns(filled)
    desk.do(lambda c: c.execute("INSERT INTO facts VALUES ('alive', '')"))
    desk.close()
    assert sound(filled)
    assert saved > CONVERSATIONS * TURNS * (part - 0.3)


@pytest.mark.parametrize("content", [b"not a database at all", b"\0" * 3 * PAGE, random.Random(1).randbytes(50_000)])
def test_a_file_of_something_else(tmp_path, content):
    path = tmp_path / "data" / "tui-chat.db"
    path.parent.mkdir()
    path.write_bytes(content)
    desk, told = reopened(path)
    assert aside(path).read_bytes() == content
    assert "turns saved from it into a new one: 0." in told
    put(desk, "aaaa")
    desk.close()
    assert sound(path)


def test_an_empty_file_is_a_new_one(tmp_path):
    path = tmp_path / "tui-chat.db"
    path.touch()
    database = Database(path)
    database.open()
    assert database.problems == []


@pytest.mark.parametrize("where", [0, 40, 5000, -2000])
def test_a_damaged_log_costs_what_it_held(filled, where):
    desk = Desk(filled.parent).open()
    for n in range(5):
        put(desk, f"new{n}")
    log = filled.with_name("tui-chat.db-wal")
    kept = {p: p.read_bytes() for p in (filled, log)}
    desk.close()
    for path, content in kept.items():
        # As a kill leaves it.
        path.write_bytes(content)
    offset = where if where >= 0 else log.stat().st_size + where
    overwrite(log, offset, b"\xa5" * 600)
    desk = Desk(filled.parent).open()
    assert CONVERSATIONS <= desk.library.count() <= CONVERSATIONS + 5
    put(desk, "later")
    desk.close()
    assert sound(filled)


async def test_damage_met_only_while_writing(filled, hasty):
    """A reply is under way when the writer meets it: the reply goes on, and is in the new file with its question."""
    desk = Desk(filled.parent).open()
    stage = Stage([Pause(1), said("Hello "), Pause(1), said("world"), stopped(), DONE])
    session = stage.session().session
    journal = desk.journal(session)
    pages = leaves(filled, "nodes")
    for page in pages[-6:]:
        overwrite(filled, page * PAGE, b"\0" * PAGE)
    with closing(sqlite3.connect(filled)) as c:
        (root,) = c.execute("SELECT rootpage FROM sqlite_master WHERE name = 'nodes_parent'").fetchone()
    overwrite(filled, (root - 1) * PAGE, b"\0" * PAGE)
    session.submit("hi")
    await played(stage.clock, session)
    desk.flush()
    assert any(str(aside(filled)) in told for told in desk.told)
    assert shape(desk.library.load(journal.uid).conversation) == shape(session.conversation)
    assert desk.library.count() >= CONVERSATIONS
    desk.close()
    assert sound(filled)


async def test_two_at_work_when_damage_is_met(filled, hasty):
    """One replaces the file; the other goes on in the new one, its run under way among what was saved."""
    one, two = Desk(filled.parent).open(), Desk(filled.parent).open()
    stage = Stage([said("Hello "), Pause(1), said("world"), stopped(), DONE])
    session = stage.session().session
    journal = two.journal(session)
    session.submit("hi")
    await eventually(lambda: stage.clock.pending)
    two.flush()
    two.database.release()
    with closing(sqlite3.connect(filled)) as c:
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(filled, leaves(filled, "nodes")[5] * PAGE, b"\0" * PAGE)
    one.database.write_soon(database_module._suspected)
    await eventually(lambda: one.told)
    assert two.told == []
    assert one.recover() == []
    await played(stage.clock, session)
    two.flush()
    assert shape(one.library.load(journal.uid).conversation) == shape(session.conversation)
    assert rows(filled, "SELECT count(*) FROM pieces") == [(0,)]
    put(one, "after")
    assert two.library.summary("after") is not None
    assert len(list(filled.parent.glob("*.damaged-*"))) <= 3
    one.close()
    two.close()
    assert sound(filled)


async def test_a_run_cut_short_in_a_damaged_file_is_recovered(filled, hasty):
    desk = Desk(filled.parent).open()
    stage = Stage([said("Hello "), HANG])
    session = stage.session().session
    journal = desk.journal(session)
    session.submit("hi")
    await eventually(lambda: session.reply is not None and session.reply.draft.text == "Hello ")
    time.sleep(0.01)  # noqa: ASYNC251  # the piece is on its way to the thread
    desk.flush()
    desk.close()
    await session.close()
    overwrite(filled, 0, b"\0" * 100)
    desk, _ = reopened(filled)
    assert desk.recover() == [journal.uid]
    reply = desk.library.load(journal.uid).conversation.path()[-1]
    assert reply.result is not None
    assert (reply.text, reply.result.phase) == ("Hello ", Phase.INTERRUPTED)
    desk.close()


def test_several_start_on_a_damaged_file_and_one_mends_it(filled):
    overwrite(filled, 0, b"\0" * 100)
    desks = [Desk(filled.parent) for _ in range(4)]
    threads = [threading.Thread(target=desk.open) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(desk.database.problems) for desk in desks) == 1
    assert aside(filled)
    assert [desk.library.count() for desk in desks] == [CONVERSATIONS] * 4
    for desk in desks:
        desk.close()


def test_nothing_changes_when_no_new_file_can_be_made(filled, monkeypatch):
    overwrite(filled, 0, b"\0" * 100)
    before = {p.name: p.read_bytes() for p in filled.parent.iterdir() if p.is_file() and p.suffix != ".lock"}

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(salvage, "_carry_over", full)
    with pytest.raises(StoreError, match="full"):
        Database(filled).open()
    assert {p.name: p.read_bytes() for p in filled.parent.iterdir() if p.is_file() and p.suffix != ".lock"} == before


def test_what_could_not_be_mended_is_mended_once_it_can(filled, hasty, monkeypatch):
    """The disk was full when the damage was met."""
    desk = Desk(filled.parent).open()
    carry_over = salvage._carry_over

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(salvage, "_carry_over", full)
    with closing(sqlite3.connect(filled)) as c:
        (root,) = c.execute("SELECT rootpage FROM sqlite_master WHERE name = 'facts'").fetchone()
    overwrite(filled, (root - 1) * PAGE, b"\0" * PAGE)
    future = desk.database.write(lambda c: c.execute("INSERT INTO facts VALUES ('late', '')"))
    until(lambda: desk.database.behind)
    time.sleep(0.2)
    assert list(filled.parent.glob("*.damaged-*")) == []
    monkeypatch.setattr(salvage, "_carry_over", carry_over)
    future.result(10)
    assert aside(filled)
    assert turns(filled) == CONVERSATIONS * TURNS
    desk.close()


def test_a_disk_that_breaks_again_and_again_is_not_followed(filled, hasty):
    desk = Desk(filled.parent).open()

    def broken(_: sqlite3.Connection) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorname = "SQLITE_CORRUPT"
        raise error

    desk.database.write(broken)
    until(lambda: len(desk.told) == 2)
    time.sleep(0.5)
    assert len(desk.told) == 2
    assert aside(filled)
    desk.database.close(0.2)
    desk.instance.close()


def test_a_damaged_index_of_the_search_costs_no_turn(filled, hasty):
    with closing(sqlite3.connect(filled)) as c:
        c.execute("UPDATE search_data SET block = x'00ff00ff' WHERE id > 10")
        c.commit()
    desk = Desk(filled.parent).open()
    with pytest.raises(StoreError), desk.database.reading() as c:
        c.execute("SELECT count(*) FROM search WHERE search MATCH '_words'").fetchall()

    def found() -> int:
        try:
            return desk.rows("SELECT count(*) FROM search WHERE search MATCH '_words'")[0][0]
        except sqlite3.DatabaseError:
            return -1

    until(lambda: found() == CONVERSATIONS * TURNS)
    assert desk.library.count() == CONVERSATIONS
    assert list(filled.parent.glob("*.damaged-*")) == []
    desk.close()
    assert sound(filled)


def test_what_the_day_has_spent_is_carried_over(filled, hasty):
    desk = Desk(filled.parent).open()
    Ledger(desk.database).book(1_790_000_000.0, Decimal("0.25"))
    desk.close()
    overwrite(filled, leaves(filled, "nodes")[0] * PAGE, bytes(PAGE))
    desk = Desk(filled.parent).open()
    desk.do(lambda c: c.execute("UPDATE nodes SET reasoning = 'x'").rowcount)
    assert Ledger(desk.database).spent_since(1_790_000_000.0 - 900) == Decimal("0.25")
    assert aside(filled).exists()
    desk.close()
