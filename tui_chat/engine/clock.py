"""Time and chance as arguments: the engine asks here, tests hand in their own."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch."""
        ...

    def chance(self) -> float:
        """A random number in [0, 1)."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...


class SystemClock:
    """The machine's clock, on the running event loop."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def chance(self) -> float:
        return random.random()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(seconds, callback)


class ClockOver:
    """A clock that shows another one; what differs is overridden."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner

    def now(self) -> float:
        return self._inner.now()

    def wall(self) -> float:
        return self._inner.wall()

    def chance(self) -> float:
        return self._inner.chance()

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return self._inner.call_later(seconds, callback)


class ScaledClock(ClockOver):
    """A clock on which `speed` seconds pass in one second of the clock below it; `speed` is above 0."""

    def __init__(self, inner: Clock, speed: float) -> None:
        super().__init__(inner)
        self._speed = speed
        self._began = inner.now()
        self._began_wall = inner.wall()

    def now(self) -> float:
        return (self._inner.now() - self._began) * self._speed

    def wall(self) -> float:
        return self._began_wall + self.now()

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds / self._speed)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return self._inner.call_later(seconds / self._speed, callback)


@dataclass(order=True, slots=True)
class VirtualTimer:
    when: float
    number: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """Time that passes while somebody sleeps and at no other moment, and then at once.

    Timers that are due meanwhile ring in their order, each at its own time. It starts at 0 and at the epoch.
    """

    SETTLE_TICKS = 30
    """Turns of the loop that whoever was rung has to act before time goes on."""

    def __init__(self) -> None:
        self._now = 0.0
        self._made = 0
        self._timers: list[VirtualTimer] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now

    def chance(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        until = self._now + max(0.0, seconds)
        while self._timers and self._timers[0].when <= until:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self._now = max(self._now, timer.when)
                timer.callback()
                for _ in range(self.SETTLE_TICKS):
                    await asyncio.sleep(0)
        self._now = max(self._now, until)
        await asyncio.sleep(0)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> VirtualTimer:
        self._made += 1
        timer = VirtualTimer(self._now + max(0.0, seconds), self._made, callback)
        heapq.heappush(self._timers, timer)
        return timer
