"""Costs, exact to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.events import Usage
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource, Price, cost, find_price, total

D = Decimal
PLAIN = Price(D("0.15"), D("0.60"), checked="2026-11-22", note="off-peak")
CACHING = Price(D("2"), D("8"), cached=D("0.5"), cache_write=D("2.5"))
FREE = Price(D(0), D(0))

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


COMPUTED, ESTIMATED, REPORTED = (
    Cost(D("0.1"), CostSource.COMPUTED, "2026-11-22"),
    Cost(D("0.2"), CostSource.ESTIMATED),
    Cost(D("0.4"), CostSource.REPORTED),
)
TOTALS: dict[str, tuple[list[Cost], Cost]] = {
    "nothing": ([], UNKNOWN),
    "only unknown": ([UNKNOWN, UNKNOWN], UNKNOWN),
    "one": ([COMPUTED], Cost(D("0.1"), CostSource.COMPUTED)),
    "reported": ([REPORTED, REPORTED], Cost(D("0.8"), CostSource.REPORTED)),
    "computed among reported": ([REPORTED, COMPUTED], Cost(D("0.5"), CostSource.COMPUTED)),
    "estimated among others": ([REPORTED, ESTIMATED, COMPUTED], Cost(D("0.7"), CostSource.ESTIMATED)),
    "unknown beside known": ([UNKNOWN, COMPUTED], Cost(D("0.1"), CostSource.COMPUTED)),
}


@pytest.mark.parametrize("name", TOTALS)
def test_total(name: str) -> None:
    costs, sum_ = TOTALS[name]
    assert total(iter(costs)) == sum_


NAMED = {"work/m": PLAIN, "m": CACHING, "v/m": FREE}
FOUND: dict[tuple[str, str], Price | None] = {
    ("work", "m"): PLAIN,
    ("other", "m"): CACHING,
    ("other", "v/m"): FREE,
    ("other", "w/m"): CACHING,
    ("other", "w/x/m"): CACHING,
    ("other", "m:free"): None,
    ("other", "M"): None,
    ("other", ""): None,
}


@pytest.mark.parametrize("asked", FOUND, ids="/".join)
def test_find_price(asked: tuple[str, str]) -> None:
    assert find_price(NAMED, *asked) is FOUND[asked]
