"""What a chat does with figures: what it and the day cost, what all of it did, what a turn took, what others would."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tui_chat.domain.pricing import Cost, CostSource, total
from tui_chat.engine.budget import spent_today
from tui_chat.ui.screens.keeping import Keeping
from tui_chat.ui.screens.usage import UsageScreen
from tui_chat.ui.widgets.figures import Spending

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Node


class Measuring(Keeping):
    """Base of the chat screen."""

    _today = Decimal(0)
    """What the day had cost when it was last looked up, without the reply under way."""

    def look_up_today(self) -> None:
        """To be called when a reply begins or has ended, for what other programs spent is in it too."""
        self._today = spent_today(self.app.house.engine)

    def spending(self) -> Spending:
        session, today = self.session, Cost(self._today, CostSource.COMPUTED)
        if session.reply is not None and session.running:
            today = total((today, session.reply.run_cost()))
        return Spending(session.spent(), today, session.budget_left(), self.app.house.config.currency)

    def window(self, node: Node) -> int | None:
        """Tokens that the model of a turn can take in, where that is known."""
        return self.app.house.window(node.endpoint, node.model)

    def action_usage(self) -> None:
        self.app.push_screen(UsageScreen(self.app.house))
