"""A batch that lives in the program, seen or not; and one that is only watched, by the lines of its output."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from tui_chat.domain import figures as show
from tui_chat.domain.failure import Broken, TuiChatError
from tui_chat.domain.tempo import Tempo
from tui_chat.domain.words import say
from tui_chat.engine.batch import Began, Ending, Finished, PaceChanged, PutBack
from tui_chat.store.batch_input import Source
from tui_chat.store.batch_output import Watch
from tui_chat.ui.board import Board, Show
from tui_chat.wiring.batch import opened_batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tui_chat.engine.batch import BatchEvent
    from tui_chat.ui.board import Row
    from tui_chat.wiring import House
    from tui_chat.wiring.batch import Opened, Plan

LINES = 500
"""Lines of an output that are read at a time."""
LOOK_S = 0.5
"""Between two looks at an output that is watched."""
WINDOW_S = 4.0
"""What the rate of tokens covers."""
FAULTS = 20
"""Wrong lines that are kept to be told."""


class BatchWish(Struct, frozen=True):
    """What the start dialog asks for."""

    plan: Plan
    output: Path
    concurrency: int = 5
    cap: Decimal | None = None


class Batching:
    """What the screen shows of a batch, whoever runs it."""

    can_act = False
    """Items can be cancelled and run again."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.board = Board()
        self.tempo = Tempo()
        self.faults: list[str] = []
        self.wrong: int = 0
        """Lines that could not be run."""
        self.trouble = ""
        """Why it ended before its time, or holds its breath."""
        self.news: Callable[[str], None] = lambda line: None
        """Hears what the user should know at once."""
        self.shown = False
        """A screen shows it."""
        self.running = True
        self.began = time.monotonic()
        self.ended_at: float | None = None
        self.task: asyncio.Task[None] | None = None
        self._counted = 0
        self._recent = deque([(0.0, 0)])
        """(seconds of the run, tokens by then), of the last moments"""

    @property
    def elapsed(self) -> float:
        return (self.ended_at or time.monotonic()) - self.began

    @property
    def ended(self) -> int:
        """Items that have come to an end, those of earlier runs among them."""
        return self.board.count(Show.DONE) + self.board.count(Show.FAILED)

    @property
    def progress(self) -> str:
        """`3 of 60`, with a dash for what is not known."""
        of = show.NONE if self.expected is None else f"{self.expected:,}"
        return say("batch.screen.items", ended=f"{self.ended:,}", of=of)

    @property
    def expected(self) -> int | None:
        """Items in all; None: not known."""
        return None

    @property
    def left(self) -> Decimal | None:
        """USD until the cap; None: there is none."""
        return None

    @property
    def limit(self) -> int | None:
        """How many may be under way."""
        return None

    @property
    def can_stop(self) -> bool:
        """Items are under way or to come, and can be cancelled."""
        return False

    @property
    def can_retry(self) -> bool:
        """Items that were not answered can be run again."""
        return False

    @property
    def tokens(self) -> int:
        works = self.board.works.values()
        return self.board.tokens + sum(work.stats().usage.output or 0 for work in works)

    @property
    def usd(self) -> Decimal:
        return sum((work.cost().usd or Decimal(0) for work in self.board.works.values()), self.board.usd)

    @property
    def estimated(self) -> bool:
        """A part of `usd` is an estimate."""
        return self.board.estimates > 0 or bool(self.board.works)

    def start_clock(self) -> None:
        """From now on time and tokens count; what is there already is no part of the throughput."""
        self.began, self._counted, self.tempo = time.monotonic(), self.board.tokens, Tempo()
        self._recent = deque([(0.0, self._counted)])

    def measure(self) -> None:
        """Count the tokens since the last time into the throughput."""
        tokens, elapsed = self.tokens, self.elapsed
        self.tempo.add(elapsed, max(0, tokens - self._counted))
        self._counted = tokens
        self._recent.append((elapsed, tokens))
        while len(self._recent) > 2 and self._recent[0][0] < elapsed - WINDOW_S:
            self._recent.popleft()

    @property
    def rate(self) -> float | None:
        """Tokens a second over the last moments; None once it has ended."""
        (then, before), (now, tokens) = self._recent[0], self._recent[-1]
        return max(0, tokens - before) / (now - then) if self.running and now > then else None

    def start(self) -> None:
        self.task = asyncio.ensure_future(self._guarded())

    async def close(self) -> None:
        """Let it go; what is under way is stopped and has no line."""
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    def cancel(self, row: Row) -> bool:
        return False

    def retry(self, rows: list[Row]) -> int:
        """Run these again; how many can be."""
        return 0

    def finish(self) -> None:
        """Start nothing more; a second time: end it now."""

    async def run(self) -> None:
        raise NotImplementedError

    async def _guarded(self) -> None:
        try:
            await self.run()
        except Broken as broken:
            self.trouble = broken.failure.line
        except TuiChatError as error:
            self.trouble = str(error)
        finally:
            self._end()
        if self.trouble:
            self.news(self.trouble)

    def _end(self) -> None:
        if self.running:
            self.running, self.ended_at = False, time.monotonic()

    async def read_lines(self, watch: Watch) -> bool:
        """Enter the lines that have come, a handful at a time; False when there were none."""
        found = await asyncio.to_thread(watch.poll, LINES)
        for line in found:
            self.board.read(line)
        return bool(found)


