"""What a terminal shows of what it was sent, cell by cell."""

from __future__ import annotations

import re

import pyte

Cell = tuple[str, str, str, bool, bool, bool, bool, bool]

NOT_KNOWN = re.compile(r"\x1b\[[<=>?][0-9;]*[a-zA-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[6n")
"""Modes, titles and questions, which draw nothing."""


class Emulator:
    """An emulator of so many columns and lines."""

    def __init__(self, columns: int, lines: int) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)
        # As the driver has it, nothing is wrapped.
        self._screen.reset_mode(7, private=True)

    def feed(self, text: str) -> None:
        self._stream.feed(NOT_KNOWN.sub("", text))

    @property
    def size(self) -> tuple[int, int]:
        return self._screen.columns, self._screen.lines

    @property
    def margins_set(self) -> bool:
        return self._screen.margins is not None

    @property
    def display(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def cells(self) -> list[list[Cell]]:
        """What can be seen of each cell: of a blank only its background."""
        columns, lines = self.size
        return [[_seen(self._screen.buffer[y][x]) for x in range(columns)] for y in range(lines)]


def _seen(char: pyte.screens.Char) -> Cell:
    data, fg, bg, bold, italics, underscore, strike, reverse, _ = char
    if data == " " and not (underscore or strike or reverse):
        return " ", "", bg, False, False, False, False, False
    return data, fg, bg, bold, italics, underscore, strike, reverse
