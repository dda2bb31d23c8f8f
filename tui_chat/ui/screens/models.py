"""Choosing endpoint and model: the endpoint's own list, filtered as one types."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui_chat.domain.failure import Broken, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.screens.first_run import FirstRun
from tui_chat.ui.widgets.editing import ShownInput

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.ui.app import TuiChat
    from tui_chat.wire.codec import ModelInfo
    from tui_chat.wiring import House


class Picked(Struct, frozen=True):
    endpoint: Endpoint
    model: str
    offered: bool = False
    """The endpoint lists the model; one that was typed may not exist."""


class ModelPicker(ModalScreen[Picked | None]):
    """Dismisses with what was picked, or None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "dismiss(None)", "")]

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, house: House, endpoint: Endpoint) -> None:
        super().__init__()
        self._house = house
        self._endpoint = endpoint
        self._offered: list[ModelInfo] = []
        self._message = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("models.title"), classes="dialog-title", markup=False)
            yield ShownInput(placeholder=say("models.filter"), id="filter")
            yield OptionList(markup=False, id="offers")
            yield Static(id="answer", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._ask()

    @work(exclusive=True, exit_on_error=False)
    async def _ask(self) -> None:
        self._offered, self._message = [], say("models.loading", endpoint=self._endpoint.name)
        self._fill()
        try:
            offered = await self._house.offers(self._endpoint)
            self._offered = list({model.id: model for model in offered}.values())
            self._message = ""
        except Broken as broken:
            self._message = broken.failure.line
        self._fill()

    def _fill(self) -> None:
        wanted = self.query_one(Input).value.strip().lower()
        found = [m for m in self._offered if wanted in m.id.lower() or wanted in (m.name or "").lower()]
        others = [n for n in self._house.endpoint_names() if n != self._endpoint.name and wanted in n]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_label(m), id=f"model:{m.id}") for m in found])
        options.add_options([Option(say("models.endpoint", endpoint=n), id=f"endpoint:{n}") for n in others])
        options.add_option(Option(say("models.setup"), id="setup:"))
        options.highlighted = 0
        message = self._message or (say("models.none") if wanted and not found else self._endpoint.base_url)
        self.query_one("#answer", Static).update(Text(visible_line(message)))

    @on(Input.Changed, "#filter")
    def _filter(self) -> None:
        self._fill()

    @on(Input.Submitted, "#filter")
    def _enter(self, event: Input.Submitted) -> None:
        options = self.query_one(OptionList)
        option = options.get_option_at_index(options.highlighted or 0)
        typed = event.value.strip()
        if typed and not (option.id or "").startswith(("model:", "endpoint:")):
            self.dismiss(Picked(self._endpoint, typed))
        else:
            self._choose(option.id or "")

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option.id or "")

    def _choose(self, option: str) -> None:
        kind, _, name = option.partition(":")
        if kind == "model":
            self.dismiss(Picked(self._endpoint, name, offered=True))
        elif kind == "endpoint":
            self._switch(name)
        else:
            self.app.push_screen(FirstRun(self._house), self._set_up)

    def _switch(self, name: str) -> None:
        try:
            self._endpoint = self._house.endpoint(name)
        except TuiChatError as error:
            self._message = str(error)
            self._fill()
            return
        self.query_one(Input).value = ""
        self._ask()

    def _set_up(self, endpoint: Endpoint | None) -> None:
        if endpoint is not None:
            self._endpoint = endpoint
            self._ask()

    def on_key(self, event: events.Key) -> None:
        """Up and Down walk the list while the filter has the focus."""
        if event.key in ("up", "down") and self.query_one(Input).has_focus:
            options = self.query_one(OptionList)
            options.action_cursor_up() if event.key == "up" else options.action_cursor_down()
            event.stop()
            event.prevent_default()


def _label(model: ModelInfo) -> str:
    parts = [visible_line(model.id, 60)]
    if model.name and model.name != model.id:
        parts.append(visible_line(model.name, 40))
    if model.context:
        parts.append(f"{model.context:,} tokens of context")
    return " · ".join(parts)
