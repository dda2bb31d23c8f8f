"""The values of a large JSON file, one after the other: of an array, or of the array `conversations` in an object.

No more than one value and a piece of the file are held; reading is linear in the size of the file.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[int], bytes]

CHUNK = 1 << 18
"""Bytes read at a time, at least."""
LONGEST = 1 << 28
"""Characters of one value; more is not taken for a conversation."""
KEY = "conversations"
TAIL = 16
"""A fault this near to the end of what has been read may be but the cut."""

_SPACE = re.compile(r"[ \t\r\n]*")


class Malformed(ValueError):
    """What is wrong with the file, and where, counted from 1; columns are characters."""

    def __init__(self, line: int, column: int, fault: str) -> None:
        super().__init__(fault)
        self.line, self.column, self.fault = line, column, fault


class Item(NamedTuple):
    """One value, where it begins, and how it is written; empty for an object without the array."""

    line: int
    column: int
    value: Any
    text: str


class JsonItems:
    """Iterate once; `head` then holds what else the object has, as far as it has been read.

    Iterating raises Malformed. An object without the array is the one value itself. NaN and infinities become None.
    """

    def __init__(self, read: Read) -> None:
        """`read(n)` gives up to n bytes of the file, none at its end."""
        self.head: dict[str, Any] = {}
        self._read = read
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(strict=False, parse_constant=lambda _: None, parse_int=_integer)
        self._buffer: str = ""
        self._at = 0
        self._counted = 0
        self._line = 1
        self._column = 1
        self._ended = False

    def __iter__(self) -> Iterator[Item]:
        match self._peek():
            case "[":
                yield from self._array()
            case "{":
                yield from self._object()
            case "":
                raise self._malformed(say("import.empty"))
            case _:
                raise self._malformed(say("import.no_json"))
        if self._peek():
            raise self._malformed(say("import.more"))

    def _array(self) -> Iterator[Item]:
        self._at += 1
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            self._peek()
            yield self._item()
            if self._next(",]") == "]":
                return

    def _object(self) -> Iterator[Item]:
        line, column = self._place()
        self._at += 1
        found = False
        if self._peek() == "}":
            self._at += 1
        else:
            while True:
                key = self._key()
                if key == KEY and self._peek() == "[":
                    found = True
                    yield from self._array()
                else:
                    self._peek()
                    self.head[key] = self._item().value
                if self._next(",}") == "}":
                    break
        if not found:
            yield Item(line, column, self.head, "")

    def _key(self) -> str:
        if self._peek() != '"':
            raise self._malformed(say("import.expected", marks='"'))
        key: str = self._item().value
        self._next(":")
        return key

    def _item(self) -> Item:
        """The value that begins here."""
        line, column = self._place()
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._more():
                    continue
                self._at = error.pos
                raise self._malformed(error.msg.removesuffix(" starting at")) from None
            except RecursionError:
                raise self._malformed(say("import.too_deep")) from None
            # A number may go on in the next piece.
            if end > len(self._buffer) - TAIL and self._buffer[end - 1] not in '}]"' and self._more():
                continue
            text, self._at = self._buffer[self._at : end], end
            return Item(line, column, value, text)

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._buffer) - TAIL

    def _next(self, marks: str) -> str:
        """Pass one of these marks."""
        mark = self._peek()
        if not mark or mark not in marks:
            raise self._malformed(say("import.expected", marks=" ".join(marks)))
        self._at += 1
        return mark

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, twice as much as is held; False at the end."""
        if self._ended:
            return False
        self._count()
        rest = self._buffer[self._at :]
        if len(rest) > LONGEST:
            raise self._malformed(say("import.too_long", limit=LONGEST >> 20))
        data = self._read(max(CHUNK, len(rest)))
        self._buffer, self._at, self._counted = rest, 0, 0
        self._ended = not data
        try:
            self._buffer += self._utf8.decode(data, self._ended)
        except UnicodeDecodeError as error:
            self._buffer += error.object[: error.start].decode("utf-8", "replace")
            self._at = len(self._buffer)
            raise self._malformed(say("import.not_utf8")) from None
        return True

    def _place(self) -> tuple[int, int]:
        self._count()
        return self._line, self._column

    def _count(self) -> None:
        """Bring line and column up to here."""
        lines = self._buffer.count("\n", self._counted, self._at)
        if lines:
            self._line += lines
            self._column = self._at - self._buffer.rfind("\n", self._counted, self._at)
        else:
            self._column += self._at - self._counted
        self._counted = self._at

    def _malformed(self, fault: str) -> Malformed:
        return Malformed(*self._place(), fault)


def _integer(digits: str) -> int | float:
    """Numbers of any length; those that no count or time needs lose their last digits."""
    return int(digits) if len(digits) < 40 else float(digits)
