"""The same traffic elsewhere: what it would have cost at the prices of other models."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.events import Usage
from tui_chat.domain.pricing import DAY_MINUTES, EVERY_DAY, CostSource, Price, billed
from tui_chat.domain.usage import COUNTS, Line, added
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.pricing import Rates, Window

PLACES = Decimal("0.0001")
"""Ratios and percentages are rounded to this."""
MONTH_DAYS = 30
DAY_S = 86400.0
ARTICLE = ("claude-sonnet-4-5", "gpt-4.1", "gemini-2.5-flash", "deepseek-v3.2")
"""The four that a comparison begins with."""


class Request(Struct, frozen=True):
    """One request of the traffic, or the tokens of many."""

    usage: Usage
    at: float | None = None
    """Epoch seconds; None: not known, so that each of a price's rates has a row of its own."""
    many: bool = False
    """The sum of many requests, none of which is so long that it would cost more for that."""


class Offer(Struct, frozen=True):
    """A model that could answer; without a price its cost stays unknown."""

    model: str
    price: Price | None


class Row(Struct, frozen=True):
    """What the traffic costs at one model. `usd` is None where no price is known."""

    model: str
    usd: Decimal | None
    price: Price | None
    when: str = ""
    """The time at which these rates hold, where the traffic has none."""
    ratio: Decimal | None = None
    """Its cost in parts of the reference's: 0.028 costs 2.8 % of it."""
    saving_pct: Decimal | None = None
    """Per cent that it costs less than the reference; negative where it costs more."""


def what_if(traffic: Sequence[Request], offers: Iterable[Offer], reference: str | None = None) -> list[Row]:
    """A row a model, the dearest first, those without a price last.

    `ratio` and `saving_pct` are against `reference`, a model among the offers, or else against the dearest.
    """
    timed = all(request.at is not None for request in traffic)
    rows = [row for offer in offers for row in _rows(traffic, offer, timed=timed)]
    rows.sort(key=lambda row: (row.usd is None, -(row.usd or 0), row.model))
    base = next((row.usd for row in rows if reference in (None, row.model)), None)
    return [_against(row, base) for row in rows]


class Measured(Struct, frozen=True):
    """Traffic that was, and what it would cost elsewhere."""

    rows: list[Row]
    total: Line
    """What it came to as it was."""
    first: float | None = None
    last: float | None = None
    """When its first and last request were sent, in epoch seconds."""
    reference: str | None = None
    """What the ratios are against: a model, or None for what was paid."""


def elsewhere(
    traffic: Iterable[tuple[Request, Line]], offers: Iterable[Offer], reference: str | None = None
) -> Measured:
    """A row a model for requests in the order of their times, in one pass; few are held in memory.

    Ratio and saving are against `reference`, else against what was paid where all of that is known, else the dearest.
    """
    tallies = [(offer, None if offer.price is None else Tally(offer.price)) for offer in offers]
    counting = [tally for _, tally in tallies if tally is not None]
    paid, first, last = Sum(), None, None
    for request, own in traffic:
        parts = billable(request.usage)
        for tally in counting:
            tally.add(request, parts)
        paid.add(request.usage, own)
        first, last = request.at if first is None else first, request.at
    rows = [Row(offer.model, None if tally is None else tally.usd, offer.price) for offer, tally in tallies]
    rows.sort(key=lambda row: (row.usd is None, -(row.usd or 0), row.model))
    total = paid.line()
    if reference is None and total.usd and not total.unpriced:
        base = total.usd
    else:
        reference = reference or (rows[0].model if rows else None)
        base = next((row.usd for row in rows if row.model == reference), None)
    against = [_against(row, base) for row in rows]
    return Measured(against, total, first, last, reference)


def measured_by(runs: Iterable[RunRecord]) -> Iterator[tuple[Request, Line]]:
    """The requests of runs that used tokens, with their own figures."""
    for run in runs:
        for attempt in run.attempts:
            usage, cost = attempt.stats.usage, attempt.cost
            if usage.input is not None or usage.output is not None:
                estimated = cost.source is CostSource.ESTIMATED and bool(cost.usd)
                own = Line(
                    run.model,
                    requests=1,
                    exact=attempt.stats.exact,
                    usd=cost.usd,
                    estimated=estimated,
                    unpriced=int(cost.usd is None),
                )
                yield Request(usage, run.began + attempt.at), own


class Sum:
    """The requests as they were, added up."""

    def __init__(self) -> None:
        self._counts: dict[str, int | None] = dict.fromkeys(COUNTS)
        self._usd: Decimal | None = None
        self._requests = self._unpriced = 0
        self._exact, self._estimated = True, False

    def add(self, usage: Usage, own: Line) -> None:
        for name in COUNTS:
            self._counts[name] = added(self._counts[name], getattr(usage, name))
        if own.usd is not None:
            self._usd = (self._usd or Decimal(0)) + own.usd
        self._requests += 1
        self._unpriced += own.unpriced
        self._exact = self._exact and own.exact
        self._estimated = self._estimated or own.estimated

    def line(self) -> Line:
        tokens: dict[str, Any] = self._counts
        return Line(
            "",
            requests=self._requests,
            **tokens,
            exact=self._exact,
            usd=self._usd,
            estimated=self._estimated,
            unpriced=self._unpriced,
        )


Parts = tuple[int, int, int, int, int, int]


