"""Taking conversations in: our own exports, and those of ChatGPT and Claude.

A file is read twice, one conversation at a time: first all of it is checked, and only then is anything put in.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from concurrent.futures import TimeoutError as TooLate
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from msgspec import Struct, field

from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.ids import id_for
from tui_chat.store.sources import opened, reading
from tui_chat.wire import archive, chatgpt, claude_export
from tui_chat.wire.json_items import LONGEST, JsonItems, Malformed
from tui_chat.wire.order import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from typing import BinaryIO

    from tui_chat.store.library import Library
    from tui_chat.store.sources import Source
    from tui_chat.store.whole import Added
    from tui_chat.wire.forms import ConversationForm
    from tui_chat.wire.json_items import Item

LISTED = 200
"""Entries of the list of what was left out."""
AHEAD = 16
"""Conversations that wait for the disk at most, so that one fsync serves several."""
PATIENCE_S = 5.0
FIRST_LINE = 4096
"""Bytes in which a header line ends."""


class Report(Struct):
    """What an import has done, in conversations; `turns` are those that were added."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    turns: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(what, why) of the first things that were left out; a conversation is named by its title."""
    skipped_count: int = 0
    """All the things that were left out."""

    def skip(self, what: str, why: str, count: int = 1) -> None:
        self.skipped_count += count
        if len(self.skipped) < LISTED:
            why = visible_line(why, 200)
            self.skipped.append((visible_line(what, 80), why if count == 1 else f"{count} × {why}"))

    def count(self, added: Added) -> None:
        self.turns += added.turns
        self.new += added.new
        self.updated += not added.new and added.turns > 0
        self.unchanged += not added.anything


class _Found(NamedTuple):
    """One conversation of a file; `form` is None when all of it is left out."""

    title: str
    form: ConversationForm | None
    skipped: Counter[str]
    strange: bool = False
    """It is no conversation of any kind that is known."""


def read(library: Library, path: Path) -> Report:
    """Put in what is in a file and not here yet.

    Raises UsageError when the file is malformed, and nothing has been changed then; StoreError when it cannot be
    read, when it changes meanwhile, or when the store cannot be written.
    """
    now = time.time()
    report = Report()
    with opened(path) as source:
        count = sum(found.form is not None for found in _conversations(source, path, now))
        try:
            put = _put(library, _conversations(source, path, now), report)
        except UsageError:
            # It could be read to its end a moment ago.
            put = -1
        if source.changed or put != count:
            done = report.new + report.updated + report.unchanged
            raise StoreError(say("import.changed", file=path, count=done))
    return report


def _put(library: Library, conversations: Iterator[_Found], report: Report) -> int:
    """Put the conversations in; how many there were."""
    waiting: deque[Future[Added]] = deque()
    count = 0
    try:
        for found in conversations:
            for why, times in found.skipped.items():
                report.skip(found.title, why, times)
            if found.form is not None:
                waiting.append(library.add_soon(found.form))
                count += 1
            if len(waiting) >= AHEAD:
                report.count(_result(library, waiting.popleft()))
    finally:
        for future in waiting:
            report.count(_result(library, future))
    return count


def _result(library: Library, future: Future[Added]) -> Added:
    while True:
        try:
            return future.result(PATIENCE_S)
        except TooLate:
            if library.behind:
                raise StoreError(say("import.behind")) from None


def _conversations(source: Source, path: Path, now: float) -> Iterator[_Found]:
    """Every conversation of the file, in its order. Raises UsageError, StoreError."""
    known = strange = False
    with reading(path):
        for name, file in source.parts():
            for found in _in_part(name, file, now):
                known, strange = known or not found.strange, strange or found.strange
                yield found
    if strange and not known:
        raise UsageError(say("import.foreign", file=path))


def _in_part(name: str, file: BinaryIO, now: float) -> Iterator[_Found]:
    start = file.read(FIRST_LINE)
    line, end, _ = start.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    file.seek(0)
    if end and archive.is_header_line(line):
        archive.check_line(line, name)
        return _in_lines(name, file, now)
    return _in_items(name, file, now)


def _in_lines(name: str, file: BinaryIO, now: float) -> Iterator[_Found]:
    """The conversations of a file with one a line."""
    file.readline()
    number = 1
    while line := file.readline(LONGEST):
        number += 1
        if not line.strip():
            continue
        try:
            form = archive.decode(line, now)
        except Damaged as error:
            raise UsageError(say("import.damaged_line", file=name, line=number, fault=error)) from None
        yield _Found(form.title, form, Counter())


def _in_items(name: str, file: BinaryIO, now: float) -> Iterator[_Found]:
    """The conversations of a file that is one JSON value."""
    items = JsonItems(file.read)
    try:
        for item in items:
            if "format" in items.head:
                archive.check(items.head, name)
            yield _item(item, now, ours="format" in items.head)
    except Malformed as error:
        place = {"line": error.line, "column": error.column}
        raise UsageError(say("import.damaged", file=name, **place, fault=error.fault)) from None
    if "format" in items.head:
        archive.check(items.head, name)


def _item(item: Item, now: float, *, ours: bool) -> _Found:
    """Raises Malformed, where the conversation begins."""
    value = cast("dict[str, Any]", item.value) if isinstance(item.value, dict) else {}
    for kind in (chatgpt, claude_export):
        if kind.is_conversation(value):
            parsed = kind.parse(value, id_for, now)
            return _Found(parsed.title, parsed.form, parsed.skipped)
    if not ours and "nodes" not in value:
        where = say("import.place", line=item.line, column=item.column)
        return _Found(where, None, Counter({say("import.left_strange"): 1}), strange=True)
    try:
        form = archive.decode((item.text or json.dumps(value)).encode("utf-8", "surrogatepass"), now)
    except (Damaged, RecursionError) as error:
        raise Malformed(item.line, item.column, str(error)) from None
    return _Found(form.title, form, Counter())
