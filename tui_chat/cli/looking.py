"""The history, opened for one command."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui_chat.cli.output import complain
from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.words import say
from tui_chat.wiring import House

if TYPE_CHECKING:
    from collections.abc import Generator

    from tui_chat.store.library import Library

WRITE_S = 10.0
"""How long a command waits for the disk."""


@contextmanager
def looked_into(*, create: bool = False) -> Generator[House]:
    """A house whose store can be read; a store is made only to `create` something in it. Raises StoreError."""
    built = House(os.environ)
    built.start_log()
    try:
        for problem in built.problems():
            complain(problem)
        if create or built.chats.stored:
            trouble = built.chats.look(built.config.prices)
            built.chats.database.tell = complain
            if trouble:
                complain(trouble)
        yield built
    finally:
        built.chats.shut()


def find(built: House, name: str, *, deleted: bool = False) -> str:
    """The id that `name` is, or begins. Raises UsageError."""
    if not built.chats.stored:
        raise UsageError(say("history.unknown", id=name))
    return built.chats.library.find(name, deleted=deleted)


def title_of(library: Library, uid: str) -> str:
    """What a conversation is called, for a line of narration."""
    summary = library.summary(uid)
    return summary.title if summary is not None and summary.title else uid


def written(built: House) -> None:
    """Wait until all that was changed is on the disk. Raises StoreError."""
    if not built.chats.database.flush(WRITE_S):
        raise StoreError(say("history.not_written", path=built.chats.database.path.parent))
