"""Turns as rows: written, read and put into the index of the search. Every function works on an open connection."""

from __future__ import annotations

import time
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import replace

from tui_chat.domain.conversation import Conversation, Node
from tui_chat.domain.pricing import CostSource
from tui_chat.wire.forms import AttemptForm, ResultForm, SettingsForm, runs_of
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from tui_chat.domain.attempts import RunRecord
    from tui_chat.wire.forms import State

MAX_ID = 2**62

_json = msgspec.json.Encoder(decimal_format="number")
_result = msgspec.json.Decoder(ResultForm)
_attempt = msgspec.json.Decoder(AttemptForm)

PER_SECOND = 10
"""Rows of a second: with so few the index of the search takes a third less room than with one for each microsecond."""
NEAR = 100
"""How far the next free row is looked for one by one."""
CROWD = 10_000
"""Rows of one crowd, behind which there is a free one."""
COLUMNS = "uid, role, text, reasoning, endpoint, model, created, state, result"


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
            _row_in(connection, conversation, node.parent),
            node.role,
            well_formed(node.text),
            well_formed(node.reasoning),
            node.created,
            well_formed(node.endpoint),
            well_formed(node.model),
        ),
    )
    return row


def insert_path(connection: sqlite3.Connection, conversation: int, path: Sequence[Node]) -> int:
    """Add what is missing of a path, which is its end alone unless something was lost; the row of its last node."""
    missing = len(path)
    while missing and row_of(connection, path[missing - 1].id) is None:
        missing -= 1
    for node in path[missing:]:
        row = insert(connection, conversation, node)
        if node.result is not None:
            finish(connection, node)
        elif node.role == "user":
            index(connection, row)
    found = row_of(connection, path[-1].id)
    assert found is not None
    return found


def finish(connection: sqlite3.Connection, node: Node) -> None:
    """Write how a reply ended, with its text and with the tries that are not there yet."""
    row = row_of(connection, node.id)
    if row is None or node.result is None:
        return
    unindex(connection, row)
    form = ResultForm.of(node.result)
    usd = node.result.cost.usd
    connection.execute(
        "UPDATE nodes SET text = ?, reasoning = ?, endpoint = ?, model = ?, state = ?, cost = ?, estimated = ?,"
        " result = ? WHERE id = ?",
        (
            well_formed(node.text),
            well_formed(node.reasoning),
            well_formed(node.endpoint),
            well_formed(node.model),
            # What nobody has to decide about any more counts as ended by the user.
            "cancelled" if form.kept else form.state,
            None if usd is None else str(usd),
            node.result.cost.source is CostSource.ESTIMATED,
            encode(form),
            row,
        ),
    )
    add_attempts(connection, row, node.runs)
    index(connection, row)


