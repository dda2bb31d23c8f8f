"""The SQLite file: opened, migrated and written here alone; one thread does every write, in the order given.

WAL with `synchronous = FULL`: a commit is on the disk when it returns, so a power cut takes no more than a kill does,
what came since the last commit. That costs one fsync for a batch of writes, in the writer's thread.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tui_chat.domain.failure import StoreError
from tui_chat.domain.words import say
from tui_chat.store.files import FILE_MODE, locked, make_private_folder, reason
from tui_chat.store.migrations import VERSION, TooNew, migrate
from tui_chat.store.salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    Op = Callable[[sqlite3.Connection], Any]
    Collector = Callable[[], Op | None]

GATHER_S = 0.12
"""How long pieces of a stream are gathered before they are written in one transaction."""
RETRY_S = 1.0
"""Between two tries to write while the disk is full or another program holds the file."""
BUSY_MS = 2000
"""How long one try waits for another program's write."""
HEADER_VERSION = 60
"""Where in the file SQLite keeps `user_version`: four bytes, big-endian (sqlite.org/fileformat2.html)."""
DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
PASSING = frozenset(
    {"SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN"}
)
"""Errors after which the same write may succeed later."""

log = logging.getLogger(__name__)


class Newer(StoreError):
    """A newer version of the program has written the file; nothing has been changed."""


