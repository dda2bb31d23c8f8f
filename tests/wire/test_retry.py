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
    "requests used up": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0.5s"}, 360.5),
    "milliseconds of a limit": ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
    "the longest of the limits": (
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "3s",
        },
        3.0,
    ),
    "limits with something left": ({"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "3s"}, None),
    "Retry-After before the limits": (
        {"retry-after": "2", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3s"},
        2.0,
    ),
    "a limit that ends at a moment": (
        {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2015-10-21T07:28:12Z"},
        12.0,
    ),
    "a limit in epoch milliseconds": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1445412485000"}, 5.0),
    "a limit in seconds": ({"ratelimit-remaining": "0", "ratelimit-reset": "40"}, 40.0),
    "a limit that has ended": ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1445412479"}, None),
    "a limit that is garbage": ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3 soon"}, None),
    "date that is none": ({"retry-after": "Wed, 99 Oct 2015 25:61:00 GMT"}, None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_retry_after(name: str) -> None:
    headers, seconds = HEADERS[name]
    assert retry_after(headers, NOW) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_header_gives_a_wait_that_can_be_told(value: str, date: str) -> None:
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": date}
    seconds = retry_after({"retry-after": value, "date": date, "retry-after-ms": date} | limit, NOW)
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
