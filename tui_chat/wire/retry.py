"""When to try again: the server's own words first, exponential backoff with jitter else. Pure arithmetic."""

from __future__ import annotations

import re
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
LIMITS = (
    *((f"x-ratelimit-remaining{of}", f"x-ratelimit-reset{of}") for of in ("", "-requests", "-tokens")),
    *(
        (f"anthropic-ratelimit-{of}-remaining", f"anthropic-ratelimit-{of}-reset")
        for of in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
    ("ratelimit-remaining", "ratelimit-reset"),
)
"""Headers that say how much is left, and when there is more."""
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
JITTER = 0.25
"""Share of a backoff that chance may take off, so that many clients do not come back at once."""
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the server asks to wait: `retry-after-ms`, `Retry-After` in seconds or as a date, then its limits.

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
    if not value:
        seconds = limits_reset(headers, now)
    return seconds if seconds is not None and 0 < seconds < LONGEST_S else None


def limits_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until every limit that is used up has something left; None where none is, or the headers do not tell."""
    used_up = [reset for left, reset in LIMITS if _number(headers.get(left, "")) == 0]
    waits = [_span(headers.get(reset, "").strip(), now) for reset in used_up]
    return max((wait for wait in waits if wait is not None), default=None)


def _span(text: str, now: float) -> float | None:
    """`6m0s`, `20ms`, `1.5`, a moment in ISO 8601 or in epoch seconds or milliseconds, as seconds from now."""
    parts = _PARTS.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * UNITS[unit] for number, unit in parts)
    try:
        number = float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text).timestamp() - now
        except (ValueError, OverflowError):
            return None
    moment = number / 1000 if number > 1e11 else number
    return moment - now if moment > 1e9 else moment


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
