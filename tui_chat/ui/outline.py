"""A conversation's tree as lines: a run of turns goes straight down, and only what branches off it is indented.

At a fork the version in chat, or else the newest, goes on below in the same column; the others stand before it, each
with all that follows from it, one step to the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Conversation

FIRST, FORK, PASSING = "┌─", "├─", "│ "


class Line(Struct, frozen=True):
    node: str
    guides: str
    """Box-drawing characters that lead to it, two columns a step."""
    in_chat: bool


def outline(tree: Conversation) -> list[Line]:
    """A line for each turn, whatever the shape and depth of the tree."""
    in_chat = {node.id for node in tree.path()}
    lines: list[Line] = []
    waiting: list[tuple[str, str, str]] = _family(tree, None, "")
    while waiting:
        node, guides, below = waiting.pop()
        if not lines:
            guides = guides.replace(FORK, FIRST)
        lines.append(Line(node, guides, node in in_chat))
        waiting += _family(tree, node, below)
    return lines


def _family(tree: Conversation, parent: str | None, guides: str) -> list[tuple[str, str, str]]:
    """(turn, what leads to it, what leads on below it) of the children, the last one first."""
    children = tree.children.get(parent, [])
    if not children:
        return []
    straight = tree.chosen.get(parent, children[-1])
    aside = [(child, guides + FORK, guides + PASSING) for child in reversed(children) if child != straight]
    return [(straight, guides, guides), *aside]
