"""A table of figures with a bar in each line: names at the left, all else at the right of its column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.segment import Segment
from textual.message import Message

from tui_chat.domain.figures import bar
from tui_chat.domain.report import GAP, layout
from tui_chat.ui.cells import columns, padded
from tui_chat.ui.widgets.cursor_list import CursorList

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN = 2
"""Columns at the right of a line, before the scrollbar."""


class Table(Struct, frozen=True):
    """What a sheet shows; every line has as many cells as there are headings."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    shares: Sequence[float]
    """How long the bar of each line is, from 0 to 1."""
    total: Sequence[str] = ()
    """A line that stands below the others, and does not scroll."""


EMPTY = Table((), (), ())


class Sheet(CursorList):
    """Posts Moved; `heading` and `total` are for lines that stand above and below it and do not scroll."""

    @dataclass
    class Moved(Message):
        """The cursor stands on another line, or the lines are others."""

        place: int

    def __init__(self, id: str | None = None) -> None:
        super().__init__(1, lit=True, id=id)
        self.table = EMPTY
        self._said = ""

    def fill(self, table: Table, said_instead: str = "") -> None:
        """Show other lines, from the first on."""
        self.table, self._said = table, said_instead
        self.cursor = 0
        self.set_length(len(table.lines))
        self.scroll_to(y=0, animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved(0))

    @property
    def heading(self) -> str:
        return self._text(self.table.headings)

    @property
    def total(self) -> str:
        return self._text(self.table.total)

    def as_text(self) -> str:
        """The table without bars, each line whole."""
        table = self.table
        lines = [line for line in (table.headings, *table.lines, table.total) if line]
        widths = [max(columns(line[i]) for line in lines) for i in range(len(table.headings))]
        return "\n".join((" " * GAP).join(self._cells(line, widths)).rstrip() for line in lines)

    def draw(self, place: int, row: int, width: int) -> list[Segment]:
        widths, room = self._layout()
        cells = self._cells(self.table.lines[place], widths)
        gap = Segment(" " * GAP)
        out = [Segment(cells[0], self.palette["name"])]
        if room:
            out += [gap, Segment(f"{bar(self.table.shares[place], room):<{room}}", self.palette["bar"])]
        for place_, cell in enumerate(cells[1:]):
            out += [gap, Segment(cell, self.palette["dim" if place_ else "text"])]
        return out

    def said_instead(self) -> str:
        return self._said

    def choose(self) -> None:
        """There is nothing behind a line."""

    def moved(self) -> None:
        self.post_message(self.Moved(self.cursor))

    def _layout(self) -> tuple[list[int], int]:
        lines = [list(line) for line in (self.table.headings, *self.table.lines, self.table.total) if line]
        return layout(lines, self.columns - 1 - MARGIN)

    def _text(self, cells: Sequence[str]) -> str:
        """A line that stands outside, in the columns of those inside."""
        if not cells:
            return ""
        widths, room = self._layout()
        first, *rest = self._cells(cells, widths)
        return " " + (" " * GAP).join([first, *([" " * room] if room else []), *rest])

    @staticmethod
    def _cells(line: Sequence[str], widths: Sequence[int]) -> list[str]:
        right = [" " * max(0, width - columns(cell)) + cell for cell, width in zip(line[1:], widths[1:], strict=False)]
        return [padded(line[0], widths[0]), *right]
