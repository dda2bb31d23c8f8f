"""At most one cancellation reaches the guarded work, and its end is always waited for."""

from __future__ import annotations

import asyncio

import pytest

from tests.kit import ticks
from tui_chat.domain.failure import Failure, Kind, failure
from tui_chat.engine import guard as guard_module
from tui_chat.engine.guard import Guard, Interrupted

LATE = failure(Kind.IDLE_TIMEOUT, "late")
OTHER = failure(Kind.TOTAL_TIMEOUT, "other")


class Work:
    """Waits, then cleans up over some ticks; counts the cancellations that reach it."""

    def __init__(self, *, ends: BaseException | str = "done", cleanup: BaseException | None = None) -> None:
        self.go = asyncio.Event()
        self.cancels = 0
        self.closed = False
        self._ends = ends
        self._cleanup = cleanup

    async def __call__(self) -> str:
        try:
            await self.go.wait()
            if isinstance(self._ends, BaseException):
                raise self._ends
            return self._ends
        except asyncio.CancelledError:
            self.cancels += 1
            raise
        finally:
            try:
                await ticks(5)
            except asyncio.CancelledError:
                self.cancels += 1
                raise
            self.closed = True
            if self._cleanup is not None:
                raise self._cleanup


async def test_result() -> None:
    work = Work()
    guard = Guard(work())
    work.go.set()
    assert await guard.result() == "done"
    assert await guard.result() == "done"


async def test_its_own_exception() -> None:
    work = Work(ends=ValueError("own"))
    work.go.set()
    with pytest.raises(ValueError, match="own"):
        await Guard(work()).result()


@pytest.mark.parametrize("cause", [None, LATE])
@pytest.mark.parametrize("pause", [0, 1, 3])
async def test_interrupt(cause: Failure | None, pause: int) -> None:
    work = Work()
    guard = Guard(work())
    await ticks(pause)
    guard.interrupt(cause)
    guard.interrupt(OTHER)
    with pytest.raises(Interrupted) as caught:
        await guard.result()
    assert caught.value.cause is cause
    assert work.cancels == (1 if pause else 0)
    assert work.closed == bool(pause)


async def test_an_interrupt_after_the_end_changes_nothing() -> None:
    work = Work()
    work.go.set()
    guard = Guard(work())
    await ticks(9)
    guard.interrupt(LATE)
    assert await guard.result() == "done"


async def test_what_breaks_while_it_is_taken_down_is_not_the_reason() -> None:
    work = Work(cleanup=OSError("closing"))
    guard = Guard(work())
    await ticks(1)
    guard.interrupt(LATE)
    with pytest.raises(Interrupted) as caught:
        await guard.result()
    assert caught.value.cause is LATE
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_result_in_spite_of_the_interrupt_stands() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "all the same"
        return "never"

    guard = Guard(stubborn())
    await ticks(1)
    guard.interrupt(LATE)
    assert await guard.result() == "all the same"


@pytest.mark.parametrize("ends", ["done", ValueError("own")])
@pytest.mark.parametrize("gap", range(4))
@pytest.mark.parametrize("pause", range(12))
async def test_the_waiting_task_is_cancelled(pause: int, gap: int, ends: BaseException | str) -> None:
    """At every tick before, at and after the end of the work, three times over."""
    work = Work(ends=ends)
    guard = Guard(work())
    waiting = asyncio.ensure_future(guard.result())
    await ticks(2)
    work.go.set()
    await ticks(pause)
    late = waiting.done()
    for _ in range(3):
        waiting.cancel()
        await ticks(gap)
    await asyncio.wait((waiting,))
    assert waiting.cancelled() != late
    assert work.cancels <= 1
    assert work.closed or work.cancels == 1
    if late:
        assert waiting.exception() is (ends if isinstance(ends, ValueError) else None)


async def test_cancelled_from_both_sides_it_is_cancelled_once() -> None:
    work = Work()
    guard = Guard(work())
    waiting = asyncio.ensure_future(guard.result())
    await ticks(2)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.wait((waiting,))
    assert waiting.cancelled()
    assert (work.cancels, work.closed) == (1, True)


async def test_a_cancellation_that_gets_lost_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """anyio swallows one that comes at the moment in which a connection opens, and takes it back from the task."""
    monkeypatch.setattr(guard_module, "INSIST_S", 0.001)
    work = Work()
    lost: list[bool] = []

    async def absent_minded() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.append(True)
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        return await work()

    guard = Guard(absent_minded())
    await ticks(1)
    guard.interrupt(LATE)
    waiting = asyncio.ensure_future(guard.result())
    await asyncio.wait((waiting,), timeout=5)
    assert waiting.done()
    assert isinstance(waiting.exception(), Interrupted)
    assert (lost, work.cancels) == ([True], 1)


async def test_a_long_cleanup_is_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "INSIST_S", 0.001)
    ended: list[bool] = []

    async def thorough() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            ended.append(True)

    guard = Guard(thorough())
    await ticks(1)
    guard.interrupt()
    with pytest.raises(Interrupted):
        await guard.result()
    assert ended


async def test_work_cancelled_by_others() -> None:
    work = Work()
    guard = Guard(work())
    await ticks(1)
    (inner,) = asyncio.all_tasks() - {asyncio.current_task()}
    inner.cancel()
    with pytest.raises(Interrupted) as caught:
        await guard.result()
    assert caught.value.cause is None
