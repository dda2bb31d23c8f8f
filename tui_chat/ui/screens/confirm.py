"""One question with yes and no."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.hostile import visible_line

if TYPE_CHECKING:
    from textual.app import ComposeResult


MOST = 2_000
"""Characters of what follows from a yes; the whole address of a link."""


class Confirm(ModalScreen[bool]):
    """Dismisses with the answer; only `y` says yes."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("y", "dismiss(True)", ""), ("n,escape,enter", "dismiss(False)", "")]

    def __init__(self, question: str, consequence: str, keys: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence
        self._keys = keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(visible_line(self._question), classes="dialog-title", markup=False)
            yield Static(visible_line(self._consequence, MOST), markup=False)
            yield Static(self._keys, classes="dialog-hint", markup=False)
