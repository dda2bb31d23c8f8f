"""Figures as text: every number with its unit, and in a width that does not jump as it moves."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from tui_chat.domain.pricing import CostSource
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.domain.pricing import Cost

NONE = "–"
USD = "USD"
ALMOST_THOUSAND = Decimal("999.5")
UNITS = ("k", "M", "G", "T")
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
HEIGHTS = " ▁▂▃▄▅▆▇█"
ALMOST_ONE = Decimal("0.99995")
"""From here on four decimals would show a whole unit."""


class Currency(Protocol):
    """How amounts are shown beside the dollar."""

    @property
    def code(self) -> str: ...

    @property
    def per_usd(self) -> Decimal:
        """Units of the currency for one USD."""
        ...


def seconds(value: float | None) -> str:
    """`12 ms`, `3.2 s`, `4:05 min`."""
    if value is None:
        return NONE
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole // 60}:{whole % 60:02d} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def mark(exact: bool) -> str:
    """`~` before an estimate."""
    return "" if exact else "~"


def tokens(value: int | None, *, exact: bool = True) -> str:
    """`1,234`, or `~1,234` for an estimate."""
    return NONE if value is None else f"{mark(exact)}{value:,}"


def in_tokens(value: int, *, exact: bool = True, short: bool = False) -> str:
    """`1 token`, `~1,234 tokens`; `1.2k tokens` where it is to be short."""
    shown = short_count(value, exact=exact) if short else tokens(value, exact=exact)
    return say("fold.tokens_one" if value == 1 else "fold.tokens", tokens=shown)


def short_count(value: int | None, *, exact: bool = True) -> str:
    """`987`, `12.3k`, `4.56M`: three digits."""
    if value is None:
        return NONE
    if value < 1000:
        return f"{mark(exact)}{value}"
    size, unit = Decimal(value), -1
    while size >= ALMOST_THOUSAND and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    places = 0 if size >= Decimal("99.95") else 1 if size >= Decimal("9.995") else 2
    return f"{mark(exact)}{size:,.{places}f}{UNITS[unit]}"


def bar(share: float, width: int) -> str:
    """`share` of `width` columns as blocks, in eighths; more than nothing is never shown as nothing."""
    eighths = min(width * 8, max(round(share * width * 8), 1 if share > 0 else 0))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8]


def gauge(share: float, width: int) -> str:
    """A bar of `share`, and the rest of `width` as a line."""
    filled = bar(min(1.0, share), width)
    return filled + "·" * (width - len(filled))


def spark(values: Sequence[float]) -> str:
    """A column for each value, its height against the largest; one of nothing is a space."""
    most = max(values, default=0.0)
    return "".join(HEIGHTS[max(1, round(value / most * 8))] if value > 0 else " " for value in values)


def rate(value: float | None, *, exact: bool = True) -> str:
    """`41.2 tok/s`; above 100 without a fraction."""
    if value is None:
        return f"{NONE} tok/s"
    return f"{mark(exact)}{value:,.{0 if value >= 99.95 else 1}f} tok/s"


def usd(value: Decimal | None) -> str:
    """`$0.00123`: at least two decimals, and three significant digits below a dollar."""
    return NONE if value is None else f"${_digits(value)}"


def in_both(value: Decimal | None, currency: Currency | None) -> str:
    """`$0.0123 (0.0107 EUR)`; without the second where the currency is the dollar or none is given."""
    other = foreign(value, currency)
    return f"{usd(value)} ({other})" if other else usd(value)


def foreign(value: Decimal | None, currency: Currency | None) -> str:
    """`0.0107 EUR`; empty where there is nothing to say beside the dollar."""
    if value is None or currency is None or currency.code == USD:
        return ""
    return f"{_digits(value * currency.per_usd)} {currency.code}"


def spent(value: Decimal | None, *, estimated: bool) -> str:
    """A sum as `usd` shows it, with its `~` when a part of it is estimated."""
    return f"{'~' if estimated and value is not None else ''}{usd(value)}"


def money(cost: Cost, currency: Currency | None = None) -> str:
    """A cost with its `~` when it is estimated; `price?` when no price is known, never $0.00."""
    if cost.usd is None:
        return "price?"
    return f"{'~' if cost.source is CostSource.ESTIMATED else ''}{in_both(cost.usd, currency)}"


def _digits(value: Decimal) -> str:
    if value == 0:
        return "0.00"
    places = 2 if abs(value) >= ALMOST_ONE else min(10, max(4, 2 - value.adjusted()))
    return f"{value:,.{places}f}"
