"""Which programs are at work on the data folder: each holds a lock, which the system lets go however it ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tui_chat.store.files import FILE_MODE, make_private_folder
from tui_chat.store.ids import new_id

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".lock"


class Instance:
    """This program, as others see it; the lock is taken when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.uid = new_id()
        self._folder = folder
        self._descriptor: int | None = None

    def register(self) -> str:
        """This program's name, under which it can be seen to live from now on. Raises OSError."""
        while self._descriptor is None:
            make_private_folder(self._folder)
            descriptor = os.open(self._file(self.uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self._is_there(descriptor):
                self._descriptor = descriptor
            else:
                # Another program swept it away before it was locked.
                os.close(descriptor)
        return self.uid

    def alive(self, uid: str) -> bool:
        """True while the program of that name is at work; what it left behind is removed when it is not."""
        if uid == self.uid:
            return self._descriptor is not None
        try:
            descriptor = os.open(self._file(uid), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            # What cannot be looked at is not known to be gone.
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        else:
            with suppress(OSError):
                os.unlink(self._file(uid))
            return False
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """Remove what programs that are gone have left behind."""
        for file in self._folder.glob(f"*{SUFFIX}"):
            self.alive(file.name.removesuffix(SUFFIX))

    def close(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.unlink(self._file(self.uid))
            os.close(self._descriptor)
            self._descriptor = None

    def _is_there(self, descriptor: int) -> bool:
        """True when the file of this name is the one that was opened."""
        try:
            there = os.stat(self._file(self.uid))
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def _file(self, uid: str) -> Path:
        return self._folder / f"{uid}{SUFFIX}"
