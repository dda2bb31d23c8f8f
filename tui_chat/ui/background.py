"""Whether the terminal is light or dark: its own word for it, taken out of what is typed, and the environment's.

Nothing waits for the answer, which may never come. It is followed by one that every terminal gives, so that an answer
on its way is known of when the program ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping

ASK = "\x1b]11;?\x1b\\\x1b[c"
"""The colour of the background (OSC 11), then who the terminal is (DA1)."""
TELL_CHANGES, TELL_NO_MORE = "\x1b[?2031h", "\x1b[?2031l"
PATIENCE_S = 2.0
"""How long an answer is reckoned with."""

_ANSWER = re.compile(
    r"\x1b\]11;rgba?:(?P<red>[0-9a-fA-F]{1,4})/(?P<green>[0-9a-fA-F]{1,4})/(?P<blue>[0-9a-fA-F]{1,4})"
    r"(?:/[0-9a-fA-F]{1,4})?(?:\x07|\x1b\\)"
)
_IDENTITY = re.compile(r"\x1b\[\?[0-9;]*c")
_CHANGE = re.compile(r"\x1b\[\?997;(?P<scheme>[12])n")
_BEGUN = re.compile(r"\x1b(?:\](?:1(?:1(?:;[rgba:/0-9a-fA-F]{0,30}\x1b?)?)?)?|\[(?:\?[0-9;]{0,30})?)?\Z")
"""What may be the beginning of any of them, or a key."""
_SURELY_BEGUN = re.compile(r"\x1b(?:\]11;[rgba:/0-9a-fA-F]{0,30}\x1b?|\[\?[0-9;]{0,30})\Z")
"""The beginning of one of them, which no key has."""


class BackgroundTold(Message):
    """The terminal said what its background is like."""

    def __init__(self, *, light: bool) -> None:
        super().__init__()
        self.light = light


class Background:
    """Takes the terminal's answers out of what is typed."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._held = ""
        """The beginning of an answer, or of something that is none."""

    def asked(self, now: float) -> None:
        """The terminal is asked at this time, in seconds."""
        self._asked_at = now

    def owed(self, now: float) -> bool:
        """An answer may still be on its way."""
        return self._asked_at is not None and now - self._asked_at < PATIENCE_S

    def feed(self, typed: str, now: float) -> tuple[str, list[bool]]:
        """(what remains, whether the background is light for each time that it was told)."""
        text, self._held = self._held + typed, ""
        told = [_is_light(found) for found in _ANSWER.finditer(text)]
        told += [found["scheme"] == "2" for found in _CHANGE.finditer(text)]
        text = _CHANGE.sub("", _ANSWER.sub("", text))
        if self._asked_at is not None and _IDENTITY.search(text):
            text = _IDENTITY.sub("", text)
            self._asked_at = None
        if begun := (_BEGUN if self.owed(now) else _SURELY_BEGUN).search(text):
            text, self._held = text[: begun.start()], begun[0]
        return text, told

    def release(self) -> str:
        """What was held back and turned out to be a key: nothing has followed it."""
        held, self._held = self._held, ""
        return held


def of_environment(env: Mapping[str, str]) -> bool | None:
    """Whether COLORFGBG tells of a light background; None where it tells nothing."""
    last = env.get("COLORFGBG", "").rpartition(";")[2]
    return int(last) in (7, *range(9, 16)) if last.isdecimal() else None


def _is_light(found: re.Match[str]) -> bool:
    red, green, blue = (int(found[part], 16) / (16 ** len(found[part]) - 1) for part in ("red", "green", "blue"))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
