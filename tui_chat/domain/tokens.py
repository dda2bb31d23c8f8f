"""How many tokens a text has, before the provider says: UTF-8 bytes by a ratio for each class of text.

The ratios begin with what tokenizers of 2025 give (bytes a token for o200k: English 4.9, Vietnamese 4.9, Chinese 4.8,
Japanese 4.0, Russian 8.8; of what is weighed, Python 3.7 and JSON 3.1), taken low so that an estimate errs upwards, and
are learned for each model from replies whose tokens the provider has counted.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tui_chat.domain.ask import IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class TextClass(StrEnum):
    """What kind of text it is; prose goes by its script."""

    LATIN = "latin"
    CJK = "cjk"
    CYRILLIC = "cyrillic"
    OTHER = "other"
    CODE = "code, weighed"
    JSON = "json, weighed"
    """Under these names their ratios are kept; what was learned of their plain bytes is no ratio of what is weighed."""


STARTING: Mapping[TextClass, float] = {
    TextClass.LATIN: 4.0,
    TextClass.CJK: 4.0,
    TextClass.CYRILLIC: 8.5,
    TextClass.OTHER: 4.0,
    TextClass.CODE: 3.5,
    TextClass.JSON: 3.0,
}
"""UTF-8 bytes a token; of code and JSON what they weigh."""
WEIGHED = (TextClass.CODE, TextClass.JSON)
MARK_WEIGHT, DIGIT_WEIGHT = 2.5, 1.7
"""What a mark and a digit of code count, in bytes of a word: indentation costs next to nothing, marks much."""
LEAST_BYTES = 400
"""A shorter reply teaches nothing: its tokens are too few."""
PURITY = 0.9
"""The share of one class from which on a reply teaches something about it."""
MEMORY = 200_000
"""Bytes of replies that a learned ratio remembers; what is older fades."""
FENCE = "```"
HEAD = 24
"""Characters of a line in which a fence and its language are looked for."""

_SPACE, _DIGIT, _MARK = re.compile(r"\s"), re.compile(r"\d"), re.compile(r"[^\w\s]|_")
_SCRIPTS = (
    (TextClass.CJK, re.compile("[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]+")),
    (TextClass.CJK, re.compile("[\U00020000-\U0003ffff]+")),
    (TextClass.CYRILLIC, re.compile("[\u0400-\u052f]+")),
    (TextClass.OTHER, re.compile("[\u0370-\u03ff\u0530-\u10ff\u1200-\u1cff\U0001f000-\U0001ffff]+")),
)


class Ratios(Struct, frozen=True):
    """UTF-8 bytes a token by class, as learned where something was, else as they start."""

    learned: Mapping[TextClass, float] = field(default_factory=dict[TextClass, float])

    def of(self, kind: TextClass) -> float:
        return self.learned.get(kind) or STARTING[kind]


class Lesson(Struct, frozen=True):
    """So many bytes of one class, or what they weigh, were so many tokens."""

    kind: TextClass
    size: float
    tokens: float

    def after(self, earlier: Lesson | None) -> Lesson:
        """This lesson added to what was learned before, which fades."""
        if earlier is None:
            return self
        fade = min(1.0, MEMORY / earlier.size)
        return Lesson(self.kind, self.size + earlier.size * fade, self.tokens + earlier.tokens * fade)

    @property
    def ratio(self) -> float:
        return self.size / self.tokens


class TokenCounter:
    """Counts the tokens of one text as its pieces come, in O(length of the piece)."""

    def __init__(self, ratios: Ratios | None = None) -> None:
        self.tokens = 0.0
        self.sizes: dict[TextClass, int] = {}
        """UTF-8 bytes by class."""
        self._weight = 0.0
        self._ratios = ratios or Ratios()
        self._line = ""
        self._whole: TextClass | None = None
        """The class of the whole text, when its beginning tells."""
        self._fence: TextClass | None = None

    @property
    def size(self) -> int:
        return sum(self.sizes.values())

    def feed(self, text: str) -> float:
        """The tokens of a piece."""
        if self._whole is None and not self.sizes and (begun := text.lstrip()[:1]):
            self._whole = TextClass.JSON if begun in "{[" else None
        before = self.tokens
        for kind, part in self._parts(text):
            for found, size in [(kind, _size(part))] if kind is not None else _scripts(part):
                if size:
                    self.sizes[found] = self.sizes.get(found, 0) + size
                    weight = _weight(part, size) if found in WEIGHED else float(size)
                    self._weight += weight
                    self.tokens += weight / self._ratios.of(found)
        return self.tokens - before

    def lesson(self, tokens: int) -> Lesson | None:
        """What the text teaches, once its tokens have been counted; None when that is nothing."""
        size = self.size
        if size <= LEAST_BYTES or tokens <= 0:
            return None
        kind = max(self.sizes, key=lambda kind: self.sizes[kind])
        return Lesson(kind, self._weight, tokens) if self.sizes[kind] >= PURITY * size else None

    def _parts(self, text: str) -> Iterator[tuple[TextClass | None, str]]:
        """(class, or None for prose, text) of each stretch between fences."""
        if self._whole is not None:
            yield self._whole, text
            return
        if "`" not in text and "`" not in self._line:
            self._line = (self._line + text).rpartition("\n")[2][:HEAD]
            yield self._fence, text
            return
        for line in text.splitlines(keepends=True):
            yield self._fence, line
            self._line += line[: HEAD - len(self._line)] if len(self._line) < HEAD else ""
            if line.endswith("\n"):
                self._end_line()

    def _end_line(self) -> None:
        """A line is whole: it may open or close a fence."""
        line, self._line = self._line.strip(), ""
        if line.startswith(FENCE):
            language = line.lstrip("`").strip().lower()
            opened = TextClass.JSON if language.startswith("json") else TextClass.CODE
            self._fence = None if self._fence is not None else opened


def count(text: str, ratios: Ratios | None = None) -> float:
    """The tokens of a whole text."""
    return TokenCounter(ratios).feed(text)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _weight(text: str, size: int) -> float:
    """The bytes of code as tokenizers take them: marks are tokens by themselves, spaces go with what follows."""
    marks, digits = len(_MARK.findall(text)), len(_DIGIT.findall(text))
    return size - len(_SPACE.findall(text)) + (MARK_WEIGHT - 1) * marks + (DIGIT_WEIGHT - 1) * digits


def _scripts(text: str) -> Iterator[tuple[TextClass, int]]:
    """Bytes by script."""
    left = _size(text)
    if left != len(text):
        for kind, pattern in _SCRIPTS:
            size = sum(_size(run) for run in pattern.findall(text))
            left -= size
            yield kind, size
    yield TextClass.LATIN, left


def tokens_of(text: str, ratios: Ratios | None = None) -> float:
    """What a message is about, with its images."""
    if IMAGE not in text:
        return count(text, ratios)
    from tui_chat.domain.images import Image, parts

    return sum(part.tokens if isinstance(part, Image) else count(part, ratios) for part in parts(text))
