"""A reply's Markdown as rows, while it streams in and when it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.ui.rows.blocks import NARROWEST, Blocks
from tui_chat.ui.rows.freezing import Freezer
from tui_chat.ui.rows.inline import Inline
from tui_chat.ui.rows.lines import Lines
from tui_chat.ui.rows.parsing import parse
from tui_chat.ui.rows.rest import Open, opening
from tui_chat.ui.rows.runs import fold, strip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.strip import Strip

    from tui_chat.ui.rows.links import Link
    from tui_chat.ui.rows.model import Palette
    from tui_chat.ui.rows.parsing import Node, References
    from tui_chat.ui.rows.runs import Runs

STEP = 8_000
"""Characters laid out at a time, so that no text holds up the screen."""


class Reading:
    """One way through a text, with the link definitions that are known to stand further down."""

    def __init__(self, palette: Palette, width: int, given: References) -> None:
        self.frozen: list[Strip] = []
        self.tail: list[Strip] = []
        self.laid_out = 0
        self.given = given
        self.defined: References = {}
        """The link definitions read so far."""
        self._palette = palette
        self._width = width
        self._lines = Lines()
        self._left: list[str] = []
        """The lines from which no rows have been given out."""
        self._path = [Open("root")]
        self._inline = Inline(palette)
        self._found: References = {}
        self._numbered = 0
        """How many links have a number that stays."""
        self._noted: dict[str, str | None] = {}
        self.done = True

    def feed(self, text: str) -> None:
        self._lines.feed(text)
        self.done = False

    @property
    def links(self) -> list[Link]:
        return self._inline.links.listed()

    def advance(self, limit: int) -> None:
        self._inline.links.keep(self._numbered)
        if lines := self._lines.take(limit):
            self._left += lines
            self._freeze()
            self._numbered = len(self._inline.links)
        self.done = not self._lines.waiting
        self._draw_tail()

    @property
    def outdated(self) -> bool:
        """True when a row that was given out has a link whose definition has been read since."""
        defined = self.defined
        return defined != self.given and any(
            (defined[label]["href"] if label in defined else None) != target for label, target in self._noted.items()
        )

    def _freeze(self) -> None:
        opened = opening(self._path)
        lines = [*opened, *self._left]
        kids = self._parsed(lines)
        self._found = self.defined
        self._inline.noted = self._noted
        blocks = Blocks(self._palette, self._inline, lines)
        closed = Freezer(blocks, len(opened)).freeze(kids, self._path, self._width)
        self._inline.noted = None
        self._path = closed.path
        self._left = lines[closed.line :]
        self._give(self.frozen, closed.rows)

    def _draw_tail(self) -> None:
        rest = self._lines.rest
        lines = [*opening(self._path), *self._left, *([rest] if rest else [])]
        path = [replace(block) for block in self._path]
        rows = Blocks(self._palette, self._inline, lines).sequence(self._parsed(lines), path, self._width)
        self.tail = []
        self._give(self.tail, rows)

    def _give(self, out: list[Strip], rows: Sequence[Runs]) -> None:
        """What stands too deep for the width is folded."""
        drawn = [strip(part) for row in rows for part in fold(row, self._width)]
        out += drawn
        self.laid_out += len(drawn)

    def _parsed(self, lines: Sequence[str]) -> list[Node]:
        kids, references = parse(lines)
        self.defined = references | self._found
        self._inline.references = self.given | self.defined
        return kids


class Block:
    """Markdown that may still grow: `frozen` rows, which stay, and those of the `tail`, which more text may change."""

    def __init__(self, palette: Palette, width: int, text: str = "") -> None:
        self._palette = palette
        self._width = max(NARROWEST, width)
        self._source: list[str] = []
        self._reading = Reading(palette, self._width, {})
        self._next: Reading | None = None
        self._laid_out_before = 0
        if text:
            self.append(text)

    @property
    def frozen(self) -> list[Strip]:
        return self._reading.frozen

    @property
    def tail(self) -> list[Strip]:
        return self._reading.tail

    @property
    def done(self) -> bool:
        """False while there is text that has not been laid out."""
        return self._reading.done

    @property
    def links(self) -> list[Link]:
        """The links drawn, in the order of their numbers."""
        return self._reading.links

    @property
    def laid_out(self) -> int:
        """Rows laid out so far, those of the tail each time anew."""
        return self._laid_out_before + self._reading.laid_out + (self._next.laid_out if self._next else 0)

    def append(self, text: str) -> None:
        self._source.append(text)
        for reading in (self._reading, self._next):
            if reading is not None:
                reading.feed(text)

    def advance(self, limit: int = STEP) -> None:
        """Lay out the next `limit` characters."""
        self._reading.advance(limit)

    def settle(self, limit: int = STEP) -> bool:
        """Bring in link definitions that came after their use, `limit` characters at a time; False while that goes on.

        The text is read once more, since what is drawn differently may take other rows; until then it stands as it was.
        """
        if not self.done:
            return False
        if self._next is None:
            if not self._reading.outdated:
                return True
            self._next = Reading(self._palette, self._width, self._reading.defined)
            self._next.feed("".join(self._source))
        self._next.advance(limit)
        if self._next.done:
            self._laid_out_before += self._reading.laid_out
            self._reading, self._next = self._next, None
        return False

    def rows(self) -> tuple[list[Strip], list[Strip]]:
        """(rows that stay as they are, rows of the open block) of all the text there is."""
        while not self.done or not self.settle():
            if not self.done:
                self.advance()
        return self.frozen, self.tail
