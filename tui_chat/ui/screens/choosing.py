"""One of several things, in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class Choosing(ModalScreen[str | None]):
    """Dismisses with the name of what was chosen, or None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "dismiss(None)", "")]

    def __init__(self, title: str, offers: Sequence[tuple[str, str]]) -> None:
        """`offers`: (name, line) of each thing."""
        super().__init__()
        self._title = title
        self._offers = offers

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield OptionList(*(Option(visible_line(line, 300)) for _, line in self._offers), markup=False)
            yield Static(say("choosing.keys"), classes="dialog-hint", markup=False)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._offers[event.option_index][0])
