"""Percentiles of any number of values in a bounded memory: a histogram whose bins are 2 % wide."""

from __future__ import annotations

from math import ceil, exp, floor, log

STEP = log(1.02)
"""Bins grow by this factor, so that a percentile is off by 1 % at most."""
LEAST = 1e-9
"""What is smaller counts as this."""


class Spread:
    """Values of 0 and above, added one by one."""

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.max: float | None = None
        self._bins: dict[int, int] = {}

    def add(self, value: float | None) -> None:
        """Count a value; an unknown one is left out."""
        if value is None:
            return
        self.count += 1
        self.sum += value
        self.max = value if self.max is None else max(self.max, value)
        bin = floor(log(max(value, LEAST)) / STEP)
        self._bins[bin] = self._bins.get(bin, 0) + 1

    @property
    def mean(self) -> float | None:
        return self.sum / self.count if self.count else None

    def percentile(self, percent: int) -> float | None:
        """Nearest rank, to 1 %; None where there is no value."""
        left = ceil(percent * self.count / 100)
        for bin in sorted(self._bins):
            left -= self._bins[bin]
            if left <= 0:
                return min(exp((bin + 0.5) * STEP), self.max or 0.0)
        return None
