"""Everything a run or a session needs, with its listener, on one fake clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from tests.kit.clock import FakeClock
from tests.kit.transport import ScriptedTransport
from tui_chat.domain.ask import Ask, Message, Settings
from tui_chat.domain.draft import Draft
from tui_chat.domain.endpoint import Endpoint, RetryPolicy, Timeouts
from tui_chat.domain.events import Ended, RunHeard, Text, Thinking
from tui_chat.domain.tokens import Lesson, Ratios
from tui_chat.engine.ports import Engine
from tui_chat.engine.reply import Target
from tui_chat.engine.run import Run
from tui_chat.engine.session import Session
from tui_chat.wire.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kit.transport import Script
    from tui_chat.domain.events import Learned, Outcome, RunEvent, SessionEvent, Stamped
    from tui_chat.domain.pricing import Price
    from tui_chat.engine.ports import Transport

E = TypeVar("E")

PATIENT = Timeouts(connect=0, first_token=0, idle=0, total=0)
"""No limit at all."""


def endpoint(**changes: Any) -> Endpoint:
    """A server that needs no key, of a kind that cannot go on with a broken answer."""
    return replace(Endpoint("test", "https://api.openai.com/v1", retry=RetryPolicy(4, 0.5, 30.0)), **changes)


def ask(prompt: str = "hi", at: Endpoint | None = None, model: str = "m", **changes: Any) -> Ask:
    return replace(Ask(at or endpoint(), model, (Message("user", prompt),)), **changes)


class Facts:
    """ports.Knowledge in memory."""

    def __init__(self) -> None:
        self.learned: list[Learned] = []

    def refused(self, endpoint: str, model: str) -> frozenset[str]:
        return frozenset(f.refused for f in self.learned if (f.endpoint, f.model) == (endpoint, model))

    def ratios(self, endpoint: str, model: str) -> Ratios:
        return Ratios()

    def learn_ratio(self, endpoint: str, model: str, lesson: Lesson) -> None:
        pass

    def learn(self, fact: Learned) -> None:
        self.learned.append(fact)


def engine(transport: Transport, clock: Any, facts: Facts | None = None) -> Engine:
    return Engine(transport, DIALECTS.__getitem__, clock, facts or Facts())


class Recorder:
    """A run's listener that keeps everything; `when[type]` is called after an event of that type was kept."""

    def __init__(self) -> None:
        self.heard: list[Stamped] = []
        self.draft = Draft()
        self.when: dict[type[Any], Callable[[], object]] = {}

    def __call__(self, stamped: Stamped) -> None:
        self.heard.append(stamped)
        self.draft.fold(stamped)
        if (act := self.when.get(type(stamped.event))) is not None:
            act()

    @property
    def events(self) -> list[RunEvent]:
        return [stamped.event for stamped in self.heard]

    @property
    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.of(Text))

    @property
    def thinking(self) -> str:
        return "".join(event.text for event in self.of(Thinking))

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def outcome(self) -> Outcome:
        """How the run ended, after a look at the rules that hold on every path."""
        ends = self.of(Ended)
        assert len(ends) == 1, self.names
        assert isinstance(self.events[-1], Ended), self.names
        times = [stamped.at for stamped in self.heard]
        assert times == sorted(times)
        assert (self.draft.text, self.draft.reasoning) == (self.text, self.thinking)
        return ends[0].outcome


class Stage:
    """One scripted server and one listener; keyword arguments change the endpoint."""

    def __init__(self, *scripts: Script, **changes: Any) -> None:
        self.clock = FakeClock()
        self.transport = ScriptedTransport(self.clock, *scripts)
        self.facts = Facts()
        self.engine = engine(self.transport, self.clock, self.facts)
        self.endpoint = endpoint(**changes)
        self.recorder = Recorder()

    def ask(self, prompt: str = "hi", **changes: Any) -> Ask:
        return ask(prompt, self.endpoint, **changes)

    def run(self, **changes: Any) -> Run:
        return Run(self.engine, self.ask(**changes), self.recorder)

    async def play(self, **changes: Any) -> Outcome:
        """Run to the end, however long that takes on the fake clock."""
        outcome = await self.clock.finish(self.run(**changes).go())
        assert self.recorder.outcome() == outcome
        self.assert_clean()
        return outcome

    def assert_clean(self) -> None:
        """Nothing is open, being read or waited for, and no answer was cancelled twice."""
        wire = self.transport
        assert (wire.open_answers, wire.being_read, self.clock.pending, wire.cancelled_twice) == (0, 0, 0, 0)

    def session(self, price: Price | None = None) -> Held:
        return Held(Session(self.engine, Target(self.endpoint, "m", Settings(), lambda *_: price)))


class Held:
    """A session with all it told."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.told: list[SessionEvent] = []
        session.listeners.append(self.told.append)

    @property
    def names(self) -> list[str]:
        """The events, a run's by its own name."""
        return [type(e.stamped.event if isinstance(e, RunHeard) else e).__name__ for e in self.told]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def dialogue(self) -> list[tuple[str, str]]:
        """(role, text) of the turns in chat."""
        return [(node.role, node.text) for node in self.session.conversation.path()]
