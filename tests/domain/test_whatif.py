"""The same traffic elsewhere."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.building import builds
from tui_chat.domain.events import Usage
from tui_chat.domain.pricing import Price, Tier, Window, billed
from tui_chat.domain.usage import Line
from tui_chat.domain.whatif import ARTICLE, DAY_S, Offer, Request, elsewhere, monthly, saving, span, what_if
from tui_chat.store.shipped import shipped_prices

D = Decimal
MONTH = [Request(Usage(input=0, output=10_000_000), many=True)]
ONE, TWO = Price(D(1), D(4)), Price(D(2), D(8))
PEAK = Window(D(2), D(8), begins=60, ends=240, weekdays=(1, 2, 3, 4, 5))
HOURLY = Price(D(1), D(4), windows=(PEAK, Window(D(2), D(8), begins=360, ends=600, weekdays=(1, 2, 3, 4, 5))))


def test_the_article_to_the_cent() -> None:
    rows = what_if(MONTH, [Offer(name, shipped_prices()[name]) for name in ARTICLE])
    assert [(row.model, row.usd) for row in rows] == [
        ("claude-sonnet-4-5", 150),
        ("gpt-4.1", 80),
        ("gemini-2.5-flash", 25),
        ("deepseek-v3.2", D("4.2")),
    ]
    assert (rows[0].ratio, rows[0].saving_pct) == (1, 0)
    assert (rows[3].ratio, rows[3].saving_pct) == (D("0.028"), D("97.2"))


def test_against_another_model() -> None:
    rows = what_if(MONTH, [Offer(name, shipped_prices()[name]) for name in ARTICLE], "gpt-4.1")
    assert [row.saving_pct for row in rows] == [D("-87.5"), 0, D("68.75"), D("94.75")]
    assert [row.ratio for row in rows] == [D("1.875"), 1, D("0.3125"), D("0.0525")]


def test_without_a_price_a_model_comes_last_and_has_no_figures() -> None:
    rows = what_if(MONTH, [Offer("x", None), Offer("one", ONE)])
    assert [(row.model, row.usd, row.ratio, row.saving_pct) for row in rows] == [
        ("one", 40, 1, 0),
        ("x", None, None, None),
    ]
    assert [row.ratio for row in what_if(MONTH, [Offer("one", ONE)], "nobody")] == [None]


def test_what_costs_nothing_saves_everything() -> None:
    rows = what_if(MONTH, [Offer("free", Price(D(0), D(0))), Offer("one", ONE)])
    assert [(row.model, row.ratio, row.saving_pct) for row in rows] == [("one", 1, 0), ("free", 0, 100)]
    assert what_if(MONTH, [Offer("free", Price(D(0), D(0)))])[0].ratio is None


def test_a_price_that_changes_with_the_time_has_a_row_for_each() -> None:
    rows = what_if(MONTH, [Offer("m", HOURLY)])
    assert [(row.usd, row.when) for row in rows] == [
        (80, "01:00-04:00 UTC Mon-Fri, 06:00-10:00 UTC Mon-Fri"),
        (40, "otherwise"),
    ]


def test_measured_traffic_is_priced_at_its_times() -> None:
    saturday, monday = 1_795_228_200, 1_795_228_200 + 2 * 86_400
    usage = Usage(input=0, output=1_000_000)
    rows = what_if([Request(usage, saturday), Request(usage, monday)], [Offer("m", HOURLY)])
    assert [(row.usd, row.when) for row in rows] == [(12, "")]


def test_the_tokens_of_many_requests_reach_no_threshold() -> None:
    price = Price(D(1), D(4), tiers=(Tier(D(9), D(9), above=200_000),))
    usage = Usage(input=1_000_000, output=0)
    assert what_if([Request(usage, many=True)], [Offer("m", price)])[0].usd == 1
    assert what_if([Request(usage)], [Offer("m", price)])[0].usd == 9


SPANS = {
    "01:00-04:00 UTC Mon-Fri": PEAK,
    "22:00-02:00 UTC": Window(D(1), D(1), begins=1320, ends=120),
    "Sat Sun": Window(D(1), D(1), weekdays=(6, 7)),
    "Mon Wed Fri": Window(D(1), D(1), weekdays=(1, 3, 5)),
    "from 2027-01-01": Window(D(1), D(1), since="2027-01-01"),
}


@pytest.mark.parametrize("text", SPANS)
def test_a_window_in_words(text: str) -> None:
    assert span(SPANS[text]) == text


AMOUNTS = st.decimals(0, 1000, places=6)
PRICES = st.builds(Price, AMOUNTS, AMOUNTS)


@given(st.lists(PRICES, min_size=1, max_size=6), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_dearest_first(prices: list[Price], given_: int, output: int) -> None:
    rows = what_if([Request(Usage(input=given_, output=output))], [Offer(str(n), p) for n, p in enumerate(prices)])
    amounts = [row.usd for row in rows if row.usd is not None]
    assert amounts == sorted(amounts, reverse=True)
    assert len(rows) == len(prices)
    for row in rows:
        if row.ratio is not None and row.saving_pct is not None:
            assert abs(100 * (1 - row.ratio) - row.saving_pct) <= D("0.0051")


def test_a_saving_against_nothing_is_none() -> None:
    assert saving(D(1), D(0)) is None
    assert saving(D("4.2"), D(80)) == D("94.75")


NOON = 1_790_000_000.0
TIERED = Price(D(1), D(4), D("0.1"), tiers=(Tier(D(2), D(8), D("0.2"), above=1000), Tier(D(3), D(9), above=5000)))
BEYOND = Price(D(1), D(4), D("0.1"), tiers=(Tier(D(2), D(8), D("0.2"), above=1000, whole=False),))
FULL = Price(D(1), D(4), D("0.1"), D("1.25"), D(2), D(5))


def paid(usd: str | None, *, estimated: bool = False) -> Line:
    known = None if usd is None else D(usd)
    return Line("m", 0, 1, usd=known, estimated=estimated, unpriced=int(usd is None))


def test_against_what_was_paid() -> None:
    traffic = [(Request(Usage(output=1_000_000), NOON + n), paid("1.5")) for n in range(2)]
    found = elsewhere(traffic, [Offer("two", TWO), Offer("one", ONE), Offer("x", None)])
    assert [(row.model, row.usd, row.ratio, row.saving_pct) for row in found.rows] == [
        ("two", 16, D("5.3333"), D("-433.3333")),
        ("one", 8, D("2.6667"), D("-166.6667")),
        ("x", None, None, None),
    ]
    assert (found.total.usd, found.total.requests, found.total.output) == (3, 2, 2_000_000)
    assert (found.first, found.last, found.reference) == (NOON, NOON + 1, None)


@pytest.mark.parametrize("usd", [None, "0"])
def test_against_the_dearest_where_nothing_was_paid_or_not_all_is_known(usd: str | None) -> None:
    traffic = [(Request(Usage(output=1_000_000), NOON), own) for own in (paid("0"), paid(usd))]
    found = elsewhere(traffic, [Offer("one", ONE), Offer("two", TWO)])
    assert (found.reference, [row.ratio for row in found.rows]) == ("two", [1, D("0.5")])
    assert found.total.unpriced == (usd is None)


def test_against_a_model_that_is_named() -> None:
    found = elsewhere([(Request(Usage(output=9), NOON), paid("1"))], [Offer("one", ONE), Offer("two", TWO)], "one")
    assert (found.reference, [row.ratio for row in found.rows]) == ("one", [2, 1])


def test_no_traffic_has_no_figures() -> None:
    found = elsewhere([], [Offer("one", ONE)])
    assert (found.total.usd, found.total.requests, found.first, found.rows[0].ratio) == (None, 0, None, None)


COUNT = st.none() | st.integers(0, 20_000)
USAGES = builds(
    Usage, input=COUNT, cached=COUNT, cache_write=COUNT, reasoning=COUNT, output=COUNT, cache_write_1h=COUNT
)


@given(
    st.lists(st.tuples(USAGES, st.floats(0, 14 * DAY_S)), max_size=12),
    st.sampled_from([ONE, FULL, TIERED, BEYOND, HOURLY]),
)
def test_requests_cost_together_what_each_costs(traffic: list[tuple[Usage, float]], price: Price) -> None:
    requests = [(Request(usage, NOON + at), paid(None)) for usage, at in traffic]
    found = elsewhere(requests, [Offer("m", price)]).rows[0]
    assert found.usd == sum((billed(request.usage, price.at(request.at)) for request, _ in requests), D(0))


def test_a_month_like_the_days_that_were() -> None:
    assert monthly(D(3), NOON, NOON + 10 * DAY_S) == 9
    assert monthly(D(3), NOON, NOON + 5) == 90
    assert monthly(None, NOON, NOON) is None
    assert monthly(D(3), None, NOON) is None
