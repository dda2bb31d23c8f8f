"""The SQLite file: opened, migrated, mended and read; `writer` does the writing.

WAL with `synchronous = FULL`: a commit is on the disk when it returns, so a power cut takes no more than a kill does,
what came since the last commit. That costs one fsync for a batch of writes, in the writer's thread.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tui_chat.domain.failure import StoreError
from tui_chat.domain.words import say
from tui_chat.store.files import FILE_MODE, locked, make_private_folder, open_to_others, reason
from tui_chat.store.migrations import VERSION, TooNew, migrate, version
from tui_chat.store.writer import DAMAGED, Writer, is_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future
    from pathlib import Path

    from tui_chat.store.writer import Collector, Op

READING_S = 0.5
"""How long the end waits for a thread that reads."""
BUSY_S = 2.0
"""How long one try to write waits for another program's write."""
OPENING_S = 20.0
"""How long one program waits for another that is making or mending the file."""
MENDED_AGAIN_S = 60.0
"""A file that is damaged again so soon is on a broken disk: it is not replaced a second time."""
LARGEST_WAL = 8 * 2**20
"""Bytes to which the log of writes is cut after one that was larger."""
INDEX_DAMAGED = "SQLITE_CORRUPT_VTAB"
MAGIC = b"SQLite format 3\0"
HEADER_VERSION = slice(60, 64)
"""Where SQLite keeps `user_version`, big-endian (sqlite.org/fileformat2.html)."""


class Newer(StoreError):
    """A newer version of the program has written the file; nothing has been changed."""


