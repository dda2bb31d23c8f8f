"""What happens in a session, put down as it happens: questions before their request leaves, text as it arrives.

Pieces are appended, so that a checkpoint costs the same however long the reply has become. When a reply ends, all of
it goes into its turn and the pieces go away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from tui_chat.domain.events import (
    Decided,
    Finished,
    QueueChanged,
    Returned,
    RunHeard,
    Seam,
    Selected,
    Submitted,
    Text,
    Thinking,
)
from tui_chat.domain.titles import first_words
from tui_chat.store import nodes
from tui_chat.wire.forms import SettingsForm
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from tui_chat.domain.ask import Settings
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.conversation import Conversation, Node
    from tui_chat.domain.events import SessionEvent
    from tui_chat.store.database import Database, Op
    from tui_chat.store.instances import Instance

SETTLE_S = 2.0
"""How long a request waits for its question to be put down; then it leaves without, and the user is told."""
APPEND = (
    "INSERT INTO pieces (run, seq, seam, text, reasoning)"
    " SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM runs WHERE uid = ?1 AND owner IS NOT NULL)"
)
"""A run may have ended, and its turn be whole, by the time its last piece is written."""


class _Piece(NamedTuple):
    run: str
    text: str
    reasoning: str
    seam: bool = False
    """The answer was taken up again before it."""


class Journal:
    """Writes one conversation down; `hear` listens to its session."""

    def __init__(
        self,
        database: Database,
        instance: Instance,
        uid: str,
        tree: Conversation,
        clean: Callable[[Settings], Settings] = lambda settings: settings,
    ) -> None:
        """`clean` keeps keys out of the settings that are stored."""
        self.uid = uid
        self._database = database
        self._instance = instance
        self._tree = tree
        self._clean = clean
        self._run = ""
        self._pieces: deque[_Piece] = deque()
        self._numbers = count()

    def hear(self, event: SessionEvent) -> None:
        match event:
            case Submitted(question, reply, run):
                self._submitted(question, reply, replace(run, settings=self._clean(run.settings)))
            case RunHeard(_, stamped):
                match stamped.event:
                    case Text(text):
                        self._append(_Piece(self._run, text, ""))
                    case Thinking(text):
                        self._append(_Piece(self._run, "", text))
                    case Seam():
                        self._append(_Piece(self._run, "", "", seam=True))
                    case _:
                        pass
            case Finished(reply):
                self._finished(reply)
            case Selected(head):
                self._selected(head)
            case Decided(reply):
                self._decided(reply)
            case QueueChanged(texts):
                self._set("queue", nodes.encode(list(map(well_formed, texts))))
            case Returned():
                pass

    def draft(self, text: str) -> None:
        """Keep what is written in the composer."""
        self._set("draft", well_formed(text))

    async def settled(self) -> None:
        """Return when all that was told is on the disk, or when the disk does not take it."""
        if not self._database.behind:
            future = asyncio.wrap_future(self._database.write(lambda _: None))
            await asyncio.wait([future], timeout=SETTLE_S)

    def _submitted(self, question: Node, reply: Node, run: RunRecord) -> None:
        self._run = run.id
        path = [node.id for node in self._tree.path(reply.id)]
        owner = self._instance.uid

        def op(c: sqlite3.Connection) -> None:
            row = nodes.conversation_row(c, self.uid, run.began)
            nodes.index(c, nodes.insert(c, row, question))
            asked = nodes.insert(c, row, reply)
            # A reply that is taken up again is under way once more.
            c.execute("UPDATE nodes SET state = NULL WHERE id = ?", (asked,))
            nodes.begin(c, asked, run, owner)
            nodes.select(c, path, None)
            settings = nodes.encode(SettingsForm.of(run.settings))
            title = well_formed(first_words(question.text))
            c.execute(
                "UPDATE conversations SET updated = ?, endpoint = ?, model = ?, settings = ?,"
                " title = CASE WHEN title = '' THEN ? ELSE title END WHERE id = ?",
                (run.began, run.endpoint, run.model, settings, title, row),
            )
            nodes.summarise(c, row)

        self._database.write(op)

    def _append(self, piece: _Piece) -> None:
        self._pieces.append(piece)
        self._database.write_soon(self._collect)

    def _collect(self) -> Op | None:
        """An op that appends what has come; called in the writer's thread."""
        rows = [
            (
                group[0].run,
                next(self._numbers),
                group[0].seam,
                well_formed("".join(piece.text for piece in group)),
                well_formed("".join(piece.reasoning for piece in group)),
            )
            for group in self._groups()
        ]
        return (lambda c: c.executemany(APPEND, rows)) if rows else None

    def _groups(self) -> Iterator[list[_Piece]]:
        """The pieces that have come, cut where another run or a seam begins."""
        group: list[_Piece] = []
        while self._pieces:
            piece = self._pieces.popleft()
            if group and (piece.seam or piece.run != group[0].run):
                yield group
                group = []
            group.append(piece)
        if group:
            yield group

    def _finished(self, reply: Node) -> None:
        run = self._run
        runs = tuple(replace(record, settings=self._clean(record.settings)) for record in reply.runs)

        def op(c: sqlite3.Connection) -> None:
            nodes.finish(c, replace(reply, runs=runs))
            c.execute("UPDATE runs SET owner = NULL WHERE uid = ?", (run,))
            c.execute("DELETE FROM pieces WHERE run = ?", (run,))
            nodes.summarise(c, nodes.conversation_row(c, self.uid))

        self._database.write(op)

    def _selected(self, head: str | None) -> None:
        path = [node.id for node in self._tree.path()]

        def op(c: sqlite3.Connection) -> None:
            nodes.select(c, path, head)
            if head is None:
                row = nodes.conversation_row(c, self.uid)
                c.execute("UPDATE nodes SET in_chat = 0 WHERE conversation = ? AND parent IS NULL", (row,))

        self._database.write(op)

    def _decided(self, reply: Node) -> None:
        def op(c: sqlite3.Connection) -> None:
            nodes.finish(c, reply)
            nodes.summarise(c, nodes.conversation_row(c, self.uid))

        self._database.write(op)

    def _set(self, column: str, value: str) -> None:
        """Set a column of the conversation; what holds nothing is not made for nothing."""
        there = "SELECT 1 FROM conversations WHERE uid = ?"

        def op(c: sqlite3.Connection) -> None:
            if value not in ("", "[]") or c.execute(there, (self.uid,)).fetchone():
                row = nodes.conversation_row(c, self.uid)
                c.execute(f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, row))

        self._database.write(op)
