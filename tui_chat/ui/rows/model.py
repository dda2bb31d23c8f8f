"""What the transcript shows of a turn, and the styles it is shown in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from rich.style import Style

if TYPE_CHECKING:
    from tui_chat.domain.ask import Role

STYLES = (
    "user", "assistant", "prose", "dim", "thinking", "heading", "strong", "emphasis", "strike", "code", "block",
    "language", "quote", "bullet", "link", "rule", "table", "good", "warning", "error",
    "keyword", "string", "number", "comment", "function", "type", "operator", "hit", "current",
)  # fmt: skip
"""Names of the styles a Palette holds; each is a component class `rows--NAME` of the transcript."""

Palette = dict[str, Style]


class Note(Struct, frozen=True):
    """A line under a turn, such as how it ended; `style` names a style of the palette."""

    text: str
    style: str = "dim"


class Head(Struct, frozen=True):
    """The line above a turn."""

    name: str
    state: str = ""
    state_style: str = "dim"
    version: str = ""
    """Place among the turn's versions, such as 2/3."""
    thinking: str = ""
    """What stands on the line to which the thoughts are folded; empty until the answer begins."""


class Turn(Struct):
    """What the transcript shows of one node; the text is as received."""

    id: str
    role: Role
    head: Head
    text: str = ""
    thinking: str = ""
    notes: tuple[Note, ...] = ()
    folded: bool = False
    """What can be folded is: the thoughts behind an answer, all but the beginning of a long question."""
