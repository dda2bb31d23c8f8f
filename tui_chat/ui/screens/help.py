"""Keys, commands and the meaning of the figures, read off the table of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain.words import say
from tui_chat.ui.actions import ACTIONS, show_key

if TYPE_CHECKING:
    from textual.app import ComposeResult


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar = [("escape,f1,q", "dismiss", "")]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("help.title"), classes="dialog-title", markup=False)
            with VerticalScroll():
                yield Static(help_text())
            yield Static(say("help.close"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


def help_text() -> Text:
    text = Text()
    for action in ACTIONS:
        keys = " ".join(show_key(key) for key in action.keys.split(",")[:2] if key)
        text.append(f"{keys:<18} ", "bold")
        text.append(f"/{action.slash:<8} " if action.slash else " " * 10)
        text.append(action.help + "\n")
    text.append(f"\n{say('help.figures')}\n", "bold")
    text.append(say("help.figures.text"))
    return text
