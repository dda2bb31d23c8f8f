"""The output of a batch: a line an item, written as it ends, and what the lines of earlier runs say.

Whatever ends the program, the file is a list of whole lines but for a torn last one, which the next run mends.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import suppress
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.words import say
from tui_chat.store.batch_index import Index
from tui_chat.store.files import LOCK_SECONDS, LOCK_STEP, reason, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SEEN, DONE, FAILED = 1, 2, 4
CONTENT_BITS = 29
"""Of an item's hash, beside the three flags of its mark."""
_json = msgspec.json.Encoder(decimal_format="number")


class Standing(Enum):
    """How an item of the input stands to the output."""

    NEW = auto()
    DONE = auto()
    FAILED = auto()
    CHANGED = auto()
    """There is a line, of another content under the same id."""


class LineCost(msgspec.Struct, frozen=True):
    usd: Decimal | None = None


class OutputLine(msgspec.Struct, frozen=True):
    """What is read of a line of output."""

    id: str | int
    state: str
    hash: str | None = None
    cost: LineCost = LineCost()


_line = msgspec.json.Decoder(OutputLine)


class Standings:
    """The items that have a line, and those that this run has seen in its input."""

    def __init__(self) -> None:
        self.replaced = 0
        """Lines that a later one for the same id replaces."""
        self._index = Index()

    def __len__(self) -> int:
        """How many items have a line or have been seen."""
        return len(self._index)

    def enter(self, id: str, hash: str | None, state: str) -> None:
        """A line of output says how an item ended."""
        mark = self._index.get(id)
        self.replaced += bool(mark & (DONE | FAILED))
        flag = DONE if state == Phase.COMPLETED else FAILED
        self._index.put(id, mark & SEEN | flag | _content(hash) << 3)

    def seen(self, id: str) -> bool:
        return bool(self._index.get(id) & SEEN)

    def see(self, id: str) -> None:
        """The item stands in the input."""
        self._index.put(id, self._index.get(id) | SEEN)

    def standing(self, id: str, hash: str) -> Standing:
        mark = self._index.get(id)
        if not mark & (DONE | FAILED):
            return Standing.NEW
        if mark >> 3 != _content(hash):
            return Standing.CHANGED
        return Standing.DONE if mark & DONE else Standing.FAILED


