"""The full-screen program: it shows a session and is the only part that knows Textual's App."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from msgspec.structs import replace
from rich.text import Text
from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.worker import Worker, WorkerFailed, WorkerState

from tui_chat.domain.actions import ACTIONS
from tui_chat.domain.failure import TuiChatError
from tui_chat.domain.words import say
from tui_chat.ui import clipboard, keys, themes
from tui_chat.ui.background import BackgroundTold, of_environment
from tui_chat.ui.screens.chat import WIDE, ChatScreen
from tui_chat.ui.screens.compare_base import CompareBase
from tui_chat.ui.terminal import Driver, HostileFilter
from tui_chat.ui.warming import warm_up
from tui_chat.wiring import Chat, NoEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import RenderableType
    from textual.filter import LineFilter
    from textual.timer import Timer

    from tui_chat.engine.replay import Player
    from tui_chat.engine.session import Session
    from tui_chat.ui.batching import Batching
    from tui_chat.ui.screens.first_run import SetUp
    from tui_chat.ui.screens.history import HistoryScreen
    from tui_chat.wiring import Choice, House

SLOW_FPS = 10
"""Frames a second at most over a slow line."""
WARM_UP_S = 0.3
"""How long after the first paint what it could do without is imported: what was typed meanwhile stands by then."""
EXIT_LIMIT_S = 2.0
"""After a signal: how long an orderly end may take before the process ends anyway."""

log = logging.getLogger(__name__)


def literal(text: str) -> str:
    """A text as markup that says just it; Textual's own way leaves brackets round capitals as they are."""
    return text.replace("[", r"\[")


