"""One item of a batch: its prompt and its answer, as it streams in or as the output holds it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.widgets import Static

from tui_chat.domain import figures as show
from tui_chat.domain.conversation import Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.keymap import DEFAULT
from tui_chat.domain.words import say
from tui_chat.engine.batch import Began, Finished, Heard
from tui_chat.store.batch_output import line_of
from tui_chat.ui.batching import LiveBatch
from tui_chat.ui.board import shown_line
from tui_chat.ui.compositing import LiveScreen
from tui_chat.ui.feed import Feed
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named, without
from tui_chat.ui.rows import Head, Turn
from tui_chat.ui.turns import PHASE_STYLES, ended_state, failure_notes, notes
from tui_chat.ui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.domain.ask import Message
    from tui_chat.domain.keymap import Keymap
    from tui_chat.engine.batch import BatchEvent, Work
    from tui_chat.ui.app import TuiChat
    from tui_chat.ui.batching import Batching
    from tui_chat.ui.board import Row
    from tui_chat.wire.forms import BatchLineForm

ANSWER = "answer"
TICK_S = 0.25
"""Between two looks at what can be done with it."""
KEYS = (
    Key("escape,q", "dismiss(None)", "batch.key.back"),
    named("batch_cancel", "cancel"),
    named("batch_retry", "retry"),
    Key("up", "scroll(-1)"),
    Key("down", "scroll(1)"),
    Key("pageup", "page(-1)"),
    Key("pagedown,space", "page(1)"),
    Key("home", "top"),
    Key("end", "tail"),
)


class BatchItem(LiveScreen):
    CSS_PATH: ClassVar = "../style/lists.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, batch: Batching, row: Row, keymap: Keymap = DEFAULT) -> None:
        super().__init__()
        self._keymap = keymap
        self.batching = batch
        self.id_of = row.id
        self.transcript = Transcript(id="transcript")
        self._status = Static(classes="screen-status", markup=False)
        self._keys = KeyLine(classes="screen-keys")

    def compose(self) -> ComposeResult:
        yield Static(Text(visible_line(self.id_of, 200), no_wrap=True), classes="screen-title", markup=False)
        yield self.transcript
        yield self._status
        yield self._keys

    def on_mount(self) -> None:
        self._feed = Feed(self, self.app.fps, self.transcript.grow, self._tick)
        if isinstance(self.batching, LiveBatch):
            self.batching.listeners.append(self._hear)
        self._take_up()
        self.set_interval(TICK_S, self._show_keys)
        self._show_keys()

    def on_unmount(self) -> None:
        if isinstance(self.batching, LiveBatch):
            self.batching.listeners.remove(self._hear)

    # what is shown

    def _take_up(self) -> None:
        work = self.batching.board.works.get(self.id_of)
        if work is not None:
            self._show_work(work)
            self._feed.start(ANSWER)
        else:
            self._read_back()

    def _show_work(self, work: Work) -> None:
        draft = work.draft
        answer = Turn(ANSWER, "assistant", live_head(work), draft.text, draft.reasoning)
        self.transcript.show([*_questions(work.job.item.messages), answer])
        self.transcript.to_tail()

    @work(exclusive=True, exit_on_error=False)
    async def _read_back(self) -> None:
        """The line of an item that has ended, from the output."""
        try:
            found = await asyncio.to_thread(line_of, self.batching.output, self.id_of)
        except StoreError as error:
            self._say(str(error))
            return
        row = self.batching.board.row(self.id_of)
        if self.id_of in self.batching.board.works or row is None:
            return
        if row.job is not None:
            asked = _questions(row.job.item.messages)
        else:
            known = row.bit if isinstance(self.batching, LiveBatch) else ""
            asked = [Turn("q0", "user", Head(say("turn.you")), known)] if known else []
        if found is None:
            self.transcript.show(asked)
            self._say(say("batch.screen.no_line", id=self.id_of))
            return
        self.transcript.show([*asked, stored_turn(shown_line(found))])

    def _tick(self) -> None:
        work = self.batching.board.works.get(self.id_of)
        if work is not None:
            self.transcript.dress(ANSWER, live_head(work), ())

    def _show_keys(self) -> None:
        batch, row = self.batching, self.batching.board.row(self.id_of)
        can_cancel = batch.can_stop and self.id_of in batch.board.works
        can_retry = batch.can_retry and row is not None and row.retryable
        idle = [*(() if can_cancel else ("cancel",)), *(() if can_retry else ("retry",))]
        self._keys.say(footer(without(KEYS, idle), self._keymap))

    def _hear(self, event: BatchEvent) -> None:
        match event:
            case Began(work) if work.id == self.id_of:
                self._show_work(work)
                self._feed.start(ANSWER)
            case Heard(work, stamped) if work.id == self.id_of:
                self._feed.hear(ANSWER, stamped)
            case Finished(work) if work.id == self.id_of:
                self._feed.stop()
                result = _result(work)
                head = Head(work.target.model, ended_state(result), PHASE_STYLES.get(result.phase, "dim"))
                self.transcript.dress(ANSWER, head, notes(result, work.draft.text))
            case _:
                pass

    def _say(self, text: str) -> None:
        self._status.update(Text(visible_line(text, 400), no_wrap=True, overflow="ellipsis"))

    # what the user does

    def action_cancel(self) -> None:
        row = self.batching.board.row(self.id_of)
        if row is not None and self.batching.can_act and not self.batching.cancel(row):
            self._say(say("batch.screen.not_running", id=self.id_of))

    def action_retry(self) -> None:
        row = self.batching.board.row(self.id_of)
        if row is not None and self.batching.can_act:
            count = self.batching.retry([row])
            self._say(say("batch.screen.retried", count=count) if count else say("batch.screen.no_retry"))

    def action_scroll(self, rows: int) -> None:
        self.transcript.scroll_relative(y=rows, animate=False)

    def action_page(self, direction: int) -> None:
        self.transcript.page(direction)

    def action_top(self) -> None:
        if self.transcript.turns:
            self.transcript.to_turn(self.transcript.turns[0].id)

    def action_tail(self) -> None:
        self.transcript.to_tail()


def _questions(messages: tuple[Message, ...]) -> list[Turn]:
    return [
        Turn(f"q{n}", "assistant" if each.role == "assistant" else "user", Head(_speaker(each.role)), each.text)
        for n, each in enumerate(messages)
    ]


def _speaker(role: str) -> str:
    return say("turn.you") if role == "user" else role


def live_head(work: Work) -> Head:
    """`● streaming · 3.2 s` over the answer."""
    phase = work.draft.phase
    state = f"● {say(f'state.{phase}')} · {show.seconds(work.stats().elapsed_s)}"
    return Head(work.target.model, state, PHASE_STYLES.get(phase, "dim"))


def _result(work: Work) -> Result:
    draft = work.draft
    return Result(
        draft.phase, draft.finish_reason, draft.failure, draft.skipped, work.stats(), work.cost(), tuple(draft.seams)
    )


def stored_turn(line: BatchLineForm) -> Turn:
    """What a line of output holds, as the turn of an answer."""
    phase = Phase(line.state) if line.state in set(Phase) else Phase.FAILED
    parts = [say(f"state.{phase}"), show.seconds(line.timing.total_s)]
    if line.usage.output:
        parts.append(show.in_tokens(line.usage.output, exact=line.usage.exact))
    below = failure_notes(line.error.failure()) if line.error is not None and phase is Phase.FAILED else []
    head = Head(visible_line(line.model, 60), " · ".join(parts), PHASE_STYLES.get(phase, "dim"))
    return Turn(ANSWER, "assistant", head, line.text, line.reasoning or "", tuple(below))
