"""What of a row is no text, and which rows go on with a line: noted in styles, which survive any wrapping."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct, field
from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.strip import Strip

_DECOR, _JOINT, _CELL = "decor", "joint", "cell"
_ROW = "row"


@lru_cache(64)
def _mark(name: str, value: str) -> Style:
    return Style.from_meta({name: value})


def decor(style: Style | None = None) -> Style:
    """For what is drawn around text: bars and padding."""
    return style + _mark(_DECOR, "") if style else _mark(_DECOR, "")


def no_line(style: Style) -> Style:
    """For a row that is no line of the text: a label, a rule."""
    return style + _mark(_DECOR, _ROW)


def between_cells(style: Style) -> Style:
    """For what stands between two cells of a table."""
    return style + _mark(_CELL, "")


def joined(run: Segment, gap: str) -> Segment:
    """The first run of a row that goes on with a line; `gap` is what the line has where it was broken."""
    mark = _mark(_JOINT, gap)
    return Segment(run.text, run.style + mark if run.style else mark)


def joint(row: Strip) -> str | None:
    """What a row's line has between the row above and this one; None when a line begins with the row."""
    return next((gap for run in row if (gap := _meta(run).get(_JOINT)) is not None), None)


def is_decor(run: Segment) -> bool:
    return _DECOR in _meta(run)


def _meta(run: Segment) -> dict[str, str]:
    return run.style.meta if run.style is not None else {}


class _Line(Struct):
    cells: list[str] = field(default_factory=lambda: [""])

    @property
    def text(self) -> str:
        return self.cells[0] if len(self.cells) == 1 else "\t".join(map(str.strip, self.cells))


def text_of(rows: Iterable[Strip]) -> str:
    """The text of rows, or of parts of them, as it was before it was wrapped and drawn; cells are parted by tabs."""
    lines: list[_Line] = []
    for row in rows:
        cells = _cells(row)
        if cells is None:
            continue
        gap = joint(row)
        if gap is not None and lines and len(lines[-1].cells) == len(cells):
            before = lines[-1].cells
            lines[-1].cells = [old + gap + new if new else old for old, new in zip(before, cells, strict=True)]
        else:
            lines.append(_Line(cells))
    return "\n".join(line.text for line in lines).strip("\n")


def _cells(row: Strip) -> list[str] | None:
    """The text of a row, by the cells of a table; None for a row that is no line of the text."""
    cells = [""]
    for run in row:
        meta = _meta(run)
        if _CELL in meta:
            cells.append("")
        elif meta.get(_DECOR) == _ROW:
            return None
        elif _JOINT in meta:
            # What stands before it only sets it in.
            cells[-1] = "" if _DECOR in meta else run.text
        elif _DECOR not in meta:
            cells[-1] += run.text
    return cells
