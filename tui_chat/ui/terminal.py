"""The terminal's side of the program: what Textual's driver does not survive, and the last filter before the screen."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter

from tui_chat.domain.hostile import harmless

if TYPE_CHECKING:
    from textual.color import Color


class HostileFilter(LineFilter):
    """Drops from every segment whatever could act on the terminal; rows have made it visible where it is content."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(s.control or harmless(s.text) is s.text for s in segments):
            return segments
        return [s if s.control else Segment(harmless(s.text), s.style) for s in segments]


class Driver(LinuxDriver):
    """Textual's driver, which survives input that is no UTF-8 and a SIGCONT that follows no stop."""

    _stopped = False

    def _run_input_thread(self) -> None:
        while True:
            try:
                self.run_input_thread()
            except UnicodeDecodeError:
                continue  # what the terminal sent is no text, and so no key
            except Exception as error:
                self._app.call_later(self._app._handle_exception, error)  # pyright: ignore[reportPrivateUsage]  # as the driver's base does with panic
            return

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
