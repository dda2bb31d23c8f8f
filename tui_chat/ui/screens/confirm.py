"""One question with yes and no."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.hostile import visible_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult


MOST = 2_000
"""Characters of what follows from a yes; the whole address of a link."""
RENEW_S = 0.25
"""Between two looks at what a question is about."""


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


class LivingConfirm(Confirm):
    """A question about something that goes on meanwhile: it says what is true now."""

    def __init__(self, asked: Callable[[], tuple[str, str, str]]) -> None:
        """`asked` gives question, consequence and keys as they are at the moment."""
        super().__init__(*asked())
        self._asked = asked

    def on_mount(self) -> None:
        self.set_interval(RENEW_S, self.renew)

    def renew(self) -> None:
        question, consequence, keys = self._asked()
        told = (visible_line(question), visible_line(consequence, MOST), keys)
        for line, text in zip(self.query(Static), told, strict=True):
            if str(line.content) != text:
                line.update(text)
