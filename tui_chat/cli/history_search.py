"""`tui-chat history search`: what was said, newest first."""

from __future__ import annotations

import os
import re
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from tui_chat.cli.common import Common, common
from tui_chat.cli.history_list import SCREENFUL, terminal_width
from tui_chat.cli.looking import looked_into
from tui_chat.cli.output import complain, print_array, print_line, print_marked
from tui_chat.domain.dates import iso, short
from tui_chat.domain.failure import UsageError
from tui_chat.domain.finding import FILTERS, Wanted, wanted
from tui_chat.domain.folding import facet
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.nodes import MAX_ID
from tui_chat.store.search import SNIPPET, search
from tui_chat.store.tables import nearest
from tui_chat.ui.cells import padded
from tui_chat.wiring import Choice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui_chat.store.database import Database
    from tui_chat.store.search import Hit
    from tui_chat.wiring import House

PAGE = 200
"""Hits that are read at once."""
INDENT = "    "
_MAYBE_FILTER = re.compile(r"(?<!\S)([a-z]+):\S", re.IGNORECASE)


@click.command("search", short_help="Find what was said; filters stand among the words.")
@click.argument("words", metavar="Q", nargs=-1)
@click.option("--since", metavar="DATE", help="From this day, month or year on: 2026-11-24, 2026-11 or 2026.")
@click.option("--until", metavar="DATE", help="To the end of this day, month or year.")
@click.option("--error", is_flag=True, help="Only replies that failed.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N; on a terminal 50 unless told.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@common
def command(
    common: Common,
    words: tuple[str, ...],
    since: str | None,
    until: str | None,
    error: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Find the turns that hold all words of Q, newest first. Case and accents do not matter; "quoted words" follow one
    another; a word finds longer ones that begin with it.

    Filters may stand in Q: model:NAME endpoint:NAME role:you|model error:yes since:DATE until:DATE. -m and -e are
    filters here too.
    """
    with looked_into() as built:
        asked = _wanted(built, common, " ".join(words), since=since, until=until, error=error)
        width = terminal_width()
        room = SNIPPET if as_json or width is None else width - len(INDENT)
        found = _hits(built.chats.database, asked, room) if built.chats.stored else iter(())
        if as_json:
            print_array(hit_object(hit) for hit in islice(found, limit))
        else:
            _print_hits(found, limit, width)


def _wanted(built: House, common: Common, text: str, *, since: str | None, until: str | None, error: bool) -> Wanted:
    """What the query and the flags ask for together. Raises UsageError."""
    for name in _MAYBE_FILTER.findall(text):
        if name.lower() not in FILTERS and (near := nearest(name, FILTERS)):
            complain(say("usage.near_filter", name=name, near=near))
    asked = wanted(text)
    facets, faults = [*asked.facets], [*asked.faults]
    endpoint, model = built.targets.flagged(Choice(common.endpoint, common.model))
    facets += [facet("endpoint", endpoint)] if endpoint else []
    facets += [facet("model", model)] if model else []
    facets += [facet("error", "yes")] if error else []
    for name, date in (("since", since), ("until", until)):
        if date is None:
            continue
        span = wanted(f'{name}:"{date}"')
        if span.faults or span.words:
            faults.append(f"--{name} {date}")
        asked = replace(asked, since=span.since or asked.since, until=span.until or asked.until)
    if faults:
        raise UsageError(say("usage.filter", filters=", ".join(faults)))
    asked = replace(asked, facets=tuple(facets))
    if asked.empty:
        raise UsageError(say("usage.no_query"))
    return asked


def _hits(database: Database, asked: Wanted, width: int) -> Iterator[Hit]:
    before = MAX_ID
    while page := search(database, asked, PAGE, before, width):
        yield from page
        before = page[-1].row


def hit_object(hit: Hit) -> dict[str, Any]:
    return {
        "conversation": hit.conversation,
        "node": hit.node,
        "role": hit.role,
        "title": hit.title,
        "snippet": "".join(piece for piece, _ in hit.snippet),
        "at": iso(hit.at),
    }


def _print_hits(found: Iterator[Hit], limit: int | None, width: int | None) -> None:
    """Two lines a hit; on a terminal of `width` columns the words that were found are marked."""
    mark = width is not None and os.environ.get("TERM") != "dumb"
    now = time.time()
    if width is not None and limit is None:
        limit = SCREENFUL
    for hit in islice(found, limit):
        who = say("turn.you") if hit.role == "user" else visible_line(hit.model, 60)
        line = f"{hit.conversation}  {short(hit.at, now)}  {who}  {visible_line(hit.title, 200)}"
        print_line(line if width is None else padded(line, width).rstrip())
        print_marked([(INDENT, False), *hit.snippet], mark=mark)
    if width is not None and next(found, None) is not None:
        complain(say("history.more", limit=limit))
