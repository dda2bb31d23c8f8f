"""Costs, exact to the last digit."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tui_chat.domain.events import Usage
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource, Price, Tier, Window, cost, find_price, total

D = Decimal
PLAIN = Price(D("0.15"), D("0.60"), checked="2026-11-22", note="off-peak")
CACHING = Price(D("2"), D("8"), cached=D("0.5"), cache_write=D("2.5"))
FREE = Price(D(0), D(0))
HOURS = Price(D(3), D(15), cached=D("0.3"), cache_write=D("3.75"), cache_write_1h=D(6))
THOUGHT = Price(D(1), D(2), reasoning=D(10))
LONG = Price(D(1), D(4), cached=D("0.1"), tiers=(Tier(D(2), D(6), cached=D("0.2"), above=1000),))
LONGER = Price(D(1), D(4), tiers=(Tier(D(4), D(8), above=2000), Tier(D(2), D(6), above=1000)))
BEYOND = Price(
    D(1),
    D(4),
    cached=D("0.1"),
    tiers=(Tier(D(2), D(6), cached=D("0.2"), above=1000, whole=False), Tier(D(3), D(6), above=2000, whole=False)),
)

WORKED: dict[str, tuple[Usage, Price, str]] = {
    "input and output": (Usage(input=1000, output=500), PLAIN, "0.00045"),
    "one token": (Usage(input=1, output=0), PLAIN, "1.5E-7"),
    "cached and fresh": (Usage(input=1000, cached=600, output=100), CACHING, "0.0019"),
    "written to the cache": (Usage(input=1000, cached=600, cache_write=300, output=0), CACHING, "0.00125"),
    "cached without a price of its own": (Usage(input=1000, cached=600, output=0), PLAIN, "0.00015"),
    "written without a price of its own": (Usage(input=1000, cache_write=1000, output=0), PLAIN, "0.00015"),
    "reasoning is in the output": (Usage(input=0, reasoning=400, output=500), PLAIN, "0.0003"),
    "more cached than input": (Usage(input=100, cached=600, output=0), CACHING, "0.0003"),
    "nothing counted": (Usage(), PLAIN, "0"),
    "only output counted": (Usage(output=1_000_000), PLAIN, "0.6"),
    "free": (Usage(input=10**9, output=10**9), FREE, "0"),
    "written for an hour": (Usage(input=1000, cache_write=1000, cache_write_1h=400, output=0), HOURS, "0.00465"),
    "more for an hour than written": (Usage(input=100, cache_write=100, cache_write_1h=900), HOURS, "0.0006"),
    "for an hour without a price of its own": (
        Usage(input=100, cache_write=100, cache_write_1h=100),
        CACHING,
        "0.00025",
    ),
    "reasoning with a price of its own": (Usage(input=0, reasoning=300, output=500), THOUGHT, "0.0034"),
    "more reasoning than output": (Usage(input=0, reasoning=900, output=500), THOUGHT, "0.005"),
    "not beyond the threshold": (Usage(input=1000, cached=400, output=100), LONG, "0.00104"),
    "beyond it the whole request": (Usage(input=1001, cached=400, output=100), LONG, "0.001882"),
    "cached tokens alone reach it": (Usage(input=0, cached=1001, output=0), LONG, "0.0002002"),
    "the highest threshold that is reached": (Usage(input=2001, output=1), LONGER, "0.008012"),
    "the one in the middle": (Usage(input=1500, output=1), LONGER, "0.003006"),
    "only what is beyond it": (Usage(input=1500, cached=400, output=100), BEYOND, "0.00204"),
    "cached tokens come first": (Usage(input=1500, cached=1200, output=0), BEYOND, "0.00074"),
    "beyond two thresholds": (Usage(input=2500, output=0), BEYOND, "0.0045"),
    "a third of a cent": (Usage(input=3, output=7), Price(D("0.003"), D("1.98")), "0.000013869"),
}


@pytest.mark.parametrize("name", WORKED)
def test_worked_examples(name: str) -> None:
    usage, price, usd = WORKED[name]
    found = cost(usage, price, exact=True)
    assert found == Cost(D(usd), CostSource.COMPUTED, price.checked, price.note)
    assert cost(usage, price, exact=False).source is CostSource.ESTIMATED


def test_a_reported_cost_comes_first() -> None:
    usage = Usage(input=1000, output=500, cost=D("0.000123456789012345678901"))
    for price in (PLAIN, None):
        assert cost(usage, price, exact=False) == Cost(usage.cost, CostSource.REPORTED)
    assert cost(Usage(cost=D(0)), PLAIN, exact=True).usd == 0


def test_without_a_price_the_cost_is_unknown() -> None:
    assert cost(Usage(input=1, output=1), None, exact=True) is UNKNOWN
    assert UNKNOWN.usd is None


def at(text: str) -> float:
    """Epoch seconds of a time in UTC."""
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


PEAK = {"input": D(2), "output": D(8)}
WEEK = (1, 2, 3, 4, 5)
HOURLY = Price(
    D(1),
    D(4),
    checked="2026-11-22",
    windows=(
        Window(**PEAK, begins=60, ends=240, weekdays=WEEK),
        Window(**PEAK, begins=360, ends=600, weekdays=WEEK),
    ),
)
NIGHTLY = Price(D(1), D(4), windows=(Window(**PEAK, begins=1320, ends=120, weekdays=(5,)),))
CHANGING = Price(D(1), D(4), windows=(Window(**PEAK, since="2027-01-01"), Window(D(3), D(9), since="2027-03-01")))
TIMES: dict[str, tuple[Price, str, int]] = {
    "before the first minute": (HOURLY, "2026-11-23 00:59:59", 1),
    "the first minute": (HOURLY, "2026-11-23 01:00", 2),
    "the last second": (HOURLY, "2026-11-23 03:59:59", 2),
    "the end is outside": (HOURLY, "2026-11-23 04:00", 1),
    "the second window": (HOURLY, "2026-11-27 06:00", 2),
    "Saturday": (HOURLY, "2026-11-28 02:30", 1),
    "Sunday": (HOURLY, "2026-11-29 02:30", 1),
    "past midnight, before it": (NIGHTLY, "2026-11-27 22:00", 2),
    "past midnight, after it": (NIGHTLY, "2026-11-28 01:59", 2),
    "past midnight, at its end": (NIGHTLY, "2026-11-28 02:00", 1),
    "past midnight, of the day before": (NIGHTLY, "2026-11-27 01:00", 1),
    "past midnight, Monday": (NIGHTLY, "2026-11-30 01:00", 1),
    "the day before a change": (CHANGING, "2026-12-31 23:59", 1),
    "the day of a change": (CHANGING, "2027-01-01 00:00", 2),
    "the last change counts": (CHANGING, "2027-03-01 12:00", 3),
}


@pytest.mark.parametrize("name", TIMES)
def test_the_time_of_the_request_decides(name: str) -> None:
    price, moment, usd = TIMES[name]
    found = cost(Usage(input=1_000_000, output=0), price, exact=True, at=at(moment))
    assert (found.usd, found.source) == (usd, CostSource.COMPUTED)


def test_without_the_time_it_is_an_estimate() -> None:
    found = cost(Usage(input=1_000_000, output=0), HOURLY, exact=True)
    assert found == Cost(D(1), CostSource.ESTIMATED, "2026-11-22")


def test_the_price_of_a_day_knows_what_has_come() -> None:
    assert CHANGING.on("2026-12-31") == Price(D(1), D(4))
    assert CHANGING.on("2027-02-01") == Price(D(2), D(8))
    assert CHANGING.on("2027-03-01") == Price(D(3), D(9))
    assert HOURLY.on("2026-11-22") == HOURLY


COUNTS = st.integers(0, 10**9)
AMOUNTS = st.decimals(0, 1000, places=6)
PRICES = st.builds(Price, AMOUNTS, AMOUNTS, AMOUNTS | st.none(), AMOUNTS | st.none())


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    fresh, cached, written, output = draw(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS))
    return Usage(fresh + cached + written, cached, written, None, output)


def added(one: Usage, other: Usage) -> Usage:
    pairs = ((one.input, other.input), (one.cached, other.cached), (one.cache_write, other.cache_write))
    given_, cached, written = ((a or 0) + (b or 0) for a, b in pairs)
    return Usage(given_, cached, written, None, (one.output or 0) + (other.output or 0))


@given(usages(), usages(), PRICES)
def test_costs_add_up_to_the_digit_and_never_shrink(one: Usage, other: Usage, price: Price) -> None:
    first, second, both = (cost(u, price, exact=True) for u in (one, other, added(one, other)))
    assert first.usd is not None
    assert both.usd is not None
    assert total([first, second]).usd == both.usd >= first.usd >= 0


@st.composite
def tiered(draw: st.DrawFn) -> Price:
    """A price that never falls as the input grows."""
    price = draw(PRICES)
    above, whole = sorted(draw(st.sets(st.integers(1, 10**9), min_size=1, max_size=3))), draw(st.booleans())
    tiers: list[Tier] = []
    rates = (price.input, price.output, price.cached, price.cache_write)
    for threshold in above:
        step = draw(AMOUNTS)
        rates = tuple(rate if rate is None else rate + step for rate in rates)
        tiers.append(Tier(*rates, above=threshold, whole=whole))
    return replace(price, tiers=tuple(tiers))


@given(usages(), usages(), tiered())
def test_with_thresholds_a_longer_request_never_costs_less(one: Usage, other: Usage, price: Price) -> None:
    first, second, both = (cost(u, price, exact=True).usd for u in (one, other, added(one, other)))
    assert first is not None
    assert second is not None
    assert both is not None
    assert both >= first + second


@given(usages(), PRICES, PRICES, st.floats(1.7e9, 1.9e9))
def test_a_window_is_a_price_of_its_own(usage: Usage, price: Price, other: Price, when: float) -> None:
    window = Window(other.input, other.output, other.cached, other.cache_write)
    timed = cost(usage, replace(price, windows=(window,)), exact=True, at=when)
    assert timed.usd == cost(usage, other, exact=True).usd


COMPUTED, ESTIMATED, REPORTED = (
    Cost(D("0.1"), CostSource.COMPUTED, "2026-11-22"),
    Cost(D("0.2"), CostSource.ESTIMATED),
    Cost(D("0.4"), CostSource.REPORTED),
)
TOTALS: dict[str, tuple[list[Cost], Cost]] = {
    "nothing": ([], UNKNOWN),
    "only unknown": ([UNKNOWN, UNKNOWN], UNKNOWN),
    "one": ([COMPUTED], COMPUTED),
    "of one date": ([COMPUTED, COMPUTED], Cost(D("0.2"), CostSource.COMPUTED, "2026-11-22")),
    "reported": ([REPORTED, REPORTED], Cost(D("0.8"), CostSource.REPORTED)),
    "computed among reported": ([REPORTED, COMPUTED], Cost(D("0.5"), CostSource.COMPUTED)),
    "estimated among others": ([REPORTED, ESTIMATED, COMPUTED], Cost(D("0.7"), CostSource.ESTIMATED)),
    "unknown beside known": ([UNKNOWN, COMPUTED], COMPUTED),
}


@pytest.mark.parametrize("name", TOTALS)
def test_total(name: str) -> None:
    costs, sum_ = TOTALS[name]
    assert total(iter(costs)) == sum_


LOCAL, HOSTED = Price(D(0), D(0), note="local"), Price(D(1), D(1))
NAMED = {"work/m": PLAIN, "m": CACHING, "v/m": FREE, "here/*": LOCAL, "host/v/m": HOSTED, "m-2024-05-13": HOURS}
FOUND: dict[tuple[str, str], Price | None] = {
    ("work", "m"): PLAIN,
    ("work", "m-latest"): PLAIN,
    ("work", "v/m"): PLAIN,
    ("other", "m"): CACHING,
    ("other", "v/m"): FREE,
    ("other", "w/m"): CACHING,
    ("other", "w/x/m"): CACHING,
    ("other", "m-20250929"): CACHING,
    ("other", "m@20250929"): CACHING,
    ("other", "m-2025-04-14"): CACHING,
    ("other", "v/m-2025-04-14"): FREE,
    ("other", "m-2024-05-13"): HOURS,
    ("other", "m-latest"): CACHING,
    ("other", "m-preview"): None,
    ("other", "m-2"): None,
    ("other", "m-19990101"): None,
    ("host", "v/m"): HOSTED,
    ("here", "m"): LOCAL,
    ("here", "anything/at:all"): LOCAL,
    ("other", "m:free"): None,
    ("other", "M"): None,
    ("other", ""): None,
}


@pytest.mark.parametrize("asked", FOUND, ids="/".join)
def test_find_price(asked: tuple[str, str]) -> None:
    assert find_price(NAMED, *asked) is FOUND[asked]
