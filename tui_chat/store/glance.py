"""A glance at the database from outside: it migrates, mends and locks nothing, and finds nothing rather than fail."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LAST = "\U0010ffff"
WAIT_S = 0.2


def newest(path: Path, beginning: str, most: int) -> list[tuple[str, str]]:
    """(id, title) of the conversations whose id begins so, the newest first."""
    query = (
        "SELECT uid, title FROM conversations WHERE deleted IS NULL AND turns > 0 AND uid >= ? AND uid < ?"
        " ORDER BY updated DESC LIMIT ?"
    )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=WAIT_S)) as connection:
            return connection.execute(query, (beginning, beginning + LAST, most)).fetchall()
    except sqlite3.Error:
        return []
