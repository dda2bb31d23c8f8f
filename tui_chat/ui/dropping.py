"""What a terminal pastes for files that are dropped on it: their paths, each in the way of that terminal."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MOST = 4000
"""Characters; what is longer is a text."""


def dropped_images(text: str) -> list[str]:
    """The paths of images that a paste consists of; nothing where it holds anything else. May block for a moment.

    Paths are absolute, in quotes or with backslashes, by lines or beside each other, or `file:` addresses.
    """
    found = text.strip() if len(text) <= MOST else ""
    if not found.rstrip("'\"").lower().endswith(ENDINGS):
        return []
    for paths in _readings(found):
        if all(path.lower().endswith(ENDINGS) and path.startswith(("/", "~")) for path in paths) and all(
            Path(path).expanduser().is_file() for path in paths
        ):
            return paths
    return []


def _readings(text: str) -> list[list[str]]:
    """What the paste may mean: as it stands, each line a path, or as a shell reads it."""
    lines = [_path(line.strip()) for line in text.splitlines() if line.strip()]
    try:
        words = [_path(word) for word in shlex.split(text)]
    except ValueError:
        words = list[str]()
    return [reading for reading in (lines, words) if reading]


def _path(word: str) -> str:
    return unquote(urlsplit(word).path) if word.startswith("file://") else word
