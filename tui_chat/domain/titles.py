"""The title of a conversation: its first words, until somebody gives it another."""

from __future__ import annotations

import re

from tui_chat.domain.ask import in_words

TITLE_LENGTH = 60

_MARKS = re.compile(r"^[\s#>*\-]+")


def first_words(text: str) -> str:
    """The first line that says something, cut at a word; control characters stay, as in every stored text."""
    line = " ".join(_MARKS.sub("", in_words(text)).partition("\n")[0].split())
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[: TITLE_LENGTH - 1]
    head, space, _ = cut.rpartition(" ")
    return f"{head if space and len(head) > TITLE_LENGTH // 2 else cut}…"
