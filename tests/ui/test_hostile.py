"""Hostile text wherever foreign text can appear: it is shown, it acts on nothing, and it holds nothing up."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.strip import Strip

from tests.kit.corpus import (
    DOCUMENT,
    LARGE,
    LINE,
    MARK,
    SAMPLES,
    SPLIT,
    assert_only_lines,
    assert_only_ours,
    foreign,
    mixture,
)
from tests.kit.keeping import NOW, library_of, talk
from tests.kit.program import COMMAND, Program
from tests.kit.screen import Chat, opened
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.sockets import LAST_CHUNK, STREAM_HEAD, SocketServer, Wire, chunk, sized
from tests.kit.terminal import Terminal
from tests.kit.wire import DONE, error_body, model_list, said, stopped, thought
from tui_chat.ui.rows import TurnRows
from tui_chat.wire.forms import ConversationForm, ErrorForm, FiguresForm, MoreFigures
from tui_chat.wire.surrogates import well_formed

FUZZ_S = float(os.environ.get("TUI_CHAT_FUZZ", "3"))
"""How long texts are made up; each length begins with the same ones."""
LIMIT_S = 0.1
"""Of the processor, for one step on the event loop."""
WIDE, NARROW = (120, 40), (80, 24)
F3, F4, ALT_H, ALT_R, CTRL_U = "\x1bOR", "\x1bOS", "\x1bh", "\x1br", "\x15"
WHOLE = well_formed(LINE)
MARKED = (b"\x1b[1;4m", b"\x1b[22;24m")
"""Around what a search has found."""


# the measure itself


@pytest.mark.parametrize("name", SAMPLES)
def test_the_corpus_is_hostile_or_shown_as_it_is(name: str) -> None:
    raw = SAMPLES[name].encode("utf-8", "backslashreplace")
    if SAMPLES[name].isprintable() or name in ("variation selectors", "noncharacters", "surrogates"):
        assert_only_ours(raw)
    else:
        with pytest.raises(AssertionError):
            assert_only_ours(raw)


# in a terminal


def answers(gate: threading.Event, asked: Asked) -> Canned:
    """A server all of whose words are hostile; a question with `hold` waits for the gate."""
    if asked.path.endswith("/models"):
        listed = [
            {"id": f"{MARK} {n} {well_formed(t)}", "name": well_formed(t)} for n, t in enumerate(SAMPLES.values())
        ]
        return Canned(json.dumps({"data": listed}).encode())
    if b"refuse" in asked.body:
        return Canned(error_body(WHOLE, code=WHOLE, type=WHOLE), 400, headers={"x-request-id": "\x9b2J"})
    if b"page" in asked.body:
        page = f"<html><head><title>{LINE} &#27;]0;owned&#7; &#x9b;2J</title></head></html>"
        return Canned(page.encode("utf-8", "replace"), 418, "text/html")
    if b"hold" in asked.body:
        gate.wait(30)
    pieces = [
        thought(LINE),
        *map(thought, SPLIT),
        said(DOCUMENT),
        *map(said, SPLIT),
        said(" the end"),
        stopped(LINE),
        DONE,
    ]
    return Canned(b"".join(pieces), content_type="text/event-stream")


def stored(uid: str, text: str, at: float) -> ConversationForm:
    """A conversation of nothing but `text`, with all that an import can bring along."""
    refused = ErrorForm(kind="server", message=text, hint=text)
    form = talk(uid, f"needle {text}", f"needle {text}", title=text, model=text, at=at, state="failed", error=refused)
    question, answer = form.nodes
    assert answer.result is not None
    figures = FiguresForm(more=MoreFigures(note=text))
    result = replace(answer.result, finish_reason=text, figures=figures)
    nodes = [question, replace(answer, reasoning=text, result=result)]
    return replace(form, nodes=nodes, draft=f"{text}\n{text}", endpoint="openai", model=text)


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def program(tmp_path: Path, gate: threading.Event) -> Iterator[Program]:
    """tui-chat with a hostile server, and a store in which everything is hostile."""
    made = Program(tmp_path)
    with canned_server(lambda asked: answers(gate, asked)) as server:
        made.env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k"}
        with library_of(made) as library:
            for n, text in enumerate((LINE, *SAMPLES.values())):
                library.add(stored(f"evil{n:08}", well_formed(f"{MARK} {text}"), NOW - n))
        yield made
        gate.set()


@contextmanager
def screen(program: Program, *args: str, size: tuple[int, int] = WIDE) -> Iterator[Terminal]:
    """The screen; afterwards it has ended in order, has logged no fault, and has sent nothing that is not its own."""
    with Terminal([*COMMAND, *args], program.env, size, program.home) as terminal:
        terminal.wait("Ctrl+Q quit")
        yield terminal
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_only_ours(bytes(terminal.raw))
    log = program.data / "tui-chat.log"
    assert not log.exists() or "Traceback" not in log.read_text()


def pasted(text: str) -> bytes:
    return b"\x1b[200~" + text.encode("utf-8", "replace") + b"\x1b[201~"


def sweep(terminal: Terminal, *, click: bool = False) -> None:
    """Move the mouse over all that is on the screen; also press its button there."""
    for y, line in enumerate(terminal.lines, 1):
        for x in range(1, len(line) + 1, 15):
            terminal.send(f"\x1b[<35;{x};{y}M")
            if click and 3 < y < len(terminal.lines) - 6:
                terminal.send(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m")


def command(terminal: Terminal, line: str) -> None:
    """Give a slash command, once the composer is empty."""
    terminal.wait(lambda: "Message " in terminal.text)
    terminal.send(line)
    terminal.wait(line)
    terminal.press("enter")


def erase(terminal: Terminal) -> None:
    """Empty the composer of what came back into it."""

    def empty() -> bool:
        if "Message " not in terminal.text:
            terminal.send(b"\x1b[1;5H\x1b[1;6F\x7f" + b"\x7f" * 40)
        return "Message " in terminal.text

    terminal.wait(empty)


def imported() -> list[object]:
    """An export with ids, roles and titles that are refused, and one conversation that is not."""
    good = {"uuid": "u", "name": LINE, "chat_messages": [{"uuid": "m", "sender": "human", "text": LINE}]}
    odd = {"uuid": LINE, "name": LINE, "chat_messages": [{"uuid": LINE, "sender": LINE, "text": LINE}]}
    return [good, odd]


def test_a_conversation(program: Program, gate: threading.Event) -> None:
    with screen(program, "--no-save", "-m", "first") as terminal:
        terminal.send(pasted(f"hold {LINE}"))
        terminal.wait("{x} {0} %s")
        sweep(terminal)
        terminal.press("enter")
        terminal.wait("❯ You")
        terminal.wait("Message first")
        for _ in range(2):
            terminal.send(pasted(LINE))
            terminal.wait_gone("Message first")
            terminal.press("enter")
            terminal.wait("Message first")
        terminal.wait(f"queued 2: {MARK} ␁␂")
        sweep(terminal)
        gate.set()
        terminal.wait(lambda: "queued" not in terminal.text and "Esc" not in terminal.lines[-1])
        terminal.wait("ended with finish_reason")
        for key in ("pageup", "pageup", "pageup"):
            terminal.press(key)
            sweep(terminal, click=True)
        for size in (NARROW, (20, 6), WIDE):
            terminal.resize(*size)
            terminal.wait(lambda: len(terminal.lines) < 12 or "tui-chat" in terminal.lines[0])
        terminal.send(F4)
        terminal.wait("Tree of this conversation")
        sweep(terminal)
        terminal.press("esc")


def test_what_is_kept(program: Program) -> None:
    """A conversation opened as it was left, its tree, the sidebar, the history and what a search finds."""
    shown = f"{MARK} ␀␁␂"
    with screen(program, "-c", "evil00000000") as terminal:
        terminal.wait(lambda: terminal.text.count(shown) >= 3)
        assert shown in terminal.lines[0]
        sweep(terminal)
        terminal.send(F4)
        terminal.wait("Tree of this conversation")
        terminal.wait(shown)
        sweep(terminal)
        terminal.press("esc")
        terminal.wait_gone("Tree of this conversation")
        terminal.send(ALT_H)
        terminal.wait("▌  Payload Payload")
        sweep(terminal)
        terminal.resize(*NARROW)
        terminal.wait(lambda: "tui-chat" in terminal.lines[0])
        terminal.resize(*WIDE)
        terminal.wait("▌  Payload Payload")
        terminal.send(ALT_H)
        terminal.wait_gone("▌  Payload Payload")
        terminal.send(F3)
        terminal.wait("Search everything")
        terminal.wait(f"{MARK} ␛[8;31;5mhidden")
        sweep(terminal)
        terminal.send("needle")
        terminal.wait(lambda: terminal.text.count("needle") > 3)
        sweep(terminal)
        for _ in range(40):
            terminal.press("down")
        terminal.send(pasted(SAMPLES["closing tag"] + SAMPLES["OSC 52"]))
        terminal.wait("[/bold]")
        terminal.send(CTRL_U)
        terminal.wait("36 conversations")
        terminal.send(ALT_R)
        terminal.wait("Rename the conversation")
        sweep(terminal)
        terminal.press("esc")
        terminal.wait_gone("Rename the conversation")
        terminal.press("esc")
        terminal.wait("Ctrl+Q quit")


def test_what_is_said_of_it(program: Program) -> None:
    """Refusals, models, titles, imports, files and other notices."""
    file = program.home / "evil.json"
    with screen(program, "-m", "first") as terminal:
        for question, shown in (("refuse", f"✗ {MARK} ␀␁"), ("page", "web page")):
            command(terminal, question)
            terminal.wait(shown)
            terminal.wait("back in the composer")
            erase(terminal)
        sweep(terminal)
        command(terminal, "ok")
        terminal.wait("the end")
        command(terminal, "/title")
        terminal.wait("The title is")
        sweep(terminal)
        for name in ("model", "rename", "system", "theme", "import", "export", "record", "x"):
            terminal.wait(lambda: "Message " in terminal.text)
            terminal.send(pasted(f"/{name} {LINE}"))
            terminal.wait(lambda: "Message " not in terminal.text)
            terminal.press("enter")
        erase(terminal)
        file.write_bytes(json.dumps(imported()).encode())
        command(terminal, f"/import {file.name}")
        terminal.wait("Imported")
        terminal.wait("• ")
        sweep(terminal)
        terminal.press("esc")
        terminal.wait_gone("Imported")
        terminal.press("f2")
        terminal.wait("Choose a model")
        terminal.wait(MARK)
        sweep(terminal)
        for _ in range(len(SAMPLES)):
            terminal.press("down")
        terminal.resize(*NARROW)
        terminal.wait("Choose a model")
        terminal.send("click=")
        terminal.wait("[@click=app.quit]")
        terminal.press("enter")
        terminal.wait_gone("Choose a model")
        terminal.wait("[@click=app.quit]")


# in a terminal, without a screen


@pytest.mark.parametrize(
    "line",
    [
        "ask -m m hello",
        "ask -m m refuse",
        "ask -m m page",
        "models",
        "history list",
        "history search needle",
        "history show evil00000000",
        "history show nothing\x1b[2J",
    ],
)
def test_commands(program: Program, line: str) -> None:
    with Terminal(
        [*COMMAND, *line.split(maxsplit=2 if line.endswith("J") else -1)], program.env, (100, 30), program.home
    ) as terminal:
        terminal.wait_exit()
        assert_only_lines(bytes(terminal.raw), marked=MARKED if "search" in line else ())
        if line == "models":
            assert terminal.raw.decode().count("\n") == len(SAMPLES)
        assert MARK.encode() in terminal.raw or line.endswith(("page", "J"))


# on the event loop


def env(folder: Path, base_url: str) -> dict[str, str]:
    config = folder / "config.toml"
    config.touch()
    return {
        "TUI_CHAT_CONFIG": str(config),
        "TUI_CHAT_DATA_DIR": str(folder / "data"),
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": "k",
    }


class Speaker:
    """A server that answers with `pieces`, each in a chunk of its own."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.thoughts: list[str] = []
        self.pause_s = 0.0

    async def __call__(self, wire: Wire) -> None:
        while True:
            request = await wire.request()
            if request.startswith(b"GET"):
                await wire.send(sized(model_list("m")))
            else:
                await self._answer(wire)

    async def _answer(self, wire: Wire) -> None:
        await wire.send(STREAM_HEAD)
        for piece in [*map(thought, self.thoughts), *map(said, self.pieces)]:
            await wire.send(chunk(piece))
            await asyncio.sleep(self.pause_s)
        await wire.send(chunk(stopped(LINE)), chunk(DONE), LAST_CHUNK)


