"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

WALL = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""
QUIET_TICKS = 60
"""More loop iterations than any chain of wake-ups in the engine takes."""


@dataclass(order=True)
class FakeTimer:
    when: float
    number: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class FakeClock:
    """engine.clock.Clock in a test's hands; `luck` is what chance() gives."""

    def __init__(self, luck: float = 0.0) -> None:
        self.luck = luck
        self._now = 0.0
        self._made = 0
        self._timers: list[FakeTimer] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return WALL + self._now

    def chance(self) -> float:
        return self.luck

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        self._made += 1
        timer = FakeTimer(self._now + max(0.0, seconds), self._made, callback)
        self._timers.append(timer)
        return timer

    @property
    def pending(self) -> int:
        """How many timers are set."""
        return sum(not timer.cancelled for timer in self._timers)

    async def settle(self) -> None:
        """Let all tasks run until they wait for something."""
        for _ in range(QUIET_TICKS):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`: every timer due on the way rings at its own time, and tasks run in between."""
        target = self._now + seconds
        await self.settle()
        while await self._ring(target):
            pass
        self._now = target

    async def finish(self, work: Awaitable[T]) -> T:
        """The result of `work`, moving from timer to timer as long as it takes; fails when nothing can end it."""
        task = asyncio.ensure_future(work)
        await self.settle()
        while not task.done():
            if not await self._ring(float("inf")):
                task.cancel()
                await asyncio.wait((task,))
                raise AssertionError("it waits, and no timer is set")
        return task.result()

    async def _ring(self, until: float) -> bool:
        """Ring the next timer, when it is due by then."""
        self._timers = sorted(timer for timer in self._timers if not timer.cancelled)
        if not self._timers or self._timers[0].when > until:
            return False
        timer = self._timers.pop(0)
        self._now = max(self._now, timer.when)
        timer.callback()
        await self.settle()
        return True


async def ticks(count: int) -> None:
    """Let the loop go round `count` times."""
    for _ in range(count):
        await asyncio.sleep(0)
