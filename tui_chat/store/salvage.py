"""What can still be read of a damaged database, carried over into a new one.

The new file is made beside the damaged one and takes its place whole, so that another program at work never sees
half of it, and nothing has changed when it cannot be made.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from tui_chat.store import nodes
from tui_chat.store.files import FILE_MODE
from tui_chat.store.migrations import STEPS, migrate
from tui_chat.wire.forms import ResultForm

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    Row = tuple[object, ...]

TABLES = ("conversations", "nodes", "runs", "attempts", "pieces", "learned", "facts", "spending", "lanes", "votes")
"""In the order of their references."""
INDEXES = {
    "conversations": {"sqlite_autoindex_conversations_1": "uid", "conversations_updated": "updated"},
    "nodes": {"nodes_conversation": "conversation", "nodes_parent": "parent", "sqlite_autoindex_nodes_1": "uid"},
    "attempts": {"attempts_node": "node"},
}
"""Where else the ids of rows stand, for the rows beyond a page that cannot be read."""
ENDS = {
    "runs": "uid",
    "pieces": "run DESC, seq",
    "learned": "endpoint",
    "facts": "name",
    "spending": "quarter",
    "lanes": "conversation",
    "votes": "conversation",
}
"""By what a table without ids is read backwards."""
COMPANIONS = ("-wal", "-shm")
PAGE = 4096
PAGE_COUNT = slice(28, 32)
"""Where the first page tells how many there are, big-endian (sqlite.org/fileformat2.html)."""


def salvage(path: Path, connect: Callable[[Path], sqlite3.Connection]) -> tuple[Path, int]:
    """Move the file at `path` aside and put a new one with what can be read in its place: (where it is now, turns).

    Raises sqlite3.Error or OSError when no new file can be made, and nothing has changed.
    """
    new = path.with_name(f"{path.name}.new")
    _remove(new)
    try:
        new.touch(mode=FILE_MODE)
        with closing(connect(new)) as connection, _damaged(path) as old:
            migrate(connection)
            with _held(old):
                saved = _carry_over(old, connection)
                aside = _put_aside(path)
                # Nobody can have written to the new file, so its log is empty once it is closed.
                connection.close()
                os.replace(new, path)
    finally:
        _remove(new)
    return aside, saved


def renew_index(connection: sqlite3.Connection) -> None:
    """Empty the index of the search; every turn is to be put in again. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    (made_by,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'search'").fetchone()
    connection.execute("DROP TABLE search")
    connection.execute(made_by)
    connection.execute("UPDATE nodes SET indexed = 0 WHERE indexed = 1")
    connection.execute("COMMIT")


def _put_aside(path: Path) -> Path:
    """Give the file and its companions another name."""
    aside = _free(path)
    for suffix in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


def _free(path: Path) -> Path:
    """A name beside `path` that is not taken."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (path.with_name(f"{path.name}.damaged-{stamp}{n or ''}") for n in range(1000))
    return next(name for name in names if not name.exists())


def _remove(path: Path) -> None:
    for suffix in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")


@contextmanager
def _damaged(path: Path) -> Generator[sqlite3.Connection]:
    """A connection to the damaged file, or, where its first page says nothing, to a copy with that page made anew."""
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        if list(_readable(old, "SELECT 1 FROM nodes LIMIT 1")):
            yield old
            return
    copy = path.with_name(f"{path.name}.copy")
    try:
        _copy_with_first_page(path, copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as old:
            yield old
    finally:
        _remove(copy)


def _copy_with_first_page(path: Path, copy: Path) -> None:
    """The first page leads to every table, and is the same in every file: what was made first never moves."""
    _remove(copy)
    copy.touch(mode=FILE_MODE)
    with closing(sqlite3.connect(copy, isolation_level=None)) as fresh:
        for statement in STEPS[0]:
            fresh.execute(statement)
    page = bytearray(copy.read_bytes()[:PAGE])
    page[PAGE_COUNT] = (path.stat().st_size // PAGE).to_bytes(4, "big")
    shutil.copyfile(path, copy)
    with copy.open("r+b") as file:
        file.write(page)
    with suppress(FileNotFoundError):
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")


@contextmanager
def _held(old: sqlite3.Connection) -> Generator[None]:
    """Keep other programs from writing to the old file meanwhile, as far as its state allows."""
    with suppress(sqlite3.Error):
        old.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            old.execute("ROLLBACK")


def _carry_over(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """Put in what can be read; how many turns that is."""
    new.execute("PRAGMA foreign_keys = OFF")
    new.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        columns = [str(row[1]) for row in new.execute(f"PRAGMA table_info({table})")]
        there = {str(row[1]) for row in _readable(old, f"PRAGMA table_info({table})")}
        names = [column for column in columns if column in there]
        if names:
            _insert(new, table, names, _rows(old, table, names))
    _mend(new)
    (saved,) = new.execute("SELECT count(*) FROM nodes").fetchone()
    new.execute("COMMIT")
    return saved


def _insert(new: sqlite3.Connection, table: str, names: list[str], rows: Iterable[Row]) -> None:
    marks = ", ".join("?" * len(names))
    statement = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})"
    for row in rows:
        new.execute(statement, row)


def _rows(old: sqlite3.Connection, table: str, names: list[str]) -> Iterator[Row]:
    """Every row that can be read: forwards to the damage, backwards to it, then one by one by what indexes name."""
    listed = ", ".join(names)
    if (yield from _readable(old, f"SELECT {listed} FROM {table}")):
        return
    yield from _readable(old, f"SELECT {listed} FROM {table} ORDER BY {ENDS.get(table, 'id')} DESC")
    for index, column in INDEXES.get(table, {}).items():
        for direction in ("ASC", "DESC"):
            # Both ways here too, for the index may be damaged as well.
            found = _readable(old, f"SELECT id FROM {table} INDEXED BY {index} ORDER BY {column} {direction}")
            for (id_,) in found:
                yield from _readable(old, f"SELECT {listed} FROM {table} WHERE id = ?", (id_,))


def _readable(old: sqlite3.Connection, statement: str, values: tuple[object, ...] = ()) -> Generator[Row, None, bool]:
    """The rows up to the first that cannot be read; returns whether those are all."""
    try:
        cursor = old.execute(statement, values)
        while (row := cursor.fetchone()) is not None:
            yield row
    except sqlite3.Error:
        return False
    return True


def _mend(new: sqlite3.Connection) -> None:
    """Give what has lost its conversation or its parent a place, and drop what hangs on nothing."""
    new.execute(
        "INSERT OR IGNORE INTO conversations (id, uid, created, updated)"
        " SELECT conversation, 'saved' || conversation, min(created), max(created) FROM nodes"
        " WHERE conversation NOT IN (SELECT id FROM conversations) GROUP BY conversation"
    )
    new.execute("UPDATE nodes SET parent = NULL WHERE parent NOT IN (SELECT id FROM nodes)")
    # Of several beginnings of one conversation the newest is in chat.
    new.execute(
        "UPDATE nodes SET in_chat = 0 WHERE parent IS NULL AND in_chat = 1 AND id NOT IN"
        " (SELECT max(id) FROM nodes WHERE parent IS NULL AND in_chat = 1 GROUP BY conversation)"
    )
    for table in ("runs", "attempts"):
        new.execute(f"DELETE FROM {table} WHERE node NOT IN (SELECT id FROM nodes)")
    new.execute("DELETE FROM pieces WHERE run NOT IN (SELECT uid FROM runs)")
    for table in ("lanes", "votes"):
        new.execute(f"DELETE FROM {table} WHERE conversation NOT IN (SELECT id FROM conversations)")
    # A reply whose run is lost would be under way for ever.
    new.execute(
        "UPDATE nodes SET state = 'interrupted', result = ? WHERE role = 'assistant' AND state IS NULL"
        " AND id NOT IN (SELECT node FROM runs WHERE owner IS NOT NULL)",
        (nodes.encode(ResultForm(state="interrupted")),),
    )
    new.execute("UPDATE nodes SET indexed = 0")
    for (conversation,) in new.execute("SELECT id FROM conversations").fetchall():
        nodes.summarise(new, conversation)
    new.execute("INSERT OR REPLACE INTO facts VALUES ('salvaged', ?)", (msgspec.json.encode(time.time()).decode(),))
