"""What a document tells of a conversation beside its text: models, usage, cost, how its replies ended."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

import msgspec

from tui_chat.domain import figures, pricing
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Usage
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.meter import added
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Conversation, Node, Result
    from tui_chat.domain.pricing import Cost
    from tui_chat.wire.forms import ConversationForm

AFTER = 24
"""Characters of text that name the place of a seam."""


def stamp(at: float | None) -> str | None:
    """`2025-01-02T03:04:05Z`; None where no time is known."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def title(form: ConversationForm) -> str:
    return visible_line(form.title) or say("export.untitled")


def models(tree: Conversation) -> list[str]:
    """Every model that answered, in the order of their first answers."""
    return list(dict.fromkeys(node.model for node in tree.nodes.values() if node.model))


def settings(form: ConversationForm) -> dict[str, Any]:
    """Those of the newest question."""
    return msgspec.to_builtins(form.settings)


def usage(tree: Conversation) -> dict[str, int]:
    """Tokens of all replies, of those out of chat too, as far as they are known."""
    total = reduce(added, (result.stats.usage for result in _results(tree)), Usage())
    counts = {name: getattr(total, name) for name in ("input", "cached", "cache_write", "reasoning", "output")}
    return {name: count for name, count in counts.items() if count is not None}


def cost(tree: Conversation) -> Cost:
    """What all replies cost, those out of chat too."""
    return pricing.total(result.cost for result in _results(tree))


def heading(tree: Conversation, node: Node) -> str:
    """`You · 2025-01-02 03:04 UTC · version 2/3`; a reply is headed by its model."""
    place, count = tree.siblings(node.id)
    who = say("turn.you") if node.role == "user" else visible_line(node.model) or node.role
    when = (stamp(node.created) or "").replace("T", " ")[:16]
    parts = [who, f"{when} UTC" if when else "", say("turn.version", place=place, count=count) if count > 1 else ""]
    return " · ".join(part for part in parts if part)


def figures_line(result: Result) -> str:
    """`3.2 s · 412 tokens · $0.0012`, as far as it is known."""
    output, exact = result.stats.usage.output, result.stats.exact
    parts = [
        figures.seconds(result.stats.elapsed_s) if result.stats.elapsed_s else "",
        figures.in_tokens(output, exact=exact) if output else "",
        figures.money(result.cost) if result.cost.usd is not None else "",
    ]
    return " · ".join(part for part in parts if part)


def marks(node: Node) -> list[str]:
    """A line for each thing about a reply that its text does not say: seams, and an end that was not the usual."""
    result = node.result
    if result is None:
        return []
    seams = (visible_line(node.text[max(0, seam - AFTER) : max(0, seam)]) for seam in result.seams)
    lines = [say("turn.seam", after=after) for after in seams]
    match result.phase:
        case Phase.FAILED:
            lines.append(say("turn.failed", message=visible_line(result.failure.line if result.failure else "")))
        case Phase.CANCELLED:
            lines.append(say("export.cancelled"))
        case Phase.INTERRUPTED:
            lines.append(say("export.interrupted"))
        case _ if result.finish_reason == "length":
            lines.append(say("export.length"))
        case _ if result.finish_reason not in ("stop", None):
            lines.append(say("turn.stopped", reason=visible_line(result.finish_reason or "", 40)))
        case _:
            pass
    return lines + ([say("turn.skipped", count=result.skipped)] if result.skipped else [])


def _results(tree: Conversation) -> list[Result]:
    return [node.result for node in tree.nodes.values() if node.result is not None]
