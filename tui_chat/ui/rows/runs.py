"""Lines of styled text: wrapped, folded and padded by the cells they take on the screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.segment import Segment
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

_NARROW = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u2010-\u2027\u2500-\u25fc]*")
"""Characters of one cell each."""
_JOINERS = "\u200d\ufe0f"
_FLAG = range(0x1F1E6, 0x1F200)
_NO_START = frozenset("、。，．：；！？）」』】〉》〕］｝…ー々")
"""Wide characters that do not begin a row."""


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
    return cut(runs, narrow_breaks(text, room) if _NARROW.fullmatch(text) else _breaks(text, room))


def fold(runs: Runs, room: int) -> list[Runs]:
    """Rows of at most `room` cells, broken anywhere."""
    text = plain(runs)
    if len(text) * 2 <= room or columns(text) <= room:
        return [runs]
    if _NARROW.fullmatch(text):
        return cut(runs, [(at, min(at + room, len(text))) for at in range(0, len(text), room)])
    spans: list[Span] = []
    start = at = used = 0
    for cluster in clusters(text):
        size = columns(cluster)
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
        size = columns(cluster)
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
    joined = flag = False
    for char in text:
        if char < "\u0300":
            out.append(char)
            joined = flag = False
            continue
        letter = ord(char) in _FLAG
        if out and (joined or char in _JOINERS or (flag and letter) or columns(char) == 0):
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


def strip(runs: Runs) -> Strip:
    """A row of a turn's body."""
    return Strip([MARGIN, *runs]) if runs else Strip([])
