"""The conversation on the screen, with the reply under way as its last turn: one Line API widget.

Only turns near the view are laid out; the height of the others is estimated, and an estimate that turns into a measure
moves nothing that is seen. The view follows the tail while it is at the tail; scrolled up, it never moves by itself.
"""

from __future__ import annotations

import asyncio
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, cast

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_chat.ui.frames import frames_of
from tui_chat.ui.rows import STYLES
from tui_chat.ui.scrolling import moved_up
from tui_chat.ui.widgets.damage import BLANK, changed_cells
from tui_chat.ui.widgets.marking import Marking
from tui_chat.ui.widgets.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual.reactive import Reactive
    from textual.timer import Timer

    from tui_chat.ui.rows import Change, Head, Note, Palette, Turn, TurnRows
    from tui_chat.ui.rows.links import Link
    from tui_chat.ui.widgets.finding import Search

_VIRTUAL_SIZE = cast("Reactive[Size]", Widget.virtual_size)
_SCROLL_Y = Widget.scroll_y
_SCROLL_TARGET_Y = cast("Reactive[float]", Widget.scroll_target_y)

BAR_S = 0.3
REST_S = 0.1
"""How long nothing has to be asked for until turns near the view are laid out."""

SLICE = 2_000
"""Characters laid out at a time while keys wait."""
SLICE_S = 0.008
"""How long turns are laid out until the event loop goes on with what else has come."""


