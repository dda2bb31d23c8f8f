"""Keys and commands of a comparison, read off its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.actions import IN_LANE
from tui_chat.domain.keymap import DEFAULT, show_key
from tui_chat.domain.words import say
from tui_chat.ui.compare_keys import COMMANDS, SCREEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from tui_chat.domain.actions import Action
    from tui_chat.domain.keymap import Keymap


class CompareHelp(ModalScreen[None]):
    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape,q", "dismiss", ""), Binding("f1", "dismiss", id="help")]

    def __init__(self, keymap: Keymap = DEFAULT) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(say("lanes.help_title"), classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(help_page(self._keymap))
            yield Static(say("help.close"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


def help_page(keymap: Keymap) -> Group:
    """The commands with their keys, then what a lane that has the focus does with keys, then the figures."""
    heading, figures = say("lanes.help_in_lane"), say("help.figures.text")
    commands, lane = _table(COMMANDS, keymap), _table(IN_LANE, keymap)
    commands.add_row("Tab", "", say("lanes.help.focus"))
    return Group(commands, Text(f"\n{heading}\n", style="bold"), lane, Text(f"\n{figures}"))


def _table(actions: Iterable[Action], keymap: Keymap) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True)
    table.add_column()
    for action in actions:
        keys = " ".join(show_key(key) for key in keymap.of(action.name)[:2])
        # Text, as brackets in a string are markup to rich.
        table.add_row(keys, f"/{action.slash}" if action.slash else "", Text(action.help_on(SCREEN)))
    return table
