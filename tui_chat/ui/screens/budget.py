"""The question before a message that would likely cross a limit of the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.widgets import Static

from tui_chat.domain.words import say
from tui_chat.ui.screens.confirm import Confirm

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.domain.budget import Estimate

PAUSE_S = 1.0
"""How long a question that comes up by itself takes no answer: what is typed then was meant for the composer."""


class BudgetQuestion(Confirm):
    """Dismisses with the answer; only `y` says yes."""

    def __init__(self, estimate: Estimate, *, sudden: bool) -> None:
        """`sudden`: nobody has just pressed a key for it."""
        super().__init__(say("confirm.budget"), say("confirm.budget_once"), say("confirm.budget_keys"))
        self._estimate = estimate
        self._deaf = sudden

    def compose(self) -> ComposeResult:
        lines = [self._estimate.line, *(crossing.line for crossing in self._estimate.crossings)]
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            yield Static("\n".join([*lines, "", self._consequence]), markup=False)
            yield Static(self._keys, classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        if self._deaf:
            self.set_timer(PAUSE_S, self._listen)

    def _listen(self) -> None:
        self._deaf = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self._deaf and action == "dismiss")
