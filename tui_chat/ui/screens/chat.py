"""The chat: conversation and reply, figures, composer. A listener of its session; it decides nothing about a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from rich.text import Text
from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui_chat.domain import events, figures
from tui_chat.domain.actions import ACTIONS, SLASHES, footer
from tui_chat.domain.ask import in_words
from tui_chat.domain.draft import Phase
from tui_chat.domain.endpoint import key_in_the_open
from tui_chat.domain.failure import Broken, StoreError, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.titles import first_words
from tui_chat.domain.words import say
from tui_chat.ui.completing import Argument, file_name, models
from tui_chat.ui.feed import Feed
from tui_chat.ui.frames import frames_of
from tui_chat.ui.keys import KeyLine, action_bindings
from tui_chat.ui.screens.comparing import Comparing
from tui_chat.ui.screens.copying import Copying
from tui_chat.ui.screens.measuring import Measuring
from tui_chat.ui.screens.settling import Settling
from tui_chat.ui.screens.writing import Writing
from tui_chat.ui.slashes import obeyed
from tui_chat.ui.themes import described
from tui_chat.ui.turns import head, live_state, notes, turns
from tui_chat.ui.widgets.completion import Completion
from tui_chat.ui.widgets.composer import Composer
from tui_chat.ui.widgets.figures import Figures, Shown, of_reply, of_result
from tui_chat.ui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from tui_chat.domain.actions import Action
    from tui_chat.domain.conversation import Node
    from tui_chat.engine.reply import Reply, Target
    from tui_chat.ui.rows import Head
    from tui_chat.ui.screens.models import Picked
    from tui_chat.wiring import Chat

WIDE = 110
"""Columns from which the figures stand beside the transcript."""
RATE = 11
"""Columns of a rate in the status line, so that what follows it stays where it is."""
NOTICE_S = 6.0
"""How long a notice stands in the status line."""
RUNNING_NOTICE_S = 3.0
"""The same while a reply streams, whose figures it stands before."""


class ChatScreen(Settling, Copying, Comparing, Measuring, Writing):
    BINDINGS: ClassVar = action_bindings(ACTIONS)

    def __init__(self, chat: Chat, problems: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
        self.chat = chat
        self.transcript = Transcript(id="transcript")
        self.completion = Completion(id="completion")
        self.composer = Composer(self.completion, id="composer")
        self.composer.renew_offers = self.offer_completions
        self._figures = Figures(id="figures")
        self._title = Static(id="title", markup=False)
        self._queue = Static(id="queue", markup=False)
        self._status = Static(id="status", markup=False)
        self.estimate = Static(id="estimate", markup=False)
        self._keys = KeyLine(id="keys")
        self._said: dict[Static, Text] = {}
        self._problems = problems
        self._notice = ""
        self._notice_passing = False
        self._unread = False
        """Text came below what is being read."""
        self._notice_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._title
        with Horizontal(id="body"):
            yield self.transcript
            yield self._figures
        yield self._queue
        yield self.completion
        with Horizontal(id="state"):
            yield self._status
            yield self.estimate
        yield self.composer
        yield self._keys

    def on_mount(self) -> None:
        self._feed = Feed(self, self.app.fps, self._grow, self._tick)
        self.composer.cursor_blink = not self.app.slow
        self.follow_files()
        self.composer.focus()
        self._take_up()
        self.recall_prompts()
        if self._problems:
            self._tell_problems()

    def follow_files(self) -> None:
        self.transcript.by_pages = self.app.house.config.ui.follow == "page"
        self._feed.fps = self.app.fps

    def go_on_with(self, target: Target) -> None:
        super().go_on_with(target)
        self._check_endpoint()

    def show_chat(self, chat: Chat) -> None:
        self.leave_chat()
        self.leave_find()
        self.chat = chat
        self._take_up()
        for line in chat.notices:
            self.notice(line)

    def leave_chat(self) -> None:
        """Let the conversation shown go on unseen."""
        self.leave_search()
        self.keep_draft()
        self._feed.stop()
        self.session.listeners.remove(self.hear)
        if self.chat.id:
            self.app.house.chats.registry.hide(self.chat.id)

    def _take_up(self) -> None:
        """Show the conversation as it stands, with the reply that may be under way in it."""
        if self.chat.id:
            self.app.house.chats.registry.show(self.chat.id, self.session)
        self.session.listeners.append(self.hear)
        self._revised = None
        self.look_up_today()
        self.composer.put(self.chat.draft)
        if self.sidebar is not None:
            self.sidebar.current = self.chat.id
        self.retarget()
        self._show_turns()
        self._show_queue(tuple(self.session.queue))
        self.transcript.to_tail()
        reply = self.session.reply
        if reply is not None and self.session.running:
            self._feed.start(reply.node.id)
        if not self.session.target.model:
            self._find_model()
        self._check_endpoint()
        self._ask_about_budget()

    def _let_start_go(self) -> None:
        """A reply begins: its figures take the place of what was told at the start, unless a file is at fault."""
        faults = set(map(visible_line, self.app.house.problems()))
        told = set(map(visible_line, (*self._problems, *self.chat.notices))) - faults
        # A recording plays by itself, with its name as the notice.
        if self.chat.id and self._notice in told:
            self.notice("")

    def _tell_problems(self) -> None:
        """One mistake fits the status line; several are listed, for they would push each other out."""
        if len(self._problems) == 1:
            self.notice(self._problems[0])
        else:
            from tui_chat.ui.screens.told import Told

            self.app.push_screen(Told(say("problems.title", count=len(self._problems)), self._problems))

    @work(exclusive=True, group="check", exit_on_error=False)
    async def _check_endpoint(self) -> None:
        """Try the key of a far endpoint, so that a refused one shows before the first message is sent."""
        await self.app.warm.wait()
        trouble = await self.app.house.endpoints.check_key(self.session.target.endpoint)
        if trouble is not None:
            self.notice(trouble.line)

    @work(exit_on_error=False)
    async def _find_model(self) -> None:
        """Nothing names a model: take the one that offers itself, else have the user choose."""
        try:
            self.session.target = await self.app.house.targets.completed(self.session.target)
            self.retarget()
        except (Broken, TuiChatError):
            self.action_model()

    def on_unmount(self) -> None:
        self.keep_draft()
        self.session.listeners.remove(self.hear)

    def on_resize(self) -> None:
        self._tick()
        self.estimate_soon()

    # what the session says

    def hear(self, event: events.SessionEvent) -> None:
        if events.lane_of(event):
            if isinstance(event, events.Finished):
                self.look_up_today()
                if self.is_current:
                    self._show_turns()
            return
        match event:
            case events.Submitted(question, reply):
                if not self.chat.title:
                    self.chat.title = first_words(question.text)
                    self.retarget()
                self.look_up_today()
                self._let_start_go()
                self._show_turns()
                self._show_queue(tuple(self.session.queue))
                self.transcript.to_tail()
                self._feed.start(reply.id)
            case events.RunHeard(node, stamped):
                self._feed.hear(node, stamped)
                match stamped.event:
                    case events.Text() | events.Thinking() | events.Usage() | events.Timings() | events.Progress():
                        # The next frame shows it: some servers send figures with every token.
                        pass
                    case events.Ended():
                        self._end()
                    case events.Learned(_, _, refused):
                        self.notice(say("ask.learned", parameter=refused), passing=True)
                    case _:
                        self._tick()
            case events.QueueChanged(texts):
                self._show_queue(texts)
            case events.Returned(text):
                if not self.composer.text:
                    self.composer.put(text)
                    self.notice(say("status.returned"))
            case events.Selected() | events.Decided():
                self._show_turns()
                self._show_queue(tuple(self.session.queue))
            case events.BudgetAsked():
                self._ask_about_budget()
            case events.Notice(text):
                self.notice(text)
            case events.Finished() | events.LanesChanged() | events.Voted():
                pass
            case events.Kept():
                self.retarget()

    def _end(self) -> None:
        if self._notice_passing:
            self.notice("")
        self.look_up_today()
        self._feed.stop()
        reply = self.session.reply
        if reply is not None and reply.node.result is not None:
            node = reply.node
            below = notes(reply.node.result, node.text)
            self.transcript.dress(node.id, self._head(node), below)
            self._number_code()
            self.app.tell_end(reply.stats().elapsed_s, failed=reply.draft.failure is not None)
        self._show_queue(tuple(self.session.queue))
        self.list_anew()
        first = len(self.session.conversation.nodes) == 2
        if first and self.chat.journal is not None and self.app.house.config.ui.titles == "model":
            self.action_title(asked=False)

    # what the user does

    @on(Composer.Sent)
    def _sent(self, message: Composer.Sent) -> None:
        self.keep_draft()
        if not self.keeps_snippet(message.text) and not obeyed(self, message.text, SLASHES):
            self._submit(message.text)

    def arguments(self, action: Action) -> list[Argument]:
        """The values that a command is known to take."""
        match action.name:
            case "snippet":
                return list(self.snippets())
            case "theme":
                return [Argument(name, described(name)) for name in self.app.theme_names]
            case "model":
                return list(models(self.app.house.endpoints.listed, self.session.target.endpoint.name))
            case "export":
                return [
                    Argument(f"{file_name(self.chat.title)}.{ending}", known=False) for ending in ("md", "html", "json")
                ]
            case "copy":
                return [Argument("plain", say("complete.plain"), known=False)]
            case "fold":
                return [Argument("all", say("complete.all"))]
            case _:
                return []

    def _submit(self, text: str) -> None:
        target = self.session.target
        if not target.model:
            self.composer.put(text)
            self.action_model()
        elif key_in_the_open(target.endpoint):
            self._ask_about_plain_http(text)
        else:
            self._notice = ""
            if not self.send_revision(text):
                self.session.submit(text)

    def _ask_about_plain_http(self, text: str) -> None:
        """A key goes over plain http to another host only once the user has agreed."""
        from tui_chat.ui.screens.confirm import Confirm

        target = self.session.target

        def answered(agreed: bool | None) -> None:
            if agreed:
                endpoint = replace(target.endpoint, insecure_http=True)
                self.session.target = replace(target, endpoint=endpoint)
                self._submit(text)
            else:
                self.composer.put(text)

        consequence = say("fail.key_open", endpoint=target.endpoint.name, host=target.endpoint.host)
        self.app.push_screen(Confirm(say("confirm.open"), consequence, say("confirm.keys")), answered)

    def _ask_about_budget(self) -> None:
        """What would likely cross a limit is sent only once the user has agreed."""
        session, asked = self.session, self.session.asked
        if asked is None:
            return
        from tui_chat.ui.screens.budget import BudgetQuestion

        def answered(agreed: bool | None) -> None:
            if agreed:
                session.agree()
            elif text := session.decline():
                self.composer.put_before(text)

        # A message from the queue comes up by itself, maybe in the middle of a word.
        self.app.push_screen(BudgetQuestion(asked.estimate, sudden=asked.queued and asked.told), answered)

    def action_cancel(self) -> None:
        if self.leave_search() or self.completion.close() or self.leave_mark() or self.leave_find():
            return
        if self.revising:
            self.leave_revision()
        elif not self.session.cancel():
            self.notice("")
            self.composer.focus()

    def action_retry(self) -> None:
        if self.session.busy:
            self.notice(say("status.running"), passing=True)
        elif not self.session.retry():
            self.notice(say("status.nothing"))

    def action_resume(self) -> None:
        if self.session.busy:
            self.notice(say("status.running"), passing=True)
        elif not self.session.resume():
            self.notice(say("status.whole"))

    def action_previous_version(self) -> None:
        self._walk(-1)

    def action_next_version(self) -> None:
        self._walk(1)

    def _walk(self, step: int) -> None:
        """Show the version beside the newest turn that has several."""
        conversation = self.session.conversation
        if self.session.busy:
            self.notice(say("status.running"), passing=True)
            return
        for node in reversed(conversation.path()):
            if conversation.siblings(node.id)[1] > 1:
                other = conversation.sibling(node.id, step)
                if other is None:
                    break
                self.session.select(other)
                return
        self.notice(say("status.version"))

    def action_take_back(self) -> None:
        text = self.session.take_back()
        if text is None:
            self.notice(say("status.no_queue"))
        else:
            self.composer.put_before(text)

    def action_model(self, argument: str = "") -> None:
        from tui_chat.ui.screens.models import ModelPicker, Picked

        if argument:
            try:
                endpoint, model = self.app.house.targets.named(argument, self.session.target.endpoint)
            except TuiChatError as error:
                self.notice(str(error))
                return
            self._pick(Picked(endpoint, model))
        else:
            target = self.session.target
            self.app.push_screen(ModelPicker(self.app.house, target.endpoint, target.model), self._pick)

    def _pick(self, picked: Picked | None) -> None:
        if picked is not None:
            self.session.target = self.app.house.targets.of(picked.endpoint, picked.model, self.session.target.settings)
            if picked.offered:
                self.app.house.remember(picked.endpoint, picked.model)
            self.retarget()
            self._check_endpoint()
            self.notice(say("status.model", endpoint=picked.endpoint.name, model=visible_line(picked.model, 60)))

    def action_record(self, argument: str = "") -> None:
        """Save the exchanges of the newest reply, from which it can be played again."""
        if not argument:
            self.composer.put("/record ")
            self.notice(say("recording.usage"))
            return
        file = Path(argument).expanduser()
        try:
            saved = self.app.house.recordings.save_last(file)
        except (StoreError, RuntimeError) as error:
            self.notice(str(error))
            return
        self.notice(say("recording.saved", file=file) if saved else say("recording.nothing"))

    def action_system(self, argument: str = "") -> None:
        target = self.session.target
        self.session.target = replace(target, settings=replace(target.settings, system=argument or None))
        self.retarget()
        self.notice(say("status.system" if argument else "status.system_none"))

    def action_theme(self, argument: str = "") -> None:
        from tui_chat.ui.screens.theme_picker import ThemePicker

        names = self.app.theme_names
        if not argument:
            self.app.push_screen(ThemePicker(names, self.app.theme), self._take_theme)
        elif argument in names:
            self._take_theme(argument)
        else:
            self.notice(say("status.no_theme", name=visible_line(argument, 40), names=", ".join(names)))

    def _take_theme(self, name: str | None) -> None:
        if name is not None:
            self.app.choose_theme(name)
            self.notice(say("status.theme", name=name))

    def action_page_up(self) -> None:
        self.transcript.page(-1)

    def action_page_down(self) -> None:
        self.transcript.page(1)

    def action_tail(self) -> None:
        self.transcript.to_tail()
        self._tick()

    def action_suspend(self) -> None:
        self.app.action_suspend_process()

    def action_redraw(self) -> None:
        if (frames := frames_of(self)) is not None:
            frames.redraw()

    def action_batch(self, argument: str = "") -> None:
        from tui_chat.ui.screens.batch import open_batch

        open_batch(self.app, argument, self.session.target)

    def action_help(self) -> None:
        from tui_chat.ui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.app.house.config.keys))

    def action_copy_or_cancel(self) -> None:
        if not self.take_marked() and not self.session.cancel():
            self.notice(say("status.quit"))

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_quit(self) -> None:
        self.app.leave()

    def action_send(self) -> None:
        self.composer.send()

    def action_newline(self) -> None:
        self.composer.insert("\n")

    # what is drawn

    def notice(self, text: str, *, passing: bool = False) -> None:
        """Show a line for a while, in the status line: nothing ever covers the conversation.

        A passing one is about the reply under way and goes with it.
        """
        self._notice_passing = passing
        if self._notice_timer is not None:
            self._notice_timer.stop()
        stays = RUNNING_NOTICE_S if self.session.running else NOTICE_S
        self._notice_timer = self.set_timer(stays, lambda: self.notice("")) if text else None
        self._notice = visible_line(text)
        self._show_status(layout=True)

    def retarget(self) -> None:
        """Say whom the next message goes to."""
        target = self.session.target
        model = visible_line(target.model, 60)
        parts = ["tui-chat", f"{target.endpoint.name}/{model}" if model else target.endpoint.name]
        if self.chat.title:
            parts.insert(1, visible_line(self.chat.title, 60))
        if self.chat.journal is None and self.chat.id:
            parts.insert(1, say("title.temporary"))
        settings = target.settings
        if settings.temperature is not None:
            parts.append(f"temperature {settings.temperature:g}")
        if settings.system:
            parts.append(f"system: {visible_line(settings.system, 40)}")
        self._title.update(Text(" · ".join(parts), no_wrap=True, overflow="ellipsis"))
        # As a plain string it would be read as markup.
        self.composer.placeholder = Content(say("composer.hint", model=model) if model else say("composer.none"))
        self._tick()

    def _grow(self, node: str, text: str, thinking: str) -> None:
        self.transcript.grow(node, text, thinking)
        if not self.transcript.following:
            self._unread = True
            self._show_status()

    @on(Transcript.Scrolled)
    def _scrolled(self) -> None:
        if self._unread:
            self._show_status()

    def _tick(self) -> None:
        """Bring figures, states and keys up to date; four times a second while a reply is under way."""
        reply = self.session.reply
        if reply is not None and self.session.running:
            self.transcript.dress(reply.node.id, self._head(reply.node, reply), ())
        self._figures.show(self._shown(), self.spending())
        self._show_status()
        self._show_keys()
        self.app.tell_state(self.chat.title, running=self.session.running)

    def _head(self, node: Node, live: Reply | None = None) -> Head:
        return head(self.session.conversation, node, live, self.app.house.config.currency)

    def _shown(self) -> Shown | None:
        """The figures of the reply that is in chat: another version has its own."""
        node, reply = self.session.conversation.newest, self.session.reply
        if node is not None and node.result is not None and (reply is None or reply.node.id != node.id):
            return of_result(node, node.result, self.window(node))
        return None if reply is None else of_reply(reply, self.window(reply.node))

    def show_session(self) -> None:
        self.retarget()
        self._show_turns()
        self.transcript.to_tail()

    def _show_turns(self) -> None:
        currency, session = self.app.house.config.currency, self.session
        replies = [session.reply, *session.aside.values()]
        self.transcript.show(turns(session.conversation, replies, currency))
        self._number_code()
        self._tick()

    def _number_code(self) -> None:
        """Number the code blocks of the newest reply, which the keys copy, once it is whole."""
        replies = [node.id for node in self.session.conversation.path() if node.role == "assistant" and node.text]
        self.transcript.number_code(replies[-1] if replies and not self.session.running else "")

    def _show_queue(self, texts: tuple[str, ...]) -> None:
        lines = [say("queue.line", place=i, text=visible_line(in_words(t), 200)) for i, t in enumerate(texts, 1)]
        if lines:
            hint = say(self._why_queued())
            more = [say("queue.more", count=len(lines) - 3)] if len(lines) > 3 else []
            lines = [*lines[:3], *more, hint]
        self._queue.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"))
        self._queue.set_class(bool(texts), "-filled")

    def _why_queued(self) -> str:
        """The key of what is said below the queue."""
        session = self.session
        newest = session.conversation.newest
        phase = newest.result.phase if newest is not None and newest.result is not None else None
        if session.busy:
            return "queue.hint"
        if session.asked is not None:
            return "queue.asked"
        if phase is Phase.INTERRUPTED and session.resumable is not None:
            return "queue.interrupted"
        return "queue.held" if phase is Phase.FAILED else "queue.waiting"

    def show_state(self) -> None:
        self._show_status()

    def _show_status(self, *, layout: bool = False) -> None:
        """One line of figures; a notice takes up to three."""
        leading = self._notice or self.search_state or self.find_state
        parts = [leading] if leading else self._summary()
        transcript = self.transcript
        self._unread &= not transcript.following and transcript.scroll_offset.y < transcript.max_scroll_y
        if self._unread:
            parts = [say("status.below"), *parts]
        text = Text(" · ".join(parts), no_wrap=not self._notice, overflow="ellipsis")
        # Figures that wrapped would move the conversation whenever the estimate comes or goes.
        self._status.set_class(not self._notice, "-one-line")
        self._say(self._status, text, layout=layout)

    def _summary(self) -> list[str]:
        """State, tok/s, cost and elapsed in one line, as the narrow layout needs it."""
        reply, running = self.session.reply, self.session.running
        if reply is None:
            return [say("state.idle")]
        if reply.draft.phase is Phase.WAITING:
            return [live_state(reply)]
        shown = of_reply(reply, None) if running else self._shown()
        if shown is None or self.has_class("-wide"):
            return [live_state(reply) if running else say("state.idle")]
        stats, cost = shown.stats, shown.cost
        ended = f"{say(f'state.{shown.phase}')} · {figures.seconds(stats.elapsed_s)}"
        speed = stats.now_per_s if running else stats.tok_per_s
        return [
            live_state(reply) if running else ended,
            f"{figures.rate(speed, exact=stats.exact and not running):>{RATE}}",
            figures.money(cost, self.app.house.config.currency),
            f"{figures.tokens(stats.usage.output, exact=stats.exact)} tok",
            f"TTFT {figures.seconds(stats.ttft_s)}",
        ]

    def _show_keys(self) -> None:
        text, keymap = Text(no_wrap=True, overflow="ellipsis"), self.app.house.config.keys
        asked = self.session.conversation.newest is not None
        for action in footer(
            running=self.session.running,
            resumable=self.session.resumable is not None,
            interrupted=self.session.undecided is not None,
        ):
            if (key := keymap.shown(action.name)) and (asked or action.name != "retry"):
                text.append("   " if text else "").append(f"{key} ", "bold").append(action.label)
        self._say(self._keys, text)

    def _say(self, line: Static, text: Text, *, layout: bool = False) -> None:
        """Paint a line that says something else than before."""
        if text != self._said.get(line):
            self._said[line] = text
            line.update(text, layout=layout)
