"""One conversation being held: what was said, the reply under way, and the messages waiting their turn.

Every face calls the same `submit`. Two replies never run at once in one conversation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tui_chat.domain.ask import Ask, Continuation
from tui_chat.domain.attempts import AttemptLog, run_record
from tui_chat.domain.conversation import Conversation, Result
from tui_chat.domain.draft import Draft, Phase
from tui_chat.domain.events import (
    Decided,
    Ended,
    Failed,
    Finished,
    QueueChanged,
    Returned,
    RunHeard,
    Selected,
    Submitted,
)
from tui_chat.domain.meter import Meter, added
from tui_chat.domain.pricing import total
from tui_chat.domain.tokens import count
from tui_chat.engine.lanes import start

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.ask import Message, Role, Settings
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import SessionEvent, Stamped
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost, Price
    from tui_chat.domain.tokens import Ratios
    from tui_chat.engine.lanes import Lane
    from tui_chat.engine.ports import Engine
    from tui_chat.engine.run import Ready


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the next message goes to, and how."""

    endpoint: Endpoint
    model: str
    settings: Settings
    price: Price | None = None
    stream: bool = True


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
    ) -> None:
        self.node = node
        self.question = question
        self.target = target
        self._before = before
        """How a reply that is taken up again had ended."""
        rest = Continuation(node.text, node.reasoning, before.place) if before is not None else None
        self.ask = Ask(target.endpoint, target.model, messages, target.settings, target.stream, rest)
        self.draft = Draft(node.text, node.reasoning)
        if before is not None:
            self.draft.seams += before.seams
        size = prompt_tokens(self.ask, ratios)
        self.meter = Meter(size, ratios)
        self.run = run_record(run, self.ask, began)
        self._attempts = AttemptLog(size, target.price, began, ratios)
        self.lane: Lane | None = None

    def fold(self, stamped: Stamped) -> None:
        self.draft.fold(stamped)
        self.meter.fold(stamped)
        self._attempts.fold(stamped)

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


