"""A terminal for the real program: a pty, an emulator that shows what a person would see, and every byte on record."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unicodedata import combining

import pyte
from wcwidth import wcwidth

KEYS = {
    "enter": "\r",
    "esc": "\x1b",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "backspace": "\x7f",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "shift+f3": "\x1b[1;2R",
    "f5": "\x1b[15~",
    "alt+left": "\x1b[1;3D",
    "alt+right": "\x1b[1;3C",
    "alt+up": "\x1b[1;3A",
    "ctrl+end": "\x1b[1;5F",
    "ctrl+c": "\x03",
    "ctrl+j": "\n",
    "ctrl+l": "\x0c",
    "ctrl+q": "\x11",
}

TOKEN = re.compile(
    rb"""
    (?P<csi> \x1b\[ (?P<private>[<=>?]?) (?P<args>[0-9;:]*) (?P<middle>[\ -/]*) (?P<final>[@-~]) )
  | (?P<osc> \x1b\] [^\x07\x1b]* (?:\x07|\x1b\\) )
  | (?P<dcs> \x1b[PX^_] [^\x1b]* \x1b\\ )
  | (?P<esc> \x1b [\ -/]* [0-OQ-WYZ\\`-~=>] )
  | (?P<control> [\x00-\x1a\x1c-\x1f\x7f] )
  | (?P<text> [^\x00-\x1f\x7f]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What a terminal's input is made of; a lone ESC matches nothing."""

LAUNCHER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""Makes the pty the controlling terminal, so that closing it hangs the program up, as losing a connection does."""

DEADLINE_S = 30.0


class Terminal:
    """A program in a terminal of `size`; use as a context manager.

    A terminal that is not `controlling` sends no signal when it is lost; one with `bytes_per_s` takes no more.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        size: tuple[int, int] = (120, 40),
        cwd: Path | None = None,
        *,
        controlling: bool = True,
        bytes_per_s: int = 0,
    ) -> None:
        self.raw = bytearray()
        """Every byte that reached the terminal."""
        columns, rows = size
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unread = b""
        self._drawing = False
        self._bytes_per_s = bytes_per_s
        """Between the marks of a synchronized update."""
        self.answers = True
        """It says where its cursor is when asked."""
        self.background = b""
        """The colour it says its background has, as `ffff/ffff/ffff`; empty it says nothing."""
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self._set_size(columns, rows)
        self.first_mode = termios.tcgetattr(self._master)
        self.process = subprocess.Popen(
            [sys.executable, "-ISc", LAUNCHER, *command] if controlling else command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm-256color", "COLORTERM": "truecolor", **env},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.hang_up()

    # the person

    def send(self, text: str | bytes) -> None:
        """Type or paste."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                self._pump(0.05)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.send(KEYS[key])

    def resize(self, columns: int, rows: int) -> None:
        self._set_size(columns, rows)
        self._screen.resize(rows, columns)

    def overwrite(self, text: str) -> None:
        """Show what another program writes there."""
        self._stream.feed(text)

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    # what is seen

    @property
    def lines(self) -> list[str]:
        """The screen as it stands."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def mode(self) -> list[object]:
        """The line discipline now, as `first_mode` was before the program began."""
        return termios.tcgetattr(self._master)

    @property
    def whole(self) -> bytes:
        """The bytes that reached the terminal, but for a sequence at their end that is not finished."""
        return bytes(self.raw[: len(self.raw) - len(self._unread)])

    def wait(self, condition: str | Callable[[], bool], seconds: float = DEADLINE_S) -> None:
        """Go on when this text is on the screen, or this holds; fails with the screen otherwise."""
        holds = condition if callable(condition) else lambda: condition in self.text
        deadline = time.monotonic() + seconds
        while self._drawing or not holds():
            if time.monotonic() > deadline or (not self._pump(0.05) and self.process.poll() is not None):
                if holds():
                    return
                raise AssertionError(f"not seen: {condition!r}; the program: {self.process.poll()}\n{self.text}")

    def wait_gone(self, text: str, seconds: float = DEADLINE_S) -> None:
        self.wait(lambda: text not in self.text, seconds)

    def wait_exit(self, seconds: float = DEADLINE_S) -> int:
        """The exit code, once everything that was written has been read."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"still running\n{self.text}")
            self._pump(0.05)
        while self._pump(0):
            pass
        return self.process.returncode

    def wait_stopped(self) -> None:
        """Go on when the program is stopped, and what it wrote before that has been read."""
        state = Path(f"/proc/{self.process.pid}/stat")
        self.wait(lambda: state.read_text().rpartition(") ")[2].startswith("T"))
        while self._pump(0):
            pass

    # the terminal

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, columns * 8, rows * 16))

    def _pump(self, seconds: float) -> bool:
        """Take in what the program writes within `seconds`; False when there was nothing."""
        if self._master < 0:
            time.sleep(seconds)
            return False
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, self._bytes_per_s // 50 or 65536)
        except OSError:
            # The other side is closed; do not spin on it.
            time.sleep(seconds)
            return False
        if self._bytes_per_s:
            time.sleep(0.02)
        self.raw += data
        found: list[re.Match[bytes]] = []
        for token in TOKEN.finditer(bytes(self._unread + data)):
            if token.start() != (found[-1].end() if found else 0):
                break  # an unfinished sequence waits for its end
            found.append(token)
        self._unread = (self._unread + data)[found[-1].end() if found else 0 :]
        for token in found:
            self._show(token)
        return bool(data)

    def _show(self, token: re.Match[bytes]) -> None:
        answer = self._answer(token)
        if token[0] in (b"\x1b[?2026h", b"\x1b[?2026l"):
            self._drawing = token[0].endswith(b"h")
        elif answer:
            self.send(answer)
        elif token["text"] or token["control"] or self._known(token):
            self._stream.feed(_advancing(self._decoder.decode(token[0])))

    @staticmethod
    def _known(token: re.Match[bytes]) -> bool:
        """True for a sequence that the emulator takes for what it is."""
        return (
            bool(token["csi"])
            and token["private"] in (b"", b"?")
            and not token["middle"]
            and token["final"] not in b"tu"
        )

    def _answer(self, token: re.Match[bytes]) -> bytes:
        """What a terminal says to a question."""
        sequence = token[0]
        if sequence in (b"\x1b[c", b"\x1b[0c"):
            return b"\x1b[?62;22c"
        if sequence == b"\x1b[6n" and self.answers:
            cursor = self._screen.cursor
            return b"\x1b[%d;%dR" % (cursor.y + 1, cursor.x + 1)
        if token["csi"] and token["private"] == b"?" and token["middle"] == b"$" and token["final"] == b"p":
            known = {b"25", b"1000", b"1002", b"1003", b"1006", b"1049", b"2004", b"2026"}
            return b"\x1b[?%b;%d$y" % (token["args"], 2 if token["args"] in known else 0)
        if sequence == b"\x1b]11;?\x1b\\" and self.background:
            return b"\x1b]11;rgb:%b\x1b\\" % self.background
        if sequence == b"\x1b[?u":
            return b"\x1b[?0u"
        return b""


def _advancing(text: str) -> str:
    """The text without what takes no cell and is no mark, such as joiners: the emulator drops what follows those."""
    if text.isascii():
        return text
    return "".join(char for char in text if wcwidth(char) > 0 or combining(char) or char < " ")


def tokens(raw: bytes) -> list[re.Match[bytes]]:
    """All of a terminal's input in its parts; fails on what is no part of any."""
    found: list[re.Match[bytes]] = []
    place = 0
    while place < len(raw):
        token = TOKEN.match(raw, place)
        assert token is not None, f"a broken sequence: {bytes(raw[place : place + 40])!r}"
        found.append(token)
        place = token.end()
    return found
