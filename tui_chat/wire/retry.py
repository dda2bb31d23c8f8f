"""When to try again: the server's own words first, exponential backoff with jitter else. Pure arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.endpoint import RetryPolicy

PATIENCE_S = 120.0
"""The longest Retry-After that is waited for; a longer one is told to the user (as the OpenAI SDK does)."""
LONGEST_S = 1e9
"""What is longer is no time to wait but a mistake."""
JITTER = 0.25
"""Share of a backoff that chance may take off, so that many clients do not come back at once."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the server asks to wait: `retry-after-ms`, then `Retry-After` in seconds or as a date.

    `now` is the wall clock in epoch seconds; the answer's own Date is preferred, as the clocks may differ. None
    where the server says nothing, nothing sensible, or not to wait at all: then the own backoff counts.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is None and (until := http_date(value)) is not None:
        seconds = until - (http_date(headers.get("date", "")) or now)
    return seconds if seconds is not None and 0 < seconds < LONGEST_S else None


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """What `x-should-retry` says, or None when it says nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def backoff(policy: RetryPolicy, tries: int, chance: float) -> float:
    """Seconds to wait after `tries` failed tries: min(base * 2^n, cap), less up to a quarter by `chance` in [0, 1)."""
    exponent = min(tries - 1, 32)
    return min(policy.base * 2**exponent, policy.cap) * (1 - JITTER * chance)


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < LONGEST_S else None


def http_date(value: str) -> float | None:
    """A date as HTTP writes it, in epoch seconds; None when it is none."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def clock_time(epoch: float) -> str:
    """HH:MM:SS UTC of an epoch time, for telling a user when to come back."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M:%S UTC")
