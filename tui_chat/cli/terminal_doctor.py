"""`tui-chat doctor --terminal`: asks the terminal what it can do. What the answers mean, `terminal_findings` knows."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys

from msgspec.structs import replace

from tui_chat.cli.exits import ExitCode
from tui_chat.cli.findings import Page, check_object
from tui_chat.cli.output import print_json
from tui_chat.cli.terminal_findings import (
    CURSOR_REPORT,
    KEYS,
    SAMPLES,
    TERMINAL_CHECKS,
    TMUX_OPTIONS,
    WHO_REPORT,
    Facts,
    judge,
)
from tui_chat.cli.tty import ERASE_LINE, Tty
from tui_chat.domain.checkup import verdict
from tui_chat.domain.words import say

WAIT_S = 2.0
"""How long an answer of the terminal is waited for; each question ends with one that every terminal answers."""
KEY_S = 30.0
GATHER_S = 0.06
"""The bytes of one key come within this time."""
ROUND_TRIPS = 5

MODES = b"\x1b[?2026$p\x1b[?2048$p\x1b[?2004$p\x1b[?u"
WHO = b"\x1b[c"
WHERE = b"\x1b[6n"
MODIFIER = re.compile(rb"\x1b\[574[45]\d[;:\d]*u")
"""A modifier key by itself, as the kitty protocol reports it."""
CTRL_C = re.compile(rb"\x03|\x1b\[99;5[:\d]*u")
ESCAPE = re.compile(rb"\x1b|\x1b\[27(;1)?u")


async def examine(*, as_json: bool) -> ExitCode:
    """Ask the terminal and print what was found. Raises UsageError without a terminal."""
    questioning = Questioning(interactive=not as_json and sys.stdout.isatty())
    stopped = False
    with Tty() as tty:
        try:
            await questioning.ask(tty)
        except asyncio.CancelledError:
            stopped = True
    # Known to the screen as well, whose package the command line imports no earlier.
    from tui_chat.ui.cells import columns

    checks = judge(questioning.facts, columns)
    term = questioning.facts.term or None
    ok = verdict(checks, finished=not stopped)
    if as_json:
        print_json({"terminal": term, "ok": ok, "checks": [check_object(check) for check in checks]})
    else:
        Page(say("terminal.heading", term=term or "?"), TERMINAL_CHECKS).complete(checks)
    return ExitCode.INTERRUPTED if stopped else ExitCode.DONE if ok else ExitCode.FAILED


class Questioning:
    """Puts the questions to a terminal; `facts` holds what is known so far."""

    def __init__(self, *, interactive: bool) -> None:
        self.facts = Facts(os.environ, sys.stdout.encoding or "")
        self._interactive = interactive

    async def ask(self, tty: Tty) -> None:
        self._learn(size=tty.size, tmux=_tmux_options() if self.facts.multiplexer == "tmux" else {})
        self._learn(replies=await tty.ask(MODES + WHO, WHO_REPORT.search, WAIT_S))
        answers = WHO_REPORT.search(self.facts.replies or b"") is not None
        if not answers:
            self._learn(widths=b"", latencies=())
        else:
            samples = b"".join(b"\r" + text.encode() + WHERE for text in SAMPLES.values())
            self._learn(widths=await tty.ask(ERASE_LINE + samples + ERASE_LINE + WHO, WHO_REPORT.search, WAIT_S))
            self._learn(latencies=tuple([await _round_trip(tty) for _ in range(ROUND_TRIPS)]))
        if self._interactive:
            await self._ask_keys(tty)

    def _learn(self, **known: object) -> None:
        self.facts = replace(self.facts, **known)  # pyright: ignore[reportArgumentType]  # fields by name

    async def _ask_keys(self, tty: Tty) -> None:
        await tty.push_keys()
        found: dict[str, bytes | None] = {}
        for key in KEYS:
            question = ERASE_LINE + say("terminal.press", key=key).encode() + b" "
            found[key] = await _pressed(tty, question)
            self._learn(keys=dict(found))


async def _round_trip(tty: Tty) -> float | None:
    """Seconds from a question to its answer."""
    clock = asyncio.get_running_loop().time
    began = clock()
    return clock() - began if CURSOR_REPORT.search(await tty.ask(WHERE, CURSOR_REPORT.search, WAIT_S)) else None


async def _pressed(tty: Tty, question: bytes) -> bytes | None:
    """What one key sends; None for Esc, and when none is pressed."""
    sent = MODIFIER.sub(b"", await tty.ask(question, lambda data: MODIFIER.sub(b"", data), KEY_S))
    sent += await tty.ask(b"", lambda _: False, GATHER_S)
    sent = MODIFIER.sub(b"", sent)
    if CTRL_C.search(sent):
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(KEY_S)
    return None if not sent or ESCAPE.fullmatch(sent) else sent


def _tmux_options() -> dict[str, str | None]:
    return {name: _tmux_option(name) for name in TMUX_OPTIONS}


def _tmux_option(name: str) -> str | None:
    try:
        done = subprocess.run(
            ["tmux", "show", "-gv", name], stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
