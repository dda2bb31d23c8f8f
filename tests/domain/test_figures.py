"""Figures as text."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain import figures
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource

SECONDS: dict[float | None, str] = {
    None: "–",
    0.0: "0 ms",
    0.0124: "12 ms",
    0.9994: "999 ms",
    0.9996: "1.0 s",
    1.0: "1.0 s",
    3.25: "3.2 s",
    9.96: "10.0 s",
    59.94: "59.9 s",
    59.96: "1:00 min",
    60.4: "1:00 min",
    65.0: "1:05 min",
    3599.4: "59:59 min",
    3599.6: "1:00 h",
    3660.0: "1:01 h",
    360000.0: "100:00 h",
}
RATES: dict[float | None, str] = {
    None: "– tok/s",
    0.0: "0.0 tok/s",
    41.24: "41.2 tok/s",
    99.94: "99.9 tok/s",
    99.96: "100 tok/s",
    1234.5: "1,234 tok/s",
}
USD: dict[str | None, str] = {
    None: "–",
    "0": "$0.00",
    "0.000000003": "$0.0000000030",
    "0.000123456": "$0.000123",
    "0.00123": "$0.00123",
    "0.0123": "$0.0123",
    "0.1": "$0.1000",
    "0.99994": "$0.9999",
    "0.99996": "$1.00",
    "1": "$1.00",
    "1234.567": "$1,234.57",
}
UNITS = ("ms", "s", "min", "h")


@pytest.mark.parametrize("value", SECONDS)
def test_seconds(value: float | None) -> None:
    assert figures.seconds(value) == SECONDS[value]


@given(st.floats(0, 1e6))
def test_seconds_never_reach_the_next_unit(value: float) -> None:
    number, unit = figures.seconds(value).split()
    assert unit in UNITS
    match unit:
        case "ms":
            assert 0 <= int(number) <= 999
        case "s":
            assert 1 <= float(number) < 60
        case "min":
            assert 1 <= int(number.split(":")[0]) < 60
        case _:
            pass
    assert ":" not in number or int(number.split(":")[1]) < 60


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_longer_time_has_no_smaller_unit(one: float, other: float) -> None:
    short, long = (UNITS.index(figures.seconds(v).split()[1]) for v in sorted((one, other)))
    assert short <= long


@pytest.mark.parametrize("value", RATES)
def test_rate(value: float | None) -> None:
    assert figures.rate(value) == RATES[value]
    estimated = RATES[value] if value is None else "~" + RATES[value]
    assert figures.rate(value, exact=False) == estimated


def test_tokens() -> None:
    assert figures.tokens(None) == figures.tokens(None, exact=False) == "–"
    assert (figures.tokens(0), figures.tokens(1234), figures.tokens(1234, exact=False)) == ("0", "1,234", "~1,234")


@pytest.mark.parametrize("value", USD)
def test_usd(value: str | None) -> None:
    assert figures.usd(None if value is None else Decimal(value)) == USD[value]


@given(st.decimals("0.00000001", "0.9999", places=12))
def test_small_amounts_show_three_digits(value: Decimal) -> None:
    shown = Decimal(figures.usd(value).removeprefix("$"))
    assert abs(shown - value) <= value / 100
    assert shown > 0


COUNTS: dict[int | None, str] = {
    None: "–",
    0: "0",
    999: "999",
    1000: "1.00k",
    9994: "9.99k",
    9996: "10.0k",
    99_949: "99.9k",
    99_951: "100k",
    999_499: "999k",
    999_500: "1.00M",
    1_234_567_890: "1.23G",
    10**15: "1,000T",
}


@pytest.mark.parametrize("value", COUNTS)
def test_a_short_count(value: int | None) -> None:
    assert figures.short_count(value) == COUNTS[value]
    assert figures.short_count(value, exact=False) == (COUNTS[value] if value is None else f"~{COUNTS[value]}")


BARS = {0.0: "", 0.001: "▏", 0.5: "██", 0.53: "██▏", 1.0: "████"}


@pytest.mark.parametrize("share", BARS)
def test_a_bar(share: float) -> None:
    assert figures.bar(share, 4) == BARS[share]


@given(st.floats(0, 1), st.integers(0, 40))
def test_a_bar_fits(share: float, width: int) -> None:
    assert len(figures.bar(share, width)) <= width


def test_a_spark() -> None:
    assert figures.spark([]) == ""
    assert figures.spark([0, 0]) == "  "
    assert figures.spark([0, 0.1, 4, 8]) == " ▁▄█"


MONEY = {
    "unknown": (UNKNOWN, "price?"),
    "computed": (Cost(Decimal("0.5"), CostSource.COMPUTED), "$0.5000"),
    "estimated": (Cost(Decimal("0.5"), CostSource.ESTIMATED), "~$0.5000"),
    "reported": (Cost(Decimal(2), CostSource.REPORTED), "$2.00"),
    "nothing billed": (Cost(Decimal(0), CostSource.COMPUTED), "$0.00"),
}


@pytest.mark.parametrize("name", MONEY)
def test_money(name: str) -> None:
    amount, text = MONEY[name]
    assert figures.money(amount) == text


@dataclass(frozen=True)
class Money:
    code: str
    per_usd: Decimal


EURO, DONG, DOLLAR = Money("EUR", Decimal("0.87")), Money("VND", Decimal(26350)), Money("USD", Decimal(1))
BOTH: dict[str, tuple[str, Money | None, str]] = {
    "no other currency": ("0.5", None, "$0.5000"),
    "the dollar itself": ("0.5", DOLLAR, "$0.5000"),
    "a small amount": ("0.00123", EURO, "$0.00123 (0.00107 EUR)"),
    "a large amount": ("150", EURO, "$150.00 (130.50 EUR)"),
    "a small unit": ("0.00123", DONG, "$0.00123 (32.41 VND)"),
    "nothing": ("0", DONG, "$0.00 (0.00 VND)"),
}


@pytest.mark.parametrize("name", BOTH)
def test_an_amount_in_both_currencies(name: str) -> None:
    value, currency, text = BOTH[name]
    assert figures.in_both(Decimal(value), currency) == text
    assert figures.money(Cost(Decimal(value), CostSource.ESTIMATED), currency) == f"~{text}"


def test_the_unknown_stays_unknown_in_any_currency() -> None:
    assert figures.money(UNKNOWN, EURO) == "price?"
    assert figures.in_both(None, EURO) == "–"
