"""Editing keys that act in the order in which they were pressed.

Textual runs a binding only after its key has bubbled to the screen, while a character acts where it arrives: of a burst
such as `ab`, Backspace, `c`, as a slow line delivers it, the Backspace would come last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Input

from tui_chat.domain.hostile import visible

if TYPE_CHECKING:
    from textual import events
    from textual.widget import Widget


async def act_at_once(editor: Widget, event: events.Key) -> None:
    """Carry out the editor's own binding of this key now; an editor calls it first thing in its `_on_key`."""
    bindings = editor._bindings.key_to_bindings.get(event.key)  # pyright: ignore[reportPrivateUsage]  # no public way to one widget's own
    if bindings and not event.is_printable:
        event.stop()
        event.prevent_default()
        await editor.run_action(bindings[0].action)


class ShownInput(Input):
    """An input in which nothing that is pasted stays unseen."""

    def replace(self, text: str, start: int, end: int) -> None:
        super().replace(visible(text).replace("\n", " ").replace("\t", " "), start, end)
