"""How a conversation is read: folds, find, jumps and links. Nothing here changes what was said."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from textual import work

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.rows import foldable
from tui_chat.ui.screens.keeping import Keeping

if TYPE_CHECKING:
    from tui_chat.ui.rows import Turn
    from tui_chat.ui.rows.links import Link
    from tui_chat.ui.widgets.finding import Search

_CODE = re.compile("```|~~~|^(?: {4}|\t)", re.MULTILINE)
"""What a text has that holds a code block."""


class Reading(Keeping):
    """Base of the chat screen; `show_state` is its own."""

    def show_state(self) -> None:
        """Bring the status line up to date."""
        raise NotImplementedError

    # folds

    def action_fold(self, argument: str = "") -> None:
        """Fold or open the turn that is being read, or all of them."""
        width = max(1, self.transcript.columns - 2)
        can_fold = [turn for turn in self.transcript.turns if foldable(turn, width)]
        if argument not in ("", "all"):
            self.notice(say("status.fold"))
        elif not can_fold:
            self.notice(say("status.nothing_to_fold"))
        elif argument:
            open_turns = [turn.id for turn in can_fold if not turn.folded]
            self.transcript.fold(open_turns or [turn.id for turn in can_fold], folded=bool(open_turns))
        else:
            turn = self._read_of(can_fold)
            self.transcript.fold([turn.id], folded=not turn.folded)
        self.show_state()

    def _read_of(self, turns: list[Turn]) -> Turn:
        """The one of these turns that is being read: the first in view, at the tail the last, else the newest."""
        everything = self.transcript.turns
        ids = {everything[place].id for place in self.transcript.view}
        seen = [turn for turn in turns if turn.id in ids]
        return (seen or turns)[-1 if self.transcript.following or not seen else 0]

    # find

    def action_find(self, argument: str = "") -> None:
        """Go to what the conversation says of the words given; without words, find no more."""
        if not argument:
            self.leave_find()
            self.composer.put("/find ")
            self.notice(say("status.find"))
            return
        self._find(argument)

    @work(exclusive=True, group="find", exit_on_error=False)
    async def _find(self, query: str) -> None:
        from tui_chat.ui.widgets.finding import Search

        search, chat = Search(query), self.chat
        # Megabytes that are not ASCII take a second or two to be folded.
        await asyncio.to_thread(search.hits, self.transcript.turns)
        if self.chat is chat:
            self.transcript.search = search
            self._to_hit(1)

    def action_next_hit(self) -> None:
        self._to_hit(1)

    def action_previous_hit(self) -> None:
        self._to_hit(-1)

    def leave_find(self) -> bool:
        """Show nothing as found any more; False when nothing was."""
        search, self.transcript.search = self.transcript.search, None
        if search is not None:
            self.transcript.refresh()
            self.show_state()
        return search is not None

    @property
    def find_state(self) -> str:
        """`3/17` and the keys that lead on; empty while nothing is looked for."""
        search = self.transcript.search
        if search is None:
            return ""
        query = visible_line(search.query, 40)
        if not search.count:
            return say("find.none", query=query)
        return say("find.state", place=search.at + 1, count=search.count, query=query)

    def _to_hit(self, by: int) -> None:
        transcript, search = self.transcript, self.transcript.search
        if search is None:
            self.action_find()
            return
        turns = transcript.turns
        hits = search.hits(turns)
        search.current, search.count = None, len(hits)
        if hits:
            place, nth = search.step(hits, by, transcript.view.start)
            self._show_hit(search, place, nth)
        transcript.refresh()
        self.notice("")

    def _show_hit(self, search: Search, place: int, nth: int) -> None:
        """Bring a hit into view, out of a fold where it is in one."""
        transcript, turn = self.transcript, self.transcript.turns[place]
        rows = transcript.whole(place)
        if rows is None:
            return
        if turn.folded and foldable(turn, max(1, transcript.columns - 2)):
            transcript.fold([turn.id], folded=False)
            rows = transcript.whole(place) or rows
        found = search.places(rows)
        search.current = found[min(nth, len(found) - 1)] if found else None
        row = search.current.row if search.current else 0
        if not transcript.in_view(place, row):
            transcript.to_row(turn.id, row - transcript.size.height // 3)

    # jumps

    def action_previous_turn(self) -> None:
        transcript = self.transcript
        first = transcript.view.start
        if transcript.turns:
            self._to_turn(first if transcript.top_row(first) > 0 else first - 1)

    def action_next_turn(self) -> None:
        self._to_turn(self.transcript.view.start + 1)

    def _to_turn(self, place: int) -> None:
        turns = self.transcript.turns
        if 0 <= place < len(turns):
            self.transcript.to_turn(turns[place].id)
        elif place >= len(turns):
            self.transcript.to_tail()
        self.show_state()

    def action_next_code(self) -> None:
        first = self.transcript.view.start
        self._to_code(range(first, len(self.transcript.turns)), 1)

    def action_previous_code(self) -> None:
        self._to_code(range(self.transcript.view.start, -1, -1), -1)

    def _to_code(self, places: range, by: int) -> None:
        """Put the next code block at the top of the view; `places` are the turns on the way."""
        transcript, turns = self.transcript, self.transcript.turns
        for place in places if turns else ():
            turn = turns[place]
            if turn.role != "assistant" or not _CODE.search(turn.text) or (rows := transcript.whole(place)) is None:
                continue
            top = transcript.top_row(place)
            starts = [row for row in transcript.code_rows(rows) if (row - top) * by > 0]
            if starts:
                transcript.to_row(turn.id, min(starts) if by > 0 else max(starts))
                self.show_state()
                return
        self.notice(say("status.no_more_code"))

    # links

    @work(exclusive=True, group="links", exit_on_error=False)
    async def action_links(self) -> None:
        """List the links of the reply that is being read."""
        from tui_chat.ui.screens.told import Told

        if found := await self._links():
            lines = [f"{link.text} → {link.target}" for link in found]
            self.app.push_screen(Told(say("links.title"), lines, numbered=True))
        else:
            self.notice(say("links.none"))

    async def _links(self) -> list[Link]:
        replies = [turn for turn in self.transcript.turns if turn.role == "assistant" and turn.text]
        return await self.transcript.links(self._read_of(replies).id) if replies else []

    @work(exclusive=True, group="links", exit_on_error=False)
    async def action_open(self, argument: str = "") -> None:
        """Show where a link goes, and open it once the user has agreed."""
        found = await self._links()
        number = int(argument) if argument.isdecimal() and len(argument) < 6 else 0
        if not found:
            self.notice(say("links.none"))
        elif not 1 <= number <= len(found):
            self.notice(say("links.number", count=len(found)))
        else:
            self._ask_to_open(found[number - 1])

    def _ask_to_open(self, link: Link) -> None:
        from tui_chat.ui.links import NotOpened, shown
        from tui_chat.ui.screens.confirm import Confirm

        target = link.target
        try:
            where = shown(target)
        except NotOpened as error:
            self.notice(str(error))
            return

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._open(target)

        self.app.push_screen(Confirm(say("links.open"), where, say("links.keys")), answered)

    @work(exclusive=True, group="links", exit_on_error=False)
    async def _open(self, target: str) -> None:
        from tui_chat.ui.links import NotOpened, open_target

        try:
            await asyncio.to_thread(open_target, target)
        except NotOpened as error:
            self.notice(str(error))
        else:
            self.notice(say("links.opened"))
