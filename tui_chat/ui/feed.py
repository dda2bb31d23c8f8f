"""From events to frames: what streams in is gathered here and given to the widgets a few times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.events import Text, Thinking
from tui_chat.ui.frames import frames_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.timer import Timer
    from textual.widget import Widget

    from tui_chat.domain.events import Stamped

STATS_PER_S = 4


class Feed:
    """Gathers the text of a reply between frames; `on_text` gets it at each frame, `on_stats` is called less often.

    While the terminal is behind, frames are left out, and the text of the next one is the longer.
    """

    def __init__(
        self,
        owner: Widget,
        fps: int,
        on_text: Callable[[str, str, str], None],
        on_stats: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._fps = fps
        self._frames = frames_of(owner)
        self._on_text = on_text
        self._on_stats = on_stats
        self._node = ""
        self._streaming = False
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._ticks = 0
        """Frames since the figures were shown."""
        self._timer: Timer = owner.set_interval(1 / fps, self._tick, pause=True)

    @property
    def fps(self) -> int:
        """Frames a second at most."""
        return self._fps

    @fps.setter
    def fps(self, fps: int) -> None:
        if fps == self._fps:
            return
        self._timer.stop()
        self._fps = fps
        self._timer = self._owner.set_interval(1 / fps, self._tick, pause=not self._streaming)

    def start(self, node: str) -> None:
        """A reply begins."""
        self.flush()
        self._node = node
        self._streaming = True
        self._timer.resume()
        if self._frames is not None:
            self._frames.stream(self._fps)

    def stop(self) -> None:
        """The reply has ended: show what is left."""
        self.flush()
        self._streaming = False
        self._timer.pause()
        self._on_stats()
        if self._frames is not None:
            self._frames.stream(None)

    def hear(self, stamped: Stamped) -> None:
        match stamped.event:
            case Text(text):
                self._text.append(text)
            case Thinking(text):
                self._thinking.append(text)
            case _:
                pass

    def flush(self) -> None:
        """Draw one frame, if anything has come."""
        if self._text or self._thinking:
            text, thinking = "".join(self._text), "".join(self._thinking)
            self._text.clear()
            self._thinking.clear()
            self._on_text(self._node, text, thinking)

    def _tick(self) -> None:
        self._ticks += 1
        if self._frames is not None and self._frames.behind:
            return
        self.flush()
        if self._ticks * STATS_PER_S >= self._fps:
            self._ticks = 0
            self._on_stats()
