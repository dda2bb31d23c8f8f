"""`tui-chat history import`: conversations out of a file, with a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.looking import looked_into, written
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.domain.words import say
from tui_chat.store import imports

if TYPE_CHECKING:
    from tui_chat.store.imports import Report


@click.command("import", short_help="Take conversations in: our JSON, or ChatGPT's or Claude's export.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@common
def command(common: Common, file: Path, as_json: bool) -> None:
    """Take the conversations of FILE in. What is there already stays, so that the same file may be imported twice."""
    with looked_into(create=True) as built:
        report = imports.read(built.chats.library, file)
        written(built)
    if as_json:
        print_json(report_object(report))
        return
    for what, why in report.skipped:
        complain(say("history.skipped", what=what, why=why))
    if report.skipped_count > len(report.skipped):
        complain(say("history.skipped_more", count=report.skipped_count))
    counts = {"new": report.new, "updated": report.updated, "unchanged": report.unchanged, "turns": report.turns}
    print_line(say("history.imported", **counts))


def report_object(report: Report) -> dict[str, Any]:
    return {
        "new": report.new,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "turns": report.turns,
        "skipped": [{"what": what, "why": why} for what, why in report.skipped],
        "skipped_count": report.skipped_count,
    }
