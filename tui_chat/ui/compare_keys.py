"""What the user can do in a comparison, read off the table of actions: its keys, its footer, its slash commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.binding import Binding

from tui_chat.domain.actions import ACTIONS, COMPARING, IN_LANE, commands
from tui_chat.ui.keys import action_bindings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType

    from tui_chat.domain.keymap import Keymap

SCREEN = "compare"
COMMANDS = tuple(a for a in (*COMPARING, *ACTIONS) if a.holds_on(SCREEN) and not a.in_composer)
BY_METHOD = {command.method: command for command in COMMANDS}
SLASHES = commands(SCREEN)


def screen_bindings() -> list[BindingType]:
    """Keys that count everywhere; they come before the composer's own."""
    return action_bindings(COMMANDS)


def lane_bindings() -> list[BindingType]:
    """Keys of a lane that has the focus."""
    return [Binding(a.keys, f"screen.{a.method}", show=False, id=a.name) for a in IN_LANE]


def footer(methods: Iterable[str], keymap: Keymap) -> Text:
    """One line: each of these commands with its key."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for method in methods:
        command = BY_METHOD[method]
        shown = keymap.shown(command.name) or f"/{command.slash}"
        text.append(f"{shown} ", "bold").append(f"{command.label_on(SCREEN)}   ")
    return text
