"""A text area with the keys of a shell's line: what Textual's lacks of them, above all the yank of what was killed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.widgets import TextArea

if TYPE_CHECKING:
    from collections.abc import Generator

    from textual.document._document import Location
    from textual.widgets.text_area import EditResult

KEYS = {
    "ctrl+b": "cursor_left",
    "ctrl+f": "cursor_right",
    "ctrl+h": "delete_left",
    "ctrl+y": "yank",
    "alt+b": "cursor_word_left",
    "alt+f": "cursor_word_right",
    "alt+d": "delete_word_right",
}


class ReadlineArea(TextArea):
    BINDINGS: ClassVar = [Binding(key, action, show=False) for key, action in KEYS.items()]

    _killed = ""
    """What the last kills took, which Ctrl+Y brings back."""
    _kills = False
    """A kill is under way."""
    _left_at: tuple[Location, str] | None = None
    """Cursor and line after the last kill: unchanged, the next one adds to it."""

    def action_delete_word_left(self) -> None:
        with self._kill():
            super().action_delete_word_left()

    def action_delete_word_right(self) -> None:
        with self._kill():
            super().action_delete_word_right()

    def action_delete_to_start_of_line(self) -> None:
        with self._kill():
            super().action_delete_to_start_of_line()

    async def action_delete_to_end_of_line_or_delete_line(self) -> None:
        with self._kill():
            await super().action_delete_to_end_of_line_or_delete_line()

    def action_yank(self) -> None:
        if self._killed:
            self.replace(self._killed, *self.selection, maintain_selection_offset=False)

    @contextmanager
    def _kill(self) -> Generator[None]:
        self._kills = True
        try:
            yield
        finally:
            self._kills = False

    def _delete_via_keyboard(self, start: Location, end: Location) -> EditResult | None:
        if not self._kills:
            return super()._delete_via_keyboard(start, end)
        killed = self.get_text_range(*sorted((start, end)))
        adds = self._left_at == self._here()
        done = super()._delete_via_keyboard(start, end)
        if killed:
            before, after = ("", self._killed) if end < start else (self._killed, "")
            self._killed = before + killed + after if adds else killed
            self._left_at = self._here()
        return done

    def _here(self) -> tuple[Location, str]:
        return self.cursor_location, self.document.get_line(self.cursor_location[0])