@asynccontextmanager
async def spoken_to(folder: Path, size: tuple[int, int] = WIDE) -> AsyncIterator[tuple[Chat, Speaker]]:
    """A chat whose server says what a test has it say."""
    speaker = Speaker()
    async with (
        SocketServer(speaker) as server,
        opened(env(folder, server.base_url), "m", size=size, save=False) as chat,
    ):
        yield chat, speaker


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds of the processor that each step on an event loop takes, as they come; of the program alone."""
    taken: list[float] = []
    run = asyncio.Handle._run  # pyright: ignore[reportPrivateUsage]  # every step goes through it

    def timed(handle: asyncio.Handle) -> None:
        started = time.thread_time()
        run(handle)
        taken.append(time.thread_time() - started)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    gc.collect()
    gc.freeze()
    yield taken
    gc.unfreeze()


@pytest.mark.parametrize("name", LARGE)
async def test_no_reply_holds_up_the_screen(tmp_path: Path, steps: list[float], name: str) -> None:
    text = LARGE[name]
    async with spoken_to(tmp_path) as (chat, speaker):
        speaker.pieces = [text[at : at + 4_000] for at in range(0, len(text), 4_000)]
        best = 9.9
        for _ in range(3):
            steps.clear()
            await chat.ask("go on")
            await chat.until(lambda: not chat.screen.transcript._unfinished)  # pyright: ignore[reportPrivateUsage]
            chat.app.screen.refresh(layout=True)
            await chat.settle()
            best = min(best, max(steps))
            if best < LIMIT_S:
                break
        assert chat.replies[-1] == text
        assert best < LIMIT_S


# anything at all


def shown_rows(chat: Chat) -> list[Strip]:
    """What stands on the screen, as it goes to the terminal."""
    return list(chat.app.screen._compositor.render_strips())  # pyright: ignore[reportPrivateUsage]


def assert_shown_is_ours(chat: Chat) -> None:
    for strip in shown_rows(chat):
        assert foreign(strip.text) == [], strip.text
        assert all(not segment.control for segment in strip)
        assert strip.cell_length == chat.app.size.width


def assert_as_if_it_had_come_at_once(chat: Chat, text: str) -> None:
    """The rows of the newest turn are those that its text has without a stream."""
    transcript = chat.screen.transcript
    turn_id = chat.screen.session.conversation.path()[-1].id
    rows = transcript._shelf.rows_of(turn_id)  # pyright: ignore[reportPrivateUsage]
    assert rows is not None
    assert rows.turn.text == well_formed(text)
    fresh = TurnRows(rows.turn, transcript._palette, transcript.columns)  # pyright: ignore[reportPrivateUsage]
    assert [list(strip) for strip in rows.rows()] == [list(strip) for strip in fresh.rows()]


async def test_any_mixture_is_harmless_and_drawn_as_if_it_had_come_at_once(tmp_path: Path) -> None:
    rng = random.Random(5)
    deadline = time.monotonic() + FUZZ_S
    count = 0
    async with spoken_to(tmp_path) as (chat, speaker):
        speaker.pause_s = 0.001
        while count < 3 or time.monotonic() < deadline:
            count += 1
            if count % 10 == 0:
                await chat.press("alt+n")
                await chat.pilot.resize_terminal(rng.choice((120, 80, 41, 20)), rng.choice((40, 24, 8)))
            speaker.pieces, speaker.thoughts = mixture(rng), mixture(rng)[:9]
            await chat.send(f"x{''.join(mixture(rng)[:4])}.")
            await chat.until(lambda: chat.screen.session.reply is not None)
            while chat.screen.session.running:
                assert_shown_is_ours(chat)
                await asyncio.sleep(0.02)
            await chat.until(lambda: not chat.screen.transcript._unfinished)  # pyright: ignore[reportPrivateUsage]
            assert_shown_is_ours(chat)
            assert_as_if_it_had_come_at_once(chat, "".join(speaker.pieces))
