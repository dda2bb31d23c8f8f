"""Where the user writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message
from textual.widgets import TextArea

from tui_chat.domain.hostile import visible
from tui_chat.ui.widgets.editing import act_at_once

if TYPE_CHECKING:
    from textual import events
    from textual.document._edit import Edit
    from textual.widgets.text_area import EditResult

NEWLINES = frozenset({"ctrl+j", "shift+enter", "ctrl+enter", "shift+\r", "newline"})
"""What terminals send for a new line: LF, and the kitty and xterm forms of modified Enter."""


class Composer(TextArea):
    """Grows to a third of the screen; Enter sends, Ctrl+J makes a new line, Up and Down at the edges walk prompts."""

    @dataclass
    class Sent(Message):
        """The user pressed Enter on a text that is not blank."""

        text: str

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, highlight_cursor_line=False, soft_wrap=True)
        self._sent: list[str] = []
        self._place = 0
        """Where in the sent prompts the user is; at their end, in what is being written."""
        self._written = ""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._enter()
        elif event.key in NEWLINES:
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key == "up" and self.cursor_at_first_line and self._place > 0:
            event.stop()
            event.prevent_default()
            self._walk(-1)
        elif event.key == "down" and self.cursor_at_last_line and self._place < len(self._sent):
            event.stop()
            event.prevent_default()
            self._walk(1)
        else:
            await act_at_once(self, event)

    def on_resize(self) -> None:
        self.call_after_refresh(self.scroll_cursor_visible)

    def remember(self, text: str) -> None:
        """Add a prompt to those that Up brings back."""
        if not self._sent or self._sent[-1] != text:
            self._sent.append(text)
        self._place = len(self._sent)

    def put(self, text: str) -> None:
        """Replace what is written, the cursor behind it."""
        self.load_text(visible(text))
        self.move_cursor(self.document.end)

    def edit(self, edit: Edit) -> EditResult:
        # What is pasted holds whatever the page held that it was copied from.
        edit.text = visible(edit.text)
        return super().edit(edit)

    def _enter(self) -> None:
        row, column = self.cursor_location
        line = self.document.get_line(row)
        if self.selection.is_empty and column == len(line) and line.endswith("\\"):
            self.replace("\n", (row, column - 1), (row, column))
            return
        text = self.text
        if text.strip():
            self.remember(text)
            self.put("")
            self.post_message(self.Sent(text))

    def _walk(self, step: int) -> None:
        if self._place == len(self._sent):
            self._written = self.text
        self._place += step
        self.put(self._written if self._place == len(self._sent) else self._sent[self._place])
