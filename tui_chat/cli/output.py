"""Writing for people and for programs: data to stdout, narration to stderr, foreign text safe on a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from tui_chat.domain.hostile import visible, visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BATCH = 100
"""Values of an array that are held at once."""
BRIGHT, PLAIN = "\x1b[1;4m", "\x1b[22;24m"

_json = msgspec.json.Encoder(decimal_format="number")


class OutputLost(Exception):
    """stdout takes no more; the message is empty when its reader has simply gone, as `head` does."""


def complain(text: str) -> None:
    """One line of narration; nothing depends on its being read."""
    with suppress(OSError):
        print(f"tui-chat: {visible_line(text, 2000)}", file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One JSON value and a newline; a Decimal stands as the exact number."""
    _write(sys.stdout, msgspec.json.format(_json.encode(value), indent=2).decode() + "\n")


def print_array(values: Iterable[Any]) -> None:
    """One JSON array, a value a line, written as the values come; nothing where the first one cannot be had."""
    lead = "[\n  "
    for batch in _batches(iter(values)):
        _write(sys.stdout, lead + ",\n  ".join(_json.encode(value).decode() for value in batch))
        lead = ",\n  "
    _write(sys.stdout, "[]\n" if lead[0] == "[" else "\n]\n")


def _batches(values: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(values, BATCH)):
        yield batch


def print_marked(pieces: Sequence[tuple[str, bool]], *, mark: bool) -> None:
    """One line of foreign text in pieces; with `mark`, those that are hits stand out on a terminal."""
    # Pieces are made visible one by one, and the marks stand between them, so that no foreign byte can be one.
    shown = [visible(piece).replace("\n", " ") if sys.stdout.isatty() else piece for piece, _ in pieces]
    line = "".join(
        f"{BRIGHT}{text}{PLAIN}" if mark and hit else text for text, (_, hit) in zip(shown, pieces, strict=True)
    )
    _write(sys.stdout, line + "\n")


def print_line(text: str) -> None:
    """A line of data that may hold foreign text."""
    _write(sys.stdout, (visible(text) if sys.stdout.isatty() else text) + "\n")


def _write(stream: TextIO, text: str) -> None:
    """UTF-8 whatever the locale says, so that a pipe gets the bytes that came. Raises OutputLost.

    A terminal of another encoding is spared: what it would take for controls may be half of a character.
    """
    encoding = stream.encoding if stream.isatty() else "utf-8"
    try:
        stream.flush()
        stream.buffer.write(text.encode(encoding, "replace"))
        stream.buffer.flush()
    except BrokenPipeError as error:
        raise OutputLost from error
    except OSError as error:
        raise OutputLost(say("output.lost", reason=error.strerror or error)) from error


class Answer:
    """The answer on its way to stdout: unchanged into a pipe, made visible on a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._held = ""
        self._last = ""

    def write(self, text: str) -> None:
        """Write a piece at once."""
        if self._terminal:
            # A CR at the end of a piece may be half of a line end.
            text = self._held + text
            self._held = "\r" if text.endswith("\r") else ""
            text = visible(text.removesuffix("\r") if self._held else text)
        if text:
            self._last = text[-1]
            _write(self._stream, text)

    def end(self) -> None:
        """Finish the last line, so that a prompt or another program's output starts on its own."""
        if self._last and self._last != "\n":
            _write(self._stream, "\n")
