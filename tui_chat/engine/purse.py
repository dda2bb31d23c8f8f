"""What a conversation has spent and is spending, against its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.budget import NOTHING, Limit, Spent, crossed, judged_together, left
from tui_chat.engine.budget import book, foreseen, midnight, weighed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.budget import Crossing, Estimate, Left
    from tui_chat.domain.pricing import Price
    from tui_chat.engine.ports import Engine

LOOK_S = 5.0
"""How often, while a reply streams, the day is looked up for what other programs have spent."""


class _Run(Struct):
    before: Decimal
    """What its reply had cost before it."""
    let_go: frozenset[Limit]
    usd: Decimal = NOTHING


class Purse:
    """Amounts are USD; several replies may be under way, and all of them count."""

    def __init__(self, engine: Engine, ended: Callable[[], Decimal]) -> None:
        """`ended` says what the conversation has cost without the replies under way."""
        self.budget = engine.budget
        self._engine = engine
        self._ended = ended
        self._conversation = self._command = NOTHING
        self._runs: dict[str, _Run] = {}
        self._day, self._day_began, self._looked = NOTHING, 0.0, 0.0

    def weigh(self, ask: Ask, price: Price | None, before: Decimal = NOTHING) -> Estimate | None:
        """The estimate of a request that would likely cross a limit; None for any other.

        `before` is what the reply has cost that is to be taken up again.
        """
        if self.budget.empty:
            return None
        self._settle()
        estimate = weighed(self._engine, ask, price, self.budget, self._spent(before))
        return estimate if estimate.crossings else None

    def weigh_together(self, asks: Sequence[tuple[Ask, Price | None]]) -> Estimate | None:
        """The estimate of requests that together, or one of them alone, would likely cross a limit; None for others."""
        if self.budget.empty or not asks:
            return None
        self._settle()
        estimates = [foreseen(self._engine, ask, price) for ask, price in asks]
        estimate = judged_together(estimates, self.budget, self._spent(NOTHING))
        return estimate if estimate.crossings else None

    def begin(self, run: str, before: Decimal = NOTHING, let_go: frozenset[Limit] = frozenset()) -> None:
        """A run is under way. It is not stopped at the limits that the user has let go."""
        self._runs[run] = _Run(before, let_go)
        self._settle()

    def note(self, run: str, usd: Decimal | None) -> None:
        """A run has cost `usd` so far; None: that is not known."""
        self._runs[run].usd = usd or NOTHING

    def over(self, run: str, usd: Decimal | None) -> tuple[Crossing, ...]:
        """The limits that are crossed now that a run has cost `usd`; one that costs nothing crosses none."""
        self.note(run, usd)
        if not usd or self.budget.empty:
            return ()
        spending = self._runs[run]
        return crossed(self.budget, self._spent(spending.before + usd), allowed=spending.let_go)

    def end(self, run: RunRecord) -> None:
        """A run has ended, and its reply has its result: it counts into its day."""
        self._runs.pop(run.id, None)
        book(self._engine, run)
        self._command += sum((attempt.cost.usd or NOTHING for attempt in run.attempts), NOTHING)
        self._settle()

    def left(self) -> Left | None:
        """The limit that is nearest, and how much is left under it; None where there is none."""
        if self.budget.empty:
            return None
        # A reply yet to come has all of its own limit left.
        budget = self.budget if self._runs else replace(self.budget, per_reply=None, per_command=None)
        dearest = max((run.before + run.usd for run in self._runs.values()), default=NOTHING)
        if not self._runs:
            self._conversation = self._ended()
        return next(iter(left(budget, self._spent(dearest))), None)

    def _spent(self, reply: Decimal) -> Spent:
        """What is spent under each limit, for a reply that takes `reply`."""
        now = sum((run.usd for run in self._runs.values()), NOTHING)
        before = sum((run.before for run in self._runs.values()), NOTHING)
        return Spent(reply, self._conversation + before + now, self._today() + now, self._command + now)

    def _settle(self) -> None:
        if not self.budget.empty:
            self._conversation = self._ended()
            self._today(anew=True)

    def _today(self, *, anew: bool = False) -> Decimal:
        """What was spent today, as it was last looked up; by others on the same data too."""
        if self.budget.per_day is None:
            return NOTHING
        now, began = self._engine.clock.now(), midnight(self._engine.clock.wall())
        if anew or began != self._day_began or (self._runs and now - self._looked >= LOOK_S):
            self._day, self._day_began, self._looked = self._engine.ledger.spent_since(began), began, now
        return self._day
