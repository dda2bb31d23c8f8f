"""Long lists a page at a time: what is at hand does not grow with what there is. The methods that read may block."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from tui_chat.store.nodes import MAX_ID
from tui_chat.store.search import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.domain.finding import Wanted
    from tui_chat.store.database import Database
    from tui_chat.store.library import Library, Summary
    from tui_chat.store.search import Hit

    Item = Summary | Hit

PAGE = 50
"""Items of a page."""
AT_HAND = 8
"""Pages that are kept, unless more can be seen at once."""


class Source(Protocol):
    """Where pages come from."""

    known: int
    """How many items there are at least."""
    more: bool
    """There may be others behind them."""

    def measure(self) -> None:
        """Find out what is known before a page has been read. Raises StoreError."""
        ...

    def page(self, number: int) -> Sequence[Item]:
        """A page, counted from 0; short or empty at the end. Raises StoreError."""
        ...


class Conversations:
    """All conversations, as the library lists them."""

    def __init__(self, library: Library) -> None:
        self.known = 0
        self.more = False
        self._library = library

    def measure(self) -> None:
        self.known = self._library.count()

    def page(self, number: int) -> Sequence[Item]:
        return self._library.list(number * PAGE, PAGE)


class Hits:
    """What a search finds; a page begins where the one before it ends."""

    def __init__(self, database: Database, wanted: Wanted, width: int) -> None:
        """`width`: characters of a snippet."""
        self.known = 0
        self.more = True
        self._database = database
        self._wanted = wanted
        self._width = width
        self._begins = [MAX_ID]
        """Of each page the row before which it begins."""

    def measure(self) -> None:
        """Nothing is known before a page has been read."""

    def page(self, number: int) -> Sequence[Item]:
        while self.more and len(self._begins) <= number:
            self._read(len(self._begins) - 1)
        return self._read(number) if number < len(self._begins) else []

    def _read(self, number: int) -> list[Hit]:
        hits = search(self._database, self._wanted, PAGE, self._begins[number], self._width)
        if number == len(self._begins) - 1:
            self.known = number * PAGE + len(hits)
            self.more = len(hits) == PAGE
            if self.more:
                self._begins.append(hits[-1].row)
        return hits


class Pages:
    """The pages of a source that were asked for last."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.length = 0
        self._held: OrderedDict[int, Sequence[Item]] = OrderedDict()

    def open(self, first: int, last: int) -> None:
        """Read what stands from `first` to `last`, and how much there is. Raises StoreError."""
        self.source.measure()
        for number in range(first // PAGE, last // PAGE + 1):
            self.put(number, self.source.page(number))

    def missing(self, first: int, last: int) -> int | None:
        """The first page that is not at hand of those that hold `first` to `last`; they are kept longest."""
        end = self.length - 1 if not self.source.more else self.length
        wanted = range(max(0, first) // PAGE, min(last, end) // PAGE + 1)
        for number in wanted:
            if number in self._held:
                self._held.move_to_end(number)
        while len(self._held) > max(AT_HAND, len(wanted) + 1):
            self._held.popitem(last=False)
        return next((number for number in wanted if number not in self._held), None)

    def put(self, number: int, page: Sequence[Item]) -> None:
        self._held[number] = page
        self.length = self.source.known

    def at(self, place: int) -> Item | None:
        """An item, if its page is at hand."""
        page = self._held.get(place // PAGE, ())
        return page[place % PAGE] if place % PAGE < len(page) else None
