"""The details of a turn on the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kit.screen import Chat, opened
from tui_chat.demo.server import DemoServer
from tui_chat.demo.tokens import pieces
from tui_chat.domain.figures import seconds
from tui_chat.domain.words import say
from tui_chat.ui.screens.details import DetailsScreen
from tui_chat.ui.widgets.figures import Figures


@pytest.fixture
async def chat(env: dict[str, str]) -> AsyncIterator[Chat]:
    async with opened(env, "demo-flaky") as made:
        yield made


async def copied(chat: Chat) -> str:
    """What the screen of details copies, once it shows something."""
    await chat.until(lambda: isinstance(chat.app.screen, DetailsScreen))
    await chat.until(lambda: "run 1" in str(chat.app.screen._lines))  # pyright: ignore[reportPrivateUsage]
    await chat.press("c")
    return chat.app.clipboard


async def test_every_try_of_the_newest_reply(chat: Chat, server: DemoServer) -> None:
    await chat.ask("echo one")
    await chat.press("alt+i")
    text = await copied(chat)
    assert [line for line in text.splitlines() if line.startswith("try")] == ["try 1", "try 2", "try 3"]
    assert text.count("request id") == 3
    assert "429" in text
    assert "503" in text
    await chat.press("escape")
    assert not isinstance(chat.app.screen, DetailsScreen)


async def test_a_conversation_of_before_tells_as_much(env: dict[str, str]) -> None:
    async with opened(env, "demo-flaky") as chat:
        await chat.ask("echo one")
        uid = chat.screen.chat.id
        await chat.send("/details")
        before = await copied(chat)
    async with opened(env, "demo-flaky", uid=uid) as chat:
        await chat.until(lambda: chat.replies == ["one"])
        await chat.send("/details")
        assert await copied(chat) == before


async def test_before_anything_was_said(chat: Chat) -> None:
    await chat.send("/details")
    assert chat.status == say("status.no_details")


async def test_the_figures_are_those_of_the_server_s_log(env: dict[str, str], server: DemoServer) -> None:
    async with opened(env, "demo-reasoning") as chat:
        await chat.ask("hello")
        sent = [entry for entry in server.log if entry.model == "demo-reasoning"][-1]
        assert sent.ended is not None
        shown = chat.screen.query_one(Figures).render().plain.splitlines()

        def figure(label: str) -> str:
            return next(row for row in shown if row.startswith(f"{label}  ")).removeprefix(label).strip()

        assert figure("out") == f"{sent.tokens_sent:,}"
        assert figure("reasoning") == f"{len(list(pieces(sent.reasoning_sent))):,}"
        assert chat.replies == [sent.text_sent]
        result = chat.screen.session.conversation.path()[-1].result
        assert result is not None
        took = sent.ended - sent.started
        assert took <= result.stats.elapsed_s < took + 2
        assert figure("elapsed") == seconds(result.stats.elapsed_s)
        assert figure("this reply") == figure("this chat") == "price?"
