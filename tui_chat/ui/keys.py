"""The keys of a screen as one table: its bindings and its footer are read off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from rich.text import Text
from textual.binding import Binding

from tui_chat.domain.words import say
from tui_chat.ui.actions import show_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType


class Key(Struct, frozen=True):
    """What a key does; `action` is a method `action_<action>`, or such a call."""

    keys: str
    """As Textual names them, comma-separated, the one to show first."""
    action: str
    label: str = ""
    """Key of the words that the footer shows; "": it is not shown."""
    first: bool = False
    """It comes before what the widget with the focus makes of the key."""


def bindings(table: Iterable[Key]) -> list[BindingType]:
    """The bindings of a table's screen or widget."""
    return [Binding(key.keys, key.action, show=False, priority=key.first) for key in table if key.keys]


def footer(table: Iterable[Key]) -> Text:
    """One line: each key with what it does."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for key in table:
        if key.label:
            text.append("   " if text else "").append(show_key(key.keys.partition(",")[0]), "bold")
            text.append(f" {say(key.label)}")
    return text
