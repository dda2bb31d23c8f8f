"""The question before a message that would go over the budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.kit.screen import Chat, environment, opened
from tests.kit.serving import demo_server
from tui_chat.demo.server import DemoServer
from tui_chat.domain.ask import Settings
from tui_chat.ui.screens import budget
from tui_chat.ui.screens.budget import BudgetQuestion

PRICE = '[prices."demo-fast"]\ninput = 1_000\noutput = 1_000\n'


@pytest.fixture
def env(tmp_path: Path, server: DemoServer) -> dict[str, str]:
    """A dollar for a thousand tokens: an answer of unknown length is likely to cost one."""
    server.log.clear()
    return limited(environment(tmp_path, server), "per_reply = 0.9")


def limited(env: dict[str, str], limit: str) -> dict[str, str]:
    Path(env["TUI_CHAT_CONFIG"]).write_text(f"{PRICE}[budget]\n{limit}\n")
    return env


def asked(chat: Chat) -> bool:
    return isinstance(chat.app.screen, BudgetQuestion)


def dialogue(chat: Chat) -> list[str]:
    return [node.text for node in chat.screen.session.conversation.path()]


async def test_the_question_says_what_and_why(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", size=(80, 24)) as chat:
        await chat.send("echo one")
        assert asked(chat)
        shown = "\n".join(str(static.content) for static in chat.app.screen.query("Static"))  # pyright: ignore
        for part in ("over the budget?", "likely ~$1.00 for 2 tokens in and about 1,000 out", "$0.9000", "per_reply"):
            assert part in shown
        await chat.press("enter")
        assert not asked(chat)
        assert chat.written == "echo one"
        assert dialogue(chat) == []


async def test_no_gives_the_text_back_and_yes_sends_it(env: dict[str, str], server: DemoServer) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.send("echo one")
        await chat.press("n")
        assert server.log == []
        await chat.press("enter")
        assert asked(chat)
        await chat.press("y")
        await chat.until(lambda: dialogue(chat) == ["echo one", "one"])
        await chat.until(lambda: not chat.screen.session.running)
        assert chat.written == ""
        assert not chat.screen.session.queue


@asynccontextmanager
async def asked_by_the_queue(env: dict[str, str]) -> AsyncIterator[Chat]:
    limited(env, "per_conversation = 1.0025")
    async with opened(env, "demo-fast") as chat:
        session = chat.screen.session
        session.target = replace(session.target, settings=Settings(max_tokens=1000))
        await chat.send("echo one")
        session.submit("echo two")
        await chat.until(lambda: asked(chat))
        yield chat


async def test_a_question_from_the_queue_takes_no_answer_at_once(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "PAUSE_S", 3600)
    async with asked_by_the_queue(env) as chat:
        await chat.press("y")
        assert asked(chat)
        await chat.press("n")
        assert asked(chat)
        assert chat.screen.session.queue == ["echo two"]


async def test_a_question_from_the_queue_takes_an_answer_after_a_while(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "PAUSE_S", 0.05)
    async with asked_by_the_queue(env) as chat:
        await chat.until(lambda: chat.app.screen.check_action("dismiss", ()))
        await chat.press("n")
        assert not asked(chat)
        assert (chat.written, chat.screen.session.queue) == ("echo two", [])


async def test_a_question_that_is_open_at_the_end_is_there_at_the_next_start(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.send("echo one")
        assert asked(chat)
    async with opened(env, "demo-fast") as chat:
        assert chat.screen.session.queue == ["echo one"]


async def test_a_question_asked_unseen_is_shown_on_coming_back(tmp_path: Path) -> None:
    with demo_server(speed=1) as slow:
        env = limited(environment(tmp_path, slow), "per_conversation = 1.01")
        async with opened(env, "demo-fast") as chat:
            first, session = chat.screen.chat.id, chat.screen.session
            session.target = replace(session.target, settings=Settings(max_tokens=1000))
            await chat.send("count 60")
            await chat.until(lambda: session.running)
            session.submit("echo two")
            await chat.press("alt+n")
            await chat.until(lambda: session.asked is not None)
            assert not asked(chat)
            chat.screen.open_conversation(first)
            await chat.until(lambda: asked(chat))
            assert chat.screen.session is session
            await asyncio.sleep(budget.PAUSE_S)
            await chat.press("escape")
            assert chat.written == "echo two"


async def test_what_a_day_has_spent_is_known_after_a_restart(env: dict[str, str]) -> None:
    limited(env, "per_day = 1.1")
    async with opened(env, "demo-fast") as chat:
        await chat.ask("count 40")
        left = chat.screen.session.budget_left()
        assert left is not None
        assert 0 < left.usd < left.cap
    async with opened(env, "demo-fast") as chat:
        again = chat.screen.session.budget_left()
        assert again == left


async def test_what_a_conversation_has_spent_is_known_after_a_restart(env: dict[str, str]) -> None:
    limited(env, "per_conversation = 2")
    async with opened(env, "demo-fast") as chat:
        await chat.ask("count 40")
        uid, left = chat.screen.chat.id, chat.screen.session.budget_left()
    async with opened(env, "demo-fast", uid=uid) as chat:
        assert chat.screen.session.budget_left() == left
