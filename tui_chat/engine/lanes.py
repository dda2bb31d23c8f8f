"""Several Asks at once: each in a lane of its own, none disturbed by another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui_chat.domain.events import Cancelled
from tui_chat.engine.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.events import Outcome
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.ports import Engine
    from tui_chat.engine.run import Listener, Ready


class Lane:
    """A run in a task of its own."""

    def __init__(self, run: Run, slots: asyncio.Semaphore | None, ready: Ready | None) -> None:
        self.run = run
        self._task = asyncio.ensure_future(run.go(slots, ready))
        # A task cancelled before its first step never enters the run.
        self._task.add_done_callback(lambda _: run.end(Cancelled()))

    def cancel(self, cause: Failure | None = None) -> None:
        """End the lane's run at once; what was received is kept."""
        self.run.stop(cause)

    async def outcome(self) -> Outcome:
        """How the run ended; a cancellation of the waiting task ends the run first."""
        return await self._task


def start(
    engine: Engine,
    asks: Mapping[str, Ask],
    listener: Listener,
    limit: int | None = None,
    ready: Ready | None = None,
    slots: asyncio.Semaphore | None = None,
) -> list[Lane]:
    """Start every Ask in the lane of its name, at most `limit` at a time; the listener hears all of them.

    No request leaves before `ready` returns. `slots` in place of a limit are shared with lanes started elsewhere.
    """
    slots = slots if limit is None else asyncio.Semaphore(limit)
    return [Lane(Run(engine, ask, listener, name), slots, ready) for name, ask in asks.items()]
