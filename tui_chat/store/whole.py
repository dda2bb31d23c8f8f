"""A conversation as a whole: taken out with everything that is known of it, and put in where it is not there yet.

Every function works on an open connection.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from tui_chat.store import comparisons as lanes
from tui_chat.store import nodes
from tui_chat.store.ids import id_for
from tui_chat.wire.forms import ConversationForm, ResultForm, SettingsForm, node_forms
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3

    from tui_chat.domain.conversation import Conversation, Node


class Added(NamedTuple):
    """What putting a conversation in has changed."""

    new: bool
    """There was none of this name, or it had been deleted."""
    turns: int

    @property
    def anything(self) -> bool:
        return self.new or self.turns > 0


def take(c: sqlite3.Connection, uid: str) -> ConversationForm | None:
    """A conversation with everything that is known of it; a reply under way is interrupted, with what has come."""
    query = (
        "SELECT id, title, titled, titling, created, updated, pinned, draft, queue, endpoint, model, settings, source"
        " FROM conversations WHERE uid = ?"
    )
    found = c.execute(query, (uid,)).fetchone()
    if found is None:
        return None
    row, title, titled, titling, created, updated, pinned, draft, queue, endpoint, model, settings, source = found
    tree = nodes.load(c, row)
    for name, records in nodes.runs(c, row).items():
        tree.nodes[name] = replace(tree.nodes[name], runs=records)
    for node in [node for node in tree.nodes.values() if node.role == "assistant" and node.result is None]:
        tree.nodes[node.id] = _so_far(c, node)
    return ConversationForm(
        id=uid,
        title=title,
        in_chat=[node.id for node in tree.path()],
        nodes=node_forms(tree),
        titled=bool(titled),
        titling=None if titling is None else Decimal(titling),
        created=created,
        updated=updated,
        pinned=bool(pinned),
        draft=draft,
        queue=msgspec.json.decode(queue, type=list[str]),
        endpoint=endpoint,
        model=model,
        settings=msgspec.json.decode(settings, type=SettingsForm),
        source=msgspec.UNSET if source is None else source,
        lanes=lanes.lane_forms(c, row) or msgspec.UNSET,
        votes=lanes.vote_forms(c, row) or msgspec.UNSET,
    )


def _so_far(c: sqlite3.Connection, node: Node) -> Node:
    """A reply under way as it would be if its program ended now."""
    query = (
        "SELECT p.seam, p.text, p.reasoning FROM pieces p JOIN runs r ON r.uid = p.run"
        " WHERE r.node = (SELECT id FROM nodes WHERE uid = ?) ORDER BY p.seq"
    )
    text, reasoning, seams = [node.text], [node.reasoning], list[int]()
    length = len(node.text)
    for seam, more, thought in c.execute(query, (node.id,)):
        seams += [length] if seam else []
        text.append(more)
        reasoning.append(thought)
        length += len(more)
    result = ResultForm(state="interrupted", seams=tuple(seams)).result()
    return replace(node, text="".join(text), reasoning="".join(reasoning), result=result)


def put(c: sqlite3.Connection, form: ConversationForm, tree: Conversation) -> Added:
    """Put a conversation in, or the turns of it that are not there yet; what is there stays as it is.

    Turns that follow the last one in chat are in chat too; else nothing changes about what is.
    """
    found = c.execute("SELECT deleted FROM conversations WHERE uid = ?", (form.id,)).fetchone()
    row = nodes.conversation_row(c, form.id, form.created)
    if found is None:
        _describe(c, row, form)
    elif found[0] is not None:
        c.execute("UPDATE conversations SET deleted = NULL WHERE id = ?", (row,))
    new = _put_nodes(c, row, form.id, tree)
    _put_lanes(c, row, form)
    if new and found is not None and form.updated is not None:
        c.execute("UPDATE conversations SET updated = max(updated, ?) WHERE id = ?", (form.updated, row))
    nodes.summarise(c, row)
    return Added(found is None or found[0] is not None, new)


def _describe(c: sqlite3.Connection, row: int, form: ConversationForm) -> None:
    updated = form.created if form.updated is None else form.updated
    c.execute(
        "UPDATE conversations SET title = ?, titled = ?, titling = ?, updated = ?, pinned = ?, draft = ?, queue = ?,"
        " endpoint = ?, model = ?, settings = ?, source = ? WHERE id = ?",
        (
            well_formed(form.title),
            int(form.titled),
            None if form.titling is None else str(form.titling),
            time.time() if updated is None else updated,
            int(form.pinned),
            well_formed(form.draft),
            nodes.encode(form.queue),
            form.endpoint,
            form.model,
            nodes.encode(form.settings),
            None if form.source is msgspec.UNSET else form.source,
            row,
        ),
    )


def _put_nodes(c: sqlite3.Connection, row: int, uid: str, tree: Conversation) -> int:
    """Add the turns that are not there yet; how many."""
    names: dict[str | None, str | None] = {None: None}
    open_below: set[str | None] = set() if _has_turns(c, row) else {None}
    chosen: list[tuple[str]] = []
    new = 0
    for node in tree.nodes.values():
        name, there = _name_here(c, row, uid, node.id)
        names[node.id] = name
        if there:
            if not _has_children(c, name):
                open_below.add(node.id)
            continue
        open_below.add(node.id)
        _put_node(c, row, replace(node, id=name, parent=names[node.parent]))
        new += 1
        if node.parent in open_below and tree.chosen.get(node.parent) == node.id:
            chosen.append((name,))
    c.executemany("UPDATE nodes SET in_chat = 1 WHERE uid = ?", chosen)
    return new


def _put_lanes(c: sqlite3.Connection, row: int, form: ConversationForm) -> None:
    """Add the lanes and the votes that are not there yet."""
    for place, lane in enumerate(form.lanes or ()):
        head = None if lane.head is None else _name_here(c, row, form.id, lane.head)[0]
        lanes.put_lane(c, row, place, msgspec.structs.replace(lane, head=head), new=True)
    for vote in form.votes or ():
        lanes.put_vote(c, row, vote, new=True)


def _put_node(c: sqlite3.Connection, row: int, node: Node) -> None:
    at = nodes.insert(c, row, node)
    for run in node.runs:
        nodes.begin(c, at, run, None)
    if node.result is not None:
        nodes.finish(c, node)
    nodes.index(c, at)


def _name_here(c: sqlite3.Connection, row: int, uid: str, node: str) -> tuple[str, bool]:
    """The name of a turn in this store, and whether it is there; names that another conversation has are made anew."""
    found = c.execute("SELECT conversation FROM nodes WHERE uid = ?", (node,)).fetchone()
    if found is None or found[0] == row:
        return node, found is not None
    name = id_for(f"{uid}/{node}")
    return name, nodes.row_of(c, name) is not None


def _has_turns(c: sqlite3.Connection, row: int) -> bool:
    return c.execute("SELECT 1 FROM nodes WHERE conversation = ?", (row,)).fetchone() is not None


def _has_children(c: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM nodes WHERE parent = (SELECT id FROM nodes WHERE uid = ?)"
    return c.execute(query, (name,)).fetchone() is not None
