"""Texts to begin a message with: `snippets/NAME.md` in the folder of the configuration, with {{placeholders}}."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.files import reason, write_private

if TYPE_CHECKING:
    from pathlib import Path

MOST = 10_000
"""Characters of a snippet: its placeholders have to be seen in the composer."""
MOST_BYTES = 4 * MOST + 4
ENDING = ".md"
SAVE = "save"
"""What keeps a snippet, and so is the name of none."""
NAME = re.compile(r"\w[\w.-]{0,59}")


def names(folder: Path) -> list[str]:
    """The snippets that there are; none where the folder cannot be read."""
    try:
        return sorted(path.stem for path in folder.glob(f"*{ENDING}") if not path.name.startswith("."))
    except OSError:
        return []


def load(folder: Path, name: str) -> str:
    """The text of a snippet. Raises StoreError with one line that says what is wrong with it."""
    path = folder / f"{name}{ENDING}"
    known = names(folder)
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.0)
        offered = ", ".join(near) if near else say("snippet.none")
        raise StoreError(say("snippet.unknown", name=visible_line(name, 60), names=offered))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig").replace("\r\n", "\n").strip("\n")
    except OSError as error:
        raise StoreError(say("store.read", path=path, reason=reason(error))) from error
    except UnicodeDecodeError:
        raise StoreError(say("snippet.binary", path=path)) from None
    if not text.strip() or len(text) > MOST:
        raise StoreError(say("snippet.size", path=path, most=f"{MOST:,}"))
    return text


def save(folder: Path, name: str, text: str) -> Path:
    """Keep a text as a snippet; its file. Raises StoreError, also where there is one of that name."""
    path = folder / f"{name}{ENDING}"
    if not NAME.fullmatch(name) or name == SAVE:
        raise StoreError(say("snippet.name", name=visible_line(name, 60)))
    if not text.strip() or len(text) > MOST:
        raise StoreError(say("snippet.size", path=path, most=f"{MOST:,}"))
    if path.exists():
        raise StoreError(say("snippet.exists", path=path))
    write_private(path, text.strip("\n") + "\n")
    return path
