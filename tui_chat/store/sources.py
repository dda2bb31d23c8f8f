"""Files to import from, read from their beginning as often as needed: a file, or conversations.json in a zip."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.words import say
from tui_chat.store.files import reason

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

_ZIP = b"PK\x03\x04"
_MEMBER = re.compile(r"(?:.*/)?conversations(?:-\d+)?\.json")
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError)
"""What reading a damaged, an encrypted or an unusual zip raises."""


class Source:
    """An open file; `parts` opens what is in it, again from the beginning each time."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._seen = self._state()

    @property
    def changed(self) -> bool:
        """True when something has been written to the file since it was opened."""
        return self._state() != self._seen

    def parts(self) -> Iterator[tuple[str, BinaryIO]]:
        """(name, content) of every file in it that may hold conversations. Raises UsageError."""
        self._file.seek(0)
        if self._file.read(len(_ZIP)) == _ZIP:
            yield from self._members()
            return
        self._file.seek(0)
        yield str(self._path), self._file

    def _members(self) -> Iterator[tuple[str, BinaryIO]]:
        with zipfile.ZipFile(self._file) as archive:
            names = sorted(name for name in archive.namelist() if _MEMBER.fullmatch(name))
            if not names:
                raise UsageError(say("import.no_member", file=self._path))
            for name in names:
                with archive.open(name) as member:
                    yield f"{self._path}, {name}", cast("BinaryIO", member)

    def _state(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


@contextmanager
def opened(path: Path) -> Generator[Source]:
    """The file at `path`. Raises StoreError when it cannot be read, UsageError for what is no file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(say("import.no_file", file=path))
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    with file:
        yield Source(path, file)


@contextmanager
def reading(path: Path) -> Generator[None]:
    """Raises StoreError when reading the file fails within, UsageError when it is a damaged zip."""
    try:
        yield
    except OSError as error:
        raise _unreadable(path, error) from error
    except _BAD_ZIP as error:
        raise UsageError(say("import.bad_zip", file=path, fault=error)) from error


def _unreadable(path: Path, error: OSError | ValueError) -> StoreError:
    return StoreError(say("store.read", path=path, reason=reason(error) if isinstance(error, OSError) else error))
