"""The images of messages: files named by what they hold, which the texts of messages refer to (domain.images)."""

from __future__ import annotations

import asyncio
import os
import re
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from tui_chat.store.files import write_private

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from tui_chat.domain.images import Image

KEPT_S = 8 * 86400.0
"""How long an image stays that no message refers to: a deleted conversation can be brought back for a week."""
DIGEST = re.compile(r"\]\(tui-chat:([0-9a-f]{64})\.")
"""What a text refers to."""


class Images:
    """The engine's Images; what is not to be kept, or cannot be, is held as long as the program runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, bytes] = {}

    def keep(self, image: Image, data: bytes, *, on_disk: bool = True) -> None:
        """Keep the bytes of an image; may block. Raises StoreError when they are held in memory alone after all."""
        if not on_disk:
            self._held[image.digest] = data
            return
        path = self._path(image.digest)
        try:
            # As new: what is old and in no message yet goes away.
            os.utime(path)
        except OSError:
            self._held[image.digest] = data
            write_private(path, data)
            del self._held[image.digest]

    def take(self, encoded: Mapping[str, str]) -> None:
        """Keep images of a file, each if it is what it is called. Raises StoreError."""
        for digest, text in encoded.items():
            with suppress(ValueError):
                data = b64decode(text, validate=True)
                if sha256(data).hexdigest() == digest and not self._path(digest).exists():
                    write_private(self._path(digest), data)

    def read(self, digest: str) -> bytes | None:
        """The bytes of an image; None where they are gone or damaged. May block."""
        if (held := self._held.get(digest)) is not None:
            return held
        try:
            data = self._path(digest).read_bytes()
        except OSError:
            return None
        return data if sha256(data).hexdigest() == digest else None

    def encoded(self, digest: str) -> str | None:
        """The same as base64."""
        data = self.read(digest)
        return None if data is None else b64encode(data).decode()

    async def base64(self, digest: str) -> str | None:
        return await asyncio.to_thread(self.encoded, digest)

    def old(self, now: float | None = None) -> list[str]:
        """The digests of the files that have been there so long that a message must refer to them."""
        before = (time.time() if now is None else now) - KEPT_S
        with suppress(OSError), os.scandir(self.folder) as found:
            return [one.name for one in found if len(one.name) == 64 and one.stat().st_mtime < before]
        return []

    def drop(self, digests: Collection[str]) -> None:
        """Remove files that no message refers to."""
        # Another program may have attached one of them meanwhile.
        for digest in set(digests).intersection(self.old()):
            with suppress(OSError):
                self._path(digest).unlink()

    def _path(self, digest: str) -> Path:
        return self.folder / digest