class Database:
    """One file; `write` from any thread, `reading` in the calling one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        """What was found wrong on opening, one line each."""
        self.tell: Callable[[str], None] = self.problems.append
        """Hears, in the writer's thread, when writing fails and when it succeeds again."""
        self.opened = False
        self._opening = threading.Lock()
        self._wake = threading.Condition()
        self._ops: deque[tuple[Op, Future[Any]]] = deque()
        self._collectors: dict[Collector, None] = {}
        self._collect_at = 0.0
        self._writer: threading.Thread | None = None
        self._closing = False
        self._failing = False
        self._identity: tuple[int, int] | None = None
        self._readers = threading.local()
        self._all_readers: list[sqlite3.Connection] = []

    def open(self) -> None:
        """Make the file ready: created, migrated, salvaged. Raises StoreError, and nothing has been changed then."""
        with self._opening:
            if self.opened:
                return
            try:
                self._refuse_newer()
                self._prepare()
            except OSError as error:
                raise StoreError(say("store.write", path=self.path, reason=reason(error))) from error
            except TooNew as newer:
                raise Newer(say("store.newer", path=self.path, found=newer.found, known=VERSION)) from newer
            except sqlite3.Error as error:
                raise StoreError(say("store.write", path=self.path, reason=error)) from error
            self.opened = True

    def write(self, op: Op) -> Future[Any]:
        """Have `op` done within a transaction; the future has its result once that is on the disk.

        An op may be done again after a failed commit, so it changes nothing but the database.
        """
        future: Future[Any] = Future()
        with self._wake:
            self._ops.append((op, future))
            self._start()
            self._wake.notify()
        return future

    def write_soon(self, collect: Collector) -> None:
        """Call `collect` in a moment, in the writer's thread, for an op; asking again meanwhile costs nothing."""
        with self._wake:
            if collect in self._collectors:
                return
            if not self._collectors:
                self._collect_at = time.monotonic() + GATHER_S
            self._collectors[collect] = None
            self._start()
            self._wake.notify()

    @property
    def behind(self) -> bool:
        """True while something cannot be written."""
        return self._failing

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection that sees one state of the file throughout. Raises StoreError."""
        self.open()
        try:
            connection = self._reader()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                with suppress(sqlite3.Error):
                    connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(say("store.read", path=self.path, reason=error)) from error

    def flush(self, timeout: float) -> bool:
        """Wait until all that was given is on the disk; False when it is not within `timeout` seconds."""
        if self._writer is None:
            return True
        future = self.write(lambda _: None)
        with self._wake:
            self._collect_at = 0.0
            self._wake.notify()
        try:
            future.result(timeout)
        except TimeoutError:
            return False
        return True

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left and let the file go; False when something could not be written."""
        done = self.flush(timeout)
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._writer is not None:
            self._writer.join(timeout)
        for connection in self._all_readers:
            with suppress(sqlite3.Error):
                connection.close()
        return done

    # the file

    def _refuse_newer(self) -> None:
        try:
            with self.path.open("rb") as file:
                file.seek(HEADER_VERSION)
                found = int.from_bytes(file.read(4), "big")
        except FileNotFoundError:
            return
        if found > VERSION:
            raise Newer(say("store.newer", path=self.path, found=found, known=VERSION))

    def _prepare(self) -> None:
        make_private_folder(self.path.parent)
        self.path.touch(mode=FILE_MODE)
        try:
            with closing(self._connect()) as connection:
                migrate(connection)
        except sqlite3.DatabaseError as error:
            if not _is(error, DAMAGED):
                raise
            self._replace_damaged(str(error))
        self._identity = self._found()

    def _replace_damaged(self, fault: str) -> None:
        """Move a damaged file aside and begin anew with what can be read of it."""
        seen = self._identity
        with locked(self.path):
            self._identity = self._found()
            if seen not in (None, self._identity):
                # Another instance has done it.
                return
            aside, saved = salvage(self.path, self._connect)
            self._identity = self._found()
        self.problems.append(say("store.salvaged", path=self.path, fault=fault, aside=aside, count=saved))

    def _connect(self, path: Path | None = None) -> sqlite3.Connection:
        connection = sqlite3.connect(path or self.path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _found(self) -> tuple[int, int] | None:
        """Which file stands at the path now."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None or getattr(self._readers, "identity", None) != self._identity:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._readers.connection, self._readers.identity = connection, self._identity
            self._all_readers.append(connection)
        return connection

    # the writer

    def _start(self) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._run, name="store", daemon=True)
            self._writer.start()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        batch: list[tuple[Op, Future[Any]]] = []
        while (more := self._next_batch(waiting=not batch)) is not None:
            batch += more
            try:
                self.open()
                if connection is None or self._identity != self._found():
                    connection = self._reopened(connection)
                self._commit(connection, batch)
            except Exception as error:
                connection = self._failed(error, connection, batch)
                continue
            self._succeeded()
            batch = []
        for _, future in batch:
            future.cancel()
        if connection is not None:
            connection.close()

    def _next_batch(self, *, waiting: bool) -> list[tuple[Op, Future[Any]]] | None:
        """What is to be written now; waits for it, or, after a failure, for the time of the next try.

        None: the file is being closed, and all is written or cannot be.
        """
        with self._wake:
            if not waiting:
                self._wake.wait(RETRY_S)
                if self._closing:
                    return None
            while waiting and not self._ops and not self._due():
                if self._closing:
                    return None
                left = self._collect_at - time.monotonic() if self._collectors else None
                self._wake.wait(left)
            collectors = list(self._collectors) if self._due() or self._ops else []
            for collect in collectors:
                del self._collectors[collect]
            ops = list(self._ops)
            self._ops.clear()
        # A piece comes after the op that its run began with.
        return [*ops, *((op, Future[Any]()) for collect in collectors if (op := collect()))]

    def _due(self) -> bool:
        return bool(self._collectors) and (self._closing or time.monotonic() >= self._collect_at)

    def _reopened(self, old: sqlite3.Connection | None) -> sqlite3.Connection:
        """A connection to the file that stands there now: another instance may have moved a damaged one aside."""
        if old is not None:
            old.close()
        if self._identity != self._found():
            self._prepare()
        return self._connect()

    def _commit(self, connection: sqlite3.Connection, batch: list[tuple[Op, Future[Any]]]) -> None:
        """Do the batch in one transaction; where an op is at fault, each in its own."""
        try:
            results = _transaction(connection, [op for op, _ in batch])
        except Exception as error:
            if isinstance(error, sqlite3.Error) and _is(error, PASSING | DAMAGED):
                raise
            self._one_by_one(connection, batch)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

    def _one_by_one(self, connection: sqlite3.Connection, batch: list[tuple[Op, Future[Any]]]) -> None:
        while batch:
            op, future = batch[0]
            try:
                result = _transaction(connection, [op])[0]
            except Exception as error:
                if isinstance(error, sqlite3.Error) and _is(error, PASSING | DAMAGED):
                    raise
                log.exception("a write failed")
                future.set_exception(error)
            else:
                future.set_result(result)
            del batch[0]

    def _failed(
        self, error: Exception, connection: sqlite3.Connection | None, batch: list[tuple[Op, Future[Any]]]
    ) -> sqlite3.Connection | None:
        """Note why nothing can be written; the connection to go on with."""
        if isinstance(error, sqlite3.Error) and _is(error, DAMAGED):
            if connection is not None:
                connection.close()
            try:
                self._replace_damaged(str(error))
                self.tell(say("store.replaced"))
                return None
            except (sqlite3.Error, OSError) as worse:
                error = worse
        if not isinstance(error, (sqlite3.Error, OSError, StoreError)):
            log.error("the store broke", exc_info=error)
            for _, future in batch:
                future.set_exception(error)
            batch.clear()
            return connection
        if not self._failing:
            self._failing = True
            log.warning("writing failed: %s", error)
            self.tell(say("store.behind", path=self.path.parent, reason=error))
        return connection

    def _succeeded(self) -> None:
        if self._failing:
            self._failing = False
            self.tell(say("store.again"))


def _transaction(connection: sqlite3.Connection, ops: list[Op]) -> list[Any]:
    """The results of the ops, once all of them are on the disk."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [op(connection) for op in ops]
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return results


def _is(error: sqlite3.Error, names: frozenset[str]) -> bool:
    """True when SQLite's code is one of these, or an extension of one."""
    name: str = getattr(error, "sqlite_errorname", "") or ""
    return any(name == known or name.startswith(f"{known}_") for known in names)
