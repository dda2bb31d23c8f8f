"""The screens in Vietnamese: what can be read in English can be read in it too, and columns stay straight."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console
from rich.text import Text
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tests.kit.screen import Chat, environment, opened
from tui_chat.demo.server import DemoServer
from tui_chat.domain import actions
from tui_chat.domain.draft import Phase
from tui_chat.domain.keymap import DEFAULT
from tui_chat.domain.words import say, use_language
from tui_chat.domain.words_vi import VIETNAMESE
from tui_chat.ui import screens as package
from tui_chat.ui.board import QUEUED
from tui_chat.ui.cells import columns
from tui_chat.ui.history_rows import STATE, TURNS, WHEN, when
from tui_chat.ui.keys import Key, footer
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.widgets.batch_list import COLUMNS, SHORT
from tui_chat.ui.widgets.figures import WIDTH, Figures

SIZES = [(120, 40), (80, 24), (40, 12)]
USABLE = (80, 24)
"""The smallest screen on which every key of a footer is to be read."""
MARGIN, GAP = 2, 3
SCREENS = {
    "help": ("f1",),
    "models": ("f2",),
    "history": ("f3",),
    "tree": ("f4",),
    "settings": ("alt+s",),
    "profiles": "/profile",
    "themes": "/theme",
    "usage": "/usage",
    "details": "/details",
    "whatif": "/whatif",
    "batch": "/batch",
    "compare": "/compare",
    "compare help": ("alt+c", "f1"),
    "sweep": ("alt+c", "f4"),
}
"""How to get there from the chat: keys, or a command."""
BUDGET = '[prices."demo-fast"]\ninput = 1_000\noutput = 1_000\n[budget]\nper_reply = 0.9\n'


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    use_language("en", {})


def speaking(folder: Path, server: DemoServer, language: str, more: str = "") -> dict[str, str]:
    """An environment of its own for each language."""
    own = folder / language
    own.mkdir()
    env = environment(own, server)
    Path(env["TUI_CHAT_CONFIG"]).write_text(f'{more}[ui]\nlanguage = "{language}"\n', "utf-8")
    return env


def first_run(folder: Path, language: str) -> dict[str, str]:
    config = folder / f"{language}.toml"
    config.write_text(f'[ui]\nlanguage = "{language}"\n', "utf-8")
    return {"TUI_CHAT_CONFIG": str(config), "TUI_CHAT_DATA_DIR": str(folder / language)}


def statics(screen: Screen[object]) -> list[Static]:
    return [widget for widget in screen.query(Static) if widget.display and str(widget.content)]


def is_cut(widget: Static) -> bool:
    """True where a part of its words finds no room in it."""
    content = widget.content
    text = content if isinstance(content, Text) else Text(str(content))
    width, height = widget.content_size
    if text.no_wrap or widget.styles.text_wrap == "nowrap":
        return any(columns(line) > width for line in text.plain.split("\n"))
    return len(text.wrap(Console(width=max(1, width)), max(1, width))) > height


def place(widget: Static) -> str:
    return widget.id or " ".join(sorted(widget.classes))


def cut(screen: Screen[object]) -> set[str]:
    return {place(widget) for widget in statics(screen) if is_cut(widget)}


def outside(screen: Screen[object]) -> set[str]:
    """What is not whole on the screen, nor in something that scrolls."""
    return {place(w) for w in statics(screen) if not screen.region.contains_region(w.region) and not scrolled(w)}


def scrolled(widget: Static) -> bool:
    holders = (parent for parent in widget.ancestors if isinstance(parent, Widget) and not isinstance(parent, Screen))
    return any(parent.is_scrollable for parent in holders)


async def go(chat: Chat, way: str | tuple[str, ...]) -> None:
    if isinstance(way, str):
        await chat.send(way)
    else:
        await chat.press(*way)
    await chat.until(lambda: not isinstance(chat.app.screen, ChatScreen))
    await chat.app.workers.wait_for_complete()  # pyright: ignore[reportUnknownMemberType]
    await chat.settle()


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_read_in_english_is_read_in_vietnamese(
    tmp_path: Path, server: DemoServer, size: tuple[int, int]
) -> None:
    seen: dict[str, dict[str, tuple[set[str], set[str]]]] = {}
    for language in ("en", "vi"):
        found = seen[language] = {}
        async with opened(speaking(tmp_path, server, language), "demo-fast", size=size) as chat:
            await chat.ask("echo one")
            found["chat"] = cut(chat.app.screen), outside(chat.app.screen)
            for name, way in SCREENS.items():
                await go(chat, way)
                found[name] = cut(chat.app.screen), outside(chat.app.screen)
                while not isinstance(chat.app.screen, ChatScreen):
                    await chat.press("escape")
        async with opened(first_run(tmp_path, language), size=size) as chat:
            found["first run"] = cut(chat.app.screen), outside(chat.app.screen)
        asking = speaking(tmp_path / language, server, language, BUDGET)
        async with opened(asking, "demo-fast", size=size) as chat:
            await go(chat, "echo two")
            found["budget"] = cut(chat.app.screen), outside(chat.app.screen)
    worse = {
        name: (seen["vi"][name][0] - seen["en"][name][0], seen["vi"][name][1] - seen["en"][name][1])
        for name in seen["en"]
    }
    assert {name: found for name, found in worse.items() if any(found)} == {}


async def test_the_words_are_vietnamese(tmp_path: Path, server: DemoServer) -> None:
    async with opened(speaking(tmp_path, server, "vi"), "demo-fast") as chat:
        await chat.ask("echo one")
        assert "Enter gửi" in chat.said("#keys")
        state = chat.screen.transcript.turns[-1].head.state
        assert "1 token" in state
        assert "tokens" not in state
        await chat.press("f3")
        assert str(statics(chat.app.screen)[0].content) == VIETNAMESE["history.title"]
    async with opened(first_run(tmp_path, "vi")) as chat:
        assert "Thử bản demo" in chat.offered()[1]
        assert any("Dán API key" in str(w.content) for w in statics(chat.app.screen))


@pytest.mark.parametrize(("language", "says"), [("en", "nothing found"), ("vi", "không tìm thấy")])
async def test_a_palette_that_finds_nothing_says_so(
    tmp_path: Path, server: DemoServer, language: str, says: str
) -> None:
    async with opened(speaking(tmp_path, server, language), "demo-fast") as chat:
        await chat.press("ctrl+p")
        await chat.type("qqqq")
        await chat.until(lambda: says in chat.app.export_screenshot().replace("&#160;", " "))
        assert "No matches" not in chat.app.export_screenshot().replace("&#160;", " ")
        await chat.type("q")
        await chat.until(lambda: says in chat.app.export_screenshot().replace("&#160;", " "))


async def test_the_figures_fit_their_pane(tmp_path: Path, server: DemoServer) -> None:
    async with opened(speaking(tmp_path, server, "vi"), "demo-fast") as chat:
        await chat.ask("echo one")
        pane = chat.app.screen.query_one(Figures)
        strips = [pane.render_line(y).text for y in range(pane.size.height)]
        assert any(VIETNAMESE["stats.decode"] in line for line in strips)
        assert all(columns(line.rstrip()) <= WIDTH + MARGIN for line in strips)


def tables() -> list[tuple[str, tuple[Key, ...]]]:
    """The tables of keys of all screens, by where they stand."""
    found: list[tuple[str, tuple[Key, ...]]] = []
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, tuple) and (
                table := [entry for entry in cast("Any", value) if isinstance(entry, Key)]
            ):
                found.append((f"{module.name.rpartition('.')[2]}.{name}", tuple(table)))
    return found


@pytest.mark.parametrize(("name", "table"), tables())
def test_a_footer_shows_no_fewer_keys_than_in_english(name: str, table: tuple[Key, ...]) -> None:
    room = USABLE[0] - MARGIN
    use_language("en", {})
    english = footer(table).cell_len
    use_language("vi", {})
    assert footer(table).cell_len <= max(room, english), name


STATES = [(False, False, False), (True, False, False), (False, True, False), (False, True, True)]
"""Running, resumable, interrupted."""


@pytest.mark.parametrize(("running", "resumable", "interrupted"), STATES)
def test_the_footer_of_the_chat_has_room_for_as_many_keys(running: bool, resumable: bool, interrupted: bool) -> None:
    seen: dict[str, list[str]] = {}
    for language in ("en", "vi"):
        use_language(language, {})
        end, found = 0, seen.setdefault(language, [])
        for action in actions.footer(running=running, resumable=resumable, interrupted=interrupted):
            end += columns(f"{DEFAULT.shown(action.name)} {action.label}")
            found += [action.name] if end <= USABLE[0] - MARGIN else []
            end += GAP
    assert seen["vi"] == seen["en"]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_columns_of_the_history_are_wide_enough(language: str) -> None:
    use_language(language, {})
    now = datetime(2026, 11, 24, 15, 0)
    moments = [now, now - timedelta(days=1), *(datetime(2026, month, 23, 12) for month in range(1, 12))]
    assert max(columns(when(moment.timestamp(), now)) for moment in moments) < WHEN
    assert max(columns(when(datetime(2025, m, 24).timestamp(), now)) for m in range(1, 13)) < WHEN
    assert columns(say("history.turns", count="1,234")) < TURNS
    assert max(columns(say(f"state.{p}")) for p in (*Phase.__members__.values(),) if p.ended) < STATE


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_columns_of_a_batch_have_room_for_their_names(language: str) -> None:
    use_language(language, {})
    headings = say("batch.screen.columns").split(" | ")
    assert [
        (name, c.width) for name, c in zip(headings, COLUMNS, strict=True) if c.width and columns(name) > c.width
    ] == []


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_column_of_states_of_a_batch_has_room_for_each(language: str) -> None:
    use_language(language, {})
    states = [QUEUED, *(phase.value for phase in Phase)]
    words = [say(f"{'batch.state' if state in SHORT else 'state'}.{state}") for state in states]
    assert [word for word in words if columns(word) > COLUMNS[1].width] == []


HINTS = (
    "lanes.next.add",
    "lanes.next.ask",
    "lanes.next.running",
    "lanes.next.vote",
    "lanes.next.judge",
    "results.hint",
)


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize("key", HINTS)
def test_a_hint_of_one_line_is_whole_on_a_usable_screen(language: str, key: str) -> None:
    use_language(language, {})
    assert columns(say(key)) <= USABLE[0] - MARGIN
