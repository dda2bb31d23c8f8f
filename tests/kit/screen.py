"""The full screen without a terminal: the app itself, with a test's hands and eyes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from tui_chat.demo.server import DemoServer
from tui_chat.ui.app import TuiChat
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.wiring import Choice, House

DEADLINE_S = 20.0


class Watcher:
    """Waits for what is to be seen."""

    pilot: Pilot[None]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.01)
        await self.settle()

    async def settle(self) -> None:
        """Until app, screen and widgets have handed on what they had; the pilot's way waits for a calm processor."""
        for _ in range(4):
            await self.pilot.pause(0)


class Chat(Watcher):
    """The program on a screen of our own, with what a test looks at."""

    def __init__(self, app: TuiChat, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> ChatScreen:
        screens = [screen for screen in self.app.screen_stack if isinstance(screen, ChatScreen)]
        assert screens, self.app.screen
        return screens[-1]

    @property
    def written(self) -> str:
        return self.screen.composer.text

    @property
    def status(self) -> str:
        return self.said("#status")

    @property
    def title(self) -> str:
        return self.said("#title")

    @property
    def replies(self) -> list[str]:
        return [node.text for node in self.screen.session.conversation.path() if node.role == "assistant"]

    def said(self, selector: str) -> str:
        screen = self.screen if selector in ("#status", "#title", "#queue", "#keys") else self.app.screen
        return str(screen.query_one(selector, Static).content)

    def offered(self) -> list[str]:
        options = self.app.screen.query_one(OptionList)
        return [str(option.prompt) for option in options.options]

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.app.post_message(events.Key(key, key if len(key) == 1 else " " if key == "space" else None))
            await self.settle()

    async def burst(self, text: str, *keys: str) -> None:
        """Keys as a slow line brings them: all at once, before anything that follows from the first."""
        focused = self.app.focused
        assert focused is not None
        for char in text:
            focused.post_message(events.Key(_character_to_key(char), char))
        for key in keys:
            focused.post_message(events.Key(key, None))
        await self.settle()

    async def type(self, text: str) -> None:
        await self.press(*("enter" if char == "\n" else "space" if char == " " else char for char in text))

    async def send(self, text: str) -> None:
        self.screen.composer.put(text)
        await self.press("enter")

    async def ask(self, text: str) -> None:
        """Send and wait for the end of the reply."""
        await self.send(text)
        await self.until(lambda: self.screen.session.reply is not None and not self.screen.session.running)


def environment(folder: Path, server: DemoServer) -> dict[str, str]:
    """An empty configuration and data folder, and an endpoint that the demo is behind."""
    config = folder / "config.toml"
    config.touch()
    return {
        "TUI_CHAT_CONFIG": str(config),
        "TUI_CHAT_DATA_DIR": str(folder / "data"),
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": "sk-test-3fA9dQ7Lx2",
    }


@asynccontextmanager
async def opened(
    env: dict[str, str],
    model: str | None = None,
    *,
    demo: bool = False,
    size: tuple[int, int] = (120, 40),
    save: bool = True,
    uid: str | None = None,
) -> AsyncIterator[Chat]:
    """The program as the command line opens it: with its store, and what interrupted it found."""
    house = House(env, save=save)
    house.open_store()
    app = TuiChat(house, Choice(model=model), demo=demo, uid=uid)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Chat(app, pilot)
