"""A text file as it goes along with a message: a fenced block under its name."""

from __future__ import annotations

import re

from msgspec import Struct

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

MOST_BYTES = 1_000_000
"""A larger file is refused: it would hardly fit the context of any model."""
MOST_NAME = 60
"""Characters of a file's name in its mark."""

_TICKS = re.compile("`{3,}")


class Attachment(Struct, frozen=True):
    """A text file as it was read."""

    name: str
    """As the user wrote it."""
    text: str
    size: int
    """Bytes."""
    language: str = ""
    """As a fence names it; "" where the name does not tell."""

    @property
    def block(self) -> str:
        """What is sent: the name, and the text in a fence that nothing in it can close."""
        fence = "`" * max((len(run) + 1 for run in _TICKS.findall(self.text)), default=3)
        end = "" if self.text.endswith("\n") else "\n"
        return f"\n{visible_line(self.name)}:\n\n{fence}{self.language}\n{self.text}{end}{fence}\n"

    def mark(self, tokens: float) -> str:
        """What stands for it in the composer."""
        name = visible_line(self.name)
        shown = name if len(name) <= MOST_NAME else f"…{name[1 - MOST_NAME :]}"
        return say("composer.file", name=shown, size=file_size(self.size), tokens=f"{tokens:,.0f}")


def file_size(size: int) -> str:
    """`512 B`, `12.3 KB`, `1.2 MB`: by thousands."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.1f} KB" if size < 999_950 else f"{size / 1_000_000:.1f} MB"
