"""Turns as rows: written, read and put into the index of the search. Every function works on an open connection."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tui_chat.domain.conversation import Conversation, Node
from tui_chat.domain.folding import facet, fold
from tui_chat.wire.forms import AttemptForm, ResultForm, SettingsForm, runs_of
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from tui_chat.domain.attempts import RunRecord

MICROSECONDS = 1_000_000
MAX_ID = 2**62

_json = msgspec.json.Encoder(decimal_format="number")
_result = msgspec.json.Decoder(ResultForm)
_attempt = msgspec.json.Decoder(AttemptForm)

STATE = 8
COLUMNS = "n.uid, p.uid, n.role, n.text, n.reasoning, n.endpoint, n.model, n.created, n.state, n.result, n.in_chat"


def conversation_row(connection: sqlite3.Connection, uid: str, created: float | None = None) -> int:
    """The row of a conversation, made where there is none."""
    row = connection.execute("SELECT id FROM conversations WHERE uid = ?", (uid,)).fetchone()
    if row is not None:
        return row[0]
    at = time.time() if created is None else created
    made = connection.execute("INSERT INTO conversations (uid, created, updated) VALUES (?, ?, ?)", (uid, at, at))
    return made.lastrowid or 0


def insert(connection: sqlite3.Connection, conversation: int, node: Node) -> int:
    """Add a node, unless it is there already; the id of its row. Who is in chat stays as it is."""
    found = row_of(connection, node.id)
    if found is not None:
        return found
    row = _free_id(connection, node.created)
    connection.execute(
        "INSERT INTO nodes (id, uid, conversation, parent, role, text, reasoning, created, endpoint, model)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row,
            node.id,
            conversation,
            None if node.parent is None else row_of(connection, node.parent),
            node.role,
            well_formed(node.text),
            well_formed(node.reasoning),
            node.created,
            node.endpoint,
            node.model,
        ),
    )
    return row


def finish(connection: sqlite3.Connection, node: Node) -> None:
    """Write how a reply ended, with its text and with the tries that are not there yet."""
    row = row_of(connection, node.id)
    if row is None or node.result is None:
        return
    unindex(connection, row)
    form = ResultForm.of(node.result)
    usd = node.result.cost.usd
    connection.execute(
        "UPDATE nodes SET text = ?, reasoning = ?, endpoint = ?, model = ?, state = ?, cost = ?, result = ?"
        " WHERE id = ?",
        (
            well_formed(node.text),
            well_formed(node.reasoning),
            node.endpoint,
            node.model,
            # What nobody has to decide about any more counts as ended by the user.
            "cancelled" if form.kept else form.state,
            None if usd is None else str(usd),
            encode(form),
            row,
        ),
    )
    add_attempts(connection, row, node.runs)
    index(connection, row)


def begin(connection: sqlite3.Connection, row: int, run: RunRecord, owner: str | None) -> None:
    """Note a run for the reply in this row; `owner` is the instance in which it is under way."""
    connection.execute(
        "INSERT OR IGNORE INTO runs (uid, node, owner, began, endpoint, dialect, model, settings)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.id,
            row,
            owner,
            run.began,
            run.endpoint,
            run.dialect,
            run.model,
            encode(SettingsForm.of(run.settings)),
        ),
    )


def add_attempts(connection: sqlite3.Connection, row: int, runs: Iterable[RunRecord]) -> None:
    """Write the tries of the runs of which none is there yet."""
    there = {run for (run,) in connection.execute("SELECT DISTINCT run FROM attempts WHERE node = ?", (row,))}
    connection.executemany(
        "INSERT INTO attempts (node, run, form) VALUES (?, ?, ?)",
        [(row, form.run, encode(form)) for form in AttemptForm.all_of(runs) if form.run not in there],
    )


def index(connection: sqlite3.Connection, row: int) -> None:
    """Make a node findable, unless it is."""
    if connection.execute("SELECT indexed FROM nodes WHERE id = ?", (row,)).fetchone() == (1,):
        return
    words, facets = _indexed(connection, row)
    connection.execute("INSERT INTO search (rowid, words, facets) VALUES (?, ?, ?)", (row, words, facets))
    connection.execute("UPDATE nodes SET indexed = 1 WHERE id = ?", (row,))


def unindex(connection: sqlite3.Connection, row: int) -> None:
    """Take a node out of the index; to be done before its text changes."""
    (there,) = connection.execute("SELECT indexed FROM nodes WHERE id = ?", (row,)).fetchone()
    if there:
        words, facets = _indexed(connection, row)
        connection.execute(
            "INSERT INTO search (search, rowid, words, facets) VALUES ('delete', ?, ?, ?)", (row, words, facets)
        )
        connection.execute("UPDATE nodes SET indexed = 0 WHERE id = ?", (row,))


def _indexed(connection: sqlite3.Connection, row: int) -> tuple[str, str]:
    text, reasoning, role, endpoint, model, state = connection.execute(
        "SELECT text, reasoning, role, endpoint, model, state FROM nodes WHERE id = ?", (row,)
    ).fetchone()
    facets = [facet("role", role)]
    facets += [facet("endpoint", endpoint)] if endpoint else []
    facets += [facet("model", model)] if model else []
    facets += [facet("error", "yes")] if state == "failed" else []
    return fold(f"{text}\n{reasoning}"), " ".join(facets)


def select(connection: sqlite3.Connection, path: Iterable[str], head: str | None) -> None:
    """Put a path in chat, from its first turn to `head`, under which nothing is."""
    for uid in path:
        connection.execute(
            "UPDATE nodes SET in_chat = (uid = ?1) WHERE conversation = (SELECT conversation FROM nodes WHERE uid = ?1)"
            " AND parent IS (SELECT parent FROM nodes WHERE uid = ?1)",
            (uid,),
        )
    if head is not None:
        connection.execute("UPDATE nodes SET in_chat = 0 WHERE parent = (SELECT id FROM nodes WHERE uid = ?)", (head,))


def load(connection: sqlite3.Connection, conversation: int) -> Conversation:
    """The whole tree; replies under way, here or elsewhere, have no result. Tries are not read: see `with_runs`."""
    tree = Conversation()
    query = f"SELECT {COLUMNS} FROM nodes n LEFT JOIN nodes p ON p.id = n.parent WHERE n.conversation = ? ORDER BY n.id"
    late: list[tuple[Node, bool]] = []
    for row in connection.execute(query, (conversation,)):
        node, in_chat = _node(row), bool(row[-1])
        if row[STATE] is None:
            node = replace(node, result=None)
        if node.parent is not None and node.parent not in tree.nodes:
            late.append((node, in_chat))
            continue
        _graft(tree, node, in_chat=in_chat)
    _graft_late(tree, late)
    at: str | None = None
    while at in tree.chosen:
        at = tree.chosen[at]
    tree.head = at
    return tree


def _graft_late(tree: Conversation, late: list[tuple[Node, bool]]) -> None:
    """Put in the nodes that were made before their parents, as a clock set back has it."""
    while late:
        ready = [(node, in_chat) for node, in_chat in late if node.parent in tree.nodes]
        if not ready:
            return
        for node, in_chat in ready:
            _graft(tree, node, in_chat=in_chat)
        late = [(node, in_chat) for node, in_chat in late if node.id not in tree.nodes]


def _graft(tree: Conversation, node: Node, *, in_chat: bool) -> None:
    tree.graft(node)
    if in_chat:
        tree.chosen[node.parent] = node.id


def _node(row: tuple[Any, ...]) -> Node:
    uid, parent, role, text, reasoning, endpoint, model, created, _, result, _ = row
    return Node(
        id=uid,
        parent=parent,
        role=role,
        text=text,
        reasoning=reasoning,
        endpoint=endpoint,
        model=model,
        created=created,
        result=None if result is None else _result.decode(result).result(),
    )


def runs(connection: sqlite3.Connection, conversation: int) -> dict[str, tuple[RunRecord, ...]]:
    """The tries of all replies of a conversation, by the names of the replies."""
    query = "SELECT n.uid, a.form FROM attempts a JOIN nodes n ON n.id = a.node WHERE n.conversation = ? ORDER BY a.id"
    found: dict[str, list[AttemptForm]] = {}
    for uid, form in connection.execute(query, (conversation,)):
        found.setdefault(uid, []).append(_attempt.decode(form))
    return {uid: runs_of(forms) for uid, forms in found.items()}


def row_of(connection: sqlite3.Connection, uid: str) -> int | None:
    row = connection.execute("SELECT id FROM nodes WHERE uid = ?", (uid,)).fetchone()
    return None if row is None else row[0]


def summarise(connection: sqlite3.Connection, conversation: int) -> None:
    """Bring what a list of conversations shows up to date: turns, models, cost and state."""
    turns, costs, models, state = 0, list[str](), dict[str, None](), None
    query = "SELECT state, cost, model FROM nodes WHERE conversation = ?"
    undecided = False
    for node_state, cost, model in connection.execute(query, (conversation,)):
        turns += 1
        costs += [cost] if cost is not None else []
        if model:
            models[model] = None
        undecided = undecided or node_state == "interrupted"
    newest = connection.execute(
        "SELECT state FROM nodes WHERE conversation = ? AND role = 'assistant' ORDER BY id DESC LIMIT 1",
        (conversation,),
    ).fetchone()
    state = "interrupted" if undecided else newest[0] if newest else None
    asked = connection.execute("SELECT titling FROM conversations WHERE id = ?", (conversation,)).fetchone()[0]
    costs += [asked] if asked is not None else []
    total = str(sum(map(Decimal, costs))) if costs else None
    connection.execute(
        "UPDATE conversations SET turns = ?, models = ?, cost = ?, state = ? WHERE id = ?",
        (turns, encode(list(models)), total, state, conversation),
    )


def encode(value: object) -> str:
    return _json.encode(value).decode()


def _free_id(connection: sqlite3.Connection, created: float) -> int:
    row = max(1, min(round(created * MICROSECONDS), MAX_ID))
    while connection.execute("SELECT 1 FROM nodes WHERE id = ?", (row,)).fetchone():
        row += 1
    return row


def uids(connection: sqlite3.Connection, query: str, *values: object) -> Iterator[str]:
    """The first column of a query, as texts."""
    for uid, *_ in connection.execute(query, values):
        yield uid


def node_at(connection: sqlite3.Connection, row: int) -> Node:
    """The node in a row that is there."""
    query = f"SELECT {COLUMNS} FROM nodes n LEFT JOIN nodes p ON p.id = n.parent WHERE n.id = ?"
    return _node(connection.execute(query, (row,)).fetchone())
