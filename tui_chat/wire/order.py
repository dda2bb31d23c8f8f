"""A conversation put in order: its turns parents first, a time for each, and a path in chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.wire.forms import AttemptForm, ConversationForm, NodeForm

END_OF_TIME = 253402300800.0
"""The year 10000, which no calendar here knows."""
MICROSECOND = 1e-6


class Damaged(ValueError):
    """What is wrong with one conversation of a file."""


def parents_first(nodes: list[NodeForm]) -> list[NodeForm]:
    """The turns, parents first, otherwise in their order. Raises Damaged."""
    seen: set[str] = set()
    for node in nodes:
        if node.id in seen:
            raise Damaged(say("import.twice", id=node.id))
        seen.add(node.id)
    for node in nodes:
        if node.parent is not None and node.parent not in seen:
            raise Damaged(say("import.no_parent", id=visible_line(node.parent, 40)))
    return nodes if _are(nodes) else _sorted(nodes)


def _are(nodes: list[NodeForm]) -> bool:
    placed: set[str | None] = {None}
    for node in nodes:
        if node.parent not in placed:
            return False
        placed.add(node.id)
    return True


def _sorted(nodes: list[NodeForm]) -> list[NodeForm]:
    below: dict[str | None, list[NodeForm]] = {}
    for node in nodes:
        below.setdefault(node.parent, []).append(node)
    ordered = list(below.get(None, []))
    for node in ordered:
        # The list grows while it is walked.
        ordered += below.get(node.id, [])
    if len(ordered) < len(nodes):
        raise Damaged(say("import.circle"))
    return ordered


def newest_in_chat(form: ConversationForm) -> ConversationForm:
    """Put what was said last below every turn in chat, and the newest turn where the form names no path."""
    newest: dict[str, tuple[float, int]] = {}
    best: dict[str | None, NodeForm] = {}
    for place, node in reversed(list(enumerate(form.nodes))):
        age = max((node.created or 0.0, place), newest.get(node.id, (0.0, -1)))
        newest[node.id] = age
        if node.parent is not None:
            newest[node.parent] = max(age, newest.get(node.parent, (0.0, -1)))
        if node.parent not in best or age > newest[best[node.parent].id]:
            best[node.parent] = node
    chosen = {node.id for node in best.values()}
    nodes = [msgspec.structs.replace(node, in_chat=node.id in chosen) for node in form.nodes]
    return msgspec.structs.replace(form, nodes=nodes, in_chat=form.in_chat or _path(best))


def _path(best: Mapping[str | None, NodeForm]) -> list[str]:
    path: list[str] = []
    at: str | None = None
    while at in best:
        at = best[at].id
        path.append(at)
    return path


def dated(form: ConversationForm, now: float) -> ConversationForm:
    """Give everything without a sensible time one: a turn a microsecond after the turn before it."""
    times = [_time(form.created), *(_time(node.created) for node in form.nodes), now]
    last = created = next(at for at in times if at is not None)
    nodes: list[NodeForm] = []
    for node in form.nodes:
        at = _time(node.created)
        last = last + MICROSECOND if at is None else at
        tries = [_dated_try(attempt, node, last) for attempt in node.attempts]
        nodes.append(msgspec.structs.replace(node, created=last, attempts=tries))
    updated = _time(form.updated)
    if updated is None:
        updated = max([created, *(node.created or 0.0 for node in nodes)])
    return msgspec.structs.replace(form, nodes=nodes, created=created, updated=updated)


def _dated_try(attempt: AttemptForm, node: NodeForm, at: float) -> AttemptForm:
    """The try with a run and its beginning."""
    began = _time(attempt.began)
    return msgspec.structs.replace(attempt, run=attempt.run or node.id, began=at if began is None else began)


def _time(value: float | None) -> float | None:
    return value if value is not None and 0 <= value < END_OF_TIME else None
