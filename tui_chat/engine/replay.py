"""Playing a recording: a transport that answers as the recorded servers did, and whoever asks the same questions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from tui_chat.domain.conversation import Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.events import Ended, RunHeard, Submitted, Usage
from tui_chat.domain.failure import Broken, Failure, Kind
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import cost
from tui_chat.domain.tokens import Lesson, Ratios
from tui_chat.domain.words import say
from tui_chat.engine.clock import ClockOver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

    from tui_chat.domain.ask import Continuation, Role
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.events import Learned, SessionEvent
    from tui_chat.engine.clock import Clock
    from tui_chat.engine.reply import Reply, Target
    from tui_chat.engine.session import Session
    from tui_chat.wire.codec import Refused, Request
    from tui_chat.wire.recording import AnswerLine, AskLine, Exchange, Question, Recording

MICROSECOND = 1e-6
"""To which times are recorded: what has the time of the end came before it."""
PATIENCE_S = 1.0
"""How long past its recorded end an answer stays open that the client left: what made it leave then does so again."""


class ReplayClock(ClockOver):
    """A clock with the wall time and the random numbers of a recording."""

    def __init__(self, inner: Clock) -> None:
        super().__init__(inner)
        self._offset = 0.0
        self._chances: list[float] = []

    def load(self, wall: float, chances: Iterable[float]) -> None:
        """It is `wall` now; these random numbers come next."""
        self._offset = wall - self._inner.now()
        self._chances = list(chances)

    def wall(self) -> float:
        return self._offset + self._inner.now()

    def chance(self) -> float:
        return self._chances.pop(0) if self._chances else self._inner.chance()


class ReplayTransport:
    """Answers requests with recorded exchanges, at their recorded pace on the clock it is given.

    What a request says is not looked at, only its method and, where several exchanges are left, its URL: a model list
    that is asked for in between does not use up an answer.
    """

    def __init__(self, clock: Clock, exchanges: Iterable[Exchange] = ()) -> None:
        self._clock = clock
        self._left = list(exchanges)

    def load(self, exchanges: Iterable[Exchange]) -> None:
        """These exchanges come next, and no others."""
        self._left = list(exchanges)

    @asynccontextmanager
    async def open(self, endpoint: Endpoint, request: Request) -> AsyncGenerator[ReplayedAnswer, None]:
        exchange = self._take(request)
        if exchange is None:
            raise Broken(Failure(Kind.PROTOCOL, say("fail.recording_over"), say("hint.recording_over")))
        playback = _Playback(self._clock, exchange)
        yield ReplayedAnswer(await playback.answer(), playback)

    def _take(self, request: Request) -> Exchange | None:
        alike = [e for e in self._left if e.request.method == request.method]
        found = next((e for e in alike if e.request.url == request.url), next(iter(alike), None))
        if found is not None:
            self._left.remove(found)
        return found


class ReplayedAnswer:
    def __init__(self, line: AnswerLine, playback: _Playback) -> None:
        self.status = line.status
        self.headers: Mapping[str, str] = line.headers
        self.connect_s = line.connect_s
        self.via = line.via
        self._playback = playback

    def chunks(self) -> AsyncGenerator[bytes, None]:
        return self._playback.chunks()


class RecordedFacts:
    """What was known when a question was asked. What was learned then is learned again, for as long as it is played."""

    def __init__(self) -> None:
        self._refused: Refused = frozenset()

    def load(self, refused: Iterable[str]) -> None:
        self._refused = frozenset(refused)

    def refused(self, endpoint: str, model: str) -> Refused:
        return self._refused

    def ratios(self, endpoint: str, model: str) -> Ratios:
        return Ratios()

    def learn_ratio(self, endpoint: str, model: str, lesson: Lesson) -> None:
        pass

    def learn(self, fact: Learned) -> None:
        pass


class ReplayEngine(Struct, frozen=True):
    """The parts of an engine that play."""

    transport: ReplayTransport
    clock: ReplayClock
    knowledge: RecordedFacts

    @classmethod
    def on(cls, clock: Clock) -> ReplayEngine:
        """Parts that play at the pace of this clock."""
        shown = ReplayClock(clock)
        return cls(ReplayTransport(shown), shown, RecordedFacts())


class Player:
    """Asks the questions of a recording again, in a session whose engine plays it."""

    def __init__(
        self,
        session: Session,
        engine: ReplayEngine,
        recording: Recording,
        target: Callable[[AskLine], Target],
    ) -> None:
        """The session's conversation is still empty; `target` says whom a question goes to, and at what price."""
        self.session = session
        self._engine = engine
        self._recording = recording
        self._target = target
        self._left = list(recording.questions)
        self._due: Question | None = None
        self._playing: str | None = None
        self._alone = False
        session.listeners.append(self._hear)
        self._tell_history(recording.questions[0].asked)

    @property
    def recording(self) -> Recording:
        return self._recording

    @property
    def left(self) -> int:
        """How many questions are still to be asked."""
        return len(self._left)

    def play_all(self) -> None:
        """Ask the first question, and each of the others when the reply before it has ended."""
        self._alone = True
        self.play_next()

    def play_next(self) -> None:
        """Ask the next question, which has to be there."""
        question = self._due = self._left.pop(0)
        self.session.target = self._target(question.asked)
        if question.asked.continuation is not None:
            self._tell_broken(question.asked, question.asked.continuation)
            again = self.session.resume()
        else:
            again = self._asked_again(question) and self.session.retry()
        if not again:
            self.session.submit(question.text)

    def _asked_again(self, question: Question) -> bool:
        conversation = self.session.conversation
        asked = next((n for n in reversed(conversation.path()) if n.role == "user"), None)
        return asked is not None and conversation.messages(asked.id) == question.asked.messages

    def _tell_history(self, asked: AskLine) -> None:
        """What was said before the recording began."""
        parent: str | None = None
        for message in asked.messages[:-1]:
            node = self._add(parent, message.role, message.text, model=asked.model)
            parent = node.id

    def _add(self, parent: str | None, role: Role, text: str, *, endpoint: str = "", model: str = "") -> Node:
        """A turn from before the recording, under a name that the engine gives to none."""
        conversation = self.session.conversation
        id = f"before{len(conversation.nodes)}"
        return conversation.add(parent, role, text, endpoint=endpoint, model=model, id=id)

    def _tell_broken(self, asked: AskLine, so_far: Continuation) -> None:
        """The part of an answer that the rest was asked for, unless it is there already."""
        there = self.session.resumable
        if there is not None and there.text == so_far.text:
            return
        conversation = self.session.conversation
        question = self._add(conversation.head, "user", asked.messages[-1].text)
        node = self._add(question.id, "assistant", "", endpoint=asked.endpoint, model=asked.model)
        unknown = cost(Usage(), None, exact=False)
        result = Result(Phase.FAILED, None, _cut(), 0, Meter().stats(0.0), unknown, place=so_far.place)
        conversation.finish(node.id, so_far.text, so_far.reasoning, result)

    def _hear(self, event: SessionEvent) -> None:
        match event:
            case Submitted(question, node):
                self._load(question.text, node.id)
            case RunHeard(node, stamped) if isinstance(stamped.event, Ended) and node == self._playing:
                self._playing = None
                if self._alone and self._left:
                    self.play_next()
            case _:
                pass

    def _load(self, text: str, node: str) -> None:
        """Put the recorded answers in for a question of the recording; any other finds none."""
        due = self._due
        if due is None or due.text != text:
            self._engine.transport.load(())
            return
        self._due, self._playing = None, node
        self._engine.transport.load(due.exchanges)
        self._engine.knowledge.load(due.asked.refused)
        self._engine.clock.load(self._recording.at + due.asked.at, due.chances)
        if self.session.reply is not None:
            self._end_as_recorded(due, self.session.reply)

    def _end_as_recorded(self, question: Question, reply: Reply) -> None:
        """End the reply when the user or a cap of cost ended it then: nothing on the wire tells."""
        ended = question.ended
        if ended is None:
            return
        capped = ended.failure is not None and ended.failure.kind is Kind.BUDGET
        if ended.state != "cancelled" and not capped:
            return

        def end() -> None:
            if self.session.reply is reply:
                self.session.cancel(ended.failure)

        self._engine.clock.call_later(ended.at + MICROSECOND, end)


