"""Several models or settings side by side: lanes, each a whole transcript, and one composer that feeds them.

A listener of its comparison; it decides nothing about a run.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from rich.text import Text
from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static
from textual.widgets.input import Selection

from tui_chat.domain import events, figures
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.keymap import show_key
from tui_chat.domain.words import say
from tui_chat.ui.compare_keys import SLASHES, footer, screen_bindings
from tui_chat.ui.feed import Feed
from tui_chat.ui.keys import KeyLine
from tui_chat.ui.lane_lines import header, shown_reply, strip, tab
from tui_chat.ui.rows import Head
from tui_chat.ui.screens.compare_judging import Judging
from tui_chat.ui.screens.compare_options import Options
from tui_chat.ui.screens.compare_setting import Setting
from tui_chat.ui.screens.compare_writing import CompareWriting
from tui_chat.ui.screens.history import Line as Written
from tui_chat.ui.slashes import obeyed
from tui_chat.ui.turns import head, notes, turns
from tui_chat.ui.widgets.completion import Completion
from tui_chat.ui.widgets.composer import Composer
from tui_chat.ui.widgets.lane import LaneView, Line
from tui_chat.ui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from textual import events as textual_events
    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.widget import Widget

    from tui_chat.domain.ask import Role
    from tui_chat.domain.budget import Estimate, Limit
    from tui_chat.engine.comparison import Comparison, LaneState
    from tui_chat.ui.rows import Turn
    from tui_chat.wiring import Chat

NARROW = 36
"""Columns below which a lane is no lane any more but a tab."""
NOTICE_S = 8.0
LEAVE_S = 3.0
"""How soon a second Esc has to follow the first."""

NO_LIMITS: frozenset[Limit] = frozenset()


class CompareScreen(Judging, Setting, CompareWriting):
    CSS_PATH: ClassVar = "../style/lanes.tcss"
    BINDINGS: ClassVar = screen_bindings()

    def __init__(self, chat: Chat, comparison: Comparison, notice: str = "", lanes: str = "") -> None:
        """`notice` is what to say first; `lanes` names a set that is to be compared."""
        super().__init__()
        self.chat = chat
        self.comparison = comparison
        self.options = Options(comparison.pace)
        self.completion = Completion(id="completion")
        self.composer = Composer(self.completion, id="composer")
        self.composer.renew_offers = self.offer_completions
        self.letters = {}
        self.current = next(iter(comparison.lanes), "")
        self._views: dict[str, LaneView] = {}
        self._box = Horizontal(id="lanes")
        self._title = Line(id="title")
        self._tabs = Line(id="tabs")
        self._status = Static(id="status", markup=False)
        self._label = Static(id="label", markup=False)
        self._line = Written(id="line", limit=4000)
        self._asking = Horizontal(self._label, self._line, id="asking")
        self._keys = KeyLine(id="keys")
        self._what = ""
        """What the line that is being written is for; empty while there is none."""
        self._left: Widget | None = None
        """What had the focus before."""
        self._maximised = self._locked = False
        self._stale = False
        self._notice = notice
        self._set_wanted = lanes
        self._notice_timer: Timer | None = None
        self._escaped_at = -LEAVE_S

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._tabs
        yield self._box
        yield self.completion
        yield self._status
        yield self._asking
        yield self.composer
        yield self._keys

    def on_mount(self) -> None:
        self._feed = Feed(self, self.app.fps, self._grow, self._tick)
        self.composer.cursor_blink = not self.app.slow
        self.composer.placeholder = Content(say("lanes.composer"))
        self.composer.focus()
        self.comparison.listeners.append(self.hear)
        self._renew()
        if self._notice:
            self.notice(self._notice)
        if self._set_wanted:
            self.take_set(self._set_wanted)

    def on_unmount(self) -> None:
        self.keep_draft()
        self._feed.stop()
        self.comparison.listeners.remove(self.hear)

    def on_resize(self) -> None:
        self._lay_out()
        self._tick()

    # what the comparison says

    def hear(self, lane_id: str, event: events.SessionEvent) -> None:
        match event:
            case events.RunHeard(node, stamped):
                self._feed.hear(node, stamped)
                match stamped.event:
                    case events.Text() | events.Thinking() | events.Usage() | events.Timings() | events.Progress():
                        # The next frame shows it.
                        pass
                    case events.Ended():
                        self._feed.stop(node)
                        self._end(lane_id, node)
                    case _:
                        self._tick()
            case events.Submitted(_, reply):
                self._feed.start(reply.id)
                self.renew()
            case events.Finished():
                pass
            case _:
                self.renew()

    def _end(self, lane_id: str, node_id: str) -> None:
        """A reply has ended: say how, and leave the rest of the lane as it is drawn."""
        conversation, view = self.comparison.session.conversation, self._views.get(lane_id)
        node, lane = conversation.nodes[node_id], self.comparison.lanes.get(lane_id)
        if view is not None and lane is not None and node.result is not None:
            shown = self._dressed(head(conversation, node, None, self.app.house.config.currency), lane)
            view.transcript.dress(node_id, shown, notes(node.result, node.text))
        self._tick()

    def renew(self) -> None:
        if not self._stale:
            self._stale = True
            self.call_next(self._renew)

    def _renew(self) -> None:
        """Show the lanes there are, each as it stands."""
        self._stale = False
        self._feed.flush()
        lanes = self._in_order()
        ids = [lane.id for lane in lanes]
        for lane_id in [lane_id for lane_id in self._views if lane_id not in ids]:
            self._views.pop(lane_id).remove()
        if self.current not in ids:
            self.current = ids[0] if ids else ""
        for lane in lanes:
            if lane.id not in self._views:
                view = self._views[lane.id] = LaneView(lane.id, self._typed)
                self._box.mount(view)
            self._views[lane.id].transcript.show(self._turns(lane))
            for reply in lane.replies:
                if not reply.draft.phase.ended:
                    self._feed.start(reply.node.id)
        self._arrange(ids)
        self._lay_out()
        self._tick()

    def _in_order(self) -> list[LaneState]:
        """Lanes from left to right: in a blind round by the letters drawn."""
        lanes = list(self.comparison.lanes.values())
        return sorted(lanes, key=self.letter) if self.hidden else lanes

    def _arrange(self, ids: list[str]) -> None:
        """Have the lanes stand in this order; in it, Tab goes through them."""
        if list(self._views) == ids:
            return
        places = {lane_id: place for place, lane_id in enumerate(ids)}
        self._box.sort_children(
            key=lambda view: places.get(view.lane_id, len(places)) if isinstance(view, LaneView) else 0
        )
        self._views = {lane_id: self._views[lane_id] for lane_id in ids}

    def _turns(self, lane: LaneState) -> list[Turn]:
        """What the lane shows; of a blind round no more than that round, with nothing that tells who answers."""
        shown = self._path(lane) if lane.head else []
        live = {reply.node.id for reply in lane.replies if not reply.draft.phase.ended}
        for turn in shown:
            turn.head = self._dressed(turn.head, lane, turn.role, live=turn.id in live)
        return shown[-2:] if self.hidden else shown

    def _path(self, lane: LaneState) -> list[Turn]:
        currency = self.app.house.config.currency
        return turns(self.comparison.session.conversation, lane.replies, currency, lane.head, decides=False)

    def _dressed(self, shown: Head, lane: LaneState, role: Role = "assistant", *, live: bool = False) -> Head:
        """The line above a turn, without its place among those of all lanes; in a blind round the letter alone.

        What is under way has its state below the lane.
        """
        if role == "assistant" and self.hidden:
            return Head(self.letter(lane))
        return replace(shown, version="", state="" if live else shown.state)

    # where lanes stand

    @property
    def view(self) -> LaneView | None:
        return self._views.get(self.current)

    @property
    def lane_has_focus(self) -> bool:
        return isinstance(self.focused, LaneView)

    @property
    def tabbed(self) -> bool:
        """One lane is shown, the others are tabs."""
        count = len(self._views)
        return count > 1 and (self._maximised or (self.size.width - count + 1) // count < NARROW)

    def _lay_out(self) -> None:
        tabbed = self.tabbed
        # Beside others the terminal cannot scroll one lane alone: a page at a time is what a line would cost.
        by_pages = (len(self._views) > 1 and not tabbed) or self.app.house.config.ui.follow == "page"
        self._tabs.display = tabbed
        for place, (lane_id, view) in enumerate(self._views.items()):
            view.display = not tabbed or lane_id == self.current
            view.set_class(not tabbed and place > 0, "-beside")
            view.set_class(lane_id == self.current, "-current")
            view.transcript.by_pages = by_pages

    @on(Transcript.Scrolled)
    def _scrolled(self, message: Transcript.Scrolled) -> None:
        """Bring the other lanes to the same place where they are locked together."""
        if self._locked:
            for view in self._views.values():
                if view.transcript is not message.transcript:
                    view.transcript.stand_like(message.transcript)

    def on_descendant_focus(self, event: textual_events.DescendantFocus) -> None:
        if isinstance(event.widget, LaneView):
            self.current = event.widget.lane_id
            self._lay_out()
        self._tick()

    def action_lane(self, place: int) -> None:
        """Go to a lane by its place."""
        ids = list(self._views)
        if place > len(ids):
            self.notice(say("lanes.no_lane", place=place, count=len(ids)))
            return
        self.current = ids[place - 1]
        self._lay_out()
        self._views[self.current].focus()

    def action_maximise(self) -> None:
        self._maximised = not self._maximised
        self._lay_out()
        self._tick()

    def action_lock(self) -> None:
        self._locked = not self._locked
        if self._locked and (view := self.view) is not None:
            self._scrolled(Transcript.Scrolled(view.transcript))
        self.notice(say("lanes.locked" if self._locked else "lanes.unlocked"))

    def action_page_up(self) -> None:
        self._scroll("page", -1)

    def action_page_down(self) -> None:
        self._scroll("page", 1)

    def action_line_up(self) -> None:
        self._scroll("line", -1)

    def action_line_down(self) -> None:
        self._scroll("line", 1)

    def action_top(self) -> None:
        self._scroll("end", -1)

    def action_tail(self) -> None:
        self._scroll("end", 1)

    def _scroll(self, by: str, step: int) -> None:
        if (view := self.view) is None:
            return
        transcript = view.transcript
        if by == "page":
            transcript.page(step)
        elif by == "line":
            transcript.scroll_relative(y=step, animate=False)
        elif step < 0:
            transcript.scroll_home(animate=False)
        else:
            transcript.to_tail()
            self._scrolled(Transcript.Scrolled(transcript))

    # a round

    @on(Composer.Sent)
    def _sent(self, message: Composer.Sent) -> None:
        self.keep_draft()
        if not self.keeps_snippet(message.text) and not obeyed(self, message.text, SLASHES):
            self._ask(message.text)

    def _ask(self, text: str) -> None:
        if trouble := self._trouble():
            self.composer.put_before(text)
            self.notice(trouble)
        else:
            self._go(text, None)

    def action_again(self) -> None:
        """Ask the newest question in chat, or of the current lane, in every lane in sync."""
        question = self.newest_question
        if question is None:
            self.notice(say("status.nothing_said"))
        elif trouble := self._trouble():
            self.notice(trouble)
        else:
            self._go(question.text, question.id)

    def _trouble(self) -> str:
        """Why a round cannot begin now; empty when it can."""
        comparison = self.comparison
        if not comparison.synced:
            return say("lanes.none_synced")
        if comparison.session.running:
            return say("lanes.chat_runs")
        return say("lanes.busy") if any(lane.running for lane in comparison.lanes.values()) else ""

    @work(exclusive=True, group="round", exit_on_error=False)
    async def _go(self, text: str, question: str | None) -> None:
        """Begin a round, with open connections where that is wished."""
        comparison = self.comparison
        comparison.pace = self.options.pace
        if self.options.warm:
            self.notice(say("lanes.warming"))
            await comparison.warm_up()
        estimate = comparison.weigh(text) if question is None else comparison.weigh_again(question)
        if not await self._agreed(estimate):
            if question is None:
                self.composer.put_before(text)
            self.notice(say("status.unsent"))
            return
        let_go = estimate.limits if estimate is not None else NO_LIMITS
        self.draw_letters()
        began = comparison.submit(text, let_go=let_go) if question is None else comparison.ask_again(question, let_go)
        if not began:
            self.letters = {}
            if question is None:
                self.composer.put_before(text)
        self.notice("" if began else self._trouble())
        for view in self._views.values():
            view.transcript.to_tail()

    async def _agreed(self, estimate: Estimate | None) -> bool:
        """True unless it would likely cross a limit of the budget, and the user does not want that."""
        from tui_chat.ui.screens.budget import BudgetQuestion

        return estimate is None or bool(await self.app.push_screen_wait(BudgetQuestion(estimate, sudden=False)))

    def _one_or_all(self) -> str | None:
        """The lane that has the focus; None from the composer: all of them."""
        return self.current if self.lane_has_focus else None

    def action_cancel(self) -> None:
        """End what is under way in the lane that has the focus, from the composer in all; then leave."""
        if self._what:
            self._close_line()
        elif self.leave_search() or self.completion.close() or self._unmark():
            return
        elif self.comparison.cancel(self._one_or_all()):
            self.notice("")
        elif self.lane_has_focus:
            self.composer.focus()
        elif monotonic() - self._escaped_at < LEAVE_S:
            self.action_leave()
        else:
            self._escaped_at = monotonic()
            self.notice(say("lanes.esc"))

    def _unmark(self) -> bool:
        marked = [view for view in self._views.values() if view.transcript.marked_text]
        for view in marked:
            view.transcript.unmark()
        return bool(marked)

    @work(exclusive=True, group="round", exit_on_error=False)
    async def action_retry(self) -> None:
        lane = self._one_or_all()
        estimate = self.comparison.weigh_retry(lane)
        if not await self._agreed(estimate):
            self.notice(say("status.unsent"))
        elif not self.comparison.retry(lane, estimate.limits if estimate is not None else NO_LIMITS):
            self.notice(self._trouble() or say("status.nothing"))

    def action_resume(self) -> None:
        if not self.comparison.resume(self._one_or_all()):
            self.notice(say("status.whole"))

    def action_previous_run(self) -> None:
        self._walk(-1)

    def action_next_run(self) -> None:
        self._walk(1)

    def _walk(self, step: int) -> None:
        """Show another run of the current lane; the lane goes on from it."""
        lane = self.lane
        reply = shown_reply(lane) if lane is not None else None
        if lane is None or reply is None or len(lane.replies) < 2:
            self.notice(say("lanes.one_run"))
            return
        place = lane.replies.index(reply) + step
        if 0 <= place < len(lane.replies):
            self.comparison.go_on_from(lane.id, lane.replies[place].node.id)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_quit(self) -> None:
        self.app.leave()

    def action_copy_or_cancel(self) -> None:
        for text in [view.transcript.marked_text for view in self._views.values()] + [self.composer.selected_text]:
            if text:
                self.take(text)
                self._unmark()
                return
        if not self.comparison.cancel():
            self.notice(say("status.quit"))

    def _typed(self, text: str) -> None:
        """What is typed in a lane is meant for the composer."""
        self.composer.focus()
        self.composer.insert(text)

    # a line that is written

    def write_line(self, what: str, label: str, text: str, *, whole: bool = False) -> None:
        self.leave_search()
        if not self._what:
            self._left = self.focused
        self._what = what
        self._label.update(Text(label))
        self._line.value = text
        self._line.selection = Selection(0 if whole else len(text), len(text))
        self._asking.set_class(True, "-open")
        self._line.focus()
        self._tick()

    def action_search_prompts(self) -> None:
        if self._what:
            self._close_line()
        super().action_search_prompts()

    def _close_line(self) -> None:
        self._what = ""
        self._asking.set_class(False, "-open")
        left = self._left if isinstance(self._left, LaneView) and self._left.is_attached else None
        (left or self.composer).focus()
        self.notice("")

    @on(Input.Submitted, "#line")
    async def _line_entered(self, event: Input.Submitted) -> None:
        what, text = self._what, event.value
        # The line stays with what was written until it is right.
        if what and await self.line_written(what, text) and self._what == what:
            self._close_line()

    # what is drawn

    def notice(self, text: str) -> None:
        if self._notice_timer is not None:
            self._notice_timer.stop()
        self._notice_timer = self.set_timer(NOTICE_S, lambda: self.notice("")) if text else None
        self._notice = visible_line(text)
        self._show_status()

    def _grow(self, node: str, text: str, thinking: str) -> None:
        for lane_id, view in self._views.items():
            lane = self.comparison.lanes.get(lane_id)
            if lane is not None and lane.head == node and not self._stale:
                view.transcript.grow(node, text, thinking)

    def _tick(self) -> None:
        """Bring figures, tabs and keys up to date; four times a second while something is under way."""
        if not self.is_attached:
            return
        conversation, hidden = self.comparison.session.conversation, self.hidden
        for lane_id, view in self._views.items():
            if (lane := self.comparison.lanes.get(lane_id)) is None or not view.display:
                continue
            view.say(header(lane, self.letter(lane), hidden=hidden), strip(lane, conversation, hidden=hidden))
            reply = shown_reply(lane)
            if reply is not None and not reply.draft.phase.ended and reply.draft.reasoning and not self._stale:
                # An answer that begins folds the thoughts before it to a line that says what they took.
                shown = self._dressed(head(conversation, reply.node, reply), lane, live=True)
                view.transcript.dress(reply.node.id, shown, ())
        self._show_tabs()
        self._show_title()
        self._show_status()
        self._keys.say(footer(self._offered(), self.app.house.config.keys))

    def _show_tabs(self) -> None:
        if not self._tabs.display:
            return
        text, conversation = Text(no_wrap=True, overflow="ellipsis"), self.comparison.session.conversation
        for lane in self._in_order():
            words = tab(lane, self.letter(lane), conversation, hidden=self.hidden)
            text.append(f" {words} ", "reverse" if lane.id == self.current else "").append("│")
        if keys := [show_key(key) for key in self.app.house.config.keys.of("compare_lane")[: len(self._views)]]:
            text.append(f"  {say('lanes.tabs', first=keys[0], last=keys[-1].rpartition('+')[2])}", "dim")
        self._tabs.say(text)

    def _show_title(self) -> None:
        comparison = self.comparison
        parts = [say("compare.title"), say("lanes.count", count=len(comparison.lanes))]
        parts += [figures.spent(spent, estimated=comparison.running)] if (spent := comparison.spent()) else []
        parts += [say("lanes.blind")] if self.blind else []
        parts += [say("lanes.lock")] if self._locked else []
        parts += [self.options.words] if self.options.words else []
        self._title.say(Text(" · ".join(parts), no_wrap=True, overflow="ellipsis"))

    def show_state(self) -> None:
        self._show_status()

    def _show_status(self) -> None:
        shown = Text(self._notice or self.search_state or self._next(), no_wrap=not self._notice, overflow="ellipsis")
        if shown.plain != str(self._status.content):
            # A notice may take several lines.
            self._status.set_class(not self._notice, "-hint")
            self._status.update(shown, layout=bool(self._notice) or self._status.size.height > 1)

    def _next(self) -> str:
        """What there is to do next, in words."""
        comparison = self.comparison
        if len(comparison.lanes) < 2:
            return say("lanes.next.add")
        if comparison.running:
            return say("lanes.next.running")
        if self.hidden:
            return say("lanes.next.vote")
        judged = any(lane.replies for lane in comparison.lanes.values())
        return say("lanes.next.judge" if judged else "lanes.next.ask")

    def _offered(self) -> tuple[str, ...]:
        """The commands that the footer shows now."""
        if self._what:
            return ("cancel", "help")
        if self.comparison.running:
            # The results would tell who answers.
            return ("cancel", "help", "maximise", *(() if self.hidden else ("results",)), "lock")
        asked = any(lane.replies for lane in self.comparison.lanes.values())
        if len(self.comparison.lanes) < 2 or not (asked or self.hidden or self.lane_has_focus):
            again = ("again",) if self.comparison.session.conversation.newest is not None else ()
            return ("model", "add", "sweep", "help", "sets", *again, "leave", "options")
        if self.hidden:
            return ("vote", "tie", "blind", "help", "maximise")
        if self.lane_has_focus:
            return ("keep", "edit", "retry", "vote", "help", "duplicate", "sync", "remove", "note", "maximise", "diff")
        return ("keep", "results", "diff", "blind", "help", "model", "sets", "sweep", "options", "again", "leave")
