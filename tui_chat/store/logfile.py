"""The log: warnings and faults, in a file of the user's own. No key ever stands in it."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from tui_chat.store.files import FILE_MODE, make_private_folder

if TYPE_CHECKING:
    from collections.abc import Collection
    from io import TextIOWrapper
    from pathlib import Path

    from tui_chat.domain.endpoint import Secret

SIZE = 1_000_000
"""Bytes at which the file is put aside, once."""
SHORT = 6
"""A key of so few characters is a word of its own and hides nothing."""


class Redacted(logging.Formatter):
    """Formats a record, its traceback included, with every known key blotted out."""

    def __init__(self, keys: Collection[Secret]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._keys = keys

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for key in self._keys:
            if len(key.reveal()) > SHORT:
                text = text.replace(key.reveal(), str(key))
        return text


class PrivateFile(RotatingFileHandler):
    """A file of mode 0600 that is made with the first record; one that cannot be written is not missed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=SIZE, backupCount=1, encoding="utf-8", delay=True)
        self._path = path

    def _open(self) -> TextIOWrapper:
        make_private_folder(self._path.parent)
        self._path.touch(mode=FILE_MODE)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def start_log(path: Path, keys: Collection[Secret]) -> None:
    """Send the log to `path`; `keys` may grow later. Without a writable folder there is no log."""
    handler = PrivateFile(path)
    handler.setFormatter(Redacted(keys))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
