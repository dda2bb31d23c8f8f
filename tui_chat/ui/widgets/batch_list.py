"""The items of a batch, one row each: what can be seen is drawn, and of that only what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from msgspec import Struct
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.message import Message
from textual.widget import Widget

from tui_chat.domain import figures as show
from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import CostSource
from tui_chat.domain.words import say
from tui_chat.ui.board import QUEUED, RUNNING, Row, Show
from tui_chat.ui.cells import clipped, padded
from tui_chat.ui.widgets.cursor_list import CursorList

if TYPE_CHECKING:
    from textual.reactive import Reactive

    from tui_chat.ui.batching import Batching

_VIRTUAL_SIZE = cast("Reactive[Size]", Widget.virtual_size)
STATE_STYLES = {
    Phase.COMPLETED: "good",
    Phase.FAILED: "error",
    Phase.CANCELLED: "warning",
    Phase.WAITING: "warning",
    QUEUED: "warning",
}
SHORT = frozenset({QUEUED, Phase.PROCESSING, Phase.LOADING, Phase.WAITING})
"""States whose usual words are too long for a column."""


class Column(Struct, frozen=True):
    width: int
    """Cells; 0: what is left."""
    right: bool
    least: int
    """Cells of the list from which it is shown."""


COLUMNS = (
    Column(14, False, 0),
    Column(15, False, 0),
    Column(16, False, 100),
    Column(7, True, 38),
    Column(12, True, 52),
    Column(5, True, 70),
    Column(8, True, 60),
    Column(0, False, 76),
)
"""As the words `batch.screen.columns` name them."""


class BatchList(CursorList):
    """Rows of a batch, those that a filter lets through."""

    @dataclass
    class Chosen(Message):
        """Open an item."""

        id: str

    def __init__(self, batch: Batching) -> None:
        super().__init__(1, lit=True, id="batch-items")
        self.batching = batch
        self.filter = Show.ALL
        self.painted = 0
        """Rows drawn so far."""
        self._drawn: dict[int, tuple[int, str]] = {}
        """By the line of the view: (place, what stands there)"""

    @property
    def row(self) -> Row | None:
        """The item at the cursor."""
        return self._at(self.cursor)

    def show(self, filter: Show) -> None:
        self.filter = filter
        self.set_length(len(self.batching.board.listed(filter)))
        self._scroll_at_once(0)
        self.move_to(0)
        self.refresh()

    def bring_up(self) -> None:
        """Draw what has changed in view; the cursor keeps its place."""
        self.set_length(len(self.batching.board.listed(self.filter)))
        if self.cursor >= self.length:
            self.move_to(self.length - 1)
        first, last = self.view()
        for y, place in enumerate(range(first, last + 1)):
            if self._drawn.get(y) != (place, self._text(place)):
                self.refresh(Region(0, y, self.size.width, 1))

    def set_length(self, length: int) -> None:
        """Nothing but the scrollbar moves as the list grows: no layout for it."""
        if length == self.length and self.virtual_size.width == self.columns:
            return
        self.length = length
        size = Size(self.columns, length)
        if self.is_attached and self.size.height:
            self._resize_quietly(size)
        else:
            self.virtual_size = size

    def _resize_quietly(self, size: Size) -> None:
        self.set_reactive(_VIRTUAL_SIZE, size)
        bar = self.vertical_scrollbar
        bar.window_virtual_size = size.height
        bar.window_size = self.size.height

    def choose(self) -> None:
        if (row := self.row) is not None:
            self.post_message(self.Chosen(row.id))

    def said_instead(self) -> str:
        return say("batch.screen.waiting" if self.filter is Show.ALL else "batch.screen.none")

    # what is drawn

    def draw(self, place: int, row: int, width: int) -> list[Segment]:
        self.painted += 1
        self._drawn[place - self.scroll_offset.y] = (place, self._text(place))
        item = self._at(place)
        if item is None:
            return []
        state = self._state(item)
        style = STATE_STYLES.get(state, "reply")
        styles = ("text", style, "dim", "text", "text", "dim", "dim", "dim")
        return [
            Segment(text + " ", self.palette[name])
            for text, name in zip(self._cells(item, width), styles, strict=True)
            if text
        ]

    def heading(self) -> str:
        """The names of the columns, over them."""
        return " " + "".join(
            f"{text} " for text in _fitted(say("batch.screen.columns").split(" | "), self.columns - 1) if text
        )

    def _at(self, place: int) -> Row | None:
        board = self.batching.board
        listed = board.listed(self.filter)
        return board.rows[listed[place]] if 0 <= place < len(listed) else None

    def _text(self, place: int) -> str:
        item = self._at(place)
        return "" if item is None else " ".join(self._cells(item, self.columns - 1))

    def _state(self, item: Row) -> str:
        work = self.batching.board.works.get(item.id) if item.state == RUNNING else None
        return item.state if work is None else work.draft.phase.value

    def _cells(self, item: Row, width: int) -> list[str]:
        state = self._state(item)
        word = state_word(state)
        work = self.batching.board.works.get(item.id) if item.state == RUNNING else None
        bit = f"{item.why} · {item.bit}" if item.why else item.bit
        head = [visible_line(item.id, 80), word, visible_line(item.model, 80)]
        if work is not None:
            stats, cost = work.stats(), work.cost()
            tokens = show.tokens(stats.usage.output, exact=stats.exact)
            money = show.spent(cost.usd, estimated=cost.source is CostSource.ESTIMATED)
            return _fitted([*head, tokens, money, _rate(stats.now_per_s), show.seconds(stats.elapsed_s), bit], width)
        tokens = show.tokens(item.tokens, exact=item.exact)
        money = show.spent(item.cost, estimated=item.estimated)
        return _fitted([*head, tokens, money, _rate(item.rate), show.seconds(item.seconds), bit], width)


def state_word(state: str) -> str:
    """What an item does, in a word that fits its column."""
    return say(f"batch.state.{state}" if state in SHORT else f"state.{state}")


def _rate(value: float | None) -> str:
    return show.rate(value).removesuffix(" tok/s")


def _fitted(cells: list[str], width: int) -> list[str]:
    """Each in the width of its column; "" for columns that find no room."""
    shown = [column for column in COLUMNS if width >= column.least]
    rest = max(0, width - sum(column.width + 1 for column in shown if column.width))
    return [_cell(text, column, rest) if column in shown else "" for text, column in zip(cells, COLUMNS, strict=True)]


def _cell(text: str, column: Column, rest: int) -> str:
    width = column.width or max(0, rest - 1)
    # Words beside numbers would run into them.
    text = text if column.width else f" {text}"
    return f"{clipped(text, width):>{width}}" if column.right else padded(text, width)
