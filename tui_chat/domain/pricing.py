"""What a reply costs. Money is Decimal; prices are USD per million tokens and carry the date they were checked.

Every dialect reports usage in its own way; `Usage` has one meaning, made in `wire`, and is billed by one rule:
  fresh input   input less what was read from a cache and written to one. On the wire Anthropic counts the three
                apart; OpenAI, Gemini, DeepSeek and the others count the cached ones inside the input.
  cache         read at `cached`, written at `cache_write`, written for an hour or longer at `cache_write_1h`.
  output        reasoning is inside it and costs the same, except where `reasoning` says otherwise. On the wire
                Gemini counts its thoughts beside the answer; the others count them inside.
A tier prices the whole request by the length of its input, as Anthropic, Google, OpenAI and xAI do, or, where `whole`
is false, only its input beyond the threshold. A window holds at a time of the UTC day, on given weekdays, from a given
day on; the last window that holds is the one that counts, and tiers do not touch it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tui_chat.domain.events import Usage

MILLION = Decimal(1_000_000)
DAY_MINUTES = 24 * 60
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
"""ISO weekdays: Monday is 1."""


class Rates(Struct, frozen=True):
    """USD per million tokens. What is None costs as `input`, `reasoning` as `output`, a long write as any write."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None


class Tier(Rates, frozen=True):
    """Rates of a request whose input is longer than `above` tokens."""

    above: int = 0
    whole: bool = True
    """They hold for the whole request; else for its input beyond `above`, and its output stays as it was."""


class Window(Rates, frozen=True):
    """Rates at certain times; `begins` and `ends` are minutes of the UTC day, and it may go on past midnight."""

    begins: int = 0
    ends: int = DAY_MINUTES
    weekdays: tuple[int, ...] = EVERY_DAY
    """ISO weekdays on which it begins."""
    since: str = ""
    """ISO date of the first day."""

    @property
    def always(self) -> bool:
        return (self.begins, self.ends, self.weekdays) == (0, DAY_MINUTES, EVERY_DAY)

    def holds(self, at: datetime) -> bool:
        """`at` is in UTC."""
        minute = at.hour * 60 + at.minute
        today, yesterday = at.isoweekday(), (at.isoweekday() - 2) % 7 + 1
        if self.begins < self.ends:
            inside = self.begins <= minute < self.ends and today in self.weekdays
        else:
            inside = (minute >= self.begins and today in self.weekdays) or (
                minute < self.ends and yesterday in self.weekdays
            )
        return inside and at.date().isoformat() >= self.since


class Price(Rates, frozen=True):
    """The rates of a model, with what changes them and where they were read."""

    checked: str | None = None
    """ISO date on which the price was read at its source."""
    source: str | None = None
    note: str = ""
    """What the reader must know beside the amount, such as that nothing is billed."""
    provider: str | None = None
    """Who sends the bill."""
    context: int | None = None
    """Tokens that the model can take in."""
    vision: bool | None = None
    """Whether it takes images."""
    tiers: tuple[Tier, ...] = ()
    windows: tuple[Window, ...] = ()

    def at(self, when: float | None) -> Rates:
        """The rates at `when`, in epoch seconds; its own where the time is not known."""
        if when is None or not self.windows:
            return self
        moment = datetime.fromtimestamp(when, UTC)
        return next((window for window in reversed(self.windows) if window.holds(moment)), self)

    def on(self, day: str) -> Price:
        """The price on an ISO day: windows yet to come are left out, one that holds all the time is the base."""
        base, windows = self, list[Window]()
        for window in self.windows:
            if window.since <= day and window.always:
                rates = {name: getattr(window, name) for name in Rates.__struct_fields__}
                base, windows = replace(self, **rates, tiers=()), []
            elif window.since <= day:
                windows.append(window)
        return replace(base, windows=tuple(windows))


class CostSource(StrEnum):
    REPORTED = "reported"
    COMPUTED = "computed"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class Cost(Struct, frozen=True):
    """An amount and where it comes from; `usd` is None exactly when the source is unknown."""

    usd: Decimal | None
    source: CostSource
    price_checked: str | None = None
    note: str = ""


UNKNOWN = Cost(None, CostSource.UNKNOWN)


