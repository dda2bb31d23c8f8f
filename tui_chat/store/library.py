"""The conversations on the disk: listed, opened, renamed, pinned, deleted, copied, taken out and put in."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import CancelledError
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tui_chat.domain.ask import Settings
from tui_chat.domain.conversation import Conversation
from tui_chat.domain.failure import UsageError
from tui_chat.domain.fold_version import FOLD_VERSION
from tui_chat.domain.words import say
from tui_chat.store import comparisons, nodes
from tui_chat.store.ids import new_id
from tui_chat.wire.forms import ConversationForm, settings_of
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tui_chat.domain.lane import LaneRecord, Tally
    from tui_chat.store.database import Database
    from tui_chat.store.images import Images
    from tui_chat.store.whole import Added

IMAGES = "images"
"""Their folder, beside the database."""
KEPT_S = 7 * 86400.0
"""How long a deleted conversation can be brought back."""
SHORTEST = 4
"""Characters of a name from which on its beginning may stand for it."""
LAST = "\U0010ffff"
"""Behind every name with the same beginning."""
WAIT_S = 2.0
"""How long what another program shows is asked for, and what was just written is waited for."""
PURGED_AT_ONCE = 50
"""Turns that are taken out of the index in one transaction; others wait for its end."""
UNINDEXED = (
    "SELECT n.id FROM nodes n JOIN conversations c ON c.id = n.conversation WHERE n.indexed = 0"
    " AND c.deleted IS NULL AND (n.role = 'user' OR n.state IS NOT NULL) LIMIT ?"
)
MERGE = "merge"
"""The fact that the index is being written anew, with the pages of the next step."""
REFERRING = (
    "SELECT text FROM nodes WHERE role = 'user' AND text LIKE '%](tui-chat:%'",
    "SELECT draft || queue FROM conversations WHERE draft || queue LIKE '%](tui-chat:%'",
)
"""Where images are referred to."""
MERGED_AT_ONCE = 100
"""Pages of the index that are written anew in one transaction."""


class Summary(Struct, frozen=True):
    """One line of a list of conversations. Times are epoch seconds."""

    id: str
    title: str
    created: float
    updated: float
    turns: int
    models: tuple[str, ...]
    cost: Decimal | None
    estimated: bool
    """A part of the cost is an estimate."""
    pinned: bool
    state: str | None
    """Of the newest reply; `interrupted` as long as any waits for a decision; None while one is under way."""


class Stored(Struct, frozen=True):
    """A conversation as it was left."""

    id: str
    title: str
    conversation: Conversation
    endpoint: str | None
    model: str | None
    settings: Settings
    draft: str
    queue: tuple[str, ...]
    cost: Decimal | None = None
    """What is counted as its cost: what was asked beside its replies too, and no reply that was copied into it."""


LISTED = "uid, title, created, updated, turns, models, cost, estimated, pinned, state"
SEEN = "deleted IS NULL AND turns > 0"
ORDER = "pinned DESC, updated DESC, id"
GONE = "deleted IS NOT NULL AND turns > 0"


class Library:
    """Reads at once, writes through the database's thread; every method may block."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._images: Images | None = None
        database.index_emptied = self.reindex

    @property
    def images(self) -> Images:
        """The images of the messages."""
        if self._images is None:
            from tui_chat.store.images import Images

            self._images = Images(self._database.path.parent / IMAGES)
        return self._images

    # lists

    def count(self) -> int:
        with self._database.reading() as c:
            return c.execute(f"SELECT count(*) FROM conversations WHERE {SEEN}").fetchone()[0]

    def list(self, offset: int = 0, limit: int = -1) -> list[Summary]:
        """Pinned ones first, then the newest."""
        query = f"SELECT {LISTED} FROM conversations WHERE {SEEN} ORDER BY {ORDER} LIMIT ? OFFSET ?"
        with self._database.reading() as c:
            return [_summary(row) for row in c.execute(query, (limit, offset))]

    def place(self, uid: str) -> int | None:
        """Where `list` has a conversation, counted from 0; None where it has not."""
        before = "pinned > c.pinned OR pinned = c.pinned AND (updated > c.updated OR updated = c.updated AND id < c.id)"
        query = (
            f"SELECT (SELECT count(*) FROM conversations WHERE {SEEN} AND ({before}))"
            f" FROM conversations c WHERE uid = ? AND {SEEN}"
        )
        with self._database.reading() as c:
            row = c.execute(query, (uid,)).fetchone()
            return None if row is None else row[0]

    def each(self, *, deleted: bool = False) -> Iterator[Summary]:
        """The same conversations, or those that can be brought back, one by one; few are held in memory.

        Nothing else may be read in this thread before the last one.
        """
        condition, order = (GONE, "deleted DESC") if deleted else (SEEN, ORDER)
        with self._database.reading() as c:
            for row in c.execute(f"SELECT {LISTED} FROM conversations WHERE {condition} ORDER BY {order}"):
                yield _summary(row)

    def summary(self, uid: str) -> Summary | None:
        with self._database.reading() as c:
            row = c.execute(f"SELECT {LISTED} FROM conversations WHERE uid = ?", (uid,)).fetchone()
            return None if row is None else _summary(row)

    def newest(self) -> str | None:
        """The conversation that was last used."""
        query = f"SELECT uid FROM conversations WHERE {SEEN} ORDER BY updated DESC LIMIT 1"
        with self._database.reading() as c:
            return next(nodes.uids(c, query), None)

    def unsent(self) -> str | None:
        """The newest conversation that holds nothing but a draft or a message that waits, and is open nowhere."""
        query = (
            "SELECT uid FROM conversations WHERE deleted IS NULL AND turns = 0 AND (draft <> '' OR queue <> '[]')"
            " AND id NOT IN (SELECT conversation FROM openings) ORDER BY updated DESC LIMIT 1"
        )
        with self._database.reading() as c:
            return next(nodes.uids(c, query), None)

    def find(self, name: str, *, deleted: bool = False) -> str:
        """The one conversation, or the one deleted one, whose id is `name` or begins with it. Raises UsageError."""
        name, there = well_formed(name), "NOT NULL" if deleted else "NULL"
        with self._database.reading() as c:
            query = f"SELECT uid FROM conversations WHERE uid = ? AND deleted IS {there}"
            if (exact := next(nodes.uids(c, query, name), None)) is not None:
                return exact
            condition = GONE if deleted else SEEN
            query = f"SELECT uid FROM conversations WHERE uid >= ? AND uid < ? AND {condition} LIMIT 2"
            found = list(nodes.uids(c, query, name, name + LAST)) if len(name) >= SHORTEST else []
        if len(found) != 1:
            missing = say("history.not_deleted" if deleted else "history.unknown", id=name)
            raise UsageError(say("history.several", id=name) if found else missing)
        return found[0]

    def place_of_run(self, run: str) -> tuple[str, str]:
        """(conversation, turn) of a run. Raises UsageError."""
        query = (
            "SELECT c.uid, n.uid FROM runs r JOIN nodes n ON n.id = r.node JOIN conversations c"
            " ON c.id = n.conversation WHERE r.uid = ? AND c.deleted IS NULL"
        )
        with self._database.reading() as c:
            row = c.execute(query, (run,)).fetchone()
        if row is None:
            raise UsageError(say("history.no_run", id=run))
        return row

    # one conversation

    def load(self, uid: str) -> Stored:
        """A conversation by its full id; empty where nothing has been stored under it yet."""
        self._catch_up()
        query = "SELECT id, title, endpoint, model, settings, draft, queue, cost FROM conversations WHERE uid = ?"
        with self._database.reading() as c:
            row = c.execute(query, (uid,)).fetchone()
            if row is None:
                return Stored(uid, "", Conversation(), None, None, Settings(), "", ())
            id_, title, endpoint, model, settings, draft, queue, cost = row
            tree = nodes.load(c, id_)
        return Stored(
            id=uid,
            title=title,
            conversation=tree,
            endpoint=endpoint,
            model=model,
            settings=settings_of(settings),
            draft=draft,
            queue=tuple(msgspec.json.decode(queue, type=list[str])),
            cost=None if cost is None else Decimal(cost),
        )

    def form(self, uid: str) -> ConversationForm:
        """A conversation with everything that is known of it. Raises UsageError where there is none."""
        from tui_chat.store import whole

        self._catch_up()
        with self._database.reading() as c:
            form = whole.take(c, uid)
        if form is None:
            raise UsageError(say("history.unknown", id=uid))
        return self._illustrated(form)

    def _illustrated(self, form: ConversationForm) -> ConversationForm:
        """The conversation with the images that it refers to."""
        from tui_chat.store.images import DIGEST

        texts = (form.draft, *form.queue, *(node.text for node in form.nodes if node.role == "user"))
        digests = {digest for text in texts for digest in DIGEST.findall(text)}
        found = {digest: data for digest in sorted(digests) if (data := self.images.encoded(digest)) is not None}
        return msgspec.structs.replace(form, images=found) if found else form

    def every(self) -> Iterator[str]:
        """The ids of all conversations, oldest first; not held in memory."""
        last = (0.0, 0)
        query = (
            "SELECT created, id, uid FROM conversations WHERE deleted IS NULL AND (turns > 0 OR draft <> '')"
            " AND (created, id) > (?, ?) ORDER BY created, id LIMIT 100"
        )
        while True:
            with self._database.reading() as c:
                rows = c.execute(query, last).fetchall()
            if not rows:
                return
            for created, row, uid in rows:
                last = created, row
                yield uid

    def lanes(self, uid: str) -> list[LaneRecord]:
        """The lanes of a conversation's comparison, in their order; none where there was no comparison."""
        self._catch_up()
        with self._database.reading() as c:
            row = c.execute("SELECT id FROM conversations WHERE uid = ?", (uid,)).fetchone()
            return [] if row is None else [form.record() for form in comparisons.lane_forms(c, row[0])]

    def tally(self) -> list[Tally]:
        """How each model with each of its settings was judged, in all conversations; the most wins first."""
        self._catch_up()
        with self._database.reading() as c:
            return comparisons.tally(c)

    def rename(self, uid: str, title: str) -> None:
        """Give a conversation a title that stays."""
        self._update(uid, title=well_formed(title), titled=1)

    def entitle(self, uid: str, title: str, usd: Decimal | None) -> None:
        """Give a conversation the title that a model made, and count what that cost."""

        def op(c: sqlite3.Connection) -> None:
            row, spent = c.execute("SELECT id, titling FROM conversations WHERE uid = ?", (uid,)).fetchone()
            if usd is not None:
                c.execute("UPDATE conversations SET titling = ? WHERE id = ?", (str(Decimal(spent or 0) + usd), row))
            if title:
                c.execute("UPDATE conversations SET title = ?, titled = 1 WHERE id = ?", (well_formed(title), row))
            nodes.summarise(c, row)

        self._database.write(op)

    def pin(self, uid: str, pinned: bool) -> None:
        self._update(uid, pinned=int(pinned))

    def delete(self, uid: str) -> None:
        """Take a conversation out of every list; it can be brought back for a week."""
        self._update(uid, deleted=time.time())

    def restore(self, uid: str) -> None:
        """Bring a deleted conversation back."""
        self._update(uid, deleted=None)

    def purge(self, *, now: float | None = None) -> None:
        """Remove for good what was deleted more than a week ago; a little at a time, beside everything else."""
        before = (time.time() if now is None else now) - KEPT_S
        self._repeat(lambda c: _purge(c, before))

    def reindex(self) -> None:
        """Put what the search does not find yet into its index, in the same way."""
        self._repeat(_reindex)

    def _repeat(self, op: Callable[[sqlite3.Connection], bool]) -> None:
        """Do `op` until it says that nothing is left."""

        def again(future: Future[bool]) -> None:
            if not future.cancelled() and future.exception() is None and future.result():
                self._repeat(op)

        self._database.write(op).add_done_callback(again)

    def fork(self, uid: str, node: str) -> str:
        """A new conversation with the path down to `node`; its id."""
        form, copy = self.form(uid), new_id()
        path = form.conversation().path(node)
        names = {turn.id: new_id() for turn in path}
        forms = {turn.id: turn for turn in form.nodes}
        turns = [
            msgspec.structs.replace(
                forms[turn.id],
                id=names[turn.id],
                parent=None if turn.parent is None else names[turn.parent],
                in_chat=True,
                # What the tries cost is counted where they were made.
                attempts=[],
            )
            for turn in path
        ]
        now = time.time()
        title = say("history.fork_title", title=form.title)
        self.add(
            ConversationForm(id=copy, title=title, nodes=turns, in_chat=[t.id for t in turns], created=now, updated=now)
        )
        self._database.write(lambda c: nodes.uncount(c, copy))
        return copy

    def add(self, form: ConversationForm) -> bool:
        """Put a conversation in, or the turns of it that are not there yet; True when that was anything.

        Raises ValueError when its tree makes no sense, and nothing has been changed.
        """
        return self.add_soon(form).result().anything

    def add_soon(self, form: ConversationForm) -> Future[Added]:
        """`add`, without waiting for the disk. Raises ValueError as it does."""
        from tui_chat.store import whole

        tree = form.conversation()
        if form.images:
            self.images.take(form.images)
        return self._database.write(lambda c: whole.put(c, form, tree))

    @property
    def behind(self) -> bool:
        """True while something cannot be written."""
        return self._database.behind

    # openings

    def opened(self, uid: str, instance: str) -> list[str]:
        """Note that this program shows a conversation; the other programs that do, dead ones too."""

        def op(c: sqlite3.Connection) -> list[str]:
            c.execute("DELETE FROM openings WHERE instance = ?", (instance,))
            row = c.execute("SELECT id FROM conversations WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                return []
            others = c.execute("SELECT instance FROM openings WHERE conversation = ?", row).fetchall()
            c.execute("INSERT OR IGNORE INTO openings VALUES (?, ?)", (row[0], instance))
            return [name for (name,) in others]

        try:
            return self._database.write(op).result(WAIT_S)
        except (TimeoutError, CancelledError, sqlite3.Error):
            # Nobody waits long for a notice.
            return []

    def drop_images(self) -> None:
        """Remove the old images that no message, draft or queue refers to; may block. Raises StoreError."""
        from tui_chat.store.images import DIGEST

        old = set(self.images.old())
        if not old:
            return
        with self._database.reading() as c:
            for query in REFERRING:
                for (text,) in c.execute(query):
                    old.difference_update(DIGEST.findall(text))
        self.images.drop(old)

    def _catch_up(self) -> None:
        """What was said a moment ago may still be on its way to the disk."""
        if not self._database.behind:
            self._database.flush(WAIT_S)

    def _update(self, uid: str, **values: object) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE conversations SET {columns} WHERE uid = ?"
        self._database.write(lambda c: c.execute(query, (*values.values(), uid)))


def _purge(c: sqlite3.Connection, before: float) -> bool:
    """One step of a purge; False when nothing is left to do."""
    gone = "SELECT id FROM conversations WHERE deleted < ?"
    query = f"SELECT id FROM nodes WHERE conversation IN ({gone}) AND indexed = 1 LIMIT ?"
    if indexed := c.execute(query, (before, PURGED_AT_ONCE)).fetchall():
        for (node,) in indexed:
            nodes.unindex(c, node)
        return True
    if c.execute(f"{gone} LIMIT 1", (before,)).fetchone():
        c.execute("DELETE FROM conversations WHERE deleted < ?", (before,))
        c.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (MERGE, str(-MERGED_AT_ONCE)))
        return True
    return _merge(c)


