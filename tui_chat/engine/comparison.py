"""Several models or settings side by side in one conversation: lanes, each of which goes on with its own answers.

The tree is the conversation's, and so are the listeners: a lane is a place in the tree and whom it asks. Its replies
run aside of the chat's own (`Session.begin_aside`); a round is one message to all lanes in sync.
"""

from __future__ import annotations

import asyncio
from collections import deque
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tui_chat.domain.budget import Crossing, Limit
from tui_chat.domain.comparing import Compared, ComparedLane, ComparedRun
from tui_chat.domain.events import Ended, LanesChanged, RunHeard, Voted, lane_of
from tui_chat.domain.failure import Kind
from tui_chat.domain.lane import MOST, LaneRecord, Verdict, Vote, letter
from tui_chat.engine.budget import stopped
from tui_chat.engine.offers import offers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from tui_chat.domain.ask import Message
    from tui_chat.domain.budget import Estimate
    from tui_chat.domain.conversation import Node, Result
    from tui_chat.domain.events import SessionEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.clock import Timer
    from tui_chat.engine.ports import Engine
    from tui_chat.engine.reply import Reply, Target
    from tui_chat.engine.session import Session


class Pace(Struct, frozen=True):
    """How a round is run."""

    repeat: int = 1
    """Runs of each lane."""
    parallel: bool = False
    """The runs of a lane are at once, else one after the other."""
    limit: int | None = None
    """Runs at once, of all lanes together; the others wait, and their time to first token does not."""
    stagger_s: float = 0.0
    """Between the beginnings of one lane and of the next."""


class LaneState(Struct, eq=False):
    """One lane."""

    id: str
    label: str
    target: Target
    head: str | None = None
    """The turn that its next message follows."""
    given: str | None = None
    """The turn at which it was put, which is no answer of its own."""
    synced: bool = True
    note: str = ""
    replies: list[Reply] = field(default_factory=list["Reply"])
    """Of its newest round, one a repeat, in the order of their beginnings."""
    due: deque[Callable[[], object]] = field(default_factory=deque["Callable[[], object]"])
    """Begins the runs of the round that have not begun."""
    question: Node | None = None
    """The newest question it was asked."""
    timer: Timer | None = None
    """Runs out when its first run begins, where lanes are staggered."""
    round: str = ""
    """Id of the newest round that it took part in."""
    let_go: frozenset[Limit] = frozenset()
    """Limits at which the runs of its newest round are not stopped, for the user was asked."""

    @property
    def running(self) -> bool:
        return bool(self.due) or any(not reply.draft.phase.ended for reply in self.replies)

    @property
    def results(self) -> list[Result]:
        """How the runs of the newest round have ended, or how they stand."""
        return [reply.node.result or reply.result() for reply in self.replies]

    @property
    def reply(self) -> Reply | None:
        """The reply that its next message follows, of the newest round."""
        return next((reply for reply in self.replies if reply.node.id == self.head), None)

    def answered(self, node_id: str | None) -> bool:
        """True for a turn that is an answer of this lane."""
        return node_id != self.given or any(reply.node.id == node_id for reply in self.replies)

    def record(self) -> LaneRecord:
        target = self.target
        return LaneRecord(
            self.id,
            self.label,
            target.endpoint.name,
            target.model,
            target.settings,
            self.head,
            self.synced,
            self.note,
        )


