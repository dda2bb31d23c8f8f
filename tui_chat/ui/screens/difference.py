"""Two answers word by word: what stands in both, and what in one alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import work
from textual.geometry import Size
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from tui_chat.domain.diff import word_diff
from tui_chat.domain.hostile import visible
from tui_chat.domain.words import say
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named
from tui_chat.ui.rows.runs import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from tui_chat.domain.diff import Piece
    from tui_chat.ui.app import TuiChat

KEYS = (
    Key("left", "second(-1)"),
    Key("right", "second(1)", "difference.key.next"),
    Key("shift+left", "first(-1)"),
    Key("shift+right", "first(1)", "difference.key.first"),
    named("difference_next", "change(1)"),
    named("difference_previous", "change(-1)", ""),
    Key("escape,q", "dismiss(None)", "difference.key.back"),
    # The key that opened it closes it.
    named("compare_diff", "dismiss(None)", ""),
)
STYLES = {"left": Style(strike=True), "right": Style(underline=True), "both": Style()}
"""Told apart without colours, too."""


class Side(Struct, frozen=True):
    """A text to compare."""

    name: str
    lane: str
    text: str


class Differences(ScrollView, can_focus=True):
    """The pieces of both texts as one, wrapped; a Line API widget."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"difference--left", "difference--right"}
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(id="differences")
        self._pieces: Sequence[Piece] = ()
        self._rows: list[list[Segment]] = []
        self._changes: list[int] = []
        """The rows in which a change begins."""

    def show(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._wrap()
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        self._wrap()

    def change(self, step: int) -> None:
        """Bring the next change into view, or the one before."""
        at = self.scroll_offset.y
        ahead = [row for row in self._changes if (row > at if step > 0 else row < at)]
        if ahead:
            self.scroll_to(y=ahead[0] if step > 0 else ahead[-1], animate=False)

    def _wrap(self) -> None:
        width = max(1, self.scrollable_content_region.width - 4)
        lines: list[list[Segment]] = [[]]
        for piece in self._pieces:
            style = self._style(piece.side)
            for place, part in enumerate(visible(piece.text).expandtabs(4).split("\n")):
                if place:
                    lines.append([])
                if part:
                    lines[-1].append(Segment(part, style))
        self._rows = [row for line in lines for row in (wrap(line, width) if line else [[]])]
        plain = self._style("both")
        changed = [any(run.style != plain for run in row) for row in self._rows]
        self._changes = [row for row, is_change in enumerate(changed) if is_change and not (row and changed[row - 1])]
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self.refresh()

    def _style(self, side: str) -> Style:
        if side == "both":
            return STYLES[side]
        return self.get_component_rich_style(f"difference--{side}", partial=True) + STYLES[side]

    def render_line(self, y: int) -> Strip:
        row, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return Strip([Segment("  "), *self._rows[row]]).adjust_cell_length(width).apply_style(self.rich_style)


class DifferenceScreen(Screen[None]):
    CSS_PATH: ClassVar = ["../style/lists.tcss", "../style/judging.tcss"]
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, sides: Sequence[Side], first: int, second: int) -> None:
        """There are at least two sides; the places are those to begin with."""
        super().__init__()
        self._sides = sides
        self._first, self._second = first, second
        self._view = Differences()
        self._title = Static(classes="screen-title", markup=False)
        self._status = Static(classes="screen-status", markup=False)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._view
        yield self._status
        yield KeyLine(footer(KEYS, self.app.house.config.keys), classes="screen-keys")

    def on_mount(self) -> None:
        self._view.focus()
        self._compare()

    @work(exclusive=True, group="difference", exit_on_error=False)
    async def _compare(self) -> None:
        left, right = self._sides[self._first], self._sides[self._second]
        self._title.update(Text(say("difference.title", left=left.name, right=right.name)))
        pieces = await asyncio.to_thread(word_diff, left.text, right.text)
        self._view.show(pieces)
        self._status.update(Text(_summary(pieces, left, right), no_wrap=True, overflow="ellipsis"))

    def action_first(self, step: int) -> None:
        self._first = self._stepped(self._first, step, self._second)
        self._compare()

    def action_second(self, step: int) -> None:
        self._second = self._stepped(self._second, step, self._first)
        self._compare()

    def _stepped(self, at: int, step: int, other: int) -> int:
        """The next side that is not the other one."""
        count = len(self._sides)
        following = (at + step) % count
        return (following + step) % count if following == other and count > 1 else following

    def action_change(self, step: int) -> None:
        self._view.change(step)


def _summary(pieces: Sequence[Piece], left: Side, right: Side) -> str:
    if all(piece.side == "both" for piece in pieces):
        return say("difference.same", left=left.name, right=right.name)
    words = {side: sum(len(p.text.split()) for p in pieces if p.side == side) for side in ("left", "right", "both")}
    return say(
        "difference.summary",
        left=left.name,
        right=right.name,
        gone=words["left"],
        new=words["right"],
        same=words["both"],
    )
