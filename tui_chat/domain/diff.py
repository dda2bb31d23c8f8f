"""Two texts word by word: what stands in both, and what in one alone.

The time is bounded: what is the same at both ends is set aside, lines are compared before words, and what is too long
even for that is compared by lines, or not at all.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Side = Literal["both", "left", "right"]

WORDS = re.compile(r"(?:[^\W_]+(?:['’][^\W_]+)*|\S)[^\S\n]*|\s+")
"""A word or a mark with the blanks behind it, for blanks alone would match each other everywhere; or line ends."""
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
WORK = 20_000_000
"""What one comparison may take at the very most, as `_work` counts it: about a second."""
LINE_WORK = 100_000_000
"""The same for whole lines, which are seldom alike by chance, so that few matches are looked for."""


class Piece(Struct, frozen=True):
    """A run of text that stands in both, or in one alone."""

    side: Side
    text: str


def word_diff(left: str, right: str) -> list[Piece]:
    """The pieces of both texts in their order: those for `left` and `both` joined are the left text, and so the right.

    Neighbouring pieces are of different sides; where something was replaced, what was on the left comes first.
    """
    return _joined(_compared(words(left), words(right)))


def words(text: str) -> list[str]:
    """The words of a text with what stands between them, of scripts without spaces the characters; joined: the text."""
    found: list[str] = []
    for word in WORDS.findall(text):
        found += list(word) if UNSPACED.search(word) else [word]
    return found


def _compared(left: list[str], right: list[str]) -> Iterator[Piece]:
    head, tail = _same_ends(left, right)
    yield from _pieces("both", left[:head])
    left_rest, right_rest = left[head : len(left) - tail], right[head : len(right) - tail]
    if _work(left_rest, right_rest) <= WORK:
        yield from _matched(left_rest, right_rest)
    else:
        yield from _by_lines(left_rest, right_rest)
    yield from _pieces("both", left[len(left) - tail :])


def _by_lines(left: list[str], right: list[str]) -> Iterator[Piece]:
    """Compare lines first, then the words of the lines that differ, as far as there is time for them."""
    left_lines, right_lines = _lines(left), _lines(right)
    budget = WORK
    if _work(left_lines, right_lines) > LINE_WORK:
        yield from (*_pieces("left", left), *_pieces("right", right))
        return
    for tag, a, b, c, d in SequenceMatcher(None, left_lines, right_lines).get_opcodes():
        if tag == "equal":
            yield from _pieces("both", left_lines[a:b])
            continue
        ours, theirs = words("".join(left_lines[a:b])), words("".join(right_lines[c:d]))
        budget -= (work := _work(ours, theirs))
        if budget >= 0:
            yield from _matched(ours, theirs)
        else:
            budget += work
            yield from (*_pieces("left", ours), *_pieces("right", theirs))


def _matched(left: Sequence[str], right: Sequence[str]) -> Iterator[Piece]:
    for tag, a, b, c, d in SequenceMatcher(None, left, right).get_opcodes():
        if tag == "equal":
            yield from _pieces("both", left[a:b])
        else:
            yield from (*_pieces("left", left[a:b]), *_pieces("right", right[c:d]))


def _same_ends(left: list[str], right: list[str]) -> tuple[int, int]:
    """How many pieces are the same at the beginning, and of the rest at the end."""
    most = min(len(left), len(right))
    head = next((n for n in range(most) if left[n] != right[n]), most)
    most -= head
    return head, next((n for n in range(most) if left[-1 - n] != right[-1 - n]), most)


def _work(left: Sequence[str], right: Sequence[str]) -> int:
    """The pairs of equal pieces, gone through once for each match that may be found."""
    ours, theirs = Counter(left), Counter(right)
    # difflib lets no match begin with what is everywhere in a long text.
    popular = len(right) // 100 + 1 if len(right) >= 200 else len(right)
    pairs = sum(count * theirs[piece] for piece, count in ours.items() if 0 < theirs[piece] <= popular)
    return pairs * min(len(left), len(right))


def _lines(pieces: list[str]) -> list[str]:
    return "".join(pieces).splitlines(keepends=True)


def _pieces(side: Side, texts: Sequence[str]) -> tuple[Piece, ...]:
    return (Piece(side, "".join(texts)),) if texts else ()


def _joined(pieces: Iterator[Piece]) -> list[Piece]:
    """Neighbours of one side as one piece, with what is on the left alone before what is on the right."""
    joined: list[Piece] = []
    ours: list[str] = []
    theirs: list[str] = []

    def flush() -> None:
        joined.extend((*_pieces("left", ours), *_pieces("right", theirs)))
        ours.clear()
        theirs.clear()

    both: list[str] = []
    for piece in pieces:
        if piece.side == "both":
            flush()
            both.append(piece.text)
            continue
        if both:
            joined.append(Piece("both", "".join(both)))
            both.clear()
        (ours if piece.side == "left" else theirs).append(piece.text)
    flush()
    joined.extend(_pieces("both", both))
    return joined
