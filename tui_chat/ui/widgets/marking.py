"""Marking text of the conversation with the mouse or with the keys, and the text that is marked.

A mark has two ends, each a cell in a row of a turn, so that it stays where it is while the conversation grows. What is
taken is the text before it was wrapped and drawn.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_chat.ui.cells import columns
from tui_chat.ui.rows.marks import is_decor, joint, text_of
from tui_chat.ui.rows.runs import clusters

if TYPE_CHECKING:
    from textual import events
    from textual.timer import Timer

    from tui_chat.ui.rows import Palette
    from tui_chat.ui.widgets.shelf import Shelf

EDGE_S = 0.05
"""How often the view moves by a line while the mouse is held beyond its edge."""

_WORD = re.compile(r"[\w'’-]+|\S")


class Point(NamedTuple):
    """A cell: the turn's id, a row of the turn, a column."""

    turn: str
    row: int
    x: int


class Marking(ScrollView):
    """Base of the transcript. While the keys mark, it has the focus and a cursor."""

    class Marked(Message):
        """The mouse has marked something."""

    class Taken(Message):
        """A key asked for what is marked."""

    class Left(Message):
        """The keys do not mark any more."""

    following: bool
    _shelf: Shelf
    _palette: Palette

    _anchor: Point | None = None
    """Where the mark begins; None: nothing is marked."""
    _point: Point | None = None
    """Where it ends, the cell included; the cursor of the keys."""
    _keys_mark = False
    _column = 0
    """Where the cursor goes in a row that is long enough."""
    _width = 0
    _pressed: Point | None = None
    """Where the mouse was pressed, while it is held."""
    _mouse_at = (0, 0)
    _edge_timer: Timer | None = None

    def lay_out_at(self, place: int) -> None:
        """Lay out a turn; what is in view stays where it is."""
        raise NotImplementedError

    def stand_at(self, top: int) -> None:
        """Put the view at a row and follow the tail no more."""
        raise NotImplementedError

    # what is marked

    @property
    def keys_mark(self) -> bool:
        """True while the keys move the cursor."""
        return self._keys_mark

    @property
    def marked_text(self) -> str:
        """The text marked, unwrapped; what is drawn where nothing else is marked."""
        bounds = self._bounds()
        if bounds is None:
            return ""
        rows = self._marked_rows(*bounds)
        return text_of(rows) or "\n".join(row.text.strip() for row in rows).strip("\n")

    def unmark(self) -> bool:
        """Mark nothing; False when nothing was, and the keys did not mark."""
        held = self._anchor is not None or self._keys_mark
        self._anchor = self._point = self._pressed = None
        self.following = self.following or (held and self.scroll_offset.y >= self.max_scroll_y)
        if self._keys_mark:
            self._keys_mark = False
            self.can_focus = False
            self.post_message(self.Left())
        if held:
            self.refresh()
        return held

    def _bounds(self) -> tuple[Point, Point] | None:
        """(first cell, last cell); None when nothing is marked that is still shown."""
        anchor, point = self._anchor, self._point
        if anchor is None or point is None:
            return None
        places = self._shelf.place(anchor.turn), self._shelf.place(point.turn)
        if places[0] is None or places[1] is None:
            return None
        first, last = sorted(((places[0], *anchor[1:], anchor), (places[1], *point[1:], point)))
        return first[-1], last[-1]

    def _marked_rows(self, first: Point, last: Point) -> list[Strip]:
        shelf = self._shelf
        start, end = shelf.place(first.turn) or 0, shelf.place(last.turn) or 0
        rows: list[Strip] = []
        for place in range(start, end + 1):
            turn = self._rows_at(place)
            until = last.row if place == end else len(turn) - 1
            for row in range(first.row if place == start else 0, min(until, len(turn) - 1) + 1):
                left = first.x if (place, row) == (start, first.row) else 0
                right = _after(turn[row], last.x) if (place, row) == (end, last.row) else turn[row].cell_length
                rows.append(turn[row].crop(min(left, right), right))
        return rows

    def _rows_at(self, place: int) -> list[Strip]:
        """The rows of a turn; of one that is out of view they are laid out for once."""
        turn = self._shelf.turn(place)
        rows = self._shelf.rows_of(turn.id)
        if rows is None:
            from tui_chat.ui.rows import TurnRows

            rows = TurnRows(turn, self._palette, self.scrollable_content_region.width)
        return rows.rows() if not rows.done else [rows.row(at) for at in range(rows.height)]

    # drawing

    def marked(self, strip: Strip, row: int) -> Strip:
        """A row of the view as it is drawn, `row` counted from the top of the conversation."""
        if self._point is None:
            return strip
        span = self._span(row)
        if span is not None:
            style = self.screen.get_component_rich_style("screen--selection")
            strip = _over(strip, *span, Style(color=style.color, bgcolor=style.bgcolor, reverse=style.reverse))
        if self._keys_mark and row == self._row_of(self._point):
            x = self._point.x
            strip = _over(strip, x, _after(strip, x), self.get_component_rich_style("rows--cursor", partial=True))
        return strip

    def _span(self, row: int) -> tuple[int, int] | None:
        """(first, end) of the cells marked in a row."""
        bounds = self._bounds()
        if bounds is None:
            return None
        first, last = map(self._row_of, bounds)
        strip = self._shelf.row(row)
        if strip is None or not first <= row <= last:
            return None
        end = max(1, strip.cell_length)
        start = bounds[0].x if row == first else 0
        return min(start, end), min(end, _after(strip, bounds[1].x)) if row == last else end

    def _row_of(self, point: Point) -> int:
        place = self._shelf.place(point.turn)
        return -1 if place is None else self._shelf.top(place) + point.row

    # the mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.button == 1 and event.get_content_offset(self) is not None:
            self.unmark()
            self._pressed = self._at(*event.get_content_offset_capture(self))
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._pressed is None:
            return
        self._mouse_at = event.get_content_offset_capture(self)
        if self._point is None and self._at(*self._mouse_at) == self._pressed:
            return
        self._mark_to_mouse()
        if self._edge_timer is None:
            self._edge_timer = self.set_interval(EDGE_S, self._beyond_edge)

    def _beyond_edge(self) -> None:
        """Move the view while the mouse is held above or below it."""
        y, height = self._mouse_at[1], self.scrollable_content_region.height
        step = min(0, y) or max(0, y - height + 1)
        if step:
            self.stand_at(self.scroll_offset.y + step)
            self._mark_to_mouse()

    def _mark_to_mouse(self) -> None:
        x, y = self._mouse_at
        point = self._at(x, max(0, min(self.scrollable_content_region.height - 1, y)))
        if point is not None and point != self._point:
            # What is marked does not run away with the tail.
            self.following = False
            self._anchor, self._point = self._pressed, point
            self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._edge_timer is not None:
            self._edge_timer.stop()
            self._edge_timer = None
        if self._pressed is not None:
            self._pressed = None
            self.release_mouse()
            if self._anchor is not None:
                self.post_message(self.Marked())

    def on_click(self, event: events.Click) -> None:
        """Two clicks mark a word, three a line."""
        offset = event.get_content_offset(self)
        point = self._at(*offset) if offset is not None and event.chain in (2, 3) else None
        if point is not None:
            self._anchor, self._point = self._word(point) if event.chain == 2 else self._line(point)
            self.refresh()
            self.post_message(self.Marked())

    def _at(self, x: int, y: int) -> Point | None:
        """The cell at a place of the view; the last one for what is below the text."""
        shelf = self._shelf
        row = min(y + self.scroll_offset.y, shelf.height - 1)
        strip = shelf.row(row)
        if strip is None:
            return None
        place, offset = shelf.at(row)
        return Point(shelf.turn(place).id, offset, _snapped(strip, max(0, x)))

    def _strip(self, point: Point) -> Strip:
        return self._shelf.row(self._row_of(point)) or Strip([])

    def _word(self, point: Point) -> tuple[Point, Point]:
        strip = self._strip(point)
        text = strip.text
        at = len(strip.crop(0, point.x).text)
        for found in _WORD.finditer(text):
            if found.start() <= at < found.end():
                return (
                    point._replace(x=columns(text[: found.start()])),
                    point._replace(x=_snapped(strip, columns(text[: found.end()]) - 1)),
                )
        return point, point

    def _line(self, point: Point) -> tuple[Point, Point]:
        """The line of the text that a row is part of."""
        place = self._shelf.place(point.turn) or 0
        rows = self._rows_at(place)
        first = last = min(point.row, len(rows) - 1)
        while first > 0 and joint(rows[first]) is not None:
            first -= 1
        while last + 1 < len(rows) and joint(rows[last + 1]) is not None:
            last += 1
        return Point(point.turn, first, _first_x(rows[first])), Point(point.turn, last, _last_x(rows[last]))

    # the keys

    def mark_by_keys(self) -> bool:
        """Give the keys a cursor, in the last row in view; False when there is no text."""
        point = self._at(0, self.scrollable_content_region.height - 1)
        if point is None:
            return False
        self._keys_mark = True
        self._anchor, self._point = None, point
        self.following = False
        while not self._strip(self._point).text.strip() and self._row_of(self._point) > self.scroll_offset.y:
            self._move(-1)
        self._put_at(_first_x(self._strip(self._point)))
        self.can_focus = True
        self.focus(scroll_visible=False)
        self.refresh()
        return True

    def _on_blur(self, event: events.Blur) -> None:
        if self._keys_mark:
            self.unmark()

    async def _on_key(self, event: events.Key) -> None:
        if not self._keys_mark or self._point is None:
            return
        event.stop()
        event.prevent_default()
        key = event.key.removeprefix("shift+")
        if key in ("v", "space"):
            self._anchor = self._point if self._anchor is None else None
        elif key in ("enter", "y"):
            if self._anchor is None:
                self._anchor, self._point = self._line(self._point)
            self.post_message(self.Taken())
        else:
            if key != event.key and self._anchor is None:
                self._anchor = self._point
            self._go(key)
        self.refresh()

    def _go(self, key: str) -> None:
        """Move the cursor, and the view with it."""
        assert self._point is not None
        strip = self._strip(self._point)
        match key:
            case "up" | "k":
                self._move(-1)
            case "down" | "j":
                self._move(1)
            case "left" | "h":
                self._sideways(strip, -1)
            case "right" | "l":
                self._sideways(strip, 1)
            case "home":
                self._put_at(_first_x(strip))
            case "end":
                self._put_at(_last_x(strip))
            case _:
                return
        self._show_cursor()

    def _sideways(self, strip: Strip, step: int) -> None:
        """A character on; at the end of a row to the next one."""
        assert self._point is not None
        x = self._point.x - 1 if step < 0 else _after(strip, self._point.x)
        if _first_x(strip) <= x <= _last_x(strip):
            self._put_at(_snapped(strip, x))
        elif self._move(step):
            row = self._strip(self._point)
            self._put_at(_last_x(row) if step < 0 else _first_x(row))

    def _put_at(self, x: int) -> None:
        assert self._point is not None
        self._point = self._point._replace(x=x)
        self._column = x

    def _move(self, step: int) -> bool:
        """The cursor a row up or down; False at the end of the conversation."""
        assert self._point is not None
        turn, row, _ = self._point
        place = self._shelf.place(turn)
        if place is None:
            return False
        row += step
        if not 0 <= row < self._shelf.turn_height(place):
            place += step
            if not 0 <= place < len(self._shelf):
                return False
            if self._shelf.rows_of(self._shelf.turn(place).id) is None:
                self.lay_out_at(place)
            row = self._shelf.turn_height(place) - 1 if step < 0 else 0
        self._point = Point(self._shelf.turn(place).id, row, 0)
        strip = self._strip(self._point)
        x = _snapped(strip, max(_first_x(strip), min(_last_x(strip), self._column)))
        self._point = self._point._replace(x=x)
        return True

    def _show_cursor(self) -> None:
        assert self._point is not None
        row, top, height = self._row_of(self._point), self.scroll_offset.y, self.scrollable_content_region.height
        if row < top:
            self.stand_at(row)
        elif row >= top + height:
            self.stand_at(row - height + 1)

    def page(self, step: int) -> None:
        """A page up or down: with the cursor while the keys mark, else the view alone."""
        if self._keys_mark and self._point is not None:
            for _ in range(max(1, self.scrollable_content_region.height - 1)):
                self._move(step)
            self._show_cursor()
            self.refresh()
        elif step < 0:
            self.scroll_page_up(animate=False)
        else:
            self.scroll_page_down(animate=False)

    def _on_resize(self, event: events.Resize) -> None:
        if event.size.width != self._width:
            # The rows are others at another width.
            self._width = event.size.width
            self.unmark()


