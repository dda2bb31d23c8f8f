"""What is left of a block of which rows have been given out already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tui_chat.ui.rows.lines import LONGEST, unglued

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.segment import Segment

    from tui_chat.ui.rows.parsing import Node
    from tui_chat.ui.rows.runs import Runs

ANCHOR = "___"
"""Stands in the place of an item's content that was given out: a rule, which no line below it can change."""

PIECE = LONGEST // 2
"""Characters from which a paragraph's lines are drawn by themselves, what follows them not looked at."""


class Open(Struct):
    """A block that is not finished: what of it has been given out, and how its rest can be read.

    A path of them leads from the document to the innermost; each stands for the first block of what is left.
    """

    kind: str
    drawn: bool = False
    """True once a row of it has been given out."""
    gap: bool = False
    """An empty line of the source stands before what is left."""
    lead: str = ""
    """What stands before the content of an item, on the item's first line."""
    number: int = -1
    """Of the next item of a list; -1 where items have none."""
    opener: tuple[str, ...] = ()
    """Lines that begin a block of this kind."""
    carry: Runs = field(default_factory=list["Segment"])
    """The last row of what was given out, which goes on."""
    widths: tuple[int, ...] = ()


def opening(path: Sequence[Open]) -> list[str]:
    """Lines that open the blocks of a path once more."""
    prefix = ""
    lines: list[str] = []
    for depth, block in enumerate(path):
        inside = path[depth + 1].kind if depth + 1 < len(path) else None
        if block.kind == "quote":
            prefix += "> "
            lines += [prefix + ANCHOR] if inside in (None, "undrawn") else []
        elif block.kind == "item":
            lines.append(prefix + block.lead + ANCHOR)
            prefix += " " * len(block.lead)
        elif block.kind != "list" or inside is None:
            lines += [prefix + line for line in block.opener]
    return lines


def list_state(node: Node) -> Open:
    return Open("list", number=node.kids[0].number if node.type == "ordered_list" else -1)


def list_items(node: Node, path: Sequence[Open], state: Open) -> list[Node]:
    """The items left of a list, numbered on; where it goes on with a new one, the first only opens it."""
    items = node.kids[1:] if len(path) == 1 else node.kids
    for place, item in enumerate(items):
        item.number = state.number + place if state.number >= 0 else -1
    return items


def quote_kids(node: Node, path: Sequence[Open]) -> list[Node]:
    """The blocks left of a quote; where it goes on with a new one, the first only opens it."""
    return node.kids[1:] if len(path) == 1 else node.kids


def item_kids(node: Node, path: Sequence[Open]) -> list[Node]:
    """The blocks left of an item; where it goes on, the first one only opens it, unless it is too deep to be read."""
    return node.kids[1:] if path and node.kids and node.kids[0].type != "undrawn" else node.kids


def paragraph_lines(node: Node, path: Sequence[Open]) -> list[str]:
    """The lines left of a paragraph; where it goes on, the first one only opens it."""
    lines = node.content.split("\n")
    return lines[1:] if path else lines


def pieces(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """The lines of a paragraph in pieces; each but the last has at least PIECE characters."""
    start = size = 0
    for at, line in enumerate(lines):
        if size >= PIECE:
            yield lines[start:at]
            start, size = at, 0
        size += len(line) + 1
    if lines[start:]:
        yield lines[start:]


def long_heading(node: Node, path: Sequence[Open]) -> bool:
    return bool(path) or (node.token.markup in ("=", "-") and len(list(pieces(node.content.split("\n")))) > 1)


def undrawn_lines(node: Node, path: Sequence[Open]) -> list[str]:
    """The lines left of what stands too deep; where it goes on, the first one only opens what is around it."""
    lines = node.content.split("\n")
    return lines[1:] if path else lines


def code_lines(node: Node) -> list[str]:
    if node.type == "fence" and not node.content:
        return []
    return unglued(node.content.removesuffix("\n")).split("\n")


def language_of(node: Node) -> str:
    words = unglued(node.token.info).split() if node.type == "fence" else []
    return words[0] if words else ""
