"""Giving out for good the rows that more text cannot change.

What is left is read again with every frame, so it has to stay short, however long the list, the table, the fence or
the paragraph is that it stands in. It is read behind a few lines that open the same blocks once more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.ui.rows.blocks import NARROWEST
from tui_chat.ui.rows.code import piece
from tui_chat.ui.rows.lines import GLUE
from tui_chat.ui.rows.rest import (
    ANCHOR,
    Open,
    code_lines,
    item_kids,
    list_items,
    list_state,
    long_heading,
    paragraph_lines,
    pieces,
    quote_kids,
    undrawn_lines,
)
from tui_chat.ui.rows.tables import sample, table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.ui.rows.blocks import Blocks
    from tui_chat.ui.rows.parsing import Node
    from tui_chat.ui.rows.runs import Runs

_QUOTE = re.compile(" {0,3}> ?")
_MARKER = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?= |$)")


class Container(Struct, frozen=True):
    """A quote or item around a block: the line on which it begins, and what stands before its content there."""

    kind: str
    first: int
    lead: str = "> "


class Closed(Struct, frozen=True):
    """What was given out of a block, the path to what is left, and the line on which that begins."""

    rows: list[Runs]
    path: list[Open]
    line: int
    some: bool = True
    """False when nothing has been given out of it, now or before."""


class Freezer:
    """Takes from a document's blocks those that are finished, at each depth; every line has to be whole."""

    def __init__(self, blocks: Blocks, opened: int) -> None:
        self._blocks = blocks
        self._opened = opened
        """Lines that only open blocks once more."""

    def freeze(self, kids: Sequence[Node], path: Sequence[Open], width: int) -> Closed:
        return self._sequence(kids, path, width, ())

    def _sequence(self, kids: Sequence[Node], path: Sequence[Open], width: int, around: Sequence[Container]) -> Closed:
        if not kids:
            return Closed([], list(path), self._opened, some=False)
        blocks, state, inside = self._blocks, replace(path[0]), path[1:]
        count = _finished(kids)
        rows = blocks.sequence(kids[:count], [state, *map(replace, inside)], width) if count else []
        rest = kids[count]
        if count:
            inside = ()
            state.gap = state.gap or blocks.blank_before(rest)
            state.number += count if state.number >= 0 else 0
        if count < len(kids) - 1:
            return Closed(rows, [state], rest.first, some=bool(count))
        gap = blocks.gap_before(rest, state, inside)
        closed = self._block(rest, inside, max(width, NARROWEST), around)
        if closed.rows:
            rows = [*rows, *gap, *closed.rows]
            state.drawn, state.gap = True, False
        return Closed(rows, [state, *closed.path], closed.line, some=bool(count or closed.path))

    def _block(self, node: Node, path: Sequence[Open], width: int, around: Sequence[Container]) -> Closed:
        closed, links = None, self._blocks.inline.links
        numbered = len(links)
        match node.type:
            case "blockquote":
                closed = self._quote(node, path, width, around)
            case "bullet_list" | "ordered_list":
                closed = self._list(node, path, width, around)
            case "list_item":
                closed = self._item(node, path, width, around)
            case "paragraph" | "heading":
                closed = self._paragraph(node, path, width)
            case "fence" | "code_block":
                closed = self._code(node, path, width, around)
            case "table":
                closed = self._table(node, path, width, around)
            case "undrawn":
                closed = self._undrawn(node, path, width)
            case _:
                pass
        if closed is None or not (path or closed.some):
            links.keep(numbered)
            return Closed([], list(path), self._opened if path else node.first)
        return closed

    def _quote(self, node: Node, path: Sequence[Open], width: int, around: Sequence[Container]) -> Closed:
        around = (*around, Container("quote", node.first))
        closed = self._sequence(quote_kids(node, path), path or [Open("quote")], width - 2, around)
        return replace(closed, rows=self._blocks.quoted(closed.rows))

    def _list(self, node: Node, path: Sequence[Open], width: int, around: Sequence[Container]) -> Closed | None:
        state = path[0] if path else list_state(node)
        items = list_items(node, path, state)
        closed = self._sequence(items, [state, *path[1:]], width, around)
        if closed.some and not (path and len(items) == 1):
            # The rest is read behind an item that it cannot belong to; by itself it might be no list.
            lead = self._lead(items[-1], around)
            if lead is None:
                return None
            closed.path[0].opener = (lead + ANCHOR,)
        return closed

    def _item(self, node: Node, path: Sequence[Open], width: int, around: Sequence[Container]) -> Closed | None:
        lead = path[0].lead if path else self._lead(node, around)
        if lead is None:
            return None
        blocks = self._blocks
        state = path[0] if path else Open("item", lead=lead)
        kids = item_kids(node, path)
        around = (*around, Container("item", node.first, lead))
        closed = self._sequence(kids, [state, *path[1:]], width - len(blocks.mark(node)), around)
        return replace(closed, rows=blocks.marked(node, closed.rows, first=not state.drawn))

    def _paragraph(self, node: Node, path: Sequence[Open], width: int) -> Closed | None:
        if node.type == "heading" and not long_heading(node, path):
            return None
        parts = list(pieces(paragraph_lines(node, path)))
        # A line that was cut goes on.
        done = parts if parts and parts[-1][-1].endswith(GLUE) else parts[:-1]
        underline = 1 if node.type == "heading" else 0
        # Lines of nothing but wide spaces are left out of the content.
        if not done or node.content.count("\n") + 1 != node.end - node.first - underline:
            return None
        carry, drawn_before = (path[0].carry, path[0].drawn) if path else ([], False)
        rows: list[Runs] = []
        for part in done:
            drawn, carry = self._blocks.paragraph_piece(part, carry, width)
            rows += drawn
        line = node.first + sum(map(len, done)) + (1 if path else 0)
        return Closed(rows, [Open("paragraph", drawn=drawn_before or bool(rows), opener=("x",), carry=carry)], line)

    def _code(self, node: Node, path: Sequence[Open], width: int, around: Sequence[Container]) -> Closed | None:
        lines = code_lines(node)
        fence = node.type == "fence"
        start = end = 0
        while (following := piece(lines, end)) is not None:
            end = following
            # Indented code cannot go on with an empty line.
            start = end if fence or lines[end].strip() else start
        opener = self._opener(node, path, around) if fence else ()
        if not start or opener is None:
            return None
        rows = self._blocks.code_rows(lines[:start], node, width)
        if not path:
            rows = [*self._blocks.code_label(node, width), *rows]
        return Closed(rows, [Open(node.type, drawn=True, opener=opener)], node.first + start + (1 if fence else 0))

    def _table(self, node: Node, path: Sequence[Open], width: int, around: Sequence[Container]) -> Closed | None:
        rows = table_rows(node)
        if not path and len(rows) <= sample(node) + 1:
            return None
        head = path[0].opener if path else self._whole(node.first, node.first + 2, around)
        if head is None:
            return None
        widths = path[0].widths if path else self._blocks.table_widths(node, width)
        drawn = self._blocks.table_body(node, widths, width)
        if not path:
            drawn = [*self._blocks.table_head(node, widths, width), *drawn]
        return Closed(drawn, [Open("table", drawn=True, opener=head, widths=widths)], node.end)

    def _undrawn(self, node: Node, path: Sequence[Open], width: int) -> Closed | None:
        lines = undrawn_lines(node, path)[:-1]
        if not lines:
            return None
        line = node.first + len(lines) + (1 if path else 0)
        return Closed(self._blocks.plain_lines(lines, width), [Open("undrawn", drawn=True)], line)

    # the source of containers

    def _opener(self, node: Node, path: Sequence[Open], around: Sequence[Container]) -> tuple[str, ...] | None:
        return path[0].opener if path else self._whole(node.first, node.first + 1, around)

    def _whole(self, first: int, end: int, around: Sequence[Container]) -> tuple[str, ...] | None:
        """These lines without what the containers put before them."""
        columns = [self._column(line, around) for line in range(first, end)]
        if None in columns:
            return None
        return tuple(line[column:] for line, column in zip(self._blocks.lines[first:end], columns, strict=True))

    def _lead(self, node: Node, around: Sequence[Container]) -> str | None:
        """What stands before an item's content on its first line; None when that is not understood."""
        column = self._column(node.first, around)
        return None if column is None else item_lead(self._blocks.lines[node.first], column)

    def _column(self, line: int, around: Sequence[Container]) -> int | None:
        """Where the content of the innermost container begins on a line."""
        text, column = self._blocks.lines[line], 0
        for container in around:
            if container.kind == "quote":
                found = _QUOTE.match(text, column)
                if not found:
                    return None
                column = found.end()
            elif container.first == line:
                column += len(container.lead)
            else:
                end = column + len(container.lead)
                if text[column:end].strip():
                    return None
                column = end
        return column


def item_lead(line: str, column: int) -> str | None:
    """What stands before an item's content on the line on which it begins; None when no item begins there."""
    found = _MARKER.match(line, column)
    if not found:
        return None
    rest = line[found.end() :]
    spaces = len(rest) - len(rest.lstrip(" "))
    return found[0] + " " * (spaces if rest.strip() and spaces <= 4 else 1)


def _finished(kids: Sequence[Node]) -> int:
    """How many of these blocks more text cannot change: all but the last, and its title may belong to a definition."""
    count = len(kids) - 1
    if count and kids[count - 1].type == "definition" and kids[count].first == kids[count - 1].end:
        count -= 1
    return count
