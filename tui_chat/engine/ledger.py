"""What was spent since the program began, where no store keeps it."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

KEPT_S = 2 * 86_400
"""Nobody asks for more than a day."""


class Tally:
    """ports.Ledger in memory."""

    def __init__(self) -> None:
        self._booked: deque[tuple[float, Decimal, bool]] = deque()
        """(when, USD, whether that is an estimate)"""
        self._answers: dict[tuple[str, str], tuple[int, int]] = {}

    def book(self, at: float, usd: Decimal, *, estimated: bool = False) -> None:
        self._booked.append((at, usd, estimated))
        while self._booked[0][0] < at - KEPT_S:
            self._booked.popleft()

    def spent_since(self, at: float) -> Decimal:
        return sum((usd for when, usd, _ in self._booked if when >= at), Decimal(0))

    def estimated_since(self, at: float) -> bool:
        return any(estimated for when, _, estimated in self._booked if when >= at)

    def answered(self, endpoint: str, model: str, tokens: int) -> None:
        count, before = self._answers.get((endpoint, model), (0, 0))
        self._answers[endpoint, model] = count + 1, before + tokens

    def answer_tokens(self, endpoint: str, model: str) -> float | None:
        count, tokens = self._answers.get((endpoint, model), (0, 0))
        return tokens / count if count else None
