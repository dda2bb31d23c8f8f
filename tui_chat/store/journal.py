"""What happens in a session, put down as it happens: questions before their request leaves, text as it arrives.

Pieces are appended, so that a checkpoint costs the same however long the reply has become. When a reply ends, all of
it goes into its turn and the pieces go away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from tui_chat.domain.ask import Settings
from tui_chat.domain.events import (
    BudgetAsked,
    Decided,
    Finished,
    Kept,
    LanesChanged,
    Notice,
    QueueChanged,
    Returned,
    RunHeard,
    Seam,
    Selected,
    Submitted,
    Text,
    Thinking,
    Voted,
)
from tui_chat.domain.titles import first_words
from tui_chat.domain.words import say
from tui_chat.store import comparisons, nodes
from tui_chat.wire.forms import LaneForm, SettingsForm
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.conversation import Conversation, Node
    from tui_chat.domain.events import SessionEvent
    from tui_chat.domain.lane import LaneRecord, Vote
    from tui_chat.store.database import Database, Op
    from tui_chat.store.instances import Instance

SETTLE_S = 2.0
"""How long a request waits for its question to be put down; then it leaves without, and the user is told."""
APPEND = (
    "INSERT INTO pieces (run, seq, seam, text, reasoning)"
    " SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM runs WHERE uid = ?1 AND owner IS NOT NULL)"
)
"""A run may have ended, and its turn be whole, by the time its last piece is written."""

log = logging.getLogger(__name__)


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
        self._runs: dict[str, str] = {}
        """The runs under way, by the turns that they are filling."""
        self._pieces: deque[_Piece] = deque()
        self._numbers = count()
        self._draft: str | None = None
        self._drafted: str | None = None

    def hear(self, event: SessionEvent) -> None:
        try:
            self._hear(event)
        except Exception as error:
            # A fault here costs what it was about, never the reply.
            log.exception("%s was not put down", type(event).__name__)
            self._database.tell(say("store.fault", error=type(error).__name__))

    def _hear(self, event: SessionEvent) -> None:
        match event:
            case Submitted(question, reply, run):
                self._submitted(question, reply, replace(run, settings=self._without_keys(run.settings)))
            case RunHeard(node, stamped):
                match stamped.event:
                    case Text(text):
                        self._append(_Piece(self._runs.get(node, ""), text, ""))
                    case Thinking(text):
                        self._append(_Piece(self._runs.get(node, ""), "", text))
                    case Seam():
                        self._append(_Piece(self._runs.get(node, ""), "", "", seam=True))
                    case _:
                        pass
            case Finished(reply):
                self._finished(reply)
            case Selected(head):
                self._selected(head)
            case Decided(reply):
                self._decided(reply)
            case QueueChanged(texts):
                self._put(self._setting("queue", nodes.encode(list(map(well_formed, texts)))))
            case Kept(reply, endpoint, model, settings):
                self._kept(reply, endpoint, model, self._without_keys(settings))
            case LanesChanged(records):
                self._lanes([replace(lane, settings=self._without_keys(lane.settings)) for lane in records])
            case Voted(votes):
                self._votes([replace(vote, settings=self._without_keys(vote.settings)) for vote in votes])
            case Returned() | BudgetAsked() | Notice():
                pass

    def draft(self, text: str) -> None:
        """Keep what is written in the composer; to be called at every change."""
        self._draft = text
        self._database.write_soon(self._collect_draft)

    async def settled(self) -> None:
        """Return when all that was told is on the disk, or when the disk does not take it."""
        if not self._database.behind:
            future = asyncio.wrap_future(self._database.write(lambda _: None))
            await asyncio.wait([future], timeout=SETTLE_S)

    def _put(self, op: Op) -> None:
        """Have an op done; one that breaks is a fault of our own, and is told."""

        def done(future: Future[Any]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                self._database.tell(say("store.fault", error=type(error).__name__))

        self._database.write(op).add_done_callback(done)

    def _submitted(self, question: Node, reply: Node, run: RunRecord) -> None:
        self._runs[reply.id] = run.id
        path = self._tree.path(reply.id)
        in_chat = [node.id for node in self._tree.path()]
        if self._draft is not None and self._draft.strip() == question.text.strip():
            self._draft = ""

        def op(c: sqlite3.Connection) -> None:
            row = self._row(c, run.began)
            asked = nodes.insert_path(c, row, path)
            # A reply that is taken up again is under way once more.
            c.execute("UPDATE nodes SET state = NULL WHERE id = ?", (asked,))
            nodes.begin(c, asked, run, self._instance.uid)
            nodes.select(c, row, in_chat)
            if reply.id in in_chat:
                _go_to(c, row, run.endpoint, run.model, run.settings)
            c.execute(
                "UPDATE conversations SET updated = ?,"
                " draft = CASE WHEN trim(draft, ' ' || char(9, 10, 13)) = ?2 THEN '' ELSE draft END,"
                " title = CASE WHEN title = '' THEN ? ELSE title END WHERE id = ?",
                (
                    run.began,
                    well_formed(question.text).strip(" \t\n\r"),
                    well_formed(first_words(question.text)),
                    row,
                ),
            )
            nodes.summarise(c, row)

        self._put(op)

    def _row(self, c: sqlite3.Connection, created: float | None = None) -> int:
        """The conversation's row, made where there is none; others see that this program is at work on it."""
        row = nodes.conversation_row(c, self.uid, created)
        c.execute("INSERT OR IGNORE INTO openings VALUES (?, ?)", (row, self._instance.uid))
        return row

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
        """The pieces that have come, those of each run together, cut where a seam begins."""
        groups: dict[str, list[_Piece]] = {}
        while self._pieces:
            piece = self._pieces.popleft()
            group = groups.setdefault(piece.run, [])
            if group and piece.seam:
                yield group
                group = groups[piece.run] = []
            group.append(piece)
        yield from groups.values()

    def _finished(self, reply: Node) -> None:
        run = self._runs.pop(reply.id, "")
        path = [*self._tree.path(reply.id)[:-1], self._cleaned(reply)]

        def op(c: sqlite3.Connection) -> None:
            row = self._row(c)
            nodes.insert_path(c, row, path)
            nodes.finish(c, path[-1])
            c.execute("UPDATE runs SET owner = NULL WHERE uid = ?", (run,))
            c.execute("DELETE FROM pieces WHERE run = ?", (run,))
            nodes.summarise(c, row)

        self._put(op)

    def _cleaned(self, reply: Node) -> Node:
        return replace(reply, runs=tuple(replace(run, settings=self._without_keys(run.settings)) for run in reply.runs))

    def _without_keys(self, settings: Settings) -> Settings:
        """The settings as they may be stored; none where that cannot be told."""
        try:
            return self._clean(settings)
        except Exception:
            log.exception("settings were not put down")
            return Settings()

    def _selected(self, head: str | None) -> None:
        path = [] if head is None else [node.id for node in self._tree.path(head)]

        def op(c: sqlite3.Connection) -> None:
            nodes.select(c, self._row(c), path, ends=True)

        self._put(op)

    def _kept(self, reply: Node, endpoint: str, model: str, settings: Settings) -> None:
        self._put(lambda c: _go_to(c, self._row(c), endpoint, model, settings))

    def _lanes(self, records: list[LaneRecord]) -> None:
        forms = [LaneForm.of(lane) for lane in records]
        self._put(lambda c: comparisons.replace_lanes(c, self._row(c), forms))

    def _votes(self, votes: list[Vote]) -> None:
        forms = [comparisons.vote_form(vote) for vote in votes]
        self._put(lambda c: comparisons.put_votes(c, self._row(c), forms))

    def _decided(self, reply: Node) -> None:
        reply = self._cleaned(reply)

        def op(c: sqlite3.Connection) -> None:
            nodes.finish(c, reply)
            nodes.summarise(c, self._row(c))

        self._put(op)

    def _collect_draft(self) -> Op | None:
        """An op that keeps the newest draft; called in the writer's thread."""
        text = self._draft
        if text is None or text == self._drafted:
            return None
        self._drafted = text
        return self._setting("draft", well_formed(text))

    def _setting(self, column: str, value: str) -> Op:
        """An op that sets a column of the conversation; one that holds nothing is not made for nothing."""

        def op(c: sqlite3.Connection) -> None:
            there = c.execute("SELECT 1 FROM conversations WHERE uid = ?", (self.uid,)).fetchone()
            if there or value not in ("", "[]"):
                c.execute(f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, self._row(c)))

        return op


def _go_to(c: sqlite3.Connection, row: int, endpoint: str, model: str, settings: Settings) -> None:
    """Note whom the conversation's next message goes to."""
    c.execute(
        "UPDATE conversations SET endpoint = ?, model = ?, settings = ? WHERE id = ?",
        (well_formed(endpoint), well_formed(model), nodes.encode(SettingsForm.of(settings)), row),
    )
