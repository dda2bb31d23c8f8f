"""Runs side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.kit import DONE, HANG, Pause, Recorder, Script, Stage, refusal, said, ticks
from tui_chat.domain.endpoint import Timeouts
from tui_chat.domain.events import Attempt, Cancelled, Completed, Ended, Failed, Queued, Text
from tui_chat.domain.failure import Kind, failure
from tui_chat.engine.lanes import Lane, start

if TYPE_CHECKING:
    from tui_chat.domain.events import Outcome, Stamped


class Race:
    """One lane a script, each with a recorder of its own."""

    def __init__(self, *scripts: Script, limit: int | None = None) -> None:
        self.stage = Stage(*scripts)
        self.recorders: dict[str, Recorder] = {}
        names = [chr(ord("a") + n) for n in range(len(scripts))]
        self.lanes = start(self.stage.engine, {name: self.stage.ask() for name in names}, self.hear, limit)

    def hear(self, stamped: Stamped) -> None:
        self.recorders.setdefault(stamped.lane, Recorder())(stamped)

    async def outcomes(self) -> list[Outcome]:
        found = await self.stage.clock.finish(asyncio.gather(*(lane.outcome() for lane in self.lanes)))
        assert found == [self.recorders[lane.run.lane].outcome() for lane in self.lanes]
        self.stage.assert_clean()
        return found


def answer(text: str, seconds: float = 1) -> Script:
    return [Pause(seconds), said(text), DONE]


async def test_all_at_once() -> None:
    race = Race(*[answer(str(n)) for n in range(9)])
    assert await race.outcomes() == [Completed(None)] * 9
    assert race.stage.clock.now() == 1
    assert [race.recorders[lane.run.lane].text for lane in race.lanes] == list("012345678")
    assert not any(recorder.of(Queued) for recorder in race.recorders.values())


@pytest.mark.parametrize(("limit", "seconds", "queued"), [(1, 5, 4), (2, 3, 3), (4, 2, 1), (5, 1, 0), (9, 1, 0)])
async def test_limit(limit: int, seconds: float, queued: int) -> None:
    race = Race(*[answer(str(n)) for n in range(5)], limit=limit)
    await race.stage.clock.settle()
    assert race.stage.transport.open_answers == min(limit, 5)
    assert await race.outcomes() == [Completed(None)] * 5
    assert race.stage.clock.now() == seconds
    assert sum(len(recorder.of(Queued)) for recorder in race.recorders.values()) == queued


async def test_a_place_is_held_through_a_countdown() -> None:
    race = Race(refusal(503, headers={"retry-after": "10"}), answer("b"), limit=1)
    race.stage.transport.scripts.insert(1, answer("a"))
    assert await race.outcomes() == [Completed(None)] * 2
    assert (race.recorders["a"].text, race.recorders["b"].text) == ("a", "b")


async def test_time_in_the_queue_is_not_the_reply_s() -> None:
    stage = Stage(answer("a", 8), answer("b", 8), timeouts=Timeouts(total=10))
    recorder = Recorder()
    lanes = start(stage.engine, {"a": stage.ask(), "b": stage.ask()}, recorder, 1)
    outcomes = await stage.clock.finish(asyncio.gather(*(lane.outcome() for lane in lanes)))
    assert outcomes == [Completed(None)] * 2


async def test_one_lane_never_disturbs_another(caplog: pytest.LogCaptureFixture) -> None:
    race = Race(answer("a"), refusal(401), answer("c"), [said("d"), HANG], answer("e"), answer("f"))
    race.recorders["c"] = Recorder()
    race.recorders["c"].when[Text] = lambda: 1 / 0
    race.lanes[4].cancel()
    race.stage.clock.call_later(0.5, race.lanes[5].cancel)
    outcomes = await race.outcomes()
    kinds = [outcome.failure.kind if isinstance(outcome, Failed) else outcome for outcome in outcomes]
    assert kinds == [
        Completed(None),
        Kind.AUTH,
        Kind.INTERNAL,
        Kind.IDLE_TIMEOUT,
        Cancelled(),
        Cancelled(),
    ]
    assert len(caplog.records) == 1


async def test_cancel_one_of_the_queue_frees_its_place() -> None:
    race = Race([said("a"), HANG], answer("b"), answer("c"), limit=1)
    await race.stage.clock.settle()
    race.lanes[1].cancel(failure(Kind.BUDGET, "too dear"))
    await race.stage.clock.settle()
    assert race.recorders["b"].names == ["Queued", "Ended"]
    race.lanes[0].cancel()
    assert await race.outcomes() == [Cancelled(), Failed(failure(Kind.BUDGET, "too dear")), Completed(None)]
    assert race.recorders["c"].text == "b", "the one cancelled in the queue asked nothing"


@pytest.mark.parametrize("limit", [None, 1])
async def test_cancelled_before_its_first_step(limit: int | None) -> None:
    race = Race([HANG], [HANG], limit=limit)
    for lane in race.lanes:
        lane.cancel()
    assert await race.outcomes() == [Cancelled()] * 2
    assert [recorder.names for recorder in race.recorders.values()] == [["Ended"]] * 2
    assert race.stage.transport.requests == []


@pytest.mark.parametrize("pause", range(9))
@pytest.mark.parametrize("queued", [False, True])
async def test_a_lane_s_task_cancelled_from_outside(pause: int, queued: bool) -> None:
    """As the loop does to every task when the program ends, several times over, from the very first step on."""
    before = asyncio.all_tasks()
    race = Race([said("x"), HANG], [said("x"), HANG], limit=1 if queued else None)
    await ticks(pause)
    for _ in range(2):
        for task in asyncio.all_tasks() - before:
            task.cancel()
        await ticks(1)
    await race.stage.clock.settle()
    assert [r.outcome() for r in race.recorders.values()] == [Cancelled()] * 2
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("pause", range(12))
async def test_who_waits_for_an_outcome_is_cancelled(pause: int) -> None:
    race = Race([said("x"), HANG])
    (lane,) = race.lanes
    waiting = asyncio.ensure_future(lane.outcome())
    await ticks(pause)
    for _ in range(3):
        waiting.cancel()
        await ticks(1)
    await race.stage.clock.settle()
    assert waiting.cancelled()
    if pause:
        assert race.recorders["a"].outcome() == Cancelled()
        race.stage.assert_clean()
    else:
        lane.cancel()
        await race.outcomes()


async def test_a_lane_cancelled_by_its_own_listener() -> None:
    stage = Stage([said("x"), said("y"), HANG])
    recorder = Recorder()
    lane: Lane = start(stage.engine, {"a": stage.ask()}, recorder)[0]
    recorder.when[Attempt] = recorder.when[Ended] = lane.cancel
    assert await stage.clock.finish(lane.outcome()) == Cancelled()
    assert recorder.outcome() == Cancelled()
    stage.assert_clean()
