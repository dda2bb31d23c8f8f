"""What was asked before, to be asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_chat.store.database import Database

LOOKED_AT = 5_000
"""Questions that are looked at, and MOST characters that are kept of them: a search ends soon in any store."""
MOST = 4_000_000
BEGINNING = 10_000
"""Characters of a question in which words are looked for."""

NEWEST = """
    SELECT n.text FROM nodes n JOIN conversations c ON c.id = n.conversation
    WHERE n.role = 'user' AND c.deleted IS NULL ORDER BY n.id DESC LIMIT ?
"""


def questions(database: Database, holding: str = "", limit: int = 100) -> list[str]:
    """The newest questions of all conversations that hold a text, whatever its case; each once. Raises StoreError."""
    wanted = " ".join(holding.split()).casefold()
    found: dict[str, None] = {}
    room = MOST
    with database.reading() as c:
        for (text,) in c.execute(NEWEST, (LOOKED_AT,)):
            if text in found or wanted not in " ".join(text[:BEGINNING].split()).casefold():
                continue
            room -= len(text)
            if room < 0 or len(found) == limit:
                break
            found[text] = None
    return list(found)
