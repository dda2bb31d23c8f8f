"""Figures of a server -> figures of ours, as far as they are any: what cannot be is taken for not said."""

from __future__ import annotations

from decimal import Decimal

MOST_TOKENS = 10**12
MOST_USD = Decimal(10**6)
"""What lies beyond is no figure of one reply."""


def tokens(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= MOST_TOKENS else None


def amount(usd: Decimal | None) -> Decimal | None:
    return usd if usd is not None and usd.is_finite() and 0 <= usd <= MOST_USD else None


def measure(value: float | None) -> float | None:
    """A measurement: a division by nothing gives inf or NaN."""
    return value if value is not None and 0 <= value < 1e12 else None


def seconds(milliseconds: float | None) -> float | None:
    measured = measure(milliseconds)
    return None if measured is None else measured / 1000
