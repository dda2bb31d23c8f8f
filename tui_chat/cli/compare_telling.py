"""A comparison told on stderr while it runs, live on a terminal, else a line as each run ends; then on stdout."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.cli.results import figures_line
from tui_chat.domain import figures as show
from tui_chat.domain.events import Ended, RunHeard
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.compared import compared_csv, compared_markdown, compared_object, ending, heading, table

if TYPE_CHECKING:
    from tui_chat.domain.comparing import Compared
    from tui_chat.domain.events import SessionEvent
    from tui_chat.engine.comparison import Comparison, LaneState

FRAME_S = 0.125
TEXT_COLUMNS = 4
"""Of the table: the others hold figures, which stand at the right."""


async def watch(comparison: Comparison) -> None:
    """Return when nothing is under way any more; a cancellation leaves the runs to the caller."""
    if sys.stderr.isatty():
        await _live(comparison)
    else:
        await _lines(comparison)


async def _live(comparison: Comparison) -> None:
    # rich is paid for on a terminal alone.
    from tui_chat.cli.progress import LiveTable

    columns = say("compare.live").split(" | ")
    with LiveTable(columns) as live:
        waiting = asyncio.ensure_future(comparison.ended())
        try:
            while not waiting.done():
                live.show([_row(comparison, lane) for lane in comparison.lanes.values()])
                await asyncio.wait((waiting,), timeout=FRAME_S)
        finally:
            waiting.cancel()
    _tell_failures(comparison)


def _row(comparison: Comparison, lane: LaneState) -> list[str]:
    """A lane as it stands, by its newest run."""
    reply = lane.replies[-1] if lane.replies else None
    name = visible_line(f"{lane.target.endpoint.name}/{lane.target.model}", 40)
    ended = sum(reply.draft.phase.ended for reply in lane.replies)
    if reply is None:
        return [lane.label, name, say("state.queued"), f"{ended}/{comparison.pace.repeat}", *[show.NONE] * 4]
    stats = reply.stats()
    speed = stats.tok_per_s if stats.now_per_s is None else stats.now_per_s
    return [
        lane.label,
        name,
        say(f"state.{reply.draft.phase}"),
        f"{ended}/{comparison.pace.repeat}",
        show.seconds(stats.ttft_s),
        show.rate(speed, exact=stats.exact),
        show.tokens(stats.usage.output, exact=stats.exact),
        show.money(reply.cost()),
    ]


async def _lines(comparison: Comparison) -> None:
    def hear(lane_id: str, event: SessionEvent) -> None:
        if isinstance(event, RunHeard) and isinstance(event.stamped.event, Ended):
            _tell(comparison, lane_id, event.node)

    comparison.listeners.append(hear)
    try:
        await comparison.ended()
    finally:
        comparison.listeners.remove(hear)


def _tell(comparison: Comparison, lane_id: str, node: str) -> None:
    """One line for a run that has ended."""
    lane = comparison.lanes[lane_id]
    reply = next(reply for reply in lane.replies if reply.node.id == node)
    trouble = f" · {reply.draft.failure.line}" if reply.draft.failure is not None else ""
    complain(f"{_name(comparison, lane, reply.run.repeat)}: {figures_line(reply)}{trouble}")


def _tell_failures(comparison: Comparison) -> None:
    """What the live table had no room for."""
    for lane in comparison.lanes.values():
        for reply in lane.replies:
            if reply.draft.failure is not None:
                complain(f"{_name(comparison, lane, reply.run.repeat)}: {reply.draft.failure.line}")


def _name(comparison: Comparison, lane: LaneState, repeat: int) -> str:
    return f"{lane.label} {repeat}/{comparison.pace.repeat}" if comparison.pace.repeat > 1 else lane.label


def print_compared(compared: Compared, form: str) -> None:
    """Print all there is on stdout."""
    match form:
        case "json":
            print_json(compared_object(compared))
        case "csv":
            print_line(compared_csv(compared).removesuffix("\n"))
        case "md":
            print_line(compared_markdown(compared).removesuffix("\n"))
        case _:
            _print_answers(compared)
            _print_table(compared)


def _print_answers(compared: Compared) -> None:
    for lane in compared.lanes:
        for run in lane.runs:
            print_line(f"── {visible_line(heading(lane, run), 200)}")
            for text in (run.reply.text.strip("\n"), ending(run)):
                if text:
                    print_line(text)
            print_line("")


def _print_table(compared: Compared) -> None:
    rows = [[visible_line(cell, 48) for cell in row] for row in table(compared)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if place < TEXT_COLUMNS else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print_line("  ".join(cells).rstrip())
    print_line(say("compare.best"))