class TuiChat(App[None], inherit_bindings=False):
    TITLE = "tui-chat"
    CSS_PATH: ClassVar = Path(__file__).parent / "style" / "app.tcss"
    BINDINGS: ClassVar = [Binding("ctrl+q", "quit", show=False, priority=True, id="quit")]
    ENABLE_COMMAND_PALETTE = False
    """Its key is an action's."""
    NOTIFICATION_TIMEOUT = 6.0
    lets_type = True
    """It tells its driver when the first screen takes keys."""

    def __init__(
        self,
        house: House,
        choice: Choice,
        *,
        demo: bool = False,
        player: Player | None = None,
        uid: str | None = None,
        troubles: tuple[str, ...] = (),
    ) -> None:
        """With a player, its recording is played in the place of a chat with the endpoint of `choice`.

        `uid`: the conversation to open; `troubles`: what was found wrong before the screen stood.
        """
        super().__init__(driver_class=Driver)
        self.house = house
        self.slow = False
        """The terminal is at the end of a line on which bytes count."""
        self.fps = SLOW_FPS
        self._follow_line()
        self.last_words: Callable[[], None] | None = house.chats.flush
        """Called, in a thread, when the terminal is gone and the program has to be ended by force."""
        self.set_keymap(keys.changes(house.config.keys))
        self.choice = choice
        self._demo = demo
        self._player = player
        self._hostile = HostileFilter()
        self._uid = uid
        self._session: Session | None = None
        """Of a recording that is played."""
        self._unset = False
        """There is nothing to ask: the user has to set something up first."""
        self._fault = ""
        """What was wrong with what would have been opened."""
        self.batching: Batching | None = None
        """The batch that was opened last; it goes on unseen."""
        self._state = ("", False)
        """Title, and whether a reply is under way, as the terminal is to show them."""
        self._state_timer: Timer | None = None
        self.warm = asyncio.Event()
        """What the first message needs has been imported."""
        loaded = themes.load(house.theme_folders)
        self._problems = [*troubles, *house.problems(), *loaded.problems]
        self.theme_names = sorted(loaded.themes)
        for theme in loaded.themes.values():
            self.register_theme(theme)
        self._start_theme()

    def _follow_line(self) -> None:
        """Be as sparing with bytes as the user's file and the line ask for."""
        ui = self.house.config.ui
        self.slow = ui.slow_line == "on" or (ui.slow_line == "auto" and bool(self.house.env.get("SSH_CONNECTION")))
        self.fps = min(ui.fps, SLOW_FPS) if self.slow else ui.fps
        self.set_class(self.slow, "-slow")

    def follow_files(self) -> list[str]:
        """Look as the user's files say now; what is wrong with them beside config.toml."""
        self._follow_line()
        self.set_keymap(keys.changes(self.house.config.keys))
        loaded = themes.load(self.house.theme_folders)
        self.theme_names = sorted(loaded.themes)
        for theme in loaded.themes.values():
            self.register_theme(theme)
        self._problems = list(loaded.problems)
        self._start_theme()
        self.refresh_css(animate=False)
        return self._problems

    def _start_theme(self) -> None:
        wanted = self.house.state.theme or self.house.config.ui.theme
        if wanted and wanted not in self.available_themes:
            self._problems.append(say("status.no_theme", name=wanted, names=", ".join(self.theme_names)))
            wanted = None
        self.follows_background = wanted is None
        self.theme = wanted or self._theme_for(light=of_environment(self.house.env) or False)

    def _theme_for(self, *, light: bool) -> str:
        name = themes.LIGHT if light else themes.DARK
        return name if name in self.theme_names else self.theme

    def on_background_told(self, event: BackgroundTold) -> None:
        if self.follows_background:
            self.theme = self._theme_for(light=event.light)

    def choose_theme(self, name: str) -> None:
        self.follows_background = False
        self.theme = name
        self.house.remember_theme(name)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Frames go to the terminal by the driver's own way."""
        if not (isinstance(self._driver, Driver) and self._driver.draw(screen, renderable)):
            super()._display(screen, renderable)  # pyright: ignore[reportUnknownMemberType]  # Textual's own

    def copy_to_clipboard(self, text: str) -> None:
        """Hand a text to the terminal's clipboard, as far as one takes it; whether it did nobody says."""
        self._clipboard = text
        data = clipboard.encoded(text)
        if self._driver is not None and data is not None:
            self._driver.write(clipboard.sequence(data, self.house.env))

    def tell_state(self, title: str, *, running: bool) -> None:
        """Have the terminal's title say what is going on."""
        self._state = (title, running)
        if isinstance(self._driver, Driver) and self._state_timer is None:
            wait = self._driver.beacon.show(title, running=running)
            self._state_timer = self.set_timer(wait, self._tell_state_again) if wait else None

    def _tell_state_again(self) -> None:
        self._state_timer = None
        title, running = self._state
        self.tell_state(title, running=running)

    def tell_end(self, seconds: float, *, failed: bool) -> None:
        """Call the user back who has gone elsewhere while a long reply came."""
        ui = self.house.config.ui
        if isinstance(self._driver, Driver) and not self.app_focus and seconds >= ui.notify_after:
            self._driver.beacon.ring(ui.notify, failed=failed)

    def toggle_mouse(self) -> bool | None:
        """Leave the mouse to the terminal, or take it back: True then; None where there is no terminal."""
        if not isinstance(self._driver, Driver):
            return None
        self._driver.report_mouse(on=not self._driver.reports_mouse)
        return self._driver.reports_mouse

    def get_line_filters(self) -> Sequence[LineFilter]:
        """With NO_COLOR greys are made of a theme's colours; the terminal's own, which nobody knows, are left out."""
        filters = super().get_line_filters()
        if self.native_ansi_color:
            filters = [NoColor() if isinstance(one, Monochrome) else one for one in filters]
        return [*filters, self._hostile]

    def get_css_variables(self) -> dict[str, str]:
        self.theme_variables = themes.completed(super().get_css_variables())
        return self.theme_variables

    def action_command_palette(self) -> None:
        from textual.command import CommandPalette

        if not isinstance(self.screen, CommandPalette):
            from tui_chat.ui.screens.palette import Palette

            self.push_screen(Palette())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the table of actions has; nothing of it is foreign text."""
        if isinstance(screen, CompareBase):
            from tui_chat.ui.compare_keys import COMMANDS, SCREEN

            for command in COMMANDS:
                if command.name != "palette" and not command.numbered:
                    title, does = self._titled(command.label_on(SCREEN), command.name), command.help_on(SCREEN)
                    yield SystemCommand(title, literal(does), getattr(screen, f"action_{command.method}"))
        if isinstance(screen, ChatScreen):
            for action in ACTIONS:
                if action.name != "palette":
                    title = self._titled(action.label, action.name)
                    yield SystemCommand(title, literal(action.help), getattr(screen, f"action_{action.name}"))

    def _titled(self, label: str, name: str) -> str:
        key = self.house.config.keys.shown(name)
        return f"{label} · {key}" if key else label

    def get_default_screen(self) -> Screen[None]:
        """The chat: a blank screen before it would have to be styled and painted too."""
        try:
            return self._screen_of(self._first_chat())
        except NoEndpoint:
            self._unset = True
        except TuiChatError as error:
            self._unset, self._fault = True, str(error)
        return Screen(id="_default")

    def on_mount(self) -> None:
        self._own_loop = asyncio.get_running_loop()
        self.listen_to_signals()
        self.house.recordings.tell = self.tell
        self.house.chats.database.tell = self._tell_from_store
        if self._player is None:
            self.house.recordings.keep_last()
        if self._unset:
            from tui_chat.ui.screens.first_run import FirstRun

            self.push_screen(FirstRun(self.house, first=True, said=self._fault), self._set_up)
        self.call_after_refresh(self._stand)

    def _stand(self) -> None:
        """The first screen is there: what was typed before it goes to it."""
        if isinstance(self._driver, Driver):
            self._driver.let_type()
        if self._player is not None:
            self.call_later(self._player.play_all)
        self._warm_up()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that breaks ends alone; what broke it is in the log."""
        worker = cast("Worker[object]", event.worker)
        if event.state is WorkerState.ERROR and worker.error is not None:
            log.error("a worker broke", exc_info=worker.error)

    def _set_up(self, ready: SetUp | None) -> None:
        """Open the first chat, with a question in it that Enter sends."""
        if ready is None:
            return
        try:
            target = self.house.targets.choose(replace(self.choice, endpoint=ready.endpoint.name))
        except TuiChatError as error:
            target = self.house.targets.of(ready.endpoint, ready.endpoint.default_model or "", self.choice.settings)
            self._problems.append(str(error))
        chat = self.house.new_chat(target)
        chat.draft, chat.notices = say("first.question"), (ready.said or say("first.ready"),)
        self.push_screen(self._screen_of(chat))

    def _first_chat(self) -> Chat:
        """The conversation that was asked for, or one that was interrupted, or else a new one."""
        if self._player is not None:
            return self._played(self._player)
        if self._demo:
            self.house.endpoints.listen_demo()
        chats = self.house.chats
        uid = self._uid or next(iter(chats.interrupted), None) or (chats.library.unsent() if chats.saving else None)
        if uid is None:
            return self.house.new_chat(self.house.targets.choose(self.choice))
        return self.house.reopen(uid, self.choice)

    def _screen_of(self, chat: Chat) -> ChatScreen:
        self._problems += chat.notices
        others = [uid for uid in self.house.chats.interrupted if uid != chat.id]
        if others and self._player is None:
            self._problems.append(say("history.others_interrupted", count=len(others)))
        screen = ChatScreen(chat, tuple(self._problems))
        # Textual would find the breakpoint only once the first paint is over.
        screen.set_class(self.size.width >= WIDE, "-wide")
        return screen

    def _played(self, player: Player) -> Chat:
        recording = player.recording
        self._session = player.session
        self._problems.insert(0, recording.note or say("recording.playing", file=recording.name))
        return Chat("", player.session)

    def on_history_screen_deleted(self, message: HistoryScreen.Deleted) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ChatScreen):
                screen.left_by_deletion(message.uid)

    def tell(self, text: str) -> None:
        """Show beside the conversation what happened out of sight."""
        for screen in self.screen_stack:
            if isinstance(screen, ChatScreen | CompareBase):
                screen.notice(text)

    def _tell_from_store(self, text: str) -> None:
        """The store speaks in a thread of its own, and may do so before the loop runs or after it ended."""
        with suppress(RuntimeError):
            self._own_loop.call_soon_threadsafe(self.tell, text)

    @work(exit_on_error=False)
    async def _warm_up(self) -> None:
        """Import what the first message needs, beside the loop, and let the built-in endpoint answer."""
        await asyncio.sleep(WARM_UP_S)
        await asyncio.to_thread(warm_up)
        await asyncio.to_thread(len, self.house.config.prices)
        if self._demo and self._player is None:
            await self.house.endpoints.start_demo()
        if not gc.isenabled():
            # What stands now stays: no collection has to look at it again.
            gc.freeze()
            gc.enable()
        self.warm.set()
        await asyncio.to_thread(self.house.chats.tidy)

    async def on_unmount(self) -> None:
        if self.batching is not None:
            await self.batching.close()
        if self._session is not None:
            await self._session.close()
        await self.house.close()

    # ends

    async def action_quit(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Leave; with a batch that runs or something that the disk does not take, only once the user has agreed."""
        questions = [*self._about_batch(), *self._about_disk()]
        if not questions:
            self.exit()
            return

        from tui_chat.ui.screens.confirm import Confirm, LivingConfirm

        def answered(agreed: bool | None) -> None:
            if agreed:
                self.exit()

        if not isinstance(self.screen, Confirm):
            self.push_screen(LivingConfirm(questions[-1]), answered)

    def _about_batch(self) -> list[Callable[[], tuple[str, str, str]]]:
        """What to ask about a batch of ours that is under way: the question, what follows, the keys."""
        batch = self.batching
        if batch is None or not (batch.running and batch.can_act):
            return []

        def asked() -> tuple[str, str, str]:
            items, file = batch.progress, batch.output.name
            if not batch.running:
                ended = say("confirm.batch_ended", items=items), say("confirm.batch_ended_why", file=file)
                return *ended, say("confirm.batch_ended_keys")
            return say("confirm.batch", items=items), say("confirm.batch_why", file=file), say("confirm.batch_keys")

        return [asked]

    def _about_disk(self) -> list[Callable[[], tuple[str, str, str]]]:
        if not self.house.chats.database.behind:
            return []
        return [lambda: (say("confirm.unsaved"), say("confirm.unsaved_why"), say("confirm.leave"))]

    def listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread() and not self.is_headless:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                loop.add_signal_handler(number, self._end_by_signal, number)

    def _end_by_signal(self, number: signal.Signals) -> None:
        """An orderly end with the shell's code for the signal; a terminal that is gone does not delay it."""
        code = 128 + number
        watchdog = threading.Timer(EXIT_LIMIT_S, os._exit, (code,))
        watchdog.daemon = True
        watchdog.start()
        self.exit(return_code=code)

    def _fatal_error(self) -> None:
        """A fault of our own: one line on the terminal, the traceback, without values of variables, in the log."""
        error = self._exception
        if isinstance(error, WorkerFailed):
            error = error.error
        name = type(error).__name__ if error is not None else "?"
        try:
            log.error("%s", "".join(traceback.format_exception(error)) if error is not None else name)
            line = say("crash.line", error=name, file=self.house.log_file)
        except OSError:
            line = say("crash.line_nolog", error=name)
        if not self._exit_renderables:
            self._exit_renderables.append(Text(f"tui-chat: {line}"))
        self._close_messages_no_wait()

    def panic(self, *renderables: object) -> None:
        """What Textual would print in full ends as our one line."""
        self._return_code = 1
        self._fatal_error()
