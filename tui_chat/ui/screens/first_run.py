"""Nothing is set up: paste a key, use a server on this computer, or try the demo. Nothing is looked for unasked."""

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

from tui_chat.domain.failure import Broken, Kind, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.screens.told import Told
from tui_chat.ui.widgets.fields import Line

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.ui.app import TuiChat
    from tui_chat.wiring import House


class SetUp(Struct, frozen=True):
    """An endpoint that can be used from now on."""

    endpoint: Endpoint
    said: str = ""
    """What the user should know of it."""


class FirstRun(ModalScreen[SetUp | None]):
    """Dismisses with what was set up, or None when the user goes back.

    The line for the key always has the focus, so that a key that is pasted or typed at any time lands there; Enter on
    the empty line takes what the list offers.
    """

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "back", "")]

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, house: House, *, first: bool = False, name: str = "", said: str = "") -> None:
        """`name`: the endpoint whose key is asked for; without one it is told from the key. `said` is shown first."""
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]
        self._house = house
        self._first = first
        self._named = name
        self._at_start = True
        self._said = said
        self._intro = Static(id="intro", markup=False)
        self._key = Line(password=True, placeholder=say("first.placeholder"), id="key")
        self._answer = Static(id="answer", markup=False)
        self._hint = Static(classes="dialog-hint", markup=False)
        self._ways = OptionList(markup=False, id="ways")

    def compose(self) -> ComposeResult:
        title = "first.title" if self._first else "first.title_again"
        with Vertical(classes="dialog"):
            yield Static(say(title), classes="dialog-title", markup=False)
            yield self._intro
            yield self._key
            yield self._answer
            yield self._ways
            yield self._hint

    def on_mount(self) -> None:
        self._ways.can_focus = False
        self._key.focus()
        self._start()
        if self._said:
            self._tell(self._said)

    def action_back(self) -> None:
        if not self._at_start or self._asking:
            self._start()
        elif self._key.value:
            self._key.value = ""
            self._tell("")
        elif not self._first:
            self.dismiss(None)

    @property
    def _asking(self) -> bool:
        """A server is being asked, which going back gives up."""
        return any(worker.node is self and worker.is_running for worker in self.workers)

    # what is offered

    def _start(self) -> None:
        self.workers.cancel_node(self)  # pyright: ignore[reportUnknownMemberType]  # a worker's result is no matter here
        if self._named:
            about = self._house.config.known[self._named]
            self._offer(say("first.key_title", label=about.label), [])
            self._tell(say("first.key_where", url=about.key_url_hint) if about.key_url_hint else "")
        else:
            names = ", ".join(self._house.endpoints.local())
            ways = [("local:", say("first.local", names=names)), ("demo:", say("first.demo"))]
            self._offer(say("first.intro"), [*ways, ("elsewhere:", say("first.elsewhere"))])
            self._tell("")
        self._at_start = True
        self._hint.update(say("first.keys_start" if self._first else "first.keys"))

    def _offer(self, intro: str, ways: list[tuple[str, str]]) -> None:
        self._at_start = False
        self._hint.update(say("first.keys"))
        self._intro.update(visible_line(intro))
        self._ways.clear_options()
        self._ways.add_options([Option(Text(visible_line(text, 300)), id=id) for id, text in ways])
        self._ways.highlighted = 0 if ways else None
        self._ways.display = bool(ways)

    def _tell(self, text: str) -> None:
        self._answer.update(Text("\n".join(_indented(line) for line in text.split("\n"))))
        self._answer.display = bool(text)

    # what is chosen

    def on_key(self, event: events.Key) -> None:
        """Up and Down walk the list while the line has the focus."""
        if event.key in ("up", "down"):
            self._ways.action_cursor_up() if event.key == "up" else self._ways.action_cursor_down()
            event.stop()
            event.prevent_default()

    @on(Input.Submitted, "#key")
    def _entered(self) -> None:
        option = self._ways.highlighted_option
        kind, _, name = (option.id if option and option.id else "").partition(":")
        key = self._key.value.strip()
        if key and kind != "key":
            self._take_key(key)
        elif kind:
            self._way(kind, name, key)

    @on(OptionList.OptionSelected, "#ways")
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option.id or "").partition(":")
        self._way(kind, name, self._key.value.strip())

    def _way(self, kind: str, name: str, key: str) -> None:
        match kind:
            case "demo":
                self._demo()
            case "local":
                self._look()
            case "elsewhere":
                self._tell_elsewhere()
            case "again":
                self._read_again()
            case "key" if key:
                self._check(name, key)
            case _:
                self._use(name)

    @work(exclusive=True, exit_on_error=False)
    async def _demo(self) -> None:
        self.dismiss(SetUp(await self._house.endpoints.start_demo()))

    @work(exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        self._tell(say("first.looking"))
        found = await self._house.endpoints.find_local()
        if len(found) == 1:
            self._use(found[0].name)
        elif found:
            self._offer(say("first.found"), [(f"found:{e.name}", f"{e.name} · {e.base_url}") for e in found])
            self._tell("")
        else:
            self._tell(say("first.no_local"))
            self._ways.highlighted = 1

    def _tell_elsewhere(self) -> None:
        self._offer(say("first.elsewhere_title"), [("again:", say("first.again"))])
        how = say("first.elsewhere_how", file=self._house.config_file)
        if self.has_class("-short"):
            self.app.push_screen(Told(say("first.elsewhere_title"), how.split("\n")))
        else:
            self._tell(how)

    @work(exclusive=True, exit_on_error=False)
    async def _read_again(self) -> None:
        problems = await asyncio.to_thread(self._house.reload)
        try:
            target = await asyncio.to_thread(self._house.targets.choose, self.app.choice)
        except TuiChatError as error:
            self._tell("\n".join((*problems, str(error))))
        else:
            self.dismiss(SetUp(target.endpoint, " ".join(problems)))

    # keys

    def _take_key(self, key: str) -> None:
        """Check a key where it belongs, as far as it tells; else ask whose it is."""
        name = self._named or self._house.endpoints.recognised(key)
        if name:
            self._check(name, key)
        else:
            self._offer(say("first.whose"), [(f"key:{n}", label) for n, label in self._house.endpoints.keyed()])
            self._tell("")

    @work(exclusive=True, exit_on_error=False)
    async def _check(self, name: str, key: str) -> None:
        """Keep a key once the server takes it, or when nothing could be asked; refuse one that it refuses."""
        said = ""
        try:
            endpoint = self._house.endpoints.with_key(name, key)
            self._tell(say("first.checking", label=self._house.config.known[name].label, host=endpoint.host))
            await self._house.endpoints.offers(endpoint)
        except Broken as broken:
            trouble = broken.failure
            if trouble.kind in (Kind.AUTH, Kind.PERMISSION):
                self._refused(trouble.line)
                return
            said = say("first.key_unchecked", message=visible_line(trouble.message))
        except TuiChatError as error:
            self._refused(str(error))
            return
        try:
            self.dismiss(SetUp(self._house.endpoints.keep_key(name, key), said))
        except TuiChatError as error:
            self._refused(str(error))

    def _refused(self, why: str) -> None:
        """Say why, with the key still there to be mended."""
        self._start()
        self._tell(why)

    def _use(self, name: str) -> None:
        try:
            self.dismiss(SetUp(self._house.endpoints.get(name)))
        except TuiChatError as error:
            self._tell(str(error))


def _indented(line: str) -> str:
    """Made visible; what is to be copied keeps its indentation."""
    return " " * (len(line) - len(line.lstrip(" "))) + visible_line(line, 400)
