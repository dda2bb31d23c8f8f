"""How many items of a batch may be under way: halved when the server says it is too much, grown back as it answers."""

from __future__ import annotations

LEAST = 1.0


class Pace:
    """Additive increase, multiplicative decrease, for the batch as a whole; times are seconds of one clock."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.until = 0.0
        """Nothing is started before this time."""
        self._limit = float(ceiling)
        self._cut_at = float("-inf")

    @property
    def limit(self) -> int:
        """How many items may be under way now."""
        return int(self._limit)

    def throttled(self, now: float, sent: float, seconds: float) -> None:
        """A request `sent` at a time was turned away, to come back in `seconds`.

        What was sent before the last cut says nothing about the pace since: one burst is one cut.
        """
        if sent >= self._cut_at:
            self._limit = max(LEAST, self._limit / 2)
            self._cut_at = now
        self.until = max(self.until, now + seconds)

    def answered(self) -> None:
        """One item was answered: about one more at a time once all that are under way have been."""
        self._limit = min(float(self.ceiling), self._limit + 1 / self._limit)
