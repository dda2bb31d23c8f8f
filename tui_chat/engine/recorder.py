"""Recording as it happens: what passes through a transport, and the questions behind it, as lines for sinks."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tui_chat import __version__
from tui_chat.domain.events import Cancelled, Completed, Ended, Failed, RunHeard, Submitted
from tui_chat.domain.failure import Broken
from tui_chat.engine.clock import ClockOver
from tui_chat.wire.blot import Blotter, clean_body, clean_headers, clean_url, known_keys
from tui_chat.wire.recording import (
    AnswerLine,
    AskLine,
    ChanceLine,
    ChunkLine,
    EndedLine,
    EndLine,
    RecordedSettings,
    RequestLine,
    header,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import Outcome, SessionEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.clock import Clock
    from tui_chat.engine.ports import Answer, Knowledge, Transport
    from tui_chat.engine.session import Session
    from tui_chat.wire.codec import Request
    from tui_chat.wire.recording import Header, How, Line

    Sink = Callable[[Line], None]

REPLY_LIMIT = 64 * 1024 * 1024
"""Bytes of one reply that are kept in memory."""


class Tape:
    """Numbers and times what happens and hands it to the sinks, which never raise; without a sink it costs nothing."""

    def __init__(self, clock: Clock, knowledge: Knowledge) -> None:
        self.sinks: list[Sink] = []
        self._clock = clock
        self._knowledge = knowledge
        self._began = clock.now()
        self._began_wall = clock.wall()
        self._asks = 0
        self._exchanges = 0

    @property
    def running(self) -> bool:
        return bool(self.sinks)

    @property
    def at(self) -> float:
        """Seconds since the tape began."""
        return _rounded(self._clock.now() - self._began)

    def header(self) -> Header:
        return header(self._began_wall, __version__)

    def write(self, line: Line) -> None:
        for sink in self.sinks:
            sink(line)

    def exchange(self) -> int:
        """The number of the next exchange."""
        self._exchanges += 1
        return self._exchanges

    def follow(self, session: Session) -> None:
        """Note each question of a session, and how its reply ended."""
        asks: dict[str, tuple[int, Blotter]] = {}

        def hear(event: SessionEvent) -> None:
            if not self.running:
                return
            match event:
                case Submitted(_, node) if (reply := session.under_way(node.id)) is not None:
                    self._asks += 1
                    blotter = Blotter(known_keys(reply.ask.endpoint))
                    asks[node.id] = self._asks, blotter
                    self.write(self._ask_line(reply.ask, blotter))
                case RunHeard(node, stamped) if isinstance(stamped.event, Ended) and node in asks:
                    number, blotter = asks.pop(node)
                    self.write(_ended_line(number, stamped.at, stamped.event.outcome, blotter))
                case _:
                    pass

        session.listeners.append(hear)

    def _ask_line(self, ask: Ask, blotter: Blotter) -> AskLine:
        endpoint = ask.endpoint
        settings = RecordedSettings.of(ask.settings)
        if settings.system is not None:
            settings = msgspec.structs.replace(settings, system=blotter.text(settings.system))
        so_far = ask.continuation
        if so_far is not None:
            so_far = replace(so_far, text=blotter.text(so_far.text), reasoning=blotter.text(so_far.reasoning))
        return AskLine(
            ask=self._asks,
            at=self.at,
            endpoint=endpoint.name,
            dialect=endpoint.dialect,
            base_url=clean_url(endpoint.base_url, blotter),
            model=ask.model,
            messages=tuple(replace(message, text=blotter.text(message.text)) for message in ask.messages),
            settings=settings,
            stream=ask.stream,
            continuation=so_far,
            refused=tuple(sorted(self._knowledge.refused(endpoint.name, ask.model))),
            timeouts=endpoint.timeouts,
            retry=endpoint.retry,
        )


class RecordingClock(ClockOver):
    """A clock whose random numbers are recorded."""

    def __init__(self, inner: Clock, tape: Tape) -> None:
        super().__init__(inner)
        self._tape = tape

    def chance(self) -> float:
        value = self._inner.chance()
        self._tape.write(ChanceLine(value))
        return value


class RecordingTransport:
    """A transport that tells the tape what passes through it."""

    def __init__(self, inner: Transport, tape: Tape, clock: Clock) -> None:
        self._inner = inner
        self._tape = tape
        self._clock = clock

    @asynccontextmanager
    async def open(self, endpoint: Endpoint, request: Request) -> AsyncGenerator[Answer, None]:
        if not self._tape.running:
            async with self._inner.open(endpoint, request) as answer:
                yield answer
            return
        exchange = _Exchange(self._tape, self._clock, endpoint, request)
        try:
            async with self._inner.open(endpoint, request) as answer:
                exchange.answered(answer)
                yield RecordedAnswer(answer, exchange)
        except Broken as broken:
            exchange.refused(broken.failure)
            raise
        finally:
            exchange.end("closed")


class RecordedAnswer:
    """An answer that tells its exchange what comes."""

    def __init__(self, inner: Answer, exchange: _Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._inner.headers

    @property
    def connect_s(self) -> float | None:
        return self._inner.connect_s

    @property
    def via(self) -> str | None:
        return self._inner.via

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._inner.chunks()) as pieces:
            try:
                async for piece in pieces:
                    at = self._exchange.at
                    try:
                        yield piece
                    finally:
                        # Written once it was read, so that writing delays no token.
                        self._exchange.chunk(at, piece)
            except Broken as broken:
                self._exchange.end("broken", broken.failure)
                raise
        self._exchange.end("whole")


class LastExchange:
    """A sink that keeps the newest question with all that came of it, up to a limit of bytes."""

    def __init__(self, limit: int = REPLY_LIMIT) -> None:
        self.lines: list[Line] = []
        self._limit = self._left = limit

    def __call__(self, line: Line) -> None:
        match line:
            case AskLine():
                self.lines.clear()
                self.lines.append(line)
                self._left = self._limit
            case _ if not self.lines or self._left < 0:
                pass
            case ChunkLine():
                self._left -= len(line.data or line.base64 or "")
                if self._left >= 0:
                    self.lines.append(line)
            case _:
                self.lines.append(line)


class _Exchange:
    """One request and its answer, on their way to the tape."""

    def __init__(self, tape: Tape, clock: Clock, endpoint: Endpoint, request: Request) -> None:
        self._tape = tape
        self._clock = clock
        self._number = tape.exchange()
        self._sent = clock.now()
        self._blotter = Blotter(known_keys(endpoint, request))
        self._answered = self._over = False
        tape.write(
            RequestLine(
                self._number,
                tape.at,
                endpoint.name,
                endpoint.dialect,
                request.method,
                clean_url(request.url, self._blotter),
                clean_headers(request.headers, self._blotter),
                clean_body(request.body, self._blotter),
            )
        )

    def answered(self, answer: Answer) -> None:
        self._answered = True
        headers = clean_headers(answer.headers, self._blotter)
        self._tape.write(AnswerLine(self._number, self.at, answer.status, headers, answer.connect_s, answer.via))

    def chunk(self, at: float, piece: bytes) -> None:
        piece = self._blotter.cut(piece)
        if piece:
            self._tape.write(ChunkLine.of(self._number, at, piece))

    def refused(self, failure: Failure) -> None:
        """The request came to nothing; what breaks after the answer is told where it is read."""
        if not self._answered:
            self.end("broken", failure)

    def end(self, how: How, failure: Failure | None = None) -> None:
        """The exchange is over; the first word on it stands."""
        if self._over:
            return
        self._over = True
        if rest := self._blotter.rest():
            self._tape.write(ChunkLine.of(self._number, self.at, rest))
        self._tape.write(EndLine(self._number, self.at, how, _clean(failure, self._blotter)))

    @property
    def at(self) -> float:
        """Seconds since the request."""
        return _rounded(self._clock.now() - self._sent)


def _ended_line(number: int, at: float, outcome: Outcome, blotter: Blotter) -> EndedLine:
    match outcome:
        case Completed():
            return EndedLine(number, _rounded(at), "completed")
        case Cancelled():
            return EndedLine(number, _rounded(at), "cancelled")
        case Failed(failure):
            return EndedLine(number, _rounded(at), "failed", _clean(failure, blotter))


def _clean(failure: Failure | None, blotter: Blotter) -> Failure | None:
    if failure is None:
        return None
    return replace(failure, message=blotter.text(failure.message), hint=blotter.text(failure.hint))


def _rounded(seconds: float) -> float:
    """To the microsecond."""
    return round(max(0.0, seconds), 6)
