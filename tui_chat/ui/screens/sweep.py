"""A sweep: models, temperatures and system prompts, each combination of which becomes a lane."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_chat.domain import figures
from tui_chat.domain.ask import Message
from tui_chat.domain.failure import Broken, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.lane import MOST, LaneSpec, sweep
from tui_chat.domain.words import say
from tui_chat.engine.budget import foreseen
from tui_chat.store.lanes import read_lane
from tui_chat.ui.lane_lines import name_of
from tui_chat.ui.screens.history import Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

    from tui_chat.engine.reply import Target
    from tui_chat.ui.screens.compare_setting import Setting
    from tui_chat.wiring import House

MOST_WRITTEN = 4000
LOOK_S = 0.15
"""How long the look at what was written waits for another key."""


class SweepError(ValueError):
    """What is wrong with what was written, as a sentence."""


class Swept(Struct, frozen=True):
    """What a sweep comes to."""

    targets: list[Target]
    each: tuple[int, int, int]
    """How many models, temperatures and system prompts."""


class SweepScreen(ModalScreen["list[Target] | None"]):
    """Dismisses with whom the lanes ask, or None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [("escape", "dismiss(None)", "")]

    def __init__(self, house: House, setting: Setting, models: str, question: str) -> None:
        """`models` is the lane to begin with; `question` what it is likely to be asked, for the estimate."""
        super().__init__()
        self._house = house
        self._setting = setting
        self._question = question
        self._models = Line(models, id="models", limit=MOST_WRITTEN)
        self._temperatures = Line("0, 0.5, 1", id="temperatures", limit=MOST_WRITTEN, select=True)
        self._systems = Line(placeholder=say("sweep.systems_hint"), id="systems", limit=MOST_WRITTEN)
        self._found = Static(id="swept", markup=False)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("sweep.title"), classes="dialog-title", markup=False)
            for label, line in (
                (say("sweep.models"), self._models),
                (say("sweep.temperatures"), self._temperatures),
                (say("sweep.systems"), self._systems),
            ):
                yield Static(label, markup=False)
                yield line
            yield self._found
            yield Static(say("sweep.keys"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self._temperatures.focus()
        self._look()

    @on(Input.Changed)
    def _changed(self) -> None:
        self.set_timer(LOOK_S, self._look)

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        """Show what the sweep comes to and what a round of it is likely to cost."""
        try:
            swept = await self._sweep()
        except (SweepError, TuiChatError, Broken) as error:
            self._found.update(Text(visible_line(_line(error)), style=""))
            return
        names = [name_of(target) for target in swept.targets[:MOST]]
        over = [say("sweep.many", most=MOST)] if len(swept.targets) > MOST else []
        models, temperatures, systems = swept.each
        count = say("sweep.count", models=models, temperatures=temperatures, systems=systems, count=len(swept.targets))
        lines = [count, self._cost(swept.targets), *over, *(f"  {name}" for name in names)]
        self._found.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"))

    @on(Input.Submitted)
    async def _entered(self) -> None:
        try:
            swept = await self._sweep()
        except (SweepError, TuiChatError, Broken) as error:
            self._found.update(Text(visible_line(_line(error))))
            return
        if len(swept.targets) <= MOST:
            self.dismiss(swept.targets)
        else:
            self._look()

    async def _sweep(self) -> Swept:
        """Raises SweepError, TuiChatError, Broken."""
        texts = [text.strip() for text in _parts(self._models.value, ",") if text.strip()]
        if not texts:
            raise SweepError(say("sweep.no_model"))
        bases = [read_lane(text, text[:40]) for text in texts]
        temperatures = [_number(text) for text in _parts(self._temperatures.value, ",")]
        systems = _parts(self._systems.value, "|")
        specs: list[LaneSpec] = sweep(bases, temperatures, systems)
        shown = specs[: MOST + 1]
        targets = [await self._setting.target_of(spec) for spec in shown]
        targets += targets[-1:] * (len(specs) - len(shown))
        return Swept(targets, (len(bases), max(1, len(temperatures)), max(1, len(systems))))

    def _cost(self, targets: Iterable[Target]) -> str:
        """What one round is likely to cost, where all prices are known."""
        comparison = self._setting.comparison
        conversation = comparison.session.conversation
        before = conversation.messages(conversation.head) if conversation.head is not None else ()
        messages = (*before, Message("user", self._question)) if self._question else before
        repeat = self._setting.options.pace.repeat
        estimates = [foreseen(self._house.engine, target.ask(messages), target.price).cost.usd for target in targets]
        known = [usd for usd in estimates if usd is not None]
        cost = figures.spent(sum(known, Decimal(0)) * repeat, estimated=True)
        if len(known) < len(estimates):
            return say("sweep.some_prices", cost=cost, count=len(estimates) - len(known), runs=len(estimates) * repeat)
        return say("sweep.cost", cost=cost, runs=len(estimates) * repeat)


def _parts(text: str, mark: str) -> list[str]:
    return [part.strip() for part in text.split(mark) if part.strip()]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise SweepError(say("sweep.temperature", text=text)) from error
    if not 0 <= value <= 100:
        raise SweepError(say("sweep.temperature", text=text))
    return value


def _line(error: Exception) -> str:
    return error.failure.line if isinstance(error, Broken) else str(error)
