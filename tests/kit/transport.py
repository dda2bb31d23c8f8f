"""A transport that plays scripts, one a request.

A script is a list of steps, carried out in order: `Head` for status and headers (left out: 200, an event stream),
bytes for a piece of the body, `Pause` on the fake clock, `HANG` for ever, `Cut` for a broken line; before the head a
`Cut` is a connection that failed. At its end the body is over.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.kit.clock import ticks
from tests.kit.wire import error_body, model_list
from tui_chat.domain.failure import Broken, Kind, failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence

    from tests.kit.clock import FakeClock
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Request


@dataclass(frozen=True)
class Head:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Hang:
    pass


@dataclass(frozen=True)
class Cut:
    failure: Failure


Step = Head | Pause | Hang | Cut | bytes
Script = list[Step]
HANG = Hang()
CLOSING_TICKS = 3


def cut(kind: Kind = Kind.RESET) -> Cut:
    return Cut(failure(kind, f"scripted {kind}"))


def refusal(status: int, message: str = "", headers: Mapping[str, str] | None = None, **fields: object) -> Script:
    """An answer with an error status; `fields` stand beside the message in its error object."""
    body = error_body(message or f"scripted {status}", **fields)
    return [Head(status, {"content-type": "application/json", **(headers or {})}), body]


def models(*names: str) -> Script:
    """The answer to a request for the model list."""
    return [Head(200, {"content-type": "application/json"}), model_list(*names)]


async def _undisturbed(work: Coroutine[Any, Any, object]) -> int:
    """Carry out `work` to its end; how many cancellations came meanwhile."""
    task, cancels = asyncio.ensure_future(work), 0
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            cancels += 1
    return cancels


class ScriptedAnswer:
    def __init__(self, transport: ScriptedTransport, head: Head, body: Sequence[Step]) -> None:
        self.status = head.status
        self.headers = head.headers
        self.connect_s: float | None = 0.01
        self.via: str | None = None
        self._transport = transport
        self._body = body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        self._transport.being_read += 1
        try:
            for step in self._body:
                if isinstance(step, bytes):
                    await asyncio.sleep(0)
                    yield step
                else:
                    await self._transport.carry_out(step)
        finally:
            self._transport.being_read -= 1


class ScriptedTransport:
    """ports.Transport from scripts. Closing an answer takes a moment, in which a cancellation has to wait."""

    def __init__(self, clock: FakeClock, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.requests: list[Request] = []
        self.open_answers = 0
        """Requests under way and answers not closed."""
        self.being_read = 0
        """Bodies whose generator was begun and not closed."""
        self.cancelled_twice = 0
        """Answers that more than one cancellation reached: httpx leaks the connection of such a one."""
        self.clock = clock

    @asynccontextmanager
    async def open(self, endpoint: Endpoint, request: Request) -> AsyncGenerator[ScriptedAnswer, None]:
        self.requests.append(request)
        if not self.scripts:
            raise AssertionError(f"no script for request {len(self.requests)}")
        script = self.scripts.pop(0)
        self.open_answers += 1
        cancels = 0
        try:
            await asyncio.sleep(0)
            while script and isinstance(script[0], Pause | Hang | Cut):
                await self.carry_out(script[0])
                script = script[1:]
            head, body = (script[0], script[1:]) if script and isinstance(script[0], Head) else (Head(), script)
            yield ScriptedAnswer(self, head, body)
        except asyncio.CancelledError:
            cancels += 1
            raise
        finally:
            cancels += await _undisturbed(ticks(CLOSING_TICKS))
            self.open_answers -= 1
            self.cancelled_twice += cancels > 1
            if cancels:
                raise asyncio.CancelledError

    async def carry_out(self, step: Step) -> None:
        match step:
            case Pause(seconds):
                await self.clock.sleep(seconds)
            case Hang():
                await asyncio.get_running_loop().create_future()
            case Cut(trouble):
                raise Broken(trouble)
            case _:
                raise AssertionError(f"{step} has no place here")
