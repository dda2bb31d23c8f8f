"""Rows as CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a formula of a text that begins with it."""


def as_csv(rows: Iterable[Iterable[object]]) -> str:
    """A line a row; None is empty, amounts have no exponents, and an apostrophe keeps texts from being formulas."""
    lines = _Lines()
    # What the end of a line is made of gets quotes; a reader takes a bare CR for one too.
    csv.writer(lines, lineterminator="\r\n").writerows(map(_cell, row) for row in rows)
    return "".join(line[:-2] + "\n" for line in lines)


class _Lines(list[str]):
    def write(self, line: str) -> None:
        self.append(line)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Decimal():
            return format(value, "f")
        case str():
            return f"'{value}" if value.startswith(FORMULA) else value
        case _:
            return str(value)
