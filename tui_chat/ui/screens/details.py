"""All that is known of the requests behind one turn, to be read and copied."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from rich.table import Table
from rich.text import Text
from textual import work
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from tui_chat.domain.details import as_text, details
from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import find_price
from tui_chat.domain.words import say
from tui_chat.store.usage import tries
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.details import Detail
    from tui_chat.domain.pricing import Price
    from tui_chat.ui.app import TuiChat
    from tui_chat.wiring import House

KEYS = (
    named("sheet_copy", "copy"),
    Key("escape,q", "dismiss(None)", "sheet.key.back"),
)


class DetailsScreen(Screen[None]):
    """The tries come from memory where the reply was made here, else from the store."""

    CSS_PATH: ClassVar = "../style/lists.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, house: House, node: Node) -> None:
        super().__init__()
        self._house = house
        self._node = node
        self._lines: list[Detail] = []
        self._text = Static(classes="details", markup=False)
        self._status = Static(classes="screen-status", markup=False)

    def compose(self) -> ComposeResult:
        yield Static(say("details.title"), classes="screen-title", markup=False)
        with VerticalScroll(id="details"):
            yield self._text
        yield self._status
        yield KeyLine(footer(KEYS, self._house.config.keys), classes="screen-keys")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self._read()

    @work(exclusive=True, exit_on_error=False)
    async def _read(self) -> None:
        runs = self._node.runs
        if not runs and self._house.chats.stored:
            try:
                runs = await asyncio.to_thread(tries, self._house.chats.database, self._node.id)
            except StoreError as error:
                self._tell(visible_line(str(error)))
        self.show_runs(runs)

    def show_runs(self, runs: tuple[RunRecord, ...]) -> None:
        node = replace(self._node, runs=runs)
        self._lines = list(details(node, runs, self._price, self._house.config.currency))
        self._text.update(_grid(self._lines))

    def _price(self, endpoint: str, model: str) -> Price | None:
        return find_price(self._house.config.prices, endpoint, model)

    def action_copy(self) -> None:
        text = as_text(self._lines)
        self.app.copy_to_clipboard(text)
        self._tell(say("status.copied", count=f"{len(text):,}"))

    def _tell(self, text: str) -> None:
        self._status.update(Text(text, no_wrap=True, overflow="ellipsis"))


def _grid(lines: list[Detail]) -> Table:
    """Labels in one column, what is said of them wrapped in another; headings across both."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for place, line in enumerate(lines):
        if line.text:
            grid.add_row(Text(line.label), Text(line.text))
        else:
            if place:
                grid.add_row("", "")
            grid.add_row(
                Text(f"▎{line.label.partition(' ')[0]}", "bold not dim"), Text(line.label.partition(" ")[2], "bold")
            )
    return grid
