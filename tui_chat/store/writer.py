"""One thread that does every write, in the order given, as many in one transaction as are waiting.

While the disk is full or another program holds the file, what is to be written waits here and is tried again; nobody
else waits for it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from tui_chat.domain.failure import StoreError
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Op = Callable[[sqlite3.Connection], Any]
    Collector = Callable[[], Op | None]
    Job = tuple[Op, Future[Any]]

GATHER_S = 0.12
"""How long pieces of a stream are gathered before they are written in one transaction."""
RETRY_S = 1.0
"""Between two tries to write while the disk is full or another program holds the file."""
DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
PASSING = frozenset(
    f"SQLITE_{name}"
    for name in ("FULL", "BUSY", "LOCKED", "IOERR", "READONLY", "CANTOPEN", "PROTOCOL", "PERM", "NOMEM", "INTERRUPT")
)
"""Errors after which the same write may succeed later."""

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where the writer gets its connection; every method is called in its thread alone."""

    def writing(self) -> sqlite3.Connection:
        """A connection to the file that stands there now. Raises StoreError, OSError, sqlite3.Error."""
        ...

    def mend(self, error: sqlite3.Error) -> str | None:
        """Put right what a write has found damaged; what to tell about it, None when nothing could be done."""
        ...

    def release(self) -> None:
        """Let the connection go."""
        ...


class Writer:
    """Takes ops from any thread; the thread begins with the first."""

    def __init__(self, source: Source, place: Path, tell: Callable[[str], None]) -> None:
        """`tell` hears, in the writer's thread, when writing in the folder `place` fails and succeeds again."""
        self.behind = False
        """True while something cannot be written."""
        self._place = place
        self._source = source
        self._tell = tell
        self._wake = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._collectors: dict[Collector, None] = {}
        self._collect_at = 0.0
        self._thread: threading.Thread | None = None
        self._hurry = self._closing = False

    def write(self, op: Op) -> Future[Any]:
        """Have `op` done within a transaction; the future has its result once that is on the disk.

        An op may be done again after a failed commit, so it changes nothing but the database. The future is
        cancelled when the writer closes before it could be done.
        """
        future: Future[Any] = Future()
        with self._wake:
            if self._closing:
                future.cancel()
                return future
            self._jobs.append((op, future))
            self._start()
            self._wake.notify()
        return future

    def write_soon(self, collect: Collector) -> None:
        """Call `collect` in a moment, in the writer's thread, for an op; asking again meanwhile costs nothing."""
        if collect in self._collectors:
            # It is taken out before it is called, so whatever is there by now will be collected.
            return
        with self._wake:
            if not self._collectors:
                self._collect_at = time.monotonic() + GATHER_S
            self._collectors[collect] = None
            self._start()
            self._wake.notify()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was given is on the disk; False when it is not within `timeout` seconds."""
        if self._thread is None:
            return True
        future = self.write(lambda _: None)
        with self._wake:
            self._hurry = True
            self._wake.notify()
        try:
            future.result(timeout)
        except (TimeoutError, CancelledError):
            return False
        return True

    def close(self, timeout: float) -> bool:
        """Write what is left; False when something could not be written within `timeout` seconds."""
        done = self._closing or self.flush(timeout)
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)
        return done

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store", daemon=True)
            self._thread.start()

    # in the thread

    def _run(self) -> None:
        batch: list[Job] = []
        while (more := self._next(batch)) is not None:
            batch += more
            try:
                self._commit(self._source.writing(), batch)
            except Exception as error:
                self._failed(error, batch)
            else:
                batch.clear()
        for _, future in (*batch, *self._jobs):
            future.cancel()
        self._source.release()

    def _next(self, left: list[Job]) -> list[Job] | None:
        """What is to be written now; where something is left of a failed try, waits for the time of the next.

        None: the writer is being closed, and all is written or cannot be.
        """
        with self._wake:
            if left:
                self._wake.wait_for(lambda: self._hurry or self._closing, RETRY_S)
            while not left and not self._jobs and not self._due() and not self._closing:
                self._wake.wait(self._collect_at - time.monotonic() if self._collectors else None)
            self._hurry = False
            if self._closing and (left or not (self._jobs or self._collectors)):
                return None
            # Collected while the lock is held: a piece that is here by now has come after the op that its run began
            # with, so that op is among these jobs or was before them.
            jobs = [*self._jobs, *self._collected()]
            self._jobs.clear()
            return jobs

    def _due(self) -> bool:
        return bool(self._collectors) and time.monotonic() >= self._collect_at

    def _collected(self) -> list[Job]:
        found: list[Job] = []
        while self._collectors:
            collect = next(iter(self._collectors))
            del self._collectors[collect]
            try:
                op = collect()
            except Exception:
                log.exception("a collector broke")
                continue
            found += [(op, Future())] if op is not None else []
        return found

    def _commit(self, connection: sqlite3.Connection, batch: list[Job]) -> None:
        """Do the batch in one transaction; where an op is at fault, each in its own."""
        try:
            results = _transaction(connection, [op for op, _ in batch])
        except Exception as error:
            if is_error(error, PASSING | DAMAGED):
                raise
            self._one_by_one(connection, batch)
            return
        self._succeeded()
        for (_, future), result in zip(batch, results, strict=True):
            _answer(future, result)

    def _one_by_one(self, connection: sqlite3.Connection, batch: list[Job]) -> None:
        while batch:
            op, future = batch[0]
            try:
                result = _transaction(connection, [op])[0]
            except Exception as error:
                if is_error(error, PASSING | DAMAGED):
                    raise
                log.exception("a write failed")
                self._succeeded()
                _refuse(future, error)
            else:
                self._succeeded()
                _answer(future, result)
            del batch[0]

    def _failed(self, error: Exception, batch: list[Job]) -> None:
        """Mend what can be mended, and note why nothing can be written."""
        if isinstance(error, sqlite3.Error) and is_error(error, DAMAGED):
            told = self._source.mend(error)
            if told is not None:
                self._hurry = True
                self._say(told)
                return
        if not isinstance(error, (sqlite3.Error, OSError, StoreError)):
            log.error("the store broke", exc_info=error)
            for _, future in batch:
                _refuse(future, error)
            batch.clear()
            return
        if not self.behind:
            self.behind = True
            log.warning("writing failed: %s", error)
            self._say(say("store.behind", path=self._place, reason=error))

    def _succeeded(self) -> None:
        """To be called before a future is answered: whoever waits for it finds nothing behind."""
        if self.behind:
            self.behind = False
            self._say(say("store.again"))

    def _say(self, text: str) -> None:
        """Nobody who listens can end the thread."""
        try:
            if text:
                self._tell(text)
        except Exception:
            log.exception("what the store said was not heard: %s", text)


def is_error(error: Exception, names: frozenset[str]) -> bool:
    """True when SQLite's code is one of these, or an extension of one."""
    name: str = getattr(error, "sqlite_errorname", "") or ""
    return any(name == known or name.startswith(f"{known}_") for known in names)


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


def _answer(future: Future[Any], result: object) -> None:
    """Give a future its result, unless whoever waited has gone."""
    if future.set_running_or_notify_cancel():
        future.set_result(result)


def _refuse(future: Future[Any], error: Exception) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
