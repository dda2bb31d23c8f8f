"""Lanes side by side in one conversation."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit import DONE, HANG, Pause, Script, Stage, refusal, said, stopped, used
from tui_chat.domain.ask import Settings
from tui_chat.domain.budget import Budget, Limit
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import (
    Ended,
    Kept,
    LanesChanged,
    Queued,
    RunHeard,
    Selected,
    Submitted,
    Text,
    Voted,
    lane_of,
)
from tui_chat.domain.failure import Kind
from tui_chat.domain.lane import MOST, Verdict
from tui_chat.domain.pricing import Price
from tui_chat.engine.comparison import Comparison, LaneState, Pace
from tui_chat.engine.reply import Target
from tui_chat.engine.session import Session

if TYPE_CHECKING:
    from tui_chat.domain.events import SessionEvent

PRICE = Price(input=Decimal(1), output=Decimal(2))


def answer(text: str, seconds: float = 1) -> Script:
    return [Pause(seconds), said(text), stopped(), used(1_000_000, 1_000_000), DONE]


class Table:
    """A comparison of lanes named by their temperatures, with all that was told."""

    def __init__(self, *scripts: Script, lanes: int = 2, price: Price | None = None, **options: Any) -> None:
        self.stage = Stage(*scripts)
        self.clock = self.stage.clock
        targets = [
            Target(self.stage.endpoint, f"m{n}", Settings(temperature=float(n)), lambda *_: price) for n in range(lanes)
        ]
        self.session = Session(self.stage.engine, Target(self.stage.endpoint, "chat", Settings(), lambda *_: price))
        self.told: list[SessionEvent] = []
        self.heard: list[tuple[str, SessionEvent]] = []
        self.session.listeners.append(self.told.append)
        self.comparison = Comparison(self.stage.engine, self.session, targets, **options)
        self.comparison.listeners.append(lambda lane, event: self.heard.append((lane, event)))

    @property
    def lanes(self) -> list[LaneState]:
        return list(self.comparison.lanes.values())

    def dialogue(self, head: str | None) -> list[str]:
        """What is said down to a turn."""
        return [] if head is None else [node.text for node in self.session.conversation.path(head)]

    @property
    def dialogues(self) -> list[list[str]]:
        return [self.dialogue(lane.head) for lane in self.lanes]

    @property
    def in_chat(self) -> list[str]:
        return [node.text for node in self.session.conversation.path()]

    def sent(self, number: int) -> tuple[str, list[str]]:
        body = json.loads(self.stage.transport.requests[number].body)
        return body["model"], [m["content"] for m in body["messages"]]

    async def play(self) -> None:
        await self.clock.finish(self.comparison.ended())


async def test_lanes_share_the_first_question_and_go_on_with_their_own_answers() -> None:
    table = Table(answer("A1", 2), answer("B1"), answer("A2"), answer("B2"))
    assert table.comparison.submit("one")
    assert table.comparison.running
    assert not table.comparison.submit("too early")
    await table.play()
    assert table.dialogues == [["one", "A1"], ["one", "B1"]]
    assert len(table.session.conversation.nodes) == 3
    assert table.comparison.submit("two")
    await table.play()
    assert table.dialogues == [["one", "A1", "two", "A2"], ["one", "B1", "two", "B2"]]
    assert [table.sent(n) for n in (2, 3)] == [("m0", ["one", "A1", "two"]), ("m1", ["one", "B1", "two"])]
    assert len(table.session.conversation.nodes) == 7
    assert table.in_chat == ["one", "A1", "two", "A2"], "the first lane is in chat"
    table.stage.assert_clean()


async def test_every_event_says_whose_it_is() -> None:
    table = Table(answer("A"), answer("B"))
    table.comparison.submit("q")
    await table.play()
    a, b = table.lanes
    texts = {
        lane: e.stamped.event.text
        for lane, e in table.heard
        if isinstance(e, RunHeard) and isinstance(e.stamped.event, Text)
    }
    assert texts == {a.id: "A", b.id: "B"}
    for lane in (a, b):
        assert [lane_of(e) for e in table.told].count(lane.id) == sum(name == lane.id for name, _ in table.heard)
    assert [(s.run.lane, s.run.repeat, s.run.model) for s in table.told if isinstance(s, Submitted)] == [
        (a.id, 1, "m0"),
        (b.id, 1, "m1"),
    ]
    node = table.session.conversation.nodes[b.head or ""]
    assert [(run.lane, run.repeat) for run in node.runs] == [(b.id, 1)]


async def test_one_that_fails_stops_no_other_and_may_be_tried_again() -> None:
    table = Table(refusal(401), answer("B"), answer("A"))
    table.comparison.submit("q")
    await table.play()
    a, b = table.lanes
    assert [result.phase for lane in (a, b) for result in lane.results] == [Phase.FAILED, Phase.COMPLETED]
    assert table.comparison.retry(a.id)
    await table.play()
    assert table.dialogues == [["q", "A"], ["q", "B"]]
    assert table.in_chat == ["q", "A"], "what is in chat goes along with its lane"
    assert len(table.session.conversation.children[table.session.conversation.path()[0].id]) == 3


async def test_retry_without_a_name_asks_all_lanes_again() -> None:
    table = Table(answer("A"), answer("B"), answer("A'"), answer("B'"))
    assert not table.comparison.retry(), "nothing was asked"
    table.comparison.submit("q")
    await table.play()
    assert table.comparison.retry()
    await table.play()
    assert table.dialogues == [["q", "A'"], ["q", "B'"]]


async def test_cancel_one_and_resume_it() -> None:
    table = Table([said("half"), HANG], answer("B"), answer(" whole"))
    table.comparison.submit("q")
    await table.clock.advance(1)
    a, b = table.lanes
    assert table.comparison.cancel(a.id)
    assert not table.comparison.cancel(b.id), "it has ended"
    await table.play()
    assert a.results[0].phase is Phase.CANCELLED
    assert not table.comparison.resume(b.id)
    assert table.comparison.resume()
    await table.play()
    assert table.dialogues == [["q", "half whole"], ["q", "B"]]
    assert a.results[0].phase is Phase.COMPLETED
    table.stage.assert_clean()


async def test_cancel_all_with_runs_that_have_not_begun() -> None:
    table = Table([said("x"), HANG], [said("y"), HANG], pace=Pace(repeat=3))
    table.comparison.submit("q")
    await table.clock.settle()
    assert table.comparison.cancel()
    await table.play()
    assert [len(lane.replies) for lane in table.lanes] == [1, 1]
    assert not table.comparison.cancel()
    table.stage.assert_clean()


async def test_keep_makes_a_lane_s_answer_the_conversation_s() -> None:
    table = Table(answer("A"), answer("B"), answer("C"), answer("on"))
    table.comparison.submit("q")
    await table.play()
    b = table.lanes[1]
    assert table.comparison.keep(b.id)
    assert table.in_chat == ["q", "B"]
    assert [type(e) for e in table.told[-2:]] == [Kept, Selected]
    assert table.session.target.model == "m1"
    assert table.session.reply is b.reply
    table.session.submit("and then?")
    await table.clock.advance(1)
    assert table.in_chat == ["q", "B", "and then?", "C"]
    assert table.sent(2) == ("m1", ["q", "B", "and then?"])
    assert table.session.conversation.siblings(b.head or "") == (2, 2)


async def test_what_has_no_answer_or_is_under_way_is_not_kept() -> None:
    table = Table([said("x"), HANG], answer("B"))
    assert not table.comparison.keep(table.lanes[0].id)
    table.comparison.submit("q")
    await table.clock.advance(1)
    assert not table.comparison.keep(table.lanes[0].id)
    assert table.comparison.keep(table.lanes[1].id), "another one that goes on does not matter"
    table.comparison.cancel()
    await table.play()
    assert table.in_chat == ["q", "B"]


async def test_the_chat_s_own_messages_wait_for_the_lanes() -> None:
    table = Table(answer("A"), answer("B", 2), answer("C"))
    table.comparison.submit("q")
    table.session.submit("mine")
    assert table.session.queue == ["mine"]
    assert not table.session.retry()
    await table.clock.advance(2)
    assert table.session.queue == []
    assert not table.comparison.submit("now the chat is at work")
    await table.clock.advance(1)
    assert table.in_chat == ["q", "A", "mine", "C"]


async def test_a_question_of_the_chat_is_asked_of_the_lanes() -> None:
    table = Table(answer("first"), answer("later"), answer("A"), answer("B"), answer("A2"), answer("B2"))
    for text in ("q", "q2"):
        table.session.submit(text)
        await table.clock.advance(1)
    question = table.session.conversation.path()[0]
    assert table.comparison.ask_again(question.id)
    await table.play()
    assert table.dialogues == [["q", "A"], ["q", "B"]]
    assert table.in_chat == ["q", "first", "q2", "later"], "the chat stays as it is until one is kept"
    table.comparison.submit("more")
    await table.play()
    assert table.dialogues == [["q", "A", "more", "A2"], ["q", "B", "more", "B2"]]
    assert table.in_chat == ["q", "first", "q2", "later"]
    assert table.comparison.keep(table.lanes[0].id)
    assert table.in_chat == ["q", "A", "more", "A2"]


async def test_a_comparison_begins_where_the_chat_is_and_joins_it_again() -> None:
    table = Table(answer("chat"), answer("A"), answer("B"), answer("on"), answer("A2"), answer("B2"))
    table.session.submit("hello")
    await table.clock.advance(1)
    table.comparison.rejoin()
    table.comparison.submit("q")
    await table.play()
    assert table.dialogues == [["hello", "chat", "q", "A"], ["hello", "chat", "q", "B"]]
    table.comparison.keep(table.lanes[1].id)
    table.session.submit("and?")
    await table.clock.advance(1)
    table.comparison.rejoin()
    table.comparison.submit("q2")
    await table.play()
    assert table.dialogues[0] == ["hello", "chat", "q", "B", "and?", "on", "q2", "A2"]
    assert table.dialogues[1][-2:] == ["q2", "B2"]


async def test_out_of_sync_and_alone() -> None:
    table = Table(answer("A"), answer("B"), answer("A2"), answer("B2"), answer("A3"), answer("B3"))
    table.comparison.submit("q")
    await table.play()
    a, b = table.lanes
    table.comparison.sync(b.id, False)
    table.comparison.submit("only a")
    await table.play()
    assert [len(lane) for lane in table.dialogues] == [4, 2]
    assert table.comparison.submit("only b", only=b.id)
    await table.play()
    table.comparison.sync(b.id, True)
    table.comparison.submit("both")
    await table.play()
    assert table.dialogues == [["q", "A", "only a", "A2", "both", "A3"], ["q", "B", "only b", "B2", "both", "B3"]]
    assert a.synced


async def test_add_duplicate_edit_and_remove() -> None:
    table = Table(answer("A"), answer("B"), answer("A2"), answer("C2"))
    table.comparison.submit("q")
    await table.play()
    a, b = table.lanes
    c = table.comparison.duplicate(b.id)
    assert c is not None
    assert (c.label, c.target, c.head) == ("C", b.target, b.head)
    table.comparison.edit(c.id, Target(c.target.endpoint, "other", Settings()))
    table.comparison.remove(b.id)
    assert [lane.label for lane in table.lanes] == ["A", "C"]
    table.comparison.submit("q2")
    await table.play()
    assert table.dialogues == [["q", "A", "q2", "A2"], ["q", "B", "q2", "C2"]]
    assert table.sent(3)[0] == "other"
    made = [table.comparison.add(a.target) for _ in range(MOST)]
    assert [lane.label for lane in made if lane is not None] == ["B", "D", "E", "F"]
    changed = [event for event in table.told if isinstance(event, LanesChanged)][-1]
    assert [lane.label for lane in changed.lanes] == ["A", "C", "B", "D", "E", "F"]


async def test_a_lane_removed_while_it_streams_is_cancelled() -> None:
    table = Table([said("x"), HANG], answer("B"))
    table.comparison.submit("q")
    await table.clock.settle()
    table.comparison.remove(table.lanes[0].id)
    await table.play()
    await table.clock.settle()
    assert [node.text for node in table.session.conversation.nodes.values()] == ["q", "x", "B"]
    table.stage.assert_clean()


async def test_repeats_one_after_the_other() -> None:
    table = Table(*(answer(f"{n}") for n in range(6)), pace=Pace(repeat=3))
    table.comparison.submit("q")
    await table.clock.settle()
    assert table.stage.transport.open_answers == 2
    await table.play()
    assert table.clock.now() == 3
    assert [[r.run.repeat for r in lane.replies] for lane in table.lanes] == [[1, 2, 3]] * 2
    assert [[r.draft.text for r in lane.replies] for lane in table.lanes] == [["0", "2", "4"], ["1", "3", "5"]]
    assert table.dialogues == [["q", "0"], ["q", "1"]], "a lane goes on from the first"
    assert len(table.session.conversation.nodes) == 7
    assert table.in_chat == ["q", "0"]
    table.comparison.go_on_from(table.lanes[1].id, table.lanes[1].replies[2].node.id)
    assert table.dialogues[1] == ["q", "5"]


async def test_repeats_at_once_wait_for_a_slot_outside_their_time_to_first_token() -> None:
    table = Table(*(answer(f"{n}") for n in range(6)), pace=Pace(repeat=3, parallel=True, limit=2))
    table.comparison.submit("q")
    await table.clock.settle()
    assert table.stage.transport.open_answers == 2
    await table.play()
    assert table.clock.now() == 3
    stats = [reply.stats() for lane in table.lanes for reply in lane.replies]
    assert [s.ttft_s for s in stats] == [pytest.approx(0.99)] * 6
    assert sorted(s.wait_s for s in stats) == [0, 0, 1, 1, 2, 2]
    assert sum(isinstance(e.stamped.event, Queued) for e in table.told if isinstance(e, RunHeard)) == 4


async def test_a_lane_goes_on_from_a_repeat_that_holds_an_answer() -> None:
    table = Table(refusal(401), answer("A"), lanes=1, pace=Pace(repeat=2))
    table.comparison.submit("q")
    await table.play()
    assert table.dialogues == [["q", "A"]]


async def test_staggered_lanes_begin_one_after_the_other() -> None:
    table = Table(answer("A", 4), answer("B", 4), answer("C", 4), lanes=3, pace=Pace(stagger_s=1.5))
    table.comparison.submit("q")
    await table.clock.advance(1)
    assert len(table.stage.transport.requests) == 1
    await table.play()
    assert table.clock.now() == 7
    assert {reply.stats().elapsed_s for lane in table.lanes for reply in lane.replies} == {4}
    assert table.dialogues == [["q", "A"], ["q", "B"], ["q", "C"]]
    assert len(table.session.conversation.nodes) == 4


async def test_between_two_runs_of_a_lane_the_conversation_is_at_work() -> None:
    table = Table(answer("A"), answer("B"), lanes=1, pace=Pace(repeat=2))
    busy: list[bool] = []

    def hear(event: SessionEvent) -> None:
        if isinstance(event, RunHeard) and isinstance(event.stamped.event, Ended):
            busy.append(table.session.busy)

    table.session.listeners.insert(0, hear)
    table.comparison.submit("q")
    await table.play()
    assert busy == [True, False]


async def test_where_a_staggered_lane_stands_is_told_once_it_has_begun() -> None:
    table = Table(answer("A"), answer("B"), pace=Pace(stagger_s=1.5))
    table.comparison.submit("q")
    await table.play()
    left = [event for event in table.told if isinstance(event, LanesChanged)][-1].lanes
    assert [record.head for record in left] == [lane.head for lane in table.lanes]


async def test_lanes_as_they_were_left_are_compared_by_what_stands_in_them() -> None:
    table = Table(answer("A"), answer("B"))
    table.comparison.submit("q")
    await table.play()
    records = [lane.record() for lane in table.lanes]
    table.comparison.close()
    again = Comparison(table.stage.engine, table.session)
    for record, target in zip(records, [lane.target for lane in table.lanes], strict=True):
        again.restore(record, target)
    compared = again.compared()
    assert compared.prompt == "q"
    assert [[run.reply.text for run in lane.runs] for lane in compared.lanes] == [["A"], ["B"]]


async def test_staggered_lanes_that_have_not_begun_are_cancelled_too() -> None:
    table = Table([said("x"), HANG], pace=Pace(stagger_s=5))
    table.comparison.submit("q")
    await table.clock.advance(1)
    table.comparison.cancel()
    await table.play()
    await table.clock.advance(10)
    assert len(table.stage.transport.requests) == 1
    assert not table.comparison.running
    table.stage.assert_clean()


async def test_the_cap_ends_all_lanes_together() -> None:
    dear = [said("x"), used(1_000_000, 1_000_000), HANG]
    table = Table(dear, dear, [said("y"), HANG], lanes=3, price=PRICE, cap=Decimal(5))
    table.comparison.submit("q")
    await table.play()
    assert [r.phase for lane in table.lanes for r in lane.results] == [Phase.FAILED] * 3
    assert {r.failure.kind for lane in table.lanes for r in lane.results if r.failure} == {Kind.BUDGET}
    assert table.comparison.spent() > 5
    assert not table.comparison.submit("more"), "nothing begins any more"
    table.stage.assert_clean()


async def test_the_cap_keeps_repeats_from_beginning() -> None:
    table = Table(answer("0"), answer("1"), lanes=1, price=PRICE, cap=Decimal(4), pace=Pace(repeat=9))
    table.comparison.submit("q")
    await table.play()
    assert [len(lane.replies) for lane in table.lanes] == [2]
    assert table.comparison.stopped is not None
    assert not table.comparison.running


def limited(table: Table, **limits: str) -> None:
    table.session.purse.budget = Budget(**{name: Decimal(limit) for name, limit in limits.items()})


async def test_a_round_is_weighed_with_all_its_runs() -> None:
    table = Table(lanes=3, price=PRICE, pace=Pace(repeat=2))
    assert table.comparison.weigh("q") is None, "there is no limit"
    # An answer of 1,000 tokens at $2 a million: six of them are $0.012.
    limited(table, per_conversation="0.0119", per_reply="0.0021")
    estimate = table.comparison.weigh("q")
    assert estimate is not None
    assert (estimate.output, estimate.limits) == (6000, {Limit.CONVERSATION})
    limited(table, per_day="1", per_reply="0.0019")
    estimate = table.comparison.weigh("q")
    assert estimate is not None
    assert estimate.limits == {Limit.REPLY}
    limited(table, per_conversation="0.013", per_reply="0.0021")
    assert table.comparison.weigh("q") is None
    table.stage.assert_clean()


async def test_what_was_agreed_to_is_not_stopped_at_that_limit() -> None:
    dear = [said("x"), used(1_000_000, 1_000_000), HANG]
    table = Table(answer("A"), answer("B"), dear, price=PRICE)
    limited(table, per_conversation="0.001")
    estimate = table.comparison.weigh("q")
    assert estimate is not None
    table.comparison.submit("q", let_go=estimate.limits)
    await table.play()
    assert table.dialogues == [["q", "A"], ["q", "B"]]
    again = table.comparison.weigh_retry(table.lanes[0].id)
    assert again is not None
    assert again.output == 1_000_000, "one lane alone, as its model has answered"
    table.comparison.retry(table.lanes[0].id)
    await table.play()
    assert table.lanes[0].results[0].failure is not None, "not agreed to: stopped"
    question = table.lanes[0].question
    assert question is not None
    asked = table.comparison.weigh_again(question.id)
    assert asked is not None
    assert asked.output == 2_000_000
    table.stage.assert_clean()


async def test_connections_are_opened_before_it_counts() -> None:
    models: Script = [b'{"data":[{"id":"m0"}]}']
    table = Table(models, refusal(500), models)
    table.comparison.pace = Pace(repeat=2, parallel=True, limit=3)
    await table.clock.finish(table.comparison.warm_up())
    assert [request.method for request in table.stage.transport.requests] == ["GET"] * 3
    table.stage.assert_clean()


async def test_votes_are_of_the_round_and_its_settings() -> None:
    table = Table(answer("A"), answer("B"), answer("C"), lanes=3)
    table.comparison.vote(())
    table.comparison.submit("q")
    await table.play()
    a, b, c = table.lanes
    table.comparison.edit(b.id, table.session.target)
    table.comparison.vote({b.id})
    table.comparison.vote({a.id, c.id})
    table.comparison.vote(())
    votes = [
        [(vote.lane, vote.verdict, vote.model) for vote in event.votes]
        for event in table.told
        if isinstance(event, Voted)
    ]
    won, lost, tied = Verdict.WON, Verdict.LOST, Verdict.TIED
    assert votes == [
        [(a.id, lost, "m0"), (b.id, won, "m1"), (c.id, lost, "m2")],
        [(a.id, tied, "m0"), (b.id, lost, "m1"), (c.id, tied, "m2")],
        [(a.id, tied, "m0"), (b.id, tied, "m1"), (c.id, tied, "m2")],
    ]
    assert {vote.round for event in table.told if isinstance(event, Voted) for vote in event.votes} == {
        table.comparison.round
    }


async def test_a_lane_that_took_no_part_is_neither_compared_nor_voted_on() -> None:
    table = Table(*(answer(text) for text in ("A", "B", "C", "A2", "B2", "C'")), lanes=3)
    table.comparison.submit("q")
    await table.play()
    a, b, c = table.lanes
    table.comparison.sync(c.id, synced=False)
    table.comparison.submit("q2")
    await table.play()
    late = table.comparison.duplicate(b.id)
    assert late is not None
    assert [len(lane.runs) for lane in table.comparison.compared().lanes] == [1, 1, 0, 0]
    assert table.comparison.judged == [a, b]
    table.comparison.vote({a.id})
    votes = next(event.votes for event in table.told if isinstance(event, Voted))
    assert [vote.lane for vote in votes] == [a.id, b.id]
    table.comparison.retry(c.id)
    await table.play()
    assert table.comparison.judged == [a, b], "it answered the question before"


async def test_letters_are_shuffled_for_a_blind_vote() -> None:
    table = Table(lanes=3)
    drawn = iter([0.9, 0.1, 0.5])
    table.clock.chance = lambda: next(drawn)  # type: ignore[method-assign]
    a, b, c = (lane.id for lane in table.lanes)
    assert table.comparison.shuffled() == {b: "A", c: "B", a: "C"}


async def test_restored_lanes_go_on_where_they_were() -> None:
    table = Table(answer("A"), answer("B"), answer("A'"), answer("B2"))
    table.comparison.submit("q")
    await table.play()
    table.comparison.annotate(table.lanes[0].id, "dry")
    records = [lane.record() for lane in table.lanes]
    table.comparison.close()
    again = Comparison(table.stage.engine, table.session)
    for record, lane in zip(records, table.lanes, strict=True):
        again.restore(record, lane.target)
    a, b = again.lanes.values()
    assert (a.note, a.label, a.head) == ("dry", "A", records[0].head)
    again.retry(a.id)
    again.submit("q2", only=b.id)
    await table.clock.finish(again.ended())
    assert [table.dialogue(lane.head) for lane in (a, b)] == [["q", "A'"], ["q", "B", "q2", "B2"]]


async def test_closing_the_session_ends_every_lane_as_interrupted() -> None:
    table = Table([said("a"), HANG], [said("b"), HANG])
    table.comparison.submit("q")
    await table.clock.settle()
    await table.clock.finish(table.session.close())
    assert [result.phase for lane in table.lanes for result in lane.results] == [Phase.INTERRUPTED] * 2
    table.stage.assert_clean()


async def test_the_conversation_s_cost_holds_all_lanes() -> None:
    table = Table(answer("A"), [said("B"), used(1_000_000, 1_000_000), HANG], price=PRICE)
    table.comparison.submit("q")
    await table.clock.advance(1)
    assert table.session.spent().usd == 6
    table.comparison.cancel()
    await table.play()


@pytest.mark.parametrize("pause", range(9))
async def test_cancelled_at_any_moment(pause: int) -> None:
    table = Table([said("x"), HANG], [said("x"), HANG])
    table.comparison.submit("q")
    for _ in range(pause):
        await asyncio.sleep(0)
    table.comparison.cancel()
    await table.play()
    ends = [e for e in table.told if isinstance(e, RunHeard) and isinstance(e.stamped.event, Ended)]
    assert len(ends) == 2
    await table.clock.settle()
    table.stage.assert_clean()