def begin(connection: sqlite3.Connection, row: int, run: RunRecord, owner: str | None) -> None:
    """Note a run for the reply in this row; `owner` is the instance in which it is under way."""
    connection.execute(
        "INSERT OR IGNORE INTO runs (uid, node, owner, began, endpoint, dialect, model, settings, lane, repeat)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.id,
            row,
            owner,
            run.began,
            well_formed(run.endpoint),
            run.dialect,
            well_formed(run.model),
            encode(SettingsForm.of(run.settings)),
            run.lane,
            run.repeat,
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
    # Its patterns take longer to be made than a start has.
    from tui_chat.domain.folding import facet, indexed

    facets = [facet("role", role)]
    facets += [facet("endpoint", endpoint)] if endpoint else []
    facets += [facet("model", model)] if model else []
    facets += [facet("error", "yes")] if state == "failed" else []
    return indexed(f"{text}\n{reasoning}"), " ".join(facets)


def select(connection: sqlite3.Connection, conversation: int, path: Sequence[str], *, ends: bool = False) -> None:
    """Put a path in chat, from its first turn on; `ends`: nothing below it is."""
    # Most of a path is in chat already; a row that is not written costs nothing, however long its text is.
    wanted = "SELECT n.id, n.parent FROM json_each(?) p JOIN nodes n ON n.uid = p.value WHERE n.in_chat = 0"
    for row, parent in connection.execute(wanted, (encode(list(path)),)).fetchall():
        _take_out(connection, conversation, parent)
        connection.execute("UPDATE nodes SET in_chat = 1 WHERE id = ?", (row,))
    if ends:
        _take_out(connection, conversation, row_of(connection, path[-1]) if path else None)


def _take_out(connection: sqlite3.Connection, conversation: int, parent: int | None) -> None:
    """Have no child of `parent` in chat."""
    if parent is None:
        # The plus keeps the first turns of all other conversations out of it.
        where, value = "conversation = ? AND +parent IS NULL", conversation
    else:
        where, value = "parent = ?", parent
    connection.execute(f"UPDATE nodes SET in_chat = 0 WHERE {where} AND in_chat = 1", (value,))


def load(connection: sqlite3.Connection, conversation: int) -> Conversation:
    """The whole tree; replies under way, here or elsewhere, have no result. Tries are not read: see `runs`."""
    tree = Conversation()
    names: dict[int | None, str] = {}
    late: list[tuple[int, Node, bool]] = []
    query = f"SELECT id, parent, in_chat, {COLUMNS} FROM nodes WHERE conversation = ? ORDER BY id"
    for row, parent, in_chat, *values in connection.execute(query, (conversation,)):
        node = _node(names.get(parent), values)
        names[row] = node.id
        if parent is None or node.parent in tree.nodes:
            _graft(tree, node, in_chat=in_chat)
        else:
            late.append((parent, node, in_chat))
    _graft_late(tree, [(replace(node, parent=names.get(parent)), in_chat) for parent, node, in_chat in late])
    at: str | None = None
    while at in tree.chosen:
        at = tree.chosen[at]
    tree.head = at
    return tree


def _graft_late(tree: Conversation, late: list[tuple[Node, bool]]) -> None:
    """Put in the nodes that were made before their parents, as a clock set back has it."""
    while late:
        ready = [(node, in_chat) for node, in_chat in late if node.parent in tree.nodes]
        for node, in_chat in ready:
            _graft(tree, node, in_chat=in_chat)
        if not ready:
            # A parent that is lost: the turn is shown as a beginning.
            _graft(tree, replace(late[0][0], parent=None), in_chat=False)
        late = [(node, in_chat) for node, in_chat in late if node.id not in tree.nodes]


def _graft(tree: Conversation, node: Node, *, in_chat: bool) -> None:
    tree.graft(node)
    if in_chat:
        tree.chosen[node.parent] = node.id


def _node(parent: str | None, values: Sequence[Any]) -> Node:
    """The node of the columns that COLUMNS names."""
    uid, role, text, reasoning, endpoint, model, created, state, result = values
    return Node(
        id=uid,
        parent=parent,
        role=role,
        text=text,
        reasoning=reasoning,
        endpoint=endpoint,
        model=model,
        created=created,
        result=None if state is None or result is None else _decoded(result, state).result(),
    )


def _decoded(result: str, state: str) -> ResultForm:
    """How a reply ended; where that was damaged, the state alone."""
    try:
        return _result.decode(result)
    except msgspec.MsgspecError:
        return ResultForm(state=cast("State", state))


def runs(connection: sqlite3.Connection, conversation: int) -> dict[str, tuple[RunRecord, ...]]:
    """The tries of all replies of a conversation, by the names of the replies."""
    query = "SELECT n.uid, a.form FROM attempts a JOIN nodes n ON n.id = a.node WHERE n.conversation = ? ORDER BY a.id"
    found: dict[str, list[AttemptForm]] = {}
    for uid, form in connection.execute(query, (conversation,)):
        with suppress(msgspec.MsgspecError):
            found.setdefault(uid, []).append(_attempt.decode(form))
    return {uid: runs_of(forms) for uid, forms in found.items()}


def row_of(connection: sqlite3.Connection, uid: str) -> int | None:
    row = connection.execute("SELECT id FROM nodes WHERE uid = ?", (uid,)).fetchone()
    return None if row is None else row[0]


def _row_in(connection: sqlite3.Connection, conversation: int, uid: str | None) -> int | None:
    """The row of a node of this conversation."""
    query = "SELECT id FROM nodes WHERE uid = ? AND conversation = ?"
    row = connection.execute(query, (uid, conversation)).fetchone()
    return None if row is None else row[0]


def summarise(connection: sqlite3.Connection, conversation: int) -> None:
    """Bring what a list of conversations shows up to date: turns, models, cost and state."""
    query = "SELECT id, role, state, cost, estimated, model FROM nodes WHERE conversation = ?"
    rows = sorted(connection.execute(query, (conversation,)))
    models = list({model: None for *_, model in rows if model})
    costs = [Decimal(cost) for *_, cost, _, _ in rows if cost is not None]
    estimated = any(estimate for *_, cost, estimate, _ in rows if cost is not None)
    asked = connection.execute("SELECT titling FROM conversations WHERE id = ?", (conversation,)).fetchone()[0]
    costs += [Decimal(asked)] if asked is not None else []
    states = [state for _, role, state, *_ in rows if role == "assistant"]
    state = "interrupted" if "interrupted" in states else states[-1] if states else None
    connection.execute(
        "UPDATE conversations SET turns = ?, models = ?, cost = ?, estimated = ?, state = ? WHERE id = ?",
        (len(rows), encode(models), str(sum(costs)) if costs else None, estimated, state, conversation),
    )


def uncount(connection: sqlite3.Connection, uid: str) -> None:
    """Take what a conversation's turns cost out of its sum: it is counted where they come from."""
    row = conversation_row(connection, uid)
    connection.execute("UPDATE nodes SET cost = NULL WHERE conversation = ?", (row,))
    summarise(connection, row)


def encode(value: object) -> str:
    """`value` as JSON that every file and database takes."""
    try:
        return _json.encode(value).decode()
    except UnicodeEncodeError:
        return _json.encode(_well_formed(msgspec.to_builtins(value, builtin_types=(Decimal,)))).decode()


def _well_formed(value: object) -> object:
    match value:
        case str():
            return well_formed(value)
        case dict():
            return {well_formed(str(k)): _well_formed(v) for k, v in cast("dict[object, object]", value).items()}
        case list() | tuple():
            return [_well_formed(item) for item in cast("list[object]", value)]
        case _:
            return value


def _free_id(connection: sqlite3.Connection, created: float) -> int:
    """The row of that time, or the next free one; where many are of the same time, one behind the crowd."""
    row = max(1, min(row_at(created), MAX_ID))
    if connection.execute("SELECT 1 FROM nodes WHERE id = ?", (row,)).fetchone() is None:
        return row
    near = (
        "SELECT min(n.id) + 1 FROM nodes n WHERE n.id BETWEEN ? AND ?"
        " AND NOT EXISTS (SELECT 1 FROM nodes m WHERE m.id = n.id + 1)"
    )
    gap = connection.execute(near, (row, row + NEAR)).fetchone()[0]
    if gap is not None:
        return gap
    taken = "SELECT max(id) FROM nodes WHERE id BETWEEN ? AND ?"
    while (last := connection.execute(taken, (row, row + CROWD)).fetchone()[0]) is not None:
        row = last + 1
    return row


def row_at(time: float) -> int:
    """The first row of a time in epoch seconds."""
    return round(time * PER_SECOND)


def uids(connection: sqlite3.Connection, query: str, *values: object) -> Iterator[str]:
    """The first column of a query, as texts."""
    for uid, *_ in connection.execute(query, values):
        yield uid


def node_at(connection: sqlite3.Connection, row: int) -> Node:
    """The node in a row that is there; of a reply under way also how it had ended before."""
    query = f"SELECT (SELECT uid FROM nodes p WHERE p.id = n.parent), {COLUMNS} FROM nodes n WHERE n.id = ?"
    parent, *values, state, result = connection.execute(query, (row,)).fetchone()
    return _node(parent, [*values, state or "interrupted", result])
