"""Keys and commands of a comparison, read off its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.keymap import show_key
from tui_chat.domain.words import say
from tui_chat.ui.compare_keys import COMMANDS

if TYPE_CHECKING:
    from textual.app import ComposeResult


class CompareHelp(ModalScreen[None]):
    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape,f1,q", "dismiss", "")]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(say("lanes.help_title"), classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(_page())
            yield Static(say("help.close"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


def _page() -> Group:
    table = Table.grid(padding=(0, 2))
    for style in ("bold", "bold", ""):
        table.add_column(no_wrap=True, style=style)
    table.add_column()
    table.add_row("Tab  Alt+1", "", "", say("lanes.help.focus"))
    for command in COMMANDS:
        everywhere, lane = (show_key(keys.partition(",")[0]) if keys else "" for keys in (command.keys, command.lane))
        # Text, as brackets in a string are markup to rich.
        table.add_row(everywhere, lane, f"/{command.slash}" if command.slash else "", Text(command.help))
    return Group(table, Text(f"\n{say('lanes.help_columns')}\n"), Text(say("help.figures.text")))
