"""What a reply costs. Money is Decimal; prices are USD per million tokens and carry the date they were checked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tui_chat.domain.events import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; `cached` and `cache_write` fall back to `input`."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    checked: str | None = None
    """ISO date on which the price was read at its source."""
    source: str | None = None
    note: str = ""
    """What the reader must know beside the amount, such as that nothing is billed."""


class CostSource(StrEnum):
    REPORTED = "reported"
    COMPUTED = "computed"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount and where it comes from; `usd` is None exactly when the source is unknown."""

    usd: Decimal | None
    source: CostSource
    price_checked: str | None = None
    note: str = ""


UNKNOWN = Cost(None, CostSource.UNKNOWN)


def cost(usage: Usage, price: Price | None, *, exact: bool) -> Cost:
    """The cost of `usage`: the provider's own figure first, else computed; reasoning is billed as output."""
    if usage.cost is not None:
        return Cost(usage.cost, CostSource.REPORTED)
    if price is None:
        return UNKNOWN
    cached = usage.cached or 0
    written = usage.cache_write or 0
    fresh = max(0, (usage.input or 0) - cached - written)
    usd = (
        fresh * price.input
        + cached * (price.input if price.cached is None else price.cached)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + (usage.output or 0) * price.output
    ) / MILLION
    source = CostSource.COMPUTED if exact else CostSource.ESTIMATED
    return Cost(usd, source, price.checked, price.note)


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of the known costs; estimated as soon as one is, unknown when none is known."""
    known = [c for c in costs if c.usd is not None]
    if not known:
        return UNKNOWN
    usd = sum((c.usd for c in known if c.usd is not None), Decimal(0))
    sources = {c.source for c in known}
    for source in (CostSource.ESTIMATED, CostSource.COMPUTED):
        if source in sources:
            return Cost(usd, source)
    return Cost(usd, CostSource.REPORTED)


def find_price(prices: Mapping[str, Price], endpoint: str, model: str) -> Price | None:
    """The price of a model: `endpoint/model` first, then the model's name, then its name without a vendor prefix."""
    for name in (f"{endpoint}/{model}", model, model.rpartition("/")[2]):
        if name in prices:
            return prices[name]
    return None
