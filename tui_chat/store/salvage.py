"""What can still be read of a damaged database, carried over into a new one."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from tui_chat.store.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Row = tuple[object, ...]

TABLES = ("conversations", "nodes", "runs", "attempts", "pieces", "learned")
"""In the order of their references."""
COMPANIONS = ("-wal", "-shm")


def salvage(path: Path, connect: Callable[[Path], sqlite3.Connection]) -> tuple[Path, int]:
    """Move the file at `path` aside and begin a new one with what can be read: (where it is now, turns saved).

    Raises sqlite3.Error or OSError when no new file can be made.
    """
    aside = _free(path)
    for suffix in COMPANIONS:
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    os.replace(path, aside)
    path.touch(mode=0o600)
    with closing(connect(path)) as new:
        migrate(new)
        with suppress(sqlite3.Error), closing(sqlite3.connect(aside, isolation_level=None)) as old:
            _carry_over(old, new)
        return aside, new.execute("SELECT count(*) FROM nodes").fetchone()[0]


def _free(path: Path) -> Path:
    """A name beside `path` that is not taken."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (path.with_name(f"{path.name}.damaged-{stamp}{n or ''}") for n in range(1000))
    return next(name for name in names if not name.exists())


def _carry_over(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    new.execute("PRAGMA foreign_keys = OFF")
    new.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        columns = [str(row[1]) for row in new.execute(f"PRAGMA table_info({table})")]
        there = {str(row[1]) for row in _readable(old, f"PRAGMA table_info({table})")}
        names = [column for column in columns if column in there]
        if not names:
            continue
        marks = ", ".join("?" * len(names))
        insert = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})"
        for row in _rows(old, table, names):
            with suppress(sqlite3.IntegrityError):
                new.execute(insert, row)
    new.execute("UPDATE nodes SET indexed = 0")
    _mend(new)
    new.execute("COMMIT")


def _mend(new: sqlite3.Connection) -> None:
    """Give what has lost its conversation or its parent a place, and drop what hangs on nothing."""
    now = time.time()
    new.execute(
        "INSERT OR IGNORE INTO conversations (id, uid, title, created, updated, turns)"
        " SELECT conversation, 'saved' || conversation, '', min(created), max(created), count(*) FROM nodes"
        " WHERE conversation NOT IN (SELECT id FROM conversations) GROUP BY conversation"
    )
    new.execute("UPDATE nodes SET parent = NULL WHERE parent NOT IN (SELECT id FROM nodes)")
    for table, column, target in (("runs", "node", "nodes"), ("attempts", "node", "nodes")):
        new.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT id FROM {target})")
    new.execute("DELETE FROM pieces WHERE run NOT IN (SELECT uid FROM runs)")
    new.execute("INSERT OR REPLACE INTO facts VALUES ('salvaged', ?)", (str(now),))


def _rows(old: sqlite3.Connection, table: str, names: list[str]) -> Iterator[Row]:
    """Every row that can be read: forwards to the damage, then backwards to it, then by the other indexes."""
    listed = ", ".join(names)
    yield from _readable(old, f"SELECT {listed} FROM {table}")
    key = "uid DESC" if table == "runs" else "run DESC, seq DESC" if table == "pieces" else "1 DESC"
    yield from _readable(old, f"SELECT {listed} FROM {table} ORDER BY {key}")
    if table == "nodes":
        yield from _readable(old, f"SELECT {listed} FROM nodes INDEXED BY nodes_conversation WHERE conversation > 0")


def _readable(old: sqlite3.Connection, statement: str) -> Iterator[Row]:
    """The rows up to the first that cannot be read."""
    try:
        cursor = old.execute(statement)
        while (row := cursor.fetchone()) is not None:
            yield row
    except sqlite3.Error:
        return
