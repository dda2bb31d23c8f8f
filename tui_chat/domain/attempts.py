"""What each try of a run came to: the failed and the cancelled ones are kept, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tui_chat.domain.draft import Phase
from tui_chat.domain.events import (
    Attempt,
    Cancelled,
    Completed,
    Connected,
    Ended,
    Failed,
    Learned,
    Stamped,
    Usage,
    Waiting,
)
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import cost, total

if TYPE_CHECKING:
    from tui_chat.domain.ask import Ask, Settings
    from tui_chat.domain.events import Outcome
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost, Price
    from tui_chat.domain.tokens import Ratios


class AttemptRecord(Struct, frozen=True):
    """One try; its figures are its own, its times count from its beginning."""

    n: int
    """1 for the first of its run."""
    resumes: int
    """How often the run had been taken up again by then."""
    at: float
    """Seconds since the run began."""
    phase: Phase
    stats: Stats
    cost: Cost
    finish_reason: str | None = None
    failure: Failure | None = None
    status: int | None = None
    """HTTP status, when an answer came."""
    request_id: str | None = None
    via: str | None = None
    """The proxy that it went through."""
    refused: str | None = None
    """The request parameter that the endpoint refused; the next try leaves it out."""


class RunRecord(Struct, frozen=True):
    """One run of an Ask, with its tries; a reply that was taken up again has several."""

    id: str
    endpoint: str
    dialect: str
    model: str
    settings: Settings
    began: float
    """Epoch seconds."""
    attempts: tuple[AttemptRecord, ...] = ()
    lane: str = ""
    """Id of the lane of a comparison; empty for the chat's own."""
    repeat: int = 0
    """Which of the lane's runs of one question, from 1 on; 0 for the chat's own."""


class AttemptLog:
    """Folds a run's events into the records of its tries, each event in O(1)."""

    def __init__(
        self, prompt_tokens: float, price: Price | None, run_began: float | None = None, ratios: Ratios | None = None
    ) -> None:
        """`run_began` in epoch seconds, for a price that changes with the time."""
        self._prompt_tokens = prompt_tokens
        self._ratios = ratios
        self._price = price
        self._run_began = run_began
        self._done: list[AttemptRecord] = []
        self._meter: Meter | None = None
        self._attempt = Attempt(0)
        self._began = 0.0
        self._status: int | None = None
        self._request_id: str | None = None
        self._via: str | None = None
        self._refused: str | None = None

    def fold(self, stamped: Stamped) -> None:
        match stamped.event:
            case Attempt() as attempt:
                self._close(stamped.at, None)
                self._meter, self._attempt, self._began = Meter(self._prompt_tokens, self._ratios), attempt, stamped.at
                self._status = self._request_id = self._via = self._refused = None
            case Connected(status, request_id, _, via):
                self._status, self._request_id, self._via = status, request_id, via
            case Learned(_, _, refused):
                self._refused = refused
            case Waiting(_, failure):
                self._close(stamped.at, Failed(failure))
            case Ended(outcome):
                self._close(stamped.at, outcome)
            case _:
                pass
        if self._meter is not None:
            self._meter.fold(Stamped(stamped.lane, stamped.at - self._began, stamped.event))

    def records(self) -> tuple[AttemptRecord, ...]:
        """The tries that are over."""
        return tuple(self._done)

    def cost(self) -> Cost:
        """What the tries cost, each billed for itself; one that took nothing says nothing about the sum."""
        billed = [record.cost for record in self._done if record.stats.usage != Usage()]
        if self._meter is not None:
            usage, exact = self._meter.counted()
            billed += [self._cost(usage, exact=exact)] if usage != Usage() else []
        return total(billed) if billed else self._cost(Usage(), exact=False)

    def _cost(self, usage: Usage, *, exact: bool) -> Cost:
        sent = None if self._run_began is None else self._run_began + self._began
        return cost(usage, self._price, exact=exact, at=sent)

    def _close(self, at: float, outcome: Outcome | None) -> None:
        """The try under way is over; None: the next one simply follows, as after a refused parameter."""
        if self._meter is None:
            return
        self._meter.fold(Stamped("", at - self._began, Ended(outcome or Cancelled())))
        stats = self._meter.stats(at - self._began)
        self._done.append(
            AttemptRecord(
                n=self._attempt.n,
                resumes=self._attempt.resumes,
                at=self._began,
                phase=_PHASES.get(type(outcome), Phase.FAILED),
                stats=stats,
                cost=self._cost(stats.usage, exact=stats.exact),
                finish_reason=outcome.finish_reason if isinstance(outcome, Completed) else None,
                failure=outcome.failure if isinstance(outcome, Failed) else None,
                status=self._status,
                request_id=self._request_id,
                via=self._via,
                refused=self._refused,
            )
        )
        # What came is sent along when the answer is gone on with.
        self._prompt_tokens += self._meter.answer_tokens
        self._meter = None


_PHASES: dict[type[object], Phase] = {Completed: Phase.COMPLETED, Cancelled: Phase.CANCELLED}


def run_record(run: str, ask: Ask, began: float, lane: str = "", repeat: int = 0) -> RunRecord:
    """The record of a run that begins now, at `began` epoch seconds."""
    endpoint = ask.endpoint
    return RunRecord(run, endpoint.name, endpoint.dialect, ask.model, ask.settings, began, (), lane, repeat)
