"""One run: an Ask becomes a stream of stamped events, over as many tries as it takes.

Every path through here opens each try with `Attempt` and closes the run with exactly one `Ended`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import nullcontext
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.domain.ask import Ask, Continuation, Way
from tui_chat.domain.endpoint import key_trouble
from tui_chat.domain.events import (
    Attempt,
    Cancelled,
    Ended,
    Failed,
    Learned,
    Queued,
    Stamped,
    Text,
    Thinking,
    Waiting,
)
from tui_chat.domain.failure import BROKEN_OFF, TRIES, Broken, Failure, Kind, failure
from tui_chat.domain.words import say
from tui_chat.engine.guard import Guard, Interrupted
from tui_chat.engine.offers import nearest, offers
from tui_chat.engine.pictures import turned_down, with_images
from tui_chat.engine.stream import Stream
from tui_chat.wire.resume import mid_sentence
from tui_chat.wire.retry import PATIENCE_S, backoff, clock_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui_chat.domain.ask import Place
    from tui_chat.domain.events import Outcome, RunEvent
    from tui_chat.engine.ports import Engine

    Listener = Callable[[Stamped], None]
    Ready = Callable[[], Awaitable[object]]

MAX_RESUMES = 2
"""How often one run takes up a broken answer unasked."""
LOADING_S = 2.0
"""Between two looks at whether a model has been loaded."""
LOADING_LIMIT_S = 600.0

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
        self._codec = engine.codec_for(ask.endpoint.dialect)
        so_far = ask.continuation or Continuation("")
        self._said = [so_far.text]
        self._thought = [so_far.reasoning]
        self.place = so_far.place
        """Where the server's stream may be read on, if it keeps one."""

    @property
    def age(self) -> float:
        """Seconds since the run began: the clock that its events are stamped with."""
        return self._clock.now() - self._began

    async def go(self, slots: asyncio.Semaphore | None = None, ready: Ready | None = None) -> Outcome:
        """Carry the Ask out, waiting for one of `slots`, then for `ready`; `Ended` was heard when this returns.

        A cancellation of the calling task ends the run as `Cancelled` and is raised again.
        """
        self._work = Guard(self._in_slot(slots, ready))
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
        match event:
            case Text(text):
                self._said.append(text)
            case Thinking(text):
                self._thought.append(text)
            case _:
                pass
        self._listener(Stamped(self.lane, self.age, event))

    async def _in_slot(self, slots: asyncio.Semaphore | None, ready: Ready | None) -> Outcome:
        if slots is not None and slots.locked():
            self._emit(Queued())
        async with slots or nullcontext():
            if ready is not None:
                await ready()
            return await self._attempts()

    async def _attempts(self) -> Outcome:
        """Try until an outcome stands: a success, a failure that another try cannot mend, or no tries left.

        Before the first token a try may be repeated. After it an answer is only ever gone on with: unasked by an
        exact way and at most twice, or by any way where the Ask is for the rest of an answer.
        """
        endpoint = self.ask.endpoint
        try:
            self.ask = await with_images(self._engine, self.ask)
        except Broken as broken:
            return Failed(broken.failure)
        refused = self._engine.knowledge.refused(endpoint.name, self.ask.model)
        total = endpoint.timeouts.total
        total_at = self._clock.now() + total if total else math.inf
        going_on = self._by_best_way(self.ask.continuation, refused)
        if self.ask.continuation is not None and going_on is None:
            return Failed(failure(Kind.BAD_REQUEST, say("fail.no_way")))
        number = resumes = tries = 0
        broke: Failure | None = None
        while True:
            number += 1
            self._emit(Attempt(number, resumes))
            stream = Stream(self._engine, replace(self.ask, continuation=going_on), self._emit, total_at)
            result = key_trouble(endpoint) or await stream.read(self._codec, self._codec.encode(stream.ask, refused))
            if not isinstance(result, Failure):
                return result
            self._keep_place(stream.place)
            match turned_down(self._engine, self.ask, result):
                case None:
                    pass
                case Failure() as final:
                    return Failed(final)
                case Ask() as in_words:
                    self.ask = in_words
                    continue
            parameter = result.parameter
            way_refused = going_on is not None and parameter == going_on.way
            if parameter in self._codec.optional and parameter not in refused and (way_refused or not stream.received):
                refused |= {parameter}
                self._learn(parameter)
                if way_refused:
                    going_on = self._by_best_way(going_on, refused, unasked=resumes > 0)
                    if going_on is None:
                        return Failed(broke or result)
                continue
            if going_on is not None and going_on.way is Way.STREAM and not stream.received and not result.retryable:
                # The server keeps that stream no longer; without a word received the question is simply asked again.
                self.place = None
                going_on = self._by_best_way(replace(going_on, place=None), refused, unasked=resumes > 0)
                if going_on is None and self._said != [""]:
                    return Failed(broke or result)
                continue
            tries += 1
            if stream.received:
                broke, tries = broke or result, 1
                going_on = self._rest(result, refused) if resumes < MAX_RESUMES else None
                if going_on is None:
                    return Failed(broke)
                resumes += 1
            elif not self._worth_another(result, tries):
                return Failed(broke or await self._explained(result))
            elif going_on is None and self.place is not None:
                going_on = self._by_best_way(Continuation("", place=self.place), refused, unasked=True)
            seconds = self._pause(result, tries)
            if self._clock.now() + seconds >= total_at:
                return Failed(broke or await self._explained(result))
            self._emit(Waiting(seconds, result))
            await self._clock.sleep(seconds)

    def _keep_place(self, place: Place | None) -> None:
        """Note where to read on; a stream that was taken up again does not say its name a second time."""
        if place is None:
            return
        stream = place.stream or (self.place.stream if self.place is not None else "")
        self.place = replace(place, stream=stream) if stream else None

    def _pause(self, trouble: Failure, tries: int) -> float:
        """Seconds to wait before the next try."""
        if trouble.retry_after is not None:
            return trouble.retry_after
        if trouble.kind is Kind.LOADING:
            return LOADING_S
        return backoff(self.ask.endpoint.retry, tries, self._clock.chance())

    def _worth_another(self, trouble: Failure, tries: int) -> bool:
        patient = trouble.retry_after is None or trouble.retry_after <= PATIENCE_S
        if not trouble.retryable or not patient:
            return False
        if trouble.kind is Kind.LOADING:
            # Loading takes as long as it takes; the patience for a first token bounds it.
            return self.age < (self.ask.endpoint.timeouts.first_token or LOADING_LIMIT_S)
        return tries < min(self.ask.endpoint.retry.attempts, TRIES.get(trouble.kind, tries + 1))

    def _rest(self, trouble: Failure, refused: frozenset[str]) -> Continuation | None:
        """How to go on, unasked, with an answer that broke off."""
        if trouble.kind not in BROKEN_OFF or not trouble.retryable:
            return None
        so_far = Continuation("".join(self._said), "".join(self._thought), self.place)
        return self._by_best_way(so_far, refused, unasked=True)

    def _sure(self, way: Way) -> bool:
        """True when the way takes up the very last character.

        Where a parameter asks for that, it may have been dropped on the way: it is trusted on this computer only, and
        only within a sentence, where an answer that begins anew can be told from one that goes on.
        """
        local = self.ask.endpoint.local and mid_sentence("".join(self._said))
        return way.exact and (way is not Way.CONTINUE or local)

    def _by_best_way(
        self, so_far: Continuation | None, refused: frozenset[str], *, unasked: bool = False
    ) -> Continuation | None:
        """The continuation by the best way that is left; unasked only by an exact one."""
        if so_far is None:
            return None
        for way in self._codec.ways(self.ask):
            possible = so_far.place is not None if way is Way.STREAM else bool(so_far.text)
            if possible and way not in refused and (not unasked or self._sure(way)):
                return replace(so_far, way=way)
        return None

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