def billable(usage: Usage) -> Parts:
    """Tokens by how they are billed: fresh, cached, written, of these for long, reasoning, the rest of the output."""
    cached, written, output = usage.cached or 0, usage.cache_write or 0, usage.output or 0
    fresh = max(0, (usage.input or 0) - cached - written)
    thought = min(usage.reasoning or 0, output)
    return fresh, cached, written, min(usage.cache_write_1h or 0, written), thought, output - thought


class Tally:
    """What requests cost at one price. What is billed at the same rates is added up first, and billed once."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._tiers = sorted(price.tiers, key=lambda tier: tier.above)
        self._alone = any(not tier.whole for tier in self._tiers)
        """Requests are billed one by one, for a part of each may have rates of its own."""
        self._sums: dict[Rates, list[int]] = {}
        self._minutes: dict[int, Rates] = {}
        self._billed = Decimal(0)

    def add(self, request: Request, parts: Parts) -> None:
        rates = self._rates(request.at)
        if rates is self._price and self._alone:
            self._billed += billed(request.usage, rates)
            return
        if rates is self._price and self._tiers:
            size = sum(parts[:3])
            rates = next((tier for tier in reversed(self._tiers) if size > tier.above), rates)
        sums = self._sums.get(rates)
        if sums is None:
            self._sums[rates] = list(parts)
        else:
            for place, count in enumerate(parts):
                sums[place] += count

    @property
    def usd(self) -> Decimal:
        return self._billed + sum((_flat(sums, rates) for rates, sums in self._sums.items()), Decimal(0))

    def _rates(self, at: float | None) -> Rates:
        """The rates of a minute, which many requests may share."""
        if not self._price.windows or at is None:
            return self._price
        minute = int(at // 60)
        rates = self._minutes.get(minute)
        if rates is None:
            rates = self._minutes[minute] = self._price.at(at)
        return rates


def _flat(sums: Sequence[int], rates: Rates) -> Decimal:
    fresh, cached, written, long, thought, rest = sums
    usage = Usage(fresh + cached + written, cached, written, thought, thought + rest, cache_write_1h=long)
    return billed(usage, replace(rates, tiers=()) if isinstance(rates, Price) else rates)


def monthly(usd: Decimal | None, first: float | None, until: float) -> Decimal | None:
    """USD of a month like the time from `first` to `until`, in epoch seconds; less than a day counts as one."""
    if usd is None or first is None:
        return None
    return usd * MONTH_DAYS / Decimal(max(1.0, (until - first) / DAY_S))


def saving(usd: Decimal, other: Decimal) -> Decimal | None:
    """Per cent that `usd` is less than `other`; None against nothing."""
    return _rounded(100 * (other - usd) / other) if other else None


def _rows(traffic: Sequence[Request], offer: Offer, *, timed: bool) -> list[Row]:
    price = offer.price
    if price is None:
        return [Row(offer.model, None, None)]
    if timed or not price.windows:
        return [Row(offer.model, _sum(traffic, price.at), price)]
    named: dict[Rates, str] = {price: say("cost.otherwise")}
    for rates, windows in _by_rates(price.windows).items():
        named[rates] = ", ".join(dict.fromkeys(span(window) for window in windows))
    return [Row(offer.model, _sum(traffic, lambda _, r=rates: r), price, when) for rates, when in named.items()]


def _sum(traffic: Sequence[Request], rates_at: Callable[[float | None], Rates]) -> Decimal:
    return sum((_cost(request, rates_at(request.at)) for request in traffic), Decimal(0))


def _cost(request: Request, rates: Rates) -> Decimal:
    if request.many and isinstance(rates, Price):
        rates = replace(rates, tiers=())
    return billed(request.usage, rates)


def _by_rates(windows: Iterable[Window]) -> dict[Window, list[Window]]:
    """The windows that share their rates, by the first of them."""
    found: dict[tuple[Decimal | None, ...], list[Window]] = {}
    for window in windows:
        rates = (window.input, window.output, window.cached, window.cache_write, window.cache_write_1h)
        found.setdefault((*rates, window.reasoning), []).append(window)
    return {group[0]: group for group in found.values()}


def span(window: Window) -> str:
    """`01:00-04:00 UTC Mon-Fri`, `from 2027-01-01`."""
    parts: list[str] = []
    if (window.begins, window.ends) != (0, DAY_MINUTES):
        parts.append(f"{_clock(window.begins)}-{_clock(window.ends)} UTC")
    if window.weekdays != EVERY_DAY:
        parts.append(_days(window.weekdays))
    if window.since:
        parts.append(say("cost.since", day=window.since))
    return " ".join(parts)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _days(weekdays: tuple[int, ...]) -> str:
    names = [say("cost.weekdays").split()[day - 1] for day in weekdays]
    running = len(names) > 2 and weekdays == tuple(range(weekdays[0], weekdays[-1] + 1))
    return f"{names[0]}-{names[-1]}" if running else " ".join(names)


def _against(row: Row, base: Decimal | None) -> Row:
    if row.usd is None or not base:
        return row
    return Row(row.model, row.usd, row.price, row.when, _rounded(row.usd / base), saving(row.usd, base))


def _rounded(value: Decimal) -> Decimal:
    """Without zeros at the end, so that 97.2 is 97.2."""
    return Decimal(format(value.quantize(PLACES).normalize(), "f"))
