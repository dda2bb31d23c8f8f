"""Foreign text made safe for a terminal.

Two strengths. `visible` is for the places where foreign text becomes content: every control turns into a symbol
that shows what was there. `harmless` is the last filter before the screen: whatever control is left is dropped.
Stored text stays as received.
"""

from __future__ import annotations

import re

_C0 = [chr(c) for c in range(0x20) if c not in (0x09, 0x0A)]
_C1 = [chr(c) for c in range(0x80, 0xA0)]
_BIDI = [chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
_SEPARATORS = ["\u2028", "\u2029"]
_INVISIBLE = [
    chr(c)
    for c in (0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x2060, 0x2066), *range(0x206A, 0x2070), 0xFEFF)
]
_TAGS = re.compile("(\U0001f3f4[\U000e0061-\U000e007a]{5}\U000e007f)|[\U000e0000-\U000e007f]")
"""Tag characters, which can hide a text, except where they make a flag (England, Scotland, Wales)."""

CONTROL_PICTURES = str.maketrans(
    {c: chr(0x2400 + ord(c)) for c in _C0}
    | {"\x7f": "\u2421"}
    | dict.fromkeys(_C1, "\ufffd")
    | dict.fromkeys(_BIDI, "\ufffd")
    | dict.fromkeys(_SEPARATORS, "\n")
    | dict.fromkeys(_INVISIBLE, "")
)
"""C0 and DEL become their Unicode control pictures, C1 and bidi controls the replacement character.

Marks that only hint at a direction are left out without a trace: ordinary Arabic and Hebrew text holds them.
"""

_FOREIGN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_DANGEROUS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")

MARKS = 6
"""Combining marks kept on one character; no language written with these marks needs more."""
_STACKED = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]"
    f"{{{MARKS + 1},}}"
)
"""A longer run of marks: Latin, Cyrillic, Hebrew, Arabic, Thai, Lao and symbols', also with joiners among them."""


def visible(text: str) -> str:
    """`text` with every control shown as a symbol; newline and tab stay, CRLF becomes a newline."""
    if _FOREIGN.search(text):
        text = _SURROGATES.sub("\ufffd", text.replace("\r\n", "\n").translate(CONTROL_PICTURES))
        text = _TAGS.sub(r"\1", text)
    if not text.isascii():
        text = _STACKED.sub(lambda run: run[0][:MARKS], text)
    return text


def visible_line(text: str, limit: int = 500) -> str:
    """`visible` for places of one line: white space folded, cut at `limit` characters."""
    start = text.lstrip()[: limit * 4]
    line = " ".join(visible(start).split())
    whole = len(line) <= limit and not text.strip()[len(start) :]
    return line if whole else line[: limit - 1] + "…"


def harmless(text: str) -> str:
    """`text`, a part of one screen line, without any character that could act on a terminal."""
    return _DANGEROUS.sub("", text) if _DANGEROUS.search(text) else text


def is_control(char: str) -> bool:
    """True for what `harmless` drops, for tests and for reports."""
    return _DANGEROUS.match(char) is not None
