"""The results of a comparison as a table: cells, what is best, what they are sorted by, which columns fit."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tui_chat.domain import figures as show
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.lane import settings_text
from tui_chat.domain.pricing import CostSource
from tui_chat.domain.words import say
from tui_chat.ui.cells import columns, padded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui_chat.domain.comparing import Best, Compared, ComparedLane, Spread

MARK = "*"
GAP = 2
MOST_TEXT = 34
"""Columns of a name or of settings."""


class Cell(Struct, frozen=True):
    text: str
    spread: str = ""
    """From the least to the most, under it, where there are several runs."""
    order: Any = None
    """What it is sorted by; None comes last."""
    best: bool = False


class Column(Struct, frozen=True):
    key: str
    """Of its name among the words: results.column.KEY."""
    cell: Callable[[ComparedLane, Best], Cell]
    figure: bool = True
    need: int = 0
    """The lower, the longer it stays when there is little room."""


def _lane(lane: ComparedLane, _: Best) -> Cell:
    return Cell(visible_line(lane.name, 12), order=lane.name)


def _model(lane: ComparedLane, _: Best) -> Cell:
    name = "/".join(part for part in (lane.endpoint, lane.model) if part)
    return Cell(visible_line(name, 100) or show.NONE, order=name)


def _settings(lane: ComparedLane, _: Best) -> Cell:
    text = settings_text(lane.settings)
    return Cell(visible_line(text, 200) or show.NONE, order=text)


def _state(lane: ComparedLane, _: Best) -> Cell:
    phases = [result.phase for result in lane.results]
    if not phases:
        return Cell(show.NONE)
    counts = {phase: phases.count(phase) for phase in dict.fromkeys(phases)}
    words = [
        f"{count} {say(f'state.{phase}')}" if len(phases) > 1 else say(f"state.{phase}")
        for phase, count in counts.items()
    ]
    failure = lane.results[0].failure
    why = failure.kind.replace("_", " ") if failure is not None and len(phases) == 1 else ""
    return Cell(words[0], ", ".join(words[1:]) or why, order=-lane.summary.completed)


def _ttft(lane: ComparedLane, best: Best) -> Cell:
    return _spread(lane, lane.summary.ttft_s, show.seconds, best=lane.name in best.ttft)


def _speed(lane: ComparedLane, best: Best) -> Cell:
    exact = all(result.stats.exact for result in lane.results)

    def rate(value: float | None) -> str:
        return show.rate(value, exact=exact).removesuffix(" tok/s")

    return _spread(lane, lane.summary.tok_per_s, rate, best=lane.name in best.speed)


def _total(lane: ComparedLane, _: Best) -> Cell:
    return _spread(lane, lane.summary.total_s, show.seconds)


def _tokens(lane: ComparedLane, _: Best) -> Cell:
    outputs = [result.stats.usage.output for result in lane.results if result.stats.usage.output is not None]
    exact = all(result.stats.exact for result in lane.results)
    return _several(lane, outputs, lambda value: show.tokens(None if value is None else round(value), exact=exact))


def _cost(lane: ComparedLane, best: Best) -> Cell:
    summary = lane.summary
    estimated = any(result.cost.source is CostSource.ESTIMATED for result in lane.results)
    if summary.usd is None:
        return Cell(show.NONE if not summary.completed else "price?")
    return _spread(lane, summary.usd, lambda usd: show.spent(usd, estimated=estimated), best=lane.name in best.cost)


def _length(lane: ComparedLane, _: Best) -> Cell:
    lengths = [len(run.reply.text) for run in lane.runs]
    return _several(lane, lengths, lambda value: show.NONE if value is None else f"{round(value):,}")


def _connection(lane: ComparedLane, _: Best) -> Cell:
    warm = [result.stats.warm for result in lane.results if result.stats.ttft_s is not None]
    if not warm:
        return Cell(show.NONE)
    if len(warm) == 1:
        return Cell(say("results.is_warm" if warm[0] else "results.is_cold"), order=not warm[0])
    return Cell(say("results.warm_of", warm=sum(warm), count=len(warm)), order=-sum(warm))


COLUMNS = (
    Column("lane", _lane, figure=False, need=0),
    Column("model", _model, figure=False, need=6),
    Column("settings", _settings, figure=False, need=7),
    Column("state", _state, figure=False, need=1),
    Column("ttft", _ttft, need=2),
    Column("speed", _speed, need=3),
    Column("total", _total, need=5),
    Column("tokens", _tokens, need=8),
    Column("cost", _cost, need=4),
    Column("length", _length, need=9),
    Column("connection", _connection, figure=False, need=10),
)


class Drawn(Struct, frozen=True):
    """The table in words: columns as wide as what stands in them."""

    shown: tuple[int, ...]
    """The columns that have room, as places in COLUMNS."""
    widths: tuple[int, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """Of every lane, a cell for each of COLUMNS."""


def sorted_lanes(compared: Compared, column: int, *, backwards: bool) -> list[ComparedLane]:
    """The lanes by a column; what is unknown comes last either way."""
    cell, best = COLUMNS[column].cell, compared.best
    orders = [(lane, cell(lane, best).order) for lane in compared.lanes]
    known = sorted((pair for pair in orders if pair[1] is not None), key=lambda pair: pair[1], reverse=backwards)
    return [lane for lane, _ in [*known, *(pair for pair in orders if pair[1] is None)]]


def drawn(compared: Compared, lanes: Sequence[ComparedLane], room: int) -> Drawn:
    best = compared.best
    rows = tuple(tuple(column.cell(lane, best) for column in COLUMNS) for lane in lanes)
    widths = [_width(place, rows) for place in range(len(COLUMNS))]
    shown = list(range(len(COLUMNS)))
    while len(shown) > 1 and sum(widths[place] + GAP for place in shown) > room:
        shown.remove(max(shown, key=lambda place: COLUMNS[place].need))
    return Drawn(tuple(shown), tuple(widths), rows)


def heading(place: int, width: int, sort: int, *, backwards: bool) -> str:
    """A column's name in its width, marked where the table is sorted by it."""
    name = say(f"results.column.{COLUMNS[place].key}") + (("▼" if backwards else "▲") if place == sort else "")
    return _fit(name, width, figure=COLUMNS[place].figure)


