"""The rows of one turn: head, reasoning, text, notes, and an empty row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from rich.segment import Segment
from textual.strip import Strip

from tui_chat.domain.hostile import visible, visible_line
from tui_chat.ui.rows.fold import shown_question, shut, thinking_line
from tui_chat.ui.rows.markdown import STEP, Block
from tui_chat.ui.rows.marks import decor
from tui_chat.ui.rows.plain import Plain
from tui_chat.ui.rows.runs import strip, truncated, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.ui.rows.links import Link
    from tui_chat.ui.rows.model import Head, Note, Palette, Turn

_EMPTY = Strip([])


class Change(Struct, frozen=True):
    """Rows from `first` on were `old` and are now `new`; the rows of a turn below those are the same, maybe moved."""

    first: int
    old: Sequence[Strip]
    new: Sequence[Strip]


class TurnRows:
    """Lays out a turn at one width; what is long is laid out in steps."""

    def __init__(self, turn: Turn, palette: Palette, width: int) -> None:
        self.turn = turn
        self._palette = palette
        self._width = width
        bar = Segment("┊ ", decor(palette["dim"]))
        self._thoughts = Plain(palette["thinking"], width - 2, bar=bar, trimmed=True)
        reply = turn.role == "assistant"
        self._body = Block(palette, width - 2) if reply else Plain(palette["prose"], width - 2)
        self._shut = shut(turn)
        body, self._rest = (turn.text, "") if reply else shown_question(turn, max(1, width - 2))
        self._rows: list[Strip] = []
        self._frozen = (0, 0)
        """How many of the thoughts' and the body's final rows are in `_rows`."""
        self._extra = 0
        self._taken = 0
        if turn.thinking and not self._shut:
            self._thoughts.append(turn.thinking)
        if body or not reply:
            self._body.append(body)
        self._rebuild(0)

    @property
    def height(self) -> int:
        return len(self._rows)

    @property
    def done(self) -> bool:
        """False while there is text that has not been laid out."""
        return self._thoughts.done and self._body.done

    @property
    def outdated(self) -> bool:
        """True when the thoughts are to be folded by now, or no longer; the turn has to be laid out anew."""
        return self._shut != shut(self.turn)

    @property
    def content(self) -> int:
        """The first row of what was said; those above it are the turn's own."""
        return 1 + len(self._lead())

    @property
    def content_end(self) -> int:
        """The row below what was said."""
        return 1 + self._thought_rows + len(self._body.frozen) + len(self._body.tail)

    @property
    def links(self) -> list[Link]:
        """The links of a reply, in the order of their numbers."""
        return self._body.links if isinstance(self._body, Block) else []

    def take_count(self) -> int:
        """Rows laid out since this was asked last; one laid out again counts again."""
        count = self._thoughts.laid_out + self._body.laid_out + self._extra
        taken, self._taken = count - self._taken, count
        return taken

    def row(self, place: int) -> Strip:
        return self._rows[place]

    def append(self, text: str, thinking: str) -> None:
        """More of the reply has come; `advance` lays it out."""
        if thinking:
            self.turn.thinking += thinking
            if not self._shut:
                self._thoughts.append(thinking)
        if text:
            self.turn.text += text
            self._body.append(text)

    def advance(self, limit: int = STEP) -> Change:
        """Lay out the next `limit` characters."""
        thoughts, body = self._frozen
        if not self._thoughts.done:
            self._thoughts.advance(limit)
            return self._rebuild(self.content + thoughts)
        if not self._body.done:
            self._body.advance(limit)
        return self._rebuild(1 + self._thought_rows + body)

    def settle(self, limit: int = STEP) -> Change | None:
        """Bring in what came late, in steps; None once everything stands as it would if it had come at once."""
        if not self.done or not isinstance(self._body, Block) or self._body.settle(limit):
            return None
        return self._rebuild(1 + self._thought_rows)

    def dress(self, head: Head, notes: tuple[Note, ...]) -> Change | None:
        """Change what stands above and below; None when that is what stood there."""
        if (self.turn.head, self.turn.notes) == (head, notes):
            return None
        folds, self.turn.head = self.turn.head.thinking != head.thinking, head
        if folds:
            self.turn.notes = notes
            return self._rebuild(0)
        old_head, self._rows[0] = self._rows[0], self._head_row()
        if self.turn.notes == notes:
            return Change(0, [old_head], self._rows[:1])
        old = [old_head, *self._rows[1:]]
        self.turn.notes = notes
        self._rebuild(1 + self._thought_rows + self._frozen[1])
        return Change(0, old, self._rows[:])

    def rows(self) -> list[Strip]:
        """All rows of the turn, laid out to the end."""
        while not self.done:
            self.advance()
        while self.settle():
            pass
        return self._rows

    @property
    def _thought_rows(self) -> int:
        """Rows of the thoughts and of the empty row below them."""
        count = len(self._lead()) + len(self._thoughts.frozen) + len(self._thoughts.tail)
        return count + 1 if count else 0

    def _rebuild(self, first: int) -> Change:
        """Renew the rows from `first` on."""
        thoughts, body = self._thoughts, self._body
        new: list[Strip] = [] if first else [self._head_row()]
        if first <= self._thought_rows:
            lead = self._lead()
            new += lead[max(0, first - 1) :]
            new += thoughts.frozen[max(0, first - 1 - len(lead)) :]
            new += thoughts.tail
            if self._thought_rows:
                new.append(_EMPTY)
        new += body.frozen[max(0, first - 1 - self._thought_rows) :]
        new += body.tail
        new += self._fold_line(self._rest)
        new += self._note_rows()
        new.append(_EMPTY)
        old = self._rows[first:]
        self._rows[first:] = new
        self._frozen = (len(thoughts.frozen), len(body.frozen))
        same = _same(old, new)
        return Change(first + same, old[same:], new[same:])

    def _head_row(self) -> Strip:
        head, palette = self.turn.head, self._palette
        mark, style = ("❯ ", "user") if self.turn.role == "user" else ("◆ ", "assistant")
        line = [Segment(mark, decor(palette[style])), Segment(visible_line(head.name, 60), palette[style])]
        if head.version:
            line.append(Segment(f"  {head.version}", decor(palette["dim"])))
        if head.state:
            line.append(Segment("  " + visible_line(head.state), decor(palette[head.state_style])))
        self._extra += 1
        return Strip(truncated(line, self._width))

    def _lead(self) -> list[Strip]:
        return self._fold_line(thinking_line(self.turn))

    def _fold_line(self, text: str) -> list[Strip]:
        line = [Segment(visible_line(text), self._palette["dim"])]
        return [strip(truncated(line, max(1, self._width - 2)))] if text else []

    def _note_rows(self) -> list[Strip]:
        rows = [
            strip(row)
            for note in self.turn.notes
            for line in visible(note.text).split("\n")
            for row in wrap([Segment(line, self._palette[note.style])], max(1, self._width - 2))
        ]
        self._extra += len(rows)
        return rows


def _same(old: Sequence[Strip], new: Sequence[Strip]) -> int:
    """How many rows at the beginning are the same."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a is not b and a != b), min(len(old), len(new)))
