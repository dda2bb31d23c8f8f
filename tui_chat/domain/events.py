"""The events of a run, in the order of DESIGN: one `Attempt` opens each try, exactly one `Ended` closes a run.

StreamEvent is what a decoder reads off the wire; RunEvent adds what the engine does. Times are seconds since
the run began, put on once, in `Stamped`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

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


class Text(Struct, frozen=True):
    """A piece of the answer, as received; never empty."""

    text: str


class Thinking(Struct, frozen=True):
    """A piece of the reasoning, as received; never empty."""

    text: str


class Usage(Struct, frozen=True):
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


class Timings(Struct, frozen=True):
    """The server's own measurements; seconds and tokens per second."""

    prompt_s: float | None = None
    decode_s: float | None = None
    tok_per_s: float | None = None


class Progress(Struct, frozen=True):
    """The server is at work and has nothing to say yet."""

    phase: Literal["queued", "loading", "prompt"]
    done: int | None = None
    total: int | None = None


class Skipped(Struct, frozen=True):
    """One malformed piece of the stream was left out."""

    reason: str
    sample: str


class Faulted(Struct, frozen=True):
    """The server reports an error inside the stream."""

    failure: Failure


class Stopped(Struct, frozen=True):
    """The model finished; `reason` is the finish_reason, or None where the server gives none."""

    reason: str | None


StreamEvent = Text | Thinking | Usage | Timings | Progress | Skipped | Faulted | Stopped


class Queued(Struct, frozen=True):
    """Waiting for a free place among the lanes."""


class Attempt(Struct, frozen=True):
    n: int
    """1 for the first try."""
    resumes: int = 0


class Connected(Struct, frozen=True):
    """Response headers are here."""

    status: int
    request_id: str | None
    connect_s: float | None
    """Seconds for TCP and TLS; None when the connection was open already."""
    via: str | None
    """The proxy in use."""


class Seam(Struct, frozen=True):
    """An interrupted answer goes on here; `dropped` characters of overlap were left out."""

    dropped: int


class Learned(Struct, frozen=True):
    """The endpoint refuses this request parameter for this model."""

    endpoint: str
    model: str
    refused: str


class Waiting(Struct, frozen=True):
    """Backing off before the next attempt."""

    seconds: float
    failure: Failure


class Completed(Struct, frozen=True):
    finish_reason: str | None


class Cancelled(Struct, frozen=True):
    pass


class Failed(Struct, frozen=True):
    failure: Failure


Outcome = Completed | Cancelled | Failed


class Ended(Struct, frozen=True):
    outcome: Outcome


RunEvent = Queued | Attempt | Connected | StreamEvent | Seam | Learned | Waiting | Ended


class Stamped(Struct, frozen=True):
    """A RunEvent with its lane and its time, in seconds since the run began."""

    lane: str
    at: float
    event: RunEvent


class Submitted(Struct, frozen=True):
    """A question is in the conversation and its reply has begun, or has been taken up again."""

    question: Node
    reply: Node
    run: RunRecord


class QueueChanged(Struct, frozen=True):
    """The messages that go when the reply ends, the next one first."""

    texts: tuple[str, ...]


class RunHeard(Struct, frozen=True):
    """An event of the reply `node`; the session has folded it already."""

    node: str
    stamped: Stamped


class Returned(Struct, frozen=True):
    """Nothing was received: the question's text goes back to where it was typed."""

    text: str


class Finished(Struct, frozen=True):
    """A reply has ended; `reply` holds all of it. Told before the run's `Ended`."""

    reply: Node


class Selected(Struct, frozen=True):
    """Another path is in chat, down to `head`; None: nothing is."""

    head: str | None


class Decided(Struct, frozen=True):
    """The user has said what becomes of an interrupted reply."""

    reply: Node


class BudgetAsked(Struct, frozen=True):
    """A message waits for the user's word: sent now, it would likely cross a limit."""

    estimate: Estimate


class Notice(Struct, frozen=True):
    """Something that the user should know, in a line."""

    text: str


class Kept(Struct, frozen=True):
    """A lane's reply is the conversation's now, and the chat goes on with whom it came from. Told before `Selected`."""

    reply: Node
    endpoint: str
    model: str
    settings: Settings


class LanesChanged(Struct, frozen=True):
    """The lanes of the conversation's comparison, all of them."""

    lanes: tuple[LaneRecord, ...]


class Voted(Struct, frozen=True):
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
