"""A list of items of one height with a cursor: a Line API widget that draws what can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_chat.ui.cells import BAR
from tui_chat.ui.keys import Key, bindings
from tui_chat.ui.rows.runs import wrap

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events

    Palette = dict[str, Style]

STYLES = (
    "name", "text", "dim", "user", "reply", "hit", "mark", "line", "good", "warning", "error", "bar", "cursor",
)  # fmt: skip
"""Names of the styles a palette holds; each is a component class `list--NAME`."""
MOVES = (
    Key("up", "move_by(-1)"),
    Key("down", "move_by(1)"),
    Key("pageup", "page(-1)"),
    Key("pagedown", "page(1)"),
    Key("home", "move_to(0)"),
    Key("end", "move_to(-1)"),
    Key("enter", "choose"),
)


class CursorList(ScrollView, can_focus=True):
    """A subclass draws items and says what choosing one means."""

    BINDINGS: ClassVar = bindings(MOVES)
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"list--{name}" for name in STYLES}
    ALLOW_SELECT = False
    DEFAULT_CSS = """
    CursorList {
        width: 1fr;
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        scrollbar-color: $panel;
        scrollbar-color-hover: $primary 60%;
        scrollbar-color-active: $primary;
        background: $background;
        color: $foreground;
    }
    .list--name { color: $foreground; text-style: bold; }
    .list--text { color: $foreground; }
    .list--dim { color: $muted; }
    .list--user { color: $primary; text-style: bold; }
    .list--reply { color: $secondary; text-style: bold; }
    .list--hit { color: $primary; text-style: bold; }
    .list--mark { color: $accent; }
    .list--line { color: $muted; }
    .list--good { color: $success; }
    .list--warning { color: $warning; }
    .list--error { color: $error; }
    .list--bar { color: $primary; }
    .list--cursor { background: $panel; }
    """
    SCOPED_CSS = False

    def __init__(self, rows: int, *, lit: bool, id: str | None = None) -> None:
        """`rows` is the height of an item; `lit` shows the cursor without the focus, too."""
        super().__init__(id=id)
        self.cursor = 0
        self.length = 0
        self._rows = rows
        self._lit = lit
        self._colours: Palette = {}

    # for subclasses

    def draw(self, place: int, row: int, width: int) -> list[Segment]:
        """One row of an item, at most `width` columns; the cursor's bar is not part of it."""
        raise NotImplementedError

    def choose(self) -> None:
        """Take the item at the cursor."""
        raise NotImplementedError

    def said_instead(self) -> str:
        """What an empty list says."""
        return ""

    def moved(self) -> None:
        """The cursor stands elsewhere."""

    @property
    def palette(self) -> Palette:
        if not self._colours:
            self._colours = {name: self.get_component_rich_style(f"list--{name}", partial=True) for name in STYLES}
        return self._colours

    @property
    def columns(self) -> int:
        """Cells of a row, the scrollbar left out."""
        return self.scrollable_content_region.width

    def view(self) -> tuple[int, int]:
        """The first and the last place that can be seen, whether there are items or not."""
        top = self.scroll_offset.y
        return top // self._rows, (top + max(1, self.size.height) - 1) // self._rows

    def set_length(self, length: int) -> None:
        self.length = length
        self.virtual_size = Size(self.columns, length * self._rows)

    # the cursor

    def move_to(self, place: int) -> None:
        """Put the cursor on an item, or the nearest there is, and bring it into view."""
        old, self.cursor = self.cursor, max(0, min(place, self.length - 1))
        if old != self.cursor:
            self._refresh_item(old)
            self._refresh_item(self.cursor)
            self.moved()
        self.reveal()

    def reveal(self) -> None:
        top, height = self.cursor * self._rows, self.size.height
        if height and top < self.scroll_offset.y:
            self._scroll_at_once(top)
        elif height and top + self._rows > self.scroll_offset.y + height:
            self._scroll_at_once(top + self._rows - height)

    def action_move_by(self, step: int) -> None:
        self.move_to(self.cursor + step)

    def action_page(self, direction: int) -> None:
        self.move_to(self.cursor + direction * max(1, self.size.height // self._rows - 1))

    def action_move_to(self, place: int) -> None:
        self.move_to(place if place >= 0 else self.length - 1)

    def action_choose(self) -> None:
        self.choose()

    def on_click(self, event: events.Click) -> None:
        place = (event.y + self.scroll_offset.y) // self._rows
        if place < self.length:
            self.clicked(place)

    def clicked(self, place: int) -> None:
        self.move_to(place)
        self.choose()

    # what is drawn

    def render_line(self, y: int) -> Strip:
        width = self.columns
        place, row = divmod(y + self.scroll_offset.y, self._rows)
        if place >= self.length:
            return self._line_instead(y).adjust_cell_length(width).apply_style(self.rich_style)
        lit = place == self.cursor and (self._lit or self.has_focus)
        bar = Segment(BAR, self.palette["bar"]) if lit else Segment(" ")
        strip = Strip([bar, *self.draw(place, row, width - 1)]).adjust_cell_length(width)
        return strip.apply_style(self.rich_style + self.palette["cursor"] if lit else self.rich_style)

    def _line_instead(self, y: int) -> Strip:
        said = self.said_instead() if not self.length else ""
        lines = wrap([Segment(said, self.palette["dim"])], max(1, self.columns - 4)) if said else []
        if not 1 <= y <= len(lines):
            return Strip.blank(self.columns)
        return Strip([Segment("   "), *lines[y - 1]])

    def _refresh_item(self, place: int) -> None:
        shown = Region(0, place * self._rows - self.scroll_offset.y, self.size.width, self._rows)
        if visible := shown.intersection(self.size.region):
            self.refresh(visible)

    def _scroll_at_once(self, y: int) -> None:
        self.scroll_to(y=y, animate=False, force=True)

    def on_resize(self) -> None:
        self.set_length(self.length)
        self.reveal()

    def on_focus(self) -> None:
        self._refresh_item(self.cursor)

    def on_blur(self) -> None:
        self._refresh_item(self.cursor)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        # The colours of a new theme are known once the styles have been applied.
        self.call_after_refresh(self._recolour)

    def _recolour(self) -> None:
        self._colours = {}
        self.refresh()
