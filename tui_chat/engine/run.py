"""One run: an Ask becomes a stream of stamped events, over as many tries as it takes.

Every path through here opens each try with `Attempt` and closes the run with exactly one `Ended`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from tui_chat.domain.endpoint import key_trouble
from tui_chat.domain.events import Attempt, Cancelled, Ended, Failed, Learned, Queued, Stamped, Waiting
from tui_chat.domain.failure import TRIES, Broken, Failure, Kind, failure
from tui_chat.domain.words import say
from tui_chat.engine.guard import Guard, Interrupted
from tui_chat.engine.offers import nearest, offers
from tui_chat.engine.stream import Stream
from tui_chat.wire.retry import PATIENCE_S, backoff, clock_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.events import Outcome, RunEvent
    from tui_chat.engine.ports import Engine

    Listener = Callable[[Stamped], None]

log = logging.getLogger(__name__)


class Run:
    """One Ask on its way, in the lane of this name; `go` once, `stop` at any time."""

    def __init__(self, engine: Engine, ask: Ask, listener: Listener, lane: str = "main") -> None:
        self.ask = ask
        self.lane = lane
        self.ended = False
        self._engine = engine
        self._clock = engine.clock
        self._listener = listener
        self._began = engine.clock.now()
        self._work: Guard[Outcome] | None = None
        self._stop: Outcome | None = None
        self._received = False

    @property
    def age(self) -> float:
        """Seconds since the run began: the clock that its events are stamped with."""
        return self._clock.now() - self._began

    async def go(self, slots: asyncio.Semaphore | None = None) -> Outcome:
        """Carry the Ask out, waiting for one of `slots` first; the listener has heard `Ended` when this returns.

        A cancellation of the calling task ends the run as `Cancelled` and is raised again.
        """
        self._work = Guard(self._in_slot(slots))
        if self._stop is not None:
            self._work.interrupt()
        try:
            outcome = await self._work.result()
        except Interrupted:
            outcome = self._stop or Cancelled()
        except asyncio.CancelledError:
            self.end(self._stop or Cancelled())
            raise
        except Exception as error:
            log.exception("the run of %s broke", self.ask.model)
            outcome = Failed(failure(Kind.INTERNAL, say("fail.internal", error=type(error).__name__)))
        self.end(outcome)
        return outcome

    def stop(self, cause: Failure | None = None) -> None:
        """End the run at once, as cancelled or, with a cause, as failed; later calls change nothing."""
        if self._stop is None and not self.ended:
            self._stop = Cancelled() if cause is None else Failed(cause)
            if self._work is not None:
                self._work.interrupt()

    def end(self, outcome: Outcome) -> None:
        """Tell the listener that the run is over, unless it knows; nothing that it raises goes further."""
        if not self.ended:
            self.ended = True
            try:
                self._emit(Ended(outcome))
            except Exception:
                log.exception("a listener broke at the end of the run of %s", self.ask.model)

    def _emit(self, event: RunEvent) -> None:
        self._listener(Stamped(self.lane, self.age, event))

    async def _in_slot(self, slots: asyncio.Semaphore | None) -> Outcome:
        if slots is None:
            return await self._attempts()
        if slots.locked():
            self._emit(Queued())
        async with slots:
            return await self._attempts()

    async def _attempts(self) -> Outcome:
        """Try until an outcome stands: a success, a failure that another try cannot mend, or no tries left."""
        endpoint = self.ask.endpoint
        codec = self._engine.codec_for(endpoint.dialect)
        refused = self._engine.knowledge.refused(endpoint.name, self.ask.model)
        total = endpoint.timeouts.total
        total_at = self._clock.now() + total if total else math.inf
        learned = 0
        number = 0
        while True:
            number += 1
            self._emit(Attempt(number))
            result = key_trouble(endpoint) or await self._attempt(refused, total_at)
            if not isinstance(result, Failure):
                return result
            parameter = result.parameter
            if parameter in codec.optional and parameter not in refused and not self._received:
                refused |= {parameter}
                learned += 1
                self._learn(parameter)
                continue
            seconds = result.retry_after
            if seconds is None:
                seconds = backoff(endpoint.retry, number - learned, self._clock.chance())
            in_time = self._clock.now() + seconds < total_at
            if not in_time or not self._worth_another(result, number - learned):
                return Failed(await self._explained(result))
            self._emit(Waiting(seconds, result))
            await self._clock.sleep(seconds)

    async def _attempt(self, refused: frozenset[str], total_at: float) -> Outcome | Failure:
        codec = self._engine.codec_for(self.ask.endpoint.dialect)
        stream = Stream(self._engine, self.ask, self._emit, total_at)
        try:
            return await stream.read(codec, codec.encode(self.ask, refused))
        finally:
            self._received = self._received or stream.received

    def _worth_another(self, trouble: Failure, tries: int) -> bool:
        allowed = min(self.ask.endpoint.retry.attempts, TRIES.get(trouble.kind, tries + 1))
        patient = trouble.retry_after is None or trouble.retry_after <= PATIENCE_S
        return trouble.retryable and not self._received and patient and tries < allowed

    def _learn(self, parameter: str) -> None:
        fact = Learned(self.ask.endpoint.name, self.ask.model, parameter)
        self._engine.knowledge.learn(fact)
        self._emit(fact)

    async def _explained(self, trouble: Failure) -> Failure:
        """The failure with what helps the user to go on: when to come back, or which names are near."""
        if trouble.retry_after is not None and trouble.retry_after > PATIENCE_S:
            until = clock_time(self._clock.wall() + trouble.retry_after)
            wait = f"{trouble.retry_after / 60:.0f} min"
            message = say("fail.long_wait", message=trouble.message, wait=wait, until=until)
            return replace(trouble, message=message, hint=say("hint.long_wait"))
        if trouble.kind is Kind.NOT_FOUND:
            try:
                names = nearest(self.ask.model, await offers(self._engine, self.ask.endpoint))
            except Broken:
                return trouble
            if names and self.ask.model not in names:
                return replace(trouble, hint=say("hint.nearest", names=", ".join(names)))
        return trouble
