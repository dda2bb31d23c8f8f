"""What a terminal shows is what Textual has drawn, cell for cell, however the screen got there."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from tests.kit.emulator import Emulator
from tui_chat.ui.app import TuiChat
from tui_chat.ui.frames import Frames
from tui_chat.ui.rows import Head, Note, Turn
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.help import HelpScreen
from tui_chat.ui.writer import Job
from tui_chat.wiring import Choice, House

SETTLED_S = 3.0
EXAMPLES = int(os.environ.get("EXAMPLES", "15"))
SIZES = ((100, 24), (64, 12), (120, 30), (140, 18), (41, 13))


class Paper:
    """A writer that writes at once, or not at all."""

    def __init__(self) -> None:
        self.busy = False
        self.emulator = Emulator(1, 1)
        self.size = 0
        self.moves = 0
        """How often the terminal was made to scroll."""

    def put(self, job: Job) -> None:
        text = b"".join(job.parts).decode()
        self.size += len(text)
        self.moves += text.count("\x1b[r")
        self.emulator.feed(text)

    def drop_frames(self) -> None: ...


class Drawn(TuiChat):
    """The program, drawing on paper."""

    frames: Frames | None = None
    paper: Paper

    def begin(self) -> None:
        self.console._color_system = ColorSystem.TRUECOLOR
        self.paper = Paper()
        self.frames = self._driver.frames = Frames(env={})  # type: ignore[union-attr]
        self.frames.attach(self.paper)  # type: ignore[arg-type]
        self.frames.synchronised = True
        self.screen.refresh()

    def _display(self, screen: Screen[Any], renderable: object) -> None:
        if self.frames is not None and isinstance(renderable, ChopsUpdate | LayoutUpdate):
            if self.paper.emulator.size != tuple(self.size):
                self.paper.emulator = Emulator(*self.size)
            self.frames.draw(screen, renderable, self.cursor_position, "truecolor")

    def truth(self) -> Emulator:
        """What a terminal shows that is sent all of the screen anew."""
        emulator = Emulator(*self.size)
        console = self.console
        with untouched(self):
            visible_screen_stack.set(self._background_screens)
            for y, strip in enumerate(self.screen._compositor.render_strips(self.size)):
                emulator.feed(f"\x1b[{y + 1}H{strip.render(console)}")
        return emulator


@contextmanager
def untouched(app: App[Any]) -> Iterator[None]:
    """Draw without what was remembered of earlier drawings, and without anything being remembered of this one."""
    caches = [w._styles_cache for screen in app.screen_stack for w in [screen, *screen.walk_children()]]  # type: ignore[attr-defined]
    kept = [(cache, dict(cache._cache), set(cache._dirty_lines), cache._width) for cache in caches]
    for cache in caches:
        cache.clear()
    yield
    for cache, lines, dirty, width in kept:
        cache._cache, cache._dirty_lines, cache._width = lines, dirty, width


class Stage:
    def __init__(self, app: Drawn, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot
        self.chat = next(s for s in app.screen_stack if isinstance(s, ChatScreen))
        self.transcript = self.chat.transcript
        user = Turn("u", "user", Head("You"), "a question\n" * 3)
        self.transcript.show([user, Turn("a", "assistant", Head("model", "● streaming"), "")])

    async def settled(self) -> None:
        """Wait until paper and truth agree; fails where they do not."""
        deadline = time.monotonic() + SETTLED_S
        self.go_on()
        while True:
            await asyncio.sleep(0.02)
            shown, truth = self.app.paper.emulator, self.app.truth()
            if shown.size == truth.size and shown.cells() == truth.cells():
                break
            if time.monotonic() > deadline:
                raise AssertionError("\n".join(self.differences(shown, truth)))
        assert not shown.margins_set

    def differences(self, shown: Emulator, truth: Emulator) -> Iterator[str]:
        yield f"sizes {shown.size} and {truth.size}"
        for y, (ours, theirs) in enumerate(zip(shown.cells(), truth.cells(), strict=False)):
            if ours != theirs:
                x = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
                yield f"line {y}, column {x}: {ours[x]} for {theirs[x]}"
                yield f"  {shown.display[y]!r}\n  {truth.display[y]!r}"

    # what may happen

    def grow(self, text: str) -> None:
        self.transcript.grow("a", text, "")

    def think(self, text: str) -> None:
        self.transcript.grow("a", "", text)

    def dress(self, state: str, notes: int) -> None:
        self.transcript.dress("a", Head("model", state), tuple(Note(f"note {n}") for n in range(notes)))

    def scroll(self, rows: int) -> None:
        self.transcript.scroll_relative(y=rows, animate=False)

    def page(self, up: bool) -> None:
        (self.chat.action_page_up if up else self.chat.action_page_down)()

    def tail(self) -> None:
        self.chat.action_tail()

    def notice(self, text: str) -> None:
        self.chat.notice(text)

    def write(self, text: str) -> None:
        self.chat.composer.put(text)

    def theme(self) -> None:
        self.chat.action_theme()

    async def modal(self) -> None:
        if self.app.screen is self.chat:
            await self.app.push_screen(HelpScreen())
        else:
            await self.app.pop_screen()

    async def cover(self) -> None:
        """Something stands before the transcript, or goes away."""
        over = self.chat.query("#over")
        if over:
            await over.remove()
        else:
            box = Static("in the way", id="over")
            self.chat.styles.layers = ("default", "over")
            box.styles.layer, box.styles.dock, box.styles.offset = "over", "top", (3, 6)
            box.styles.width, box.styles.height = 20, 3
            await self.chat.mount(box)

    async def resize(self, size: tuple[int, int]) -> None:
        await self.pilot.resize_terminal(*size)

    def stall(self) -> None:
        """The terminal takes nothing."""
        self.app.paper.busy = True

    def go_on(self) -> None:
        self.app.paper.busy = False
        assert self.app.frames is not None
        self.app.frames.wake()

    async def pause(self) -> None:
        await self.pilot.pause(0.02)


@contextmanager
def environment(folder: Path) -> Iterator[dict[str, str]]:
    (folder / "config.toml").touch()
    yield {
        "TUI_CHAT_CONFIG": str(folder / "config.toml"),
        "TUI_CHAT_DATA_DIR": str(folder / "data"),
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": "k",
    }


async def play(folder: Path, act: Callable[[Stage], Any], size: tuple[int, int] = (100, 24)) -> Paper:
    with environment(folder) as env:
        app = Drawn(House(env), Choice(model="m"))
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.begin()
            stage = Stage(app, pilot)
            await stage.settled()
            await act(stage)
            await stage.settled()
            return app.paper


def prose(paragraphs: int, seed: int = 0) -> str:
    """Lines of which no two are alike."""
    chance = random.Random(seed)
    letters = "abcdefghijklmnop     "
    return "".join("".join(chance.choices(letters, k=60)).strip() + ".\n\n" for _ in range(paragraphs))


WORDS = st.sampled_from(
    ["one ", "two\n", "three\n\n", "漢字 と かな ", "**bold** ", "`code` ", "é ", "🚀 ", "- item\n"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=30).map("".join) | st.builds(prose, st.integers(1, 30), st.integers(0, 9))
STEPS = st.one_of(
    st.tuples(st.just("grow"), TEXTS),
    st.tuples(st.just("grow"), TEXTS),
    st.tuples(st.just("grow"), st.just("```python\nprint('code')\n```\n")),
    st.tuples(st.just("think"), TEXTS),
    st.tuples(st.just("dress"), st.sampled_from(["● 1 s", "done"]), st.integers(0, 3)),
    st.tuples(st.just("scroll"), st.integers(-7, 7)),
    st.tuples(st.just("page"), st.booleans()),
    st.tuples(st.just("tail")),
    st.tuples(st.just("notice"), st.sampled_from(["", "short", "a long one " * 30])),
    st.tuples(st.just("write"), st.sampled_from(["", "a\nb\nc", "x" * 300])),
    st.tuples(st.just("theme")),
    st.tuples(st.just("modal")),
    st.tuples(st.just("cover")),
    st.tuples(st.just("resize"), st.sampled_from(SIZES)),
    st.tuples(st.just("stall")),
    st.tuples(st.just("go_on")),
    st.tuples(st.just("pause")),
    st.tuples(st.just("settled")),
)


@settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    deadline=None,
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(STEPS, min_size=5, max_size=40))
def test_any_sequence_of_changes_is_shown_as_drawn(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    async def act(stage: Stage) -> None:
        for name, *arguments in steps:
            done = getattr(stage, name)(*arguments)
            if asyncio.iscoroutine(done):
                await done

    asyncio.run(play(tmp_path_factory.mktemp("home"), act))


async def grow_line_by_line(stage: Stage) -> None:
    stage.grow(prose(40))
    await stage.settled()
    before = stage.app.paper.size
    for i in range(20):
        stage.grow(prose(1, i))
        await stage.settled()
    stage.app.paper.size -= before


@pytest.mark.parametrize(
    ("size", "cost"), [((100, 24), 400), ((120, 30), 1000)], ids=["full width", "beside the figures"]
)
async def test_a_new_line_costs_a_line(tmp_path: Path, size: tuple[int, int], cost: int) -> None:
    paper = await play(tmp_path, grow_line_by_line, size)
    assert paper.moves >= 20
    assert paper.size < 20 * cost


async def test_what_stands_before_it_stays_where_it_is(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.grow(prose(40))
        await stage.settled()
        await stage.cover()
        await stage.pause()
        await stage.settled()
        assert any("in the way" in line for line in stage.app.paper.emulator.display)
        for i in range(5):
            stage.grow(prose(1, i))
            await stage.settled()

    await play(tmp_path, act)


async def test_a_screen_before_it_is_not_scrolled(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.grow(prose(40))
        await stage.modal()
        await stage.settled()
        moves = stage.app.paper.moves
        stage.grow(prose(3))
        await stage.settled()
        assert stage.app.paper.moves == moves
        await stage.modal()

    await play(tmp_path, act)
