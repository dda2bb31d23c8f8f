"""The themes at the side of the conversation, which shows each one as it is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.cells import padded
from tui_chat.ui.themes import described

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.ui.app import TuiChat

MOST_NAME = 30


class ThemePicker(ModalScreen[str | None]):
    """Dismisses with the theme to keep, or None once the one before is back."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "back", "")]

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, names: list[str], current: str) -> None:
        super().__init__()
        self._names = names
        self._before = current

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog side"):
            yield Static(say("themes.title"), classes="dialog-title", markup=False)
            yield OptionList(*(Option(self._line(name), id=f"theme:{name}") for name in self._names), id="themes")
            yield Static(say("themes.keys"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = self._names.index(self._before) if self._before in self._names else 0
        options.focus()

    @on(OptionList.OptionHighlighted)
    def _preview(self, event: OptionList.OptionHighlighted) -> None:
        self.app.theme = self._names[event.option_index]

    @on(OptionList.OptionSelected)
    def _keep(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._names[event.option_index])

    def action_back(self) -> None:
        self.app.theme = self._before
        self.dismiss(None)

    def _line(self, name: str) -> Text:
        width = min(MOST_NAME, max(len(name) for name in self._names))
        line = Text(padded(visible_line(name, MOST_NAME), width), no_wrap=True, overflow="ellipsis")
        return line.append(f"  {described(name)}")
