"""Fields of a form: a label, what is written, where it comes from, and beneath it what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from tui_chat.domain.hostile import visible, visible_line
from tui_chat.ui.widgets.editing import ShownInput, act_at_once

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.document._edit import Edit
    from textual.widgets.text_area import EditResult


class Line(ShownInput):
    """One line of text; Up and Down are left to its screen."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key not in ("up", "down"):
            await act_at_once(self, event)


class Lines(TextArea):
    """Several lines of text, as many as are written; Up and Down at its ends leave it."""

    def __init__(self, text: str, placeholder: str) -> None:
        super().__init__(text, compact=True, highlight_cursor_line=False, soft_wrap=True, placeholder=placeholder)

    async def _on_key(self, event: events.Key) -> None:
        at_end = (event.key == "up" and self.cursor_at_first_line) or (event.key == "down" and self.cursor_at_last_line)
        if at_end:
            event.stop()
            event.prevent_default()
            self.screen.focus_previous() if event.key == "up" else self.screen.focus_next()
        elif event.key not in ("tab", "enter"):
            await act_at_once(self, event)

    def edit(self, edit: Edit) -> EditResult:
        edit.text = visible(edit.text)
        return super().edit(edit)


class Field(Vertical):
    """One setting; posts Edited as it is written."""

    class Edited(Message):
        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    def __init__(self, name: str, label: str, text: str, hint: str, *, several_lines: bool = False) -> None:
        super().__init__(id=f"field-{name}")
        self.field = name
        self._label = label
        one = Line(visible_line(text, 1000), hint, compact=True, select_on_focus=False)
        self.editor = Lines(visible(text), hint) if several_lines else one
        self._before = self.text
        self._origin = Static(classes="field-origin", markup=False)
        self._fault = Static(classes="field-fault", markup=False)
        self.origin = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(self._label, classes="field-label", markup=False)
            yield self.editor
            yield self._origin
        yield self._fault

    @property
    def text(self) -> str:
        return self.editor.text if isinstance(self.editor, TextArea) else self.editor.value

    @property
    def changed(self) -> bool:
        """Something else stands there than what it was given."""
        return self.text != self._before

    def reset(self, text: str) -> None:
        """Give it another text, which has not been changed."""
        self.put(text)
        self._before = self.text

    def put(self, text: str) -> None:
        """Write something else into it."""
        if isinstance(self.editor, TextArea):
            self.editor.load_text(visible(text))
        else:
            self.editor.value = visible_line(text, 1000)

    def tell(self, origin: str, fault: str | None) -> None:
        """Say where the value comes from, and what is wrong with it."""
        self.origin = origin
        self._origin.update(Text(origin, no_wrap=True, overflow="ellipsis"))
        self._fault.update(visible_line(fault or ""))
        self._fault.display = bool(fault)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Edited(self))

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Edited(self))
