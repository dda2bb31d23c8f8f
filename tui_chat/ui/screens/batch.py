"""A batch on the screen: its items with their live state, what they came to, and keys to act on them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_chat.domain import figures as show
from tui_chat.domain.ask import Settings
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.keymap import DEFAULT
from tui_chat.domain.words import say
from tui_chat.ui.batching import Batching, BatchWish, LiveBatch, WatchedBatch
from tui_chat.ui.board import Show
from tui_chat.ui.compositing import LiveScreen
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named, without
from tui_chat.ui.screens.batch_start import BatchStart
from tui_chat.ui.widgets.batch_list import BatchList
from tui_chat.wiring import Choice

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.domain.keymap import Keymap
    from tui_chat.engine.reply import Target
    from tui_chat.ui.app import TuiChat
    from tui_chat.ui.board import Row
    from tui_chat.ui.screens.batch_start import Watched

TICK_S = 0.25
"""Between two paints."""
GAUGE = 24
MOST_KINDS = 4

KEYS = (
    Key("enter", "open", "batch.key.open"),
    named("batch_filter", "filter(1)"),
    Key("tab", "filter(1)"),
    Key("shift+tab", "filter(-1)"),
    named("batch_cancel", "cancel"),
    named("batch_retry", "retry"),
    named("batch_retry_all", "retry_all"),
    named("batch_stop", "stop"),
    Key("escape,q", "back", "batch.key.back"),
)


def open_batch(app: TuiChat, argument: str, target: Target) -> None:
    """Show the batch that is there, or ask for one; items that say nothing else go to `target`."""
    batch = app.batching
    if batch is not None and not argument:
        app.push_screen(BatchScreen(batch, app.house.config.keys))
        return
    if batch is not None and batch.running and batch.can_act:
        app.tell(say("batch.screen.busy"))
        return
    try:
        words = shlex.split(argument)
    except ValueError:
        words = [argument]
    settings = Settings(system=target.settings.system, temperature=target.settings.temperature)
    choice = Choice(target.endpoint.name, target.model or None, None, settings)

    def chosen(wish: BatchWish | Watched | None) -> None:
        if wish is not None:
            _begin(app, wish)

    app.push_screen(BatchStart(app.house, choice, *words[:2]), chosen)


async def _replaced(app: TuiChat, batch: Batching) -> None:
    """The batch that was there lets its output go before the next takes one."""
    if app.batching is not None:
        await app.batching.close()
    app.batching = batch
    batch.news = app.tell
    batch.start()
    app.push_screen(BatchScreen(batch, app.house.config.keys))


def _begin(app: TuiChat, wish: BatchWish | Watched) -> None:
    batch = LiveBatch(app.house, wish) if isinstance(wish, BatchWish) else WatchedBatch(wish.output)
    app.run_worker(_replaced(app, batch), exit_on_error=False)


class LeaveBatch(ModalScreen[str]):
    """Dismisses with background, finish or stay."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [
        ("b", "dismiss('background')", ""),
        ("f", "dismiss('finish')", ""),
        ("escape,enter", "dismiss('stay')", ""),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("batch.leave.title"), classes="dialog-title", markup=False)
            yield Static(say("batch.leave.what"), markup=False)
            yield Static(say("batch.leave.keys"), classes="dialog-hint", markup=False)


