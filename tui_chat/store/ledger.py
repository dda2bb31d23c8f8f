"""What was spent, in the database, where every program on the same data adds to it; and how long answers are.

It is called as requests are sent: a disk that fails costs the memory of an amount, never the reply.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from tui_chat.domain.failure import StoreError
from tui_chat.store.learned import answers, count_answer

if TYPE_CHECKING:
    import sqlite3
    from concurrent.futures import Future

    from tui_chat.store.database import Database

QUARTER_S = 900
"""Sums are kept for a quarter of an hour each: the midnight of every time zone is between two."""


class Ledger:
    """The engine's Ledger. Without `keep` it reads what others have spent and keeps its own to itself."""

    def __init__(self, database: Database, *, keep: bool = True) -> None:
        self._database = database
        self._keep = keep
        self._own: dict[int, tuple[float, Decimal]] = {}
        """What is booked and not on the disk, or not yet."""
        self._numbers = count()
        self._found: dict[int, Decimal] = {}
        """What was on the disk when it could last be read, by quarters."""
        self._answers: dict[tuple[str, str], tuple[int, int]] | None = None

    def book(self, at: float, usd: Decimal) -> None:
        number = next(self._numbers)
        self._own[number] = at, usd

        def done(future: Future[None]) -> None:
            if not future.cancelled() and future.exception() is None:
                del self._own[number]

        if self._keep:
            self._database.write(lambda c: book(c, at, usd)).add_done_callback(done)

    def spent_since(self, at: float) -> Decimal:
        """Reads one row for each quarter of an hour since then."""
        # Before the disk is read: what reaches it in between is counted twice for a moment, and never left out.
        own = [usd for when, usd in list(self._own.values()) if when >= at]
        first = _quarter(at)
        if self._database.path.exists():
            try:
                with self._database.reading() as c:
                    rows = c.execute("SELECT quarter, usd FROM spending WHERE quarter >= ?", (first,)).fetchall()
                self._found = {quarter: Decimal(usd) for quarter, usd in rows}
            except StoreError:
                pass
        return sum((usd for quarter, usd in self._found.items() if quarter >= first), sum(own, Decimal(0)))

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


def book(connection: sqlite3.Connection, at: float, usd: Decimal) -> None:
    """Add an amount to the quarter of an hour in which it was spent."""
    if not usd:
        return
    quarter = _quarter(at)
    row = connection.execute("SELECT usd FROM spending WHERE quarter = ?", (quarter,)).fetchone()
    total = usd + (Decimal(row[0]) if row else 0)
    connection.execute("INSERT OR REPLACE INTO spending VALUES (?, ?)", (quarter, str(total)))


def _quarter(at: float) -> int:
    return int(at // QUARTER_S)