class LiveBatch(Batching):
    """Runs in the program's own loop until it is closed, so that items can be run again after its end."""

    can_act = True

    def __init__(self, house: House, wish: BatchWish) -> None:
        super().__init__(wish.output)
        self.wish = wish
        self.before = 0
        """Items that had a line when it began."""
        self.stops = 0
        """How often it was asked to end."""
        self.listeners: list[Callable[[BatchEvent], None]] = []
        self._house = house
        self._opened: Opened | None = None
        self._again = asyncio.Event()

    @property
    def expected(self) -> int | None:
        known = self._opened.expected if self._opened is not None else None
        return None if known is None else max(known - self.wrong, len(self.board))

    @property
    def left(self) -> Decimal | None:
        if self.wish.cap is None or self._opened is None:
            return None
        return max(Decimal(0), self.wish.cap - self._opened.output.spent - (self._opened.batch.usd() or 0))

    @property
    def limit(self) -> int | None:
        return self._opened.batch.pace.limit if self._opened is not None else None

    @property
    def finishing(self) -> bool:
        return self.running and self.stops > 0

    @property
    def can_stop(self) -> bool:
        return self._opened is not None and self.running

    @property
    def can_retry(self) -> bool:
        return self._opened is not None and not self.finishing

    async def run(self) -> None:
        wish = self.wish
        source = await asyncio.to_thread(Source, wish.plan.input)
        try:
            opening = opened_batch(self._house, wish.plan, source, wish.output, wish.concurrency, wish.cap)
            async with opening as opened:
                await self._take_up(opened)
                while True:
                    await opened.run()
                    self._ended(opened)
                    await self._again.wait()
                    self._again.clear()
                    self.running, self.ended_at, self.stops, self.trouble = True, None, 0, ""
        finally:
            self._opened = None
            source.close()

    async def close(self) -> None:
        if self._opened is not None and self.running:
            self._opened.batch.stop()
        await super().close()

    def cancel(self, row: Row) -> bool:
        return self._opened is not None and self._opened.batch.cancel(row.id)

    def retry(self, rows: list[Row]) -> int:
        opened = self._opened
        jobs = [row.job for row in rows if row.job is not None and row.retryable]
        if opened is None or self.finishing:
            return 0
        for job in jobs:
            self.board.queue(job.item.id)
            opened.batch.retry(job)
        if jobs and not self.running:
            self._again.set()
        return len(jobs)

    def finish(self) -> None:
        if self._opened is None or not self.running:
            return
        self.stops += 1
        if self.stops == 1:
            self._opened.batch.finish()
        else:
            self._opened.batch.stop()

    async def _take_up(self, opened: Opened) -> None:
        """List what has a line already, then listen."""
        watch = Watch(self.output)
        try:
            while await self.read_lines(watch):
                pass
        finally:
            watch.close()
        self.before = opened.output.before
        self._opened = opened
        self.start_clock()
        opened.batch.listeners.append(self._hear)
        opened.reading.fault = self._wrong

    def _wrong(self, line: str) -> None:
        self.wrong += 1
        if len(self.faults) < FAULTS:
            self.faults.append(line)
        if self.wrong == 1:
            self.news(line)

    def _hear(self, event: BatchEvent) -> None:
        match event:
            case Began(work):
                self.board.began(work)
            case Finished(work):
                self.board.finished(work)
            case PutBack(work):
                self.board.put_back(work)
            case PaceChanged(limit, _, failure):
                self.news(say("batch.screen.slower", message=failure.message, limit=limit))
            case _:
                pass
        for listener in self.listeners:
            listener(event)

    def _ended(self, opened: Opened) -> None:
        self._end()
        batch = opened.batch
        if batch.ending is Ending.BUDGET:
            self.trouble = say("batch.budget", over=" · ".join(crossing.line for crossing in batch.crossings))
        elif batch.ending is Ending.REFUSED:
            self.trouble = say("batch.screen.refused")
        board = self.board
        counts = {"done": f"{board.count(Show.DONE):,}", "failed": f"{board.count(Show.FAILED):,}"}
        self.news(self.trouble or say("batch.screen.ended", **counts))


class WatchedBatch(Batching):
    """Another program runs it, or did: its lines are read as they come."""

    async def run(self) -> None:
        watch = Watch(self.output)
        try:
            while await self.read_lines(watch):
                pass
            self.start_clock()
            while True:
                busy = await self.read_lines(watch)
                if busy:
                    continue
                running = await asyncio.to_thread(lambda: watch.running)
                if not running:
                    self._end()
                elif not self.running:
                    self.running, self.ended_at = True, None
                await asyncio.sleep(LOOK_S)
        finally:
            watch.close()