def cost(usage: Usage, price: Price | None, *, exact: bool, at: float | None = None) -> Cost:
    """The cost of `usage` of one request sent `at` epoch seconds: the provider's own figure first, else computed.

    A price that changes with the time gives an estimate where the time is not known.
    """
    if usage.cost is not None:
        return Cost(usage.cost, CostSource.REPORTED)
    if price is None:
        return UNKNOWN
    timeless = at is None and bool(price.windows)
    source = CostSource.COMPUTED if exact and not timeless else CostSource.ESTIMATED
    return Cost(billed(usage, price.at(at)), source, price.checked, price.note)


def billed(usage: Usage, price: Rates) -> Decimal:
    """USD for one request at these rates, and their tiers if they have any."""
    tiers = price.tiers if isinstance(price, Price) else ()
    size = max(usage.input or 0, (usage.cached or 0) + (usage.cache_write or 0))
    reached = sorted((tier for tier in tiers if size > tier.above), key=lambda tier: tier.above)
    rates: Rates = next((tier for tier in reversed(reached) if tier.whole), price)
    usd = _at(usage, rates)
    before = rates
    for tier in reached:
        if not tier.whole:
            beyond = _beyond(usage, tier.above)
            usd += _input_at(beyond, tier) - _input_at(beyond, before)
            before = tier
    return usd


def _beyond(usage: Usage, above: int) -> Usage:
    """The input beyond `above` tokens: a cache holds the beginning of a prompt, what is fresh comes last."""
    cached, written = usage.cached or 0, usage.cache_write or 0
    left = max(0, above - cached)
    return replace(
        usage,
        input=max(0, max(usage.input or 0, cached + written) - above),
        cached=max(0, cached - above),
        cache_write=max(0, written - left),
        cache_write_1h=max(0, (usage.cache_write_1h or 0) - left),
    )


def _at(usage: Usage, rates: Rates) -> Decimal:
    output = usage.output or 0
    if rates.reasoning is None:
        return _input_at(usage, rates) + output * rates.output / MILLION
    thought = min(usage.reasoning or 0, output)
    return _input_at(usage, rates) + (thought * rates.reasoning + (output - thought) * rates.output) / MILLION


def _input_at(usage: Usage, rates: Rates) -> Decimal:
    cached, written = usage.cached or 0, usage.cache_write or 0
    fresh = max(0, (usage.input or 0) - cached - written)
    long = min(usage.cache_write_1h or 0, written)
    write = rates.input if rates.cache_write is None else rates.cache_write
    long_write = write if rates.cache_write_1h is None else rates.cache_write_1h
    read = rates.input if rates.cached is None else rates.cached
    return (fresh * rates.input + cached * read + (written - long) * write + long * long_write) / MILLION


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of the known costs; estimated as soon as one is, unknown when none is known.

    What all of them say beside the amount is said of the sum.
    """
    known = [c for c in costs if c.usd is not None]
    if not known:
        return UNKNOWN
    usd = sum((c.usd for c in known if c.usd is not None), Decimal(0))
    sources = {c.source for c in known}
    ranked = (CostSource.ESTIMATED, CostSource.COMPUTED, CostSource.REPORTED)
    checked, notes = {c.price_checked for c in known}, {c.note for c in known}
    return Cost(
        usd,
        next(source for source in ranked if source in sources),
        checked.pop() if len(checked) == 1 else None,
        notes.pop() if len(notes) == 1 else "",
    )


ANY_MODEL = "*"
_VERSION = re.compile(r"[-@](latest|20\d{6}|20\d\d-\d\d-\d\d)$")
"""What providers add to a name for one version of a model: `-latest`, `-20250929`, `@20250929`, `-2025-04-14`."""


def find_price(prices: Mapping[str, Price], endpoint: str, model: str) -> Price | None:
    """The price of a model: the first of its names that is known, the most exact one first.

    `endpoint/model`, the same without a version at its end, `endpoint/*`; then the model's name and its name without
    a vendor prefix, each as it stands and without a version.
    """
    return next((prices[name] for name in _names(endpoint, model) if name in prices), None)


def _names(endpoint: str, model: str) -> Iterator[str]:
    bare = model.rpartition("/")[2]
    for name in (f"{endpoint}/{model}", f"{endpoint}/{bare}"):
        yield name
        yield _VERSION.sub("", name)
    yield f"{endpoint}/{ANY_MODEL}"
    for name in (model, bare):
        yield name
        yield _VERSION.sub("", name)
