"""What a request may cost, and the limits that it crosses."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tui_chat.domain.budget import (
    ANSWER_TOKENS,
    Budget,
    Crossing,
    Estimate,
    Left,
    Limit,
    Spent,
    crossed,
    expected_output,
    judged,
    judged_together,
    left,
    likely_cost,
)
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource, Price, Tier, Window

D = Decimal
PRICE = Price(input=D(2), output=D(8))
ALL = Budget(per_reply=D("0.10"), per_conversation=D("0.50"), per_day=D(1), per_command=D("0.05"))
AMOUNTS = st.decimals(0, 1000, places=6)
CAPS = st.none() | AMOUNTS
BUDGETS = st.builds(Budget, CAPS, CAPS, CAPS, CAPS)
SPENT = st.builds(Spent, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
TOKENS = st.integers(0, 2_000_000)


@pytest.mark.parametrize(
    ("price", "input", "output", "usd"),
    [
        (PRICE, 1000, 500, "0.006"),
        (PRICE, 0, 0, "0"),
        (PRICE, 0.2, 0.2, "0.00001"),
        (replace(PRICE, tiers=(Tier(D(4), D(16), above=1000),)), 1001, 500, "0.012004"),
        (replace(PRICE, cached=D("0.5")), 1000, 0, "0.002"),
        (Price(D(0), D(0)), 1000, 1000, "0"),
    ],
    ids=["plain", "nothing", "a part of a token is one", "tier", "no cache is counted on", "free"],
)
def test_likely_cost(price: Price, input: float, output: float, usd: str) -> None:
    cost = likely_cost(input, output, price)
    assert (cost.usd, cost.source) == (D(usd), CostSource.ESTIMATED)


def test_the_likely_cost_goes_by_the_time() -> None:
    price = replace(PRICE, windows=(Window(D(4), D(16), begins=60, ends=240),))
    assert likely_cost(1000, 0, price, at=2 * 3600).usd == D("0.004")
    assert likely_cost(1000, 0, price, at=5 * 3600).usd == D("0.002")


def test_an_estimate_of_several_tells_how_many_have_no_price() -> None:
    priced = Estimate(1000, 500, likely_cost(1000, 500, PRICE), likely_cost(1000, 0, PRICE))
    unknown = Estimate(1000, 500, UNKNOWN)
    assert "price?" not in judged_together([priced, priced], ALL, Spent()).line
    assert judged_together([priced, unknown, unknown], ALL, Spent()).line.endswith("price? for 2 of 3 requests")


def test_without_a_price_the_likely_cost_is_unknown() -> None:
    assert likely_cost(1000, 1000, None) == UNKNOWN


@pytest.mark.parametrize(
    ("limit", "typical", "tokens"),
    [(50, 700.0, 50), (None, 700.2, 701), (None, None, ANSWER_TOKENS), (None, 0.0, 0)],
)
def test_expected_output(limit: int | None, typical: float | None, tokens: int) -> None:
    assert expected_output(limit, typical) == tokens


CROSSINGS: dict[str, tuple[Spent, str, list[tuple[Limit, str]]]] = {
    "far below": (Spent(), "0.01", []),
    "exactly the limit is within it": (Spent(), "0.05", []),
    "the command": (Spent(), "0.06", [(Limit.COMMAND, "0.06")]),
    "a reply taken up again": (Spent(reply=D("0.09")), "0.02", [(Limit.REPLY, "0.11")]),
    "the conversation": (Spent(conversation=D("0.49")), "0.02", [(Limit.CONVERSATION, "0.51")]),
    "the day": (Spent(day=D("0.999")), "0.002", [(Limit.DAY, "1.001")]),
    "several": (
        Spent(conversation=D("0.45"), day=D("0.95")),
        "0.06",
        [(Limit.COMMAND, "0.06"), (Limit.CONVERSATION, "0.51"), (Limit.DAY, "1.01")],
    ),
}


@pytest.mark.parametrize(("spent", "more", "found"), CROSSINGS.values(), ids=CROSSINGS)
def test_crossed(spent: Spent, more: str, found: list[tuple[Limit, str]]) -> None:
    crossings = crossed(ALL, spent, D(more))
    assert [(c.limit, c.usd) for c in crossings] == [(limit, D(usd)) for limit, usd in found]
    assert all(c.cap == ALL.cap(c.limit) for c in crossings)


def test_a_limit_that_was_let_go_is_not_crossed() -> None:
    found = crossed(ALL, Spent(day=D(2)), D("0.2"), {Limit.DAY, Limit.COMMAND})
    assert [c.limit for c in found] == [Limit.REPLY]


def test_a_limit_of_nothing_allows_what_costs_nothing() -> None:
    budget = Budget(per_day=D(0))
    assert crossed(budget, Spent()) == ()
    assert [c.limit for c in crossed(budget, Spent(), D("0.000001"))] == [Limit.DAY]


def test_without_a_budget_nothing_is_crossed() -> None:
    assert Budget().empty
    assert not ALL.empty
    assert crossed(Budget(), Spent(D(9), D(9), D(9), D(9)), D(9)) == ()


def test_what_is_left() -> None:
    spent = Spent(reply=D("0.01"), conversation=D("0.48"), day=D("1.5"))
    assert left(replace(ALL, per_command=None), spent) == (
        Left(Limit.DAY, D(1), D(0)),
        Left(Limit.CONVERSATION, D("0.50"), D("0.02")),
        Left(Limit.REPLY, D("0.10"), D("0.09")),
    )
    assert left(Budget(), spent) == ()


def test_an_estimate_says_what_it_would_cross() -> None:
    estimate = Estimate(12_400, 800, Cost(D("0.0312"), CostSource.ESTIMATED))
    found = judged(estimate, Budget(per_conversation=D("0.50"), per_day=D(1)), Spent(day=D("0.99")))
    assert found.crossings == (Crossing(Limit.DAY, D(1), D("1.0212")),)
    assert found.line == "likely ~$0.0312 for 12,400 tokens in and about 800 out"
    assert found.over == "$1.02 of $1.00 for today (per_day)"


@pytest.mark.parametrize(("least", "found"), [("0.01", []), ("0.06", [Limit.COMMAND])])
def test_the_cap_of_a_command_is_crossed_before_the_answer_by_the_input_alone(least: str, found: list[Limit]) -> None:
    estimate = Estimate(1, 1, Cost(D("0.09"), CostSource.ESTIMATED), Cost(D(least), CostSource.ESTIMATED))
    assert [c.limit for c in judged(estimate, ALL, Spent()).crossings] == found


@pytest.mark.parametrize("cost", [UNKNOWN, Cost(D(0), CostSource.ESTIMATED)], ids=["unknown", "free"])
def test_what_costs_nothing_crosses_nothing_even_beyond_a_limit(cost: Cost) -> None:
    assert judged(Estimate(10, 10, cost), ALL, Spent(D(9), D(9), D(9), D(9))).crossings == ()


@pytest.mark.parametrize("limit", Limit)
def test_every_limit_has_its_words(limit: Limit) -> None:
    assert "$0.2000 of $0.1000" in Crossing(limit, D("0.10"), D("0.20")).line


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_likely_costs_add_up(a: int, b: int, c: int, d: int) -> None:
    one, other, both = likely_cost(a, b, PRICE), likely_cost(c, d, PRICE), likely_cost(a + c, b + d, PRICE)
    assert one.usd is not None
    assert other.usd is not None
    assert both.usd == one.usd + other.usd


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_a_longer_request_is_no_cheaper(input: int, output: int, more: int, longer: int) -> None:
    price = replace(PRICE, tiers=(Tier(D(4), D(12), above=200_000), Tier(D(6), D(18), above=1_000_000, whole=False)))
    short, long = likely_cost(input, output, price), likely_cost(input + more, output + longer, price)
    assert short.usd is not None
    assert long.usd is not None
    assert short.usd <= long.usd


@given(BUDGETS, SPENT, AMOUNTS, AMOUNTS)
def test_spending_more_crosses_no_fewer_limits(budget: Budget, spent: Spent, some: Decimal, more: Decimal) -> None:
    before, after = crossed(budget, spent, some), crossed(budget, spent, some + more)
    assert {c.limit for c in before} <= {c.limit for c in after}
    assert crossed(budget, spent.and_then(some), more) == after, "what is spent and what is to come add up"


@given(BUDGETS, SPENT)
def test_what_is_left_can_be_spent_and_not_a_cent_more(budget: Budget, spent: Spent) -> None:
    for amount in left(budget, spent):
        within = {c.limit for c in crossed(budget, spent, amount.usd)}
        assert (amount.limit in within) == (spent.under(amount.limit) > amount.cap)
        assert amount.limit in {c.limit for c in crossed(budget, spent, amount.usd + D("0.000001"))}
