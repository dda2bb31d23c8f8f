"""The events of a run, in the order of DESIGN: one `Attempt` opens each try, exactly one `Ended` closes a run.

StreamEvent is what a decoder reads off the wire; RunEvent adds what the engine does. Times are seconds since
the run began, put on once, in `Stamped`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from decimal import Decimal

    from tui_chat.domain.ask import Settings
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.budget import Estimate
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.lane import LaneRecord, Vote

CHAT = "main"
"""The lane of the chat's own replies."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer, as received; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of the reasoning, as received; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counters of the whole reply so far: each one replaces the one before.

    `input` includes cached and cache_write; `output` includes reasoning. None: the server does not say.
    """

    input: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    output: int | None = None
    cost: Decimal | None = None
    """USD as the provider reports it."""
    cache_write_1h: int | None = None
    """Those of `cache_write` that are kept for an hour or longer."""


@dataclass(frozen=True, slots=True)
class Timings:
    """The server's own measurements; seconds and tokens per second."""

    prompt_s: float | None = None
    decode_s: float | None = None
    tok_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The server is at work and has nothing to say yet."""

    phase: Literal["queued", "loading", "prompt"]
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """One malformed piece of the stream was left out."""

    reason: str
    sample: str


@dataclass(frozen=True, slots=True)
class Faulted:
    """The server reports an error inside the stream."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Stopped:
    """The model finished; `reason` is the finish_reason, or None where the server gives none."""

    reason: str | None


StreamEvent = Text | Thinking | Usage | Timings | Progress | Skipped | Faulted | Stopped


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting for a free place among the lanes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    n: int
    """1 for the first try."""
    resumes: int = 0


@dataclass(frozen=True, slots=True)
class Connected:
    """Response headers are here."""

    status: int
    request_id: str | None
    connect_s: float | None
    """Seconds for TCP and TLS; None when the connection was open already."""
    via: str | None
    """The proxy in use."""


@dataclass(frozen=True, slots=True)
class Seam:
    """An interrupted answer goes on here; `dropped` characters of overlap were left out."""

    dropped: int


@dataclass(frozen=True, slots=True)
class Learned:
    """The endpoint refuses this request parameter for this model."""

    endpoint: str
    model: str
    refused: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Backing off before the next attempt."""

    seconds: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Completed:
    finish_reason: str | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    pass


@dataclass(frozen=True, slots=True)
class Failed:
    failure: Failure


Outcome = Completed | Cancelled | Failed


@dataclass(frozen=True, slots=True)
class Ended:
    outcome: Outcome


RunEvent = Queued | Attempt | Connected | StreamEvent | Seam | Learned | Waiting | Ended


@dataclass(frozen=True, slots=True)
class Stamped:
    """A RunEvent with its lane and its time, in seconds since the run began."""

    lane: str
    at: float
    event: RunEvent


@dataclass(frozen=True, slots=True)
class Submitted:
    """A question is in the conversation and its reply has begun, or has been taken up again."""

    question: Node
    reply: Node
    run: RunRecord


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """The messages that go when the reply ends, the next one first."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunHeard:
    """An event of the reply `node`; the session has folded it already."""

    node: str
    stamped: Stamped


@dataclass(frozen=True, slots=True)
class Returned:
    """Nothing was received: the question's text goes back to where it was typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A reply has ended; `reply` holds all of it. Told before the run's `Ended`."""

    reply: Node


@dataclass(frozen=True, slots=True)
class Selected:
    """Another path is in chat, down to `head`; None: nothing is."""

    head: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """The user has said what becomes of an interrupted reply."""

    reply: Node


@dataclass(frozen=True, slots=True)
class BudgetAsked:
    """A message waits for the user's word: sent now, it would likely cross a limit."""

    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know, in a line."""

    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A lane's reply is the conversation's now, and the chat goes on with whom it came from. Told before `Selected`."""

    reply: Node
    endpoint: str
    model: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class LanesChanged:
    """The lanes of the conversation's comparison, all of them."""

    lanes: tuple[LaneRecord, ...]


@dataclass(frozen=True, slots=True)
class Voted:
    """What was said of the lanes of one round; it goes before an earlier word about the same round."""

    votes: tuple[Vote, ...]


SessionEvent = (
    Submitted
    | QueueChanged
    | RunHeard
    | Returned
    | Finished
    | Selected
    | Decided
    | BudgetAsked
    | Notice
    | Kept
    | LanesChanged
    | Voted
)


def lane_of(event: SessionEvent) -> str:
    """The id of the lane that an event is of; empty for the chat's own."""
    match event:
        case Submitted(run=run):
            return run.lane
        case Finished(reply):
            return reply.runs[-1].lane if reply.runs else ""
        case RunHeard(_, stamped):
            return "" if stamped.lane == CHAT else stamped.lane
        case _:
            return ""
