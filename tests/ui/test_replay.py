"""Recordings and the screen: played there, and saved from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.kit.program import COMMAND, ROOT, clean_environment
from tests.kit.terminal import Terminal
from tui_chat.demo.server import DemoServer
from tui_chat.domain.conversation import Conversation
from tui_chat.store import recordings
from tui_chat.ui.app import TuiChat
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.wiring import Choice, House

KEY = "sk-test-3fA9dQ7Lx2"
KNOWN = ROOT / "tests" / "fixtures" / "known.rec"
DEADLINE_S = 20.0


class Shown:
    """The program on a screen of our own."""

    def __init__(self, app: TuiChat, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> ChatScreen:
        assert isinstance(self.app.screen, ChatScreen)
        return self.app.screen

    @property
    def status(self) -> str:
        return str(self.screen.query_one("#status", Static).content)

    @property
    def turns(self) -> list[str]:
        return [node.text for node in self.screen.session.conversation.path()]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def send(self, text: str) -> None:
        self.screen.composer.put(text)
        await self.pilot.press("enter")
        await self.pilot.pause()

    async def quiet(self) -> None:
        session = self.screen.session
        await self.until(lambda: session.reply is not None and not session.running and not session.queue)


@asynccontextmanager
async def shown(app: TuiChat) -> AsyncIterator[Shown]:
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        yield Shown(app, pilot)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "config" / "config.toml"
    config.parent.mkdir()
    config.touch()
    return {
        "TUI_CHAT_CONFIG": str(config),
        "TUI_CHAT_DATA_DIR": str(tmp_path / "data"),
    }


def playing(env: dict[str, str], file: Path, speed: float = 0) -> TuiChat:
    house = House(env)
    return TuiChat(house, Choice(), player=house.play(file, speed))


async def test_a_recording_plays_on_the_screen(env: dict[str, str]) -> None:
    async with shown(playing(env, KNOWN)) as chat:
        await chat.quiet()
        assert chat.turns == ["hi", "Hello, wörld!"]
        assert "Playing" in chat.status
        assert "work/known-model" in str(chat.screen.query_one("#title", Static).content)


async def test_a_message_sent_then_is_told_that_the_recording_is_over(env: dict[str, str]) -> None:
    async with shown(playing(env, KNOWN)) as chat:
        await chat.quiet()
        await chat.send("and now?")
        await chat.quiet()
        reply = chat.screen.session.reply
        assert reply is not None
        assert reply.draft.failure is not None
        assert "recording is over" in reply.draft.failure.message


async def test_the_newest_reply_is_saved_after_the_fact(
    env: dict[str, str], server: DemoServer, tmp_path: Path
) -> None:
    env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
    file = tmp_path / "failed.rec"
    async with shown(TuiChat(House(env), Choice(model="demo-drop"))) as chat:
        await chat.send("/record")
        assert "/record FILE" in chat.status
        await chat.send(f"/record {file}")
        assert "no reply to record" in chat.status
        await chat.send("hi")
        await chat.quiet()
        await chat.send(f"/record {file}")
        assert f"replay {file}" in chat.status
        turns = chat.turns
        await chat.send(f"/record {file}")
        assert "exists already" in chat.status
        await chat.send(f"/record {tmp_path}/no/folder")
        assert "cannot be written" in chat.status
        assert file.stat().st_mode & 0o777 == 0o600
    assert KEY.encode() not in file.read_bytes()
    (question,) = recordings.load(file).questions
    assert question.ended is not None
    assert question.ended.state == "failed"
    async with shown(playing(env, file)) as chat:
        await chat.quiet()
        assert chat.turns == turns


def turns_of(tree: Conversation) -> list[tuple[str, str, int | None]]:
    """Role, text and the place of the parent, for names differ from time to time."""
    places: dict[str | None, int | None] = {None: None} | {id_: n for n, id_ in enumerate(tree.nodes)}
    return [(node.role, node.text, places[node.parent]) for node in tree.nodes.values()]


async def test_the_whole_chat_is_recorded_and_plays_in_one_go(
    env: dict[str, str], server: DemoServer, tmp_path: Path
) -> None:
    env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
    file = tmp_path / "chat.rec"
    house = House(env)
    house.recordings.begin(file)
    async with shown(TuiChat(house, Choice(model="demo-fast"))) as chat:
        for text in ("echo one", "echo two"):
            await chat.send(text)
            await chat.quiet()
        await chat.pilot.press("f5")
        await chat.quiet()
        nodes = turns_of(chat.screen.session.conversation)
    assert len(nodes) == 5
    async with shown(playing(env, file)) as chat:
        await chat.until(lambda: len(chat.screen.session.conversation.nodes) == 5)
        await chat.quiet()
        assert turns_of(chat.screen.session.conversation) == nodes


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
async def test_a_recording_that_cannot_be_written_is_a_notice(env: dict[str, str], server: DemoServer) -> None:
    env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
    house = House(env)
    house.recordings.begin(Path("/dev/full"))
    async with shown(TuiChat(house, Choice(model="demo-fast"))) as chat:
        assert "/dev/full" in chat.status
        await chat.send("echo one")
        await chat.quiet()
        assert chat.turns == ["echo one", "one"]


def test_replay_opens_the_screen_on_a_terminal(tmp_path: Path) -> None:
    command = [*COMMAND, "replay", str(KNOWN), "--speed", "20"]
    with Terminal(command, clean_environment(tmp_path), (120, 40), tmp_path) as terminal:
        terminal.wait("Hello, wörld!")
        terminal.wait("Ctrl+Q quit")
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
