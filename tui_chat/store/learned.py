"""What was learned about endpoints, in memory and in the database, which other instances share.

It is called in the middle of a stream: a disk that fails costs the memory of the fact, never the reply.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui_chat.domain.failure import StoreError
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from tui_chat.domain.events import Learned
    from tui_chat.store.database import Database

REFUSED = "refused"


class LearnedFacts:
    """The engine's Knowledge; without a database, for as long as the program runs."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = database
        self._refused: dict[tuple[str, str], frozenset[str]] = {}
        self._read = database is None

    def refused(self, endpoint: str, model: str) -> frozenset[str]:
        """The request parameters that `endpoint` is known to refuse for `model`."""
        if not self._read:
            self._read = True
            self._take()
        return self._refused.get((endpoint, model), frozenset())

    def learn(self, fact: Learned) -> None:
        """Remember a refusal; a fact that is known already costs nothing."""
        known = self.refused(fact.endpoint, fact.model)
        if fact.refused in known:
            return
        self._refused[fact.endpoint, fact.model] = known | {fact.refused}
        if self._database is not None:
            self._database.write(lambda c: _write(c, fact.endpoint, fact.model, fact.refused))

    def _take(self) -> None:
        if self._database is None:
            return
        try:
            with self._database.reading() as c:
                rows = c.execute("SELECT endpoint, model, value FROM learned WHERE fact = ?", (REFUSED,)).fetchall()
        except StoreError:
            return
        for endpoint, model, value in rows:
            self._refused[endpoint, model] = self._refused.get((endpoint, model), frozenset()) | {value}


def take_over(connection: sqlite3.Connection, refused: Mapping[tuple[str, str], frozenset[str]]) -> None:
    """Take in, once, what an earlier version kept in state.toml."""
    if connection.execute("SELECT 1 FROM facts WHERE name = 'state.toml'").fetchone():
        return
    for (endpoint, model), parameters in refused.items():
        for parameter in parameters:
            _write(connection, endpoint, model, parameter)
    connection.execute("INSERT INTO facts VALUES ('state.toml', 'taken over')")


def _write(connection: sqlite3.Connection, endpoint: str, model: str, parameter: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO learned VALUES (?, ?, ?, ?, ?)",
        (well_formed(endpoint), well_formed(model), REFUSED, well_formed(parameter), time.time()),
    )