def _merge(c: sqlite3.Connection) -> bool:
    """One step of writing the index anew, until it holds no word of what was taken out; False when it is done."""
    step = c.execute("SELECT value FROM facts WHERE name = ?", (MERGE,)).fetchone()
    if step is None:
        return False
    before = c.total_changes
    # A negative number of pages begins, positive ones go on (sqlite.org/fts5.html, the 'merge' command).
    c.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (int(step[0]),))
    if c.total_changes - before < 2:
        c.execute("DELETE FROM facts WHERE name = ?", (MERGE,))
        return False
    c.execute("UPDATE facts SET value = ? WHERE name = ?", (str(MERGED_AT_ONCE), MERGE))
    return True


def _reindex(c: sqlite3.Connection) -> bool:
    """Index some turns that are not, or were by other rules; False when nothing is left to do."""
    c.execute("INSERT OR IGNORE INTO facts VALUES ('folding', '')")
    rules = c.execute("SELECT value FROM facts WHERE name = 'folding'").fetchone()
    if rules != (str(FOLD_VERSION),):
        c.execute("INSERT INTO search (search) VALUES ('delete-all')")
        c.execute("UPDATE nodes SET indexed = 0 WHERE indexed")
        c.execute("UPDATE facts SET value = ? WHERE name = 'folding'", (str(FOLD_VERSION),))
    rows = c.execute(UNINDEXED, (PURGED_AT_ONCE,)).fetchall()
    for (node,) in rows:
        nodes.index(c, node)
    return bool(rows)


def _summary(row: tuple[Any, ...]) -> Summary:
    uid, title, created, updated, turns, models, cost, estimated, pinned, state = row
    return Summary(
        id=uid,
        title=title,
        created=created,
        updated=updated,
        turns=turns,
        models=tuple(msgspec.json.decode(models, type=list[str])),
        cost=None if cost is None else Decimal(cost),
        estimated=bool(estimated),
        pinned=bool(pinned),
        state=state,
    )
