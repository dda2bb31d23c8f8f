"""The reply as it stands: a fold of a run's events."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from tui_chat.domain.events import (
    Attempt,
    Cancelled,
    Completed,
    Connected,
    Ended,
    Failed,
    Faulted,
    Learned,
    Progress,
    Queued,
    Seam,
    Skipped,
    Stopped,
    Text,
    Thinking,
    Timings,
    Usage,
    Waiting,
)
from tui_chat.domain.failure import Kind

if TYPE_CHECKING:
    from tui_chat.domain.events import RunEvent, Stamped
    from tui_chat.domain.failure import Failure


class Phase(StrEnum):
    """What the run is doing, as the user sees it."""

    QUEUED = "queued"
    CONNECTING = "connecting"
    PROCESSING = "processing"
    LOADING = "loading"
    THINKING = "thinking"
    STREAMING = "streaming"
    WAITING = "waiting"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The program ended before the run did."""

    @property
    def ended(self) -> bool:
        return self in (Phase.COMPLETED, Phase.CANCELLED, Phase.FAILED, Phase.INTERRUPTED)


class Draft:
    """Text, reasoning and state of one run; each event is folded in O(1). A resumed reply begins with what it had."""

    def __init__(self, text: str = "", reasoning: str = "") -> None:
        self.phase = Phase.QUEUED
        self.attempts = 0
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.timings: Timings | None = None
        self.failure: Failure | None = None
        self.waiting: tuple[float, float] | None = None
        """(when it ends, how long it is), in seconds of the run, while backing off."""
        self.skipped = 0
        self.request_id: str | None = None
        self.seams: list[int] = []
        """Where in the text the answer was taken up again, in characters."""
        self._text = [text] if text else []
        self._reasoning = [reasoning] if reasoning else []

    @property
    def text(self) -> str:
        return _joined(self._text)

    @property
    def reasoning(self) -> str:
        return _joined(self._reasoning)

    @property
    def received(self) -> bool:
        """True once a token of either kind is here."""
        return bool(self._text or self._reasoning)

    def fold(self, stamped: Stamped) -> None:
        event: RunEvent = stamped.event
        match event:
            case Text(text):
                self._text.append(text)
                self.phase = Phase.STREAMING
            case Thinking(text):
                self._reasoning.append(text)
                self.phase = Phase.THINKING
            case Usage():
                self.usage = event
            case Timings():
                self.timings = event
            case Progress(phase):
                self.phase = {"queued": Phase.QUEUED, "loading": Phase.LOADING}.get(phase, Phase.PROCESSING)
            case Skipped():
                self.skipped += 1
            case Faulted(failure):
                self.failure = failure
            case Stopped(reason):
                self.finish_reason = reason
            case Queued():
                self.phase = Phase.QUEUED
            case Attempt(n):
                # A look at whether the model has been loaded by now is not a new beginning.
                self.phase = Phase.LOADING if self.phase is Phase.LOADING else Phase.CONNECTING
                self.attempts, self.waiting = n, None
            case Connected(status, request_id):
                self.phase = Phase.PROCESSING if status == 200 else self.phase
                self.request_id = request_id
            case Waiting(seconds, failure):
                self.phase = Phase.LOADING if failure.kind is Kind.LOADING else Phase.WAITING
                self.waiting, self.failure = (stamped.at + seconds, seconds), failure
            case Ended(outcome):
                self._end(outcome)
            case Seam():
                self.seams.append(len(self.text))
            case Learned():
                pass
            case _:
                assert_never(event)

    def _end(self, outcome: Completed | Cancelled | Failed) -> None:
        self.waiting = None
        match outcome:
            case Completed(finish_reason):
                self.phase, self.finish_reason, self.failure = Phase.COMPLETED, finish_reason, None
            case Cancelled():
                self.phase, self.failure = Phase.CANCELLED, None
            case Failed(failure):
                self.phase, self.failure = Phase.FAILED, failure
            case _:
                assert_never(outcome)


def _joined(parts: list[str]) -> str:
    """The joined pieces, folded into one so that asking again costs nothing."""
    if len(parts) > 1:
        parts[:] = ["".join(parts)]
    return parts[0] if parts else ""
