"""Turns laid out as rows of the screen: Markdown in, strips of styled cells out.

A reply under way is laid out line by line: what more text cannot change is frozen, only the rest is laid out again.
Foreign text is made visible here, where it becomes content.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tui_chat.ui.rows.fold import foldable
from tui_chat.ui.rows.model import STYLES, Head, Note, Palette, Turn

if TYPE_CHECKING:
    from tui_chat.ui.rows.markdown import Block
    from tui_chat.ui.rows.turn import Change, TurnRows

__all__ = ["STYLES", "Block", "Change", "Head", "Note", "Palette", "Turn", "TurnRows", "foldable"]

_LAYING_OUT = {"Block": "markdown", "Change": "turn", "TurnRows": "turn"}
"""Where the names are that an empty conversation needs none of: they come with the first turn."""


def __getattr__(name: str) -> object:
    if name not in _LAYING_OUT:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_LAYING_OUT[name]}"), name)
