"""What was spent since the program began, where no store keeps it."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

KEPT_S = 2 * 86_400
"""Nobody asks for more than a day."""


class Tally:
    """ports.Ledger in memory."""

    def __init__(self) -> None:
        self._booked: deque[tuple[float, Decimal]] = deque()
        self._answers: dict[tuple[str, str], tuple[int, int]] = {}

    def book(self, at: float, usd: Decimal) -> None:
        self._booked.append((at, usd))
        while self._booked[0][0] < at - KEPT_S:
            self._booked.popleft()

    def spent_since(self, at: float) -> Decimal:
        return sum((usd for when, usd in self._booked if when >= at), Decimal(0))

    def answered(self, endpoint: str, model: str, tokens: int) -> None:
        count, before = self._answers.get((endpoint, model), (0, 0))
        self._answers[endpoint, model] = count + 1, before + tokens

    def answer_tokens(self, endpoint: str, model: str) -> float | None:
        count, tokens = self._answers.get((endpoint, model), (0, 0))
        return tokens / count if count else None
