"""Valid Unicode out of JSON that is not.

A JSON string may hold half of a surrogate pair: a server that cuts its text by UTF-16 units sends an emoji as two
halves in two chunks, and one that drops a half sends it alone. Python keeps such halves, but no file, database or
terminal takes them.
"""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """`text` with paired halves joined and U+FFFD for each lone one."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class PairJoiner:
    """Pieces of one text -> the same pieces well-formed, a pair cut between two of them joined."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """The piece, without a first half at its end, which waits for the second."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return well_formed(text)

    def finish(self) -> str:
        """What waited in vain."""
        half, self._half = self._half, ""
        return well_formed(half)