def _first_x(strip: Strip) -> int:
    """Where the text of a row begins."""
    x = 0
    for run in strip:
        if not is_decor(run):
            return x
        x += run.cell_length
    return 0


def _last_x(strip: Strip) -> int:
    """The last character of a row's text."""
    runs = list(strip)
    while runs and is_decor(runs[-1]):
        runs.pop()
    return _snapped(strip, max(0, sum(run.cell_length for run in runs) - 1))


def _starts(strip: Strip) -> list[int]:
    """Where each character of a row begins, and where the last one ends."""
    return list(accumulate(map(columns, clusters(strip.text)), initial=0))


def _snapped(strip: Strip, x: int) -> int:
    """Where the character begins of which `x` is a cell; `x` itself beyond the row."""
    starts = _starts(strip)
    return starts[bisect_right(starts, x) - 1] if x < starts[-1] else x


def _after(strip: Strip, x: int) -> int:
    """Where the character that begins at `x` ends."""
    starts = _starts(strip)
    return starts[bisect_right(starts, x)] if x < starts[-1] else x + 1


def _over(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """The row with some of its cells in a style."""
    middle = [Segment(text, run + style if run else style, control) for text, run, control in strip.crop(start, end)]
    return Strip.join([strip.crop(0, start), Strip(middle), strip.crop(end)])
