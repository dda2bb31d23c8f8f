"""Text that stands as it was written: a user's words, and a model's thoughts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment

from tui_chat.ui.rows.lines import GLUE, Lines, unglued
from tui_chat.ui.rows.runs import strip, wrap

if TYPE_CHECKING:
    from rich.style import Style
    from textual.strip import Strip

    from tui_chat.ui.rows.runs import Runs


class Plain:
    """Plain text that may still grow; `trimmed` leaves out empty lines at its ends, `bar` stands before each row."""

    def __init__(self, style: Style, width: int, *, bar: Segment | None = None, trimmed: bool = False) -> None:
        self.frozen: list[Strip] = []
        self.tail: list[Strip] = []
        self.laid_out = 0
        self.done = True
        self._style = style
        self._bar = [bar] if bar else []
        self._room = max(1, width - (len(bar.text) if bar else 0))
        self._trimmed = trimmed
        self._lines = Lines()
        self._blank = 0
        self._carry: Runs = []

    def append(self, text: str) -> None:
        self._lines.feed(text)
        self.done = False

    def advance(self, limit: int) -> None:
        """Lay out the next `limit` characters."""
        for line in self._lines.take(limit):
            if self._trimmed and not line:
                self._blank += 1
                continue
            rows = self._rows(line)
            self._carry = rows.pop() if line.endswith(GLUE) and rows else []
            self._give(self.frozen, rows)
            self._blank = 0
        self.done = not self._lines.waiting
        self.tail = []
        rest = self._lines.rest
        if rest or self._carry or not self._trimmed:
            self._give(self.tail, self._rows(rest))

    def _rows(self, line: str) -> list[Runs]:
        text = unglued(line)
        return wrap([*self._carry, *([Segment(text, self._style)] if text else [])], self._room)

    def _give(self, out: list[Strip], rows: list[Runs]) -> None:
        empty: list[Runs] = [[]] * (self._blank if self.frozen or self.tail else 0)
        drawn = [strip([*self._bar, *row]) for row in (*empty, *rows)]
        out += drawn
        self.laid_out += len(drawn)
