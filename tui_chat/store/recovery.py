"""Runs whose program is gone: what had come of them becomes their turn's text, and the turn is interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.attempts import AttemptRecord, RunRecord
from tui_chat.domain.budget import NOTHING
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Usage
from tui_chat.domain.meter import Meter, added
from tui_chat.domain.pricing import CostSource, cost, total
from tui_chat.domain.tokens import count, tokens_of
from tui_chat.store import nodes
from tui_chat.store.ledger import book
from tui_chat.wire.forms import ResultForm, settings_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from tui_chat.domain.conversation import Node
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Price
    from tui_chat.store.instances import Instance

    PriceOf = Callable[[str, str], Price | None]


class _Left(Struct, frozen=True):
    """A run that was left behind."""

    run: RunRecord
    row: int
    conversation: int


def recover(connection: sqlite3.Connection, instance: Instance, price_of: PriceOf) -> list[str]:
    """Close every run whose program is gone; the conversations that wait for a decision and are open nowhere.

    A run of a program that is at work is left alone. What a run had used is estimated.
    """
    owners = [owner for (owner,) in connection.execute("SELECT DISTINCT owner FROM runs WHERE owner IS NOT NULL")]
    gone = [owner for owner in owners if not instance.alive(owner)]
    touched: dict[int, None] = {}
    for owner in gone:
        for left in _left_by(connection, owner):
            _close(connection, left, price_of)
            touched[left.conversation] = None
    for conversation in touched:
        nodes.summarise(connection, conversation)
    instance.sweep()
    holders = [name for (name,) in connection.execute("SELECT DISTINCT instance FROM openings")]
    dead = [(name,) for name in holders if not instance.alive(name)]
    connection.executemany("DELETE FROM openings WHERE instance = ?", dead)
    return list(nodes.uids(connection, INTERRUPTED))


INTERRUPTED = (
    "SELECT uid FROM conversations WHERE state = 'interrupted' AND deleted IS NULL"
    " AND id NOT IN (SELECT conversation FROM openings) ORDER BY updated DESC LIMIT 100"
)


def _left_by(connection: sqlite3.Connection, owner: str) -> list[_Left]:
    query = (
        "SELECT r.uid, r.endpoint, r.dialect, r.model, r.settings, r.began, r.lane, r.repeat, r.node, n.conversation"
        " FROM runs r JOIN nodes n ON n.id = r.node WHERE r.owner = ?"
    )
    return [
        _Left(
            RunRecord(uid, endpoint, dialect, model, settings_of(settings), began, (), lane, repeat), row, conversation
        )
        for uid, endpoint, dialect, model, settings, began, lane, repeat, row, conversation in connection.execute(
            query, (owner,)
        )
    ]


def _close(connection: sqlite3.Connection, left: _Left, price_of: PriceOf) -> None:
    node = nodes.node_at(connection, left.row)
    seams: list[int] = list(node.result.seams) if node.result is not None else []
    text, reasoning = node.text, node.reasoning
    pieces = "SELECT seam, text, reasoning FROM pieces WHERE run = ? ORDER BY seq"
    for seam, more, thought in connection.execute(pieces, (left.run.id,)):
        if seam:
            seams.append(len(text))
        text, reasoning = text + more, reasoning + thought
    now = replace(node, text=text, reasoning=reasoning)
    prompt = _prompt(connection, left.row) + count(left.run.settings.system or "")
    ended = _interrupted(now, node, left, tuple(seams), prompt, price_of)
    nodes.finish(connection, ended)
    for attempt in ended.runs[-1].attempts:
        estimated = attempt.cost.source is CostSource.ESTIMATED
        book(connection, left.run.began, attempt.cost.usd or NOTHING, estimated=estimated)
    connection.execute("UPDATE runs SET owner = NULL WHERE uid = ?", (left.run.id,))
    connection.execute("DELETE FROM pieces WHERE run = ?", (left.run.id,))


def _interrupted(
    now: Node, before: Node, left: _Left, seams: tuple[int, ...], prompt: float, price_of: PriceOf
) -> Node:
    """The turn with a result that says what is known: how much came, and what that is estimated to cost."""
    came = count(now.text[len(before.text) :]) + count(now.reasoning[len(before.reasoning) :])
    usage = Usage(input=round(prompt), output=round(came)) if came else Usage()
    stats = replace(_no_figures(), usage=usage, attempts=1)
    spent = cost(usage, price_of(left.run.endpoint, left.run.model), exact=False, at=left.run.began)
    attempt = AttemptRecord(1, 0, 0.0, Phase.INTERRUPTED, stats, spent)
    result = ResultForm(state="interrupted", seams=seams).result()
    if before.result is not None:
        earlier = before.result
        stats = replace(earlier.stats, usage=added(earlier.stats.usage, usage), exact=False)
        result = replace(result, place=earlier.place, skipped=earlier.skipped)
        spent = total((earlier.cost, spent))
    result = replace(result, stats=stats, cost=spent)
    return replace(now, result=result, runs=(replace(left.run, attempts=(attempt,)),))


def _no_figures() -> Stats:
    return Meter().stats(0.0)


def _prompt(connection: sqlite3.Connection, row: int) -> float:
    """The tokens of the turns above a reply, by an estimate."""
    query = (
        "WITH RECURSIVE up(id) AS (SELECT parent FROM nodes WHERE id = ? UNION ALL"
        " SELECT n.parent FROM nodes n JOIN up ON n.id = up.id WHERE n.parent IS NOT NULL)"
        " SELECT text FROM nodes WHERE id IN up"
    )
    return sum(tokens_of(text) for (text,) in connection.execute(query, (row,)))