def line(cell: Cell, place: int, width: int, row: int) -> str:
    """A row of a cell: the figure, and under it the spread."""
    text = (f"{cell.text}{MARK}" if cell.best else f"{cell.text} ") if not row else f"{cell.spread} "
    return _fit(text if COLUMNS[place].figure else text.rstrip(), width, figure=COLUMNS[place].figure)


def _fit(text: str, width: int, *, figure: bool) -> str:
    return " " * max(0, width - columns(text)) + text if figure else padded(text, width)


def _width(place: int, rows: Sequence[Sequence[Cell]]) -> int:
    name = columns(say(f"results.column.{COLUMNS[place].key}")) + 1
    widest = max([name, *(max(columns(row[place].text), columns(row[place].spread)) + 1 for row in rows)])
    return min(widest, MOST_TEXT) if not COLUMNS[place].figure else widest


def _spread(lane: ComparedLane, spread: Spread[Any] | None, words: Callable[[Any], str], *, best: bool = False) -> Cell:
    if spread is None:
        return Cell(show.NONE)
    several = len(lane.runs) > 1
    return Cell(
        words(spread.median), f"{words(spread.min)}–{words(spread.max)}" if several else "", spread.median, best
    )


def _several(lane: ComparedLane, values: Sequence[int], words: Callable[[float | None], str]) -> Cell:
    if not values:
        return Cell(show.NONE)
    middle = median(values)
    spread = _ends(words(min(values)), words(max(values))) if len(lane.runs) > 1 else ""
    return Cell(words(middle), spread, middle)


def _ends(least: str, most: str) -> str:
    """`210–221 ms`: the unit once where it is the same."""
    value, _, unit = least.partition(" ")
    return f"{value if unit and most.endswith(f' {unit}') else least}–{most}"
