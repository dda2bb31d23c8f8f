"""The terminal's side of the program: what Textual's driver does not survive, and the last filter before the screen."""

from __future__ import annotations

import codecs
import os
import selectors
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter

from tui_chat.domain.hostile import harmless, visible

if TYPE_CHECKING:
    from textual.color import Color


class HostileFilter(LineFilter):
    """Drops from every segment whatever could act on the terminal; rows have made it visible where it is content."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(s.control or harmless(s.text) is s.text for s in segments):
            return segments
        return [s if s.control else Segment(harmless(s.text), s.style) for s in segments]


class PasteGuard:
    """Makes the escape characters inside a bracketed paste visible; Textual's parser would take them for keys."""

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
        out.append(text[:end])
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
    """Textual's driver, which survives input that is no UTF-8, a lost terminal, and a SIGCONT that follows no stop."""

    _stopped = False

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
                        os.kill(os.getpid(), signal.SIGHUP)
                        return
                    if text := pastes.feed(decode(data)):
                        for event in parser.feed(text):
                            self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        with suppress(EOFError, ParseError):
            list(parser.feed(""))

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
