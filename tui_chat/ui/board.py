"""The items of a batch as the screen lists them: a small row each, by state, and the figures over all of them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import CostSource
from tui_chat.wire.forms import BatchLineForm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tui_chat.engine.batch import Job, Work

BIT = 80
"""Characters of a prompt, or of an answer where the prompt is not known."""


class Show(StrEnum):
    """Which items are listed."""

    ALL = "all"
    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


RUNNING = "running"
QUEUED = "queued"
"""The server was too busy for it: it comes again."""
SHELVES = {Phase.COMPLETED.value: Show.DONE, Phase.FAILED.value: Show.FAILED, Phase.CANCELLED.value: Show.FAILED}


class Row(Struct):
    """One item; while it runs its figures are those of its work."""

    id: str
    state: str
    model: str
    bit: str
    tokens: int | None = None
    exact: bool = True
    usd: float | None = None
    estimated: bool = False
    rate: float | None = None
    seconds: float | None = None
    why: str = ""
    """The kind of a failure."""
    job: Job | None = None
    """To run it again; kept of those alone that have not come to a good end."""

    @property
    def cost(self) -> Decimal | None:
        return None if self.usd is None else Decimal(str(self.usd))

    @property
    def retryable(self) -> bool:
        """Not while it is under way or waits its turn."""
        return self.job is not None and self.state in (Phase.FAILED, Phase.CANCELLED)


class Board:
    """Rows in the order in which items appeared; O(1) for each event."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.works: dict[str, Work] = {}
        """Under way, by id."""
        self.tokens = 0
        """Of the answers in all lines."""
        self.usd = Decimal(0)
        self.estimates = 0
        """Rows whose cost is an estimate."""
        self.failures: Counter[str] = Counter()
        self.retryable = 0
        """Rows that could be run again."""
        self.changes = 0
        """Grows with each change of a row or a list."""
        self._places: dict[str, int] = {}
        self._shelves: dict[Show, dict[int, None]] = {show: {} for show in Show}
        self._listed: tuple[Show, int, list[int]] = (Show.ALL, -1, [])

    def __len__(self) -> int:
        return len(self.rows)

    def count(self, show: Show) -> int:
        return len(self.rows) if show is Show.ALL else len(self._shelves[show])

    def listed(self, show: Show) -> Sequence[int]:
        """The places of the rows to list, those that came to it last at the end."""
        if show is Show.ALL:
            return range(len(self.rows))
        if self._listed[:2] != (show, self.changes):
            self._listed = (show, self.changes, list(self._shelves[show]))
        return self._listed[2]

    def row(self, id: str) -> Row | None:
        place = self._places.get(id)
        return None if place is None else self.rows[place]

    # what comes in

    def began(self, work: Work) -> None:
        self.works[work.id] = work
        prompt = visible_line(work.job.item.messages[-1].text[: 4 * BIT], BIT)
        self._put(Row(work.id, RUNNING, work.target.model, prompt, job=work.job))

    def finished(self, work: Work) -> None:
        self.works.pop(work.id, None)
        old, stats, cost = self.row(work.id), work.stats(), work.cost()
        draft = work.draft
        done = draft.phase is Phase.COMPLETED
        self._put(
            Row(
                work.id,
                draft.phase.value,
                work.target.model,
                old.bit if old is not None else "",
                stats.usage.output,
                stats.exact,
                None if cost.usd is None else float(cost.usd),
                cost.source is CostSource.ESTIMATED,
                stats.tok_per_s,
                stats.elapsed_s,
                draft.failure.kind.value if draft.failure is not None and not done else "",
                None if done else work.job,
            )
        )

    def put_back(self, work: Work) -> None:
        """It comes again by itself."""
        self.works.pop(work.id, None)
        self.queue(work.id)

    def queue(self, id: str) -> None:
        row = self.row(id)
        if row is not None:
            self._put(Row(row.id, QUEUED, row.model, row.bit, job=row.job))

    def read(self, line: Mapping[str, Any]) -> None:
        """A line of an output; the newest for an id counts."""
        form = shown_line(line)
        error = form.error
        self._put(
            Row(
                str(form.id),
                form.state if form.state in SHELVES else Phase.FAILED.value,
                visible_line(form.model, BIT),
                visible_line((form.text or (error.message if error else ""))[: 4 * BIT], BIT),
                form.usage.output,
                form.usage.exact,
                None if form.cost.usd is None else float(form.cost.usd),
                form.cost.source is CostSource.ESTIMATED,
                form.timing.tok_per_s,
                form.timing.total_s,
                error.kind.value if error and form.state != Phase.COMPLETED else "",
            )
        )

    def _put(self, row: Row) -> None:
        self.changes += 1
        place = self._places.get(row.id)
        if place is None:
            place = self._places[row.id] = len(self.rows)
            self.rows.append(row)
        else:
            self._count(self.rows[place], -1)
            self._shelves[_shelf(self.rows[place])].pop(place, None)
            self.rows[place] = row
        self._count(row, 1)
        self._shelves[_shelf(row)][place] = None

    def _count(self, row: Row, by: int) -> None:
        self.tokens += by * (row.tokens or 0)
        if row.usd is not None:
            self.usd += by * (row.cost or 0)
        self.estimates += by * row.estimated
        self.retryable += by * row.retryable
        if row.why:
            self.failures[row.why] += by


def shown_line(line: Mapping[str, Any]) -> BatchLineForm:
    """What is shown of a line of output; of one that others wrote otherwise, who and how alone."""
    try:
        return msgspec.convert(line, BatchLineForm)
    except msgspec.ValidationError:
        return BatchLineForm(id=str(line.get("id")), state=str(line.get("state")), text=str(line.get("text") or ""))


def _shelf(row: Row) -> Show:
    return SHELVES.get(row.state, Show.RUNNING)
