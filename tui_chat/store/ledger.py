"""What was spent, in the database, where every program on the same data adds to it; and how long answers are.

It is called as requests are sent: a disk that fails costs the memory of an amount, never the reply.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tui_chat.domain.budget import NOTHING
from tui_chat.domain.failure import StoreError
from tui_chat.store.ids import new_id
from tui_chat.store.learned import answers, count_answer

if TYPE_CHECKING:
    import sqlite3

    from tui_chat.store.database import Database

QUARTER_S = 900
"""Sums are kept for a quarter of an hour each: the midnight of every time zone is between two."""
KEPT = 200
"""Quarters that are kept: two days, of which one may be an hour longer."""
DEAD = ""
"""In whose name the runs of programs that were killed are counted."""


class Ledger:
    """The engine's Ledger. Each program writes down its own sums alone, so that what it reads are those of the others.

    Without `keep` it reads what others have spent and keeps its own to itself.
    """

    def __init__(self, database: Database, *, keep: bool = True) -> None:
        self._database = database
        self._keep = keep
        self._program = new_id()
        self._own: dict[int, Decimal] = {}
        """What this program has spent, by quarters."""
        self._others: dict[int, Decimal] = {}
        """What the others had spent when that could last be read."""
        self._own_estimated: set[int] = set()
        self._others_estimated: set[int] = set()
        """The quarters of which a part is an estimate."""
        self._answers: dict[tuple[str, str], tuple[int, int]] | None = None

    def book(self, at: float, usd: Decimal, *, estimated: bool = False) -> None:
        quarter = _quarter(at)
        total = self._own[quarter] = self._own.get(quarter, NOTHING) + usd
        if estimated and usd:
            self._own_estimated.add(quarter)
        about = quarter in self._own_estimated
        if self._keep and usd:
            self._database.write(lambda c: _put(c, quarter, self._program, total, estimated=about))

    def spent_since(self, at: float) -> Decimal:
        first = _quarter(at)
        if self._database.path.exists():
            query = "SELECT quarter, usd, estimated FROM spending WHERE quarter >= ? AND program <> ?"
            try:
                with self._database.reading() as c:
                    rows = c.execute(query, (first, self._program)).fetchall()
            except StoreError:
                pass
            else:
                self._others = {}
                self._others_estimated = {quarter for quarter, _, estimated in rows if estimated}
                for quarter, usd, _ in rows:
                    self._others[quarter] = self._others.get(quarter, NOTHING) + Decimal(usd)
        sums = (*self._own.items(), *self._others.items())
        return sum((usd for quarter, usd in sums if quarter >= first), NOTHING)

    def estimated_since(self, at: float) -> bool:
        first = _quarter(at)
        return any(quarter >= first for quarter in (*self._own_estimated, *self._others_estimated))

    def answered(self, endpoint: str, model: str, tokens: int) -> None:
        known = self._known()
        number, before = known.get((endpoint, model), (0, 0))
        known[endpoint, model] = number + 1, before + tokens
        if self._keep:
            self._database.write(lambda c: count_answer(c, endpoint, model, tokens))

    def answer_tokens(self, endpoint: str, model: str) -> float | None:
        number, tokens = self._known().get((endpoint, model), (0, 0))
        return tokens / number if number else None

    def _known(self) -> dict[tuple[str, str], tuple[int, int]]:
        if self._answers is None:
            self._answers = {}
            if self._database.path.exists():
                try:
                    with self._database.reading() as c:
                        self._answers = answers(c)
                except StoreError:
                    pass
        return self._answers


def book(connection: sqlite3.Connection, at: float, usd: Decimal, *, estimated: bool = False) -> None:
    """Count what a run has cost whose program is gone."""
    quarter = _quarter(at)
    query = "SELECT usd, estimated FROM spending WHERE quarter = ? AND program = ?"
    row = connection.execute(query, (quarter, DEAD)).fetchone()
    if usd:
        before, about = (Decimal(row[0]), bool(row[1])) if row else (NOTHING, False)
        _put(connection, quarter, DEAD, usd + before, estimated=estimated or about)


def _put(connection: sqlite3.Connection, quarter: int, program: str, total: Decimal, *, estimated: bool) -> None:
    connection.execute("DELETE FROM spending WHERE quarter < ?", (quarter - KEPT,))
    row = (quarter, program, str(total), estimated)
    connection.execute("INSERT OR REPLACE INTO spending (quarter, program, usd, estimated) VALUES (?, ?, ?, ?)", row)


def _quarter(at: float) -> int:
    return int(at // QUARTER_S)
