"""The way from a chat to its comparison and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work

from tui_chat.domain.failure import ConfigError
from tui_chat.domain.titles import first_words
from tui_chat.domain.words import say
from tui_chat.ui.screens.writing import Writing

if TYPE_CHECKING:
    from tui_chat.domain.lane import LaneRecord
    from tui_chat.engine.comparison import Comparison
    from tui_chat.ui.widgets.composer import Composer


class Comparing(Writing):
    """Base of the chat screen; `show_session` is its own."""

    def show_session(self) -> None:
        """Show the conversation as it stands by now, and whom its next message goes to."""
        raise NotImplementedError

    @work(exclusive=True, group="open", exit_on_error=False)
    async def action_compare(self, argument: str = "") -> None:
        """Compare models or settings from here on, with the lanes of a set where one is named."""
        # A start does without them.
        from tui_chat.engine.comparison import Comparison
        from tui_chat.ui.screens.compare import CompareScreen

        session, chat = self.session, self.chat
        if not session.target.model:
            self.notice(say("composer.none"))
            return
        if argument:
            try:
                self.app.house.config.lanes(argument)
            except ConfigError as error:
                self.notice(str(error))
                return
        troubles: list[str] = []
        if session.comparison is None:
            records = await asyncio.to_thread(self._left_lanes)
            await self._restore(Comparison(self.app.house.engine, session), records, troubles)
        comparison = session.comparison
        if comparison is None or self.chat is not chat:
            return
        if not comparison.lanes:
            comparison.add(session.target)
        moved = session.conversation.head not in {lane.head for lane in comparison.lanes.values()}
        if moved and not comparison.running:
            comparison.rejoin()
        screen = CompareScreen(chat, comparison, " ".join(troubles), argument)
        self._lend_to(screen.composer)
        self.app.push_screen(screen, lambda _: self._back(comparison, screen.composer))

    def _lend_to(self, composer: Composer) -> None:
        """Have a comparison's composer go on with what is written, but for a question that is written anew."""
        self.leave_search()
        composer.sent = self.composer.sent
        self._lent = True
        if not self.revising:
            composer.take_over(self.composer)
            self.composer.put("")

    def _left_lanes(self) -> list[LaneRecord]:
        return self.app.house.chats.library.lanes(self.chat.id) if self.chat.journal is not None else []

    async def _restore(self, comparison: Comparison, records: list[LaneRecord], troubles: list[str]) -> None:
        """Add the lanes of an earlier comparison; one whose endpoint is gone is left out, with a line about it."""
        for record in records:
            try:
                comparison.restore(record, await asyncio.to_thread(self.app.house.targets.left_lane, record))
            except ConfigError as error:
                troubles.append(str(error))

    def _back(self, comparison: Comparison, composer: Composer) -> None:
        self._lent = False
        self.composer.take_over(composer)
        path = self.session.conversation.path()
        if path and not self.chat.title:
            self.chat.title = first_words(path[0].text)
        self.show_session()
        if self.sidebar is not None:
            self.sidebar.reload()
        self.composer.focus()
        running = sum(lane.running for lane in comparison.lanes.values())
        if running:
            self.notice(say("lanes.still_running", count=running))
