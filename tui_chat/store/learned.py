"""What was learned about endpoints, in memory and in the database, which other instances share.

It is called in the middle of a stream: a disk that fails costs the memory of the fact, never the reply.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui_chat.domain.failure import StoreError
from tui_chat.domain.tokens import Lesson, Ratios, TextClass
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from tui_chat.domain.events import Learned
    from tui_chat.store.database import Database

REFUSED = "refused"
RATIO = "bytes a token of "
"""Before the class of the text; the value is `BYTES TOKENS`."""
ANSWERS = "tokens of answers"
"""The value is `ANSWERS TOKENS`."""


class LearnedFacts:
    """The engine's Knowledge; without a database, for as long as the program runs."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = database
        self._refused: dict[tuple[str, str], frozenset[str]] = {}
        self._lessons: dict[tuple[str, str], dict[TextClass, Lesson]] = {}
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

    def ratios(self, endpoint: str, model: str) -> Ratios:
        """How many bytes a token of this model has, as far as replies have taught it."""
        self.refused(endpoint, model)
        lessons = self._lessons.get((endpoint, model), {})
        return Ratios({kind: lesson.ratio for kind, lesson in lessons.items()})

    def learn_ratio(self, endpoint: str, model: str, lesson: Lesson) -> None:
        """Take in what a reply has taught."""
        self.refused(endpoint, model)
        lessons = self._lessons.setdefault((endpoint, model), {})
        lessons[lesson.kind] = lesson.after(lessons.get(lesson.kind))
        if self._database is not None:
            self._database.write(lambda c: _write_ratio(c, endpoint, model, lesson))

    def _take(self) -> None:
        if self._database is None:
            return
        try:
            with self._database.reading() as c:
                rows = c.execute("SELECT endpoint, model, fact, value FROM learned").fetchall()
        except StoreError:
            return
        for endpoint, model, fact, value in rows:
            if fact == REFUSED:
                self._refused[endpoint, model] = self._refused.get((endpoint, model), frozenset()) | {value}
            elif (lesson := _lesson(fact, value)) is not None:
                self._lessons.setdefault((endpoint, model), {})[lesson.kind] = lesson


def _lesson(fact: str, value: str) -> Lesson | None:
    """What a row says about the tokens of a model; None when it makes no sense."""
    try:
        size, tokens = map(float, value.split())
        return Lesson(TextClass(fact.removeprefix(RATIO)), size, tokens) if size > 0 and tokens > 0 else None
    except ValueError:
        return None


def _write_ratio(c: sqlite3.Connection, endpoint: str, model: str, lesson: Lesson) -> None:
    """Add a lesson to what is there, which another instance may have written."""
    place = (well_formed(endpoint), well_formed(model), RATIO + lesson.kind)
    found = c.execute("SELECT value FROM learned WHERE endpoint = ? AND model = ? AND fact = ?", place).fetchone()
    total = lesson.after(_lesson(place[2], found[0]) if found else None)
    c.execute("DELETE FROM learned WHERE endpoint = ? AND model = ? AND fact = ?", place)
    c.execute("INSERT INTO learned VALUES (?, ?, ?, ?, ?)", (*place, f"{total.size} {total.tokens}", time.time()))


def answers(connection: sqlite3.Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """(completed answers, their tokens) by endpoint and model."""
    query = "SELECT endpoint, model, value FROM learned WHERE fact = ?"
    rows = connection.execute(query, (ANSWERS,)).fetchall()
    return {(endpoint, model): _answers(value) for endpoint, model, value in rows}


def count_answer(connection: sqlite3.Connection, endpoint: str, model: str, tokens: int) -> None:
    """Add a completed answer to what is there, which another instance may have written."""
    place = (well_formed(endpoint), well_formed(model), ANSWERS)
    query = "SELECT value FROM learned WHERE endpoint = ? AND model = ? AND fact = ?"
    found = connection.execute(query, place).fetchone()
    count, total = _answers(found[0]) if found else (0, 0)
    connection.execute("DELETE FROM learned WHERE endpoint = ? AND model = ? AND fact = ?", place)
    value = f"{count + 1} {total + tokens}"
    connection.execute("INSERT INTO learned VALUES (?, ?, ?, ?, ?)", (*place, value, time.time()))


def _answers(value: str) -> tuple[int, int]:
    """What a row says about the answers of a model; nothing when it makes no sense."""
    try:
        count, tokens = map(int, value.split())
    except ValueError:
        return 0, 0
    return count, tokens


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
