"""The question before a message that would likely cross a limit of the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.words import say
from tui_chat.ui.screens.confirm import Confirm

if TYPE_CHECKING:
    from tui_chat.domain.budget import Estimate

PAUSE_S = 1.0
"""How long a question that comes up by itself takes no yes: what is typed then was meant for the composer."""


class BudgetQuestion(Confirm):
    """Dismisses with the answer; only `y` says yes."""

    def __init__(self, estimate: Estimate, *, sudden: bool) -> None:
        """`sudden`: nobody has just pressed a key for it."""
        consequence = say("confirm.budget_why", estimate=estimate.line, over=estimate.over)
        super().__init__(say("confirm.budget"), consequence, say("confirm.budget_keys"))
        self._deaf = sudden

    def on_mount(self) -> None:
        if self._deaf:
            self.set_timer(PAUSE_S, self._listen)

    def _listen(self) -> None:
        self._deaf = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No answer counts before the question can have been read."""
        return not (self._deaf and action == "dismiss")
