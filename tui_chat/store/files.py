"""Files that only their owner may read, written whole or not at all.

StoreError                the file or folder cannot be read or written
└── Damaged               it was read, and what it holds is no TOML
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
import time
import tomllib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tui_chat.domain.failure import StoreError
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

FILE_MODE = 0o600
FOLDER_MODE = 0o700
OTHERS = 0o077
LOCK_SECONDS = 0.5
LOCK_STEP = 0.01

_POSITION = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


class Damaged(StoreError):
    """The content of a file is no TOML; the message names file and line."""


def open_to_others(path: Path) -> bool:
    """True when group or others have any right on the file, or when that cannot be told."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & OTHERS)
    except OSError:
        return True


def make_private_folder(folder: Path) -> None:
    """Create `folder` and its missing parents, each 0700; folders that exist are left as they are."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir(mode=FOLDER_MODE)


def write_private(path: Path, data: bytes | str) -> None:
    """Replace `path` by `data` in one step, 0600; a link is followed.

    Text is written as UTF-8, with a question mark for what UTF-8 cannot express.
    Raises StoreError, and the old content stays as it was.
    """
    content = data.encode("utf-8", "replace") if isinstance(data, str) else data
    with replacing(path) as file:
        file.write(content)


def write_new(path: Path, data: bytes | str) -> None:
    """Like `write_private`, for a file that is not there yet, in a folder that is. Raises StoreError."""
    if path.exists() or path.is_symlink():
        raise StoreError(say("status.save_exists", file=path))
    check_folder(path)
    write_private(path, data)


def check_folder(path: Path) -> None:
    """Raise StoreError where there is no folder for a file that the user has named: it is made for nobody unasked."""
    if not path.parent.is_dir():
        raise StoreError(say("recording.no_folder", file=path, folder=path.parent))


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """A file that takes the place of `path` in one step once all is written to it, 0600; a link is followed.

    Raises StoreError, and the old content stays as it was.
    """
    try:
        target = Path(os.path.realpath(path))
        make_private_folder(target.parent)
        with _replaced(target) as file:
            yield file
    except OSError as error:
        raise StoreError(say("store.write", path=path, reason=reason(error))) from error


@contextmanager
def _replaced(target: Path) -> Generator[BinaryIO]:
    # mkstemp creates with 0600, so the content is private from its first byte.
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    # Some file systems cannot sync a folder; the rename has happened all the same.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_toml(path: Path, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The content of a TOML file, {} where there is none. Raises StoreError, or Damaged for its content."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(say("store.read", path=path, reason=reason(error))) from error
    return _parse(path, data, parse_float)


def _parse(path: Path, data: bytes, parse_float: Callable[[str], Any]) -> dict[str, Any]:
    # `from None` throughout: these exceptions hold the text of the file, and with it perhaps a key.
    try:
        return tomllib.loads(data.decode("utf-8-sig"), parse_float=parse_float)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Damaged(say("store.not_utf8", path=path, line=line)) from None
    except tomllib.TOMLDecodeError as error:
        raise Damaged(_syntax(path, str(error))) from None
    except (ValueError, ArithmeticError, RecursionError):
        raise Damaged(say("store.not_toml", path=path)) from None


def _syntax(path: Path, message: str) -> str:
    position = _POSITION.search(message)
    fault = message[: position.start()] if position else message
    if position and position[1]:
        return say("store.syntax", path=path, line=position[1], fault=fault)
    return say("store.syntax_end", path=path, fault=fault)


def reason(error: OSError) -> str:
    """What the system says, without number and path."""
    return error.strerror or type(error).__name__


@contextmanager
def locked(path: Path, patience: float = LOCK_SECONDS) -> Generator[bool]:
    """Hold `path`'s lock file against other instances.

    Whoever cannot have it within `patience` seconds goes on without, and is given False: a frozen process must not
    freeze this one.
    """
    try:
        make_private_folder(path.parent)
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError:
        yield False
        return
    try:
        yield _wait_for_lock(descriptor, patience)
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_STEP)
        except OSError:
            return False
        else:
            return True
    return False
