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


@dataclass(order=True, slots=True)
class PassedTimer:
    when: float
    number: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class ScaledClock(ClockOver):
    """Time that passes while somebody sleeps, `speed` times as fast as below; with speed 0, at once. It starts at 0.

    Whoever wakes, and every timer that rings meanwhile, finds the very time that was asked for: a machine that is
    busy delays what happens and changes no time.
    """

    SETTLE_TICKS = 30
    """Turns of the loop that whoever was rung has to act before time goes on."""
    LAG_S = 0.5
    """Seconds below; who is later than that was not delayed but idle, and has nothing to catch up with."""

    def __init__(self, inner: Clock, speed: float) -> None:
        super().__init__(inner)
        self._speed = speed
        self._at = 0.0
        self._targets: list[float] = []
        """Times that are being waited for."""
        self._anchor = inner.now()
        """Time below at 0 of this clock."""
        self._began_wall = inner.wall()
        self._made = 0
        self._timers: list[PassedTimer] = []

    def now(self) -> float:
        if not self._targets or not self._speed:
            return self._at
        passed = (self._inner.now() - self._anchor) * self._speed
        return max(self._at, min(passed, *self._targets))

    def wall(self) -> float:
        return self._began_wall + self.now()

    async def sleep(self, seconds: float) -> None:
        until = self.now() + max(0.0, seconds)
        while self._timers and self._timers[0].when <= until:
            timer = self._timers[0]
            if not timer.cancelled:
                await self._reach(timer.when)
            if self._timers[:1] == [timer]:
                await self._ring(heapq.heappop(self._timers))
        await self._reach(until)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> PassedTimer:
        self._made += 1
        timer = PassedTimer(self.now() + max(0.0, seconds), self._made, callback)
        heapq.heappush(self._timers, timer)
        return timer

    async def _ring(self, timer: PassedTimer) -> None:
        if not timer.cancelled:
            timer.callback()
            for _ in range(self.SETTLE_TICKS):
                await asyncio.sleep(0)

    async def _reach(self, target: float) -> None:
        """Wait until it is `target`."""
        self._targets.append(target)
        try:
            await self._inner.sleep(self._left(target))
        except asyncio.CancelledError:
            self._at = self.now()
            raise
        else:
            self._at = max(self._at, target)
        finally:
            self._targets.remove(target)

    def _left(self, target: float) -> float:
        """Seconds below until it is `target` here."""
        if not self._speed:
            return 0.0
        below = self._inner.now()
        if below - self._anchor - self._at / self._speed > self.LAG_S:
            self._anchor = below - self._at / self._speed
        return max(0.0, self._anchor + target / self._speed - below)
