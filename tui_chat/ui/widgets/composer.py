"""Where the user writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from tui_chat.domain.hostile import visible
from tui_chat.domain.keymap import forms
from tui_chat.ui.widgets.editing import act_at_once
from tui_chat.ui.widgets.readline import ReadlineArea

if TYPE_CHECKING:
    from textual import events
    from textual.document._edit import Edit
    from textual.widgets.text_area import EditResult

    from tui_chat.ui.app import TuiChat
    from tui_chat.ui.widgets.completion import Completion


class Composer(ReadlineArea):
    """Grows to a third of the screen; Up and Down walk the completions, at the edges the prompts that were sent."""

    @dataclass
    class Sent(Message):
        """The user pressed Enter on a text that is not blank."""

        text: str

    @dataclass
    class Completed(Message):
        """A completion was taken; there may be more to complete."""

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, completion: Completion, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, highlight_cursor_line=False, soft_wrap=True)
        self._completion = completion
        self._sent: list[str] = []
        self._place = 0
        """Where in the sent prompts the user is; at their end, in what is being written."""
        self._written = ""
        self._put = ""

    async def _on_key(self, event: events.Key) -> None:
        if self._completion.is_open and self._complete(event.key):
            event.stop()
            event.prevent_default()
        elif self._means("send", event.key):
            event.stop()
            event.prevent_default()
            self.send()
        elif self._means("newline", event.key):
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

    @property
    def is_put(self) -> bool:
        """True while what is written was not typed, but put there."""
        return self._put == self.text

    def remember(self, text: str) -> None:
        """Add a prompt to those that Up brings back."""
        if not self._sent or self._sent[-1] != text:
            self._sent.append(text)
        self._place = len(self._sent)

    def put(self, text: str) -> None:
        """Replace what is written, the cursor behind it."""
        self.load_text(visible(text))
        self.move_cursor(self.document.end)
        self._put = self.text

    def edit(self, edit: Edit) -> EditResult:
        # What is pasted holds whatever the page held that it was copied from.
        edit.text = visible(edit.text)
        return super().edit(edit)

    def _means(self, action: str, key: str) -> bool:
        return any(key in forms(own) for own in self.app.house.config.keys.of(action))

    def _complete(self, key: str) -> bool:
        """What a key means to the completions; False when nothing."""
        if key in ("up", "down"):
            self._completion.move(-1 if key == "up" else 1)
            return True
        taken = self._completion.chosen if key == "tab" else None
        if self._means("send", key):
            taken = self._completion.meant(self.text)
        if taken is not None:
            self.put(taken.text)
            self.post_message(self.Completed())
        return taken is not None

    def send(self) -> None:
        """Send what is written; behind a backslash make a new line."""
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
