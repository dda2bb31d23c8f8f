"""Keys of the user's choice on the screen."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from textual import events
from textual._xterm_parser import XTermParser
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from tests.kit.screen import Chat, opened
from tui_chat.domain.actions import ACTIONS, BY_NAME
from tui_chat.domain.keymap import PRESETS, PUNCTUATION, preset
from tui_chat.domain.words import say
from tui_chat.ui.batching import WatchedBatch
from tui_chat.ui.keys import Key, KeyLine, footer, whole_keys
from tui_chat.ui.screens.batch import BatchScreen
from tui_chat.ui.screens.batch_start import BatchStart
from tui_chat.ui.screens.help import HelpScreen
from tui_chat.ui.screens.history import HistoryScreen
from tui_chat.ui.screens.profiles import ProfilesScreen
from tui_chat.ui.screens.settings import SettingsScreen
from tui_chat.ui.screens.tree import TreeScreen
from tui_chat.ui.terminal import PasteGuard


def configure(env: dict[str, str], *lines: str) -> None:
    Path(env["TUI_CHAT_CONFIG"]).write_text("\n".join(["[keys]", *lines]))


@pytest.mark.parametrize("name", PRESETS)
def test_a_terminal_without_the_kitty_protocol_can_send_every_alt_key_of_a_preset(name: str) -> None:
    signs = {name: sign for sign, name in PUNCTUATION.items()}
    wanted = {key for action in BY_NAME for key in preset(name).of(action) if key.count("+") == 1 and "alt+" in key}
    typed = {key: signs.get(last := key.removeprefix("alt+"), last) for key in wanted}
    sent = {key: f"\x1b{sign}" for key, sign in typed.items() if len(sign) == 1}
    assert len(sent) > 20
    assert {key: [event.key for event in read(text)] for key, text in sent.items()} == {key: [key] for key in sent}


def read(text: str) -> list[events.Key]:
    """What Textual makes of what a terminal sends."""
    found = XTermParser().feed(PasteGuard().feed(text))
    return [event for event in found if isinstance(event, events.Key)]


def told(chat: Chat) -> str:
    """All lines of the screen that are said as a whole."""
    return "\n".join(str(line.content) for line in chat.app.screen.query(Static).results(Static))


async def leave_with(chat: Chat, key: str) -> bool:
    """True when the key ends the program."""
    await chat.press(key)
    return chat.app.return_code is not None or not chat.app.is_running


async def test_another_key_does_it_and_the_old_one_does_not(env: dict[str, str]) -> None:
    configure(env, 'help = "alt+w,F12"', 'sidebar = ""')
    async with opened(env, "demo-fast") as chat:
        assert not chat.status.startswith(env["TUI_CHAT_CONFIG"])
        await chat.press("f1", "alt+h")
        assert chat.app.screen is chat.screen
        assert chat.screen.sidebar is None
        for key in ("alt+w", "f12"):
            await chat.press(key)
            assert isinstance(chat.app.screen, HelpScreen)
            await chat.press(key)
            assert chat.app.screen is chat.screen
        assert chat.said("#keys").count("Alt+W help") == 1
        assert "F1 " not in chat.said("#keys")


async def test_two_actions_change_places(env: dict[str, str]) -> None:
    configure(env, 'help = "f4"', 'tree = "f1"')
    async with opened(env, "demo-fast") as chat:
        await chat.press("f4")
        assert isinstance(chat.app.screen, HelpScreen)
        await chat.press("escape", "f1")
        assert chat.app.screen is not chat.screen or "nothing" in chat.status.lower()


async def test_quit_has_another_key_on_every_screen(env: dict[str, str]) -> None:
    configure(env, 'quit = "alt+q"')
    async with opened(env, "demo-fast") as chat:
        await chat.press("f3")
        assert not await leave_with(chat, "ctrl+q")
        await chat.press("alt+q")
        await chat.until(lambda: not chat.app.is_running)


async def test_sending_and_a_new_line_change_places(env: dict[str, str]) -> None:
    configure(env, 'send = "ctrl+j"', 'newline = "enter"')
    async with opened(env, "demo-fast") as chat:
        await chat.type("a\nb")
        assert chat.written == "a\nb"
        assert not chat.screen.session.conversation.nodes
        await chat.press("ctrl+j")
        await chat.until(lambda: chat.replies)
        assert "Ctrl+J send" in chat.said("#keys")


async def test_the_keys_of_code_blocks_are_numbered_as_they_are_written(env: dict[str, str]) -> None:
    configure(env, 'copy_code = "f11,f12"')
    async with opened(env, "demo-fast") as chat:
        await chat.ask("markdown")
        await chat.press("f11")
        await chat.until(lambda: bool(chat.app.clipboard))
        first = chat.app.clipboard
        await chat.press("f12")
        await chat.until(lambda: chat.app.clipboard != first or " 2" in chat.status)
        await chat.press("alt+1")
        assert chat.app.clipboard != first or "2" in chat.status


async def test_other_screens_have_keys_to_choose_too(env: dict[str, str]) -> None:
    configure(env, 'history_pin = "alt+t"', 'tree_fork = "x"')
    async with opened(env, "demo-fast") as chat:
        await chat.ask("hi")
        await chat.press("f3")
        screen = chat.app.screen
        assert isinstance(screen, HistoryScreen)
        assert "Alt+T" in str(screen.query(".screen-keys").last().content)  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
        await chat.until(lambda: screen.conversations.item is not None)
        await chat.press("alt+p")
        assert "pinned" not in str(screen._status.content).lower()
        await chat.press("alt+t")
        await chat.until(lambda: "pinned" in str(screen._status.content).lower())
        await chat.press("escape", "f4")
        assert isinstance(chat.app.screen, TreeScreen)
        await chat.press("f")
        assert isinstance(chat.app.screen, TreeScreen)
        await chat.press("x")
        await chat.until(lambda: chat.app.screen is chat.screen)


async def test_mistakes_are_told_and_spare_the_rest(env: dict[str, str]) -> None:
    configure(env, 'retri = "f5"', 'mark = "nokey"', 'help = "f12"')
    async with opened(env, "demo-fast") as chat:
        told = chat.app.screen
        assert told is not chat.screen
        await chat.press("escape", "f12")
        assert isinstance(chat.app.screen, HelpScreen)


async def test_a_single_mistake_stands_in_the_status_line(env: dict[str, str]) -> None:
    configure(env, 'retri = "f5"')
    async with opened(env, "demo-fast") as chat:
        assert "keys.retri is unknown; did you mean “retry”?" in chat.status
        assert env["TUI_CHAT_CONFIG"] in chat.status


async def test_the_palette_and_the_help_show_the_keys_that_count(env: dict[str, str]) -> None:
    configure(env, 'preset = "no-f-keys"')
    async with opened(env, "demo-fast", size=(120, 100)) as chat:
        titles = [command.title for command in chat.app.get_system_commands(chat.screen)]
        assert "resume · Alt+G" in titles
        assert not [title for title in titles if "· F" in title]
        await chat.press("alt+question_mark")
        assert isinstance(chat.app.screen, HelpScreen)
        picture = chat.app.export_screenshot()
        assert "Alt+G" in picture
        assert "F6" not in picture


async def test_the_palette_opens_by_its_key_and_runs_what_is_chosen(env: dict[str, str]) -> None:
    configure(env, 'palette = "alt+x"')
    async with opened(env, "demo-fast") as chat:
        await chat.press("ctrl+p")
        assert chat.app.screen is chat.screen
        await chat.press("alt+x")
        assert chat.app.screen is not chat.screen


async def test_the_settings_have_keys_to_choose(env: dict[str, str]) -> None:
    configure(env, 'settings_profiles = "f12"', 'profiles_rename = "x"')
    async with opened(env, "demo-fast") as chat:
        await chat.press("alt+s")
        settings = chat.app.screen
        assert isinstance(settings, SettingsScreen)
        assert "F12 profiles" in told(chat)
        await chat.press("alt+l")
        assert chat.app.screen is settings
        await chat.press("f12")
        assert isinstance(chat.app.screen, ProfilesScreen)
        assert "X rename" in told(chat)


async def test_a_batch_has_keys_to_choose(env: dict[str, str], tmp_path: Path) -> None:
    configure(env, 'batch_filter = "x"', 'batch_failed = "f12"')
    output = tmp_path / "out.jsonl"
    output.touch()
    async with opened(env, "demo-fast") as chat:
        await chat.send("/batch")
        await chat.until(lambda: isinstance(chat.app.screen, BatchStart))
        assert "F12: failed ones again" in told(chat)
        start = chat.app.screen
        assert isinstance(start, BatchStart)
        for key, failed in (("alt+f", False), ("f12", True)):
            await chat.press(key)
            assert start._failed is failed
        await chat.press("escape")
        await chat.until(lambda: chat.app.screen is chat.screen)
        chat.app.push_screen(BatchScreen(WatchedBatch(output), chat.app.house.config.keys))
        await chat.until(lambda: isinstance(chat.app.screen, BatchScreen))
        screen = chat.app.screen
        assert isinstance(screen, BatchScreen)
        assert "X filter" in told(chat)
        before = screen.items.filter
        await chat.press("f")
        assert screen.items.filter is before
        await chat.press("x")
        assert screen.items.filter is not before


async def test_the_palette_and_the_help_lose_nothing_in_brackets(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", size=(120, 40)) as chat:
        helps = {command.title: command.help for command in chat.app.get_system_commands(chat.screen)}
        assert "IN [OUT]" in Content.from_markup(helps["batch"]).plain
        assert "[compare.NAME]" in Content.from_markup(helps["compare · Alt+C"]).plain
        await chat.press("ctrl+p")
        assert chat.app.screen.query_one(Input).placeholder == say("palette.search")
        await chat.press("escape", "f1")
        page = chat.app.screen.query_one(VerticalScroll).query_one(Static)
        shown = StringIO()
        Console(file=shown, width=200).print(page.content)
        for action in ACTIONS:
            assert action.help in shown.getvalue()


def test_only_keys_that_fit_whole_are_shown() -> None:
    line = footer(
        [
            Key("f1", "help", "results.key.column"),
            Key("f2", "other", "results.key.next"),
            Key("f3", "last", "results.key.back"),
        ]
    )
    assert len(line.plain.split("   ")) == 3
    one, two, _ = line.plain.split("   ")
    for width in range(1, len(line.plain) + 3):
        shown = whole_keys(line, width).plain
        keys = shown.removesuffix(" …").split("   ")
        assert keys == line.plain.split("   ")[: len(keys)]
        assert shown.endswith(" …") == (len(keys) < 3)
        assert len(shown) <= width or keys == [one]
    assert whole_keys(line, len(f"{one}   {two} …")).plain == f"{one}   {two} …"


async def test_no_key_is_cut_on_a_narrow_screen(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", size=(80, 24)) as chat:
        await chat.ask("echo one")
        for keys in ((), ("f3",), ("f4",), ("alt+c",)):
            await chat.press(*keys)
            await chat.settle()
            line = chat.app.screen.query_one(KeyLine)
            drawn = line.render_line(0).text.rstrip()
            assert drawn
            whole = str(line.content).strip().split("   ")
            shown = drawn.strip().removesuffix(" …").split("   ")
            assert shown == whole[: len(shown)]
            if keys in (("f3",), ("f4",)):
                await chat.press("escape")
