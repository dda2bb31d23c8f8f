"""Scrolling: a line that comes in at the tail costs a line, not a screen, to draw and to send.

To draw: what a widget shows is moved in the picture, together with what Textual remembers of it. To send: the frame
has the terminal move its lines where that leaves less to write. What the terminal shows is moved along and compared
with the picture like any other, so that no move can leave anything wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from textual.dom import NoScreen
from textual.geometry import Region

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui_chat.ui.frames import Frames
    from tui_chat.ui.picture import Picture

MARGINS = 24
"""About what a scroll costs, in cells."""


class Scroll(Struct, frozen=True):
    """Lines `top` up to `bottom` of the screen move up by `rows`; down where that is negative."""

    top: int
    bottom: int
    rows: int
    shared: bool = False
    """Something else stands beside what scrolls; it has to be drawn anew, which shows unless the terminal waits."""

    def then(self, later: Scroll) -> Scroll:
        """Both, as one; the later alone where they are about other lines."""
        if (self.top, self.bottom) != (later.top, later.bottom):
            return later
        return replace(later, rows=self.rows + later.rows)

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


def moved_up(frames: Frames | None, widget: Widget, rows: int) -> bool:
    """What `widget` shows has moved up by `rows` lines (down: negative), less its gutter and scrollbars.

    True: it has been moved on the screen, and the widget draws no more than what is new besides the lines uncovered,
    which are seen to. False: the widget draws all of itself. To be called before it draws anything in the new place;
    `frames` as `frames_of` gives them.
    """
    if frames is None or not _on_top(widget, frames):
        return False
    region = widget.scrollable_content_region
    frames.moving(widget.region.intersection(widget.screen.region), rows)
    if abs(rows) >= region.height or widget.gutter.height or _covered(widget):
        return False
    frames.move(region, rows)
    _shift_damage(widget, rows)
    uncovered = region.height - rows if rows > 0 else 0
    widget.refresh(Region(0, uncovered, region.width, abs(rows)))
    return True


def _on_top(widget: Widget, frames: Frames) -> bool:
    try:
        return widget.screen.is_current and frames.draws(widget.screen)
    except NoScreen:
        return False


def _covered(widget: Widget) -> bool:
    """Something stands before the widget, or it is not on the screen as a whole."""
    region = widget.region
    visible = widget.screen._compositor.visible_widgets  # pyright: ignore[reportPrivateUsage]  # Textual tells nobody else
    for other, (place, clip) in visible.items():
        if other is widget:
            return not clip.contains_region(region)
        if other.parent is not widget and place.intersection(clip).overlaps(region):
            return True
    return True


def _shift_damage(widget: Widget, rows: int) -> None:
    """Move what Textual remembers of the widget: lines it has drawn, and places it is still to draw."""
    cache = widget._styles_cache  # pyright: ignore[reportPrivateUsage]  # there is no other way to these
    cache._cache = {y - rows: strip for y, strip in cache._cache.items()}  # pyright: ignore[reportPrivateUsage]
    cache._dirty_lines = {y - rows for y in cache._dirty_lines}  # pyright: ignore[reportPrivateUsage]
    inside = widget.outer_size.region
    for damage, bounds in (
        (widget._repaint_regions, inside),  # pyright: ignore[reportPrivateUsage]
        (widget.screen._compositor._dirty_regions, widget.region),  # pyright: ignore[reportPrivateUsage]
    ):
        moved = {place.intersection(bounds).translate((0, -rows)) for place in damage}
        damage |= {place for region in moved if (place := region.intersection(bounds))}
