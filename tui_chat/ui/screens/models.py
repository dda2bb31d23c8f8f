"""Choosing endpoint and model: the endpoint's own list with prices, filtered as one types."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui_chat.domain.failure import Broken, TuiChatError
from tui_chat.domain.folding import fold
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import find_price
from tui_chat.domain.words import say
from tui_chat.ui.cells import clipped, columns
from tui_chat.ui.screens.first_run import FirstRun, SetUp
from tui_chat.ui.widgets.editing import ShownInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual import events
    from textual.app import ComposeResult

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.pricing import Price
    from tui_chat.ui.app import TuiChat
    from tui_chat.wire.codec import ModelInfo
    from tui_chat.wiring import House

PRICE, CONTEXT = 17, 11
"""Columns of `$0.15 / $0.60` and of `1,048,576`."""
NARROW = 50
"""Columns of the list below which the context is left out."""


class Picked(Struct, frozen=True):
    endpoint: Endpoint
    model: str
    offered: bool = False
    """The endpoint lists the model; one that was typed may not exist."""


class Row(Struct, frozen=True):
    """One line of the list: what it does when it is chosen, and what it says."""

    does: str
    """`model:ID`, `endpoint:NAME`, `key:NAME`, or `setup:`."""
    label: str
    group: int
    """Groups are parted by a line."""
    price: str = ""
    context: str = ""
    sought: str = ""
    """What the filter compares."""


class ModelPicker(ModalScreen[Picked | None]):
    """Dismisses with what was picked, or None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "dismiss(None)", "")]

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, house: House, endpoint: Endpoint, model: str = "") -> None:
        """`model` is the one in use."""
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]
        self._house = house
        self._endpoint = endpoint
        self._in_use = (endpoint.name, model)
        self._models: list[Row] = []
        self._others: list[Row] = []
        self._message = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form picker"):
            yield Static(id="whose", classes="dialog-title", markup=False)
            yield ShownInput(placeholder=say("models.filter"), id="filter")
            yield OptionList(markup=False, id="offers")
            yield Static(id="answer", classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._ask()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    # what is listed

    @work(exclusive=True, exit_on_error=False)
    async def _ask(self) -> None:
        """List what the endpoint offered last, then what it offers now."""
        endpoint = self._endpoint
        self.query_one("#whose", Static).update(say("models.title", endpoint=endpoint.name))
        self._list(self._house.endpoints.offered(endpoint), say("models.loading", endpoint=endpoint.name))
        try:
            self._list(await self._house.endpoints.offers(endpoint), "")
        except Broken as broken:
            self._list(self._house.endpoints.offered(endpoint), broken.failure.line)

    def _list(self, offered: Iterable[ModelInfo], message: str) -> None:
        rows = [self._row(model) for model in {model.id: model for model in offered}.values()]
        self._models = sorted(rows, key=lambda row: (row.group, row.sought))
        self._others = list(self._elsewhere())
        self._message = message
        self._fill()

    def _row(self, model: ModelInfo) -> Row:
        state, price = self._house.state, find_price(self._house.config.prices, self._endpoint.name, model.id)
        which = (self._endpoint.name, model.id)
        notes = {(state.endpoint, state.model): say("models.last"), self._in_use: say("models.in_use")}
        parts = [visible_line(model.id, 80)]
        if which in notes:
            parts.append(notes[which])
        if model.name and model.name != model.id:
            parts.append(visible_line(model.name, 60))
        size = model.context or (price.context if price else None)
        return Row(
            does=f"model:{model.id}",
            label=" · ".join(parts),
            group=0 if which in notes else 1 if price else 2,
            price=_price(price),
            context=f"{size:,}" if size else "",
            sought=_squeezed(f"{model.id} {model.name or ''}"),
        )

    def _elsewhere(self) -> Iterable[Row]:
        """The other endpoints: those that can be used, those that want a key, and servers of this computer."""
        config = self._house.config
        usable, local = self._house.endpoints.names(), self._house.endpoints.local()
        for name in dict.fromkeys((*usable, *config.endpoints)):
            if name == self._endpoint.name:
                continue
            sought = _squeezed(name)
            if name in usable:
                yield Row(f"endpoint:{name}", say("models.endpoint", endpoint=name), 3, sought=sought)
            elif name in local:
                yield Row(f"endpoint:{name}", say("models.local", endpoint=name), 5, sought=sought)
            else:
                place = config.known[name].source.variable or config.known[name].source.place
                yield Row(f"key:{name}", say("models.no_key", endpoint=name, variable=place), 4, sought=sought)

    def _fill(self) -> None:
        """Show what the filter leaves, with the cursor where it was if that is a model still there, else at the top."""
        words = [word for word in map(_squeezed, self.query_one(Input).value.split()) if word]
        found = [row for row in self._models if _has(row, words)]
        others = [row for row in self._others if _has(row, words)]
        options = self.query_one(OptionList)
        if not options.scrollable_content_region.width:
            # Before the first layout nobody knows how wide a line is.
            self.call_after_refresh(self._fill)
            return
        before = options.highlighted_option
        options.clear_options()
        typed = self.query_one(Input).value.strip()
        none = bool(words) and not found and not others
        as_typed = [Row("typed:", say("models.typed", name=visible_line(typed, 60)), 2)] if none else []
        options.add_options(self._options([*found, *others, *as_typed, Row("setup:", say("models.setup"), 6)]))
        model = before.id if before is not None and before.id and before.id.startswith("model:") else ""
        at = "" if words else model
        options.highlighted = next((place for place, o in enumerate(options.options) if o.id == at), 0)
        options.call_after_refresh(options.scroll_to_highlight)
        said = self._message or (say("models.none") if none else self._about(len(found)))
        self.query_one("#answer", Static).update(Text(visible_line(said, 400)))

    def _about(self, count: int) -> str:
        return say("models.about", count=f"{count:,}", url=self._endpoint.base_url)

    def _options(self, rows: list[Row]) -> Iterable[Option | None]:
        draw, last = self._drawing(), None
        for row in rows:
            if last is not None and last != row.group:
                yield None
            last = row.group
            yield Option(draw(row), id=row.does)

    def _drawing(self) -> Callable[[Row], Text]:
        """What makes a line of a row, in columns as far as there is room."""
        width = max(20, self.query_one(OptionList).scrollable_content_region.width)
        context = CONTEXT if width >= NARROW else 0
        room = width - PRICE - context - 2

        def line(row: Row) -> Text:
            if not row.does.startswith("model:"):
                return Text(clipped(row.label, width), no_wrap=True)
            label = clipped(row.label, room)
            text = Text(label + " " * (room - columns(label)), no_wrap=True)
            text.append(f"{row.price:>{PRICE}}{row.context:>{context}}" if context else f"{row.price:>{PRICE}}")
            return text

        return line

    # what is chosen

    @on(Input.Changed, "#filter")
    def _filter(self) -> None:
        self._fill()

    @on(Input.Submitted, "#filter")
    def _enter(self) -> None:
        option = self.query_one(OptionList).highlighted_option
        self._choose((option.id if option is not None else None) or "")

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option.id or "")

    def _choose(self, does: str) -> None:
        kind, _, name = does.partition(":")
        match kind:
            case "model":
                self.dismiss(Picked(self._endpoint, name, offered=True))
            case "typed":
                self.dismiss(Picked(self._endpoint, self.query_one(Input).value.strip()))
            case "endpoint":
                self._switch(name)
            case _:
                self.app.push_screen(FirstRun(self._house, name=name), self._set_up)

    @work(exclusive=True, exit_on_error=False)
    async def _switch(self, name: str) -> None:
        """List another endpoint's models; its key may come from a command that takes a while."""
        try:
            endpoint = await asyncio.to_thread(self._house.endpoints.get, name)
        except TuiChatError as error:
            self._message = str(error)
            self._fill()
            return
        self._turn_to(endpoint)

    def _turn_to(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.query_one(Input).value = ""
        self._ask()

    def _set_up(self, ready: SetUp | None) -> None:
        if ready is not None:
            self._turn_to(ready.endpoint)

    def on_key(self, event: events.Key) -> None:
        """Up, Down and the pages walk the list while the filter has the focus."""
        options = self.query_one(OptionList)
        moves = {
            "up": options.action_cursor_up,
            "down": options.action_cursor_down,
            "pageup": options.action_page_up,
            "pagedown": options.action_page_down,
        }
        if event.key in moves and self.query_one(Input).has_focus:
            moves[event.key]()
            event.stop()
            event.prevent_default()


def _price(price: Price | None) -> str:
    """`$0.15 / $0.60`: USD per million tokens in and out."""
    if price is None:
        return "price?"
    billed = price.input or price.output
    return f"${price.input} / ${price.output}" if billed else say("models.not_billed")


def _squeezed(text: str) -> str:
    """Letters and digits without case and accents, so that `gpt4` finds gpt-4."""
    return fold(text).replace(" ", "")


def _has(row: Row, words: list[str]) -> bool:
    return all(word in row.sought for word in words)
