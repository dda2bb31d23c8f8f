"""Conversations as files: JSON that can be imported again, Markdown and HTML to read. See docs/export.md."""

from __future__ import annotations

import re
import stat
import sys
import time
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol

from tui_chat import __version__
from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.hostile import visible
from tui_chat.domain.words import say
from tui_chat.store.files import check_folder, reason, replacing
from tui_chat.wire import archive

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from tui_chat.store.library import Library
    from tui_chat.wire.forms import ConversationForm

FORMATS = ("json", "md", "html")
SUFFIXES = {".md": "md", ".markdown": "md", ".html": "html", ".htm": "html"}
START = 1024
"""Bytes at the beginning of a file by which an export is recognised."""
OURS = re.compile(
    rb'\s*\{\s*"format"\s*:\s*"tui-chat"\s*,|---\ngenerator: "tui-chat |'
    rb'<!doctype html>\n.{0,100}<meta name="generator" content="tui-chat ',
    re.DOTALL,
)


def format_of(path: Path) -> str:
    """The format that a file of this name has; JSON where the name does not say."""
    return SUFFIXES.get(path.suffix.lower(), "json")


def write(library: Library, uids: Iterable[str], path: Path | None, format: str, *, lines: bool = False) -> int:
    """Write conversations to a private file, whole or not at all, or to stdout; how many there were.

    `lines`: JSON as a header and then one conversation a line. Raises UsageError for an unknown id or format, and
    StoreError for a file that cannot be written or is no export of ours; it stays as it was then.
    """
    _check(format)
    if lines and format != "json":
        raise UsageError(say("export.lines"))
    counted = _Counted(library, uids)
    with _stdout() if path is None else _file(path) as file:
        for piece in _pieces(counted, format, lines=lines):
            file.write(piece)
    return counted.count


def write_one(form: ConversationForm, path: Path, format: str) -> None:
    """Write a conversation that need not be in the store. Raises like `write`."""
    text = as_text(form, format)
    with _file(path) as file:
        file.write(_utf8(text))


def as_text(form: ConversationForm, format: str) -> str:
    """One conversation as `write` would write it. Raises UsageError for an unknown format."""
    _check(format)
    if format == "json":
        head = archive.header(time.time(), __version__)
        return (archive.opening(head) + archive.encode(form) + archive.CLOSING).decode()
    if format == "md":
        from tui_chat.store import markdown

        return markdown.document(form)
    from tui_chat.store import html

    return html.document(form)


def _check(format: str) -> None:
    if format not in FORMATS:
        raise UsageError(say("export.format", format=format, known=", ".join(FORMATS)))


class Sink(Protocol):
    """What takes the pieces of a file, each whole."""

    def write(self, data: bytes, /) -> Any: ...


class _Counted:
    """The conversations one by one, counted as they go."""

    def __init__(self, library: Library, uids: Iterable[str]) -> None:
        self._library = library
        rest = iter(uids)
        first = list(islice(rest, 2))
        self.single = len(first) < 2
        self._uids = chain(first, rest)
        self.count = 0

    def __iter__(self) -> Iterator[ConversationForm]:
        for uid in self._uids:
            form = self._library.form(uid)
            self.count += 1
            yield form


def _pieces(forms: _Counted, format: str, *, lines: bool) -> Iterator[bytes]:
    match format:
        case "json":
            return _json_lines(forms) if lines else _json(forms)
        case "md":
            return _markdown(forms)
        case _:
            return _html(forms)


def _json(forms: _Counted) -> Iterator[bytes]:
    separator = archive.opening(archive.header(time.time(), __version__))
    for form in forms:
        yield separator
        yield archive.encode(form)
        separator = archive.SEPARATOR
    if not forms.count:
        yield separator
    yield archive.CLOSING


def _json_lines(forms: _Counted) -> Iterator[bytes]:
    yield archive.header_line(archive.header(time.time(), __version__))
    for form in forms:
        yield archive.encode(form) + b"\n"


def _markdown(forms: _Counted) -> Iterator[bytes]:
    from tui_chat.store import markdown

    for form in forms:
        yield b"\n" if forms.count > 1 else b""
        yield _utf8(markdown.document(form))


def _html(forms: _Counted) -> Iterator[bytes]:
    from tui_chat.store import html, told

    for form in forms:
        if forms.count == 1:
            yield _utf8(html.head(told.title(form) if forms.single else "tui-chat"))
        yield _utf8(html.article(form))
    if not forms.count:
        yield _utf8(html.head("tui-chat"))
    yield _utf8(html.FOOT)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@contextmanager
def _stdout() -> Generator[Sink]:
    yield _Terminal(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer
    sys.stdout.buffer.flush()


class _Terminal:
    """Takes whole pieces of UTF-8, and shows what would act on the terminal."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes, /) -> None:
        self._file.write(_utf8(visible(data.decode())))


@contextmanager
def _file(path: Path) -> Generator[Sink]:
    """Raises StoreError."""
    try:
        if _may_be_written(path):
            with replacing(path) as file:
                yield file
        else:
            with path.open("wb") as file:
                yield file
    except (OSError, ValueError) as error:
        fault = reason(error) if isinstance(error, OSError) else error
        raise StoreError(say("store.write", path=path, reason=fault)) from error


def _may_be_written(path: Path) -> bool:
    """True for a file to be, or an export of ours; False for a pipe or a device. Raises StoreError, OSError."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        check_folder(path)
        return True
    if stat.S_ISDIR(mode):
        raise StoreError(say("export.folder", file=path))
    if not stat.S_ISREG(mode):
        return False
    with path.open("rb") as file:
        start = file.read(START)
    if start and not OURS.match(start):
        raise StoreError(say("export.taken", file=path))
    return True
