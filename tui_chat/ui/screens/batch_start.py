"""Before a batch begins: which files, how many at a time, for how much; and what it is likely to take."""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.text import Text
from textual import on, work
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_chat.domain import figures as show
from tui_chat.domain.failure import Broken, TuiChatError, UsageError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.batch_input import Source
from tui_chat.store.batch_output import Watch, is_output
from tui_chat.ui.batching import BatchWish
from tui_chat.ui.keys import Key, bindings, named
from tui_chat.ui.screens.history import Line
from tui_chat.wiring.batch import Plan, Reading, forecast, standings_of

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.wiring import Choice, House
    from tui_chat.wiring.batch import Counts, Forecast

FORMATS = {".csv": "csv", ".txt": "text"}
KEYS = (
    Key("escape", "dismiss(None)"),
    named("batch_failed", "failed", first=True),
    Key("down", "app.focus_next", first=True),
    Key("up", "app.focus_previous", first=True),
)


class Watched(Struct, frozen=True):
    """An output to be shown, and nothing to be sent."""

    output: Path


class BatchStart(ModalScreen[BatchWish | Watched | None]):
    """Dismisses with what to run or to watch, once it was said what that would take."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    def __init__(self, house: House, choice: Choice, input: str = "", output: str = "") -> None:
        """Items that say nothing else go to `choice`."""
        super().__init__()
        self._house = house
        self._choice = choice
        self._failed = False
        self._ready: BatchWish | Watched | None = None
        """What Enter begins, once it was told."""
        self._begun = bool(input)
        self.input = Line(input)
        self._default = default_output(input)
        """The output that goes with the input where none is named."""
        self.output = Line(output or self._default)
        self.concurrency = Line("5")
        self.cap = Line()
        self._told = Static(markup=False, id="batch-told")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="batch-start"):
            yield Static(say("batch.start.title"), classes="dialog-title", markup=False)
            for key, line in (
                ("input", self.input),
                ("output", self.output),
                ("concurrency", self.concurrency),
                ("cap", self.cap),
            ):
                yield Static(say(f"batch.field.{key}"), classes="field-name", markup=False)
                yield line
            yield self._told
            yield Static(say("batch.start.keys"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.input.focus()
        if self._begun:
            self._estimate()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        if event.input is self.input:
            # An output that the user has named stays.
            if self.output.value == self._default:
                self.output.value = default_output(self.input.value)
            self._default = default_output(self.input.value)
        self._ready = None

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if self._ready is not None:
            self.dismiss(self._ready)
        else:
            self._estimate()

    def action_failed(self) -> None:
        self._failed = not self._failed
        self._ready = None
        self._estimate()

    @work(exclusive=True, exit_on_error=False)
    async def _estimate(self) -> None:
        self._tell([say("batch.start.reading")])
        try:
            wish, lines = await self._weighed()
        except Broken as broken:
            self._tell([broken.failure.line], "error")
        except TuiChatError as error:
            self._tell([str(error)], "error")
        else:
            self._ready = wish
            self._tell(lines)

    async def _weighed(self) -> tuple[BatchWish | Watched, list[str]]:
        """What Enter would begin, and what is told of it."""
        path = _path(self.input.value)
        if not self.input.value.strip():
            raise UsageError(say("batch.start.no_input"))
        if not await asyncio.to_thread(path.exists):
            raise UsageError(say("batch.start.missing", path=path))
        if await asyncio.to_thread(path.is_dir):
            raise UsageError(say("batch.start.folder", path=path))
        if await asyncio.to_thread(is_output, path):
            return Watched(path), [say("batch.start.watch", path=path)]
        wish = self._wish(path)
        if await asyncio.to_thread(lambda: Watch(wish.output).running):
            return Watched(wish.output), [say("batch.start.busy", path=wish.output)]
        if not await asyncio.to_thread(path.is_file):
            return wish, [say("batch.start.unseen"), say("batch.start.begin")]
        return wish, await self._forecast(wish)

    def _wish(self, path: Path) -> BatchWish:
        output = _path(self.output.value.strip() or default_output(str(path)))
        if output == path:
            raise UsageError(say("batch.start.same"))
        number = self.concurrency.value.strip()
        if not number.isdecimal() or not 1 <= int(number[:5]) <= 1000:
            raise UsageError(say("batch.start.number"))
        cap = _amount(self.cap.value.strip())
        format = FORMATS.get(path.suffix.lower(), "jsonl")
        plan = Plan(path, self._choice, format, retry_failed=self._failed, priced=cap is not None)
        return BatchWish(plan, output, int(number), cap)

    async def _forecast(self, wish: BatchWish) -> list[str]:
        source = await asyncio.to_thread(Source, wish.plan.input)
        try:
            standings = await asyncio.to_thread(standings_of, wish.output)
            reading = Reading(self._house, wish.plan, source, standings)
            faults: list[str] = []
            reading.fault = lambda line: faults.append(line) if len(faults) < 1 else None
            found = await forecast(self._house, reading)
        finally:
            source.close()
        return _lines(found, reading.counts, faults, again=self._failed)

    def _tell(self, lines: list[str], style: str = "") -> None:
        self._told.update(Text("\n".join(visible_line(line, 400) for line in lines)))
        self._told.set_class(style == "error", "-error")
        self._told.scroll_visible(animate=False)


def _lines(found: Forecast, counts: Counts, faults: list[str], *, again: bool) -> list[str]:
    """What stands and what is wrong; what Enter does comes last."""
    before = counts.done + counts.failed_before
    out: list[str] = []
    if before:
        out.append(say("batch.start.resume", done=f"{before:,}", all=f"{counts.read - counts.faults:,}"))
    if counts.failed_before:
        out.append(say("batch.start.failed", count=f"{counts.failed_before:,}"))
    if again:
        out.append(say("batch.start.again"))
    if counts.changed:
        out.append(say("batch.changed", count=f"{counts.changed:,}"))
    if counts.faults:
        out += [say("batch.faulty", count=f"{counts.faults:,}"), *faults]
    if not found.items:
        return [*out, say("batch.start.nothing")]
    money = "price?" if found.usd is None else show.spent(found.usd, estimated=True)
    tokens = {"input": show.tokens(round(found.input)), "output": show.tokens(round(found.output))}
    return [*out, say("batch.start.estimate", items=f"{found.items:,}", cost=money, **tokens), say("batch.start.begin")]


def _amount(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0:
        raise UsageError(say("batch.start.cost"))
    return amount


def _path(text: str) -> Path:
    return Path(text.strip()).expanduser()


def default_output(input: str) -> str:
    """`in.jsonl` as `in.out.jsonl`."""
    text = input.strip()
    return str(Path(text).with_suffix(".out.jsonl")) if text and Path(text).name else ""
