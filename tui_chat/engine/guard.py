"""At most one cancellation reaches a stream.

Two cancellations a tick apart make httpx 0.28 leak the connection, and after ten the pool is full (encode/httpx#3782).
Users cancel, timers cancel, the closing program cancels: all of them go through here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from tui_chat.domain.failure import Failure

T = TypeVar("T")

INSIST_S = 0.05


class Interrupted(Exception):
    """The guarded work was cancelled from within the house: for this cause, or because it was no longer needed."""

    def __init__(self, cause: Failure | None) -> None:
        super().__init__(cause)
        self.cause = cause


class Guard(Generic[T]):
    """Runs a coroutine in a task of its own, which one cancellation reaches, or none."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._task = asyncio.ensure_future(work)
        self._cancelled = False
        self._cause: Failure | None = None

    def interrupt(self, cause: Failure | None = None) -> None:
        """Cancel the work for this cause, unless it was cancelled before, by whomever, or is done."""
        if not self._cancelled and not self._task.done():
            self._cancelled, self._cause = True, cause
            self._insist()

    def _insist(self) -> None:
        """Cancel the work, and again where that got lost: anyio takes one for its own when a connection just opened."""
        if not self._task.done():
            if not self._task.cancelling():
                self._task.cancel()
            self._task.get_loop().call_later(INSIST_S, self._insist)

    async def result(self) -> T:
        """The work's result; raises Interrupted after an interrupt that kept it from having one.

        When the waiting task is cancelled, the work is too, and is waited for to its very end before CancelledError
        goes on; further cancellations wait as well.
        """
        abandoned = False
        while not self._task.done():
            try:
                await asyncio.wait((self._task,))
            except asyncio.CancelledError:
                abandoned = True
                self.interrupt()
        if abandoned:
            if not self._task.cancelled():
                self._task.exception()  # seen, so that asyncio does not report it as lost
            raise asyncio.CancelledError
        if self._task.cancelled():
            raise Interrupted(self._cause)
        if self._cancelled and (trouble := self._task.exception()) is not None:
            # What broke while the work was being taken down is not why it ended.
            raise Interrupted(self._cause) from trouble
        return self._task.result()
