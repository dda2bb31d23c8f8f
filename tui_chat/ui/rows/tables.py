"""Tables: column widths that stay, cells that wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment

from tui_chat.ui.rows.marks import between_cells, decor, no_line
from tui_chat.ui.rows.runs import fold, padded, width, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style

    from tui_chat.ui.rows.parsing import Node
    from tui_chat.ui.rows.runs import Runs

SAMPLE = 16
"""Rows that decide how wide the columns are, fewer where there are many; what is wider in a later row wraps."""
SAMPLE_CELLS = 160
NARROWEST = 4
_GAP = 3

Cells = list["Runs"]
"""The cells of one row."""


def table_rows(node: Node) -> list[Node]:
    """The rows of a table, the heading first."""
    return [row for part in node.kids for row in part.kids]


def sample(node: Node) -> int:
    """How many rows below the heading decide."""
    return max(2, min(SAMPLE, SAMPLE_CELLS // len(table_rows(node)[0].kids)))


def alignments(node: Node) -> list[str]:
    head = table_rows(node)[0]
    return [str(cell.token.attrs.get("style", "")).rpartition(":")[2] for cell in head.kids]


def column_widths(rows: Sequence[Cells], room: int) -> list[int]:
    """Widths that fit into `room`: the widest columns give way first, down to a few cells."""
    widths = [max(1, *(width(row[place]) for row in rows)) for place in range(len(rows[0]))]
    spare = room - _GAP * (len(widths) - 1)
    while sum(widths) > spare and max(widths) > NARROWEST:
        widest = max(widths)
        second = max((w for w in widths if w < widest), default=NARROWEST)
        over = sum(widths) - spare
        cut = max(1, min(widest - max(second, NARROWEST), -(-over // widths.count(widest))))
        widths = [w - cut if w == widest else w for w in widths]
    return widths


def table_row(row: Cells, widths: Sequence[int], aligns: Sequence[str], line: Style, room: int) -> list[Runs]:
    """The screen rows of one row."""
    cells = [wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
    rows: list[Runs] = []
    for y in range(max(map(len, cells))):
        out: Runs = []
        for x, cell in enumerate(cells):
            if x:
                out.append(Segment(" │ ", between_cells(line)))
            out += _aligned(cell[y] if y < len(cell) else [], widths[x], aligns[x])
        rows += fold(out, room)
    return rows


def rule(widths: Sequence[int], line: Style, room: int) -> list[Runs]:
    """The line below the heading."""
    return fold([Segment("─┼─".join("─" * size for size in widths), no_line(line))], room)


def _aligned(cell: Runs, size: int, align: str) -> Runs:
    missing = max(0, size - width(cell))
    left = {"right": missing, "center": missing // 2}.get(align, 0)
    return padded([Segment(" " * left, decor()), *cell] if left else cell, size, decor())
