"""A thread that writes to the terminal, so that a terminal which takes nothing holds up nobody."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from contextlib import suppress
from threading import Condition, Thread
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PIECE = 1024
"""Bytes in one call of write: what a terminal that is stuck can hold up."""


class Job(Struct, frozen=True):
    """Something to write. A frame may be dropped between two of its parts, anything else is written whole."""

    parts: Sequence[bytes]
    frame: bool = False


class Writer(Thread):
    """Writes jobs in their order. `taken(bytes, seconds)` is called in this thread after each frame, `gone` once."""

    def __init__(self, fd: int, taken: Callable[[int, float], None], gone: Callable[[], None]) -> None:
        super().__init__(name="terminal-output", daemon=True)
        self._fd = fd
        self._taken = taken
        self._gone = gone
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._working = False
        self._dropping = False
        self._ending = False

    @property
    def busy(self) -> bool:
        """Something is not written yet."""
        return self._working or bool(self._jobs)

    def put(self, job: Job) -> None:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def drop_frames(self) -> None:
        """Leave out what is not written of frames, from now on."""
        self._dropping = True

    def stop(self, seconds: float) -> None:
        """Write what is left and end; go on without it after so many seconds."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self.join(seconds)

    def run(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._write_job(job)
        except OSError:
            self._jobs.clear()
            self._gone()

    def _next(self) -> Job | None:
        with self._changed:
            self._working = False
            while not self._jobs:
                if self._ending:
                    return None
                self._changed.wait()
            self._working = True
            return self._jobs.popleft()

    def _write_job(self, job: Job) -> None:
        start, size = time.monotonic(), 0
        for piece in _pieces(job.parts):
            if not self._ready(job):
                break
            self._write(piece)
            size += len(piece)
        if job.frame:
            self._working = False
            self._taken(size, time.monotonic() - start)

    def _ready(self, job: Job) -> bool:
        """Wait until the terminal takes something; False when the job is not wanted any more."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while not (self._dropping and job.frame):
            if poll.poll(50):
                return True
        return False

    def _write(self, data: bytes) -> None:
        while data:
            with suppress(BlockingIOError):
                data = data[os.write(self._fd, data) :]


def _pieces(parts: Sequence[bytes]) -> Iterator[bytes]:
    """The parts, short ones joined."""
    held = b""
    for part in parts:
        if held and len(held) + len(part) > PIECE:
            yield held
            held = b""
        held += part
    if held:
        yield held
