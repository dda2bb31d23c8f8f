"""A batch as it is told: progress while it runs, totals at its end."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter, deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tui_chat.cli.exits import ExitCode, exit_of_kind, worst
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.domain import figures as show
from tui_chat.domain.batch import Unread
from tui_chat.domain.failure import Kind
from tui_chat.domain.pricing import CostSource
from tui_chat.domain.words import say
from tui_chat.engine.batch import REFUSALS, Ending, Finished, PaceChanged
from tui_chat.wire.forms import CostForm

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from decimal import Decimal

    from tui_chat.domain.failure import Failure
    from tui_chat.domain.spread import Spread
    from tui_chat.domain.template import Template
    from tui_chat.engine.batch import Batch, BatchEvent
    from tui_chat.wiring.batch import Counts, Forecast, Opened

LINE_S = 5.0
"""Between two lines of progress where there is no terminal."""
FRAME_S = 0.25
WINDOW_S = 10.0
"""What the rate of tokens covers."""
FAULTS_SHOWN = 20
OF_A_KIND = 3
"""Lines with the same fault that are told."""
PERCENTS = (50, 95, 99)
_PLACE = re.compile(r"^:\d+: ")
_NUMBER = re.compile(r"\d+")


class Standing(Struct, frozen=True):
    """Where a batch is."""

    ended: int
    """Items with an end, in this run and before it; faulty lines among them."""
    expected: int | None
    failed: int
    running: int
    limit: int
    tokens: int
    """Of the answers."""
    exact: bool
    rate: float | None
    """Tokens a second, of all items together."""
    usd: Decimal | None
    estimated: bool
    left_s: float | None

    @property
    def line(self) -> str:
        """All of it on one line."""
        of = show.NONE if self.expected is None else f"{self.expected:,}"
        parts = [say("batch.items", ended=f"{self.ended:,}", of=of)]
        if self.failed:
            parts.append(say("batch.failed", count=f"{self.failed:,}"))
        parts += [
            say("batch.running", count=self.running),
            show.in_tokens(self.tokens, exact=self.exact),
            show.rate(self.rate, exact=self.exact),
            "price?" if self.usd is None else show.spent(self.usd, estimated=self.estimated),
        ]
        if self.left_s is not None:
            parts.append(say("batch.left", time=show.seconds(self.left_s)))
        return " · ".join(parts)


class Report:
    """What is told about one batch."""

    def __init__(self, opened: Opened) -> None:
        batch = self.batch = opened.batch
        self.counts = opened.reading.counts
        self._expected = opened.expected
        self._before = opened.output.before
        self._refusal: Failure | None = None
        self._began = time.monotonic()
        self._recent = deque([(self._began, 0)])
        """(when, tokens of all answers by then)"""
        batch.listeners.append(self._hear)

    def standing(self) -> Standing:
        """Where the batch is now; to be asked at steady intervals."""
        batch, counts, totals = self.batch, self.counts, self.batch.totals
        stats = [work.stats() for work in batch.running.values()]
        tokens = totals.output + sum(each.usage.output or 0 for each in stats)
        skipped = counts.done + counts.failed_before
        expected = self._expected if batch.ending is not Ending.DONE else counts.read
        unread_done = max(0, self._before - skipped - counts.changed)
        ended = counts.faults + skipped + totals.items
        left = None if expected is None else max(0, expected - ended - unread_done)
        elapsed = time.monotonic() - self._began
        return Standing(
            ended=ended,
            expected=expected,
            failed=totals.states["failed"] + counts.faults,
            running=len(batch.running),
            limit=batch.pace.limit,
            tokens=tokens,
            exact=totals.exact and all(each.exact for each in stats),
            rate=self._rate(tokens),
            usd=batch.usd(),
            estimated=totals.estimated or bool(stats),
            left_s=elapsed / totals.items * left if totals.items and left is not None else None,
        )

    def end(self, *, as_json: bool) -> None:
        """Print the totals."""
        if self.batch.ending is Ending.BUDGET:
            complain(say("batch.budget", over=" · ".join(crossing.line for crossing in self.batch.crossings)))
        if self.batch.ending is Ending.REFUSED and self._refusal is not None:
            complain(say("batch.refused", count=REFUSALS, failure=self._refusal.line))
        tell_failed_before(self.counts)
        elapsed = time.monotonic() - self._began
        if as_json:
            print_json(totals_object(self.batch, self.counts, elapsed))
        else:
            for line in totals_lines(self.batch, self.counts, elapsed):
                print_line(line)

    def _rate(self, tokens: int) -> float | None:
        now = time.monotonic()
        self._recent.append((now, tokens))
        while len(self._recent) > 2 and self._recent[0][0] < now - WINDOW_S:
            self._recent.popleft()
        then, before = self._recent[0]
        return max(0, tokens - before) / (now - then) if now - then > FRAME_S / 2 else None

    def _hear(self, event: BatchEvent) -> None:
        if isinstance(event, Finished):
            self._refusal = event.work.draft.failure
        elif isinstance(event, PaceChanged):
            seconds = show.seconds(event.seconds)
            complain(say("batch.slower", message=event.failure.message, limit=event.limit, seconds=seconds))


class Faults:
    """Tells of wrong lines, each with its place; of many, and of many of one kind, how many more there are."""

    def __init__(self, name: str, template: Template | None = None) -> None:
        """`name`: what the input is called."""
        self._name = name
        # A field that is not there is as a rule a mistake of the template, not of the line.
        self._once = tuple(
            say("batch.no_field", field=field, known="") for field in (template.fields if template else ())
        )
        self._more = 0
        self._kinds: Counter[str] = Counter()
        """Lines that were told, by what is wrong with them."""

    def tell(self, line: str) -> None:
        kind = self._kind(line)
        if self._kinds.total() < FAULTS_SHOWN and self._kinds[kind] < (1 if kind.startswith(self._once) else OF_A_KIND):
            self._kinds[kind] += 1
            complain(line)
        else:
            self._more += 1

    def _kind(self, line: str) -> str:
        """What is wrong, without where: two places in a line make no two kinds."""
        fault = _PLACE.sub("", line.removeprefix(self._name), count=1)
        return fault if fault.startswith(self._once) else _NUMBER.sub("0", fault)

    def close(self) -> None:
        if self._more:
            complain(say("batch.more_faults", count=f"{self._more:,}"))


@asynccontextmanager
async def told(report: Report, faults: Faults) -> AsyncGenerator[Faults]:
    """Tell the progress meanwhile: a live line on a terminal, a line now and then elsewhere."""
    telling = asyncio.ensure_future(_live(report) if sys.stderr.isatty() else _lines(report))
    try:
        yield faults
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        faults.close()


async def _lines(report: Report) -> None:
    while True:
        await asyncio.sleep(LINE_S)
        complain(report.standing().line)


async def _live(report: Report) -> None:
    from tui_chat.cli.batch_progress import Bar

    with Bar() as bar:
        while True:
            bar.show(report.standing())
            await asyncio.sleep(FRAME_S)


def exit_code(report: Report) -> ExitCode:
    """The code for several results; a line that could not be run is a failed one."""
    counts, batch = report.counts, report.batch
    codes = {exit_of_kind(Kind(kind)) for kind in batch.totals.failures}
    if counts.faults or counts.failed_before or batch.totals.states["cancelled"]:
        codes.add(ExitCode.FAILED)
    if batch.totals.states["completed"] or counts.done:
        codes.add(ExitCode.DONE)
    if batch.ending is Ending.BUDGET:
        codes.add(ExitCode.BUDGET)
    return worst(codes)


def totals_lines(batch: Batch, counts: Counts, elapsed: float) -> list[str]:
    """The totals as a block of text."""
    totals = batch.totals
    states = " · ".join(
        f"{count:,} {say(f'state.{state}')}"
        for state in ("completed", "failed", "cancelled")
        if (count := totals.states[state])
    )
    unpriced = say("batch.unpriced", count=f"{totals.unpriced:,}") if totals.unpriced else ""
    money = show.spent(totals.usd, estimated=totals.estimated) if totals.usd or not totals.unpriced else ""
    mean = show.seconds(totals.total.mean)
    speed = show.rate(totals.output / elapsed if totals.output and elapsed else None, exact=totals.exact)
    rows = [
        (say("batch.row.requests"), " · ".join(filter(None, [f"{totals.items:,}", states, *_aside(batch, counts)]))),
        (say("batch.row.tokens"), say("batch.in_out", **_tokens(totals.input, totals.output, exact=totals.exact))),
        (say("batch.row.cost"), " · ".join(filter(None, [money, unpriced]))),
        (say("batch.row.time"), say("batch.mean", elapsed=show.seconds(elapsed), mean=mean, rate=speed)),
    ]
    rows += [
        (name, " · ".join(f"p{percent} {form(spread.percentile(percent))}" for percent in PERCENTS))
        for name, spread, form in (
            ("TTFT", totals.ttft, show.seconds),
            (say("batch.row.total"), totals.total, show.seconds),
            (say("batch.row.speed"), totals.rate, show.rate),
        )
        if spread.count
    ]
    if totals.failures:
        rows.append((say("batch.row.failures"), " · ".join(f"{k} {n:,}" for k, n in totals.failures.most_common())))
    width = max(len(name) for name, _ in rows)
    return [f"{name:{width}}  {text}" for name, text in rows]


def _aside(batch: Batch, counts: Counts) -> list[str]:
    """What was not asked, or not as usual."""
    put_back = batch.totals.put_back
    return [*_before(counts), *([say("batch.put_back", count=f"{put_back:,}")] if put_back else [])]


def _tokens(input: float, output: float, *, exact: bool) -> dict[str, str]:
    return {
        "input": show.tokens(round(input), exact=exact),
        "output": show.tokens(round(output), exact=exact),
    }


def totals_object(batch: Batch, counts: Counts, elapsed: float) -> dict[str, Any]:
    """The totals as JSON; unknown is null."""
    totals = batch.totals
    known = totals.items > totals.unpriced and (totals.usd or not totals.unpriced)
    source = CostSource.ESTIMATED if totals.estimated else CostSource.COMPUTED
    return {
        "items": totals.items,
        "completed": totals.states["completed"],
        "failed": totals.states["failed"],
        "cancelled": totals.states["cancelled"],
        "done_before": counts.done,
        "failed_before": counts.failed_before,
        "changed": counts.changed,
        "faulty": counts.faults,
        "put_back": totals.put_back,
        "ending": None if batch.ending is None else batch.ending.name.lower(),
        "usage": {"input": totals.input, "output": totals.output, "exact": totals.exact},
        "cost": CostForm(usd=totals.usd, source=source) if known else CostForm(),
        "unpriced": totals.unpriced,
        "elapsed_s": round(elapsed, 6),
        "mean_s": totals.total.mean,
        "ttft_s": _percentiles(totals.ttft),
        "total_s": _percentiles(totals.total),
        "tok_per_s": _percentiles(totals.rate),
        "failures": dict(totals.failures.most_common()),
    }


def _percentiles(spread: Spread) -> dict[str, float | None]:
    return {f"p{percent}": spread.percentile(percent) for percent in PERCENTS}


def tell_failed_before(counts: Counts) -> None:
    """Name the way to what failed in an earlier run, which this one leaves as it is."""
    if counts.failed_before:
        complain(say("batch.failed_before", count=f"{counts.failed_before:,}"))


def tell_unread(counts: Counts, name: str, *, whole: bool = True) -> None:
    """Say it once where the input holds nothing, or seems to be of another kind; `whole`: all of it was looked at."""
    if not counts.read:
        if whole:
            complain(say("batch.nothing", name=name))
    elif counts.unread.total() == counts.read:
        complain(say("batch.binary" if counts.unread[Unread.TEXT] else "batch.other_format", name=name))


def estimate_lines(found: Forecast, counts: Counts) -> list[str]:
    """What a batch would take, as text."""
    rows = [
        (say("batch.row.items"), f"{found.items:,}" + "".join(f" · {part}" for part in _before(counts))),
        (say("batch.row.tokens"), say("batch.in_out", **_tokens(found.input, found.output, exact=False))),
        (
            say("batch.row.cost"),
            "price?" if found.usd is None and found.items else show.spent(found.usd, estimated=True),
        ),
    ]
    width = max(len(name) for name, _ in rows)
    return [f"{name:{width}}  {text}" for name, text in rows]


def _before(counts: Counts) -> list[str]:
    parts = [
        (counts.done, "batch.done_before"),
        (counts.failed_before, "batch.failed_left"),
        (counts.changed, "batch.changed"),
        (counts.faults, "batch.faulty"),
    ]
    return [say(key, count=f"{count:,}") for count, key in parts if count]


def estimate_object(found: Forecast, counts: Counts) -> dict[str, Any]:
    """What a batch would take, as JSON."""
    return {
        "items": found.items,
        "done_before": counts.done,
        "failed_before": counts.failed_before,
        "changed": counts.changed,
        "faulty": counts.faults,
        "usage": {"input": round(found.input), "output": round(found.output), "exact": False},
        "cost": CostForm(usd=found.usd, source=CostSource.ESTIMATED) if found.usd is not None else CostForm(),
        "unpriced": found.unpriced,
    }
