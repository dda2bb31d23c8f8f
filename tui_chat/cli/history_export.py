"""`tui-chat history export`: conversations into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui_chat.cli.candidates import conversations_or_files
from tui_chat.cli.common import Common, common
from tui_chat.cli.looking import find, looked_into
from tui_chat.cli.output import complain
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say
from tui_chat.store import export

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.wiring import House

STDOUT = "-"
JSON = "json"


@click.command("export", short_help="Write conversations to a file: Markdown, JSON or HTML.")
@click.argument("arguments", metavar="[ID...] FILE", nargs=-1, shell_complete=conversations_or_files)
@click.option("--all", "every", is_flag=True, help="Every conversation, as JSON lines: a backup that `import` reads.")
@click.option("--format", "format", type=click.Choice(export.FORMATS), help="Else by the name of FILE; for - json.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@common
def command(common: Common, arguments: tuple[str, ...], every: bool, format: str | None, as_json: bool) -> None:
    """Write the conversations ID, or --all, to FILE; - is stdout."""
    *names, file = arguments or ("",)
    if not file or bool(names) == every:
        raise UsageError(say("usage.export"))
    target = None if file == STDOUT else Path(file)
    untold = format is None and not as_json and not every
    format = _format(target, JSON if as_json else format, every=every)
    with looked_into() as built:
        uids = _every(built) if every else list(dict.fromkeys(find(built, name) for name in names))
        count = export.write(built.chats.library, uids, target, format, lines=every)
    if target is not None:
        complain(say("history.exported", count=count, file=file))
        if untold and format == JSON and Path(file).suffix.lower() not in (".json", ".jsonl"):
            complain(say("history.as_json", file=file))


def _format(target: Path | None, named: str | None, *, every: bool) -> str:
    """Raises UsageError."""
    if target is not None and not (named or every or target.suffix):
        # As likely an id as a file: nothing is written to a name that says nothing.
        raise UsageError(say("usage.export_format", file=target))
    format = named or (JSON if target is None else export.format_of(target))
    if every and format != JSON:
        raise UsageError(say("usage.export_all"))
    return format


def _every(built: House) -> Iterable[str]:
    return built.chats.library.every() if built.chats.stored else ()
