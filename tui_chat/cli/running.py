"""Running a command's coroutine so that signals end it in order."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from tui_chat.cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def run_until_signal(work: Callable[[], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
    """The coroutine's exit code, or 130, 143 or 129 when SIGINT, SIGTERM or SIGHUP cancelled it.

    The work sees one CancelledError and may still print what it has; what it returns then gives way to the signal.
    """
    caught: list[ExitCode] = []

    async def guarded() -> ExitCode:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()

        def stop(code: ExitCode) -> None:
            caught.append(code)
            task.cancel()

        for number, code in (
            (signal.SIGINT, ExitCode.INTERRUPTED),
            (signal.SIGTERM, ExitCode.TERMINATED),
            (signal.SIGHUP, ExitCode.HUNG_UP),
        ):
            loop.add_signal_handler(number, stop, code)
        try:
            return await task
        except asyncio.CancelledError:
            return ExitCode.INTERRUPTED

    code = asyncio.run(guarded())
    return caught[0] if caught else code
