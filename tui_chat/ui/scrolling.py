"""Scrolling by the terminal: a line that comes in at the tail costs a line, not a screen.

A widget says that what it shows has moved, and draws itself as ever; the frame that is sent then moves those lines on
the terminal and writes what is left to write. Nothing wrong can come of a move that did not happen: what is shown is
moved along, and a move is made only where it leaves less to write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_chat.ui.picture import Picture

MARGINS = 24
"""About what a scroll costs, in cells."""


@dataclass(frozen=True, slots=True)
class Scroll:
    """Lines `top` up to `bottom` of the screen move up by `rows`; down where that is negative."""

    top: int
    bottom: int
    rows: int

    def then(self, later: Scroll) -> Scroll:
        """Both, as one; the later alone where they are about other lines."""
        if (self.top, self.bottom) != (later.top, later.bottom):
            return later
        return Scroll(self.top, self.bottom, self.rows + later.rows)

    @property
    def sequence(self) -> str:
        """What makes a terminal do it; the margins are set and reset at once, so that none is ever left."""
        line, feed = (self.bottom, "\n" * self.rows) if self.rows > 0 else (self.top + 1, "\x1bM" * -self.rows)
        return f"\x1b[{self.top + 1};{self.bottom}r\x1b[{line};1H{feed}\x1b[r"

    def changes(self, shown: Picture, wanted: Picture) -> bool:
        """Some of the lines it is about are to be drawn anew."""
        lines = slice(self.top, self.bottom)
        return any(old.chars != new.chars for old, new in zip(shown.rows[lines], wanted.rows[lines], strict=True))


def worth(scroll: Scroll, shown: Picture, wanted: Picture) -> bool:
    """True when less is left to write after it."""
    height = scroll.bottom - scroll.top
    if not 0 < abs(scroll.rows) < height or scroll.bottom > shown.height:
        return False
    old, new = shown.rows[scroll.top : scroll.bottom], wanted.rows[scroll.top : scroll.bottom]
    still = sum(a.distance(b) for a, b in zip(old, new, strict=True))
    up = max(0, scroll.rows)
    down = max(0, -scroll.rows)
    kept = zip(old[up : height - down], new[down : height - up], strict=True)
    fresh = abs(scroll.rows) * shown.width
    return sum(a.distance(b) for a, b in kept) + fresh + MARGINS < still
