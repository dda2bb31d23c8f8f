"""Keys, commands and the meaning of the figures, read off the table of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.words import say
from tui_chat.ui.actions import ACTIONS, show_key

if TYPE_CHECKING:
    from textual.app import ComposeResult


class HelpScreen(ModalScreen[None]):
    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape,f1,q", "dismiss", "")]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("help.title"), classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(help_page())
            yield Static(say("help.close"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


def help_page() -> Group:
    """Keys, command and meaning of every action in columns, then the figures."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column()
    for action in ACTIONS:
        keys = " ".join(show_key(key) for key in action.keys.split(",")[:2] if key)
        table.add_row(keys, f"/{action.slash}" if action.slash else "", action.help)
    return Group(table, Text(f"\n{say('help.figures')}\n", style="bold"), Text(say("help.figures.text")))
