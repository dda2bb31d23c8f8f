"""The log: warnings and faults, in a file of the user's own. No key ever stands in it."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from tui_chat.store.files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Collection
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


class LogFile(RotatingFileHandler):
    """A disk that is full costs the line: what logging would print about it would stand across the screen."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def start_log(path: Path, keys: Collection[Secret]) -> None:
    """Send the log to `path`, 0600; `keys` may grow later. Without a writable folder there is no log."""
    try:
        make_private_folder(path.parent)
        path.touch(mode=0o600)
        handler: logging.Handler = LogFile(path, maxBytes=SIZE, backupCount=1, encoding="utf-8")
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(Redacted(keys))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
