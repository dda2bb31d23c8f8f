"""Finding what was said: words and filters in, turns out, newest first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from tui_chat.domain.ask import in_words
from tui_chat.domain.folding import match, snippet
from tui_chat.store.nodes import MAX_ID, row_at

if TYPE_CHECKING:
    from datetime import date

    from tui_chat.domain.finding import Wanted
    from tui_chat.domain.folding import Piece
    from tui_chat.store.database import Database

SNIPPET = 160
"""Characters of a snippet."""


class Hit(Struct, frozen=True):
    """One turn that holds what was searched for."""

    conversation: str
    node: str
    role: str
    title: str
    """Of the conversation."""
    at: float
    """Epoch seconds."""
    model: str
    state: str | None
    snippet: tuple[Piece, ...]
    row: int
    """Its place in time: the search goes on before it."""


QUERY = """
    SELECT n.id, n.uid, n.role, n.text, n.reasoning, n.created, n.model, n.state, c.uid, c.title
    FROM search s JOIN nodes n ON n.id = s.rowid JOIN conversations c ON c.id = n.conversation
    WHERE s.search MATCH ? AND s.rowid >= ? AND s.rowid < ? AND c.deleted IS NULL
    ORDER BY s.rowid DESC LIMIT ?
"""
BY_TIME = """
    SELECT n.id, n.uid, n.role, n.text, n.reasoning, n.created, n.model, n.state, c.uid, c.title
    FROM nodes n JOIN conversations c ON c.id = n.conversation
    WHERE n.id >= ? AND n.id < ? AND c.deleted IS NULL ORDER BY n.id DESC LIMIT ?
"""


def search(
    database: Database, wanted: Wanted, limit: int = 50, before: int = MAX_ID, width: int = SNIPPET
) -> list[Hit]:
    """The newest `limit` turns before the row `before`; none for a search that asks for nothing. Raises StoreError."""
    if wanted.empty:
        return []
    expression = match(wanted.words, wanted.facets)
    first = _row_at(wanted.since) if wanted.since is not None else 0
    last = min(before, _row_at(wanted.until)) if wanted.until is not None else before
    if expression is None and wanted.words:
        return []
    with database.reading() as c:
        query, values = (QUERY, (expression, first, last)) if expression else (BY_TIME, (first, last))
        rows = c.execute(query, (*values, limit)).fetchall()
    hits: list[Hit] = []
    for row, uid, role, text, reasoning, created, model, state, conversation, title in rows:
        text = in_words(text)
        pieces = snippet(text, wanted.words, width)
        if reasoning and not any(is_hit for _, is_hit in pieces):
            deeper = snippet(reasoning, wanted.words, width)
            pieces = deeper if any(is_hit for _, is_hit in deeper) else pieces
        hits.append(Hit(conversation, uid, role, title, created, model, state, tuple(pieces), row))
    return hits


def _row_at(day: date) -> int:
    """The first row of a day, by the clock of this place."""
    return max(0, row_at(time.mktime(day.timetuple())))
