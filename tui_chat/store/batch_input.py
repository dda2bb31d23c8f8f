"""The input of a batch, a line at a time: JSON lines, CSV, or a prompt a line."""

from __future__ import annotations

import asyncio
import csv
import os
import stat
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, Protocol, cast

import msgspec
from msgspec import Meta

from tui_chat.domain.ask import Message, Settings
from tui_chat.domain.batch import Fault, Item, Unread, digest
from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.template import MissingField
from tui_chat.domain.words import say
from tui_chat.store.files import reason
from tui_chat.store.lanes import settings_in
from tui_chat.store.schema import ProfileTable
from tui_chat.store.tables import Reader, ended

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping
    from pathlib import Path

    from tui_chat.domain.template import Template

FORMATS = ("jsonl", "csv", "text")
MOST_BYTES = 32 * 2**20
"""Of one line of input."""
MOST_ID = 512
BREATH = 200
"""Lines of a file between two chances for others to run."""


class MessageForm(msgspec.Struct, frozen=True):
    """One of `messages`, as chat requests have it."""

    role: Literal["system", "user", "assistant"]
    content: str


class ItemForm(ProfileTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of input, beside the settings that a profile may have."""

    id: Annotated[str, Meta(min_length=1, max_length=MOST_ID)] | int | None = None
    prompt: str | None = None
    messages: list[MessageForm] | None = None
    metadata: Any = None
    """The user's own; not looked at."""


class CsvForm(ProfileTable, frozen=True, kw_only=True):
    """The columns that are looked at, but for `id` and `prompt`."""


SETTINGS = tuple(ProfileTable.__struct_fields__)
_item = msgspec.json.Decoder(ItemForm)


class Parser(Protocol):
    """Makes items of lines; lines are numbered from 1."""

    def feed(self, number: int, line: bytes) -> Iterator[Item | Fault]: ...

    def finish(self) -> Iterator[Item | Fault]:
        """What is left at the end of the input."""
        ...


def parser(format: str, name: str, template: Template | None) -> Parser:
    """A parser of one of FORMATS for an input of this name."""
    return {"jsonl": JsonLines, "csv": Table, "text": Plain}[format](name, template)


class JsonLines:
    """One JSON object a line."""

    def __init__(self, name: str, template: Template | None) -> None:
        self._name = name
        self._template = template

    def feed(self, number: int, line: bytes) -> Iterator[Item | Fault]:
        line = _bare(number, line)
        if line:
            where = f"{self._name}:{number}"
            try:
                yield self._item(where, line)
            except Wrong as wrong:
                yield Fault(wrong.line or ended(say("batch.line", where=where, fault=wrong.fault)), wrong.unread)

    def finish(self) -> Iterator[Item | Fault]:
        return iter(())

    def _item(self, where: str, line: bytes) -> Item:
        if self._template is None:
            try:
                form = _item.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                form = _read(ItemForm, _object(line), where)
            return _made(form, where, line, form.prompt)
        fields = _object(line)
        known = {name: fields[name] for name in ("id", *SETTINGS) if name in fields}
        return _made(_read(ItemForm, known, where), where, line, _rendered(self._template, fields))


class Plain:
    """One prompt a line."""

    def __init__(self, name: str, template: Template | None) -> None:
        self._name = name
        self._template = template

    def feed(self, number: int, line: bytes) -> Iterator[Item | Fault]:
        line = _bare(number, line)
        if not line:
            return
        where = f"{self._name}:{number}"
        try:
            text = line.decode()
            prompt = text if self._template is None else _rendered(self._template, {"prompt": text, "line": text})
        except UnicodeDecodeError:
            yield Fault(ended(say("batch.line", where=where, fault=say("batch.utf8"))))
        except Wrong as wrong:
            yield Fault(ended(say("batch.line", where=where, fault=wrong.fault)))
        else:
            yield Item(digest(line), where, (Message("user", prompt),), named=False)

    def finish(self) -> Iterator[Item | Fault]:
        return iter(())


class Table:
    """CSV with a first line that names its columns; a cell may span lines."""

    def __init__(self, name: str, template: Template | None) -> None:
        self._name = name
        self._template = template
        self._columns: list[str] | None = None
        self._open: list[str] = []
        """Lines of a row whose quotes are not closed."""
        self._quotes = self._size = 0
        """Of those lines: quotes and characters."""
        self._first = 1
        csv.field_size_limit(MOST_BYTES)

    def feed(self, number: int, line: bytes) -> Iterator[Item | Fault]:
        if not self._open:
            self._first, self._quotes, self._size = number, 0, 0
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            self._open.clear()
            yield self._fault(say("batch.utf8"))
            return
        self._open.append(text)
        self._quotes += text.count('"')
        self._size += len(text)
        if self._quotes % 2 == 0:
            yield from self._row()
        elif self._size > MOST_BYTES:
            self._open.clear()
            yield self._fault(say("batch.quotes"))

    def finish(self) -> Iterator[Item | Fault]:
        if self._open:
            yield self._fault(say("batch.quotes"))

    def _row(self) -> Iterator[Item | Fault]:
        source = "".join(self._open)
        lines, self._open = self._open, []
        try:
            rows = [row for row in csv.reader(lines) if row]
        except csv.Error as error:
            yield self._fault(say("batch.no_csv", fault=error))
            return
        for cells in rows:
            if self._columns is None:
                self._columns = [cell.strip() for cell in cells]
                continue
            try:
                yield self._item(cells, source.strip().encode())
            except Wrong as wrong:
                yield Fault(wrong.line) if wrong.line else self._fault(wrong.fault)

    def _item(self, cells: list[str], source: bytes) -> Item:
        assert self._columns is not None
        if len(cells) != len(self._columns):
            raise Wrong(say("batch.cells", found=len(cells), wanted=len(self._columns)))
        fields = dict(zip(self._columns, cells, strict=True))
        where = f"{self._name}:{self._first}"
        known = {name: fields[name] for name in SETTINGS if fields.get(name)}
        form = _read(CsvForm, _numbers(known), where)
        prompt = fields.get("prompt") if self._template is None else _rendered(self._template, fields)
        if self._template is None and "prompt" not in fields:
            raise Wrong(say("batch.no_column", columns=", ".join(self._columns)))
        id = fields.get("id") or None
        return _made(ItemForm(**msgspec.structs.asdict(form), id=id), where, source, prompt or None)

    def _fault(self, fault: str) -> Fault:
        return Fault(ended(say("batch.line", where=f"{self._name}:{self._first}", fault=fault)))


class Wrong(Exception):
    """A line is wrong: how, or the whole sentence."""

    def __init__(self, fault: str, line: str = "", unread: Unread | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.line = line
        self.unread = unread


def _bare(number: int, line: bytes) -> bytes:
    return (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Wrong(say("batch.no_json", fault=error), unread=Unread.JSON if _is_text(line) else Unread.TEXT) from None
    if not isinstance(found, dict):
        raise Wrong(say("batch.no_object"), unread=Unread.JSON)
    return cast("dict[str, Any]", found)


def _is_text(line: bytes) -> bool:
    try:
        return "\0" not in line.decode()
    except UnicodeDecodeError:
        return False


def _read(shape: type[Any], raw: Mapping[str, Any], where: str) -> Any:
    """`raw` as a `shape`. Raises Wrong with what is wrong about its first wrong key."""
    given = {name: value for name, value in raw.items() if value is not None}
    reader = Reader(where)
    table, _ = reader.table(shape, given, ())
    if reader.problems:
        raise Wrong("", reader.problems[0].line)
    return table


def _numbers(cells: dict[str, str]) -> dict[str, Any]:
    """Cells as the values that they are written for: text stays text, the rest is JSON."""
    read: dict[str, Any] = {}
    for name, cell in cells.items():
        read[name] = cell
        if name not in ("endpoint", "model", "system", "reasoning_effort"):
            try:
                read[name] = msgspec.json.decode(cell)
            except msgspec.MsgspecError:
                pass
    return read


def _rendered(template: Template, fields: Mapping[str, Any]) -> str:
    """Raises Wrong where a field is not there."""
    texts = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode() for name, value in fields.items()
    }
    try:
        return template.render(texts)
    except MissingField as missing:
        raise Wrong(say("batch.no_field", field=missing, known=", ".join(texts))) from None


def _made(form: ItemForm, where: str, source: bytes, prompt: str | None) -> Item:
    """Raises Wrong."""
    settings = settings_in(form)
    if (prompt is None) == (form.messages is None):
        raise Wrong(say("batch.no_prompt"))
    if form.messages is None:
        messages: tuple[Message, ...] = (Message("user", prompt or ""),)
        if not (prompt or "").strip():
            raise Wrong(say("batch.empty"))
    else:
        messages, settings = _said(form.messages, settings)
    number = form.id if isinstance(form.id, int) else None
    id = digest(source) if form.id is None else str(form.id)
    return Item(id, where, messages, settings, form.endpoint, form.model, form.id is not None, number)


def _said(forms: list[MessageForm], settings: Settings) -> tuple[tuple[Message, ...], Settings]:
    """The messages without the system's, which are settings. Raises Wrong."""
    messages = tuple(Message(form.role, form.content) for form in forms if form.role != "system")
    system = "\n\n".join(form.content for form in forms if form.role == "system")
    if not messages or messages[-1].role != "user" or not messages[-1].text.strip():
        raise Wrong(say("batch.last_message"))
    return messages, Settings(system=system or None).over(settings)


class Source:
    """The lines of a file, or of stdin where there is no path."""

    def __init__(self, path: Path | None) -> None:
        """Raises UsageError where there is no such file."""
        self.name = "stdin" if path is None else str(path)
        try:
            self._file: BinaryIO = open(0, "rb", closefd=False) if path is None else path.open("rb")  # noqa: SIM115  # closed later
            self._waits = not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        except OSError as error:
            raise UsageError(say("store.read", path=self.name, reason=reason(error))) from error

    async def lines(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """(number, line) from the beginning on; what is piped in, as it comes. Raises UsageError, StoreError."""
        if self._waits:
            async for number, line in self._piped():
                yield number, line
            return
        try:
            self._file.seek(0)
            for number, line in enumerate(iter(lambda: self._file.readline(MOST_BYTES + 1), b""), 1):
                if len(line) > MOST_BYTES:
                    raise self._too_long(number)
                yield number, line
                if number % BREATH == 0:
                    # What has a line is passed over without a wait: signals and the progress need one.
                    await asyncio.sleep(0)
        except OSError as error:
            raise StoreError(say("store.read", path=self.name, reason=reason(error))) from error

    async def keep(self) -> None:
        """Take in all that is piped in, so that it can be read twice. Raises as `lines` does."""
        if self._waits:
            kept = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  # read later
            async for _, line in self._piped():
                kept.write(line)
            kept.flush()
            self._file, self._waits = kept, False

    def count(self, format: str) -> int | None:
        """How many items there are, faulty ones among them; None where that is not known yet. May block."""
        if self._waits:
            return None
        with suppress(OSError, csv.Error):
            with open(self._file.fileno(), "rb", closefd=False) as file:
                file.seek(0)
                if format != "csv":
                    return sum(not line.isspace() for line in file)
                return max(
                    0, sum(bool(row) for row in csv.reader(line.decode("utf-8", "replace") for line in file)) - 1
                )
        return None

    def close(self) -> None:
        self._file.close()

    async def _piped(self) -> AsyncGenerator[tuple[int, bytes], None]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MOST_BYTES)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), self._file)
        number = 0
        try:
            while line := await reader.readline():
                number += 1
                yield number, line
        except ValueError:
            raise self._too_long(number + 1) from None
        finally:
            transport.close()

    def _too_long(self, number: int) -> UsageError:
        return UsageError(say("batch.long", where=f"{self.name}:{number}", limit=MOST_BYTES // 2**20))
