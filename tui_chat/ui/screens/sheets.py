"""Screens with a table of figures under tabs: read in a thread, switched with a key, copied as text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.text import Text
from textual import on, work
from textual.screen import Screen
from textual.widgets import Static

from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named
from tui_chat.ui.widgets.sheet import EMPTY, Sheet, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from tui_chat.ui.app import TuiChat
    from tui_chat.wiring import House

KEYS = (
    Key("right,tab", "switch(1)", "sheet.key.switch"),
    Key("left,shift+tab", "switch(-1)"),
    named("sheet_turn", "turn(1)"),
    named("sheet_copy", "copy"),
    Key("escape,q", "dismiss(None)", "sheet.key.back"),
)


class Page(Struct, frozen=True):
    """What a tab shows."""

    table: Table = EMPTY
    said: str = ""
    """In the place of a table without lines."""
    lead: str = ""
    """The line above the table."""
    status: str = ""
    notes: Sequence[str] = ()
    """Of each line, what the status says while the cursor is on it."""


class SheetScreen(Screen[None]):
    """A subclass has tabs and turns, and reads a page for two of them."""

    CSS_PATH: ClassVar = "../style/lists.tcss"
    BINDINGS: ClassVar = bindings(KEYS)
    TITLE_KEY: ClassVar = ""

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, house: House, tabs: Sequence[str], turns: Sequence[str]) -> None:
        """The words of the tabs, which stand in the first line, and of the turns, of which one is in force."""
        super().__init__()
        self._house = house
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]
        self.tab = self.turn = 0
        self.page = Page()
        self.sheet = Sheet(id="sheet")
        self._tabs, self._turns = tabs, turns
        self._head = Static(classes="screen-title", markup=False)
        self._lead = Static(classes="sheet-lead", markup=False)
        self._heading = Static(classes="sheet-line", markup=False)
        self._total = Static(classes="sheet-line -total", markup=False)
        self._status = Static(classes="screen-status", markup=False)

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._lead
        yield self._heading
        yield self.sheet
        yield self._total
        yield self._status
        yield KeyLine(footer(KEYS, self._house.config.keys), classes="screen-keys")

    def read(self, tab: int, turn: int) -> Page:
        """The page of a tab; in a thread. Raises StoreError."""
        raise NotImplementedError

    def turns_in(self, tab: int) -> bool:
        """The turns mean something in this tab."""
        return True

    def on_mount(self) -> None:
        self.sheet.focus()
        self.load()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_lines)

    def load(self) -> None:
        """Show the page of the tab and turn in force, once it has been read; until then the one before stands."""
        self._show_head()
        self._read(self.tab, self.turn)

    @work(exclusive=True, exit_on_error=False)
    async def _read(self, tab: int, turn: int) -> None:
        try:
            page = await asyncio.to_thread(self.read, tab, turn)
        except StoreError as error:
            page = Page(said=visible_line(str(error)))
        self.page = page
        self.sheet.fill(page.table, page.said)
        self._show_lines()

    def action_switch(self, step: int) -> None:
        self.tab = (self.tab + step) % len(self._tabs)
        self.load()

    def action_turn(self, step: int) -> None:
        if self.turns_in(self.tab):
            self.turn = (self.turn + step) % len(self._turns)
            self.load()

    def action_copy(self) -> None:
        if self.page.table.lines:
            text = "\n".join(filter(None, (self.page.lead, self.sheet.as_text(), self.page.status)))
            self.app.copy_to_clipboard(text)
            self._tell(say("status.copied", count=f"{len(text):,}"))

    @on(Sheet.Moved)
    def _moved(self, event: Sheet.Moved) -> None:
        notes = self.page.notes
        self._tell(notes[event.place] if event.place < len(notes) and notes[event.place] else self.page.status)

    def _show_head(self) -> None:
        text = Text(say(self.TITLE_KEY), no_wrap=True, overflow="ellipsis")
        for place, tab in enumerate(self._tabs):
            text.append("   ").append(f" {tab} ", "reverse bold" if place == self.tab else "")
        if self.turns_in(self.tab):
            text.append(f"   · {self._turns[self.turn]}")
        self._head.update(text)

    def _show_lines(self) -> None:
        self._lead.update(Text(self.page.lead))
        self._lead.display = bool(self.page.lead)
        self._heading.update(Text(self.sheet.heading, no_wrap=True))
        self._total.update(Text(self.sheet.total, no_wrap=True))

    def _tell(self, text: str) -> None:
        self._status.update(Text(text, no_wrap=True, overflow="ellipsis"))
