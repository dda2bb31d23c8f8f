"""Frames to the terminal: what the screen shows is kept as cells, and only what changed since the last frame is sent.

While the terminal is behind, nothing is sent and nothing queued; the next frame leads from what was sent last to what
the screen shows then. Everything here runs on the event loop, but for what `writer` and the input thread call.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS

from tui_chat.ui.pacing import Pacer
from tui_chat.ui.picture import Brush, Picture, size_of
from tui_chat.ui.scrolling import Scroll, worth
from tui_chat.ui.writer import Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual._compositor import ChopsUpdate, LayoutUpdate
    from textual.app import App
    from textual.geometry import Region
    from textual.screen import Screen
    from textual.widget import Widget

    from tui_chat.ui.writer import Writer

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""Around a synchronised update."""
ASK = "\x1b[6n"
"""Asks where the cursor is; the answer says that the frame has been drawn."""
RESTORE = f"{END}\x1b[r\x1b[m"
"""Puts right what a frame that was cut off may have left."""


class Frames:
    """The picture the screen shows, the one the terminal was sent, and when the next frame goes out."""

    def __init__(self, encoding: str = "utf-8", env: Mapping[str, str] = os.environ) -> None:
        self.pacer = Pacer(time.monotonic)
        self.synchronised = False
        """The terminal knows synchronised updates."""
        self.count = 0
        """Frames sent."""
        self._encoding = encoding
        # GNU screen erases with the default background.
        self._erases = not env.get("TERM", "").startswith("screen") or "TMUX" in env
        self._loop = asyncio.get_running_loop()
        self._writer: Writer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = False
        """A frame may be waiting for the writer or for an answer; set before either is looked at."""
        self._wanted = Picture()
        self._shown = Picture()
        self._cursor = self._cursor_shown = (0, 0)
        self._scroll: Scroll | None = None
        self._screen: Screen[Any] | None = None

    def attach(self, writer: Writer) -> None:
        """Send frames to this writer; its terminal shows nothing of them yet."""
        self._writer = writer
        self._shown.forget()

    def detach(self) -> None:
        """Send no more frames, and no more of those that are on their way."""
        if self._writer is not None:
            self._writer.drop_frames()
            self._writer = None

    @property
    def behind(self) -> bool:
        """A frame would not be sent now."""
        writer = self._writer
        return writer is not None and (writer.busy or self.pacer.full)

    def stream(self, fps: float | None) -> None:
        """A reply begins to come in, to be shown at so many frames a second, or has ended (None)."""
        self.pacer.streaming = fps is not None
        self.pacer.fps = fps or self.pacer.fps
        self._send()

    def draws(self, screen: Screen[Any]) -> bool:
        """The picture is of this screen, as large as it is now."""
        return self._screen is screen and screen.size == (self._wanted.width, self._wanted.height)

    def moving(self, region: Region, rows: int) -> None:
        """What stands in a region is about to be drawn again `rows` lines higher."""
        scroll = Scroll(region.y, region.bottom, rows, shared=region.width < self._wanted.width)
        self._scroll = scroll if self._scroll is None else self._scroll.then(scroll)

    def move(self, region: Region, rows: int) -> None:
        """Draw what stands in a region `rows` lines higher."""
        self._wanted.shift(region, rows)

    def draw(
        self, screen: Screen[Any], update: ChopsUpdate | LayoutUpdate, cursor: tuple[int, int], colors: str | None
    ) -> None:
        """Take over what Textual would write for a screen; `colors` as rich names them."""
        self._screen = screen
        if (size := size_of(update)) != (self._wanted.width, self._wanted.height):
            self._wanted, self._shown, self._scroll = Picture(*size), Picture(*size), None
        elif hasattr(update, "strips"):
            # Textual begins anew: a good moment to mend what others may have written over the screen.
            self._shown.forget()
        self._wanted.draw(update, COLOR_SYSTEMS[colors] if colors else ColorSystem.TRUECOLOR)
        self._cursor = cursor
        self._send()

    def redraw(self) -> None:
        """Send everything again, to a terminal in whatever state."""
        if self._writer is not None:
            self._writer.put(Job([RESTORE.encode()]))
            self._shown.forget()
            self._send()

    def wake(self) -> None:
        """Look again whether a frame can be sent; from any thread."""
        if self._waiting:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writer is None:
            return
        self._waiting = True
        wait_s = 1.0 if self._writer.busy else self.pacer.wait_s()
        if wait_s > 0:
            # A writer that becomes free, and an answer, wake it earlier.
            self._timer = self._loop.call_later(wait_s, self._send)
            return
        self._waiting = False
        if parts := self._parts():
            self._hand_over(self._writer, parts)

    def _hand_over(self, writer: Writer, parts: list[str]) -> None:
        asked = self.pacer.ask() and self._shown.height > 1
        parts.append(self._ending(asked=asked))
        if self.synchronised and len(parts) > 2:
            parts = [BEGIN, *parts, END]
        data = [part.encode(self._encoding, "backslashreplace") for part in parts]
        self.pacer.sent(sum(map(len, data)), asked=asked)
        self.count += 1
        writer.put(Job(data, frame=True))

    def _ending(self, *, asked: bool) -> str:
        """The cursor where it belongs, and the question; never asked in the first line (see `terminal.Driver`)."""
        column, line = self._cursor
        self._cursor_shown = self._cursor
        home = f"\x1b[{line + 1};{column + 1}H"
        if not asked:
            return home
        return home + ASK if line else f"\x1b[2;1H{ASK}{home}"

    def _parts(self) -> list[str]:
        """What leads from the picture shown to the one wanted; nothing when they are the same."""
        brush = Brush(self._erases)
        shown, wanted = self._shown, self._wanted
        scroll = self._scroll
        if scroll is not None and scroll.changes(shown, wanted):
            self._scroll = None
            if (self.synchronised or not scroll.shared) and worth(scroll, shown, wanted):
                shown.scroll(scroll.top, scroll.bottom, scroll.rows)
                brush.parts.append(scroll.sequence)
        for y, (old, new) in enumerate(zip(shown.rows, wanted.rows, strict=True)):
            if brush.row(y, old, new):
                shown.rows[y] = new.copy()
        brush.rest()
        if not brush.parts and self._cursor != self._cursor_shown:
            return [""]
        return brush.parts


def frames_of(widget: Widget) -> Frames | None:
    """The frames of the app a widget belongs to, where that is on a terminal."""
    app = cast("App[Any]", widget.app)  # pyright: ignore[reportUnknownMemberType]  # Textual leaves its type open
    return getattr(app._driver, "frames", None)  # pyright: ignore[reportPrivateUsage]  # it has no other name
