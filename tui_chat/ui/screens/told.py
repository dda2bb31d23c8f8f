"""Several lines that the user should know before going on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class Told(ModalScreen[None]):
    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape,enter,q", "dismiss", "")]

    def __init__(self, title: str, lines: Sequence[str], *, numbered: bool = False) -> None:
        super().__init__()
        self._title = title
        self._lines = [f"[{n}] {line}" if numbered else f"• {line}" for n, line in enumerate(lines, 1)]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(Text("\n".join(visible_line(line) for line in self._lines)))
            yield Static(say("help.close"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
