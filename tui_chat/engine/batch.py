"""Many Asks, a window of them under way: each in a lane of its own, the pace and the money those of the whole.

An item that is not under way costs nothing: jobs are taken from their source as there is room for them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.ask import Ask
from tui_chat.domain.attempts import AttemptLog, run_record
from tui_chat.domain.batch import Totals
from tui_chat.domain.budget import NOTHING, Budget, Spent, crossed
from tui_chat.domain.draft import Draft, Phase
from tui_chat.domain.events import Attempt, Ended, Waiting
from tui_chat.domain.failure import Kind
from tui_chat.domain.meter import Meter
from tui_chat.domain.pace import Pace
from tui_chat.domain.pricing import UNKNOWN, CostSource
from tui_chat.engine.budget import foreseen, prompt_tokens, spent_today
from tui_chat.engine.lanes import start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from decimal import Decimal

    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.batch import Item
    from tui_chat.domain.budget import Crossing
    from tui_chat.domain.events import Stamped
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost
    from tui_chat.engine.lanes import Lane
    from tui_chat.engine.ports import Engine
    from tui_chat.engine.reply import Target

THROTTLED = frozenset({Kind.RATE_LIMIT, Kind.OVERLOADED})
"""What says that the whole batch is too fast."""
HOPELESS = frozenset({Kind.AUTH, Kind.PERMISSION, Kind.QUOTA})
"""What the next item would fail of as well."""
REFUSALS = 25
"""So many in a row end the batch: a key that was revoked must not use up a million lines."""
BOOKING_S = 1.0
NEWS_S = 1.0
LONGEST_HOLD_S = 3600.0
"""A server that asks for a longer pause has ended the batch for today: its items fail."""
RETURNS = 5
"""How often an item that was turned away, also at its last try, is put back into the queue."""


class Job(Struct, frozen=True):
    """An item, with whom it goes to."""

    item: Item
    target: Target
    hash: str
    """Of what decides the request: the same hash, the same question asked in the same way."""
    returns: int = 0
    """How often it was put back."""


class Work:
    """A job under way: what listens to its run."""

    def __init__(self, engine: Engine, job: Job, likely: Cost) -> None:
        self.job = job
        self.target = job.target
        self.likely = likely
        """What it was expected to cost before it began."""
        target = job.target
        self.ask = Ask(target.endpoint, target.model, job.item.messages, target.settings, target.stream)
        self.draft = Draft()
        self.run = run_record(engine.new_id(), self.ask, engine.clock.wall())
        ratios = engine.knowledge.ratios(target.endpoint.name, target.model)
        size = prompt_tokens(self.ask, ratios)
        self.meter = Meter(size, ratios)
        self._attempts = AttemptLog(size, target.price, self.run.began, ratios)
        self.sent = 0.0
        """When its newest try began, in seconds of the engine's clock."""
        self.lane: Lane | None = None

    @property
    def id(self) -> str:
        return self.job.item.id

    def stats(self) -> Stats:
        return self.meter.stats(self.lane.run.age if self.lane is not None else 0.0)

    def fold(self, stamped: Stamped) -> None:
        self.draft.fold(stamped)
        self.meter.fold(stamped)
        self._attempts.fold(stamped)

    def cost(self) -> Cost:
        """What it costs so far, each try billed for itself."""
        return self._attempts.cost()

    def record(self) -> RunRecord:
        """The run with the tries that are over."""
        return replace(self.run, attempts=self._attempts.records())


class Began(Struct, frozen=True):
    work: Work


class Heard(Struct, frozen=True):
    """An event of an item's run; the work has folded it already."""

    work: Work
    stamped: Stamped


class Finished(Struct, frozen=True):
    """An item has ended, however it did; it is counted in the totals already."""

    work: Work


class PutBack(Struct, frozen=True):
    """The server was too busy for an item: it comes again, and until then the batch is slower."""

    work: Work


class PaceChanged(Struct, frozen=True):
    """So many items may be under way from now on, and none is started for so many seconds."""

    limit: int
    seconds: float
    failure: Failure


BatchEvent = Began | Heard | Finished | PutBack | PaceChanged


class Ending(Enum):
    """Why no more items are started."""

    DONE = auto()
    """There are no more."""
    BUDGET = auto()
    STOPPED = auto()
    """By `finish` or `stop`."""
    REFUSED = auto()
    """One item after the other was refused for a reason that holds for all."""


