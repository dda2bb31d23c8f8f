"""What a chat does with figures: what it all cost, what a turn took, and what it would cost elsewhere."""

from __future__ import annotations

from tui_chat.ui.screens.keeping import Keeping
from tui_chat.ui.screens.usage import UsageScreen


class Measuring(Keeping):
    """Base of the chat screen."""

    def action_usage(self) -> None:
        self.app.push_screen(UsageScreen(self.app.house))
