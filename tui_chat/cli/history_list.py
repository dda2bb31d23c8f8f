"""`tui-chat history list`: one line a conversation."""

from __future__ import annotations

import shutil
import sys
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.looking import looked_into
from tui_chat.cli.output import complain, print_array, print_line
from tui_chat.domain import figures
from tui_chat.domain.dates import iso, short
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.cells import padded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui_chat.store.library import Summary

SCREENFUL = 50
"""Conversations or hits that a terminal is given unasked."""
MODEL = 24
ROOMY = 114
"""Columns from which on the model is shown too."""


@click.command("list", short_help="List the conversations, pinned ones first, then the newest.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N; on a terminal 50 unless told.")
@click.option("--deleted", is_flag=True, help="Those that `history delete --undo` brings back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@common
def command(common: Common, limit: int | None, deleted: bool, as_json: bool) -> None:
    """List the conversations, pinned ones (*) first, then the newest."""
    with looked_into() as built:
        found = built.chats.library.each(deleted=deleted) if built.chats.stored else iter(())
        if as_json:
            print_array(summary_object(summary) for summary in islice(found, limit))
        else:
            _print_table(found, limit)


def terminal_width() -> int | None:
    """Columns that a line may have; None where stdout is no terminal."""
    return max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def summary_object(summary: Summary) -> dict[str, Any]:
    return {
        "id": summary.id,
        "title": summary.title,
        "created": iso(summary.created),
        "updated": iso(summary.updated),
        "turns": summary.turns,
        "models": summary.models,
        "cost_usd": summary.cost,
        "pinned": summary.pinned,
        "state": summary.state,
    }


def _print_table(found: Iterator[Summary], limit: int | None) -> None:
    """Cut to the terminal's width; into a pipe each line is whole."""
    width, now = terminal_width(), time.time()
    if width is not None and limit is None:
        limit = SCREENFUL
    for summary in islice(found, limit):
        print_line(_line(summary, now, width))
    if width is not None and next(found, None) is not None:
        complain(say("history.more", limit=limit))


def _line(summary: Summary, now: float, width: int | None) -> str:
    state = "" if summary.state is None else say(f"state.{summary.state}")
    cells = [
        f"{summary.id:<12}",
        f"{short(summary.updated, now):>11}",
        f"{summary.turns:>4}",
        f"{figures.spent(summary.cost, estimated=summary.estimated):>11}",
        f"{state:<11}",
    ]
    lead = "  ".join(cells) + "  "
    models = visible_line(", ".join(summary.models), 200)
    title = ("* " if summary.pinned else "") + visible_line(summary.title, 200)
    if width is None:
        return f"{lead}{padded(models, MODEL)}  {title}"
    if width >= ROOMY:
        lead += padded(models, MODEL) + "  "
    return padded(lead + title, width).rstrip()
