"""When the next frame may be sent: the terminal's own answers say how far behind it is."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IN_FLIGHT = 2
"""Frames that may be under way to the terminal without an answer."""
IN_FLIGHT_TYPED = 4
"""As many while the user types: an echo does not wait for the frames before it."""
PATIENCE_S = 2.0
"""After this long without an answer none is waited for."""
TYPED_S = 0.1
"""How long after a key frames are an answer to it."""
ECHO_S = 0.05
"""How long after a key what changes on the screen is drawn at once."""
BYTES_PER_S = 20_000.0
"""What a terminal is thought to take that does not answer, at first."""
SLOWEST, FASTEST = 1_000.0, 1_000_000.0


class Pacer:
    """Counts frames sent and answered; only `answered`, `owed` and `typed` are called from other threads."""

    def __init__(self, now: Callable[[], float], fps: float = 60.0) -> None:
        self.fps = fps
        self.streaming = False
        """A reply is coming in: frames are asked for, and held to a rate."""
        self._now = now
        self._lock = Lock()
        self._asked: deque[float] = deque()
        """When the frames that have no answer yet were sent."""
        self._owed = 0
        """Answers that may still come."""
        self._deaf = False
        self._answers = False
        """The terminal is one that answers."""
        self._rate = BYTES_PER_S
        self._clear_at = 0.0
        """When a terminal that does not answer has probably taken what it was sent."""
        self._next_at = 0.0
        self._typed_at = self._key_at = -TYPED_S

    def typed(self, *, key: bool = False) -> None:
        """The user has pressed a key or moved the mouse."""
        self._typed_at = self._now()
        if key:
            self._key_at = self._typed_at

    @property
    def echoing(self) -> bool:
        """A key was pressed just now: what changes is an answer to it."""
        return self._now() - self._key_at < ECHO_S

    def wait_s(self) -> float:
        """How long the next frame has to wait, 0 for not at all; an answer may shorten it."""
        now = self._now()
        if not self.streaming:
            return 0.0
        with self._lock:
            self._lose_patience(now)
            typing = now - self._typed_at < TYPED_S
            if len(self._asked) >= (IN_FLIGHT_TYPED if typing else IN_FLIGHT):
                return max(0.001, self._asked[0] + PATIENCE_S - now)
            line = max(0.0, self._clear_at - now) if self._deaf else 0.0
            return line if typing else max(line, self._next_at - now, 0.0)

    @property
    def full(self) -> bool:
        """The terminal is behind: a frame for which nobody types would have to wait for it."""
        now = self._now()
        with self._lock:
            self._lose_patience(now)
            return len(self._asked) >= IN_FLIGHT or (self._deaf and self._clear_at > now)

    def ask(self) -> bool:
        """Whether the next frame is to end with a question."""
        with self._lock:
            return self.streaming and not (self._deaf and self._asked)

    def sent(self, size: int, *, asked: bool) -> None:
        """A frame of so many bytes is on its way."""
        now = self._now()
        with self._lock:
            self._clear_at = max(now, self._clear_at) + size / self._rate
            # Half a frame of credit: a frame that is late does not delay those after it.
            self._next_at = max(self._next_at, now - 0.5 / self.fps) + 1 / self.fps
            if asked:
                self._asked.append(now)
                self._owed += 1

    def taken(self, size: int, seconds: float) -> None:
        """So many bytes were accepted in this time by whatever stands between here and the terminal."""
        with self._lock:
            if seconds > 0.1:
                self._rate = max(SLOWEST, size / seconds)
            elif not self._answers:
                self._rate = min(FASTEST, self._rate * 1.1)

    def answered(self) -> bool:
        """A report has come; False when none was asked for."""
        with self._lock:
            if not self._owed:
                return False
            self._owed -= 1
            if self._asked:
                self._asked.popleft()
            self._deaf, self._answers, self._rate = False, True, max(self._rate, BYTES_PER_S)
            return True

    @property
    def owed(self) -> int:
        """Answers that have been asked for and may still come."""
        return 0 if self._deaf else self._owed

    def _lose_patience(self, now: float) -> None:
        if self._asked and now - self._asked[0] >= PATIENCE_S:
            self._asked.clear()
            self._deaf = True
            if self._answers:
                # It has stopped answering: the longer, the less it is sent, for all of it is still to come.
                self._rate = max(SLOWEST, self._rate / 2)
