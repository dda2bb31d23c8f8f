"""Text to token-like pieces: a stand-in for a tokeniser, the same on every machine and in every process."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"[^\W\d_{_CJK}]"

_PIECE = re.compile(
    rf"[{_CJK}]"
    rf"| ?{_LETTER}{{1,7}}(?!{_LETTER})"
    rf"| ?{_LETTER}{{4}}"
    r"| ?\d{1,7}"
    r"| ?[^\w\s]{1,4}"
    r"|\n{1,4}"
    r"| {1,16}(?= |\Z)"
    r"|.",
    re.DOTALL,
)


def pieces(text: str) -> Iterator[str]:
    """Cut `text` into pieces that join to it again.

    A word of up to seven letters is one piece with the space before it; a longer one is cut every four
    letters. A number of up to seven digits is one piece, a CJK character too.
    """
    return (match.group() for match in _PIECE.finditer(text))


def pieces_of_all(texts: Iterable[str]) -> Iterator[str]:
    """The pieces of several texts, one after the other; no piece spans two texts."""
    return chain.from_iterable(pieces(text) for text in texts)
