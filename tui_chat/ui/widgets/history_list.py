"""Conversations, or what was found in them, as a list that reads what comes into view, beside the loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct
from textual import work
from textual.message import Message

from tui_chat.domain.failure import StoreError
from tui_chat.domain.finding import wanted
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.library import Summary
from tui_chat.ui.history_rows import compact_row, hit_row, summary_row
from tui_chat.ui.paging import Conversations, Hits, Pages
from tui_chat.ui.widgets.cursor_list import CursorList

if TYPE_CHECKING:
    from rich.segment import Segment

    from tui_chat.store.search import Hit
    from tui_chat.wiring.chats import Chats

AHEAD = 10
"""Items below the view that are read already."""


class _Wish(Struct, eq=False):
    """A list that is to be shown; the newest one counts."""

    text: str
    stay: bool = False
    """Leave view and cursor where they are."""
    follow: str | None = None
    """The conversation on which to put the cursor."""


class HistoryList(CursorList):
    """Two rows a conversation, or one where it is compact; pages come from a thread, one at a time."""

    @dataclass
    class Chosen(Message):
        """Open a conversation, at a turn where one was found."""

        uid: str
        node: str | None

    @dataclass
    class Listed(Message):
        """Another list stands, or more of it is known."""

        searched: bool
        count: int
        more: bool

    @dataclass
    class Broke(Message):
        """The store cannot be read."""

        reason: str

    def __init__(self, chats: Chats, *, compact: bool = False, id: str | None = None) -> None:
        super().__init__(1 if compact else 2, lit=not compact, id=id)
        self._chats = chats
        self._compact = compact
        self._pages = Pages(Conversations(chats.library))
        self._text: str | None = None
        """What the list that stands was asked for; None: none stands yet."""
        self._wish: _Wish | None = None
        self._loading = False
        self._choosing = False
        """Enter was pressed before the item was there."""
        self._active: frozenset[str] = frozenset()
        self._current: str | None = None
        self._laid_width = 0

    def on_mount(self) -> None:
        if self._wish is None:
            self.show()

    @property
    def active(self) -> frozenset[str]:
        """The conversations in which a reply is under way."""
        return self._active

    @active.setter
    def active(self, uids: set[str] | frozenset[str]) -> None:
        if uids != self._active:
            self._active = frozenset(uids)
            self.refresh()

    @property
    def current(self) -> str | None:
        """The conversation that is open."""
        return self._current

    @current.setter
    def current(self, uid: str | None) -> None:
        if uid != self._current:
            self._current = uid
            self.refresh()

    @property
    def item(self) -> Summary | Hit | None:
        """What the cursor stands on, if it has been read."""
        return self._pages.at(self.cursor)

    def show(self, text: str = "") -> None:
        """List what is found for `text`, or all conversations where it asks for nothing."""
        self._ask(_Wish(text))

    def reload(self, follow: str | None = None) -> None:
        """Read the list anew; the cursor stays in its place, or goes to the conversation `follow`."""
        wish = self._wish
        self._ask(_Wish(wish.text if wish else self._text or "", stay=wish is None or wish.stay, follow=follow))

    def choose(self) -> None:
        """Open what the cursor stands on, as soon as it is there."""
        item = self.item if self._wish is None else None
        self._choosing = item is None and (self._wish is not None or self.length > 0)
        if item is not None:
            self.post_message(self.Chosen(*_place(item)))

    def move_to(self, place: int) -> None:
        self._choosing = self._choosing and place == self.cursor
        super().move_to(place)

    # reading

    def _ask(self, wish: _Wish) -> None:
        self._wish = wish
        self._choosing = False
        self._read()

    def _read(self) -> None:
        if self._chats.saving and not self._loading and self.is_attached:
            self._loading = True
            self._load()

    @work(exit_on_error=False)
    async def _load(self) -> None:
        """Read until all is there that is wanted now: what was wanted meanwhile and is not any more is passed over."""
        try:
            while True:
                first, last = self.view()
                if (wish := self._wish) is not None:
                    await self._open(wish, first, last)
                elif (number := self._pages.missing(first, last + AHEAD)) is not None:
                    await self._fetch(self._pages, number)
                else:
                    return
        except StoreError as error:
            self._wish = None
            self.post_message(self.Broke(str(error)))
        finally:
            self._loading = False

    async def _open(self, wish: _Wish, first: int, last: int) -> None:
        sought = wanted(wish.text)
        chats = self._chats
        hits = Hits(chats.database, sought, max(16, self.columns - 4))
        pages = Pages(Conversations(chats.library) if sought.empty else hits)
        place = await asyncio.to_thread(self._opened, pages, wish, first, last)
        if wish is self._wish:
            self._wish = None
            self._stand(pages, wish, place)

    def _opened(self, pages: Pages, wish: _Wish, first: int, last: int) -> int:
        """Read what will be seen; the place of the cursor."""
        searching = isinstance(pages.source, Hits)
        found = self._chats.library.place(wish.follow) if wish.follow and not searching else None
        place = found if found is not None else self.cursor if wish.stay else 0
        height = last - first
        top = min(max(first, place - height), place) if wish.stay or found is not None else 0
        pages.open(top, top + height)
        return place

    def _stand(self, pages: Pages, wish: _Wish, place: int) -> None:
        self._pages, self._text = pages, wish.text
        if not wish.stay:
            self._scroll_at_once(0)
        self._measure()
        self.move_to(place)
        self.refresh()
        self._choose_late()

    async def _fetch(self, pages: Pages, number: int) -> None:
        page = await asyncio.to_thread(pages.source.page, number)
        if pages is self._pages:
            pages.put(number, page)
            self._measure()
            self.refresh()
            self._choose_late()

    def _measure(self) -> None:
        self.set_length(self._pages.length)
        self.post_message(self.Listed(self._searching, self.length, self._pages.source.more))

    def _choose_late(self) -> None:
        if self._choosing and self._wish is None:
            self.choose()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._read()

    def on_resize(self) -> None:
        if self._searching and self.columns != self._laid_width:
            # Snippets are as wide as the list.
            self.reload()
        self._laid_width = self.columns
        self._read()

    @property
    def _searching(self) -> bool:
        return isinstance(self._pages.source, Hits)

    # what is drawn

    def draw(self, place: int, row: int, width: int) -> list[Segment]:
        item = self._pages.at(place)
        if item is None:
            return []
        uid, _ = _place(item)
        streaming = uid in self._active
        current = uid == self._current
        if self._compact:
            return compact_row(item, width, self.palette, streaming=streaming, current=current)
        if isinstance(item, Summary):
            return summary_row(item, row, width, self.palette, streaming=streaming, current=current)
        return hit_row(item, row, width, self.palette)

    def said_instead(self) -> str:
        if not self._chats.saving:
            return say("history.unsaved")
        if self._text is None:
            return ""
        found = say("history.none_found", text=visible_line(self._text, 80))
        return found if self._searching else say("history.nothing")


def _place(item: Summary | Hit) -> tuple[str, str | None]:
    """(conversation, turn)"""
    return (item.id, None) if isinstance(item, Summary) else (item.conversation, item.node)
