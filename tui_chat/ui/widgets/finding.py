"""Find in the conversation: what a query hits in turns, and where that stands in their rows."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui_chat.domain.folding import find_all
from tui_chat.ui.cells import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.ui.rows import Palette, Turn, TurnRows

REACH = 3
"""Rows to either side that are looked at for a hit that runs over several."""


class Place(NamedTuple):
    """Where a hit begins in the rows of a turn: row and character."""

    turn: str
    row: int
    char: int


class Search:
    """A query, its hits counted in the texts as received, so that no turn has to be laid out for it."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.at = -1
        """The number of the hit that was gone to last, from 0; -1 before the first."""
        self.count = 0
        """How many hits there were then."""
        self.current: Place | None = None
        self._counts: dict[str, tuple[int, int, int]] = {}

    def hits(self, turns: Sequence[Turn]) -> list[tuple[int, int]]:
        """(turn, number within it) of each hit; turns are counted from 0."""
        return [(place, nth) for place, turn in enumerate(turns) for nth in range(self._count(turn))]

    def step(self, hits: Sequence[tuple[int, int]], by: int, seen: int) -> tuple[int, int]:
        """Go to the next hit, round the end; the first time, to the first one from turn `seen` on."""
        if self.at < 0:
            self.at = next((at for at, (place, _) in enumerate(hits) if place >= seen), len(hits) - 1)
        else:
            self.at = (self.at + by) % len(hits)
        return hits[self.at]

    def _count(self, turn: Turn) -> int:
        known = self._counts.get(turn.id)
        if known is None or known[:2] != (len(turn.text), len(turn.thinking)):
            count = len(find_all(turn.thinking, self.query)) + len(find_all(turn.text, self.query))
            known = self._counts[turn.id] = (len(turn.text), len(turn.thinking), count)
        return known[2]

    def places(self, rows: TurnRows) -> list[Place]:
        """Where the hits begin in a turn that is laid out."""
        return [Place(rows.turn.id, *start) for start, _ in self._spans(rows, rows.content, rows.content_end)]

    def marked(self, rows: TurnRows, row: int, palette: Palette) -> Strip:
        """A row with its hits in the colours of hits."""
        drawn = rows.row(row)
        spans: list[tuple[int, int, Style]] = []
        for start, end in self._spans(rows, max(rows.content, row - REACH), min(rows.content_end, row + REACH + 1)):
            if start[0] <= row <= end[0]:
                style = palette["current" if Place(rows.turn.id, *start) == self.current else "hit"]
                first = start[1] if start[0] == row else len(drawn.text) - len(drawn.text.lstrip(" ┊▎"))
                spans.append((first, end[1] if end[0] == row else len(drawn.text.rstrip()), style))
        return _styled(drawn, spans) if spans and row >= rows.content else drawn

    def _spans(self, rows: TurnRows, first: int, end: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Start and end, each as (row, character), of the hits between these rows."""
        texts = [rows.row(row).text for row in range(first, end)]
        begins = list(accumulate((len(text) + 1 for text in texts), initial=0))

        def at(char: int) -> tuple[int, int]:
            row = bisect_right(begins, char) - 1
            return first + row, char - begins[row]

        return [(at(start), at(stop)) for start, stop in find_all("\n".join(texts), self.query)]


def _styled(drawn: Strip, spans: Sequence[tuple[int, int, Style]]) -> Strip:
    parts: list[Strip] = []
    place, text = 0, drawn.text
    for start, end, style in spans:
        first, last = columns(text[:start]), columns(text[:end])
        hit = [Segment(run.text, (run.style or Style()) + style) for run in drawn.crop(first, last)]
        parts += [drawn.crop(place, first), Strip(hit)]
        place = last
    return Strip.join([*parts, drawn.crop(place)])
