"""`tui-chat history stats`: what the requests of the history cost, and how fast they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.history_list import terminal_width
from tui_chat.cli.looking import looked_into
from tui_chat.cli.output import print_json, print_line
from tui_chat.cli.spans import span
from tui_chat.domain import report as shown
from tui_chat.domain.dates import iso
from tui_chat.domain.figures import bar
from tui_chat.domain.usage import Asked, By, Report
from tui_chat.domain.words import say
from tui_chat.store.usage import report
from tui_chat.ui.cells import padded
from tui_chat.wire.spreadsheet import as_csv
from tui_chat.wiring import Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.domain.figures import Currency
    from tui_chat.domain.usage import Line
    from tui_chat.wiring import House

WHOLE = 10_000
"""Columns of a line that is not cut."""
COLUMNS = (
    "replies", "requests", "failed", "input", "cached", "cache_write", "reasoning", "output", "exact",
    "usd", "cost_source", "unpriced", "ttft_s", "tok_per_s",
)  # fmt: skip


@click.command("stats", short_help="Sum up cost, tokens and speed by model, endpoint or day.")
@click.option("--by", type=click.Choice([by.value for by in By]), default="model", show_default=True)
@click.option("--since", metavar="DATE", help="From this day, month or year on: 2026-11-24, 2026-11 or 2026.")
@click.option("--until", metavar="DATE", help="To the end of this day, month or year.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@common
def command(common: Common, by: str, since: str | None, until: str | None, form: str, as_json: bool) -> None:
    """Sum up what the requests of the history cost and how fast they were, by model, endpoint or day.

    Every try counts, the failed and cancelled ones too. tok/s and TTFT are medians. -m and -e are filters here.
    """
    with looked_into() as built:
        asked = _asked(built, common, By(by), since, until)
        found = report(built.chats.database, asked) if built.chats.stored else Report(asked)
        if as_json or form == "json":
            print_json(report_object(found))
        elif form == "csv":
            _print_csv(found)
        else:
            _print_table(found, built.config.currency)


def _asked(built: House, common: Common, by: By, since: str | None, until: str | None) -> Asked:
    endpoint, model = built.targets.flagged(Choice(common.endpoint, common.model))
    first, last = span(since, until)
    return Asked(by, first, last, model, endpoint)


def report_object(found: Report) -> dict[str, Any]:
    asked = found.asked
    return {
        "by": asked.by,
        "since": asked.since,
        "until": asked.until,
        "first": iso(found.first),
        "last": iso(found.last),
        "total": _figures(found.total),
        "rows": [{str(asked.by): line.key, **_figures(line)} for line in found.lines],
    }


def _figures(line: Line) -> dict[str, Any]:
    return {
        "replies": line.replies,
        "requests": line.requests,
        "failed": line.failed,
        "usage": {
            "input": line.input,
            "cached": line.cached,
            "cache_write": line.cache_write,
            "reasoning": line.reasoning,
            "output": line.output,
            "exact": line.exact,
        },
        "cost": {"usd": line.usd, "source": line.cost.source, "unpriced": line.unpriced},
        "ttft_s": line.ttft_s,
        "tok_per_s": line.tok_per_s,
    }


def _print_csv(found: Report) -> None:
    lines: list[Sequence[object]] = [[found.asked.by, *COLUMNS]]
    for line in found.lines:
        flat = _figures(line)
        flat |= {**flat["usage"], **flat["cost"], "cost_source": line.cost.source}
        lines.append([line.key, *(flat[name] for name in COLUMNS)])
    print_line(as_csv(lines).removesuffix("\n"))


def _print_table(found: Report, currency: Currency) -> None:
    """With bars on a terminal; into a pipe without, each line whole."""
    if not found.lines:
        asked = found.asked
        then = asked.since or asked.until or asked.model or asked.endpoint
        print_line(say("usage.none_then" if then else "usage.none"))
        return
    terminal = terminal_width()
    rows = [
        shown.headings(found),
        *(shown.cells(line, currency) for line in found.lines),
        shown.cells(found.total, currency),
    ]
    widths, room = shown.layout(rows, WHOLE if terminal is None else terminal)
    room = 0 if terminal is None else room
    for row, share in zip(rows, [0.0, *found.shares(), 0.0], strict=True):
        cells = [padded(row[0], widths[0]), *([f"{bar(share, room):<{room}}"] if room else [])]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=False)]
        print_line((" " * shown.GAP).join(cells).rstrip())
    for note in shown.notes(found):
        print_line(note)
