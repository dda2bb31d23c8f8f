"""What the requests of a history came to, by model, endpoint or day."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from decimal import Decimal

COUNTS = ("input", "cached", "cache_write", "reasoning", "output")


class By(StrEnum):
    """What a report has a line for each of."""

    MODEL = "model"
    ENDPOINT = "endpoint"
    DAY = "day"


class Asked(Struct, frozen=True):
    """Which requests a report is about; None is no limit."""

    by: By = By.MODEL
    since: date | None = None
    """The first day, by the clock of this place."""
    until: date | None = None
    """The first day that is not wanted any more."""
    model: str | None = None
    endpoint: str | None = None
    conversation: str | None = None
    turn: str | None = None


class Line(Struct, frozen=True):
    """Some requests together. Tokens are None where no request has told any, or as many as have."""

    key: str
    """Model, endpoint or ISO day; empty for the sum of all."""
    replies: int = 0
    requests: int = 0
    """Every try counts, the failed and the cancelled ones too."""
    failed: int = 0
    input: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    output: int | None = None
    exact: bool = True
    """All of these tokens were counted by providers."""
    usd: Decimal | None = None
    """The sum of what is known; None when nothing is."""
    estimated: bool = False
    """A part of it is an estimate."""
    unpriced: int = 0
    """Requests with tokens whose cost is not known, so that it is not in the sum."""
    ttft_s: float | None = None
    tok_per_s: float | None = None
    """Medians over the requests that have such a figure."""

    @property
    def cost(self) -> Cost:
        if self.usd is None:
            return UNKNOWN
        return Cost(self.usd, CostSource.ESTIMATED if self.estimated else CostSource.COMPUTED)

    @property
    def tokens(self) -> int:
        return (self.input or 0) + (self.output or 0)


class Report(Struct, frozen=True):
    """Models and endpoints the dearest first, days the newest first."""

    asked: Asked
    lines: tuple[Line, ...] = ()
    total: Line = field(default_factory=lambda: Line(""))
    first: float | None = None
    last: float | None = None
    """When the first and the last request were sent, in epoch seconds."""

    def shares(self) -> list[float]:
        """How long the bar of each line is, from 0 to 1: its cost or, where none is known, its tokens."""
        priced = any(line.usd for line in self.lines)
        sizes = [float(line.usd or 0) if priced else float(line.tokens) for line in self.lines]
        most = max(sizes, default=0.0)
        return [size / most if most else 0.0 for size in sizes]


def sorted_lines(by: By, lines: list[Line]) -> tuple[Line, ...]:
    if by is By.DAY:
        return tuple(sorted(lines, key=lambda line: line.key, reverse=True))
    return tuple(sorted(lines, key=lambda line: (line.usd is None, -(line.usd or 0), -line.tokens, line.key)))


def summed(lines: Iterable[Line]) -> Line:
    """All of them together; its medians cannot be known from theirs."""
    total = Line("")
    for line in lines:
        counts = {name: added(getattr(total, name), getattr(line, name)) for name in COUNTS}
        total = Line(
            "",
            total.replies + line.replies,
            total.requests + line.requests,
            total.failed + line.failed,
            **counts,
            exact=total.exact and line.exact,
            usd=line.usd if total.usd is None else total.usd + (line.usd or 0),
            estimated=total.estimated or line.estimated,
            unpriced=total.unpriced + line.unpriced,
        )
    return total


def added(one: int | None, other: int | None) -> int | None:
    return other if one is None else one + (other or 0)