class Session:
    """A conversation, its reply under way and its queue; listeners hear every SessionEvent, in order."""

    def __init__(
        self, engine: Engine, target: Target, conversation: Conversation | None = None, ready: Ready | None = None
    ) -> None:
        """No request leaves before `ready` returns: by then its question has been put down."""
        self.conversation = conversation or Conversation()
        self.target = target
        self.listeners: list[Callable[[SessionEvent], None]] = []
        self.reply: Reply | None = None
        """The newest reply, under way or ended."""
        self.queue: list[str] = []
        self.ready = ready
        self._engine = engine
        self._closing = self._interrupted = False

    @property
    def running(self) -> bool:
        return self.reply is not None and not self.reply.draft.phase.ended

    def submit(self, text: str) -> None:
        """Ask `text` in the conversation: at once, or when the reply under way and the messages before it are done."""
        if self.running or self.queue:
            self.queue.append(text)
            self._tell(QueueChanged(tuple(self.queue)))
            if not self.running:
                self._next()
            return
        self._ask(text)

    def cancel(self, cause: Failure | None = None) -> bool:
        """End the reply under way, keeping what came; False when there is none."""
        if self.reply is None or self.reply.lane is None or not self.running:
            return False
        self.reply.lane.cancel(cause)
        return True

    def retry(self) -> bool:
        """Ask the newest question in chat again; the new reply is a sibling. False when there is nothing to retry."""
        question = next((n for n in reversed(self.conversation.path()) if n.role == "user"), None)
        if self.running or question is None:
            return False
        self._start(question)
        return True

    @property
    def resumable(self) -> Node | None:
        """The newest reply in chat, if it broke off with some text and can be taken up again."""
        path = self.conversation.path()
        node = path[-1] if path and not self.running else None
        return node if node is not None and node.text and node.result is not None and node.result.broken_off else None

    def resume(self) -> bool:
        """Go on with the newest reply from where it broke off, by any way there is; False when it is whole."""
        node = self.resumable
        if node is None or node.parent is None:
            return False
        self._run(self.conversation.nodes[node.parent], self.conversation.reopen(node.id), node.result)
        return True

    def select(self, node_id: str) -> bool:
        """Put a turn in chat, with what was last in chat below it; False while a reply is under way."""
        if self.running:
            return False
        self.conversation.select(node_id)
        self._tell(Selected(self.conversation.head))
        return True

    def revise(self, node_id: str, text: str) -> bool:
        """Ask a question again in other words: a branch beside it. False while a reply is under way."""
        if self.running:
            return False
        self._start(self._add(self.conversation.nodes[node_id].parent, "user", text))
        return True

    @property
    def undecided(self) -> Node | None:
        """The newest reply in chat, if the program ended before it did and nothing was said about it since."""
        path = self.conversation.path()
        node = path[-1] if path and not self.running else None
        return node if node is not None and node.result is not None and node.result.undecided else None

    def keep(self) -> bool:
        """Leave an interrupted reply as it is; False when there is none."""
        return self._decide() is not None

    def discard(self) -> bool:
        """Take an interrupted reply out of chat; it stays in the tree. False when there is none."""
        node = self._decide()
        if node is None:
            return False
        self.conversation.rewind(node.parent)
        self._tell(Selected(self.conversation.head))
        return True

    def _decide(self) -> Node | None:
        node = self.undecided
        if node is not None:
            node = self.conversation.keep(node.id)
            self._tell(Decided(node))
        return node

    def take_back(self) -> str | None:
        """Remove the message that was queued last, and return it."""
        if not self.queue:
            return None
        text = self.queue.pop()
        self._tell(QueueChanged(tuple(self.queue)))
        return text

    def spent(self) -> Cost:
        """What all replies of this conversation cost so far, failed and cancelled ones too."""
        costs = [n.result.cost for n in self.conversation.nodes.values() if n.result is not None]
        if self.reply is not None and self.running:
            costs.append(self.reply.cost())
        return total(costs)

    async def close(self, *, interrupted: bool = True) -> None:
        """End the reply under way, as interrupted or as cancelled, and wait until its connection is closed."""
        self._closing, self._interrupted = True, interrupted
        if self.cancel() and self.reply is not None and self.reply.lane is not None:
            await self.reply.lane.outcome()

    def _tell(self, event: SessionEvent) -> None:
        for listener in self.listeners:
            listener(event)

    def _ask(self, text: str) -> None:
        self._start(self._add(self._anchor(), "user", text))

    def _add(self, parent: str | None, role: Role, text: str = "", *, endpoint: str = "", model: str = "") -> Node:
        id, now = self._engine.new_id(), self._engine.clock.wall()
        return self.conversation.add(parent, role, text, endpoint=endpoint, model=model, id=id, created=now)

    def _anchor(self) -> str | None:
        """The turn that a new message follows: a question that nothing answered is not one."""
        path = self.conversation.path()
        while path and (path[-1].role == "user" or not path[-1].sendable):
            path.pop()
        return path[-1].id if path else None

    def _start(self, question: Node) -> None:
        target = self.target
        self._run(question, self._add(question.id, "assistant", endpoint=target.endpoint.name, model=target.model))

    def _run(self, question: Node, node: Node, before: Result | None = None) -> None:
        messages = self.conversation.messages(question.id)
        run, began = self._engine.new_id(), self._engine.clock.wall()
        ratios = self._engine.knowledge.ratios(self.target.endpoint.name, self.target.model)
        reply = self.reply = Reply(node, question, self.target, messages, before, run, began, ratios)
        asks = {"main": reply.ask}
        reply.lane = start(self._engine, asks, lambda stamped: self._hear(reply, stamped), ready=self.ready)[0]
        self._tell(Submitted(question, node, reply.run))

    def _hear(self, reply: Reply, stamped: Stamped) -> None:
        reply.fold(stamped)
        if not isinstance(stamped.event, Ended):
            self._tell(RunHeard(reply.node.id, stamped))
            return
        if (lesson := reply.meter.lesson()) is not None:
            self._engine.knowledge.learn_ratio(reply.target.endpoint.name, reply.target.model, lesson)
        draft = reply.draft
        cut_short = self._interrupted and draft.phase is Phase.CANCELLED
        result = reply.result(Phase.INTERRUPTED if cut_short else None)
        reply.node = self.conversation.finish(reply.node.id, draft.text, draft.reasoning, result, reply.runs())
        self._tell(Finished(reply.node))
        self._tell(RunHeard(reply.node.id, stamped))
        failed = isinstance(stamped.event.outcome, Failed)
        if not draft.received and draft.phase is not Phase.COMPLETED:
            self._tell(Returned(reply.question.text))
        if not failed and not self._closing:
            self._next()

    def _next(self) -> None:
        """Ask what is queued first; a listener may have asked something by now, and then it waits on."""
        if self.queue and not self.running:
            text = self.queue.pop(0)
            self._ask(text)
            self._tell(QueueChanged(tuple(self.queue)))


def prompt_tokens(ask: Ask, ratios: Ratios | None = None) -> float:
    """What is sent to the model, in estimated tokens; with the text that an answer is to be gone on with."""
    so_far = ask.continuation.text if ask.continuation is not None else ""
    return sum(count(text, ratios) for text in (ask.settings.system or "", *(m.text for m in ask.messages), so_far))


def _rate(then: Stats, now: Stats) -> float | None:
    """Decode tokens per second of a reply that came in two parts."""
    parts = [(stats.tok_per_s, stats.decode_s) for stats in (then, now) if stats.tok_per_s and stats.decode_s]
    seconds = sum(s for _, s in parts)
    return sum(rate * s for rate, s in parts) / seconds if seconds else now.tok_per_s or then.tok_per_s
