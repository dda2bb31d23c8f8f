"""Lines of styled text: wrapped, folded and padded by the cells they take on the screen."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from textual.cache import FIFOCache
from textual.strip import Strip

from tui_chat.ui.cells import columns
from tui_chat.ui.rows.marks import decor, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.style import Style

Runs = list[Segment]
"""One line, without a newline, in runs of one style each."""

Span = tuple[int, int]
"""From and to, in characters of a line."""

NARROW = re.compile(
    "[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u052f\u05d0-\u05ea\u061d-\u064a\u0671-\u06d5\u1e00-\u1f15"
    "\u2010-\u2027\u2190-\u2319\u2400-\u2426\u2500-\u25fc\ufffd]*"
)
"""Characters of one cell each, that join no other: also Hebrew and Arabic letters, and the pictures of controls."""
_ALONE = re.compile("[\0-\u02ff\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff60]+")
"""Characters that belong to no other, unless a joiner stands before them."""
_JOINERS = "\u200d\ufe0f"
_FLAG = range(0x1F1E6, 0x1F200)
_NO_START = frozenset("、。，．：；！？）」』】〉》〕］｝…ー々")
"""Wide characters that do not begin a row."""


_cells = lru_cache(4096)(columns)
"""`columns` of a character, many of which are the same."""


def width(runs: Iterable[Segment]) -> int:
    """Cells of a line."""
    return sum(columns(run.text) for run in runs)


def plain(runs: Iterable[Segment]) -> str:
    return "".join(run.text for run in runs)


def wrap(runs: Runs, room: int) -> list[Runs]:
    """Rows of at most `room` cells, broken between words where possible."""
    text = plain(runs)
    if len(text) * 2 <= room or columns(text) <= room:
        return [runs]
    return cut(runs, narrow_breaks(text, room) if NARROW.fullmatch(text) else _breaks(text, room))


def fold(runs: Runs, room: int) -> list[Runs]:
    """Rows of at most `room` cells, broken anywhere."""
    text = plain(runs)
    if len(text) * 2 <= room or columns(text) <= room:
        return [runs]
    if NARROW.fullmatch(text):
        return cut(runs, [(at, min(at + room, len(text))) for at in range(0, len(text), room)])
    spans: list[Span] = []
    start = at = used = 0
    for cluster in clusters(text):
        size = _cells(cluster)
        if used + size > room and at > start:
            spans.append((start, at))
            start, used = at, 0
        at += len(cluster)
        used += size
    return cut(runs, [*spans, (start, at)])


def narrow_breaks(text: str, room: int) -> list[Span]:
    """Rows of a text in which every character takes one cell."""
    spans: list[Span] = []
    start, end = 0, len(text)
    while end - start > room:
        space = text.rfind(" ", start, start + room + 1)
        if space < 0 or not text[start:space].strip(" "):
            spans.append((start, start + room))
            start += room
            continue
        spans.append((start, start + len(text[start:space].rstrip(" "))))
        start = space
        while start < end and text[start] == " ":
            start += 1
    return [*spans, (start, end)] if start < end else spans


def _breaks(text: str, room: int) -> list[Span]:
    """Rows of any text: broken after spaces and between wide characters, else between any two."""
    spans: list[Span] = []
    start = at = used = 0
    best: Span | None = None  # where the row would end, and where the next would begin
    best_used = 0
    wide = False
    for cluster in clusters(text):
        size = _cells(cluster)
        if cluster == " ":
            if text[start:at].strip(" "):
                best, best_used = ((best[0] if best and best[1] == at else at), at + 1), used + 1
        else:
            if at > start and (wide or size == 2) and cluster[0] not in _NO_START and not (best and best[1] == at):
                best, best_used = (at, at), used
            while used + size > room and at > start:
                if best is None:
                    best, best_used = (at, at), used
                spans.append((start, best[0]))
                start, used, best = best[1], used - best_used, None
            wide = size == 2
        at += len(cluster)
        used += size
    tail = len(text[start:].rstrip(" ")) if spans and used > room else len(text) - start
    return [*spans, (start, start + tail)] if tail else spans


def clusters(text: str) -> list[str]:
    """Characters with the marks and joiners that belong to them; a flag's two letters stay together."""
    out: list[str] = []
    at, joined, flag = 0, False, False
    while at < len(text):
        if not joined and (alone := _ALONE.match(text, at)):
            out += alone[0]
            at, flag = alone.end(), False
            continue
        char = text[at]
        at += 1
        letter = ord(char) in _FLAG
        if out and char >= "\u0300" and (joined or char in _JOINERS or (flag and letter) or _cells(char) == 0):
            out[-1] += char
            flag = False
        else:
            out.append(char)
            flag = letter
        joined = char == "\u200d"
    return out


def cut(runs: Runs, spans: Sequence[Span]) -> list[Runs]:
    """The parts of a line; spans stand in order and do not overlap."""
    rows: list[Runs] = []
    place, begin, before = 0, 0, 0
    for start, end in spans:
        row: Runs = []
        while place < len(runs):
            text = runs[place].text
            stop = begin + len(text)
            if stop > start and begin < end:
                row.append(Segment(text[max(0, start - begin) : end - begin], runs[place].style))
            if stop > end:
                break
            begin, place = stop, place + 1
        if rows and row:
            row[0] = joined(row[0], " " * (start - before))
        rows.append(row)
        before = end
    return rows


def padded(runs: Runs, room: int, style: Style | None = None) -> Runs:
    """The line made as wide as `room`."""
    missing = room - width(runs)
    return [*runs, Segment(" " * missing, style)] if missing > 0 else runs


def truncated(runs: Runs, room: int) -> Runs:
    """The line, cut with an ellipsis where it is wider than `room`."""
    if width(runs) <= room:
        return runs
    first = fold(runs, max(1, room - 1))[0]
    return [*first, Segment("…", runs[-1].style)]


MARGIN = Segment("  ", decor())
"""What a turn's body is set in by."""


class Row(Strip):
    """A strip whose caches are made when they are asked for: most rows of a long turn are never drawn.

    Seven caches a row would be four times as much for the garbage collector to walk, during which no key is answered.
    """

    __slots__ = ()

    def __init__(self, segments: Runs) -> None:
        self._segments = segments
        self._cell_length = self._render_cache = self._link_ids = self._cell_count = None

    def __getattr__(self, name: str) -> FIFOCache[Any, Any]:
        if not name.endswith("_cache"):
            raise AttributeError(name)
        made: FIFOCache[Any, Any] = FIFOCache(4)
        setattr(self, name, made)
        return made


def strip(runs: Runs) -> Strip:
    """A row of a turn's body."""
    return Row([MARGIN, *runs] if runs else [])
