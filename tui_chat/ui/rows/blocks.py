"""Markdown blocks as rows, whole ones and those of which a part has been given out already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment

from tui_chat.domain.hostile import visible_line
from tui_chat.ui.rows.code import coloured, piece
from tui_chat.ui.rows.lines import GLUE, unglued
from tui_chat.ui.rows.marks import decor, no_line
from tui_chat.ui.rows.rest import (
    Open,
    code_lines,
    item_kids,
    language_of,
    list_items,
    list_state,
    long_heading,
    paragraph_lines,
    pieces,
    quote_kids,
    undrawn_lines,
)
from tui_chat.ui.rows.runs import Runs, fold, padded, plain, wrap
from tui_chat.ui.rows.tables import alignments, column_widths, rule, sample, table_row, table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.ui.rows.inline import Inline
    from tui_chat.ui.rows.model import Palette
    from tui_chat.ui.rows.parsing import Node

NARROWEST = 8
"""Cells that a block gets however deep it stands."""
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


class Blocks:
    """Draws blocks; `lines` is the source that the blocks' line numbers are about."""

    def __init__(self, palette: Palette, inline: Inline, lines: Sequence[str]) -> None:
        self.palette = palette
        self.inline = inline
        self.lines = lines

    def sequence(self, kids: Sequence[Node], path: Sequence[Open], width: int) -> list[Runs]:
        """Blocks below one another; `path[0]`, which is theirs, is brought up to date."""
        state, inside = path[0], list(path[1:])
        rows: list[Runs] = []
        for kid in kids:
            gap = self.gap_before(kid, state, inside)
            if drawn := self.block(kid, inside, max(width, NARROWEST)):
                rows += gap
                rows += drawn
                state.drawn, state.gap = True, False
            else:
                state.gap = state.gap or self.blank_before(kid)
            inside = []
        return rows

    def gap_before(self, kid: Node, state: Open, inside: Sequence[Open]) -> list[Runs]:
        """The empty row above a block: always, but in lists as the source has it, so that nothing later changes it."""
        if not state.drawn or (inside and inside[0].drawn):
            return []
        as_written = state.kind in ("list", "item")
        return [[]] if not as_written or state.gap or self.blank_before(kid) else []

    def blank_before(self, node: Node) -> bool:
        return node.first > 0 and not self.lines[node.first - 1].strip(" >")

    def block(self, node: Node, path: Sequence[Open], width: int) -> list[Runs]:
        """The rows of one block, without those given out already."""
        match node.type:
            case "heading":
                return self._heading(node, path, width)
            case "paragraph":
                lines = paragraph_lines(node, path)
                return self.paragraph(lines, path[0].carry if path else [], width)
            case "bullet_list" | "ordered_list":
                return self._list(node, path, width)
            case "list_item":
                return self._item(node, path, width)
            case "blockquote":
                rows = self.sequence(quote_kids(node, path), path or [Open("quote")], width - 2)
                return self.quoted(rows)
            case "fence" | "code_block":
                return self._code(node, path, width)
            case "hr":
                return [[Segment("─" * width, no_line(self.palette["rule"]))]]
            case "table":
                return self._table(node, path, width)
            case "definition":
                return []
            case _:
                return self.plain_lines(undrawn_lines(node, path), width)

    def plain_lines(self, lines: Sequence[str], width: int) -> list[Runs]:
        style = self.palette["prose"]
        return [row for line in lines if line for row in wrap([Segment(unglued(line), style)], width)]

    # paragraphs and headings

    def paragraph(self, lines: Sequence[str], carry: Runs, width: int) -> list[Runs]:
        rows: list[Runs] = []
        for part in pieces(lines):
            drawn, carry = self.paragraph_piece(part, carry, width)
            rows += drawn
        return [*rows, carry] if carry else rows

    def paragraph_piece(self, lines: Sequence[str], carry: Runs, width: int) -> tuple[list[Runs], Runs]:
        """(rows, what the next piece goes on with): a line that was cut is none on the screen."""
        drawn = self.inline.lines("\n".join(lines), "prose")
        drawn[0] = [*carry, *drawn[0]]
        rows = [row for line in drawn for row in wrap(line, width)]
        return (rows[:-1], rows[-1]) if lines[-1].endswith(GLUE) and rows else (rows, [])

    def _heading(self, node: Node, path: Sequence[Open], width: int) -> list[Runs]:
        """A paragraph that was too long to wait for its underline stays one."""
        if long_heading(node, path):
            rows = self.paragraph(paragraph_lines(node, path), path[0].carry if path else [], width)
            if node.token.markup == "-":
                return [*rows, [Segment("─" * width, self.palette["rule"])]]
            return [*rows, [Segment(self.lines[node.end - 1].strip(" >"), self.palette["prose"])]]
        marks = Segment("#" * int(node.token.tag[1:]) + " ", self.palette["dim"])
        first, *more = self.inline.lines(node.content, "heading")
        return [row for line in ([marks, *first], *more) for row in wrap(line, width)]

    # lists

    def _list(self, node: Node, path: Sequence[Open], width: int) -> list[Runs]:
        state = path[0] if path else list_state(node)
        return self.sequence(list_items(node, path, state), [state, *path[1:]], width)

    def _item(self, node: Node, path: Sequence[Open], width: int) -> list[Runs]:
        state = path[0] if path else Open("item")
        marked = state.drawn
        kids = item_kids(node, path)
        mark = self.mark(node)
        rows = self.sequence(kids, [state, *path[1:]], width - len(mark))
        return self.marked(node, rows or ([] if marked else [[]]), first=not marked)

    def mark(self, node: Node) -> str:
        return f"{node.number}. " if node.number >= 0 else "• "

    def marked(self, node: Node, rows: list[Runs], *, first: bool) -> list[Runs]:
        """An item's rows with its mark, which stands before the first."""
        mark, style = self.mark(node), self.palette["bullet"]
        space = Segment(" " * len(mark))
        out: list[Runs] = [[space, *row] if row else [] for row in rows]
        if first and rows:
            out[0] = [Segment(mark, style), *_task(rows[0])]
        return out

    def quoted(self, rows: list[Runs]) -> list[Runs]:
        bar = Segment("▎ ", decor(self.palette["quote"]))
        return [[bar, *row] for row in rows]

    # code

    def _code(self, node: Node, path: Sequence[Open], width: int) -> list[Runs]:
        lines = code_lines(node)
        growing = node.type == "fence" and node.end - node.first - 1 == len(lines)
        label = [] if path else self.code_label(node, width)
        return [*label, *self.code_rows(lines, node, width, growing=growing)]

    def code_rows(self, lines: Sequence[str], node: Node, width: int, *, growing: bool = False) -> list[Runs]:
        rows: list[Runs] = []
        start = 0
        while (end := piece(lines, start)) is not None:
            rows += self._code_piece(lines[start:end], node, width)
            start = end
        if lines[start:]:
            rows += self._code_piece(lines[start:], node, width, growing=growing)
        return rows

    def code_label(self, node: Node, width: int) -> list[Runs]:
        language = language_of(node)
        block = self.palette["block"]
        label = Segment(f" {visible_line(language, 24)}", no_line(block + self.palette["language"]))
        return [padded([label], width, decor(block))] if language else []

    def _code_piece(self, lines: Sequence[str], node: Node, width: int, *, growing: bool = False) -> list[Runs]:
        """Code keeps its lines; those too wide are folded. The block is drawn as wide as the text column."""
        block = self.palette["block"]
        margin = Segment(" ", decor(block))
        styled = coloured(lines, language_of(node).lower(), self.palette, growing=growing)
        return [padded([margin, *row], width, decor(block)) for line in styled for row in fold(line, width - 2)]

    # tables

    def _table(self, node: Node, path: Sequence[Open], width: int) -> list[Runs]:
        widths = path[0].widths if path else self.table_widths(node, width)
        head = [] if path else self.table_head(node, widths, width)
        return [*head, *self.table_body(node, widths, width)]

    def table_widths(self, node: Node, width: int) -> tuple[int, ...]:
        head, *body = table_rows(node)
        rows = [self._cells(row, "prose") for row in body[: sample(node)]]
        return tuple(column_widths([self._cells(head, "strong"), *rows], width))

    def table_head(self, node: Node, widths: Sequence[int], width: int) -> list[Runs]:
        line = self.palette["table"]
        cells = self._cells(table_rows(node)[0], "strong")
        return [*table_row(cells, widths, alignments(node), line, width), *rule(widths, line, width)]

    def table_body(self, node: Node, widths: Sequence[int], width: int) -> list[Runs]:
        aligns, line = alignments(node), self.palette["table"]
        return [
            drawn
            for row in table_rows(node)[1:]
            for drawn in table_row(self._cells(row, "prose"), widths, aligns, line, width)
        ]

    def _cells(self, row: Node, style: str) -> list[Runs]:
        return [[run for line in self.inline.lines(cell.content, style) for run in line] for cell in row.kids]


def _task(row: Runs) -> Runs:
    """The first row of a task list's item with its box drawn."""
    if row and (box := _BOXES.get(plain(row)[:4])) and len(row[0].text) >= 4:
        return [Segment(box), Segment(row[0].text[4:], row[0].style), *row[1:]]
    return row
