"""The results of the newest round as a table that can be sorted by every column."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.text import Text
from textual.screen import Screen
from textual.widgets import Static

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named
from tui_chat.ui.result_rows import COLUMNS, GAP, drawn, heading, line, sorted_lanes
from tui_chat.ui.widgets.cursor_list import CursorList

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.domain.comparing import Compared
    from tui_chat.engine.comparison import Comparison
    from tui_chat.ui.app import TuiChat

LOOK_S = 0.5
"""How often the table is brought up to date while something is under way."""
ROWS = 2

KEYS = (
    Key("left", "sort(-1)", "results.key.column"),
    Key("right", "sort(1)", "results.key.next"),
    named("results_reverse", "reverse"),
    Key("escape,q", "dismiss(None)", "results.key.back"),
    # The key that opened it closes it.
    named("compare_results", "dismiss(None)", ""),
)


class ResultList(CursorList):
    """Two rows a lane: the figures, and their spread."""

    def __init__(self) -> None:
        super().__init__(ROWS, lit=True, id="results")
        self.sort, self.backwards = 0, False
        self._compared: Compared | None = None

    def show(self, compared: Compared) -> None:
        self._compared = compared
        self.set_length(len(compared.lanes))
        self.refresh()

    def head(self) -> str:
        """The names of the columns, over those of the list."""
        if self._compared is None:
            return ""
        table = drawn(self._compared, self._compared.lanes, self.columns - 1)
        gap = " " * GAP
        return " " + gap.join(
            heading(place, table.widths[place], self.sort, backwards=self.backwards) for place in table.shown
        )

    def draw(self, place: int, row: int, width: int) -> list[Segment]:
        assert self._compared is not None
        lanes = sorted_lanes(self._compared, self.sort, backwards=self.backwards)
        table = drawn(self._compared, lanes, width)
        segments: list[Segment] = []
        for column in table.shown:
            cell = table.rows[place][column]
            style = "dim" if row else "good" if cell.best else "name" if column == 0 else "text"
            segments.append(Segment(line(cell, column, table.widths[column], row), self.palette[style]))
            segments.append(Segment(" " * GAP))
        return segments

    def choose(self) -> None:
        pass


class ResultsScreen(Screen[None]):
    CSS_PATH: ClassVar = ["../style/lists.tcss", "../style/judging.tcss"]
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison
        self._list = ResultList()
        self._head = Static(id="result-head", markup=False)
        self._status = Static(classes="screen-status", markup=False)

    def compose(self) -> ComposeResult:
        asked = visible_line(self._comparison.asked, 200)
        yield Static(
            f"{say('results.title')} · {asked}" if asked else say("results.title"), classes="screen-title", markup=False
        )
        yield self._head
        yield self._list
        yield self._status
        yield KeyLine(footer(KEYS, self.app.house.config.keys), classes="screen-keys")

    def on_mount(self) -> None:
        self._list.focus()
        self._show()
        self.set_interval(LOOK_S, self._look)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _look(self) -> None:
        if self._comparison.running:
            self._show()

    def _show(self) -> None:
        self._list.show(self._comparison.compared())
        self._head.update(Text(self._list.head(), no_wrap=True))
        said = say("results.running") if self._comparison.running else say("results.hint")
        self._status.update(Text(said, no_wrap=True, overflow="ellipsis"))

    def action_sort(self, step: int) -> None:
        self._list.sort = (self._list.sort + step) % len(COLUMNS)
        self._show()

    def action_reverse(self) -> None:
        self._list.backwards = not self._list.backwards
        self._show()
