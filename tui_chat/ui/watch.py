"""Notices that the terminal is gone, and sees to it that the program ends, whatever the event loop is doing."""

from __future__ import annotations

import os
import select
import signal
import time
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ORDERLY_S = 2.0
"""How long an orderly end may take."""
LAST_WORDS_S = 0.5
"""How long what is to be saved before the other end may take."""
HUNG_UP = 128 + signal.SIGHUP


class Watch:
    """Waits in a thread of its own for the end of the terminal at `fd`.

    The program is then sent SIGHUP; if it is still there after a while, `last_words` of `app` is called, where there
    is one, and the process ends with 129.
    """

    def __init__(self, fd: int, app: Any) -> None:
        self.gone = False
        self._fd = fd
        self._app = app
        self._lock = Lock()
        self._begun = False

    def begin(self) -> None:
        """Watch from now on."""
        if not self._begun:
            self._begun = True
            Thread(target=self._wait, name="terminal-watch", daemon=True).start()

    def hung_up(self) -> None:
        """The terminal is gone; from any thread, any number of times."""
        with self._lock:
            if self.gone:
                return
            self.gone = True
        Thread(target=self._end, name="terminal-gone", daemon=True).start()
        os.kill(os.getpid(), signal.SIGHUP)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._fd, 0)
        poll.poll()
        self.hung_up()

    def _end(self) -> None:
        time.sleep(ORDERLY_S)
        last_words: Callable[[], None] | None = getattr(self._app, "last_words", None)
        if last_words is not None:
            speaking = Thread(target=last_words, daemon=True)
            speaking.start()
            speaking.join(LAST_WORDS_S)
        os._exit(HUNG_UP)
