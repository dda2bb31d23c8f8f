"""A batch on a fake clock: its window, its pace, its money and its ends."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.kit import DONE, HANG, Pause, Script, Stage, refusal, said, stopped, used
from tests.kit.desk import eventually
from tui_chat.domain.ask import Message, Settings
from tui_chat.domain.batch import Item
from tui_chat.domain.budget import Budget, Limit
from tui_chat.domain.failure import StoreError
from tui_chat.domain.pricing import Price
from tui_chat.engine.batch import REFUSALS, Batch, Began, Ending, Finished, Job, PaceChanged, PutBack
from tui_chat.engine.reply import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tui_chat.engine.batch import BatchEvent

PRICE = Price(Decimal(0), Decimal(1_000_000))
"""A dollar a token of output."""


def answer(text: str = "fine", seconds: float = 1.0) -> Script:
    return [Pause(seconds), said(text), stopped(), used(1, 2), DONE]


class Play:
    """A batch of as many items as there are scripts, or more."""

    def __init__(
        self,
        *scripts: Script,
        items: int | None = None,
        limit: int = 2,
        cap: Decimal | None = None,
        spent: Decimal = Decimal(0),
        settings: Settings | None = None,
    ) -> None:
        self.stage = Stage(*scripts)
        self.taken: list[str] = []
        self.told: list[BatchEvent] = []
        count = len(scripts) if items is None else items
        target = Target(self.stage.endpoint, "m", settings or Settings(max_tokens=2), lambda *_: PRICE)
        self.jobs = [Job(Item(f"i{n}", f"in:{n}", (Message("user", f"p{n}"),)), target, f"{n}") for n in range(count)]
        self.batch = Batch(self.stage.engine, self.source(), limit, cap, spent)
        self.batch.listeners.append(self.told.append)

    async def source(self) -> AsyncIterator[Job]:
        for job in self.jobs:
            self.taken.append(job.item.id)
            yield job

    async def play(self) -> None:
        await self.stage.clock.finish(self.batch.run())
        self.stage.assert_clean()
        assert self.batch.running == {}

    def ended(self) -> list[tuple[str, str]]:
        return [(e.work.id, e.work.draft.phase.value) for e in self.told if isinstance(e, Finished)]

    def on(self, kind: type, act: Callable[[], object]) -> None:
        self.batch.listeners.append(lambda event: act() if isinstance(event, kind) else None)


async def test_a_window_slides_over_the_source() -> None:
    play = Play(*[answer() for _ in range(7)], limit=3)
    running = asyncio.ensure_future(play.batch.run())
    await play.stage.clock.settle()
    assert list(play.batch.running) == ["i0", "i1", "i2"]
    assert play.taken == ["i0", "i1", "i2", "i3"]
    assert play.stage.transport.open_answers == 3
    await play.stage.clock.finish(running)
    assert sorted(play.ended()) == [(f"i{n}", "completed") for n in range(7)]
    assert play.stage.clock.now() == 3
    assert play.batch.ending is Ending.DONE
    totals = play.batch.totals
    assert (totals.items, totals.input, totals.output, totals.usd) == (7, 7, 14, Decimal(14))


async def test_one_that_fails_disturbs_no_other() -> None:
    play = Play(answer(), refusal(400), answer())
    await play.play()
    assert dict(play.ended()) == {"i0": "completed", "i1": "failed", "i2": "completed"}
    assert play.batch.totals.failures == {"bad_request": 1}


async def test_finish_lets_what_runs_end() -> None:
    play = Play(*[answer() for _ in range(6)])
    play.on(Finished, play.batch.finish)
    await play.play()
    assert play.ended() == [("i0", "completed"), ("i1", "completed")]
    assert (play.batch.ending, play.batch.stopped) == (Ending.STOPPED, False)


async def test_stop_ends_all_at_once() -> None:
    play = Play([said("some"), HANG], [HANG], answer())
    running = asyncio.ensure_future(play.batch.run())
    await play.stage.clock.settle()
    play.batch.stop()
    await play.stage.clock.finish(running)
    assert play.ended() == [("i0", "cancelled"), ("i1", "cancelled")]
    assert play.batch.stopped
    play.stage.assert_clean()


async def test_cancelling_the_run_stops_the_batch() -> None:
    play = Play([said("some"), HANG], [HANG], answer())
    running = asyncio.ensure_future(play.batch.run())
    await play.stage.clock.settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await play.stage.clock.finish(running)
    assert len(play.ended()) == 2
    play.stage.assert_clean()


async def test_one_item_is_cancelled_and_run_again() -> None:
    play = Play([said("some"), HANG], answer(), answer("again"))
    play.jobs = play.jobs[:2]
    running = asyncio.ensure_future(play.batch.run())
    await play.stage.clock.settle()
    assert play.batch.cancel("i0")
    assert not play.batch.cancel("nobody")
    await play.stage.clock.settle()
    play.batch.retry(play.jobs[0])
    await play.stage.clock.finish(running)
    assert sorted(play.ended()) == [("i0", "cancelled"), ("i0", "completed"), ("i1", "completed")]


async def test_an_item_is_run_again_after_the_end() -> None:
    play = Play(refusal(400), answer("again"))
    play.jobs = play.jobs[:1]
    await play.play()
    play.batch.retry(play.jobs[0])
    await play.play()
    assert play.ended() == [("i0", "failed"), ("i0", "completed")]


async def test_a_refusal_slows_the_whole_batch() -> None:
    busy = refusal(429, headers={"retry-after": "10"})
    play = Play(busy, answer(), answer(), answer(), answer(), answer(), items=5, limit=4)
    begun: list[float] = []
    play.on(Began, lambda: begun.append(play.stage.clock.now()))
    await play.play()
    assert begun == [0, 0, 0, 0, 10]
    (change,) = [event for event in play.told if isinstance(event, PaceChanged)]
    assert (change.limit, change.seconds) == (2, 10)
    assert play.batch.totals.states == {"completed": 5}


async def test_an_item_that_was_turned_away_for_good_comes_again() -> None:
    busy = [refusal(429, headers={"retry-after": "200"})]
    play = Play(*busy, answer(), items=1)
    await play.play()
    assert play.ended() == [("i0", "completed")]
    assert play.batch.totals.put_back == 1
    assert sum(isinstance(event, PutBack) for event in play.told) == 1
    assert play.stage.clock.now() == 201


async def test_a_pause_of_hours_is_a_failure() -> None:
    play = Play(refusal(429, headers={"retry-after": "7200"}), answer(), limit=1)
    await play.play()
    assert play.ended() == [("i0", "failed"), ("i1", "completed")]


async def test_no_item_is_turned_away_for_ever() -> None:
    play = Play(*[refusal(429, headers={"retry-after": "200"}) for _ in range(6)], items=1)
    await play.play()
    assert play.ended() == [("i0", "failed")]
    assert play.batch.totals.failures == {"rate_limit": 1}


async def test_nothing_is_started_that_might_cross_the_cap() -> None:
    play = Play(*[answer() for _ in range(9)], limit=3, cap=Decimal(7))
    most = Decimal(0)

    def look() -> None:
        nonlocal most
        most = max(most, play.batch.totals.usd + 2 * len(play.batch.running))

    play.on(Began, look)
    await play.play()
    assert len(play.ended()) == 3
    assert most == 6
    assert play.batch.ending is Ending.BUDGET


async def test_what_was_spent_before_counts() -> None:
    play = Play(answer(), answer(), cap=Decimal(5), spent=Decimal(2))
    await play.play()
    assert len(play.ended()) == 1
    assert play.batch.ending is Ending.BUDGET


async def test_money_that_was_kept_for_others_is_waited_for() -> None:
    # Each is expected to cost 4 and costs 2: the third is started once the first two have ended.
    play = Play(*[answer() for _ in range(3)], limit=3, cap=Decimal(8), settings=Settings(max_tokens=4))
    await play.play()
    assert len(play.ended()) == 3
    assert play.batch.ending is Ending.DONE


async def test_what_was_spent_is_booked() -> None:
    play = Play(*[answer() for _ in range(4)])
    await play.play()
    assert play.stage.engine.ledger.spent_since(0) == Decimal(8)


async def test_a_result_that_cannot_be_kept_ends_the_batch() -> None:
    play = Play(*[answer() for _ in range(6)])

    def full(event: BatchEvent) -> None:
        if isinstance(event, Finished):
            raise StoreError("full")

    play.batch.listeners.append(full)
    with pytest.raises(StoreError, match="full"):
        await play.play()
    assert len(play.ended()) == 2
    assert play.batch.running == {}


async def test_a_source_that_breaks_lets_what_runs_end() -> None:
    play = Play(answer(), answer(), answer())

    async def source() -> AsyncIterator[Job]:
        yield play.jobs[0]
        raise StoreError("gone")

    play.batch = Batch(play.stage.engine, source(), 2)
    play.batch.listeners.append(play.told.append)
    with pytest.raises(StoreError, match="gone"):
        await play.play()
    assert play.ended() == [("i0", "completed")]


async def test_a_source_that_waits_can_be_left() -> None:
    play = Play(answer())

    async def source() -> AsyncIterator[Job]:
        yield play.jobs[0]
        await asyncio.get_running_loop().create_future()

    play.batch = Batch(play.stage.engine, source(), 2)
    running = asyncio.ensure_future(play.batch.run())
    await play.stage.clock.settle()
    play.batch.finish()
    await play.stage.clock.finish(running)
    assert play.batch.totals.items == 1


async def test_a_million_items_make_no_more_tasks_than_run() -> None:
    play = Play([HANG], [HANG], items=1_000)
    running = asyncio.ensure_future(play.batch.run())
    await eventually(lambda: len(play.batch.running) == 2)
    await play.stage.clock.settle()
    assert len(asyncio.all_tasks()) < 20
    assert len(play.taken) == 3
    play.batch.stop()
    await play.stage.clock.finish(running)


async def test_a_key_that_is_refused_again_and_again_ends_the_batch() -> None:
    play = Play(*[[Pause(1), *refusal(401)] for _ in range(60)], limit=5)
    await play.play()
    assert play.batch.ending is Ending.REFUSED
    assert REFUSALS <= len(play.ended()) < REFUSALS + 5


async def test_refusals_among_answers_end_nothing() -> None:
    play = Play(*[[Pause(1), *refusal(403)] if n % 10 else answer() for n in range(60)], limit=1)
    await play.play()
    assert (len(play.ended()), play.batch.ending) == (60, Ending.DONE)


async def test_finish_before_the_run_starts_nothing() -> None:
    play = Play(answer())
    play.batch.finish()
    await play.play()
    assert (play.ended(), play.batch.ending) == ([], Ending.STOPPED)


async def test_the_budget_of_the_day_holds_too() -> None:
    play = Play(*[answer() for _ in range(6)])
    engine = replace(play.stage.engine, budget=Budget(per_day=Decimal(9)))
    engine.ledger.book(engine.clock.wall(), Decimal(4))
    play.batch = Batch(engine, play.source(), 2)
    play.batch.listeners.append(play.told.append)
    await play.play()
    assert len(play.ended()) == 2
    assert play.batch.ending is Ending.BUDGET
    assert [crossing.limit for crossing in play.batch.crossings] == [Limit.DAY]
