"""One try: open the answer, read it to its end, and watch the clock meanwhile.

Completeness comes from the protocol (a finish reason, an end mark), never from the end of the body.
"""

from __future__ import annotations

import math
from contextlib import aclosing
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.domain.events import (
    Completed,
    Connected,
    Faulted,
    Progress,
    Seam,
    Stopped,
    Text,
    Thinking,
    Timings,
    Usage,
)
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.domain.words import say
from tui_chat.engine.guard import Guard, Interrupted
from tui_chat.engine.offers import read_all
from tui_chat.wire.blot import Blotter, clean_failure, known_keys
from tui_chat.wire.resume import Join
from tui_chat.wire.retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui_chat.domain.ask import Ask, Place
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import RunEvent, StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.clock import Timer
    from tui_chat.engine.ports import Answer, Engine
    from tui_chat.wire.codec import Codec, Decoder, Request

MIB = 1024 * 1024
REPLY_LIMIT = 64 * MIB
ERROR_BODY_LIMIT = MIB
SETTLE_S = 5.0
"""After a finish reason: how long usage and the end mark are waited for."""
DRAIN_S = 0.1
"""After the end mark: how long the end of the body is waited for, so that the connection can be used again."""
LATE_S = 0.1
"""A timer that rings so late rings in a program that was stopped, or kept from running, over its deadline."""
GRACE_S = 0.5
"""What came meanwhile has so long to be read."""
BLOCKED_REASONS = frozenset({"content_filter", "refusal"})
"""finish_reasons that, without a word of answer, mean that there is none."""