class _Playback:
    """One exchange being played; time counts from its making."""

    def __init__(self, clock: Clock, exchange: Exchange) -> None:
        self._clock = clock
        self._exchange = exchange
        self._began = clock.now()

    async def answer(self) -> AnswerLine:
        """The answer's headers, at their time; raises Broken when it never came."""
        answer = self._exchange.answer
        if answer is None:
            await self._end()
            raise Broken(_cut())
        await self._until(answer.at)
        return answer

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for at, piece in self._exchange.chunks:
            await self._until(at)
            yield piece
        await self._end()

    async def _end(self) -> None:
        """Wait for the end and be as it was: quiet, or raising Broken."""
        end = self._exchange.end
        if end is None:
            raise Broken(_cut())
        await self._until(end.at)
        if end.how == "broken" and end.failure is not None:
            raise Broken(end.failure)
        if end.how == "closed":
            await self._until(end.at + PATIENCE_S)
            raise Broken(_cut())

    async def _until(self, at: float) -> None:
        await self._clock.sleep(max(0.0, self._began + at - self._clock.now()))


def played_endpoint(asked: AskLine) -> Endpoint:
    """The endpoint as recorded, which needs no key any more."""
    return Endpoint(asked.endpoint, asked.base_url, asked.dialect, timeouts=asked.timeouts, retry=asked.retry)


def _cut() -> Failure:
    """Not to be tried again or gone on with: nothing follows."""
    return Failure(Kind.TRUNCATED, say("fail.recording_cut"), say("hint.recording_cut"))