class BatchOutput:
    """An output file of one's own until it is closed."""

    def __init__(self, path: Path) -> None:
        """Open, lock, mend and read it. Raises UsageError where another run has it, or it is no output of a batch."""
        self.path = path
        self.standings = Standings()
        self.spent = Decimal(0)
        """USD, by the lines that were there."""
        self.before = 0
        """Items that had a line."""
        self.mended = False
        """The last line was torn."""
        self._fd = _own(path)
        try:
            self._size = self._read()
        except BaseException:
            os.close(self._fd)
            raise
        self.before = len(self.standings)

    def append(self, id: str, hash: str, state: str, value: dict[str, Any]) -> None:
        """Write the line of an item. Raises StoreError, and the file is as it was before."""
        line = _json.encode(value) + b"\n"
        try:
            _write(self._fd, line)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise StoreError(say("batch.unwritten", path=self.path, reason=reason(error))) from error
        self._size += len(line)
        self.standings.enter(id, hash, state)

    def compact(self) -> int:
        """Leave the newest line of each item, in one step; how many went. Raises StoreError, and all stay."""
        if not self.standings.replaced:
            return 0
        newest = Index()
        for number, line in enumerate(self._lines(), 1):
            newest.put(str(_line.decode(line).id), number)
        gone = 0
        with replacing(self.path) as file:
            os.fchmod(file.fileno(), stat.S_IMODE(os.fstat(self._fd).st_mode))
            for number, line in enumerate(self._lines(), 1):
                if newest.get(str(_line.decode(line).id)) == number:
                    file.write(line)
                else:
                    gone += 1
            # The lock goes over to the new file before anybody can see it.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = os.dup(file.fileno())
        os.close(self._fd)
        fcntl.fcntl(taken, fcntl.F_SETFL, os.O_APPEND)
        self._fd, self._size = taken, os.fstat(taken).st_size
        self.standings.replaced = 0
        return gone

    def close(self) -> None:
        """Have it on the disk and let it go."""
        with suppress(OSError):
            os.fsync(self._fd)
        os.close(self._fd)

    def _lines(self) -> Iterator[bytes]:
        with open(os.dup(self._fd), "rb") as file:
            file.seek(0)
            yield from file

    def _read(self) -> int:
        """Enter the lines that are there, mending a torn last one; the size in bytes."""
        found = _enter(self._lines(), self.path, self.standings)
        self.spent = found.spent
        if found.torn:
            self._mend(lambda: os.ftruncate(self._fd, found.size))
        elif found.unended:
            self._mend(lambda: _write(self._fd, b"\n"))
        return found.size + found.unended

    def _mend(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            raise StoreError(say("batch.unwritten", path=self.path, reason=reason(error))) from error
        self.mended = True


class _Found(NamedTuple):
    size: int
    """Bytes of whole lines."""
    spent: Decimal
    torn: bool = False
    """A piece of a line follows."""
    unended: bool = False
    """The last line is whole but for its end."""


def _enter(lines: Iterable[bytes], path: Path, standings: Standings) -> _Found:
    """Enter the lines of a file. Raises UsageError where one but the last is none of a batch."""
    size, spent = 0, Decimal(0)
    for number, line in enumerate(lines, 1):
        try:
            known = _line.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            if line.endswith(b"\n"):
                raise UsageError(say("batch.foreign", path=path, line=number)) from None
            return _Found(size, spent, torn=True)
        standings.enter(str(known.id), known.hash, known.state)
        spent += known.cost.usd or 0
        size += len(line)
        if not line.endswith(b"\n"):
            return _Found(size, spent, unended=True)
    return _Found(size, spent)


def peek(path: Path) -> Standings:
    """What an output says, without taking it. Raises FileNotFoundError, StoreError, UsageError."""
    standings = Standings()
    try:
        # Before it is opened: a pipe would wait for its writer, and a device may have no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(say("batch.no_file", path=path))
        with path.open("rb") as file:
            _enter(file, path, standings)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(say("store.read", path=path, reason=reason(error))) from error
    return standings


def line_of(path: Path, id: str) -> dict[str, Any] | None:
    """The newest line of an item; None where there is none. Raises StoreError."""
    newest = b""
    # An id may have been given as a number; who edited the file may have put it elsewhere in its line.
    heads = tuple(b'{"id":' + given + b"," for given in (_json.encode(id), id.encode()))
    try:
        with path.open("rb") as file:
            for line in file:
                if line.startswith(heads) or (not line.startswith(b'{"id":') and _holds(line, id)):
                    newest = line
    except OSError as error:
        raise StoreError(say("store.read", path=path, reason=reason(error))) from error
    try:
        return msgspec.json.decode(newest, type=dict[str, Any]) if newest else None
    except msgspec.MsgspecError:
        raise StoreError(say("batch.not_output", path=path)) from None


def _holds(line: bytes, id: str) -> bool:
    try:
        return str(_line.decode(line).id) == id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def is_output(path: Path) -> bool:
    """A regular file whose first line is one of a batch's output."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return _line.decode(file.readline()).hash is not None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _own(path: Path) -> int:
    """The open file, locked. Raises UsageError."""
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        except FileNotFoundError as error:
            raise UsageError(say("recording.no_folder", file=path, folder=path.parent)) from error
        except OSError as error:
            raise UsageError(say("batch.unwritable", path=path, reason=reason(error))) from error
        try:
            _lock(fd, path)
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        # It was compacted or removed in between: what is locked is no longer the file of that name.
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise UsageError(say("batch.no_file", path=path))
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Whoever watches the file holds it for an instant.
            if time.monotonic() > deadline:
                raise UsageError(say("batch.busy", path=path)) from None
            time.sleep(LOCK_STEP)
        except OSError as error:
            raise UsageError(say("batch.unwritable", path=path, reason=reason(error))) from error
        else:
            return


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _content(hash: str | None) -> int:
    try:
        return int(hash or "", 16) % (1 << CONTENT_BITS)
    except ValueError:
        return 0


class Watch:
    """Follows the output of a batch that another program runs: the lines that came since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    @property
    def running(self) -> bool:
        """True while a program has the file."""
        try:
            if not stat.S_ISREG(self._path.stat().st_mode):
                return False
            with self._path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def poll(self, most: int | None = None) -> list[dict[str, Any]]:
        """New whole lines as objects, at most so many; after a compaction, all once more. Raises StoreError."""
        try:
            if self._file is None or not self._same():
                self.close()
                self._file = self._path.open("rb")
            found: list[dict[str, Any]] = []
            at = self._file.tell()
            for line in self._file:
                if not line.endswith(b"\n"):
                    self._file.seek(at)
                    break
                at += len(line)
                found.append(msgspec.json.decode(line, type=dict[str, Any]))
                if len(found) == most:
                    break
        except OSError as error:
            raise StoreError(say("store.read", path=self._path, reason=reason(error))) from error
        except msgspec.MsgspecError:
            raise StoreError(say("batch.not_output", path=self._path)) from None
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _same(self) -> bool:
        """The open file is still the one of that name, and has not been cut."""
        assert self._file is not None
        here, there = os.fstat(self._file.fileno()), os.stat(self._path)
        return os.path.samestat(here, there) and there.st_size >= self._file.tell()
