"""What the screen does with keys, commands and answers, without a terminal."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual import events

from tests.kit.screen import DEADLINE_S, Chat, opened
from tests.kit.serving import Asked, Canned, canned_server, demo_server
from tui_chat.demo.server import DemoServer
from tui_chat.domain.actions import ACTIONS
from tui_chat.domain.keymap import show_key
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.help import HelpScreen
from tui_chat.ui.screens.models import ModelPicker
from tui_chat.wiring import Choice, House

GOOD_KEY = "sk-test-3fA9dQ7Lx2"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "config" / "config.toml"
    config.parent.mkdir()
    config.touch()
    return {
        "TUI_CHAT_CONFIG": str(config),
        "TUI_CHAT_DATA_DIR": str(tmp_path / "data"),
    }


@pytest.fixture
async def chat(env: dict[str, str], server: DemoServer) -> AsyncIterator[Chat]:
    """A chat with a demo that does not wait."""
    env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": GOOD_KEY}
    async with opened(env, "demo-fast") as running:
        yield running


def refusing(asked: Asked) -> Canned:
    """A server that knows one key."""
    if asked.headers.get("authorization") != f"Bearer {GOOD_KEY}":
        return Canned(json.dumps({"error": {"message": "No such key."}}).encode(), 401)
    return Canned(json.dumps({"data": [{"id": "only-one"}]}).encode())


# choosing a model


async def test_the_picker_filters_and_is_remembered(chat: Chat, env: dict[str, str]) -> None:
    await chat.press("f2")
    await chat.until(lambda: len(chat.offered()) > 8)
    await chat.type("SLOW dèmo")
    await chat.until(lambda: len(chat.offered()) == 2)
    assert re.fullmatch(r"demo-slow · Demo slow +price\? +32,768", chat.offered()[0])
    await chat.press("enter")
    await chat.until(lambda: "openai/demo-slow" in chat.title)
    assert chat.written == ""
    assert House(env).targets.choose(Choice()).model == "demo-slow"


async def test_the_picker_walks_goes_back_and_takes_a_name_as_typed(chat: Chat) -> None:
    await chat.press("f2")
    await chat.until(lambda: chat.offered()[:1] and chat.offered()[0].startswith("demo-fast · in use · Demo fast"))
    await chat.press("down", "down", "up", "enter")
    await chat.until(lambda: "openai/demo-drop" in chat.title)
    await chat.press("f2")
    await chat.until(lambda: isinstance(chat.app.screen, ModelPicker))
    await chat.press("escape")
    await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
    assert "openai/demo-drop" in chat.title
    await chat.press("f2")
    await chat.type("no/such")
    await chat.until(lambda: "Nothing matches" in chat.said("#answer"))
    await chat.press("enter")
    await chat.until(lambda: "openai/no/such" in chat.title)


async def test_a_list_with_a_name_twice_is_shown(env: dict[str, str]) -> None:
    listed = {"data": [{"id": "twin"}, {"id": "twin"}, {"id": ""}, {"id": "[red]x[/]"}]}
    with canned_server(lambda _: Canned(json.dumps(listed).encode())) as server:
        env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": GOOD_KEY}
        async with opened(env, "first") as chat:
            await chat.press("f2")
            await chat.until(lambda: any(line.startswith("[red]x[/] ") for line in chat.offered()))
            assert len([line for line in chat.offered() if line.startswith("twin")]) == 1


async def test_a_list_that_fails_is_said(env: dict[str, str]) -> None:
    with canned_server(lambda _: Canned(b'{"error": "out of order"}', 500)) as server:
        env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": GOOD_KEY}
        async with opened(env, "first") as chat:
            await chat.press("f2")
            await chat.until(lambda: "out of order" in chat.said("#answer"))


# commands


async def test_commands(chat: Chat) -> None:
    await chat.send("/model demo-reasoning")
    assert "openai/demo-reasoning" in chat.title
    await chat.send("/model openai/demo-fast")
    assert "openai/demo-fast" in chat.title
    await chat.send("/system answer in verse")
    assert "answer in verse" in chat.title
    assert chat.screen.session.target.settings.system == "answer in verse"
    await chat.send("/system")
    assert "verse" not in chat.title
    await chat.send("/retry")
    assert "nothing to retry" in chat.status
    await chat.send("/unqueue")
    assert "Nothing is queued" in chat.status
    await chat.send("/help")
    await chat.until(lambda: isinstance(chat.app.screen, HelpScreen))
    await chat.press("escape")
    assert chat.screen.session.conversation.nodes == {}


async def test_an_unknown_command_comes_back_with_the_nearest(chat: Chat) -> None:
    await chat.send("/modle x")
    assert chat.written == "/modle x"
    assert "/modle" in chat.status
    assert "/model" in chat.status.replace("/modle", "")


@pytest.mark.parametrize("text", ["/etc/passwd is a file", "/ask\nin two lines", "//"])
async def test_a_path_or_a_sentence_is_a_message(chat: Chat, text: str) -> None:
    await chat.ask(text)
    assert chat.screen.session.conversation.path()[0].text == text


async def test_a_command_with_a_word_too_many_is_neither_run_nor_sent(chat: Chat) -> None:
    await chat.send("/help me with this")
    assert chat.written == "/help me with this"
    assert "/help" in chat.status
    assert not chat.screen.session.conversation.nodes


async def test_a_burst_of_keys_acts_in_order(chat: Chat) -> None:
    for key in ("a", "b", "c", "backspace", "X", "ctrl+a", "Y", "ctrl+e", "Z", "left", "left", "Q"):
        chat.app.post_message(events.Key(key, key if len(key) == 1 else None))
    await chat.until(lambda: chat.written == "YabQXZ")


async def test_every_action_and_command_exists(chat: Chat) -> None:
    offered = [command.title for command in chat.app.get_system_commands(chat.screen)]
    assert offered == [
        f"{action.label} · {show_key(action.default[0])}" if action.default else action.label
        for action in ACTIONS
        if action.name != "palette"
    ]
    for action in ACTIONS:
        assert action.label
        assert action.help
        assert hasattr(chat.screen, f"action_{action.name}")


# themes


async def test_themes_change_and_are_remembered(chat: Chat, env: dict[str, str]) -> None:
    names = chat.app.theme_names
    assert {"night", "paper", "contrast"} <= set(names)
    await chat.send("/theme paper")
    assert chat.app.theme == "paper"
    await chat.send("/theme nothing")
    assert "nothing" in chat.status
    assert "paper" in chat.status
    assert House(env).state.theme == chat.app.theme


@pytest.mark.parametrize(
    "content",
    [
        b"primary = 5",
        b"primary",
        b"",
        b'primary = "\xff"',
        b'primary = "nonsense"',
        b'primary = "#123456"\ncolour = "red"',
        b'primary = "#123456"\n[variables]\nmuted = "$nothing"',
        b'primary = "auto"',
        b'primary = "#123456"\nbackground = "transparent"',
        b'primary = "ansi_red"\nforeground = "ansi_default"',
    ],
)
async def test_a_bad_theme_is_a_message(env: dict[str, str], server: DemoServer, content: bytes) -> None:
    env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": GOOD_KEY}
    file = Path(env["TUI_CHAT_CONFIG"]).parent / "themes" / "mine.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.with_name("fine.toml").write_text('primary = "#ff8800"\n')
    async with opened(env, "demo-fast") as chat:
        usable = "mine" in chat.app.theme_names
        assert usable == (str(file) not in chat.status)
        assert "fine" in chat.app.theme_names
        await chat.send("/theme fine")
        assert chat.app.theme == "fine"
        if usable:
            await chat.send("/theme mine")
        await chat.ask("markdown")


def configure(env: dict[str, str], toml: str) -> None:
    file = Path(env["TUI_CHAT_CONFIG"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(toml)


async def test_a_theme_of_textual_is_taken_and_left(env: dict[str, str]) -> None:
    configure(env, '[ui]\ntheme = "nord"\n')
    async with opened(env, demo=True) as chat:
        assert chat.app.theme == "nord"
        await chat.send("/theme")
        assert chat.app.theme in chat.app.theme_names


# the composer


async def test_up_and_down_walk_what_was_sent(chat: Chat) -> None:
    await chat.ask("echo one")
    await chat.ask("echo two\nlines")
    await chat.type("new")
    await chat.press("up")
    assert chat.written == "echo two\nlines"
    await chat.press("up", "up")
    assert chat.written == "echo one"
    await chat.press("up")
    assert chat.written == "echo one"
    await chat.press("down", "down", "down")
    assert chat.written == "new"
    await chat.press("down")
    assert chat.written == "new"


async def test_a_backslash_at_the_end_makes_a_new_line(chat: Chat) -> None:
    await chat.type("a\\\nb")
    assert chat.written == "a\nb"
    await chat.press("ctrl+j", "c", "shift+enter", "d")
    assert chat.written == "a\nb\nc\nd"
    assert chat.screen.session.conversation.nodes == {}


async def test_blank_text_is_not_sent(chat: Chat) -> None:
    await chat.send(" \n ")
    assert chat.screen.session.conversation.nodes == {}


async def test_the_text_comes_back_when_nothing_arrived(env: dict[str, str]) -> None:
    with canned_server(refusing) as server:
        env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-wrong-key-0000"}
        async with opened(env, "x") as chat:
            await chat.ask("my question\nin two lines")
            assert chat.written == "my question\nin two lines"
            assert "back in the composer" in chat.status
            chat.screen.composer.put("something newer")
            await chat.press("f5")
            await chat.until(
                lambda: sum(a.method == "POST" for a in server.asked) == 2 and not chat.screen.session.running
            )
            assert chat.written == "something newer"


async def test_a_key_is_told_apart_from_a_placeholder_before_a_send(env: dict[str, str], server: DemoServer) -> None:
    env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-..."}
    before = len(server.log)
    async with opened(env, "demo-fast") as chat:
        await chat.ask("hello")
        assert chat.written == "hello"
        failed = chat.screen.session.conversation.path()[-1].result
        assert failed is not None
        assert failed.failure is not None
        assert "“sk-...”" in failed.failure.message
    assert len(server.log) == before


async def test_ctrl_c_cancels_or_says_how_to_quit(env: dict[str, str]) -> None:
    with demo_server(speed=1) as slow:
        env |= {"OPENAI_BASE_URL": slow.base_url, "OPENAI_API_KEY": GOOD_KEY}
        async with opened(env, "demo-fast") as chat:
            await chat.press("ctrl+c")
            assert "Ctrl+Q" in chat.status
            await chat.send("count 5000")
            await chat.until(lambda: chat.screen.session.reply and chat.screen.session.reply.draft.text)
            await chat.press("ctrl+c")
            await chat.until(lambda: not chat.screen.session.running)
            assert chat.replies[0].startswith("1")
            assert chat.app.is_running


# the transcript


async def test_what_was_there_before_is_no_new_text(chat: Chat) -> None:
    await chat.ask("long 400")
    await chat.press("pageup", "pageup")
    assert not chat.screen.transcript.following
    chat.screen.show_state()
    assert "new text below" not in chat.status


async def test_retry_is_offered_once_there_is_something_to_retry(chat: Chat) -> None:
    assert "F5" not in chat.said("#keys")
    assert chat.said("#keys") == chat.said("#keys").rstrip()
    await chat.ask("echo one")
    await chat.until(lambda: "F5" in chat.said("#keys"))


async def test_the_view_follows_the_tail_only_while_it_is_there(env: dict[str, str]) -> None:
    with demo_server(speed=10) as quick:
        env |= {"OPENAI_BASE_URL": quick.base_url, "OPENAI_API_KEY": GOOD_KEY}
        async with opened(env, "demo-fast", size=(80, 24)) as chat:
            transcript = chat.screen.transcript

            async def grown(rows: int) -> None:
                height = transcript.virtual_size.height
                await chat.until(lambda: transcript.virtual_size.height > height + rows)

            await chat.send("long 20000")
            await chat.until(lambda: transcript.max_scroll_y > 30)
            await grown(5)
            assert transcript.following
            assert transcript.max_scroll_y - transcript.scroll_y <= 2
            await chat.press("pageup")
            place = transcript.scroll_y
            assert not transcript.following
            await grown(5)
            assert transcript.scroll_y == place
            await chat.until(lambda: "new text below" in chat.status)
            await chat.press("ctrl+end")
            await grown(5)
            assert transcript.following
            assert "new text below" not in chat.status
            await chat.press("pageup")
            async with asyncio.timeout(DEADLINE_S):
                while not transcript.following:
                    await chat.press("pagedown")
            await chat.press("escape")
            await chat.until(lambda: not chat.screen.session.running)
            await chat.press("pageup")
            await chat.send("echo done")
            await chat.until(lambda: chat.replies[-1] == "done")
            assert transcript.following


async def test_the_figures_stand_beside_the_text_only_where_there_is_room(chat: Chat) -> None:
    await chat.ask("echo one two")
    figures = chat.screen.query_one("#figures")
    assert figures.display
    assert "price?" in str(figures.render())
    await chat.pilot.resize_terminal(80, 24)
    await chat.until(lambda: not figures.display)
    assert "price?" in chat.status
    await chat.pilot.resize_terminal(120, 40)
    await chat.until(lambda: figures.display)


async def test_a_retry_is_a_version_beside_the_first(chat: Chat) -> None:
    await chat.ask("echo one")
    await chat.press("alt+left")
    assert "no other version" in chat.status
    await chat.press("f5")
    await chat.until(lambda: len(chat.screen.session.conversation.nodes) == 3 and not chat.screen.session.running)
    conversation = chat.screen.session.conversation
    head = conversation.head
    assert head is not None
    assert conversation.siblings(head) == (2, 2)
    await chat.press("alt+left")
    assert conversation.head != head
    await chat.press("alt+left")
    assert "no other version" in chat.status
    await chat.press("alt+right")
    assert conversation.head == head


async def test_lines_that_are_too_long_end_with_an_ellipsis(chat: Chat) -> None:
    await chat.pilot.resize_terminal(60, 20)
    await chat.ask(f"echo {'words of a title ' * 9}")
    rows = [strip.text for strip in chat.app.screen._compositor.render_strips()]  # pyright: ignore[reportPrivateUsage]
    assert rows[0].rstrip().endswith("…")
    assert rows[-1].rstrip().endswith("…")