class _Reader:
    """The connection of one thread, and whether that is using it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.used = threading.Lock()


class Database:
    """One file; `write` from any thread, `reading` in the calling one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        """What was found wrong on opening, one line each."""
        self.tell: Callable[[str], None] = self.problems.append
        """Hears, in the writer's thread, when writing fails and when it succeeds again."""
        self.index_emptied: Callable[[], object] = lambda: None
        """Called, in the writer's thread, when every turn is to be put into the index of the search again."""
        self.opened = False
        self._writer = Writer(self, path.parent, lambda text: self.tell(text))
        self._write_connection: sqlite3.Connection | None = None
        self._opening = threading.RLock()
        self._identity: tuple[int, int] | None = None
        self._mended: dict[str, float] = {}
        self._readers = threading.local()
        self._all_readers: list[_Reader] = []

    def open(self) -> None:
        """Make the file ready: created, migrated, mended. Raises StoreError, and nothing has been changed then."""
        if self.opened:
            return
        with self._opening:
            if not self.opened:
                self._prepare()
                self.opened = True

    def write(self, op: Op) -> Future[Any]:
        """Have `op` done within a transaction; the future has its result once that is on the disk.

        An op may be done again after a failed commit, so it changes nothing but the database. The future is
        cancelled when the database closes before it could be done.
        """
        return self._writer.write(op)

    def write_soon(self, collect: Collector) -> None:
        """Call `collect` in a moment, in the writer's thread, for an op; asking again meanwhile costs nothing."""
        self._writer.write_soon(collect)

    @property
    def behind(self) -> bool:
        """True while something cannot be written."""
        return self._writer.behind

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection that sees one state of the file throughout; within another, the same. Raises StoreError."""
        self.open()
        try:
            reader = self._reader()
            connection = reader.connection
            if connection.in_transaction:
                yield connection
                return
            with reader.used:
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    with suppress(sqlite3.Error):
                        connection.execute("COMMIT")
        except sqlite3.Error as error:
            if is_error(error, DAMAGED):
                # Met by the writer too, the damage is mended.
                self.write_soon(_index_suspected if _name(error) == INDEX_DAMAGED else _suspected)
            raise StoreError(say("store.read", path=self.path, reason=error)) from error

    def flush(self, timeout: float) -> bool:
        """Wait until all that was given is on the disk; False when it is not within `timeout` seconds."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left and let the file go; False when something could not be written."""
        done = self._writer.close(timeout)
        for reader in self._all_readers:
            # Closed under a thread that uses it, the whole program dies; what is still read goes with the program.
            if reader.used.acquire(timeout=READING_S):
                with suppress(sqlite3.Error):
                    reader.connection.close()
                reader.used.release()
        return done

    # for the writer

    def writing(self) -> sqlite3.Connection:
        """The writer's connection to the file that stands there now. Raises StoreError, sqlite3.Error."""
        self.open()
        if self._write_connection is None or self._identity != self._found():
            self.release()
            with self._opening:
                if self._identity != self._found():
                    # Another program has put a mended file in its place, or somebody has removed it.
                    self._prepare()
            self._write_connection = self._connect()
        if (found := version(self._write_connection)) > VERSION:
            raise self._newer(found)
        return self._write_connection

    def mend(self, error: sqlite3.Error) -> str | None:
        """Put what can be read of a damaged file into a new one; what to tell, None when that cannot be done."""
        told = ""
        if _name(error) == INDEX_DAMAGED and self._index_renewed():
            self.index_emptied()
            return told
        self.release()
        if self._lately("file"):
            return None
        try:
            with self._opening, locked(self.path, OPENING_S) as alone:
                if not alone:
                    return None
                # Another program may have been faster.
                if self._identity == self._found():
                    told = self._replaced(error)
                self._identity = self._found()
        except (sqlite3.Error, OSError):
            return None
        self._mended["file"] = time.monotonic()
        self.index_emptied()
        return told

    def release(self) -> None:
        """Close the writer's connection."""
        if self._write_connection is not None:
            with suppress(sqlite3.Error):
                self._write_connection.close()
            self._write_connection = None

    def _index_renewed(self) -> bool:
        """Empty a damaged search index, for which no turn has to be moved; True when that was done."""
        if self._lately("index"):
            return False
        try:
            with closing(self._connect()) as connection:
                from tui_chat.store.salvage import renew_index

                renew_index(connection)
        except sqlite3.Error:
            return False
        self._mended["index"] = time.monotonic()
        return True

    def _lately(self, what: str) -> bool:
        """True when the same was mended a moment ago: that is no way to go on."""
        return time.monotonic() - self._mended.get(what, float("-inf")) < MENDED_AGAIN_S

    # the file

    def _prepare(self) -> None:
        """Make the file at the path usable, and note which one it is. Raises StoreError."""
        try:
            self._refuse_newer()
            make_private_folder(self.path.parent)
            with locked(self.path, OPENING_S) as alone:
                try:
                    self._make()
                except sqlite3.DatabaseError as error:
                    if not (alone and is_error(error, DAMAGED)):
                        raise
                    self.problems.append(self._replaced(error))
                self._identity = self._found()
        except OSError as error:
            raise StoreError(say("store.write", path=self.path, reason=reason(error))) from error
        except TooNew as newer:
            raise self._newer(newer.found) from newer
        except sqlite3.Error as error:
            raise StoreError(say("store.write", path=self.path, reason=error)) from error

    def _make(self) -> None:
        self.path.touch(mode=FILE_MODE)
        if open_to_others(self.path):
            self.path.chmod(FILE_MODE)
        with closing(self._connect()) as connection:
            migrate(connection)

    def _replaced(self, fault: sqlite3.Error) -> str:
        """Put a mended file in the place of a damaged one; what to tell about it."""
        from tui_chat.store.salvage import salvage

        aside, saved = salvage(self.path, self._connect)
        return say("store.salvaged", path=self.path, fault=fault, aside=aside, count=saved)

    def _refuse_newer(self) -> None:
        """Raise Newer without writing a byte: what SQLite does on opening would leave traces."""
        try:
            with self.path.open("rb") as file:
                header = file.read(HEADER_VERSION.stop)
        except FileNotFoundError:
            return
        found = int.from_bytes(header[HEADER_VERSION], "big") if header.startswith(MAGIC) else 0
        log = self.path.with_name(f"{self.path.name}-wal")
        if found <= VERSION and log.exists() and log.stat().st_size:
            # The newest version may stand in the log alone. A reader leaves both files as they are.
            place = f"{self.path.absolute().as_uri()}?mode=ro"
            with suppress(sqlite3.Error), closing(sqlite3.connect(place, uri=True)) as peek:
                found = version(peek)
        if found > VERSION:
            raise self._newer(found)

    def _newer(self, found: int) -> Newer:
        return Newer(say("store.newer", path=self.path, found=found, known=VERSION))

    def _connect(self, path: Path | None = None) -> sqlite3.Connection:
        connection = sqlite3.connect(path or self.path, BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA journal_size_limit = {LARGEST_WAL}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _found(self) -> tuple[int, int] | None:
        """Which file stands at the path now."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _reader(self) -> _Reader:
        reader: _Reader | None = getattr(self._readers, "reader", None)
        if reader is not None and self._readers.identity == self._identity:
            return reader
        if reader is not None:
            self._all_readers.remove(reader)
            reader.connection.close()
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        self._readers.reader, self._readers.identity = _Reader(connection), self._identity
        self._all_readers.append(self._readers.reader)
        return self._readers.reader


def _suspected() -> Op:
    return _look_through


def _index_suspected() -> Op:
    return _look_through_index


def _look_through_index(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")


def _look_through(connection: sqlite3.Connection) -> None:
    """Raise what is wrong with the file, as SQLite says it while reading."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise Damage(found)


class Damage(sqlite3.DatabaseError):
    """What a look through the whole file has found."""

    sqlite_errorname = "SQLITE_CORRUPT"


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "")
