"""The terminal's side of the program: what Textual's driver does not survive, and the last filter before the screen."""

from __future__ import annotations

import codecs
import os
import re
import selectors
import signal
import sys
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from rich.segment import Segment
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter
from textual.messages import TerminalSupportsSynchronizedOutput

from tui_chat.domain.hostile import harmless, visible
from tui_chat.ui.background import ASK, TELL_CHANGES, TELL_NO_MORE, Background, BackgroundTold
from tui_chat.ui.frames import RESTORE, Frames
from tui_chat.ui.notifying import Beacon
from tui_chat.ui.watch import Watch
from tui_chat.ui.writer import Job, Writer

if TYPE_CHECKING:
    from textual.app import App
    from textual.color import Color
    from textual.message import Message
    from textual.screen import Screen

# Textual reads Alt and a digit as what a Mac's keyboard types with them, so that neither can be told from the other.
for _digit in "0123456789":
    cast("dict[str, object]", ANSI_SEQUENCES_KEYS).pop(f"\x1b{_digit}", None)

STOP_LIMIT_S = 1.0
"""How long a terminal may take to accept what restores it."""
ANSWERS_LIMIT_S = 0.8
"""How long its last answers are waited for at the end."""
_ALT = re.compile("""\x1b([a-z0-9!"#$%&'()*+,./:;<=>?@`{|}~-])""")
"""Alt and a key. Textual's parser takes it for two keys that are typed when an answer or the mouse comes right after
it, which a streaming screen has all the time, and loses the Alt of a sign; the kitty protocol's form it takes for what
it is."""


