"""A conversation being held."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.kit import DONE, HANG, Held, Pause, Script, Stage, cut, refusal, said, stopped, thought, ticks, used
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Decided, Ended, Finished, QueueChanged, Returned, RunHeard, Selected, Submitted
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.pricing import CostSource, Price
from tui_chat.domain.tokens import Lesson, Ratios, TextClass

if TYPE_CHECKING:
    from tui_chat.domain.events import SessionEvent

GONE = refusal(401)
PRICE = Price(input=Decimal(1), output=Decimal(2))


def answer(text: str, seconds: float = 1) -> Script:
    return [Pause(seconds), said(text), stopped(), used(1_000_000, 1_000_000), DONE]


def stage_of(*scripts: Script, price: Price | None = None) -> tuple[Stage, Held]:
    stage = Stage(*scripts)
    return stage, stage.session(price)


def sent(stage: Stage, number: int) -> list[tuple[str, str]]:
    body = json.loads(stage.transport.requests[number].body)
    return [(m["role"], m["content"]) for m in body["messages"]]


async def test_question_and_answer() -> None:
    stage, held = stage_of(answer("Hello"))
    held.session.submit("hi")
    assert held.session.running
    assert held.names == ["Submitted"]
    await stage.clock.advance(1)
    assert not held.session.running
    assert held.dialogue == [("user", "hi"), ("assistant", "Hello")]
    assert held.names == ["Submitted", "Attempt", "Connected", "Text", "Stopped", "Usage", "Finished", "Ended"]
    (submitted,) = held.of(Submitted)
    assert {heard.node for heard in held.of(RunHeard)} == {submitted.reply.id}
    node = held.session.conversation.path()[-1]
    assert node.result is not None
    assert (node.result.phase, node.result.finish_reason, node.result.stats.exact) == (Phase.COMPLETED, "stop", True)
    assert held.session.reply is not None
    assert held.session.reply.node == node
    assert held.session.reply.age == 1


async def test_the_conversation_goes_along() -> None:
    stage, held = stage_of(answer("A"), answer("B"))
    held.session.submit("a")
    await stage.clock.advance(1)
    held.session.submit("b")
    await stage.clock.advance(1)
    assert sent(stage, 1) == [("user", "a"), ("assistant", "A"), ("user", "b")]


async def test_one_reply_at_a_time_and_the_others_in_order() -> None:
    stage, held = stage_of(answer("A"), answer("B"), answer("C"))
    for text in "abc":
        held.session.submit(text)
    assert held.of(QueueChanged) == [QueueChanged(("b",)), QueueChanged(("b", "c"))]
    await stage.clock.settle()
    assert stage.transport.open_answers == 1
    await stage.clock.advance(1)
    assert held.session.queue == ["c"]
    assert stage.transport.open_answers == 1
    await stage.clock.advance(2)
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B", "c", "C"]
    assert held.of(QueueChanged)[2:] == [QueueChanged(("c",)), QueueChanged(())]
    stage.assert_clean()


async def test_take_back_gives_the_last_one() -> None:
    stage, held = stage_of(answer("A"), answer("B"))
    for text in "abc":
        held.session.submit(text)
    assert held.session.take_back() == "c"
    await stage.clock.advance(5)
    assert held.session.take_back() is None
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B"]


async def test_cancel_keeps_what_came_and_goes_on_with_the_queue() -> None:
    stage, held = stage_of([said("Hel"), HANG], answer("B"))
    held.session.submit("a")
    held.session.submit("b")
    await stage.clock.settle()
    assert held.session.cancel()
    await stage.clock.advance(1)
    assert [text for _, text in held.dialogue] == ["a", "Hel", "b", "B"]
    assert held.of(Returned) == []


async def test_cancel_without_a_reply() -> None:
    stage, held = stage_of(answer("A"))
    assert not held.session.cancel()
    held.session.submit("a")
    await stage.clock.advance(1)
    assert not held.session.cancel()


async def test_cancel_with_a_cause_is_a_failure() -> None:
    stage, held = stage_of([said("Hel"), HANG])
    held.session.submit("a")
    await stage.clock.settle()
    assert held.session.cancel(failure(Kind.BUDGET, "too dear"))
    await stage.clock.settle()
    assert held.session.reply is not None
    assert held.session.reply.draft.failure == failure(Kind.BUDGET, "too dear")
    assert held.dialogue[-1] == ("assistant", "Hel")


async def test_a_failure_holds_the_queue_until_the_user_goes_on() -> None:
    stage, held = stage_of(GONE, answer("B"), answer("C"))
    for text in "ab":
        held.session.submit(text)
    await stage.clock.advance(9)
    assert held.session.queue == ["b"]
    assert not held.session.running
    held.session.submit("c")
    assert held.session.queue == ["c"], "those that waited longer come first"
    await stage.clock.advance(9)
    assert [text for _, text in held.dialogue] == ["b", "B", "c", "C"]


async def test_retry_after_a_failure_lets_the_queue_go_on() -> None:
    stage, held = stage_of(GONE, answer("A"), answer("B"))
    for text in "ab":
        held.session.submit(text)
    await stage.clock.advance(1)
    assert held.session.retry()
    await stage.clock.advance(2)
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B"]


async def test_retry_is_a_sibling() -> None:
    stage, held = stage_of(answer("A"), answer("B"), answer("B2"))
    for text in "ab":
        held.session.submit(text)
    await stage.clock.advance(2)
    assert held.session.retry()
    assert not held.session.retry(), "one reply at a time"
    await stage.clock.advance(1)
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B2"]
    assert sent(stage, 2) == sent(stage, 1) == [("user", "a"), ("assistant", "A"), ("user", "b")]
    conversation = held.session.conversation
    assert conversation.head is not None
    assert conversation.siblings(conversation.head) == (2, 2)


async def test_nothing_to_retry() -> None:
    _, held = stage_of()
    assert not held.session.retry()


@pytest.mark.parametrize(
    ("script", "returned"),
    [
        (GONE, True),
        ([cut(Kind.TLS)], True),
        ([HANG], True),
        ([said("x"), cut()], False),
        ([thought("x"), cut()], False),
        ([stopped(), DONE], False),
        ([said("x"), DONE], False),
    ],
)
async def test_the_question_comes_back_when_nothing_was_received(script: Script, returned: bool) -> None:
    stage, held = stage_of(script, script)
    held.session.submit("my question")
    await stage.clock.advance(500)
    assert held.of(Returned) == ([Returned("my question")] if returned else [])
    if returned:
        assert isinstance(held.told[-1], Returned)


async def test_a_cancelled_question_comes_back() -> None:
    stage, held = stage_of([HANG])
    held.session.submit("my question")
    await stage.clock.settle()
    held.session.cancel()
    await stage.clock.settle()
    assert held.of(Returned) == [Returned("my question")]


@pytest.mark.parametrize(
    ("script", "context"),
    [
        (GONE, []),
        ([thought("hm"), cut()], []),
        ([said("  \n"), DONE], []),
        ([said("Hel"), cut()], [("user", "a"), ("assistant", "Hel")]),
        ([said("Hel"), stopped("length"), DONE], [("user", "a"), ("assistant", "Hel")]),
    ],
)
async def test_a_question_that_nothing_answered_is_no_context(script: Script, context: list[tuple[str, str]]) -> None:
    stage, held = stage_of(script, answer("B"), answer("C"))
    held.session.submit("a")
    await stage.clock.advance(500)
    held.session.submit("b")
    await stage.clock.advance(1)
    assert sent(stage, 1) == [*context, ("user", "b")]
    held.session.submit("c")
    await stage.clock.advance(1)
    assert sent(stage, 2) == [*context, ("user", "b"), ("assistant", "B"), ("user", "c")]


async def test_unanswered_questions_in_a_row_leave_the_answered_ones() -> None:
    stage, held = stage_of(answer("A"), GONE, GONE, answer("D"))
    for text in "abcd":
        held.session.submit(text)
        await stage.clock.advance(1)
    assert sent(stage, 3) == [("user", "a"), ("assistant", "A"), ("user", "d")]


async def test_retry_repeats_the_question_that_failed() -> None:
    stage, held = stage_of(answer("A"), GONE, answer("B"))
    for text in "ab":
        held.session.submit(text)
        await stage.clock.advance(1)
    assert held.session.retry()
    await stage.clock.advance(1)
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B"]


async def test_what_was_spent() -> None:
    stage, held = stage_of(answer("A"), answer("A2"), GONE, [said("x" * 400), HANG], price=PRICE)
    assert held.session.spent().source is CostSource.UNKNOWN
    held.session.submit("a")
    await stage.clock.advance(1)
    assert (held.session.spent().usd, held.session.spent().source) == (Decimal(3), CostSource.COMPUTED)
    held.session.retry()
    await stage.clock.advance(1)
    assert held.session.spent().usd == Decimal(6), "the version out of chat was paid for too"
    held.session.submit("b")
    await stage.clock.advance(1)
    held.session.submit("c")
    await stage.clock.settle()
    running = held.session.spent()
    assert running.source is CostSource.ESTIMATED
    assert running.usd is not None
    assert running.usd > 6
    held.session.cancel()
    await stage.clock.settle()
    assert held.session.spent() == running


class Walked(dict[str, Any]):
    """Turns that count how often somebody goes through all of them."""

    walks = 0

    def values(self) -> Any:
        self.walks += 1
        return super().values()


async def test_what_was_spent_is_summed_up_once_not_with_every_look() -> None:
    stage, held = stage_of(answer("A"), [said("x" * 400), HANG], price=PRICE)
    held.session.submit("a")
    await stage.clock.advance(1)
    nodes = held.session.conversation.nodes = Walked(held.session.conversation.nodes)
    held.session.submit("b")
    await stage.clock.settle()
    before = nodes.walks
    for _ in range(10):
        held.session.spent()
        held.session.budget_left()
    assert nodes.walks <= before + 1


async def test_without_a_price_nothing_is_known() -> None:
    stage, held = stage_of(answer("A"))
    held.session.submit("a")
    await stage.clock.advance(1)
    assert held.session.spent().source is CostSource.UNKNOWN


@pytest.mark.parametrize("count", range(0, 30, 3))
async def test_close_waits_for_the_connection(count: int) -> None:
    stage, held = stage_of([said("Hel"), HANG])
    held.session.submit("a")
    held.session.submit("b")
    await ticks(count)
    held.session.cancel()
    await held.session.close()
    stage.assert_clean()
    assert not held.session.running
    assert held.session.queue == ["b"], "the queue does not go on"
    assert len(stage.transport.requests) <= 1
    await held.session.close()


async def test_close_cancelled_while_it_waits() -> None:
    stage, held = stage_of([said("Hel"), HANG])
    held.session.submit("a")
    await stage.clock.settle()
    closing = asyncio.ensure_future(held.session.close())
    await ticks(1)
    for _ in range(3):
        closing.cancel()
        await ticks(1)
    await stage.clock.settle()
    assert closing.cancelled()
    stage.assert_clean()
    assert held.session.reply is not None
    assert held.session.reply.draft.phase is Phase.CANCELLED


async def test_close_without_a_reply() -> None:
    stage, held = stage_of(answer("A"))
    await held.session.close()
    held = stage.session()
    held.session.submit("a")
    await stage.clock.advance(1)
    await held.session.close()
    stage.assert_clean()


async def test_a_listener_that_submits_at_the_end_waits_for_the_queue() -> None:
    stage, held = stage_of(answer("A"), answer("B"), answer("C"), answer("D"))
    more = ["d"]

    def listen(event: SessionEvent) -> None:
        if isinstance(event, RunHeard) and isinstance(event.stamped.event, Ended) and more:
            held.session.submit(more.pop())

    held.session.listeners.append(listen)
    for text in "abc":
        held.session.submit(text)
    await stage.clock.advance(1)
    assert stage.transport.open_answers == 1
    await stage.clock.advance(3)
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B", "c", "C", "d", "D"]
    assert held.of(QueueChanged)[-1] == QueueChanged(())


@pytest.mark.parametrize("on", [QueueChanged, Submitted, Returned])
async def test_a_listener_that_submits_whenever_it_is_told_something(on: type[Any]) -> None:
    stage, held = stage_of(GONE, *[answer(str(n)) for n in range(9)])
    more = list("xyz")

    def listen(event: SessionEvent) -> None:
        if isinstance(event, on) and more:
            held.session.submit(more.pop(0))

    held.session.listeners.append(listen)
    for text in "abc":
        held.session.submit(text)
    for _ in range(12):
        await stage.clock.advance(0.5)
        assert stage.transport.open_answers <= 1
    waiting = held.session.queue
    for _ in waiting[:]:
        held.session.submit("go on")
        await stage.clock.advance(9)
    asked = [node.text for node in held.session.conversation.nodes.values() if node.role == "user"]
    assert sorted({*"abcxyz"} - {*asked}) == sorted(more)
    assert len(asked) == len(set(asked)) + max(0, asked.count("go on") - 1)


async def test_a_listener_that_cancels_what_was_submitted() -> None:
    stage, held = stage_of([HANG])
    held.session.listeners.append(lambda event: isinstance(event, Submitted) and held.session.cancel() and None)
    held.session.submit("a")
    await stage.clock.settle()
    assert not held.session.running
    assert stage.transport.requests == []
    assert held.of(Returned) == [Returned("a")]


async def test_a_listener_that_breaks_at_the_submission_leaves_a_reply_that_ends() -> None:
    stage, held = stage_of(answer("A"))

    def listen(event: SessionEvent) -> None:
        if isinstance(event, Submitted):
            raise ValueError("a bug")

    held.session.listeners.append(listen)
    with pytest.raises(ValueError, match="a bug"):
        held.session.submit("a")
    await stage.clock.advance(1)
    assert not held.session.running
    assert held.dialogue[-1] == ("assistant", "A")


async def test_a_reply_that_is_taken_up_again_counts_all_its_parts() -> None:
    begun = [said("The quick brown fox jum"), used(3, 5), cut()]
    stage = Stage(begun, [said("ps."), used(9, 2), stopped(), DONE])
    held = stage.session()
    held.session.submit("hi")
    assert held.session.reply is not None
    assert held.session.reply.lane is not None
    await stage.clock.finish(held.session.reply.lane.outcome())
    first = held.session.reply.node.result
    assert held.session.resume()
    await stage.clock.finish(held.session.reply.lane.outcome())
    node = held.session.reply.node
    assert first is not None
    assert node.result is not None
    assert (node.text, node.result.seams) == ("The quick brown fox jumps.", (len("The quick brown fox jum"),))
    assert (node.result.stats.usage.input, node.result.stats.usage.output, node.result.stats.attempts) == (12, 7, 2)
    assert node.result.stats.elapsed_s >= first.stats.elapsed_s
    assert not held.session.resume()


def interrupted(held: Held) -> None:
    """The reply in chat, as a program that ended before it would have left it."""
    conversation = held.session.conversation
    node = conversation.path()[-1]
    assert node.result is not None
    conversation.finish(node.id, node.text, node.reasoning, replace(node.result, phase=Phase.INTERRUPTED))


async def test_an_edited_question_is_a_branch_and_overwrites_nothing() -> None:
    stage, held = stage_of(answer("A"), answer("B"), answer("C"))
    session = held.session
    session.submit("a")
    await stage.clock.advance(1)
    session.submit("b")
    await stage.clock.advance(1)
    first = session.conversation.path()[0]
    assert session.revise(first.id, "a, rather")
    assert not session.revise(first.id, "while one is under way")
    await stage.clock.advance(1)
    assert held.dialogue == [("user", "a, rather"), ("assistant", "C")]
    assert sent(stage, 2) == [("user", "a, rather")]
    assert [node.text for node in session.conversation.nodes.values()] == ["a", "A", "b", "B", "a, rather", "C"]
    assert session.select(first.id)
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B"]
    assert held.of(Selected)[-1].head == session.conversation.head


async def test_a_session_that_closes_leaves_its_reply_interrupted() -> None:
    stage, held = stage_of([Pause(1), said("Half an"), HANG])
    held.session.submit("a")
    await stage.clock.advance(1)
    await stage.clock.finish(held.session.close())
    (finished,) = held.of(Finished)
    assert (finished.reply.text, finished.reply.result and finished.reply.result.phase) == (
        "Half an",
        Phase.INTERRUPTED,
    )
    assert held.session.undecided == finished.reply
    assert held.session.resumable == finished.reply


async def test_a_session_closed_by_the_user_leaves_its_reply_cancelled() -> None:
    stage, held = stage_of([Pause(1), said("Half an"), HANG])
    held.session.submit("a")
    await stage.clock.advance(1)
    await stage.clock.finish(held.session.close(interrupted=False))
    assert held.session.undecided is None
    assert held.of(Finished)[0].reply.result is not None
    assert held.of(Finished)[0].reply.result.phase is Phase.CANCELLED


async def test_keep_leaves_an_interrupted_reply_in_chat() -> None:
    stage, held = stage_of(answer("A"))
    held.session.submit("a")
    await stage.clock.advance(1)
    interrupted(held)
    assert held.session.keep()
    assert not held.session.keep()
    assert held.session.undecided is None
    assert held.dialogue == [("user", "a"), ("assistant", "A")]
    (decided,) = held.of(Decided)
    assert decided.reply.result is not None
    assert decided.reply.result.kept
    assert held.session.resumable is not None


async def test_discard_takes_an_interrupted_reply_out_of_chat_and_leaves_it_in_the_tree() -> None:
    stage, held = stage_of(answer("A"), answer("B"))
    held.session.submit("a")
    await stage.clock.advance(1)
    interrupted(held)
    assert held.session.discard()
    assert not held.session.discard()
    assert held.dialogue == [("user", "a")]
    assert held.session.retry()
    await stage.clock.advance(1)
    assert held.dialogue == [("user", "a"), ("assistant", "B")]
    assert held.session.conversation.siblings(held.session.conversation.path()[-1].id) == (2, 2)


async def test_no_request_leaves_before_its_question_is_put_down() -> None:
    stage, held = stage_of(answer("A"))
    put_down = asyncio.Event()
    held.session.ready = put_down.wait
    held.session.submit("a")
    await stage.clock.settle()
    assert stage.transport.requests == []
    put_down.set()
    await stage.clock.advance(1)
    assert held.dialogue == [("user", "a"), ("assistant", "A")]


async def test_a_counted_reply_teaches_the_next_estimate() -> None:
    taught: list[tuple[str, str, Lesson]] = []
    text = "word " * 100
    stage, held = stage_of([Pause(1), said(text), stopped(), used(10, 100), DONE], [Pause(1), said("x"), HANG])
    stage.facts.learn_ratio = lambda *lesson: taught.append(lesson)
    held.session.submit("a")
    await stage.clock.advance(1)
    assert taught == [("test", "m", Lesson(TextClass.LATIN, 500, 100))]
    stage.facts.ratios = lambda *_: Ratios({TextClass.LATIN: 2.0})
    held.session.submit("b" * 20)
    await stage.clock.advance(1)
    assert held.session.reply is not None
    assert held.session.reply.stats().usage.input == round((1 + len(text) + 20) / 2)


async def test_the_rate_of_a_reply_in_two_parts_is_that_of_both() -> None:
    part = [Pause(1), said("four"), Pause(1), said("four"), cut()]
    rest = [Pause(1), said("five"), Pause(3), said("five"), stopped(), used(10, 5), DONE]
    stage, held = stage_of(part, rest)
    held.session.submit("a")
    await stage.clock.advance(3)
    assert held.session.resume()
    await stage.clock.advance(5)
    node = held.session.conversation.path()[-1]
    assert node.result is not None
    # One token a second for one second, then four more in three.
    assert node.result.stats.tok_per_s == pytest.approx((1 + 4) / 4)
    assert node.result.stats.decode_s == pytest.approx(4)
