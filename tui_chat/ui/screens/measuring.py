"""What a chat does with figures: what it and the day cost, what all of it did, what a turn took, what others would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.domain.pricing import UNKNOWN, total
from tui_chat.domain.words import say
from tui_chat.engine.budget import cost_today
from tui_chat.ui.screens.reading import Reading
from tui_chat.ui.widgets.figures import Spending

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Node


class Measuring(Reading):
    """Base of the chat screen."""

    _today = UNKNOWN
    """What the day had cost when it was last looked up, without the reply under way."""

    def look_up_today(self) -> None:
        """To be called when a reply begins or has ended, for what other programs spent is in it too."""
        self._today = cost_today(self.app.house.engine)

    def spending(self) -> Spending:
        session, today = self.session, self._today
        if session.reply is not None and session.running:
            today = total((today, session.reply.run_cost()))
        return Spending(session.spent(), today, session.budget_left(), self.app.house.config.currency)

    def window(self, node: Node) -> int | None:
        """Tokens that the model of a turn can take in, where that is known."""
        return self.app.house.endpoints.window(node.endpoint, node.model)

    def in_question(self) -> Node | None:
        """The reply that is being read, or the one to the question that is; the newest where none is in view."""
        tree = self.session.conversation
        replies = [turn for turn in self.transcript.turns if turn.role == "assistant"]
        return tree.nodes[self._read_of(replies).id] if replies else None

    def action_details(self) -> None:
        from tui_chat.ui.screens.details import DetailsScreen

        node, reply = self.in_question(), self.session.reply
        if node is None:
            self.notice(say("status.no_details"))
            return
        if reply is not None and reply.node.id == node.id and self.session.running:
            node = replace(node, runs=reply.runs())
        self.app.push_screen(DetailsScreen(self.app.house, node))

    def action_whatif(self) -> None:
        from tui_chat.ui.screens.whatif import WhatIfScreen

        node = self.in_question()
        if node is None:
            self.app.push_screen(WhatIfScreen(self.app.house, None, None))
        elif self.chat.journal is not None:
            self.app.push_screen(WhatIfScreen(self.app.house, node.id, self.chat.id))
        else:
            # Nothing of it is in the store.
            chat = [run for turn in self.session.conversation.nodes.values() for run in turn.runs]
            self.app.push_screen(WhatIfScreen(self.app.house, None, None, (node.runs, chat)))

    def action_usage(self) -> None:
        from tui_chat.ui.screens.usage import UsageScreen

        self.app.push_screen(UsageScreen(self.app.house))