class Batch:
    """Runs the jobs of a source; listeners hear every BatchEvent, in order."""

    def __init__(
        self,
        engine: Engine,
        jobs: AsyncIterator[Job],
        concurrency: int,
        cap: Decimal | None = None,
        spent: Decimal = NOTHING,
    ) -> None:
        """`cap` is what may be spent, in USD, with what was `spent` before; jobs then need a price.

        The day's budget of the engine holds as well.
        """
        self.listeners: list[Callable[[BatchEvent], None]] = []
        self.running: dict[str, Work] = {}
        """By the item's id."""
        self.totals = Totals()
        self.pace = Pace(concurrency)
        self.ending: Ending | None = None
        """None while items are being started."""
        self.stopped = False
        """The items under way were broken off, and are to be run again."""
        self._engine = engine
        self._jobs = jobs
        self.crossings: tuple[Crossing, ...] = ()
        """The limits that the next item might cross, where that is why it is not started."""
        self._budget = Budget(per_day=engine.budget.per_day, per_command=cap)
        self._spent = spent
        self._today = NOTHING
        """USD spent today by every program, as of the last booking."""
        self._again: deque[Job] = deque()
        self._changed = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None
        self._fault: Exception | None = None
        self._refused = 0
        """Items in a row."""
        self._owed = NOTHING
        self._owed_estimated = False
        """Spent and not booked."""
        self._booked_at = engine.clock.now()

    async def run(self) -> None:
        """Start every job and wait for their ends; `finish` and `stop` end it sooner.

        What the source raises is raised once the items under way have ended; so is what a listener raises at an end.
        """
        self._fault = None
        self._book()
        self._feeder = asyncio.ensure_future(self._feed())
        try:
            await asyncio.wait((self._feeder,))
            await self._drain()
        except asyncio.CancelledError:
            self.stop()
            await self._drain()
            raise
        finally:
            self._book()
        if self._fault is not None:
            raise self._fault
        if not self._feeder.cancelled():
            self._feeder.result()

    def finish(self) -> None:
        """Start nothing more; what is under way comes to its end."""
        if self.ending is None:
            self.ending = Ending.STOPPED
        if self._feeder is not None:
            self._feeder.cancel()

    def stop(self) -> None:
        """End everything now; items that are under way end as cancelled."""
        self.stopped = True
        self.finish()
        for work in list(self.running.values()):
            if work.lane is not None:
                work.lane.cancel()

    def cancel(self, id: str) -> bool:
        """End one item; False when it is not under way."""
        work = self.running.get(id)
        if work is None or work.lane is None:
            return False
        work.lane.cancel()
        return True

    def retry(self, job: Job) -> None:
        """Run a job once more, before those that wait; where `run` has ended, it is called again for that."""
        if self._feeder is not None and self._feeder.done():
            self.ending, self.stopped = None, False
        self._again.append(job)
        self._changed.set()

    def usd(self) -> Decimal | None:
        """What this run has cost so far, with what is under way; None where nothing is known."""
        known = [usd for work in self.running.values() if (usd := work.cost().usd) is not None]
        unknown = not known and self.totals.unpriced and not self.totals.usd
        return None if unknown else self.totals.usd + sum(known, NOTHING)

    # starting

    async def _feed(self) -> None:
        async for job in self._jobs:
            if not await self._start(job):
                return
            while self._again:
                if not await self._start(self._again.popleft()):
                    return
        while self._again or self.running:
            if not self._again:
                await self._change()
            elif not await self._start(self._again.popleft()):
                return
        self.ending = self.ending or Ending.DONE

    async def _start(self, job: Job) -> bool:
        """Start a job as soon as there is room and money for it; False when no more are started."""
        likely = self._likely(job)
        while self.ending is None:
            wait = self.pace.until - self._engine.clock.now()
            if wait > 0:
                self._engine.clock.call_later(wait, self._changed.set)
            elif len(self.running) < self.pace.limit:
                self.crossings = self._too_dear(likely)
                if not self.crossings:
                    self._begin(Work(self._engine, job, likely))
                    return True
                if not self.running:
                    self.ending = Ending.BUDGET
                    return False
            await self._change()
        return False

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _too_dear(self, likely: Cost) -> tuple[Crossing, ...]:
        """The limits that might be crossed if all that is under way costs what is expected of it, and this too."""
        if self._budget.empty:
            return ()
        under_way = sum((_at_least(work) for work in self.running.values()), self._owed)
        spent = Spent(day=self._today, command=self._spent + self.totals.usd - self._owed)
        return crossed(self._budget, spent.and_then(under_way), likely.usd or NOTHING)

    def _likely(self, job: Job) -> Cost:
        if self._budget.empty:
            return UNKNOWN
        target = job.target
        ask = Ask(target.endpoint, target.model, job.item.messages, target.settings)
        return foreseen(self._engine, ask, target.price).cost

    def _begin(self, work: Work) -> None:
        self.running[work.id] = work
        self._tell(Began(work))
        work.lane = start(self._engine, {work.id: work.ask}, lambda stamped: self._hear(work, stamped))[0]

    async def _drain(self) -> None:
        while self.running:
            await self._change()

    # listening

    def _hear(self, work: Work, stamped: Stamped) -> None:
        work.fold(stamped)
        match stamped.event:
            case Attempt():
                work.sent = self._engine.clock.now()
            case Waiting(seconds, failure) if failure.kind in THROTTLED:
                self._slow_down(work, seconds, failure)
            case Ended():
                self._end(work, stamped)
                return
            case _:
                pass
        self._tell(Heard(work, stamped))

    def _end(self, work: Work, stamped: Stamped) -> None:
        trouble = work.draft.failure if work.draft.phase is Phase.FAILED else None
        seconds = _hold(trouble, work.target.endpoint.retry.cap) if trouble is not None else None
        if trouble is not None and seconds is not None:
            self._slow_down(work, seconds, trouble)
        try:
            if seconds is not None and self.ending is None and work.job.returns < RETURNS and not work.draft.received:
                self._put_back(work)
            else:
                self._count(work)
                self._tell(Heard(work, stamped))
                self._tell(Finished(work))
        except Exception as error:
            # A listener that cannot keep the result: going on would only lose more.
            self._fault = self._fault or error
            self.finish()
        finally:
            self.running.pop(work.id, None)
            self._changed.set()

    def _count(self, work: Work) -> None:
        stats = work.stats()
        cost = work.cost()
        self.totals.add(work.draft, stats, cost)
        self._owed += cost.usd or 0
        self._owed_estimated |= bool(cost.usd) and cost.source is CostSource.ESTIMATED
        if self._engine.clock.now() - self._booked_at > BOOKING_S:
            self._book()
        trouble = work.draft.failure
        hopeless = work.draft.phase is Phase.FAILED and trouble is not None and trouble.kind in HOPELESS
        self._refused = self._refused + 1 if hopeless else 0
        if self._refused >= REFUSALS and self.ending is None:
            self.finish()
            self.ending = Ending.REFUSED
        if work.draft.phase is Phase.COMPLETED:
            self.pace.answered()
            if not self._budget.empty and stats.usage.output is not None:
                self._engine.ledger.answered(work.target.endpoint.name, work.target.model, stats.usage.output)

    def _book(self) -> None:
        """Count what was spent into its day; many items at once, as each booking is a write to the disk."""
        owed, self._owed = self._owed, NOTHING
        estimated, self._owed_estimated = self._owed_estimated, False
        self._booked_at = self._engine.clock.now()
        if owed:
            self._engine.ledger.book(self._engine.clock.wall(), owed, estimated=estimated)
        if self._budget.per_day is not None:
            self._today = spent_today(self._engine)

    def _put_back(self, work: Work) -> None:
        job = work.job
        self.totals.put_back += 1
        self._again.append(Job(job.item, job.target, job.hash, job.returns + 1))
        self._tell(PutBack(work))

    def _slow_down(self, work: Work, seconds: float, failure: Failure) -> None:
        limit, until = self.pace.limit, self.pace.until
        self.pace.throttled(self._engine.clock.now(), work.sent, seconds)
        # Each refusal of a burst puts the end of the pause off by a moment: that is no news.
        if self.pace.limit < limit or self.pace.until > until + NEWS_S:
            self._tell(PaceChanged(self.pace.limit, seconds, failure))

    def _tell(self, event: BatchEvent) -> None:
        for listener in self.listeners:
            listener(event)


def _at_least(work: Work) -> Decimal:
    """What a work under way counts against a cap: what is expected of it, or its cost so far where that is more."""
    return max(work.likely.usd or NOTHING, work.cost().usd or NOTHING)


def _hold(trouble: Failure, cap: float) -> float | None:
    """How long the batch waits after an item was turned away; None where that is not why it failed, or is too long."""
    if trouble.kind not in THROTTLED or not trouble.retryable:
        return None
    seconds = trouble.retry_after or cap
    return seconds if seconds <= LONGEST_HOLD_S else None
