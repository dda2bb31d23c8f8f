"""A title from the model."""

from __future__ import annotations

import json
from decimal import Decimal

from msgspec.structs import replace

from tests.kit import DONE, Stage, refusal, said, stopped, used
from tui_chat.domain.ask import Settings
from tui_chat.domain.budget import Budget
from tui_chat.domain.conversation import Conversation
from tui_chat.domain.failure import Kind
from tui_chat.domain.pricing import Price
from tui_chat.engine.budget import spent_today
from tui_chat.engine.reply import Target
from tui_chat.engine.titling import SHOWN, Titled, title_of

PRICE = Price(input=Decimal(1), output=Decimal(2))


async def titled(stage: Stage) -> Titled:
    conversation = Conversation()
    question = conversation.add(None, "user", "x" * (SHOWN + 500))
    conversation.add(question.id, "assistant", "an answer")
    target = Target(stage.endpoint, "m", Settings(system="Be a pirate.", temperature=2.0), lambda *_: PRICE)
    return await stage.clock.finish(title_of(stage.engine, target, conversation.path()))


async def test_the_models_words_without_their_trimmings() -> None:
    stage = Stage([said('**"Pirates, and "'), said('how to tell them."**\nMore'), stopped(), used(1_000_000, 1), DONE])
    found = await titled(stage)
    assert found.title == 'Pirates, and "how to tell them'
    assert found.cost.usd == Decimal("1.000002")
    assert spent_today(stage.engine) == found.cost.usd
    body = json.loads(stage.transport.requests[0].body)
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    assert len(body["messages"][0]["content"]) == SHOWN
    assert "temperature" not in body
    stage.assert_clean()


async def test_a_refusal_is_told_and_gives_no_title() -> None:
    found = await titled(Stage(refusal(401)))
    assert found.title == ""
    assert found.failure is not None
    assert found.cost.usd == 0


async def test_a_title_that_the_day_has_no_money_for_is_not_asked_for() -> None:
    stage = Stage()
    stage.engine = replace(stage.engine, budget=Budget(per_day=Decimal("0.0001")))
    found = await titled(stage)
    assert found.title == ""
    assert found.failure is not None
    assert found.failure.kind is Kind.BUDGET
    assert stage.transport.requests == []
