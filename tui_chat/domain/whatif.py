"""The same traffic elsewhere: what it would have cost at the prices of other models."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.pricing import DAY_MINUTES, EVERY_DAY, Price, billed
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tui_chat.domain.events import Usage
    from tui_chat.domain.pricing import Rates, Window

PLACES = Decimal("0.0001")
"""Ratios and percentages are rounded to this."""
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
