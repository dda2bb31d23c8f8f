"""The shipped themes: what they set, and whether everything on the screen can be read in them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from rich.style import Style
from textual.color import Color

from tests.kit.program import COMMAND, clean_environment
from tests.kit.screen import Chat, environment, opened
from tests.kit.terminal import Terminal
from tui_chat.demo.server import DemoServer
from tui_chat.store.paths import shipped_themes
from tui_chat.ui import themes
from tui_chat.ui.app import TuiChat
from tui_chat.wiring import House

LEAST = 4.5
"""Contrast of text, as WCAG asks for it; drawn lines may have less."""
SHIPPED = themes.load([shipped_themes()]).themes
FIXED = [name for name, theme in SHIPPED.items() if not theme.ansi]
DRAWN = re.compile(r"[\s─-◿⎿]*")
CSS = Path(str(TuiChat.CSS_PATH)).read_text("utf-8")


def luminance(colour: Color) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: Color, other: Color) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def named(name: str) -> dict[str, str]:
    return themes.completed(SHIPPED[name].to_color_system().generate() | dict(SHIPPED[name].variables))


def variables(pattern: str) -> set[str]:
    return set(re.findall(pattern, CSS))


def test_at_least_eight_are_shipped_of_every_kind() -> None:
    assert len(SHIPPED) >= 8
    assert {"night", "paper", "contrast", "contrast-light", "clear", "solar-dark", "terminal"} <= set(SHIPPED)
    assert {theme.dark for theme in SHIPPED.values()} == {True, False}
    assert all(themes.described(name) for name in SHIPPED)


def test_a_contrast_is_measured_as_it_should_be() -> None:
    assert contrast(Color.parse("#000"), Color.parse("#fff")) == pytest.approx(21)
    assert contrast(Color.parse("#777"), Color.parse("#fff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", FIXED)
def test_every_text_can_be_read_on_every_ground(name: str) -> None:
    colours = named(name)
    texts = variables(r"[\s{;]color: \$([a-z]+);") - {"panel", "ink"}
    grounds = variables(r"background: \$([a-z]+);") & {"background", "surface", "panel"}
    assert {"foreground", "muted", "code", "primary", "error"} <= texts
    assert len(grounds) == 3
    poor = {
        (text, ground): round(found, 2)
        for text, ground in product(texts, grounds)
        if (found := contrast(Color.parse(colours[text]), Color.parse(colours[ground]))) < LEAST
    }
    assert not poor


@pytest.mark.parametrize("name", FIXED)
def test_what_is_written_on_a_hue_can_be_read(name: str) -> None:
    colours = named(name)
    for hue in ("primary", "warning", "foreground"):
        assert contrast(Color.parse(colours["ink"]), Color.parse(colours[hue])) >= LEAST


@pytest.mark.parametrize("name", ["contrast", "contrast-light"])
def test_high_contrast_is_high(name: str) -> None:
    colours = named(name)
    for text in ("foreground", "muted", "code", "primary", "error"):
        assert contrast(Color.parse(colours[text]), Color.parse(colours["background"])) >= 7


def test_the_terminals_theme_has_only_colours_of_the_terminal() -> None:
    written = tomllib.loads((shipped_themes() / "terminal.toml").read_text())
    colours = [value for value in (*written.values(), *written["variables"].values()) if isinstance(value, str)]
    assert all(re.fullmatch("ansi_[a-z_]+", colour) for colour in colours)


# on the screen


def segments(chat: Chat) -> Iterator[tuple[str, Style]]:
    """What is written on the screen; of one that lies over another, its dialog only."""
    screen = chat.app.screen
    strips = screen._compositor.render_strips()
    if screen.is_modal:
        region = screen.children[0].region
        strips = [strip.crop(region.x, region.right) for strip in strips[region.y : region.bottom]]
    for strip in strips:
        for text, style, _ in strip:
            if style is not None and not DRAWN.fullmatch(text):
                yield text, style


def of(colour: object) -> Color:
    triplet = colour.get_truecolor()  # pyright: ignore[reportAttributeAccessIssue]  # rich's Color
    return Color(triplet.red, triplet.green, triplet.blue)


async def poor(chat: Chat) -> list[tuple[str, str, float]]:
    """(theme, text, its contrast) of what cannot be read well."""
    found: list[tuple[str, str, float]] = []
    for name in FIXED:
        chat.app.theme = name
        await chat.settle()
        for text, style in segments(chat):
            assert style.color is not None, text
            assert style.bgcolor is not None, text
            seen = contrast(of(style.color), of(style.bgcolor))
            if seen < LEAST or style.dim:
                found.append((name, text, round(seen, 2)))
    return found


async def test_a_conversation_can_be_read(chat: Chat) -> None:
    await chat.ask("markdown")
    assert not await poor(chat)
    await chat.send("/model demo-reasoning")
    await chat.ask("why?")
    await chat.send("/fold")
    assert not await poor(chat)


async def test_a_failure_and_a_queue_can_be_read(chat: Chat) -> None:
    await chat.send("/model demo-drop")
    await chat.ask("why?")
    assert not await poor(chat)
    await chat.press("alt+n")
    await chat.send("/model demo-stall")
    await chat.send("one")
    await chat.until(lambda: chat.screen.session.running)
    await chat.send("two")
    await chat.until(lambda: chat.said("#queue"))
    assert not await poor(chat)


async def test_hits_marks_and_what_is_typed_can_be_read(chat: Chat) -> None:
    await chat.ask("markdown")
    await chat.send("/find code")
    assert not await poor(chat)
    await chat.press("escape", "alt+v", "shift+up", "shift+up")
    assert not await poor(chat)
    await chat.press("escape", "a", "b", "shift+left")
    assert not await poor(chat)
    await chat.press("ctrl+u", "/", "down")
    assert not await poor(chat)


@pytest.mark.parametrize(
    "keys",
    [["f1"], ["f2"], ["f3"], ["f3", "m"], ["f3", "alt+r"], ["f4"], ["ctrl+p"], ["/", "enter"], [*"/theme", "enter"]],
)
async def test_other_screens_can_be_read(chat: Chat, keys: list[str]) -> None:
    await chat.ask("markdown")
    await chat.press(*keys)
    await chat.pilot.pause(0.3)
    assert not await poor(chat)


async def test_figures_follow_the_theme(chat: Chat) -> None:
    await chat.ask("hi")
    chat.app.theme = "paper"
    await chat.settle()
    assert not [text for text, style in segments(chat) if contrast(of(style.color), of(style.bgcolor)) < LEAST]


# choosing


async def test_the_list_shows_each_theme_as_it_is_reached(chat: Chat) -> None:
    before = chat.app.theme
    await chat.ask("markdown")
    top = chat.screen.transcript.scroll_offset
    await chat.type("/theme\n")
    names = chat.app.theme_names
    assert [line.split()[0] for line in chat.offered()] == names
    await chat.press("down")
    assert chat.app.theme == names[(names.index(before) + 1) % len(names)]
    await chat.press("escape")
    assert chat.app.screen is chat.screen
    assert chat.app.theme == before
    assert chat.app.house.state.theme is None
    assert chat.screen.transcript.scroll_offset == top


async def test_enter_keeps_a_theme(chat: Chat) -> None:
    await chat.type("/theme\n")
    await chat.press("end", "enter")
    assert chat.app.theme == chat.app.theme_names[-1]
    assert chat.app.theme in chat.status
    assert House(chat.app.house.env).state.theme == chat.app.theme


async def test_nothing_is_kept_before_enter(chat: Chat) -> None:
    await chat.type("/theme\n")
    await chat.press("down", "down")
    assert House(chat.app.house.env).state.theme is None


# without colours


async def test_without_colours_everything_can_be_read(
    tmp_path: Path, server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(environment(tmp_path, server), "demo-fast") as chat:
        await chat.ask("markdown")
        assert not await poor(chat)
        for _, style in segments(chat):
            assert style.color is not None
            assert len(set(style.color.get_truecolor())) == 1


async def test_without_colours_the_terminals_own_are_left_alone(
    tmp_path: Path, server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(environment(tmp_path, server), "demo-fast") as chat:
        await chat.ask("markdown")
        await chat.send("/theme terminal")
        await chat.settle()
        seen = [style for _, style in segments(chat)]
        assert seen
        assert all(style.color is not None and style.color.is_default for style in seen)
        assert all(style.bgcolor is None or style.bgcolor.is_default for style in seen)


async def test_the_cursor_is_seen_in_the_terminals_colours(chat: Chat) -> None:
    await chat.send("/theme terminal")
    chat.screen.composer.cursor_blink = False
    await chat.type("x")
    await chat.press("left")
    await chat.settle()
    assert [text for text, style in segments(chat) if style.reverse and len(text) == 1] == ["x"]


def test_only_the_terminals_own_colours_are_sent(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[ui]\ntheme = "terminal"\n')
    env = clean_environment(tmp_path, TUI_CHAT_CONFIG=str(config))
    with Terminal([*COMMAND, "--demo"], env, (100, 30), tmp_path) as terminal:
        terminal.wait("Ctrl+Q quit")
        terminal.wait("Message demo-fast")
        terminal.send("markdown")
        terminal.press("enter")
        terminal.wait("your terminal is in good shape")
        terminal.press("f1")
        terminal.wait("Show the keys")
        assert re.search(rb"\x1b\[[0-9;]*\b35[;m]", terminal.raw)
        assert not re.search(rb"[34]8;[25];", terminal.raw)