class Comparison:
    """Lanes in the conversation of a session; `listeners` hear (lane id, event), and ("", event) of what is no lane's.

    The first lane in sync is in chat until another lane's answer is kept.
    """

    def __init__(
        self,
        engine: Engine,
        session: Session,
        targets: Iterable[Target] = (),
        *,
        pace: Pace | None = None,
        cap: Decimal | None = None,
    ) -> None:
        """`cap` in USD ends all lanes when together they have cost more since now; it needs prices."""
        self.session = session
        self.lanes: dict[str, LaneState] = {}
        self.listeners: list[Callable[[str, SessionEvent], None]] = []
        self.pace = pace or Pace()
        self.cap = cap
        self.stopped: Failure | None = None
        """Why no run begins any more: the cap has been reached."""
        self.round = ""
        """Id of the newest round."""
        self.asked = ""
        """What was asked in it."""
        self._engine = engine
        self._slots: tuple[int, asyncio.Semaphore] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._costs: dict[str, Decimal] = {}
        """By turn, what the runs that have ended took."""
        if cap is not None:
            session.purse.budget = replace(session.purse.budget, per_command=cap)
        session.listeners.append(self._hear)
        session.comparison = self
        for target in targets:
            self.add(target)

    # lanes

    def add(self, target: Target, label: str = "", head: str | None = None) -> LaneState | None:
        """A new lane that begins where the chat is, or below `head`; None when there are as many as there may be."""
        return self._add(target, label, head or self.session.conversation.head)

    def restore(self, record: LaneRecord, target: Target) -> LaneState:
        """A lane as it was left."""
        there = record.head in self.session.conversation.nodes
        head = record.head if there else self.session.conversation.head
        left = None if head is None else self.session.conversation.nodes[head]
        asked = left is not None and (left.endpoint, left.model) == (record.endpoint, record.model)
        given = None if asked else head
        lane = LaneState(record.id, record.label, target, head, given, record.synced, record.note)
        lane.question = self._question_above(head)
        self.lanes[lane.id] = lane
        return lane

    def duplicate(self, lane_id: str) -> LaneState | None:
        """A lane that goes on from where this one is, with the same settings."""
        lane = self.lanes[lane_id]
        return self._add(lane.target, "", lane.head)

    def remove(self, lane_id: str) -> None:
        """Take a lane out; what it was told and answered stays in the tree."""
        self.cancel(lane_id)
        lane = self.lanes.pop(lane_id)
        self._costs |= {reply.node.id: reply.cost().usd or Decimal(0) for reply in lane.replies}
        self._rest()
        self._changed()

    def edit(self, lane_id: str, target: Target) -> None:
        """Ask somebody else, or otherwise, from the lane's next run on."""
        self.lanes[lane_id].target = target
        self._changed()

    def sync(self, lane_id: str, synced: bool) -> None:
        """Have what is written for all lanes go to this one too, or not."""
        self.lanes[lane_id].synced = synced
        self._changed()

    def annotate(self, lane_id: str, note: str) -> None:
        self.lanes[lane_id].note = note
        self._changed()

    @property
    def synced(self) -> list[LaneState]:
        return [lane for lane in self.lanes.values() if lane.synced]

    @property
    def running(self) -> bool:
        return any(lane.running for lane in self.lanes.values())

    def spent(self) -> Decimal:
        """What all runs of this comparison have cost since it was opened, as far as it is known; USD."""
        under_way = [r.cost().usd for lane in self.lanes.values() for r in lane.replies if not r.draft.phase.ended]
        return sum((usd for usd in (*self._costs.values(), *under_way) if usd is not None), Decimal(0))

    # a round

    def weigh(self, text: str, only: str | None = None) -> Estimate | None:
        """The estimate of a round that would likely cross a limit of the budget; None for any other."""
        return self._weigh(
            self._these(only), lambda lane: self.session.messages_to(self.session.anchor(lane.head), text)
        )

    def weigh_again(self, question_id: str) -> Estimate | None:
        """The same of `ask_again`."""
        messages = self.session.conversation.messages(question_id)
        return self._weigh(self.synced, lambda _: messages)

    def weigh_retry(self, lane_id: str | None = None) -> Estimate | None:
        """The same of `retry`."""
        tree = self.session.conversation
        lanes = [lane for lane in self._these(lane_id) if lane.question is not None]
        return self._weigh(lanes, lambda lane: tree.messages(lane.question.id) if lane.question else ())

    def submit(self, text: str, only: str | None = None, let_go: frozenset[Limit] = frozenset()) -> bool:
        """Ask `text` in every lane in sync, or in one alone; False while one of them, or the chat, is at work.

        Its replies are not stopped at the limits that the user has let go.
        """
        lanes = self.synced if only is None else [self.lanes[only]]
        if not self._free(lanes):
            return False
        shared: dict[str | None, Node] = {}

        def question(lane: LaneState) -> Node:
            above = self.session.anchor(lane.head)
            if above not in shared:
                in_chat = self.session.conversation.head in (above, lane.head)
                shared[above] = self.session.ask_aside(above, text, in_chat=in_chat)
            return shared[above]

        self._begin(lanes, text, question, let_go)
        return True

    def ask_again(self, question_id: str, let_go: frozenset[Limit] = frozenset()) -> bool:
        """Ask a question of the conversation of every lane in sync: the answers are siblings of those it has.

        False while one of the lanes, or the chat, is at work.
        """
        lanes, node = self.synced, self.session.conversation.nodes[question_id]
        if not self._free(lanes):
            return False
        self._begin(lanes, node.text, lambda _: node, let_go)
        return True

    def retry(self, lane_id: str | None = None, let_go: frozenset[Limit] = frozenset()) -> bool:
        """Ask a lane, or each in sync, its newest question again; what it answered stays as a sibling."""
        lanes = [lane for lane in self._these(lane_id) if not lane.running and lane.question is not None]
        if not self._free(lanes):
            return False
        for lane in lanes:
            lane.let_go = let_go
            self._start(lane, lambda lane: lane.question)
        self._changed()
        return True

    def resume(self, lane_id: str | None = None) -> bool:
        """Go on with what broke off in a lane, or in each in sync; False where nothing did."""
        if self.session.running:
            return False
        resumed = [self._resume(lane) for lane in self._these(lane_id) if not lane.running]
        return any(resumed)

    def cancel(self, lane_id: str | None = None, cause: Failure | None = None) -> bool:
        """End what is under way in a lane, or in all, keeping what came; False when nothing is."""
        lanes = [lane for lane in self._of(lane_id) if lane.running]
        for lane in lanes:
            lane.due.clear()
            if lane.timer is not None:
                lane.timer.cancel()
            for reply in lane.replies:
                if reply.lane is not None and not reply.draft.phase.ended:
                    reply.lane.cancel(cause)
        self._rest()
        return bool(lanes)

    def keep(self, lane_id: str, node_id: str | None = None) -> bool:
        """Make the lane's answer, or the one of its repeats that is named, the conversation's.

        The others stay as siblings; the chat goes on from it, with the lane's settings. False while it is under way,
        or when it holds no answer.
        """
        lane = self.lanes[lane_id]
        at = node_id or lane.head
        if at is None or self.session.conversation.nodes[at].role != "assistant":
            return False
        reply = next((reply for reply in lane.replies if reply.node.id == at), None)
        target = lane.target if reply is None else reply.target
        if not self.session.adopt(at, target, reply):
            return False
        if lane.head != at:
            lane.head = at
            self._changed()
        return True

    def go_on_from(self, lane_id: str, node_id: str) -> None:
        """Have the lane's next message follow this one of its repeats."""
        self.lanes[lane_id].head = node_id
        self._changed()

    def rejoin(self) -> None:
        """Have every lane go on from where the chat is."""
        for lane in self.lanes.values():
            if lane.head != self.session.conversation.head:
                lane.head = lane.given = self.session.conversation.head
            lane.question = self._question_above(lane.head)
            lane.replies = []
        self._changed()

    async def warm_up(self) -> None:
        """Open the connections that the lanes in sync are going to use; what fails will fail again when it counts.

        It costs no tokens: the list of models is asked for, once for each run that may be under way at once.
        """
        pace, lanes = self.pace, self.synced
        runs = pace.repeat if pace.parallel else 1
        targets = [lane.target for lane in lanes for _ in range(runs)][: pace.limit]
        await asyncio.gather(*(offers(self._engine, t.endpoint) for t in targets), return_exceptions=True)

    async def ended(self) -> None:
        """Return when nothing is under way."""
        await self._idle.wait()

    def close(self) -> None:
        """Leave the conversation: what is under way ends, and nothing is heard any more."""
        self.cancel()
        self.session.listeners.remove(self._hear)
        self.session.comparison = None

    # judging

    @property
    def judged(self) -> list[LaneState]:
        """The lanes that have an answer to the newest round's question."""
        return [lane for lane in self._taking_part() if any(reply.draft.received for reply in lane.replies)]

    def _taking_part(self) -> list[LaneState]:
        """The lanes of the newest round: one that was out of sync was asked something else."""
        return [lane for lane in self.lanes.values() if lane.round == self.round]

    def vote(self, winners: Collection[str]) -> None:
        """The lanes that were best in the newest round: one has won, several or none are a tie; the others lost."""
        now = self._engine.clock.wall()
        tied = len(winners) != 1
        votes = [
            Vote(
                self.round,
                lane.id,
                (Verdict.TIED if tied else Verdict.WON) if not winners or lane.id in winners else Verdict.LOST,
                now,
                lane.replies[-1].target.endpoint.name,
                lane.replies[-1].target.model,
                lane.replies[-1].target.settings,
            )
            for lane in self.judged
        ]
        if self.round and votes:
            self._tell("", Voted(tuple(votes)))

    def shuffled(self) -> dict[str, str]:
        """Letters for the lanes that say nothing of their order, by id."""
        drawn = sorted(self.lanes, key=lambda _: self._engine.clock.chance())
        return {lane_id: letter(place) for place, lane_id in enumerate(drawn)}

    def compared(self, *, saved: bool = False) -> Compared:
        """The newest round as it stands, or what the lanes were left with; `saved`: its runs can be named later.

        A lane that took no part in it has no runs.
        """
        lanes, part = list(self.lanes.values()), self._taking_part()
        asked = self.asked or next((lane.question.text for lane in lanes if lane.question is not None), "")
        nodes = self.session.conversation.nodes
        left = [None if lane.head is None else nodes[lane.head] for lane in lanes]
        found = zip(lanes, left, strict=True)
        compared = [_compared(lane, node, saved=saved) for lane, node in found]
        shown = zip(lanes, compared, strict=True)
        return Compared(asked, tuple(each if lane in part else replace(each, runs=()) for lane, each in shown))

    # within

    def _free(self, lanes: list[LaneState]) -> bool:
        """Something may begin in all of these lanes."""
        at_work = self.session.running or any(lane.running for lane in lanes)
        return bool(lanes) and self.stopped is None and not at_work

    def _these(self, lane_id: str | None) -> list[LaneState]:
        return self.synced if lane_id is None else [self.lanes[lane_id]]

    def _of(self, lane_id: str | None) -> list[LaneState]:
        return list(self.lanes.values()) if lane_id is None else [self.lanes[lane_id]]

    def _add(self, target: Target, label: str, head: str | None) -> LaneState | None:
        if len(self.lanes) >= MOST:
            return None
        lane = LaneState(self._engine.new_id(), label or self._letter(), target, head, head)
        self.lanes[lane.id] = lane
        self._changed()
        return lane

    def _question_above(self, head: str | None) -> Node | None:
        nodes = self.session.conversation.nodes
        above = None if head is None else nodes[head].parent
        return None if above is None or nodes[above].role != "user" else nodes[above]

    def _letter(self) -> str:
        taken = {lane.label for lane in self.lanes.values()}
        return next(letter(place) for place in range(len(self.lanes) + 1) if letter(place) not in taken)

    def _weigh(self, lanes: list[LaneState], messages: Callable[[LaneState], tuple[Message, ...]]) -> Estimate | None:
        asks = [(lane.target.ask(messages(lane)), lane.target.price) for lane in lanes]
        return self.session.purse.weigh_together(asks * self.pace.repeat)

    def _begin(
        self,
        lanes: list[LaneState],
        text: str,
        question: Callable[[LaneState], Node | None],
        let_go: frozenset[Limit],
    ) -> None:
        self.round, self.asked = self._engine.new_id(), text
        for place, lane in enumerate(lanes):
            lane.let_go, lane.round = let_go, self.round
            self._start(lane, question, place * self.pace.stagger_s)
        self._changed()

    def _start(self, lane: LaneState, question: Callable[[LaneState], Node | None], delay: float = 0.0) -> None:
        """Put the runs of a lane in line, and begin the first of them, or all, after a while."""
        lane.replies = []
        self._idle.clear()
        lane.due.extend(partial(self._go, lane, question, repeat) for repeat in range(1, self.pace.repeat + 1))
        if delay:
            lane.timer = self._engine.clock.call_later(delay, partial(self._begin_late, lane))
        else:
            self._advance(lane)

    def _begin_late(self, lane: LaneState) -> None:
        self._advance(lane)
        self._changed()

    def _advance(self, lane: LaneState) -> None:
        """Begin the next run of a lane; all that are left, where they run at once."""
        while lane.due and self.stopped is None:
            lane.due.popleft()()
            if not self.pace.parallel:
                break

    def _go(self, lane: LaneState, question: Callable[[LaneState], Node | None], repeat: int) -> None:
        before = lane.head
        asked = lane.question = question(lane) if repeat == 1 else lane.question
        if asked is None:
            return
        # The chat goes along with a lane for as long as it is where that lane is.
        in_chat = repeat == 1 and self.session.conversation.head in (asked.id, before)
        slots, let_go = self._free_slots(), lane.let_go
        reply = self.session.begin_aside(
            asked, lane.target, lane.id, repeat, in_chat=in_chat, slots=slots, let_go=let_go
        )
        lane.replies.append(reply)
        if repeat == 1:
            lane.head = reply.node.id

    def _resume(self, lane: LaneState) -> bool:
        nodes = [reply.node for reply in lane.replies]
        if not nodes and lane.head is not None:
            nodes = [self.session.conversation.nodes[lane.head]]
        found = False
        for place, node in enumerate(nodes):
            reply = self.session.resume_aside(node.id, lane.target, lane.id, place + 1)
            if reply is not None:
                found = True
                self._idle.clear()
                # Its cost holds what it had cost before.
                self._costs.pop(node.id, None)
                lane.replies[place : place + 1] = [reply]
        return found

    def _free_slots(self) -> asyncio.Semaphore | None:
        limit = self.pace.limit
        if limit is None:
            return None
        if self._slots is None or self._slots[0] != limit:
            self._slots = limit, asyncio.Semaphore(limit)
        return self._slots[1]

    def _hear(self, event: SessionEvent) -> None:
        lane = self.lanes.get(lane_of(event))
        if lane is None:
            return
        for listener in list(self.listeners):
            listener(lane.id, event)
        if isinstance(event, RunHeard) and isinstance(event.stamped.event, Ended):
            for reply in [reply for reply in lane.replies if reply.node.id == event.node]:
                self._end(lane, reply)

    def _end(self, lane: LaneState, reply: Reply) -> None:
        """A run of the lane has ended."""
        self._costs[reply.node.id] = reply.cost().usd or Decimal(0)
        failed = reply.draft.failure
        self._stop_at(failed if failed is not None and failed.kind is Kind.BUDGET else None)
        self._advance(lane)
        self._rest()
        if lane.running:
            return
        best = lane.reply
        if best is None or not best.draft.text:
            whole = next((reply for reply in lane.replies if reply.draft.text), None)
            if whole is not None and whole is not best:
                lane.head = whole.node.id
                self._changed()

    def _rest(self) -> None:
        if not self.running:
            self._idle.set()

    def _stop_at(self, trouble: Failure | None) -> None:
        """End all lanes once the cap is reached: each reply is stopped by the budget of the session as it streams."""
        if self.cap is not None and self.stopped is None and self.spent() > self.cap:
            crossing = Crossing(Limit.COMMAND, self.cap, self.spent())
            self.stopped = trouble or stopped((crossing,))
            self.cancel(cause=self.stopped)

    def _changed(self) -> None:
        """Tell of the lanes, once the conversation holds anything of them."""
        lanes = tuple(lane.record() for lane in self.lanes.values())
        if any(lane.head for lane in lanes):
            self._tell("", LanesChanged(lanes))

    def _tell(self, lane: str, event: SessionEvent) -> None:
        self.session.tell(event)
        for listener in list(self.listeners):
            listener(lane, event)


def _compared(lane: LaneState, left: Node | None, *, saved: bool) -> ComparedLane:
    """`left` is the turn at the lane's place; a question, which has no result, where nothing was answered."""
    target = lane.replies[-1].target if lane.replies else lane.target
    runs = [ComparedRun(reply.run.repeat, _so_far(reply), reply.run.id if saved else None) for reply in lane.replies]
    if not runs and left is not None and lane.answered(left.id) and left.result is not None:
        runs = [ComparedRun(1, left, left.runs[-1].id if saved and left.runs else None)]
    return ComparedLane(lane.label, target.endpoint.name, target.model, target.settings, tuple(runs), lane.note)


def _so_far(reply: Reply) -> Node:
    """The turn as it would be if the run ended now."""
    if reply.node.result is not None and reply.draft.phase.ended:
        return reply.node
    return replace(reply.node, text=reply.draft.text, reasoning=reply.draft.reasoning, result=reply.result())
