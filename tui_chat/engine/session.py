"""One conversation being held: what was said, the reply under way, and the messages waiting their turn.

Every face calls the same `submit`. Two replies of the chat never run at once in one conversation; those of a
comparison (`engine.comparison`) run aside, many at once. What would likely cross a limit of the budget is not sent: it
waits, as `asked`, until a face says `agree` or `decline`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.ask import Message
from tui_chat.domain.budget import NOTHING
from tui_chat.domain.conversation import Conversation, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import (
    CHAT,
    BudgetAsked,
    Decided,
    Ended,
    Failed,
    Finished,
    Kept,
    Notice,
    QueueChanged,
    Returned,
    RunHeard,
    Selected,
    Submitted,
    Text,
    Thinking,
)
from tui_chat.domain.pricing import Cost, CostSource, total
from tui_chat.domain.words import say
from tui_chat.engine.budget import stopped
from tui_chat.engine.purse import Purse
from tui_chat.engine.reply import Reply, Target, rest_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from decimal import Decimal

    from tui_chat.domain.ask import Role
    from tui_chat.domain.budget import Estimate, Left, Limit
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.events import SessionEvent, Stamped
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.comparison import Comparison
    from tui_chat.engine.ports import Engine
    from tui_chat.engine.run import Ready

WATCH_S = 0.02
"""How often the cost of a reply is held against the budget: it takes longer to compute than to fold a chunk."""
FEW = 64
"""Characters of a chunk that may wait for that."""


class Asked(Struct, frozen=True):
    """What waits for the user's word, because it would likely cross a limit."""

    estimate: Estimate
    go: Callable[[], None]
    text: str = ""
    """What was written for it."""
    queued: bool = False
    """It stands first in the queue."""
    told: bool = True
    """The listeners know that it does."""


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
        self.aside: dict[str, Reply] = {}
        """Replies under way that are not the chat's own but those of a comparison, by their turns."""
        self.queue: list[str] = []
        self.ready = ready
        self.purse = Purse(engine, lambda: self._ended().usd or NOTHING)
        self.asked: Asked | None = None
        self.comparison: Comparison | None = None
        """What is being compared in it; it outlives the screen that shows it."""
        self.beside = NOTHING
        """USD that the conversation took beside its replies, such as for its title."""
        self._engine = engine
        self._sum: Cost | None = None
        self._let_go: frozenset[Limit] = frozenset()
        self._unwatched: set[str] = set()
        self._closing = self._interrupted = False

    @property
    def running(self) -> bool:
        return self.reply is not None and not self.reply.draft.phase.ended

    @property
    def busy(self) -> bool:
        """A reply is under way, the chat's own or one of a comparison: what is sent now waits."""
        comparing = self.comparison is not None and self.comparison.running
        return self.running or bool(self.aside) or comparing

    def under_way(self, node_id: str) -> Reply | None:
        """The reply that is becoming this turn."""
        if self.running and self.reply is not None and self.reply.node.id == node_id:
            return self.reply
        return self.aside.get(node_id)

    def submit(self, text: str) -> None:
        """Ask `text` in the conversation: at once, or when the reply under way and the messages before it are done."""
        waits = self.busy or bool(self.queue) or self.asked is not None
        self.queue.append(text)
        if waits:
            self._tell(QueueChanged(tuple(self.queue)))
        self._next(told=waits)

    def agree(self) -> None:
        """Send what waits for the user's word, once; its reply is not stopped at the limits that were named."""
        asked, self.asked = self.asked, None
        if asked is None:
            return
        self._let_go = asked.estimate.limits
        asked.go()
        if asked.queued:
            self._tell(QueueChanged(tuple(self.queue)))

    def decline(self) -> str:
        """Leave unsent what waits for the user's word; the text that was written for it. What is queued waits on."""
        asked, self.asked = self.asked, None
        if asked is None:
            return ""
        if asked.queued:
            self.queue.pop(0)
            if asked.told:
                self._tell(QueueChanged(tuple(self.queue)))
        return asked.text

    def cancel(self, cause: Failure | None = None) -> bool:
        """End the reply under way, keeping what came; False when there is none."""
        if self.reply is None or self.reply.lane is None or not self.running:
            return False
        self.reply.lane.cancel(cause)
        return True

    def retry(self) -> bool:
        """Ask the newest question in chat again; the new reply is a sibling. False when there is nothing to retry."""
        question = next((n for n in reversed(self.conversation.path()) if n.role == "user"), None)
        if self.busy or self.asked is not None or question is None:
            return False
        self._if_allowed(self.conversation.messages(question.id), lambda: self._start(question))
        return True

    @property
    def resumable(self) -> Node | None:
        """The newest reply in chat, if it broke off with some text and can be taken up again."""
        node = None if self.busy else self.conversation.newest
        return node if node is not None and node.text and node.result is not None and node.result.broken_off else None

    def resume(self) -> bool:
        """Go on with the newest reply from where it broke off, by any way there is; False when it is whole."""
        node = self.resumable
        if node is None or node.parent is None or self.asked is not None:
            return False
        question = self.conversation.nodes[node.parent]
        self._if_allowed(self.conversation.messages(question.id), lambda: self._run(question, node, node.result), node)
        return True

    def select(self, node_id: str) -> bool:
        """Put a turn in chat, with what was last in chat below it; False while a reply is under way."""
        if self.busy:
            return False
        self.conversation.select(node_id)
        self._tell(Selected(self.conversation.head))
        return True

    def revise(self, node_id: str, text: str) -> bool:
        """Ask a question again in other words: a branch beside it. False while a reply is under way."""
        if self.busy or self.asked is not None:
            return False
        parent = self.conversation.nodes[node_id].parent
        self._if_allowed(
            self.messages_to(parent, text), lambda: self._start(self._add(parent, "user", text)), text=text
        )
        return True

    @property
    def undecided(self) -> Node | None:
        """The newest reply in chat, if the program ended before it did and nothing was said about it since."""
        node = None if self.busy else self.conversation.newest
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
            # What a comparison had under way beside it would else wait for a decision for ever.
            beside = [n.id for n in self.conversation.nodes.values() if n.result is not None and n.result.undecided]
            for id in beside:
                self._tell(Decided(self.conversation.keep(id)))
        return node

    # a comparison within the conversation

    def anchor(self, head: str | None) -> str | None:
        """The turn that a new message under `head` follows: a question that nothing answered is not one."""
        while head is not None:
            node = self.conversation.nodes[head]
            if node.role != "user" and node.sendable:
                break
            head = node.parent
        return head

    def ask_aside(self, parent: str | None, text: str, *, in_chat: bool) -> Node:
        """Put a question under `parent` without asking it of anybody yet."""
        return self._add(parent, "user", text, in_chat=in_chat)

    def begin_aside(
        self,
        question: Node,
        target: Target,
        lane: str,
        repeat: int,
        *,
        in_chat: bool = False,
        slots: asyncio.Semaphore | None = None,
        let_go: frozenset[Limit] = frozenset(),
    ) -> Reply:
        """Begin a reply beside all others; `lane` and `repeat` as a RunRecord has them.

        It is not stopped at the limits that the user has let go.
        """
        names = {"endpoint": target.endpoint.name, "model": target.model}
        node = self._add(question.id, "assistant", in_chat=in_chat, **names)
        return self._begin(question, node, target, None, lane, repeat, slots, let_go)

    def resume_aside(self, node_id: str, target: Target, lane: str, repeat: int) -> Reply | None:
        """Go on with a reply of a comparison from where it broke off; None when it is whole or nothing came."""
        node = self.conversation.nodes[node_id]
        if node.parent is None or not node.text or node.result is None or not node.result.broken_off:
            return None
        question = self.conversation.nodes[node.parent]
        return self._begin(question, node, target, node.result, lane, repeat)

    def adopt(self, node_id: str, target: Target, reply: Reply | None = None) -> bool:
        """Make an ended reply of a comparison the conversation's; the chat goes on from it, with its target.

        False while the chat's own reply, or this one, is under way.
        """
        if self.running or node_id in self.aside:
            return False
        self.conversation.select(node_id)
        self.target, self.reply = target, reply
        node = self.conversation.nodes[node_id]
        self._tell(Kept(node, target.endpoint.name, target.model, target.settings))
        self._tell(Selected(self.conversation.head))
        return True

    def tell(self, event: SessionEvent) -> None:
        """Have the listeners hear what a comparison in this conversation has to say."""
        self._tell(event)

    def take_back(self) -> str | None:
        """Remove the message that was queued last, and return it."""
        if not self.queue or (self.asked is not None and self.asked.queued and len(self.queue) == 1):
            return None
        text = self.queue.pop()
        self._tell(QueueChanged(tuple(self.queue)))
        return text

    def spent(self) -> Cost:
        """What this conversation cost so far: all replies, failed and cancelled ones too, and what was asked beside."""
        under_way = [self.reply.cost()] if self.reply is not None and self.running else []
        return total([self._ended(), *under_way, *(reply.cost() for reply in self.aside.values())])

    def _ended(self) -> Cost:
        """What this conversation cost without the replies under way; summed up anew once one has ended."""
        if self._sum is None:
            self._sum = total([n.result.cost for n in self.conversation.nodes.values() if n.result is not None])
        return total((self._sum, Cost(self.beside, CostSource.COMPUTED))) if self.beside else self._sum

    def budget_left(self) -> Left | None:
        """The limit that is nearest, and how much is left under it; None where there is none. Cheap at every frame."""
        if self.reply is not None and self.running:
            self.purse.note(self.reply.run.id, self.reply.run_cost().usd)
        for reply in self.aside.values():
            self.purse.note(reply.run.id, reply.run_cost().usd)
        return self.purse.left()

    async def close(self, *, interrupted: bool = True) -> None:
        """End what is under way, as interrupted or as cancelled, and wait until its connections are closed."""
        self._closing, self._interrupted = True, interrupted
        replies = [*self.aside.values(), *([self.reply] if self.reply is not None and self.running else [])]
        lanes = [reply.lane for reply in replies if reply.lane is not None]
        for lane in lanes:
            lane.cancel()
        for lane in lanes:
            await lane.outcome()

    def _tell(self, event: SessionEvent) -> None:
        for listener in self.listeners:
            listener(event)

    def _if_allowed(
        self, messages: tuple[Message, ...], go: Callable[[], None], again: Node | None = None, *, text: str = ""
    ) -> None:
        """Have it done, unless it would likely cross a limit; `again` is a reply that is to be taken up again."""
        estimate = self._foreseen(messages, again)
        if estimate is None:
            go()
        else:
            self._ask_first(Asked(estimate, go, text))

    def _foreseen(self, messages: tuple[Message, ...], again: Node | None = None) -> Estimate | None:
        """The estimate of a request that would likely cross a limit; None for any other."""
        self._let_go = frozenset()
        self._tell_unwatched()
        before = None if again is None else again.result
        ask = self.target.ask(messages, None if again is None else rest_of(again, before))
        return self.purse.weigh(ask, self.target.price, _cost_of(before))

    def _ask_first(self, asked: Asked) -> None:
        """Wait for the user's word; a listener may give it at once."""
        self.asked = asked
        self._tell(BudgetAsked(asked.estimate))
        if self.asked is asked and not asked.told:
            self.asked = replace(asked, told=True)
            self._tell(QueueChanged(tuple(self.queue)))

    def _tell_unwatched(self) -> None:
        """Say, once, that the budget is blind to a model: an unknown price counts nothing."""
        target = self.target
        known = target.price is not None or target.endpoint.local or target.model in self._unwatched
        if not known and not self.purse.budget.empty:
            self._unwatched.add(target.model)
            self._tell(Notice(say("budget.unwatched", model=target.model)))

    def _ask(self, text: str) -> None:
        self._start(self._add(self.anchor(self.conversation.head), "user", text))

    def _add(
        self,
        parent: str | None,
        role: Role,
        text: str = "",
        *,
        endpoint: str = "",
        model: str = "",
        in_chat: bool = True,
    ) -> Node:
        id, now = self._engine.new_id(), self._engine.clock.wall()
        names = {"endpoint": endpoint, "model": model, "id": id}
        return self.conversation.add(parent, role, text, created=now, in_chat=in_chat, **names)

    def _start(self, question: Node) -> None:
        target = self.target
        self._run(question, self._add(question.id, "assistant", endpoint=target.endpoint.name, model=target.model))

    def _run(self, question: Node, node: Node, before: Result | None = None) -> None:
        self._begin(question, node, self.target, before, let_go=self._let_go)

    def _begin(
        self,
        question: Node,
        node: Node,
        target: Target,
        before: Result | None = None,
        lane: str = "",
        repeat: int = 0,
        slots: asyncio.Semaphore | None = None,
        let_go: frozenset[Limit] = frozenset(),
    ) -> Reply:
        if before is not None:
            node, self._sum = self.conversation.reopen(node.id), None
        # The first screen stands without what runs a request.
        from tui_chat.engine.lanes import start

        messages = self.conversation.messages(question.id)
        run, began = self._engine.new_id(), self._engine.clock.wall()
        ratios = self._engine.knowledge.ratios(target.endpoint.name, target.model)
        reply = Reply(node, question, target, messages, before, run, began, ratios, lane, repeat)
        if lane:
            self.aside[node.id] = reply
        else:
            self.reply = reply
        self.purse.begin(run, _cost_of(before), let_go)
        asks = {lane or CHAT: reply.ask}
        listener = partial(self._hear, reply)
        reply.lane = start(self._engine, asks, listener, ready=self.ready, slots=slots)[0]
        self._tell(Submitted(question, node, reply.run))
        return reply

    def _hear(self, reply: Reply, stamped: Stamped) -> None:
        reply.fold(stamped)
        if not isinstance(stamped.event, Ended):
            self._tell(RunHeard(reply.node.id, stamped))
            self._watch(reply, stamped)
            return
        if (lesson := reply.meter.lesson()) is not None:
            self._engine.knowledge.learn_ratio(reply.target.endpoint.name, reply.target.model, lesson)
        draft = reply.draft
        cut_short = self._interrupted and draft.phase is Phase.CANCELLED
        result = reply.result(Phase.INTERRUPTED if cut_short else None)
        reply.node = self.conversation.finish(reply.node.id, draft.text, draft.reasoning, result, reply.runs())
        self._sum = None
        self.purse.end(reply.runs()[-1])
        output = reply.meter.counted()[0].output
        if draft.phase is Phase.COMPLETED and output:
            self._engine.ledger.answered(reply.target.endpoint.name, reply.target.model, output)
        aside = self.aside.pop(reply.node.id, None) is not None
        self._tell(Finished(reply.node))
        self._tell(RunHeard(reply.node.id, stamped))
        failed = isinstance(stamped.event.outcome, Failed) and not aside
        if not draft.received and draft.phase is not Phase.COMPLETED and not aside:
            self._tell(Returned(reply.question.text))
        if not failed and not self._closing:
            self._next()

    def _watch(self, reply: Reply, stamped: Stamped) -> None:
        """Stop a reply that has crossed a limit, unless all of it is here; a few words more do not matter at once."""
        if reply.whole or self.purse.budget.empty or reply.lane is None:
            return
        few = isinstance(stamped.event, Text | Thinking) and len(stamped.event.text) < FEW
        if few and stamped.at - reply.watched < WATCH_S:
            return
        reply.watched = stamped.at
        if over := self.purse.over(reply.run.id, reply.run_cost().usd):
            reply.lane.cancel(stopped(over))

    def _next(self, *, told: bool = True) -> None:
        """Ask what is queued first; a listener may have asked something by now, and then it waits on.

        `told`: the listeners know that it stands in the queue.
        """
        if not self.queue or self.busy or self.asked is not None:
            return
        text = self.queue[0]

        def go() -> None:
            self.queue.pop(0)
            self._ask(text)

        estimate = self._foreseen(self.messages_to(self.anchor(self.conversation.head), text))
        if estimate is not None:
            self._ask_first(Asked(estimate, go, text, queued=True, told=told))
            return
        go()
        if told:
            self._tell(QueueChanged(tuple(self.queue)))

    def messages_to(self, parent: str | None, text: str) -> tuple[Message, ...]:
        """What the model is told when `text` is asked under `parent`."""
        before = () if parent is None else self.conversation.messages(parent)
        return (*before, Message("user", text))


def _cost_of(result: Result | None) -> Decimal:
    """What is known of what a reply has cost."""
    return (result.cost.usd if result is not None else None) or NOTHING
