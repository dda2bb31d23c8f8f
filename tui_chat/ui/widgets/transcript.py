"""The conversation on the screen, with the reply under way as its last turn: one Line API widget.

Only visible rows are drawn. The view follows the tail while it is at the tail; scrolled up, it never moves by itself.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, ClassVar

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui_chat.ui.frames import frames_of
from tui_chat.ui.rows import STYLES, TurnRows
from tui_chat.ui.scrolling import moved_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.ui.rows import Head, Note, Palette, Turn


class Transcript(ScrollView):
    """Shows turns; `show` sets them, `grow` and `dress` change one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"rows--{name}" for name in STYLES}
    can_focus = False
    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        """True while the view is at the tail."""
        self._models: list[Turn] = []
        self._turns: list[TurnRows] = []
        self._tops: list[int] = []
        self._height = 0
        self._palette: Palette = {}
        self._laid_width = 0

    @property
    def columns(self) -> int:
        """Cells of a row, the scrollbar left out."""
        return self.scrollable_content_region.width

    def show(self, turns: Sequence[Turn]) -> None:
        """Show these turns and no others."""
        self._models = list(turns)
        self._lay_out()

    def grow(self, turn_id: str, text: str, thinking: str) -> None:
        """More of a reply has come."""
        for place, rows in enumerate(self._turns):
            if rows.turn.id == turn_id:
                before = rows.rows()
                rows.append(text, thinking)
                self._measure(place)
                self._follow()
                self._refresh_from(self._tops[place] + _common(before, rows.rows()))

    def dress(self, turn_id: str, head: Head, notes: tuple[Note, ...]) -> None:
        """Change the lines above and below a turn."""
        for place, rows in enumerate(self._turns):
            if rows.turn.id == turn_id:
                height = len(rows.rows())
                if not rows.dress(head, notes):
                    return
                if len(rows.rows()) == height and not notes:
                    self.refresh_line(self._tops[place])
                    return
                self._measure(place)
                self._follow()
                self._refresh_from(self._tops[place])

    def to_turn(self, turn_id: str) -> None:
        """Put the first line of a turn at the top of the view, as far as there is text below it."""
        for place, rows in enumerate(self._turns):
            if rows.turn.id == turn_id:
                self.following = False
                self.scroll_to(y=self._tops[place], animate=False, force=True)

    def to_tail(self) -> None:
        """Go to the newest text and follow it."""
        self.following = True
        self._follow()

    def render_line(self, y: int) -> Strip:
        width = self.columns
        row = y + self.scroll_offset.y
        if row >= self._height:
            return Strip.blank(width, self.rich_style)
        place = bisect_right(self._tops, row) - 1
        strip = self._turns[place].rows()[row - self._tops[place]]
        return strip.adjust_cell_length(width).apply_style(self.rich_style)

    def on_resize(self) -> None:
        if self.columns != self._laid_width:
            self._lay_out()
        else:
            self._follow()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette = {}
        # The colours of the new theme are known once the styles have been applied.
        self.call_after_refresh(self._lay_out)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        rows = round(new_value) - round(old_value)
        if rows and moved_up(frames_of(self), self, rows):
            self.vertical_scrollbar.position = new_value
        else:
            super().watch_scroll_y(old_value, new_value)
        self.following = round(new_value) >= self.max_scroll_y

    def _lay_out(self) -> None:
        """Lay out every turn anew: other turns, another width or another theme."""
        if not self.is_attached or self.columns <= 0:
            return
        if not self._palette:
            self._palette = {name: self.get_component_rich_style(f"rows--{name}", partial=True) for name in STYLES}
        self._laid_width = self.columns
        self._turns = [TurnRows(turn, self._palette, self.columns) for turn in self._models]
        self._tops = []
        self._height = 0
        self._measure(0)
        self._follow()
        self.refresh()

    def _measure(self, place: int) -> None:
        """Find out where the turns from `place` on stand."""
        del self._tops[place:]
        top = self._tops[-1] + len(self._turns[place - 1].rows()) if place else 0
        for rows in self._turns[place:]:
            self._tops.append(top)
            top += len(rows.rows())
        self._height = top
        # As a reactive it would have the whole screen laid out.
        self.set_reactive(Widget.virtual_size, Size(self.columns, top))  # pyright: ignore[reportArgumentType]  # a descriptor
        self.vertical_scrollbar.window_virtual_size = top
        self.vertical_scrollbar.window_size = self.size.height

    def _follow(self) -> None:
        if self.following and round(self.scroll_y) != self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
            self.following = True

    def _refresh_from(self, row: int) -> None:
        """Repaint what is visible from a row on."""
        top = max(0, row - self.scroll_offset.y)
        if top < self.size.height:
            self.refresh(Region(0, top, self.size.width, self.size.height - top))


def _common(before: Sequence[Strip], after: Sequence[Strip]) -> int:
    """How many rows at the beginning are the same."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((i for i, (old, new) in pairs if old is not new and old != new), min(len(before), len(after)))
