"""When to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.endpoint import RetryPolicy
from tui_chat.wire.retry import JITTER, backoff, clock_time, retry_after, should_retry

NOW = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT"""
THEN = "Wed, 21 Oct 2015 07:28:30 GMT"

HEADERS: dict[str, tuple[dict[str, str], float | None]] = {
    "nothing": ({}, None),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "milliseconds first": ({"retry-after-ms": "500", "retry-after": "7"}, 0.5),
    "milliseconds as garbage": ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
    "milliseconds below zero": ({"retry-after-ms": "-5", "retry-after": "7"}, 7.0),
    "seconds": ({"retry-after": "7"}, 7.0),
    "seconds with a fraction": ({"retry-after": "0.25"}, 0.25),
    "seconds with spaces": ({"retry-after": " 7 "}, 7.0),
    "zero leaves it to the backoff": ({"retry-after": "0"}, None),
    "below zero": ({"retry-after": "-7"}, None),
    "garbage": ({"retry-after": "soon"}, None),
    "empty": ({"retry-after": ""}, None),
    "not a number": ({"retry-after": "nan"}, None),
    "without end": ({"retry-after": "inf"}, None),
    "out of all bounds": ({"retry-after": "1e12"}, None),
    "over two minutes is told as it is": ({"retry-after": "3600"}, 3600.0),
    "date": ({"retry-after": THEN}, 30.0),
    "date, by the server's clock": ({"retry-after": THEN, "date": "Wed, 21 Oct 2015 07:28:20 GMT"}, 10.0),
    "date, the server's clock being garbage": ({"retry-after": THEN, "date": "today"}, 30.0),
    "date in another zone": ({"retry-after": "Wed, 21 Oct 2015 09:28:30 +0200"}, 30.0),
    "date without a zone": ({"retry-after": "Wed, 21 Oct 2015 07:28:30"}, 30.0),
    "date gone by": ({"retry-after": "Wed, 21 Oct 2015 07:00:00 GMT"}, None),
    "date at the end of time": ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
    "date of a year too long": ({"retry-after": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"}, None),
    "date that is none": ({"retry-after": "Wed, 99 Oct 2015 25:61:00 GMT"}, None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_retry_after(name: str) -> None:
    headers, seconds = HEADERS[name]
    assert retry_after(headers, NOW) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_header_gives_a_wait_that_can_be_told(value: str, date: str) -> None:
    seconds = retry_after({"retry-after": value, "date": date, "retry-after-ms": date}, NOW)
    assert seconds is None or 0 < seconds < 1e9
    if seconds is not None:
        assert clock_time(NOW + seconds).endswith(" UTC")


POLICIES = st.builds(RetryPolicy, st.integers(1, 20), st.floats(0.001, 60), st.floats(0, 600))


@given(POLICIES, st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_stays_within_its_bounds(policy: RetryPolicy, tries: int, chance: float) -> None:
    whole = min(policy.base * 2 ** min(tries - 1, 40), policy.cap)
    assert whole * (1 - JITTER) <= backoff(policy, tries, chance) <= whole


@given(POLICIES, st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_backoff_never_shrinks_with_the_tries(policy: RetryPolicy, tries: int, chance: float) -> None:
    assert backoff(policy, tries, chance) <= backoff(policy, tries + 1, chance)


def test_backoff_by_hand() -> None:
    policy = RetryPolicy(base=0.5, cap=3)
    assert [backoff(policy, n, 0.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff(policy, 3, 0.5) == 1.75


def test_x_should_retry() -> None:
    values = {"true": True, "false": False, " True ": True, "1": None, "": None}
    assert {value: should_retry({"x-should-retry": value}) for value in values} == values
    assert should_retry({}) is None


def test_clock_time() -> None:
    assert clock_time(NOW + 65) == "07:29:05 UTC"
