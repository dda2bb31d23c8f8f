"""A session that keeps to its budget."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.kit import DONE, HANG, Held, Pause, Script, Stage, cut, refusal, said, stopped, used
from tests.kit.clock import WALL
from tests.kit.transport import Head
from tui_chat.domain.ask import Settings
from tui_chat.domain.budget import Budget, Left, Limit
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import BudgetAsked, Notice, QueueChanged, Submitted
from tui_chat.domain.failure import Kind
from tui_chat.domain.pricing import Price, Tier
from tui_chat.engine.budget import midnight, spent_today, unsent
from tui_chat.engine.purse import LOOK_S, Purse
from tui_chat.engine.reply import Target
from tui_chat.engine.session import Session

D = Decimal
PRICE = Price(input=D(1_000_000), output=D(1_000_000))
"""A dollar a token."""


def answer(text: str = "x", output: int = 10, input: int = 0) -> Script:
    return [Pause(1), said(text), stopped(), used(input, output), DONE]


def stage_of(
    *scripts: Script, price: Price | None = PRICE, settings: Settings | None = None, **limits: Any
) -> tuple[Stage, Held]:
    stage = Stage(*scripts)
    stage.engine = replace(stage.engine, budget=Budget(**{name: D(limit) for name, limit in limits.items()}))
    return stage, Held(
        Session(stage.engine, Target(stage.endpoint, "m", settings or Settings(max_tokens=10), lambda *_: price))
    )


def limits(held: Held) -> list[Limit]:
    (asked,) = held.of(BudgetAsked)
    return [crossing.limit for crossing in asked.estimate.crossings]


async def test_what_stays_within_the_budget_is_sent() -> None:
    stage, held = stage_of(answer(), per_reply=12, per_conversation=12, per_day=12)
    held.session.submit("abcd")
    await stage.clock.advance(1)
    assert held.dialogue == [("user", "abcd"), ("assistant", "x")]
    assert held.of(BudgetAsked) == []


@pytest.mark.parametrize("limit", ["per_reply", "per_conversation", "per_day"])
async def test_what_would_likely_cross_a_limit_waits_for_the_users_word(limit: str) -> None:
    stage, held = stage_of(answer(output=5), **{limit: 10})
    held.session.submit("hi" * 4)
    await stage.clock.advance(5)
    assert stage.transport.requests == []
    assert held.names == ["BudgetAsked", "QueueChanged"]
    assert f"per_{limits(held)[0]}" == limit
    (asked,) = held.of(BudgetAsked)
    assert (asked.estimate.input, asked.estimate.output, asked.estimate.cost.usd) == (2, 10, D(12))
    held.session.agree()
    assert held.session.asked is None
    await stage.clock.advance(5)
    assert held.dialogue == [("user", "hi" * 4), ("assistant", "x")]
    assert held.of(QueueChanged)[-1] == QueueChanged(())
    stage.assert_clean()


async def test_what_is_declined_goes_back_and_leaves_no_trace() -> None:
    stage, held = stage_of(per_reply=1)
    held.session.submit("abcd")
    assert held.session.queue == ["abcd"], "a program that ends now has kept it"
    assert held.session.decline() == "abcd"
    assert (held.session.queue, held.session.asked, held.session.conversation.nodes) == ([], None, {})
    held.session.agree()
    assert held.session.decline() == ""
    await stage.clock.advance(5)
    assert stage.transport.requests == []


async def test_a_listener_that_declines_at_once_hears_of_no_queue() -> None:
    _, held = stage_of(per_reply=1)
    held.session.listeners.append(lambda event: held.session.decline() if isinstance(event, BudgetAsked) else None)
    held.session.submit("abcd")
    assert held.names == ["BudgetAsked"]
    assert held.session.queue == []


async def test_the_others_wait_while_the_question_is_open() -> None:
    stage, held = stage_of(answer(), answer(), answer(), per_conversation=25)
    for text in "ab":
        held.session.submit(text)
    await stage.clock.advance(1)
    assert held.session.asked is None
    held.session.submit("c")
    held.session.submit("d")
    await stage.clock.advance(1)
    assert held.session.queue == ["c", "d"]
    held.session.submit("e")
    assert not held.session.retry()
    await stage.clock.advance(5)
    assert len(held.of(BudgetAsked)) == 1
    assert held.session.take_back() == "e"
    assert held.session.take_back() == "d"
    assert held.session.take_back() is None, "it is being asked about"
    assert len(stage.transport.requests) == 2
    held.session.agree()
    await stage.clock.advance(5)
    assert [text for role, text in held.dialogue if role == "user"] == ["a", "b", "c"]


async def test_what_waits_behind_a_declined_message_waits_on() -> None:
    _, held = stage_of(per_reply=1)
    for text in "ab":
        held.session.submit(text)
    assert held.session.decline() == "a"
    assert held.session.queue == ["b"]
    assert held.of(QueueChanged)[-1] == QueueChanged(("b",))


async def test_once_is_once() -> None:
    stage, held = stage_of(answer(), answer(), per_reply=1)
    held.session.submit("a")
    held.session.agree()
    await stage.clock.advance(1)
    held.session.submit("b")
    assert held.session.asked is not None


STREAM: Script = [said("x" * 40), Pause(1), said("y" * 40), Pause(1), said("z" * 40), HANG]
"""Ten tokens a piece."""


@pytest.mark.parametrize("limit", ["per_reply", "per_conversation", "per_day", "per_command"])
async def test_a_reply_that_crosses_a_limit_is_stopped_and_its_text_kept(limit: str) -> None:
    stage, held = stage_of(STREAM, settings=Settings(max_tokens=5), **{limit: 15})
    held.session.submit("abcd")
    await stage.clock.advance(5)
    assert held.dialogue[-1] == ("assistant", "x" * 40 + "y" * 40)
    reply = held.session.reply
    assert reply is not None
    assert reply.draft.failure is not None
    assert (reply.draft.phase, reply.draft.failure.kind) == (Phase.FAILED, Kind.BUDGET)
    assert "$21.00 of $15.00" in reply.draft.failure.message
    stage.assert_clean()


async def test_what_others_spend_meanwhile_stops_a_reply_too() -> None:
    slow: Script = [said("x" * 40), Pause(LOOK_S), said("y" * 4), HANG]
    stage, held = stage_of(slow, settings=Settings(max_tokens=5), per_day=50)
    held.session.submit("abcd")
    await stage.clock.settle()
    stage.engine.ledger.book(stage.clock.wall(), D(45))
    await stage.clock.advance(LOOK_S)
    reply = held.session.reply
    assert reply is not None
    assert reply.draft.failure is not None
    assert "$57.00 of $50.00" in reply.draft.failure.message


def test_replies_at_the_same_time_count_together() -> None:
    engine = replace(Stage().engine, budget=Budget(per_reply=D(10), per_conversation=D(15), per_command=D(18)))
    purse = Purse(engine, lambda: D(1))
    purse.begin("a")
    purse.begin("b", before=D(2))
    assert purse.over("a", D(7)) == ()
    assert [c.limit for c in purse.over("b", D(6))] == [Limit.CONVERSATION], "1 and 7 and 2 and 6"
    assert {c.limit: c.usd for c in purse.over("b", D(12))} == {
        Limit.COMMAND: D(19),
        Limit.REPLY: D(14),
        Limit.CONVERSATION: D(22),
    }
    assert purse.over("b", None) == ()


async def test_a_limit_that_was_let_go_does_not_stop_the_reply_and_another_does() -> None:
    stage, held = stage_of(STREAM, settings=Settings(max_tokens=5), per_reply=2, per_day=25)
    held.session.submit("abcd")
    assert limits(held) == [Limit.REPLY]
    held.session.agree()
    await stage.clock.advance(1)
    assert held.session.running
    await stage.clock.advance(4)
    assert held.dialogue[-1] == ("assistant", "x" * 40 + "y" * 40 + "z" * 40)
    reply = held.session.reply
    assert reply is not None
    assert reply.draft.failure is not None
    assert "per_day" in reply.draft.failure.message


async def test_a_limit_holds_in_a_flood_of_small_pieces() -> None:
    """What comes at one moment is looked at once, and the rest of it at the next."""
    flood: Script = [*[said("x" * 4)] * 30, Pause(0.1), said("y" * 4), Pause(0.1), said("z" * 4), HANG]
    stage, held = stage_of(flood, settings=Settings(max_tokens=5), per_reply=15)
    held.session.submit("abcd")
    await stage.clock.advance(5)
    assert held.dialogue[-1] == ("assistant", "x" * 120 + "y" * 4)


async def test_an_answer_that_is_whole_is_not_stopped_by_its_bill() -> None:
    stage, held = stage_of([said("x"), stopped(), used(0, 100), DONE], settings=Settings(max_tokens=5), per_reply=10)
    held.session.submit("abcd")
    await stage.clock.advance(1)
    assert held.session.reply is not None
    assert held.session.reply.draft.phase is Phase.COMPLETED


async def test_the_cap_of_a_command_lets_an_answer_begin_unless_its_input_is_too_dear() -> None:
    stage, held = stage_of(answer(), per_command=5)
    held.session.submit("abcd")
    await stage.clock.advance(2)
    assert held.dialogue[-1][1] == "x"
    held.session.submit("x" * 400)
    assert limits(held) == [Limit.COMMAND]


async def test_tries_that_failed_count() -> None:
    """Three tries take a token of input each; the answer has three, and then its fourth is one too many."""
    broken: Script = [Head(200), cut()]
    stage, held = stage_of(
        *[broken, broken, [*[said("x" * 4), Pause(1)] * 9, HANG]], settings=Settings(max_tokens=1), per_reply=6
    )
    held.session.submit("abcd")
    await stage.clock.advance(60)
    assert held.dialogue[-1] == ("assistant", "x" * 16)


async def test_a_reply_taken_up_again_has_spent_what_it_had() -> None:
    stage, held = stage_of([said("x" * 40), HANG], answer("y"), settings=Settings(max_tokens=5), per_reply=20)
    held.session.submit("abcd")
    await stage.clock.settle()
    held.session.cancel()
    await stage.clock.settle()
    assert held.session.spent().usd == 11
    assert held.session.resume()
    assert limits(held) == [Limit.REPLY], "11 and 11 of input and 5 to come"
    assert held.session.conversation.path()[-1].result is not None
    assert held.session.decline() == ""
    assert held.session.resume()
    held.session.agree()
    await stage.clock.advance(5)
    assert held.dialogue[-1][1].startswith("x" * 40)
    assert len(stage.transport.requests) == 2


async def test_each_run_of_a_reply_is_billed_by_its_own_tier() -> None:
    tiered = Price(D(1_000_000), D(0), tiers=(Tier(D(9_000_000), D(0), above=15),))
    stage, held = stage_of([said("x" * 8), used(10, 2), HANG], answer("y", input=12, output=1), price=tiered)
    held.session.submit("abcd")
    await stage.clock.settle()
    held.session.cancel()
    await stage.clock.settle()
    held.session.resume()
    await stage.clock.advance(5)
    assert held.session.spent().usd == 22


async def test_a_retry_and_a_revision_are_asked_about_too() -> None:
    stage, held = stage_of(answer(), answer(), per_conversation=15)
    held.session.submit("a")
    await stage.clock.advance(1)
    question, reply = held.session.conversation.path()
    assert held.session.retry()
    assert held.session.asked is not None
    assert held.session.decline() == ""
    assert held.session.revise(question.id, "b")
    assert held.session.decline() == "b"
    assert list(held.session.conversation.nodes) == [question.id, reply.id]
    held.session.revise(question.id, "b")
    held.session.agree()
    await stage.clock.advance(1)
    assert held.dialogue == [("user", "b"), ("assistant", "x")]
    assert held.names.count("QueueChanged") == 0


async def test_cancelled_and_failed_replies_count_into_conversation_and_day() -> None:
    stage, held = stage_of([said("x" * 20), HANG], [said("x" * 20), cut()], refusal(401))
    for _ in range(3):
        held.session.submit("abcd")
        await stage.clock.settle()
        held.session.cancel()
        await stage.clock.advance(60)
    assert held.session.spent().usd == 12 + 6
    assert spent_today(stage.engine) == held.session.spent().usd


async def test_the_day_counts_other_conversations_and_ends_at_midnight() -> None:
    stage, held = stage_of(answer(), answer(), per_day=25)
    other = Held(Session(stage.engine, held.session.target))
    for session in (held.session, other.session):
        session.submit("a")
        await stage.clock.advance(1)
    assert spent_today(stage.engine) == 20
    held.session.submit("b")
    assert limits(held) == [Limit.DAY]
    held.session.decline()
    await stage.clock.advance(midnight(WALL) + 86_400 - stage.clock.wall() + 1)
    held.session.submit("b")
    assert held.session.asked is None


async def test_what_the_conversation_took_beside_its_replies_counts() -> None:
    _, held = stage_of(per_conversation=15)
    held.session.beside = D(5)
    held.session.submit("a")
    assert limits(held) == [Limit.CONVERSATION]
    assert held.session.spent().usd == 5


async def test_a_model_without_a_price_is_not_watched_and_that_is_said_once() -> None:
    stage, held = stage_of(answer(), answer(), price=None, per_reply=1, per_day=1)
    for _ in range(2):
        held.session.submit("abcd")
        await stage.clock.advance(1)
    (notice,) = held.of(Notice)
    assert notice.text.startswith("price? ")
    assert len(held.of(Submitted)) == 2


async def test_without_a_budget_nobody_asks_for_prices() -> None:
    stage, held = stage_of(answer(), price=None)
    held.session.submit("abcd")
    await stage.clock.advance(1)
    assert held.of(Notice) == []
    assert held.session.budget_left() is None


async def test_the_answers_so_far_tell_how_long_the_next_one_will_be() -> None:
    stage, held = stage_of(answer(output=20), answer(output=40), settings=Settings(), per_reply=2000)
    for _ in range(2):
        held.session.submit("abcd")
        await stage.clock.advance(1)
    held.session.purse.budget = Budget(per_reply=D(10))
    held.session.submit("abcd")
    (asked,) = held.of(BudgetAsked)
    assert asked.estimate.output == 30
    assert unsent(asked.estimate).kind is Kind.BUDGET


async def test_what_is_left_under_the_nearest_limit() -> None:
    stage, held = stage_of(answer(output=10), STREAM, per_reply=30, per_conversation=60, per_day=50)
    assert held.session.budget_left() == Left(Limit.DAY, D(50), D(50))
    held.session.submit("a")
    await stage.clock.advance(1)
    assert held.session.budget_left() == Left(Limit.DAY, D(50), D(40))
    held.session.submit("b")
    await stage.clock.settle()
    assert held.session.budget_left() == Left(Limit.REPLY, D(30), D(30) - 11)
    held.session.cancel()
    await stage.clock.settle()
    assert held.session.budget_left() == Left(Limit.DAY, D(50), D(29))


@pytest.fixture
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("kathmandu")
def test_midnight_is_that_of_this_place() -> None:
    began = midnight(WALL)
    assert (began + 5.75 * 3600) % 86_400 == 0
    assert 0 <= WALL - began < 86_400
