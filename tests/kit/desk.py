"""A data folder with its store, and sessions that are put down in it."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tui_chat.store.database import Database
from tui_chat.store.ids import new_id
from tui_chat.store.instances import Instance
from tui_chat.store.journal import Journal
from tui_chat.store.library import Library
from tui_chat.store.recovery import recover
from tui_chat.wire.forms import ResultForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kit.clock import FakeClock
    from tui_chat.domain.conversation import Conversation
    from tui_chat.domain.pricing import Price
    from tui_chat.engine.session import Session

PATIENCE_S = 20.0


class Desk:
    """One program at work on `folder`; several may be."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tui-chat.db"
        self.database = Database(self.path)
        self.told: list[str] = []
        self.database.tell = self.told.append
        self.instance = Instance(folder / "instances")
        self.library = Library(self.database)

    def open(self) -> Desk:
        self.database.open()
        self.instance.register()
        return self

    def journal(self, session: Session, uid: str | None = None) -> Journal:
        """Put the session down from now on, as the house has it."""
        journal = Journal(self.database, self.instance, uid or new_id(), session.conversation)
        session.ready = journal.settled
        session.listeners.insert(0, journal.hear)
        return journal

    def recover(self, price: Price | None = None) -> list[str]:
        return self.do(lambda c: recover(c, self.instance, lambda *_: price))

    def do(self, op: Callable[[sqlite3.Connection], Any]) -> Any:
        return self.database.write(op).result(PATIENCE_S)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What another program sees on the disk now."""
        return rows(self.path, query, *values)

    def flush(self) -> None:
        assert self.database.flush(PATIENCE_S)

    def close(self) -> None:
        self.database.close()
        self.instance.close()


def rows(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(query, values).fetchall()


def sound(path: Path) -> bool:
    """True when SQLite finds nothing wrong in the whole file."""
    return rows(path, "PRAGMA integrity_check") == [("ok",)] and rows(path, "PRAGMA foreign_key_check") == []


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of this size; skips where this machine does not let us make one."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def until(true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait, in a thread, until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it has not become true"
        time.sleep(0.005)


async def eventually(true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait, while the loop goes on, until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it has not become true"
        await asyncio.sleep(0.005)


async def played(clock: FakeClock, session: Session) -> None:
    """Let the replies of a session come to their ends: time stands still only while the disk is waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while session.busy:
        assert time.monotonic() < deadline, "the reply does not end"
        await asyncio.sleep(0.001)
        await clock.advance(0.25)


def shape(tree: Conversation) -> dict[str, Any]:
    """All of a tree that the store keeps of it, in a form that can be compared."""
    return {
        "head": tree.head,
        "chosen": tree.chosen,
        "children": tree.children,
        "nodes": [
            (*(getattr(node, name) for name in PLAIN), None if node.result is None else ResultForm.of(node.result))
            for node in tree.nodes.values()
        ],
    }


PLAIN = ("id", "parent", "role", "text", "reasoning", "endpoint", "model", "created")
