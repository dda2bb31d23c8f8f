"""Conversations on the screen: kept, left, opened again, branched, named, deleted; and what a dead program left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.screen import Chat, opened
from tests.kit.serving import demo_server
from tui_chat.demo.server import DemoServer
from tui_chat.domain.words import say
from tui_chat.store.paths import database_file
from tui_chat.ui.screens.confirm import Confirm
from tui_chat.ui.screens.history import HistoryScreen
from tui_chat.ui.screens.tree import TreeScreen
from tui_chat.ui.widgets.figures import Figures


@pytest.fixture(scope="module")
def slow() -> Iterator[DemoServer]:
    """A demo that takes its time."""
    with demo_server(speed=1) as running:
        yield running


def dialogue(chat: Chat) -> list[str]:
    return [node.text for node in chat.screen.session.conversation.path()]


def rows(env: dict[str, str], query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(database_file(env)) as connection:
        return connection.execute(query).fetchall()


def contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


async def streaming(chat: Chat, text: str) -> None:
    """Send, and wait until something of the reply is here."""
    await chat.send(text)
    await chat.until(lambda: chat.screen.session.running and chat.screen.session.reply.draft.text)  # pyright: ignore


# leaving and coming back


async def test_what_is_written_comes_back_after_the_program_ended(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.type("not sent")
    async with opened(env, "demo-fast") as chat:
        assert chat.written == "not sent"
        await chat.press("enter")
        await chat.until(lambda: chat.replies and not chat.screen.session.running)
    async with opened(env, "demo-fast") as chat:
        assert chat.written == ""
        assert dialogue(chat) == []


async def test_each_conversation_keeps_its_own_draft(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        first = chat.screen.chat.id
        await chat.type("for the first")
        await chat.press("alt+n")
        assert chat.written == ""
        await chat.ask("echo two")
        chat.screen.open_conversation(first)
        await chat.until(lambda: chat.screen.chat.id == first)
        assert chat.written == "for the first"
        assert dialogue(chat) == ["echo one", "one"]


async def test_a_reply_goes_on_while_another_conversation_is_shown(env: dict[str, str], slow: DemoServer) -> None:
    env["OPENAI_BASE_URL"] = slow.base_url
    async with opened(env, "demo-slow") as chat:
        await streaming(chat, "echo a b c d e f g h")
        first = chat.screen.chat.id
        await chat.press("alt+n")
        assert dialogue(chat) == []
        assert chat.app.house.chats.registry.busy == [first]
        chat.screen.open_conversation(first)
        await chat.until(lambda: chat.screen.chat.id == first and not chat.screen.session.running)
        assert dialogue(chat) == ["echo a b c d e f g h", "a b c d e f g h"]
    assert rows(env, "SELECT state, text FROM nodes WHERE role = 'assistant'") == [("completed", "a b c d e f g h")]


async def test_the_history_opens_a_conversation_at_what_was_found(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo needle")
        await chat.press("alt+n")
        await chat.ask("echo hay")
        await chat.press("f3")
        assert isinstance(chat.app.screen, HistoryScreen)
        await chat.type("needl")
        await chat.until(lambda: "2 turns" in chat.said(".screen-status"))
        await chat.press("enter")
        await chat.until(lambda: dialogue(chat) == ["echo needle", "needle"])


async def test_a_temporary_chat_leaves_nothing(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.send("/temporary")
        assert "temporary" in chat.title
        await chat.ask("echo a secret")
        await chat.type("another secret")
        await chat.send("/rename x")
        assert "not kept" in chat.status
    assert not any(b"secret" in content for content in contents(Path(env["TUI_CHAT_DATA_DIR"])))


async def test_without_saving_there_is_no_file(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", save=False) as chat:
        await chat.ask("echo x")
        await chat.type("y")
    assert not database_file(env).exists()


# branches


async def test_a_question_is_written_anew_as_a_branch(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        await chat.ask("echo two")
        await chat.type("half")
        await chat.press("alt+e")
        assert chat.written == "echo two"
        await chat.press("alt+e")
        assert chat.written == "echo one"
        await chat.press("escape")
        assert chat.written == "half"
        await chat.press("alt+e", "alt+e")
        await chat.ask("echo three")
        assert dialogue(chat) == ["echo three", "three"]
        assert chat.written == "half"
        await chat.press("alt+left")
        assert dialogue(chat) == ["echo one", "one", "echo two", "two"]
    assert rows(env, "SELECT text FROM nodes WHERE in_chat AND role = 'user' ORDER BY id") == [
        ("echo one",),
        ("echo two",),
    ]


async def test_the_tree_goes_edits_and_forks(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        await chat.press("f5")
        await chat.until(lambda: len(chat.screen.session.conversation.nodes) == 3 and not chat.screen.session.running)
        first = chat.screen.chat.id
        await chat.press("f4")
        assert isinstance(chat.app.screen, TreeScreen)
        await chat.press("left", "enter")
        assert chat.screen.session.conversation.siblings(chat.screen.session.conversation.path()[-1].id) == (1, 2)
        await chat.press("f4", "f")
        await chat.until(lambda: chat.screen.chat.id != first)
        assert dialogue(chat) == ["echo one", "one"]
        assert "fork" in chat.title
        await chat.press("f4", "up", "e")
        assert chat.written == "echo one"
    assert rows(env, "SELECT count(*) FROM conversations") == [(2,)]


# names and deletions


async def test_a_title_is_given_and_kept(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        assert "echo one" in chat.title
        await chat.send("/rename Of [/foo] numbers")
        assert "Of [/foo] numbers" in chat.title
    assert rows(env, "SELECT title, titled FROM conversations") == [("Of [/foo] numbers", 1)]


async def test_a_deleted_conversation_is_brought_back(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        await chat.send("/delete")
        assert dialogue(chat) == []
        assert "/undo" in chat.status
        await chat.send("/undo")
        await chat.until(lambda: dialogue(chat) == ["echo one", "one"])


async def test_a_conversation_deleted_in_the_history_is_left(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        gone = chat.screen.chat.id
        await chat.press("f3")
        await chat.until(lambda: "1 conversation" in chat.said(".screen-status"))
        await chat.press("alt+d")
        await chat.until(lambda: chat.screen.chat.id != gone)
        await chat.press("escape")
        await chat.ask("echo two")
    assert rows(env, "SELECT title FROM conversations WHERE deleted IS NULL") == [("echo two",)]


# a program that ended before its reply


async def left_behind(env: dict[str, str], slow: DemoServer) -> None:
    """A chat that was left in the middle of a reply."""
    async with opened(env | {"OPENAI_BASE_URL": slow.base_url}, "demo-slow") as chat:
        await streaming(chat, "echo one two three four five six")


async def test_an_interrupted_reply_is_offered_in_its_place_and_finished(
    env: dict[str, str], server: DemoServer, slow: DemoServer
) -> None:
    await left_behind(env, slow)
    async with opened(env, "demo-fast") as chat:
        assert len(dialogue(chat)) == 2
        assert "F6" in chat.said("#keys")
        assert "F8" in chat.said("#keys")
        await chat.press("f6")
        await chat.until(lambda: not chat.screen.session.running)
        assert dialogue(chat)[1] == "one two three four five six"
        assert "F8" not in chat.said("#keys")
    assert rows(env, "SELECT state FROM conversations") == [("completed",)]


@pytest.mark.parametrize(("key", "left"), [("f7", 2), ("f8", 1)])
async def test_an_interrupted_reply_is_kept_or_discarded_once_and_for_all(
    env: dict[str, str], slow: DemoServer, key: str, left: int
) -> None:
    await left_behind(env, slow)
    async with opened(env, "demo-fast") as chat:
        uid = chat.screen.chat.id
        await chat.press(key)
        assert len(dialogue(chat)) == left
        assert "F8" not in chat.said("#keys")
    async with opened(env, "demo-fast") as chat:
        assert dialogue(chat) == []
    async with opened(env, "demo-fast", uid=uid) as chat:
        assert len(dialogue(chat)) == left
        assert len(chat.screen.session.conversation.nodes) == 2


async def test_several_interrupted_conversations_are_told(env: dict[str, str], slow: DemoServer) -> None:
    await left_behind(env, slow)
    async with opened(env | {"OPENAI_BASE_URL": slow.base_url}, "demo-slow") as chat:
        await chat.press("alt+n")
        await streaming(chat, "echo another six five four three two one")
    async with opened(env, "demo-fast") as chat:
        assert dialogue(chat)[0] == "echo another six five four three two one"
        assert "Other conversations with an interrupted reply: 1;" in chat.status


async def test_what_waited_in_the_queue_comes_back(env: dict[str, str], slow: DemoServer) -> None:
    async with opened(env | {"OPENAI_BASE_URL": slow.base_url}, "demo-slow") as chat:
        await streaming(chat, "echo one two three four five six")
        await chat.send("and then this")
        assert chat.screen.session.queue == ["and then this"]
    async with opened(env, "demo-fast") as chat:
        assert chat.screen.session.queue == ["and then this"]
        assert "and then this" in chat.said("#queue")


async def test_the_queue_of_an_interrupted_reply_names_what_goes_on(env: dict[str, str], slow: DemoServer) -> None:
    answer = "echo " + " ".join(map(str, range(60)))
    async with opened(env | {"OPENAI_BASE_URL": slow.base_url}, "demo-slow") as chat:
        await streaming(chat, answer)
        await chat.send("and then this")
    async with opened(env | {"OPENAI_BASE_URL": slow.base_url}, "demo-slow") as chat:
        assert say("queue.interrupted") in chat.said("#queue")
        assert "failure" not in chat.said("#queue")
        await chat.press("f6")
        await chat.until(lambda: chat.screen.session.running)
        assert say("queue.hint") in chat.said("#queue").splitlines()
        await chat.press("escape")


async def test_the_notice_of_the_start_gives_way_to_a_reply(env: dict[str, str], slow: DemoServer) -> None:
    await left_behind(env, slow)
    async with opened(env | {"OPENAI_BASE_URL": slow.base_url}, "demo-slow") as chat:
        await chat.press("alt+n")
        await streaming(chat, "echo another six five four three two one")
    async with opened(env | {"OPENAI_BASE_URL": slow.base_url}, "demo-slow", size=(80, 24)) as chat:
        assert "Other conversations with an interrupted reply: 1;" in chat.status
        told = chat.status
        await chat.press("f6")
        await chat.until(lambda: chat.screen.session.running)
        assert told not in chat.status
        await chat.press("alt+left")
        assert say("status.running") in chat.status
        timer = chat.screen._notice_timer
        assert timer is not None
        assert timer._interval <= 3
        await chat.press("escape")


# files


async def test_a_conversation_goes_out_and_comes_in(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        await chat.send(f"/export {tmp_path}/no/out.json")
        await chat.until(lambda: f"there is no folder {tmp_path}/no." in chat.status.replace("\n", ""))
        assert not (tmp_path / "no").exists()
        await chat.send(f"/export {file}")
        await chat.until(lambda: file.exists())
        await chat.send("/delete")
        await chat.send(f"/import {file}")
        await chat.until(lambda: "Imported" in chat.status)


@pytest.mark.parametrize("behind", [False, True])
async def test_what_is_not_on_the_disk_can_be_exported(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: bool
) -> None:
    file = tmp_path / "out.md"
    async with opened(env, "demo-fast") as chat:
        if not behind:
            await chat.send("/temporary")
        await chat.ask("echo one")
        monkeypatch.setattr(type(chat.app.house.chats.database), "behind", behind)
        await chat.send(f"/export {file}")
        await chat.until(file.exists)
        monkeypatch.undo()
    assert "echo one" in file.read_text()


async def test_leaving_with_unsaved_words_is_asked_about(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(env, "demo-fast") as chat:
        monkeypatch.setattr(type(chat.app.house.chats.database), "behind", True)
        await chat.press("ctrl+q")
        assert isinstance(chat.app.screen, Confirm)
        await chat.press("escape")
        assert chat.app.is_running


async def test_the_figures_have_the_colours_of_the_theme_chosen(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        pane = chat.app.screen.query_one(Figures)
        for theme in ("paper", "night"):
            await chat.send(f"/theme {theme}")
            wanted = pane.get_component_styles("figures--figure").partial_rich_style
            await chat.until(lambda wanted=wanted: any(span.style == wanted for span in pane.render().spans))


async def test_a_pane_without_room_is_not_drawn_and_is_whole_once_it_has_some(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", size=(80, 24)) as chat:
        await chat.ask("echo one")
        pane = chat.app.screen.query_one(Figures)
        assert pane.render().plain == ""
        await chat.pilot.resize_terminal(120, 40)
        await chat.until(lambda: "TTFT" in pane.render().plain)
        assert "done" in pane.render().plain
