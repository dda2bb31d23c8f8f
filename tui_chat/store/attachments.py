"""Files that are attached to a message: found as their paths are typed, and read."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from pygments.lexers import find_lexer_class_for_filename

from tui_chat.domain.attachments import MOST_BYTES, Attachment, file_size
from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.images import MOST_BYTES as MOST_IMAGE_BYTES
from tui_chat.domain.images import Image, image_of, measured
from tui_chat.domain.words import say
from tui_chat.store.files import reason

LOOKED_AT = 10_000
"""Entries of a folder that are looked at."""
HEAD = 32
"""Bytes at the beginning of a file that tell an image from a text."""
MOST = 200
"""Entries that are offered."""


class Picture(NamedTuple):
    """An image with its bytes."""

    image: Image
    data: bytes


class Entry(Struct, frozen=True):
    """A file or folder that could be meant."""

    path: str
    """As it is to be written: what was typed, completed; a folder's ends with a slash."""
    size: int = 0
    """Bytes of a file."""

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")


def entries(typed: str) -> list[Entry]:
    """What the path that is being typed could become: what begins so first, folders before files; hidden ones only
    behind a dot. May block.
    """
    folder, _, begun = typed.rpartition("/")
    prefix = typed[: len(typed) - len(begun)]
    try:
        with os.scandir(_place(prefix) if folder or prefix else ".") as found:
            seen = [one for one in islice(found, LOOKED_AT) if _meant(one.name, begun)]
            sorted_out = sorted((_order(one, begun), one.name, one.path) for one in seen)
    except (OSError, RuntimeError, ValueError):
        return []
    return [
        Entry(f"{prefix}{name}/") if is_file == 0 else Entry(f"{prefix}{name}", _size(path))
        for (_, is_file, _), name, path in sorted_out[:MOST]
    ]


def is_file(path: str) -> bool:
    """May block."""
    try:
        return _place(path).is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def read(path: str) -> Attachment | Picture:
    """A text or an image; may block. Raises StoreError with one line where it is neither, too large or not readable."""
    shown = visible_line(path)
    try:
        place = _place(path)
        about = place.stat()
        if not stat.S_ISREG(about.st_mode):
            raise StoreError(say("attach.no_file", path=shown))
        with place.open("rb") as file:
            data = file.read(HEAD)
            pictured = bool(measured(data)[0])
            limit = MOST_IMAGE_BYTES if pictured else MOST_BYTES
            if about.st_size > limit:
                raise _too_large(shown, about.st_size, limit)
            data += file.read(limit + 1 - len(data))
    except (OSError, RuntimeError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise StoreError(say("store.read", path=shown, reason=why)) from error
    if len(data) > limit:
        raise _too_large(shown, len(data), limit)
    if pictured:
        if (image := image_of(path, data)) is None:
            raise StoreError(say("attach.no_image", path=shown))
        return Picture(image, data)
    return Attachment(path, _text(shown, data), len(data), _language(place.name))


def _text(shown: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StoreError(say("attach.binary", path=shown)) from None
    if "\0" in text:
        raise StoreError(say("attach.binary", path=shown))
    return text


def _too_large(shown: str, size: int, limit: int) -> StoreError:
    return StoreError(say("attach.too_large", path=shown, size=file_size(size), limit=file_size(limit)))


def _language(name: str) -> str:
    lexer = find_lexer_class_for_filename(name)
    return lexer.aliases[0] if lexer is not None and lexer.aliases else ""


def _place(path: str) -> Path:
    return Path(path).expanduser()


def _meant(name: str, begun: str) -> bool:
    if name.startswith(".") or begun.startswith("."):
        return begun.startswith(".") and name.lower().startswith(begun.lower())
    return begun.lower() in name.lower()


def _order(entry: os.DirEntry[str], begun: str) -> tuple[int, int, str]:
    """(1 where what was typed does not begin the name, 1 for a file, the name without case)."""
    name = entry.name.lower()
    return int(not name.startswith(begun.lower())), int(not entry.is_dir()), name


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
