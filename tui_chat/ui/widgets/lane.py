"""A lane on the screen: who answers, the transcript, and the figures below it; and the line of tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Vertical
from textual.widgets import Static

from tui_chat.ui.compare_keys import lane_bindings
from tui_chat.ui.lane_lines import MOST, fitted
from tui_chat.ui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult

BAR_S = 1.0
"""How often a lane's scrollbar is drawn while text streams in: it costs more than the text."""


class LaneView(Vertical, can_focus=True):
    """Shows one lane; what it says is given to it."""

    BINDINGS: ClassVar = lane_bindings()

    def __init__(self, lane_id: str, typed: Callable[[str], object]) -> None:
        """`typed` gets what is typed or pasted while the lane has the focus."""
        super().__init__()
        self.lane_id = lane_id
        self.transcript = Transcript()
        self.transcript.bar_s = BAR_S
        self._typed = typed
        self._heading = ("", "", "")
        self._head = Line(classes="lane-head")
        self._figures = Line(classes="lane-figures")

    def compose(self) -> ComposeResult:
        yield self._head
        yield self.transcript
        yield self._figures

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and event.character:
            event.stop()
            self._typed(event.character)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._typed(event.text)

    def on_resize(self) -> None:
        self._show_head()

    def say(self, heading: tuple[str, str, str], figures: tuple[str, str]) -> None:
        """Show these lines; what stands there already is not drawn again."""
        self._heading = heading
        self._show_head()
        self._figures.say(Text("\n".join(figures), no_wrap=True, overflow="ellipsis"))

    def _show_head(self) -> None:
        # What is not laid out yet has no width; it is told as soon as it has one.
        shown = fitted(self._heading, self._head.content_size.width or MOST)
        self._head.say(Text(shown, no_wrap=True, overflow="ellipsis"))


class Line(Static):
    """Text of a fixed height that is drawn again only when it has changed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._said: Text | None = None

    def say(self, text: Text) -> None:
        if self._said is None or (self._said.plain, self._said.spans) != (text.plain, text.spans):
            self._said = text
            self.update(text, layout=False)
