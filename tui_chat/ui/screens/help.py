"""Keys, commands and the meaning of the figures, read off the table of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.actions import ACTIONS, ELSEWHERE
from tui_chat.domain.keymap import DEFAULT, show_key
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.domain.keymap import Keymap


class HelpScreen(ModalScreen[None]):
    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape,q", "dismiss", ""), Binding("f1", "dismiss", id="help")]

    def __init__(self, keymap: Keymap = DEFAULT) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(say("help.title"), classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(help_page(self._keymap))
            yield Static(say("help.close"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


def help_page(keymap: Keymap) -> Group:
    """Keys, command and meaning of every action in columns, then the figures."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column()
    for action in (*ACTIONS, *ELSEWHERE):
        keys = " ".join(show_key(key) for key in keymap.of(action.name)[:2])
        # Text, as brackets in a string are markup to rich.
        table.add_row(keys, f"/{action.slash}" if action.slash else "", Text(action.help))
    return Group(table, Text(f"\n{say('help.figures')}\n", style="bold"), Text(say("help.figures.text")))
