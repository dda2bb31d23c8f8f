"""One reply: whom it is asked of, and the draft and the meter that listen to its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.ask import Ask, Continuation, Message
from tui_chat.domain.attempts import AttemptLog, run_record
from tui_chat.domain.conversation import Result
from tui_chat.domain.draft import Draft, Phase
from tui_chat.domain.events import Attempt, Stopped
from tui_chat.domain.meter import Meter, added
from tui_chat.domain.pricing import Cost, total
from tui_chat.engine.budget import prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.ask import Settings
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import Stamped
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Price
    from tui_chat.domain.tokens import Ratios
    from tui_chat.engine.lanes import Lane


def unpriced(endpoint: str, model: str) -> Price | None:
    """No price is known of any model."""


class Target(Struct, frozen=True):
    """Whom the next message goes to, and how."""

    endpoint: Endpoint
    model: str
    settings: Settings
    price_of: Callable[[str, str], Price | None] = unpriced
    """The price of an endpoint's model; looked up when a reply needs it."""
    stream: bool = True

    def ask(self, messages: tuple[Message, ...], rest: Continuation | None = None) -> Ask:
        return Ask(self.endpoint, self.model, messages, self.settings, self.stream, rest)

    @property
    def price(self) -> Price | None:
        return self.price_of(self.endpoint.name, self.model)


class Reply:
    """One assistant turn with its run: the draft and the meter that listen to it."""

    def __init__(
        self,
        node: Node,
        question: Node,
        target: Target,
        messages: tuple[Message, ...],
        before: Result | None = None,
        run: str = "",
        began: float = 0.0,
        ratios: Ratios | None = None,
        lane: str = "",
        repeat: int = 0,
    ) -> None:
        """`lane` and `repeat` as a RunRecord has them."""
        self.node = node
        self.question = question
        self.target = target
        self._before = before
        """How a reply that is taken up again had ended."""
        self.ask = target.ask(messages, rest_of(node, before))
        self.draft = Draft(node.text, node.reasoning)
        if before is not None:
            self.draft.seams += before.seams
        size = prompt_tokens(self.ask, ratios)
        self.meter = Meter(size, ratios)
        self.run = run_record(run, self.ask, began, lane, repeat)
        self._attempts = AttemptLog(size, target.price, began, ratios)
        self.lane: Lane | None = None
        self.whole = False
        """All of the answer is here, if not the end of the run."""
        self.watched = 0.0
        """When, in seconds of the run, its cost was last held against the budget."""

    def fold(self, stamped: Stamped) -> None:
        self.draft.fold(stamped)
        self.meter.fold(stamped)
        self._attempts.fold(stamped)
        self.whole = isinstance(stamped.event, Stopped) or (self.whole and not isinstance(stamped.event, Attempt))

    def runs(self) -> tuple[RunRecord, ...]:
        """What the reply took: its runs before, and this one with the tries that are over."""
        return (*self.node.runs, replace(self.run, attempts=self._attempts.records()))

    @property
    def age(self) -> float:
        """Seconds since the run began."""
        return self.lane.run.age if self.lane is not None else 0.0

    def stats(self) -> Stats:
        """The figures of the whole reply, with those from before it was taken up again."""
        now = self.meter.stats(self.age)
        if self._before is None:
            return now
        then = self._before.stats
        return replace(
            now,
            elapsed_s=then.elapsed_s + now.elapsed_s,
            attempts=then.attempts + now.attempts,
            usage=added(then.usage, now.usage),
            exact=then.exact and now.exact,
            ttft_s=then.ttft_s,
            ttft_answer_s=then.ttft_answer_s,
            wait_s=then.wait_s + now.wait_s,
            decode_s=then.decode_s + now.decode_s,
            tok_per_s=_rate(then, now),
            estimate=None,
        )

    def cost(self) -> Cost:
        """What the reply costs, with what it had cost before it was taken up again."""
        now = self.run_cost()
        return now if self._before is None else total((self._before.cost, now))

    def run_cost(self) -> Cost:
        """What this run costs, each of its tries billed for itself."""
        return self._attempts.cost()

    def result(self, phase: Phase | None = None) -> Result:
        """How the reply has ended, or, with a phase, how it counts as ended."""
        stats, draft = self.stats(), self.draft
        return Result(
            phase=phase or draft.phase,
            finish_reason=draft.finish_reason,
            failure=draft.failure,
            skipped=draft.skipped,
            stats=stats,
            cost=self.cost(),
            seams=tuple(draft.seams),
            place=self.lane.run.place if self.lane is not None else None,
        )


def rest_of(node: Node, before: Result | None) -> Continuation | None:
    """What a reply that had ended like `before` goes on from."""
    return None if before is None else Continuation(node.text, node.reasoning, before.place)


def _rate(then: Stats, now: Stats) -> float | None:
    """Decode tokens per second of a reply that came in two parts."""
    parts = [(stats.tok_per_s, stats.decode_s) for stats in (then, now) if stats.tok_per_s and stats.decode_s]
    seconds = sum(s for _, s in parts)
    return sum(rate * s for rate, s in parts) / seconds if seconds else now.tok_per_s or then.tok_per_s