class HostileFilter(LineFilter):
    """Drops from every segment whatever could act on the terminal; rows have made it visible where it is content."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(s.control or harmless(s.text) is s.text for s in segments):
            return segments
        return [s if s.control else Segment(harmless(s.text), s.style) for s in segments]


class PasteGuard:
    """Makes the escape characters inside a bracketed paste visible; Textual's parser would take them for keys.

    Outside of pastes Alt with a key gets a form in which it is not misread.
    """

    START, END = "\x1b[200~", "\x1b[201~"

    def __init__(self) -> None:
        self._inside = False
        self._tail = ""
        """Outside: the last characters, already passed on. Inside: what may be the beginning of the end mark."""

    def feed(self, text: str) -> str:
        out: list[str] = []
        while text:
            text = self._pasted(text, out) if self._inside else self._typed(text, out)
        return "".join(out)

    def _typed(self, text: str, out: list[str]) -> str:
        seen = self._tail + text
        start = seen.find(self.START)
        end = len(text) if start < 0 else start + len(self.START) - len(self._tail)
        out.append(_ALT.sub(lambda key: f"\x1b[{ord(key[1])};3u", text[:end]))
        self._inside = start >= 0
        self._tail = "" if self._inside else seen[1 - len(self.START) :]
        return text[end:]

    def _pasted(self, text: str, out: list[str]) -> str:
        text, self._tail = self._tail + text, ""
        content, mark, rest = text.partition(self.END)
        if mark:
            self._inside = False
        else:
            held = next((n for n in range(len(self.END) - 1, 0, -1) if content.endswith(self.END[:n])), 0)
            content, self._tail = content[: len(content) - held], content[len(content) - held :]
        out.append(content.replace("\x1b", visible("\x1b")) + mark)
        return rest


class Driver(LinuxDriver):
    """Textual's driver, which sends frames of its own and survives what Textual's does not.

    That is: a terminal that takes nothing, input that is no UTF-8, a lost terminal, a SIGCONT that follows no stop.
    """

    _stopped = False

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)  # pyright: ignore[reportUnknownMemberType]  # Textual's own
        self._output = sys.__stderr__
        self._encoding = getattr(self._output, "encoding", None) or "utf-8"
        self.frames = Frames(self._encoding)
        self.beacon = Beacon(self.write)
        self._writer: Writer | None = None
        self._watch = Watch(self.fileno, app)
        self._typed_early: list[Message] | None = [] if getattr(app, "lets_type", False) else None
        """What was typed before the first screen could take it; None once it can, or where none says so."""
        self._typing = Lock()
        self._background = Background()

    # output

    def draw(self, screen: Screen[Any], update: object) -> bool:
        """Show what Textual has drawn of a screen; False when that is nothing of which frames are made."""
        app = self._app
        if not isinstance(update, ChopsUpdate | LayoutUpdate) or not app.is_running:
            return False
        cursor = app.screen.outer_size.clamp_offset(app.cursor_position)
        self.frames.draw(screen, update, cursor, app.console.color_system)
        return True

    def write(self, data: str) -> None:
        if self._writer is not None:
            self._writer.put(Job([data.encode(self._encoding, "backslashreplace")]))

    def start_application_mode(self) -> None:
        self._watch.begin()
        self._writer = Writer(self._output.fileno() if self._output else self.fileno, self._taken, self._watch.hung_up)
        self._writer.start()
        self.frames.attach(self._writer)
        self.beacon.begin()
        super().start_application_mode()
        if self._writer_thread is not None:
            # Its queue is short, and a full one stops the event loop.
            self._writer_thread.stop()
            self._writer_thread = None
        if getattr(self._app, "follows_background", False):
            self._background.asked(time.monotonic())
            self.write(ASK + TELL_CHANGES)

    def stop_application_mode(self) -> None:
        self.frames.detach()
        self.write(RESTORE + TELL_NO_MORE)
        self.beacon.end()
        self._await_answers()
        super().stop_application_mode()

    def close(self) -> None:
        super().close()
        if self._writer is not None:
            self._writer.stop(STOP_LIMIT_S)
            self._writer = None

    @property
    def reports_mouse(self) -> bool:
        return self._mouse

    def report_mouse(self, *, on: bool) -> None:
        """Take the mouse, or leave it to the terminal, whose own way of marking text works then."""
        if not on:
            self._disable_mouse_support()
        self._mouse = on
        if on:
            self._enable_mouse_support()
            if self._mouse_pixels:
                self._enable_mouse_pixels()

    def _taken(self, size: int, seconds: float) -> None:
        self.frames.pacer.taken(size, seconds)
        self.frames.wake()

    def _await_answers(self) -> None:
        """Let the terminal answer what it was asked: what comes later would be typed into the shell."""
        deadline = time.monotonic() + ANSWERS_LIMIT_S
        while self._owed() and not self._watch.gone and time.monotonic() < deadline:
            time.sleep(0.01)

    def _owed(self) -> bool:
        return bool(self.frames.pacer.owed) or self._background.owed(time.monotonic())

    # input

    def process_message(self, message: Message) -> None:
        """Pass on what was typed; called in the input thread."""
        if isinstance(message, events.CursorPosition):
            if message.y and self.frames.pacer.answered():
                self.frames.wake()
                return
            message = _f3(message) or message
        elif isinstance(message, TerminalSupportsSynchronizedOutput):
            self.frames.synchronised = True
        if isinstance(message, events.InputEvent | events.Paste):
            self.frames.pacer.typed(key=isinstance(message, events.Key | events.Paste))
            with self._typing:
                if self._typed_early is not None:
                    self._typed_early.append(message)
                    return
        super().process_message(message)

    def let_type(self) -> None:
        """The first screen takes keys: hand it those that came before it."""
        with self._typing:
            early, self._typed_early = self._typed_early or [], None
            for message in early:
                super().process_message(message)

    def run_input_thread(self) -> None:
        """Textual's loop, leaving out what is no text; a terminal that is gone hangs the program up, once."""
        parser = XTermParser(self._debug)
        pastes = PasteGuard()
        decode = codecs.getincrementaldecoder("utf-8")("ignore").decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = self._read()
                    if not data:
                        self._watch.hung_up()
                        return
                    text = self._without_answers(pastes.feed(decode(data)))
                else:
                    text = self._background.release()
                if text:
                    for event in parser.feed(text):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        with suppress(EOFError, ParseError):
            list(parser.feed(""))

    def _without_answers(self, typed: str) -> str:
        """What was typed, after the app has been told what the terminal said of its background."""
        text, told = self._background.feed(typed, time.monotonic())
        for light in told:
            self.process_message(BackgroundTold(light=light))
        return text

    def _read(self) -> bytes:
        """What was typed; nothing when the terminal is gone."""
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as error:
            self._app.call_later(self._app._handle_exception, error)  # pyright: ignore[reportPrivateUsage]  # as the driver's base does with panic

    # stops

    def _sigtstp_application(self, *_: object) -> None:
        self._stopped = True
        if self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        if self._stopped:
            self._stopped = False
            if self._auto_restart:
                self.resume_application_mode()


def _f3(report: events.CursorPosition) -> events.Key | None:
    """F3 with modifiers, which looks like a report of a cursor in the first line; None for any other report."""
    if report.y or not 1 <= report.x <= 7:
        return None
    held = [name for bit, name in enumerate(("shift", "alt", "ctrl")) if report.x & 1 << bit]
    return events.Key("+".join([*sorted(held), "f3"]), None)
