"""How fast an answer came over the whole of its run, in a memory that does not grow with it."""

from __future__ import annotations

BUCKETS = 28
STEP_S = 0.25
"""What a bucket covers at first; each time the run outgrows all of them, two become one."""


class Tempo:
    """Tokens by time since the run began; O(1) for each, but for the rare time that buckets become one."""

    def __init__(self) -> None:
        self.step_s = STEP_S
        self._buckets: list[float] = []

    def add(self, at: float, tokens: float) -> None:
        """`tokens` came `at` seconds of the run; times never go back."""
        self._make_room(at)
        place = int(at / self.step_s)
        self._buckets += [0.0] * (place + 1 - len(self._buckets))
        self._buckets[place] += tokens

    def rates(self, end: float) -> tuple[float, ...]:
        """Tokens per second in each bucket that is over `end` seconds into the run; at least one with what came."""
        self._make_room(end)
        over = min(BUCKETS, max(int(end / self.step_s), 1 if any(self._buckets) else 0))
        buckets = [*self._buckets[:over], *[0.0] * (over - len(self._buckets))]
        return tuple(tokens / self.step_s for tokens in buckets)

    def _make_room(self, at: float) -> None:
        while at >= BUCKETS * self.step_s:
            pairs = [*self._buckets, 0.0]
            self._buckets = [pairs[i] + pairs[i + 1] for i in range(0, len(self._buckets), 2)]
            self.step_s *= 2
