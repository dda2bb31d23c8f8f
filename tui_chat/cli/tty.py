"""The terminal in raw mode: questions to it, its answers, and its return to how it was."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable

IFLAG, LFLAG, CC = 0, 3, 6
ERASE_LINE = b"\r\x1b[K"
PUSH_KEYS, POP_KEYS = b"\x1b[>25u", b"\x1b[<u"
"""The kitty protocol as the screen asks for it, and back."""


class Tty:
    """The terminal behind stdin; a context manager that leaves it as it was on every way out.

    Ctrl+C goes on raising its signal, Ctrl+Z does not stop the program here.
    """

    def __init__(self) -> None:
        """Raises UsageError when stdin is no terminal."""
        self._fd = _opened()
        self._before: list[Any] = termios.tcgetattr(self._fd)
        self._input = bytearray()
        self._heard = asyncio.Event()
        self._keys_pushed = False

    def __enter__(self) -> Self:
        sys.stdout.flush()
        mode = termios.tcgetattr(self._fd)
        mode[IFLAG] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON)
        mode[LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        mode[CC][termios.VMIN], mode[CC][termios.VTIME] = 1, 0
        mode[CC][termios.VSUSP] = bytes([os.fpathconf(self._fd, "PC_VDISABLE")])
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        with suppress(OSError, termios.error):
            os.write(self._fd, (POP_KEYS if self._keys_pushed else b"") + ERASE_LINE)
        with suppress(OSError, termios.error):
            # Answers that are still on their way are not for the shell.
            termios.tcflush(self._fd, termios.TCIFLUSH)
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        os.close(self._fd)

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows)."""
        found = os.get_terminal_size(self._fd)
        return found.columns, found.lines

    async def ask(self, question: bytes, enough: Callable[[bytes], object], seconds: float) -> bytes:
        """What comes in after `question` until it is `enough` or the time is over."""
        self._input.clear()
        await self._write(question)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not enough(bytes(self._input)):
                    self._heard.clear()
                    await self._heard.wait()
        return bytes(self._input)

    async def push_keys(self) -> None:
        """Have keys reported as the screen does; undone at the end."""
        self._keys_pushed = True
        await self._write(PUSH_KEYS)

    async def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.01)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
        self._input += data
        self._heard.set()


def _opened() -> int:
    """A description of its own of the terminal behind stdin: what is set on it is not set on the shell's."""
    if not os.isatty(0):
        raise UsageError(say("terminal.none"))
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK
    try:
        return os.open(os.ttyname(0), flags)
    except OSError:
        # Nameless in a container, or another user's after su.
        try:
            return os.open("/dev/tty", flags)
        except OSError as error:
            raise UsageError(say("terminal.none")) from error
