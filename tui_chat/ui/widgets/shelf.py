"""Where each turn of a conversation stands: laid out near the view, elsewhere by an estimate of its height."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Struct

from tui_chat.ui.rows.fold import folded_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.strip import Strip

    from tui_chat.ui.rows import Head, Note, Palette, Turn, TurnRows

ROWS_KEPT = 4_000
"""Rows that are kept of turns out of view."""
SMALL = 20_000
"""Characters of a turn that is laid out to the end at once, with link definitions that come late."""


class Slot(Struct):
    """A turn, its height, and its rows while it is laid out."""

    turn: Turn
    height: int = 0
    """Measured, if it has ever been laid out at this width; else estimated, 0 until asked for."""
    rows: TurnRows | None = None


class Shelf:
    """Turns one below the other, in rows from the top; `rows` of a slot come and go, its height stays."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.laid_out = 0
        """Rows laid out so far."""
        self._slots = [Slot(turn) for turn in turns]
        self._places = {turn.id: place for place, turn in enumerate(turns)}
        self._tops = [0]
        """Where each turn begins, and where the last one ends."""
        self._width = 0
        self._recent: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def height(self) -> int:
        return self._tops[-1]

    def with_turns(self, turns: Sequence[Turn]) -> Shelf:
        """Another shelf, on which turns that stand on this one are what they are here."""
        other = Shelf(turns)
        other.laid_out, other._width = self.laid_out, self._width
        for slot in other._slots:
            before = self._slots[self._places[slot.turn.id]] if slot.turn.id in self._places else None
            if before is not None and _same_text(before.turn, slot.turn):
                slot.height, slot.rows = before.height, before.rows
                if slot.rows is not None:
                    slot.turn, wanted = before.turn, slot.turn
                    slot.rows.dress(wanted.head, wanted.notes)
                    slot.height = slot.rows.height
        other._recent = OrderedDict((key, None) for key in self._recent if other.rows_of(key) is not None)
        other._place_from(0)
        return other

    def set_width(self, width: int) -> None:
        """Turns have this many cells from now on."""
        if width != self._width:
            self._width = width
            for slot in self._slots:
                slot.rows, slot.height = None, 0
            self._recent.clear()
            self._place_from(0)

    def forget(self) -> None:
        """Drop the rows and keep the heights: other colours take the same room."""
        for slot in self._slots:
            slot.rows = None
        self._recent.clear()

    def renew(self, places: Sequence[int]) -> None:
        """Drop the rows of turns of which more or less is to be shown."""
        for place in places:
            self._slots[place].rows, self._slots[place].height = None, 0
        self._place_from(min(places, default=len(self._slots)))

    # turns

    def place(self, turn_id: str) -> int | None:
        return self._places.get(turn_id)

    @property
    def turns(self) -> list[Turn]:
        return [slot.turn for slot in self._slots]

    def turn(self, place: int) -> Turn:
        return self._slots[place].turn

    def rows_of(self, turn_id: str) -> TurnRows | None:
        place = self._places.get(turn_id)
        return None if place is None else self._slots[place].rows

    def append(self, turn_id: str, text: str, thinking: str) -> None:
        """More of a turn that is not laid out has come."""
        if (place := self._places.get(turn_id)) is not None:
            slot = self._slots[place]
            slot.turn.text += text
            slot.turn.thinking += thinking
            slot.height = estimate(slot.turn, self._width)
            self._place_from(place)

    def dress(self, turn_id: str, head: Head, notes: tuple[Note, ...]) -> None:
        """Change a turn that is not laid out."""
        if (place := self._places.get(turn_id)) is not None:
            turn = self._slots[place].turn
            turn.head, turn.notes = head, notes

    def lay_out(self, place: int, palette: Palette) -> TurnRows:
        """Lay out the first of a turn; the height is what there is of it."""
        slot = self._slots[place]
        from tui_chat.ui.rows import TurnRows

        slot.rows = TurnRows(slot.turn, palette, self._width)
        slot.rows.advance()
        while slot.rows.done and slot.rows.settle() is not None and len(slot.turn.text) < SMALL:
            pass
        self._recent[slot.turn.id] = None
        self.measure(place)
        return slot.rows

    def measure(self, place: int) -> int:
        """Take the height of a turn that is laid out; by how much it has changed."""
        slot = self._slots[place]
        if slot.rows is None:
            return 0
        before, slot.height = slot.height, slot.rows.height
        self.laid_out += slot.rows.take_count()
        if slot.height != before:
            self._place_from(place)
        return slot.height - before

    # places

    def top(self, place: int) -> int:
        return self._tops[place]

    def turn_height(self, place: int) -> int:
        return self._slots[place].height

    def at(self, row: int) -> tuple[int, int]:
        """(turn, row within it) of a row; the last turn for what is below."""
        place = max(0, min(len(self._slots), bisect_right(self._tops, max(0, row))) - 1)
        return place, row - self._tops[place]

    def row(self, row: int) -> Strip | None:
        """A row; None below the last, and in a turn that is not laid out."""
        if not 0 <= row < self.height:
            return None
        place, offset = self.at(row)
        rows = self._slots[place].rows
        return rows.row(offset) if rows is not None and offset < rows.height else None

    def unseen(self, top: int, end: int, *, upwards: bool) -> int | None:
        """A turn between these rows that is not laid out."""
        if not self._slots:
            return None
        first, last = self.at(top)[0], self.at(min(end, self.height) - 1)[0]
        places = range(last, first - 1, -1) if upwards else range(first, last + 1)
        return next((place for place in places if self._slots[place].rows is None), None)

    def anchor(self, top: int, end: int) -> tuple[int, int]:
        """(turn, the view's top seen from the turn's): the first turn in view that is laid out, else the first."""
        first, last = self.at(top)[0], self.at(min(end, self.height) - 1)[0]
        laid = (place for place, slot in enumerate(self._slots[first : last + 1], first) if slot.rows is not None)
        place = next(laid, first)
        return place, top - self._tops[place]

    def keep(self, top: int, end: int) -> None:
        """Drop the rows of turns that have been out of view for longest, until what is left is few."""
        if not self._slots:
            return
        first, last = self.at(top)[0], self.at(min(end, self.height) - 1)[0]
        for slot in self._slots[first : last + 1]:
            if slot.rows is not None:
                self._recent[slot.turn.id] = None
                self._recent.move_to_end(slot.turn.id)
        seen = {slot.turn.id for slot in self._slots[first : last + 1]}
        others = [key for key in self._recent if key not in seen]
        spare = sum(self._slots[self._places[key]].height for key in others) - ROWS_KEPT
        for key in others:
            slot = self._slots[self._places[key]]
            if spare <= 0:
                break
            if slot.rows is not None and slot.rows.done:
                spare -= slot.height
                slot.rows = None
                del self._recent[key]

    def _place_from(self, place: int) -> None:
        for slot in self._slots[place:]:
            slot.height = slot.height or estimate(slot.turn, self._width)
        del self._tops[place + 1 :]
        heights = (slot.height for slot in self._slots[place:])
        self._tops += list(accumulate(heights, initial=self._tops[place]))[1:]


def estimate(turn: Turn, width: int) -> int:
    """About how many rows a turn takes."""
    room = max(1, width - 2)
    rows = 2 + len(turn.notes)
    if (folded := folded_rows(turn, room)) is not None:
        return rows + folded
    for text in (turn.text, turn.thinking):
        if text:
            rows += 1 + text.count("\n") + len(text) // room
    return rows


def _same_text(old: Turn, new: Turn) -> bool:
    return old.role == new.role and old.text == new.text and old.thinking == new.thinking