class Transcript(Marking):
    """Shows turns; `show` sets them, `grow` and `dress` change one."""

    class Scrolled(Message):
        """The user has moved the view."""

        def __init__(self, transcript: Transcript) -> None:
            super().__init__()
            self.transcript = transcript

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"rows--{name}" for name in (*STYLES, "cursor")}
    can_focus = False
    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        """True while the view is at the tail."""
        self.by_pages = False
        """The view follows the tail by a third of the page at a time, not line by line."""
        self.bar_s = BAR_S
        """How often the scrollbar is brought up to date while a reply streams in, in seconds."""
        self.painted = 0
        """Rows painted so far."""
        self._numbered = ""
        """The turn whose code blocks are numbered."""
        self._numbers: tuple[int, dict[int, int]] = (-1, {})
        """(rows of the turn when they were counted, number by the row in which a block begins)"""
        self._shelf = Shelf([])
        self._palette: Palette = {}
        self._unfinished: list[TurnRows] = []
        self._opened: set[str] = set()
        """Turns whose folds were opened."""
        self.search: Search | None = None
        """What is shown as found."""
        self._bar_timer: Timer | None = None
        self._bar_shown = 0.0
        self._rest_timer: Timer | None = None

    @property
    def columns(self) -> int:
        """Cells of a row, the scrollbar left out."""
        return self.scrollable_content_region.width

    @property
    def laid_out(self) -> int:
        """Rows laid out so far; one that is laid out again counts again."""
        return self._shelf.laid_out

    def scrolled_by(self, rows: int) -> bool:
        """The view, `rows` of it, has moved down over the content, which has grown at the tail.

        True when what is on the terminal has been moved up by as many rows, so that only those that have come into
        view and those that have changed are left to paint.
        """
        return moved_up(frames_of(self), self, rows)

    # what is shown

    def show(self, turns: Sequence[Turn]) -> None:
        """Show these turns and no others; what stood there already is not laid out again."""
        for turn in turns:
            turn.folded = turn.folded and turn.id not in self._opened
        place, offset = self._shelf.at(self.scroll_offset.y)
        held = self._shelf.turn(place).id if self._shelf else ""
        self._shelf = self._shelf.with_turns(turns)
        if self._ready():
            self._view(self._top_of(held, offset))
            self.refresh()

    def grow(self, turn_id: str, text: str, thinking: str) -> None:
        """More of a reply has come."""
        shelf, top = self._shelf, self.scroll_offset.y
        rows = shelf.rows_of(turn_id)
        if rows is None:
            anchor, offset = shelf.anchor(top, top + self._page)
            shelf.append(turn_id, text, thinking)
            if self._ready() and not self.following:
                self._stand(shelf.top(anchor) + offset)
            return
        busy = not rows.done
        rows.append(text, thinking)
        if rows.outdated and self._shut(rows.turn):
            return
        if not busy and self._ready():
            self._changed(rows, rows.advance(SLICE))
            if not rows.done:
                self._later(rows)

    def dress(self, turn_id: str, head: Head, notes: tuple[Note, ...]) -> None:
        """Change the lines above and below a turn."""
        rows = self._shelf.rows_of(turn_id)
        if rows is None:
            self._shelf.dress(turn_id, head, notes)
            return
        if (change := rows.dress(head, notes)) is not None:
            self._changed(rows, change)
        self._later(rows)

    def number_code(self, turn_id: str) -> None:
        """Show the numbers of the code blocks of this turn, which is whole, and of no other."""
        if turn_id != self._numbered:
            self._numbered, self._numbers = turn_id, (-1, {})
            self.refresh()

    def to_tail(self) -> None:
        """Go to the newest text and follow it."""
        self.following = True
        if self._ready():
            self._view(self.max_scroll_y)
            self.refresh()

    def to_turn(self, turn_id: str) -> None:
        """Put the first line of a turn at the top of the view, as far as there is text below it."""
        self.to_row(turn_id, 0)

    def to_row(self, turn_id: str, row: int) -> None:
        """Put a row of a turn at the top of the view, as far as there is text below it; -1 is the row above it."""
        if self._ready() and self._shelf.place(turn_id) is not None:
            self.following = False
            self._view(self._top_of(turn_id, row))
            # What was estimated above it has been measured by now.
            self._view(self._top_of(turn_id, row))
            self.refresh()
            self._show_bar(at_once=True)

    def stand_like(self, other: Transcript) -> None:
        """Go to the turn at the top of another's view, as far into it by its height."""
        if other.following:
            self.to_tail()
        elif self._ready() and self._shelf and other._shelf:
            shelf = other._shelf
            place, offset = shelf.at(other.scroll_offset.y)
            share = offset / max(1, shelf.turn_height(place))
            place = min(place, len(self._shelf) - 1)
            for _ in range(2):
                # What was estimated above it is measured by the second time.
                self.stand_at(self._shelf.top(place) + round(share * self._shelf.turn_height(place)))

    # what is asked of turns

    @property
    def turns(self) -> list[Turn]:
        return self._shelf.turns

    @property
    def view(self) -> range:
        """The turns in view, as places in `turns`."""
        if not self._shelf:
            return range(0)
        top = self.scroll_offset.y
        return range(self._shelf.at(top)[0], self._shelf.at(min(top + self._page, self._shelf.height) - 1)[0] + 1)

    def top_row(self, place: int) -> int:
        """The row of a turn that stands at the top of the view; below 0 when the turn begins further down."""
        return self.scroll_offset.y - self._shelf.top(place)

    def in_view(self, place: int, row: int) -> bool:
        return 0 <= row - self.top_row(place) < self._page

    def whole(self, place: int) -> TurnRows | None:
        """A turn laid out to its end; what is in view stays where it is."""
        shelf, top = self._shelf, self.scroll_offset.y
        if not self._ready():
            return None
        anchor, offset = shelf.anchor(top, top + self._page)
        rows = shelf.rows_of(shelf.turn(place).id) or shelf.lay_out(place, self._palette)
        rows.rows()
        shelf.measure(place)
        self._stand(max(0, shelf.height - self._page) if self.following else shelf.top(anchor) + offset)
        self.refresh()
        return rows

    async def links(self, turn_id: str) -> list[Link]:
        """The links of a reply in the order of their numbers, once all that has come of it has been laid out."""
        place = self._shelf.place(turn_id)
        if place is None or not self._ready():
            return []
        if self._shelf.rows_of(turn_id) is None:
            self.lay_out_at(place)
        while (rows := self._shelf.rows_of(turn_id)) in self._unfinished:
            await asyncio.sleep(SLICE_S)
        return rows.links if rows is not None else []

    def code_rows(self, rows: TurnRows) -> list[int]:
        """The first rows of a turn's code blocks."""
        block = self._palette["block"]

        @cache
        def is_block(style: Style) -> bool:
            # A label that is no line of the text says so in its style.
            return style.clear_meta_and_links() == block

        code = [any(is_block(run.style) for run in rows.row(row) if run.style) for row in range(rows.height)]
        return [row for row, is_code in enumerate(code) if is_code and not code[row - 1]]

    # folds

    def fold(self, turn_ids: Sequence[str], *, folded: bool) -> None:
        """Fold or open turns; one alone is shown from its first line where that is above the view."""
        places = [place for turn_id in turn_ids if (place := self._shelf.place(turn_id)) is not None]
        for place in places:
            self._shelf.turn(place).folded = folded
        (self._opened.difference_update if folded else self._opened.update)(turn_ids)
        self._renew(places)
        if len(places) == 1 and self._shelf.top(places[0]) < self.scroll_offset.y:
            self.to_turn(turn_ids[0])
            self.following = self.scroll_offset.y >= self.max_scroll_y

    def _shut(self, turn: Turn) -> bool:
        """Fold the thoughts of an answer that begins; False when they are being read and stay."""
        place, top = self._shelf.place(turn.id), self.scroll_offset.y
        if place is None:
            return False
        if not self.following and self._shelf.top(place) < top + self._page:
            turn.folded = False
            self._opened.add(turn.id)
            return False
        self._renew([place])
        return True

    def _renew(self, places: Sequence[int]) -> None:
        shelf, top = self._shelf, self.scroll_offset.y
        anchor, offset = shelf.anchor(top, top + self._page)
        shelf.renew(places)
        if shelf and self._ready():
            if anchor in places:
                self._lay_out(anchor)
            self._view(shelf.top(anchor) + min(offset, shelf.turn_height(anchor) - 1))
            self.refresh()

    # laying out in steps

    def _later(self, rows: TurnRows) -> None:
        """Finish a turn behind keys and frames."""
        if rows not in self._unfinished:
            self._unfinished.append(rows)
            if len(self._unfinished) == 1:
                self.call_later(self._go_on)

    async def _go_on(self) -> None:
        """Lay out for a moment, behind what has come meanwhile."""
        # Callbacks of one widget follow each other without the event loop in between.
        await asyncio.sleep(0)
        until = monotonic() + SLICE_S
        while self._unfinished and monotonic() < until:
            self._step()
        if self._unfinished:
            self.call_later(self._go_on)

    def _step(self) -> None:
        """One step of the first turn that is not finished."""
        rows = self._unfinished[0]
        change = None
        if self._shelf.rows_of(rows.turn.id) is rows:
            change = rows.settle(SLICE) if rows.done else rows.advance(SLICE)
        if change is None:
            self._unfinished.pop(0)
        else:
            self._changed(rows, change)

    def _lay_out(self, place: int) -> None:
        """Lay out a turn of which only the height is estimated."""
        self._later(self._shelf.lay_out(place, self._palette))

    def _ready(self) -> bool:
        """True once size and colours are known."""
        if not self.is_attached or self.columns <= 0:
            return False
        if not self._palette and self._shelf:
            self._palette = self._colours()
        self._shelf.set_width(self.columns)
        return True

    def lay_out_at(self, place: int) -> None:
        top = self.scroll_offset.y
        anchor, offset = self._shelf.anchor(top, top + self._page)
        self._lay_out(place)
        self._view(self._shelf.top(anchor) + offset)

    # where the view stands

    def stand_at(self, top: int) -> None:
        self.following = False
        self._view(top)
        self.refresh()
        self._show_bar(at_once=True)

    def _view(self, top: int) -> None:
        """Put the view at a row, or at the tail while that is followed, and lay out what is seen there."""
        shelf, height = self._shelf, self._page
        while True:
            top = max(0, min(shelf.height - height, top)) if not self.following else max(0, shelf.height - height)
            place = shelf.unseen(top, top + height, upwards=self.following)
            if place is None:
                break
            anchor, offset = shelf.anchor(top, top + height)
            self._lay_out(place)
            top = shelf.top(anchor) + min(offset, shelf.turn_height(anchor) - 1)
        shelf.keep(top, top + height)
        self._stand(top)
        self._rest()

    def _stand(self, top: int) -> None:
        """Set place and height without the reactives, each of which would paint the whole view."""
        self.set_reactive(_VIRTUAL_SIZE, Size(self.columns, self._shelf.height))
        self.set_reactive(_SCROLL_Y, float(top))
        self.set_reactive(_SCROLL_TARGET_Y, float(top))
        self._show_bar()

    def _tail(self, top: int) -> int:
        """The top row of the view at the tail; by pages, room is left below it for what comes next."""
        low = max(0, self._shelf.height - self._page)
        if not self.by_pages:
            return low
        return low + self._page // 3 if low > top else top if top - low < self._page // 2 else low

    @property
    def _page(self) -> int:
        return self.scrollable_content_region.height

    def _top_of(self, turn_id: str, offset: int) -> int:
        place = self._shelf.place(turn_id)
        return self._shelf.height if place is None else self._shelf.top(place) + offset

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The user has scrolled."""
        old, new = round(old_value), round(new_value)
        if old != new and self._ready():
            self.following = new >= self.max_scroll_y
            self._view(new)
            self.refresh()
            self._show_bar(at_once=True)
            self.post_message(self.Scrolled(self))

    def on_resize(self) -> None:
        place, offset = self._shelf.at(self.scroll_offset.y)
        before = self._shelf.turn_height(place) if self._shelf else 1
        if self._ready():
            share = offset / max(1, before)
            self._view(self._shelf.top(place) + round(share * self._shelf.turn_height(place)) if self._shelf else 0)
            if self._shelf:
                self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        # The colours of the new theme are known once the styles have been applied.
        self.call_after_refresh(self._recolour)

    def _recolour(self) -> None:
        if not self.is_attached:
            # It was taken off the screen meanwhile, and its styles with it.
            return
        if not self._shelf:
            # They are looked up with the first turn.
            self._palette = {}
            return
        colours = self._colours()
        if colours != self._palette and self._ready():
            self._palette = colours
            self._shelf.forget()
            self._view(self.scroll_offset.y)
            self.refresh()

    def _colours(self) -> Palette:
        return {name: self.get_component_rich_style(f"rows--{name}", partial=True) for name in STYLES}

    # beside the view

    def _show_bar(self, *, at_once: bool = False) -> None:
        """Bring the scrollbar up to date, a few times a second."""
        if at_once or monotonic() - self._bar_shown >= self.bar_s:
            self._bar_shown = monotonic()
            bar = self.vertical_scrollbar
            bar.window_virtual_size = max(1, self._shelf.height)
            bar.window_size = self._page
            bar.position = self.scroll_offset.y
        elif self._bar_timer is None:
            self._bar_timer = self.set_timer(self.bar_s, self._bar_due)

    def _bar_due(self) -> None:
        self._bar_timer = None
        self._show_bar(at_once=True)

    def _rest(self) -> None:
        """Once nothing moves, lay out what a page up or down would show."""
        if self._rest_timer is None:
            self._rest_timer = self.set_timer(REST_S, self._prepare)

    def _prepare(self) -> None:
        self._rest_timer = None
        if not self._ready():
            return
        top, height = self.scroll_offset.y, self._page
        place = self._shelf.unseen(top - 2 * height, top + 3 * height, upwards=True)
        if place is not None:
            self.lay_out_at(place)

    # painting

    def _changed(self, rows: TurnRows, change: Change) -> None:
        """Paint what has changed in a turn, and where the view stands after it."""
        shelf, top, page = self._shelf, self.scroll_offset.y, self._page
        place = shelf.place(rows.turn.id)
        if place is None or not self._ready():
            return
        anchor, offset = shelf.anchor(top, top + page)
        grown = shelf.measure(place)
        new_top = self._tail(top) if self.following else max(0, shelf.top(anchor) + offset)
        self._stand(new_top)
        if not self.following and place < anchor:
            # What stands in view has kept its place.
            return
        moved = new_top - top if self.following else 0
        if moved < 0 or (moved and not self.scrolled_by(moved)):
            self.refresh()
        else:
            self._paint(
                shelf.top(place) + change.first - new_top,
                change,
                page - moved,
                below=bool(grown) and place < len(shelf) - 1,
            )

    def _paint(self, first: int, change: Change, entered: int, *, below: bool) -> None:
        """Refresh changed cells; `first` is the view's row of the change, rows from `entered` on were not in view."""
        width, page = self.columns, self._page
        last = first + max(len(change.old), len(change.new))
        if below:
            self.refresh(Region(0, max(0, first), width, max(0, page - max(0, first))))
            return
        for y in range(max(0, first), min(page, last)):
            place = y - first
            old = change.old[place] if place < len(change.old) else BLANK
            new = change.new[place] if place < len(change.new) else BLANK
            if y >= entered:
                self.refresh(Region(0, y, width, 1))
            elif old is not new and old != new:
                start, end = changed_cells(old, new)
                self.refresh(Region(start, y, max(1, min(width, end) - start), 1))

    def render_line(self, y: int) -> Strip:
        width = self.columns
        self.painted += 1
        strip = self._shelf.row(y + self.scroll_offset.y)
        if strip is None:
            return Strip.blank(width, self.rich_style)
        if self.search is not None:
            place, row = self._shelf.at(y + self.scroll_offset.y)
            if (rows := self._shelf.rows_of(self._shelf.turn(place).id)) is not None:
                strip = self.search.marked(rows, row, self._palette)
        drawn = self._with_number(strip.adjust_cell_length(width), y).apply_style(self.rich_style)
        return self.marked(drawn, y + self.scroll_offset.y)

    def _with_number(self, strip: Strip, y: int) -> Strip:
        """The row, with the number of the code block that begins there, where there is room."""
        if not self._numbered:
            return strip
        place, row = self._shelf.at(y + self.scroll_offset.y)
        rows = self._shelf.rows_of(self._numbered) if self._shelf.turn(place).id == self._numbered else None
        if rows is None:
            return strip
        if self._numbers[0] != rows.height:
            self._numbers = rows.height, {first: n for n, first in enumerate(self.code_rows(rows), 1)}
        label = f" [{self._numbers[1][row]}] " if row in self._numbers[1] else ""
        room = strip.cell_length - len(label)
        if not label or room < 0 or strip.crop(room).text.strip():
            return strip
        style = self._palette["block"] + self._palette["language"]
        return Strip.join([strip.crop(0, room), Strip([Segment(label, style)])])
