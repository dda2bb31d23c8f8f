"""Asking for a name, and doing what it is asked for: what is wrong with the name is said while it can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_chat.domain.failure import TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.widgets.fields import Line
from tui_chat.wiring.profiles import MOST_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from textual.app import ComposeResult


class Naming(ModalScreen[str | None]):
    """Dismisses with the name once `act` has taken it, or with None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "dismiss(None)", "")]

    def __init__(self, title: str, name: str, act: Callable[[str], None], others: Collection[str] = ()) -> None:
        """`act` raises TuiChatError for a name that will not do; one of `others` is taken when given twice."""
        super().__init__()
        self._title = title
        self._before = name
        self._act = act
        self._others = set(others)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(visible_line(self._title), classes="dialog-title", markup=False)
            yield Line(visible_line(self._before, MOST_NAME), max_length=MOST_NAME, compact=True)
            yield Static(id="fault", classes="field-fault", markup=False)
            yield Static(say("naming.keys"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        if name in self._others:
            self._others.discard(name)
            self._tell(say("naming.again", name=name))
            return
        try:
            self._act(name)
        except TuiChatError as error:
            self._tell(str(error))
        else:
            self.dismiss(name)

    def _tell(self, fault: str) -> None:
        self.query_one("#fault", Static).update(visible_line(fault))
