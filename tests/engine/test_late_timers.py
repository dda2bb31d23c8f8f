"""A program that stood still over a deadline: stopped by Ctrl+Z, or kept from running by others."""

from __future__ import annotations

import asyncio
import time

from tests.kit import DONE, Recorder, ask, endpoint, engine, said, stopped
from tests.kit.sockets import LAST_CHUNK, STREAM_HEAD, SocketServer, Wire, chunk
from tui_chat.domain.endpoint import Timeouts
from tui_chat.domain.events import Completed, Failed, Outcome
from tui_chat.domain.failure import Kind
from tui_chat.engine.clock import SystemClock
from tui_chat.engine.run import Run
from tui_chat.net.transport import HttpTransport

IDLE_S = 0.4


async def play(rest: bytes) -> tuple[Outcome, str]:
    """Beside the beginning of an answer, `rest` is in the socket when everything stands still over the deadline."""

    async def begun(wire: Wire) -> None:
        await wire.request()
        await wire.send(STREAM_HEAD, chunk(said("begun, ")))
        while not recorder.text:
            await asyncio.sleep(0.01)
        wire.writer.write(rest)
        time.sleep(2 * IDLE_S)  # noqa: ASYNC251
        await wire.gone()

    recorder, transport = Recorder(), HttpTransport()
    try:
        async with SocketServer(begun) as server:
            limits = Timeouts(connect=5, first_token=5, idle=IDLE_S)
            at = endpoint(base_url=server.base_url, timeouts=limits)
            return await Run(engine(transport, SystemClock()), ask(at=at), recorder).go(), recorder.text
    finally:
        await transport.close()


async def test_what_came_meanwhile_is_read_before_time_is_up() -> None:
    rest = chunk(said("done") + stopped() + DONE) + LAST_CHUNK
    assert await play(rest) == (Completed("stop"), "begun, done")


async def test_time_is_up_all_the_same_where_nothing_came() -> None:
    outcome, text = await play(b"")
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.IDLE_TIMEOUT
    assert text == "begun, "
