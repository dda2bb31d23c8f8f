"""Nothing is set up: paste a key, use a server on this computer, or try the demo. Nothing is looked for unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.failure import Broken, Kind, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.widgets.editing import act_at_once

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from tui_chat.wiring import House


class Field(Input):
    """An input line that survives a burst of keys."""

    async def _on_key(self, event: events.Key) -> None:
        await act_at_once(self, event)


class FirstRun(ModalScreen[Endpoint | None]):
    """Dismisses with an endpoint that can be used, or None when the user goes back."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "back", "")]

    def __init__(self, house: House, *, first: bool = False) -> None:
        super().__init__()
        self._house = house
        self._first = first
        self._label_for = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("first.title"), classes="dialog-title", markup=False)
            yield Static(id="intro", markup=False)
            yield Field(password=True, id="key")
            yield OptionList(markup=False, id="ways")
            yield Static(id="answer", classes="dialog-hint", markup=False)
            yield Static(id="help", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self._offer_ways()

    def action_back(self) -> None:
        if self._label_for:
            self._offer_ways()
        elif not self._first:
            self.dismiss(None)

    def _offer_ways(self) -> None:
        self._label_for = ""
        self.workers.cancel_node(self)  # pyright: ignore[reportUnknownMemberType]  # a worker's result is no matter here
        self.query_one("#intro", Static).update(say("first.intro"))
        self.query_one("#help", Static).update(say("first.keys"))
        self.query_one("#key", Input).display = False
        ways = self.query_one(OptionList)
        ways.clear_options()
        ways.add_option(Option(say("first.demo"), id="demo"))
        names = ", ".join(self._house.local_names())
        ways.add_option(Option(say("first.local", names=names), id="local"))
        for name, label in self._house.key_endpoints():
            ways.add_option(Option(say("first.key", label=label), id=f"key:{name}"))
        ways.highlighted = 0
        ways.display = True
        ways.focus()
        variables = ", ".join(self._house.variables()[:4]) + ", …"
        self._answer(say("first.variables", variables=variables, file=self._house.config_file))

    @on(OptionList.OptionSelected, "#ways")
    def _way(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option.id or "").partition(":")
        if kind == "demo":
            self._demo()
        elif kind == "local":
            self._local()
        elif kind == "key":
            self._ask_key(name)
        else:
            self._take(name)

    @work(exclusive=True, exit_on_error=False)
    async def _demo(self) -> None:
        self.dismiss(await self._house.start_demo())

    @work(exclusive=True, exit_on_error=False)
    async def _local(self) -> None:
        self._answer(say("first.looking"))
        found = await self._house.find_local()
        ways = self.query_one(OptionList)
        if not found:
            self._answer(say("first.no_local"))
            return
        ways.clear_options()
        ways.add_options([Option(f"{e.name} · {e.base_url}", id=f"found:{e.name}") for e in found])
        ways.highlighted = 0
        self._label_for = "local"
        self._answer("")

    def _ask_key(self, name: str) -> None:
        self._label_for = name
        label = dict(self._house.key_endpoints())[name]
        self.query_one("#intro", Static).update(say("first.key_title", label=label))
        self.query_one("#help", Static).update(say("first.key_keys"))
        self.query_one(OptionList).display = False
        key = self.query_one("#key", Input)
        key.value = ""
        key.display = True
        key.focus()
        self._answer(say("first.key_where", url=self._house.key_url(name)))

    @on(Input.Submitted, "#key")
    def _pasted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self._check(self._label_for, event.value.strip())

    @work(exclusive=True, exit_on_error=False)
    async def _check(self, name: str, key: str) -> None:
        """Keep a key once the server takes it, or when nothing could be asked; refuse one that it refuses."""
        try:
            endpoint = self._house.with_key(name, key)
            self._answer(say("first.checking", host=endpoint.host))
            await self._house.offers(endpoint)
        except Broken as broken:
            trouble = broken.failure
            if trouble.kind in (Kind.AUTH, Kind.PERMISSION):
                self._answer(trouble.line)
                return
            self.notify(say("first.key_unchecked", message=visible_line(trouble.message)), markup=False)
        except TuiChatError as error:
            self._answer(str(error))
            return
        try:
            self.dismiss(self._house.keep_key(name, key))
        except TuiChatError as error:
            self._answer(str(error))

    def _take(self, name: str) -> None:
        try:
            self.dismiss(self._house.endpoint(name))
        except TuiChatError as error:
            self._answer(str(error))

    def _answer(self, text: str) -> None:
        self.query_one("#answer", Static).update(Text(visible_line(text)))
