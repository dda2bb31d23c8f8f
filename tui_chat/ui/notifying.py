"""What the terminal is told beside the screen: its title, that a reply is under way, and that a long one has ended.

Nothing of it is foreign text but the title, of which the controls have been made visible.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.multiplexers import in_screen, in_tmux, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TITLE_S = 1.0
"""The title changes no more often than this."""
PROGRESS_S = 10.0
"""How often progress is said again: Ghostty takes it back after 15 s."""
TITLE_LENGTH = 60
BELL = "\x07"
PUSH_TITLE, POP_TITLE = "\x1b[22;0t", "\x1b[23;0t"
UNDER_WAY, NO_PROGRESS = "\x1b]9;4;3;0\x07", "\x1b]9;4;0;0\x07"

OSC9 = ("iTerm.app", "WezTerm", "ghostty")
"""Terminals, as TERM_PROGRAM names them, that show a notice sent as OSC 9."""


class Beacon:
    """Tells the terminal; `write` sends to it. All but `begin` and `end` does nothing where it is not understood."""

    def __init__(
        self,
        write: Callable[[str], None],
        env: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._env = env
        self._now = now
        self._titled = titled(env)
        self._progressing = shows_progress(env)
        self._on = False
        self._wanted = ""
        self._shown = ""
        self._shown_at = -TITLE_S
        self._under_way = False
        self._told_at = 0.0

    def begin(self) -> None:
        """The screen is shown: keep the title of before, and show ours, which a suspended program has still."""
        self._on = True
        if self._titled:
            self._write(PUSH_TITLE)
            self._show_title(self._wanted or "tui-chat")

    def end(self) -> None:
        """The screen is left, for good or for a while: the terminal is as it was."""
        if not self._on:
            return
        self._on, under_way = False, self._under_way
        if self._progressing and under_way:
            self._under_way = False
            self._write(NO_PROGRESS)
        if self._titled:
            # A terminal that keeps no titles goes back to its own for an empty one.
            self._write(f"\x1b]2;\x07{POP_TITLE}")

    def show(self, title: str, *, running: bool) -> float:
        """Say what is going on in a conversation; the seconds until this is to be called again, 0 for not at all."""
        if not self._on:
            return 0.0
        self._show_progress(running=running)
        name = visible_line(title, TITLE_LENGTH)
        self._wanted = ("… " if running else "") + (f"{name} · tui-chat" if name else "tui-chat")
        if not self._titled or self._wanted == self._shown:
            return 0.0
        wait = self._shown_at + TITLE_S - self._now()
        if wait <= 0:
            self._show_title(self._wanted)
        return max(0.0, wait)

    def ring(self, how: bool | str, *, failed: bool) -> None:
        """Tell that a reply has ended: `how` as `[ui] notify` has it."""
        if how is False or not self._on:
            return
        form = notice_form(self._env) if how is True else how
        text = say("notify.failed" if failed else "notify.finished")
        if form == "osc9":
            self._write(wrapped(f"\x1b]9;{text}\x07", self._env))
        elif form == "osc777":
            self._write(wrapped(f"\x1b]777;notify;tui-chat;{text}\x07", self._env))
        else:
            self._write(BELL)

    def _show_title(self, title: str) -> None:
        self._shown, self._shown_at = title, self._now()
        self._write(f"\x1b]2;{title}\x07")

    def _show_progress(self, *, running: bool) -> None:
        if not self._progressing:
            return
        stale = running and self._now() - self._told_at >= PROGRESS_S
        if running != self._under_way or stale:
            self._under_way, self._told_at = running, self._now()
            self._write(UNDER_WAY if running else NO_PROGRESS)


def titled(env: Mapping[str, str]) -> bool:
    """The terminal has a title, and one that can be put back: GNU screen keeps none."""
    return env.get("TERM", "") not in ("", "dumb", "linux", "unknown") and not in_screen(env)


def shows_progress(env: Mapping[str, str]) -> bool:
    """The terminal shows progress sent as OSC 9;4; others would show it as a notice."""
    if in_tmux(env) or in_screen(env) or not titled(env):
        return False
    if env.get("WT_SESSION") or env.get("ConEmuANSI") == "ON":
        return True
    version = _version(env.get("TERM_PROGRAM_VERSION", ""))
    least = {"iTerm.app": (3, 6, 6), "ghostty": (1, 2), "WezTerm": (20250301,)}.get(env.get("TERM_PROGRAM", ""))
    return least is not None and version >= least


def notice_form(env: Mapping[str, str]) -> str:
    """How this terminal is best told; the bell where it does not say who it is."""
    if env.get("TERM_PROGRAM") in OSC9 or env.get("LC_TERMINAL") == "iTerm2" or env.get("TERM") == "xterm-kitty":
        return "osc9"
    if env.get("TERM", "").startswith(("foot", "rxvt")):
        return "osc777"
    return "bell"


def _version(text: str) -> tuple[int, ...]:
    """`3.6.6beta2` as (3, 6, 6), `20250301-1100-abc` as (20250301,)."""
    parts: list[int] = []
    for part in text.partition("-")[0].split("."):
        digits = part[: next((at for at, char in enumerate(part) if not char.isdecimal()), len(part))]
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)
