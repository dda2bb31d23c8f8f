"""The what-if screen: a turn, a chat, the history; stored and not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.widgets import Static

from tests.kit.screen import Chat
from tests.kit.shelf import OneScreen, Seen, house_in
from tests.kit.spending import spending, tried
from tests.ui.test_language import is_cut
from tui_chat.domain.words import say
from tui_chat.ui.screens.whatif import WhatIfScreen
from tui_chat.ui.widgets.sheet import Sheet
from tui_chat.wiring import House

NOW = time.time()


@pytest.fixture
def house(tmp_path: Path) -> House:
    built = house_in(tmp_path)
    built.chats.library.add(
        spending(
            "c",
            [tried(NOW, "gpt-4.1", "8", input=0, output=1_000_000)],
            [tried(NOW + 1, "gpt-4.1", "8", input=0, output=1_000_000)],
        )
    )
    built.chats.library.add(spending("d", [tried(NOW + 2, "unheard", input=0, output=1_000_000)]))
    return built


@asynccontextmanager
async def shown(house: House, size: tuple[int, int] = (120, 30)) -> AsyncIterator[Seen]:
    screen = WhatIfScreen(house, "ca0", "c")
    app = OneScreen(screen)
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, pilot, screen.query_one(Sheet))
        await seen.until(lambda: seen.view.length)
        yield seen


def lead(seen: Seen) -> str:
    return str(list(seen.app.shown.query(Static))[1].content)


def cells(seen: Seen) -> dict[str, list[str]]:
    rows = [row.strip("▌ ").split() for row in seen.rows if row]
    return {row[0]: [cell for cell in row[1:] if "█" not in cell] for row in rows}


async def test_a_turn_a_chat_and_the_history(house: House) -> None:
    async with shown(house) as seen:
        assert "Requests: 1 " in lead(seen)
        assert cells(seen)["claude-sonnet-4-5"] == ["$15.00", "1.88", "-87.5", "%"]
        assert [row.strip("▌ ").split()[0] for row in seen.rows[:2]] == ["claude-sonnet-4-5", "gpt-4.1"]
        await seen.press("tab")
        await seen.until(lambda: "Requests: 2 " in lead(seen))
        assert cells(seen)["claude-sonnet-4-5"][0] == "$30.00"
        await seen.press("tab")
        await seen.until(lambda: "Requests: 3 " in lead(seen))
        told = cells(seen)
        assert told["claude-sonnet-4-5"] == ["$45.00", "1.00", "0.0", "%", "$1,350.00"]
        assert told["work/unheard"] == ["price?", "–", "–", "–"]
        assert say("usage.unpriced", count=1) in lead(seen)


async def test_the_line_at_the_cursor_says_whose_price_it_is(house: House) -> None:
    async with shown(house) as seen:
        assert seen.status.startswith("Price from: Anthropic · price of 20")
        await seen.press("down")
        assert seen.status.startswith("Price from: OpenAI · price of 20")


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_it_fits(house: House, size: tuple[int, int]) -> None:
    async with shown(house, size) as seen:
        assert cells(seen)["gpt-4.1"][0] == "$8.00"
        top = seen.app.shown.query_one(".sheet-lead", Static)
        assert not is_cut(top) or size[1] < 24


async def requests(chat: Chat) -> str:
    await chat.send("/whatif")
    await chat.until(lambda: isinstance(chat.app.screen, WhatIfScreen))
    screen = chat.app.screen
    assert isinstance(screen, WhatIfScreen)
    await chat.until(lambda: screen.page.lead or screen.page.said)
    return screen.page.lead or screen.page.said


async def test_a_chat_that_is_kept(chat: Chat) -> None:
    await chat.ask("echo one")
    await chat.ask("echo two")
    assert "Requests: 1 " in await requests(chat)


async def test_a_chat_that_is_not_kept(chat: Chat) -> None:
    await chat.send("/temporary")
    await chat.ask("echo one")
    await chat.ask("echo two")
    assert "Requests: 1 " in await requests(chat)
    await chat.press("tab")
    screen = chat.app.screen
    assert isinstance(screen, WhatIfScreen)
    await chat.until(lambda: "Requests: 2 " in screen.page.lead)
    await chat.press("tab")
    await chat.until(lambda: screen.page.said == say("usage.nothing"))


async def test_before_anything_was_said(chat: Chat) -> None:
    assert await requests(chat) == say("usage.none_then")
