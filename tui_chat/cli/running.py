"""Running a command: its house opened, its coroutine ended in order by signals."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tui_chat.cli.exits import ExitCode
from tui_chat.cli.output import complain
from tui_chat.domain.failure import ConfigError
from tui_chat.wiring import house

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from tui_chat.cli.common import Common
    from tui_chat.wiring import House


@asynccontextmanager
async def opened(common: Common) -> AsyncGenerator[House, None]:
    """The house for one command; each mistake in the user's files is told.

    Raises ConfigError when config.toml cannot be read at all: what it would have chosen is not known.
    """
    async with house(os.environ, demo=common.demo, record=common.record, save=not common.no_save) as built:
        if built.config.unreadable:
            raise ConfigError(built.config.unreadable)
        for problem in built.problems():
            complain(problem)
        built.recordings.tell = complain
        built.chats.database.tell = complain
        yield built


def run_until_signal(work: Callable[[], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
    """The coroutine's exit code, or 130, 143 or 129 when SIGINT, SIGTERM or SIGHUP cancelled it.

    The work sees one CancelledError and may still print what it has; what it returns then gives way to the signal.
    """
    caught: list[ExitCode] = []

    async def guarded() -> ExitCode:
        task = asyncio.ensure_future(work())
        loop = asyncio.get_running_loop()

        def stop(code: ExitCode) -> None:
            if not caught:
                task.cancel(code.name)
            caught.append(code)

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
