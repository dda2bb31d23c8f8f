"""Recordings as files: written line by line as things happen, or at once, and read whole; private like every other."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.words import say
from tui_chat.store.files import FILE_MODE, check_folder, reason, write_private
from tui_chat.wire.recording import FORMAT, encode, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui_chat.wire.recording import Header, Line, Recording

MARK = 4096
"""Bytes at the beginning of a file in which the name of the format is looked for."""


class RecordingFile:
    """A sink that appends each line to a file as it comes.

    A file that can be written no more is told once through `tell`; nothing more is written then.
    """

    def __init__(self, path: Path, header: Header, tell: Callable[[str], None]) -> None:
        """Begin the file, in the place of an older recording.

        Raises UsageError when it is a file of another kind, or cannot be opened.
        """
        self._path = path
        self._tell = tell
        self._descriptor: int | None = _opened(path)
        self._append(encode(header))

    def __call__(self, line: Line) -> None:
        self._append(encode(line))

    def close(self) -> None:
        """Write no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, data: bytes) -> None:
        try:
            while data and self._descriptor is not None:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            self.close()
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self._tell(say("recording.lost", file=self._path, reason=reason(error)))


def save(path: Path, header: Header, lines: Iterable[Line]) -> None:
    """Write a recording at once. Raises StoreError, also when there is such a file already."""
    try:
        if path.exists():
            raise StoreError(say("recording.taken", file=path))
        check_folder(path)
        write_private(path, b"".join(map(encode, (header, *lines))))
    except ValueError as error:
        # A name that no file can have.
        raise StoreError(say("store.write", path=path, reason=error)) from error


def load(path: Path) -> Recording:
    """The recording in a file. Raises StoreError when it cannot be read, RecordingError when it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(say("store.read", path=path, reason=reason(error))) from error
    return read(data, str(path))


def _opened(path: Path) -> int:
    """A descriptor to append to; an older recording is emptied, any other file left alone. Raises UsageError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    except FileNotFoundError as error:
        raise UsageError(say("recording.no_folder", file=path, folder=path.parent)) from error
    except OSError as error:
        raise UsageError(say("store.write", path=path, reason=reason(error))) from error
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            found = os.pread(descriptor, MARK, 0)
            if found and FORMAT.encode() not in found.partition(b"\n")[0]:
                raise UsageError(say("recording.exists", file=path))
            os.fchmod(descriptor, FILE_MODE)
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