class BatchScreen(LiveScreen):
    CSS_PATH: ClassVar = "../style/lists.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, batch: Batching, keymap: Keymap = DEFAULT) -> None:
        super().__init__()
        self._keymap = keymap
        self.batching = batch
        self.items = BatchList(batch)
        self._head = Static(classes="screen-title", markup=False)
        self._progress = Static(classes="sheet-line -inset", markup=False)
        self._figures = Static(classes="sheet-line -inset", markup=False)
        self._heading = Static(classes="sheet-line", markup=False)
        self._status = Static(classes="screen-status", markup=False)
        self._keys = KeyLine(classes="screen-keys")
        self._said: dict[Static, str] = {}
        self._notice = ""
        self._elsewhere = batch.news
        """Who hears the news while this is not shown."""

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._progress
        yield self._figures
        yield self._heading
        yield self.items
        yield self._status
        yield self._keys

    def on_mount(self) -> None:
        self.items.focus()
        self.batching.shown = True
        self._elsewhere, self.batching.news = self.batching.news, self._tell
        self.set_interval(TICK_S, self.bring_up)
        self.call_after_refresh(self.bring_up)

    def on_unmount(self) -> None:
        self.batching.shown = False
        self.batching.news = self._elsewhere

    def on_resize(self) -> None:
        self.call_after_refresh(self.bring_up)

    def bring_up(self) -> None:
        """Paint what has changed since the last time."""
        batch = self.batching
        if batch.running:
            batch.measure()
        self._say(self._head, self._headline())
        self._say(self._progress, " · ".join(filter(None, [self._gauge(), *self._times()])))
        self._say(self._figures, " · ".join(filter(None, self._sums())))
        self._say(self._heading, self.items.heading())
        self._say(self._status, self._notice or self._ending())
        self._keys.say(footer(without(KEYS, self._idle()), self._keymap))
        self.items.bring_up()

    def _idle(self) -> list[str]:
        """What can do nothing now."""
        batch = self.batching
        can_retry = batch.can_retry and batch.board.retryable > 0
        return [*(() if batch.can_stop else ("cancel", "stop")), *(() if can_retry else ("retry", "retry_all"))]

    # what the user does

    @on(BatchList.Chosen)
    def _chosen(self, event: BatchList.Chosen) -> None:
        from tui_chat.ui.screens.batch_item import BatchItem

        row = self.batching.board.row(event.id)
        if row is not None:
            self.app.push_screen(BatchItem(self.batching, row, self._keymap))

    def action_filter(self, step: int) -> None:
        every = list(Show)
        self.items.show(every[(every.index(self.items.filter) + step) % len(every)])
        self._tell("")

    def action_cancel(self) -> None:
        row = self.items.row
        if row is not None and self.batching.can_act:
            done = self.batching.cancel(row)
            self._tell(say("batch.screen.cancelled" if done else "batch.screen.not_running", id=row.id))

    def action_retry(self) -> None:
        row = self.items.row
        if row is not None and self.batching.can_act:
            self._retry([row])

    def action_retry_all(self) -> None:
        board = self.batching.board
        if self.batching.can_act:
            self._retry([board.rows[place] for place in board.listed(Show.FAILED)])

    def _retry(self, rows: list[Row]) -> None:
        count = self.batching.retry(rows)
        self._tell(say("batch.screen.retried", count=f"{count:,}") if count else say("batch.screen.no_retry"))

    def action_stop(self) -> None:
        if self.batching.can_act:
            self.batching.finish()
            self._tell("")

    def action_back(self) -> None:
        if self.batching.running and self.batching.can_act:
            self.app.push_screen(LeaveBatch(), self._leave)
        else:
            self._close()

    def _leave(self, answer: str | None) -> None:
        if answer not in ("background", "finish"):
            return
        if answer == "finish" and isinstance(self.batching, LiveBatch) and not self.batching.stops:
            self.batching.finish()
        self.dismiss(None)
        if self.batching.running:
            self.app.tell(say("batch.screen.background"))

    def _close(self) -> None:
        """Nothing goes on: the output is let go."""
        if self.app.batching is self.batching:
            self.app.batching = None
        # The app's worker: this screen's would end with it.
        self.app.run_worker(self.batching.close(), exit_on_error=False)
        self.dismiss(None)

    # what is drawn

    def _headline(self) -> str:
        filters = [(each, f"{say(f'batch.filter.{each}')} {self._count(each)}") for each in Show]
        shown = "  ".join(f"[{text}]" if each is self.items.filter else text for each, text in filters)
        return f"{shown} · {self._state()} · {visible_line(self.batching.output.name, 60)}"

    def _count(self, kind: Show) -> str:
        """How many items a filter lets through; what another program has under way stands in no file."""
        unknown = kind is Show.RUNNING and self.batching.running and not self.batching.can_act
        return show.NONE if unknown else f"{self.batching.board.count(kind):,}"

    def _state(self) -> str:
        batch = self.batching
        if not batch.can_act:
            return say("batch.screen.watched" if batch.running else "batch.screen.watched_ended")
        if not batch.running:
            return say("batch.screen.over")
        if isinstance(batch, LiveBatch) and batch.finishing:
            return say("batch.screen.finishing", count=len(batch.board.works))
        return say("batch.screen.opening") if batch.limit is None else say("batch.screen.running", limit=batch.limit)

    def _gauge(self) -> str:
        ended, expected = self.batching.ended, self.batching.expected
        if expected is None:
            return self.batching.progress
        share = ended / expected if expected else 1.0
        return f"{show.gauge(share, min(GAUGE, self.size.width // 4))} {self.batching.progress}"

    def _times(self) -> list[str]:
        batch = self.batching
        if isinstance(batch, WatchedBatch):
            return []
        parts = [show.seconds(batch.elapsed)]
        here = self.batching.ended - (batch.before if isinstance(batch, LiveBatch) else 0)
        if batch.running and batch.expected is not None and here > 0:
            left = batch.elapsed / here * max(0, batch.expected - self.batching.ended)
            parts.append(say("batch.left", time=show.seconds(left)))
        return parts

    def _sums(self) -> list[str]:
        batch = self.batching
        rates = batch.tempo.rates(batch.elapsed)
        parts = [show.in_tokens(batch.tokens, short=True), show.spent(batch.usd, estimated=batch.estimated)]
        if batch.left is not None:
            parts.append(say("batch.screen.budget_left", left=show.usd(batch.left)))
        if batch.wrong:
            parts.append(say("batch.screen.wrong", count=f"{batch.wrong:,}"))
        if kinds := [(kind, count) for kind, count in batch.board.failures.most_common(MOST_KINDS) if count]:
            parts.append(say("batch.screen.failures", kinds=", ".join(f"{kind} {count:,}" for kind, count in kinds)))
        if rates:
            parts.append(f"{show.spark(rates)} {show.rate(batch.rate)}")
        return parts

    def _ending(self) -> str:
        batch = self.batching
        return visible_line(batch.trouble or (batch.faults[0] if batch.faults else ""), 400)

    def _tell(self, text: str) -> None:
        self._notice = visible_line(text, 400)
        self.bring_up()

    def _say(self, line: Static, text: str) -> None:
        """Paint a line that says something else than before; its place stays."""
        if self._said.get(line) != text:
            self._said[line] = text
            line.update(Text(text, no_wrap=True, overflow="ellipsis"), layout=False)