class Stream:
    """Reads one answer; `read` once, then look at what came."""

    def __init__(self, engine: Engine, ask: Ask, emit: Callable[[RunEvent], None], total_at: float) -> None:
        self.ask = ask
        self.received = False
        """A token of either kind came."""
        self.place: Place | None = None
        """Where to read on, should the line break."""
        self._join = _join(ask)
        self._answered = False
        self._told_progress = False
        """What the server does before the first token has been told."""
        self._finished: Stopped | None = None
        self._over_at: float | None = None
        """When the answer is whole: how long its tail is waited for."""
        self._engine = engine
        self._emit = emit
        self._size = 0
        self._sent = self._heard = engine.clock.now()
        self._total_at = total_at
        self._timer: Timer | None = None
        self._spared = False
        """A deadline has passed while the program stood still, and what waits in the socket is read first."""
        self._guard: Guard[None] | None = None

    async def read(self, codec: Codec, request: Request) -> Completed | Failure:
        """Carry out the request: how it completed, or what it ran into."""
        self._guard = Guard(self._consume(codec, request))
        self._arm()
        try:
            await self._guard.result()
        except Broken as broken:
            trouble = broken.failure
        except Interrupted as interrupted:
            trouble = interrupted.cause
        else:
            trouble = None
        finally:
            self._disarm()
            self._flush()
        return self._judged(trouble)

    def _judged(self, trouble: Failure | None) -> Completed | Failure:
        """What an answer that ended with this trouble is worth: nothing that befalls it matters once it is whole."""
        if self._finished is None:
            return trouble or failure(Kind.TRUNCATED, say("fail.truncated" if self.received else "fail.empty"))
        reason = self._finished.reason
        if reason in BLOCKED_REASONS and not self._answered:
            return failure(Kind.BLOCKED, say("fail.blocked", reason=reason))
        return Completed(reason)

    async def _consume(self, codec: Codec, request: Request) -> None:
        async with self._engine.transport.open(self.ask.endpoint, request) as answer:
            self._emit(Connected(answer.status, _request_id(answer, self.ask.endpoint), answer.connect_s, answer.via))
            try:
                if answer.status != 200:
                    raise Broken(await self._refusal(codec, answer))
                await self._follow(codec, answer)
            finally:
                self._disarm()  # no deadline disturbs the closing

    async def _follow(self, codec: Codec, answer: Answer) -> None:
        decoder = codec.decoder(self.ask.endpoint, answer.headers.get("content-type", "").lower())
        drained = False
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    self._size += len(chunk)
                    if self._size > REPLY_LIMIT:
                        raise Broken(failure(Kind.PROTOCOL, say("fail.reply_too_large", limit=REPLY_LIMIT // MIB)))
                    self._take(decoder, decoder.feed(chunk))
                    self._tell_queue(decoder)
                    if decoder.done and not drained:
                        drained = True
                        self._whole(DRAIN_S)
        except BaseException:
            # The line broke, or was cut: what the decoder still held back is text that was received.
            self._take(decoder, [event for event in decoder.finish() if isinstance(event, (Text, Thinking))])
            raise
        self._take(decoder, decoder.finish())

    async def _refusal(self, codec: Codec, answer: Answer) -> Failure:
        body = await read_all(answer, ERROR_BODY_LIMIT)
        asked = retry_after(answer.headers, self._engine.clock.wall())
        found = codec.error(self.ask.endpoint, answer.status, answer.headers, body)
        found = clean_failure(found, self.ask.endpoint)
        return replace(found, retry_after=asked if asked is not None else found.retry_after)

    def _take(self, decoder: Decoder, events: Iterable[StreamEvent]) -> None:
        self.place = decoder.place
        for event in events:
            match event:
                case Text(text):
                    self._token()
                    self._answered = True
                    self._say(text)
                    continue
                case Thinking():
                    self._token()
                case Usage() | Timings() | Progress():
                    self._hear()
                    self._told_progress = self._told_progress or isinstance(event, Progress)
                case Faulted(trouble):
                    event = Faulted(clean_failure(trouble, self.ask.endpoint))
                case Stopped():
                    self._flush()
                    self._finished = event
                    self._whole(SETTLE_S)
                case _:
                    pass
            self._emit(event)
            if isinstance(event, Faulted):
                raise Broken(event.failure)

    def _tell_queue(self, decoder: Decoder) -> None:
        """Keep-alives alone: the server has the question and no word yet. They are no data, and move no deadline."""
        if decoder.comments and not (self._told_progress or self.received or self._finished):
            self._told_progress = True
            self._emit(Progress("queued"))

    def _token(self) -> None:
        first, self.received = not self.received, True
        self._hear()
        if first:
            self._arm()

    def _say(self, text: str) -> None:
        """Pass a piece of the answer on; after a break, first find where it joins."""
        if self._join is not None:
            text = self._join.feed(text)
            if self._join.restarted:
                raise Broken(failure(Kind.PROTOCOL, say("fail.restarted"), parameter=self._join.way))
            if not self._join.joined:
                return
            self._emit(Seam(self._join.dropped))
            self._join = None
        if text:
            self._emit(Text(text))

    def _flush(self) -> None:
        """What was held back to find the joint is part of the answer after all."""
        join, self._join = self._join, None
        if join is not None and self._answered and not join.restarted:
            rest = join.finish()
            self._emit(Seam(join.dropped))
            if rest:
                self._emit(Text(rest))

    def _hear(self) -> None:
        self._heard = self._engine.clock.now()

    def _whole(self, patience: float) -> None:
        self._over_at = self._engine.clock.now() + patience
        self._arm()

    def _arm(self) -> None:
        """(Re)start the one timer for the earliest deadline in force."""
        self._disarm()
        when, _ = self._due()
        if when < math.inf:
            self._timer = self._engine.clock.call_later(max(0.0, when - self._engine.clock.now()), self._ring)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        """A deadline as it stood when the timer was set; data that came since has moved it."""
        when, cause = self._due()
        late = self._engine.clock.now() - when
        if late < 0:
            self._spared = False
            self._arm()
        elif late > LATE_S and not self._spared:
            self._spared = True
            self._timer = self._engine.clock.call_later(GRACE_S, self._ring)
        elif self._guard is not None:
            self._guard.interrupt(cause)

    def _due(self) -> tuple[float, Failure | None]:
        """(when, why) of the earliest deadline; no cause where the answer is whole and only its tail is missing."""
        if self._over_at is not None:
            return self._over_at, None
        limits = self.ask.endpoint.timeouts
        if self.received:
            pause = (_deadline(self._heard, limits.idle), Kind.IDLE_TIMEOUT, "fail.idle", limits.idle)
        else:
            first = limits.first_token
            pause = (_deadline(self._sent, first), Kind.FIRST_TOKEN_TIMEOUT, "fail.first_token", first)
        when, kind, words, seconds = min(pause, (self._total_at, Kind.TOTAL_TIMEOUT, "fail.total", limits.total))
        return when, failure(kind, say(words, seconds=seconds))


def _join(ask: Ask) -> Join | None:
    going_on = ask.continuation
    if going_on is None or going_on.way is None or not going_on.text:
        return None
    return Join(going_on.text, going_on.way)


def _deadline(since: float, limit: float) -> float:
    """When `limit` seconds are over; 0 is no limit."""
    return since + limit if limit else math.inf


def _request_id(answer: Answer, endpoint: Endpoint) -> str | None:
    """The server's name for the request: its own words, so that a key may stand in it."""
    headers = answer.headers
    found = headers.get("x-request-id") or headers.get("request-id") or headers.get("x-generation-id")
    return found and Blotter(known_keys(endpoint)).text(found)
