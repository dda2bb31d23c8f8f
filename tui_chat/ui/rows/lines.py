"""Text as it streams in, cut into lines of bounded length."""

from __future__ import annotations

import re

from tui_chat.domain.hostile import visible

LONGEST = 2_000
"""Characters of a line; a longer one goes on in a line of its own, wherever it comes from."""
AHEAD = 64
"""Characters beyond a cut that have to be there, so that the cut does not depend on how the text comes in."""
MOST_BLANK = 50
"""Blank lines that are kept of a run of them."""
GLUE = "\x02"
"""Ends a line that was cut; no foreign text holds it, for controls have been made visible."""
GLUED = "\x03"
"""Begins what follows a cut, so that no list or heading can begin there."""
TAB = 4

_BREAK = re.compile("[\n\u2028\u2029]")
_PREFIX = re.compile("[ >]*")
_ATTACHED = re.compile("[\u0300-\u036f\u0483-\u0489\u0590-\u08ff\u0900-\u0dff\u0e31-\u0eff\u1ab0-\u1aff\u1dc0-\u1dff"
                       "\u200c\u200d\u20d0-\u20ff\ufe00-\ufe2f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff"
                       "\U000e0000-\U000e007f\r]")  # fmt: skip


class Lines:
    """Gives out lines once they are whole; what they are does not depend on the pieces in which the text came."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._prefix: str | None = None
        self._blank = 0

    def feed(self, text: str) -> None:
        self._text = self._text[self._at :] + text
        self._at = 0

    def take(self, limit: int) -> list[str]:
        """The next whole lines, of about `limit` characters together; controls are visible, tabs expanded."""
        out: list[str] = []
        end = self._at + limit
        while self._at < end:
            found = _BREAK.search(self._text, self._at, self._at + LONGEST + AHEAD)
            if found:
                raw = self._text[self._at : found.start()]
                self._at = found.end()
                self._put(out, raw.removesuffix("\r") if found[0] == "\n" else raw, whole=True)
            elif len(self._text) - self._at >= LONGEST + AHEAD:
                cut = self._cut()
                self._put(out, self._text[self._at : cut], whole=False)
                self._at = cut
            else:
                break
        return out

    @property
    def waiting(self) -> bool:
        """True while `take` has more to give."""
        return len(self._text) - self._at >= LONGEST + AHEAD or _BREAK.search(self._text, self._at) is not None

    @property
    def rest(self) -> str:
        """The line that is not whole yet; empty while there are whole ones."""
        return "" if self.waiting else self._shown(self._text[self._at :].removesuffix("\r"))

    def _put(self, out: list[str], raw: str, *, whole: bool) -> None:
        line = self._shown(raw)
        self._blank = self._blank + 1 if not line.strip(" >") else 0
        if not whole and self._prefix is None:
            self._prefix = _PREFIX.match(line)[0]  # pyright: ignore[reportOptionalSubscript]  # it matches anything
        elif whole:
            self._prefix = None
        if self._blank <= MOST_BLANK:
            out.append(line if whole else line + GLUE)

    def _shown(self, raw: str) -> str:
        line = visible(raw).expandtabs(TAB)
        return line if self._prefix is None else self._prefix + GLUED + line

    def _cut(self) -> int:
        """Where a line too long is cut: before a space, else between two characters that stand alone."""
        space = self._text.rfind(" ", self._at + LONGEST // 2, self._at + LONGEST)
        if space >= 0:
            return space
        place = self._at + LONGEST
        for at in range(place, place - AHEAD, -1):
            if not _ATTACHED.match(self._text, at) and self._text[at - 1] not in "\u200d\\":
                return at
        return place


def unglued(text: str) -> str:
    """The text without the marks of cuts."""
    return text.replace(GLUE, "").replace(GLUED, "") if GLUE in text or GLUED in text else text
