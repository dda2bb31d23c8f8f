"""What the store adds to a stream of 1,000 tokens a second: `python tests/bench/bench_journal.py [SECONDS]`.

Prints the share of the processor with and without the journal, and how late a ticker of 5 ms came at worst.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kit import DONE, engine, said, stopped
from tests.kit.desk import Desk
from tests.kit.stage import endpoint
from tui_chat.domain.ask import Settings
from tui_chat.engine.clock import SystemClock
from tui_chat.engine.reply import Target
from tui_chat.engine.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RATE = 1000
TICK_S = 0.005
ROUNDS = 3


class Steady:
    """A transport that says `RATE` words a second, at each moment as many as are due."""

    status, headers, connect_s, via = 200, {"content-type": "text/event-stream"}, None, None

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @asynccontextmanager
    async def open(self, *_: Any) -> AsyncIterator[Any]:
        yield self

    async def chunks(self) -> AsyncIterator[bytes]:
        began, sent = time.perf_counter(), 0
        while sent < self.seconds * RATE:
            due = int((time.perf_counter() - began) * RATE)
            for n in range(sent, due):
                yield said(f"word{n % 10} ")
            sent = max(sent, due)
            await asyncio.sleep(0.004)
        yield stopped() + DONE


async def late(lateness: list[float]) -> None:
    """Note how late each tick comes."""
    while True:
        due = time.perf_counter() + TICK_S
        await asyncio.sleep(TICK_S)
        lateness.append(time.perf_counter() - due)


async def stream(seconds: float, folder: Path | None) -> tuple[float, list[float]]:
    """(seconds of the processor, lateness of the ticks) of one reply, put down in `folder`."""
    session = Session(engine(Steady(seconds), SystemClock()), Target(endpoint(), "m", Settings()))
    desk = None if folder is None else Desk(folder).open()
    if desk is not None:
        desk.journal(session)
    lateness: list[float] = []
    ticker = asyncio.create_task(late(lateness))
    began = time.process_time()
    session.submit("hi")
    while session.running:
        await asyncio.sleep(0.02)
    if desk is not None:
        await asyncio.to_thread(desk.database.flush, 10.0)
    spent = time.process_time() - began
    ticker.cancel()
    if desk is not None:
        desk.close()
    return spent, lateness


def told(name: str, spent: float, lateness: list[float], seconds: float) -> None:
    ordered = sorted(lateness)
    print(
        f"{name:8} {100 * spent / seconds:5.2f} % CPU; a tick of 5 ms late by"
        f" {1000 * statistics.median(ordered):.2f} ms (median), {1000 * ordered[-len(ordered) // 100]:.2f} ms (p99),"
        f" {1000 * ordered[-1]:.2f} ms (worst)"
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    added: list[float] = []
    for n in range(ROUNDS):
        bare, late_bare = asyncio.run(stream(seconds, None))
        with tempfile.TemporaryDirectory() as folder:
            stored, late_stored = asyncio.run(stream(seconds, Path(folder) / str(n)))
        told("without", bare, late_bare, seconds)
        told("with", stored, late_stored, seconds)
        added.append(100 * (stored - bare) / seconds)
    print(f"the store adds {statistics.median(added):.2f} % CPU (median of {ROUNDS})")


if __name__ == "__main__":
    main()
