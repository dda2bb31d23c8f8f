"""What a search compares: texts and queries folded alike, and where in a text a query hits.

Folded text holds letters and digits only, without case, accents and compatibility forms, in words parted by single
spaces. In scripts that are written without spaces, and in Hangul, a run of characters becomes overlapping pairs and
its last character: "中文字" reads "中文 文字 字". So two characters are a word, more are a phrase, one is a prefix.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate, islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_QUERY = 400
"""Characters of a query that are looked at."""

_LETTERS = {
    **dict(zip("đðøłıħŧŋɓɗɖƙƴɲىیکة\u02bc\u02bb", "ddolihtnbddkynييكه  ", strict=True)),
    **dict(zip("æœþ\u0640", ("ae", "oe", "th", ""), strict=True)),
}
"""Letters that no decomposition takes apart. The apostrophes among the letters part words like the usual one."""
_PARTING = "\u200b\u200c"
"""Format characters that stand between words, unlike soft hyphens, joiners and marks of direction."""
_MOST_CACHED = 0x20000

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u19e0-\u19ff\u3005-\u3007\u3021-\u3029\u3031-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uaa60-\uaa7f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Hangul, kana and Han."""
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_RUN = re.compile(f"[{_UNSPACED}]+|[^ {_UNSPACED}]+")
_LOOSE = re.compile("[\u1161-\u1175\u11a8-\u11c2\u3099\u309a\uff9e\uff9f]")
"""What may make one character with the one before it: vowels and finals of Hangul, voice marks of kana."""
_CLUSTER = (
    "[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uac00-\ud7a3][\u11a8-\u11c2]"
    "|[\u3041-\u30fe\uff66-\uff9d][\u3099\u309a\uff9e\uff9f]"
)
_COMPOSABLE = re.compile(_CLUSTER)
_LONE_VOICE = re.compile("[\u3099\u309a]")
_ATOM = re.compile(f"{_CLUSTER}|.", re.DOTALL)
"""The least part of a text that is folded by itself."""

_MARK = "_"
_WORD_START = re.compile(f"(?<![^ ])(?=[^{_UNSPACED}])")
_PART = re.compile(r'"([^"]*)("?)|[^\s"]+')
_BLOCK = 1024
_HEAD = 50_000
_MOST_HITS = 100
_SPACE = re.compile(r"\s+")
_SOLID = re.compile(r"\S")

Span = tuple[int, int]
"""Start and end of a place in a text."""
Piece = tuple[str, bool]
"""A part of a line, and whether it is a hit."""
_Hit = tuple[int, int, int]
"""Start, end and the number of the term."""


class _Term(NamedTuple):
    """Folded words that must follow one another."""

    runs: tuple[str, ...]
    complete: bool
    """The last word is not the beginning of a longer one."""


class _Table(dict[int, str]):
    """What each character folds to, by code point, found when it is first met."""

    def __missing__(self, code: int) -> str:
        folded = "".join(map(_fold_part, unicodedata.normalize("NFKD", chr(code))))
        folded = _LONE_VOICE.sub("", _COMPOSABLE.sub(_compose, folded))
        if code < _MOST_CACHED:
            self[code] = folded
        return folded


def _fold_part(char: str) -> str:
    """Letters and digits of one decomposed character, "" for what only adorns another one, " " for what parts words."""
    category = unicodedata.category(char)
    if category[0] == "L":
        return "".join(_LETTERS.get(c, c) for c in char.casefold())
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category[0] == "N":
        return char.casefold()
    if category[0] == "M":
        return char if _is_spelling(char, category) else ""
    return "" if category == "Cf" and char not in _PARTING else " "


def _is_spelling(mark: str, category: str) -> bool:
    """True for vowel signs and the like, which make another word; false for accents, points and variants."""
    if category == "Me" or "\ufe00" <= mark <= "\ufe0f" or "\U000e0100" <= mark <= "\U000e01ef" or mark == "\u034f":
        return False
    order = unicodedata.combining(mark)
    return order in (0, 8, 9) or 84 <= order <= 132


def _compose(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])


_TABLE = _Table()


def _plain(text: str) -> str:
    """`text` folded, with spaces as they come and unspaced runs whole."""
    if not text.isascii() and _LOOSE.search(text):
        text = _COMPOSABLE.sub(_compose, text)
    return text.translate(_TABLE)


def _pairs(run: str) -> str:
    return " ".join([*_inner_pairs(run), run[-1]])


def _inner_pairs(run: str) -> list[str]:
    return [*map(str.__add__, run, run[1:])]


def fold(text: str) -> str:
    """The words of `text`; "" when there is none. Linear, and safe with lone surrogates."""
    plain = _plain(text)
    if not plain.isascii():
        plain = _UNSPACED_RUN.sub(lambda run: f" {_pairs(run[0])} ", plain)
    return " ".join(plain.split())


def indexed(text: str) -> str:
    """`fold(text)` as an index holds it: words that are no pairs are marked.

    Thereby an index of prefixes of 3 and 4 characters is one of 2 and 3 letters that leaves out the pairs, which are
    found whole and would double it.
    """
    folded = fold(text)
    if folded.isascii():
        return folded and _MARK + folded.replace(" ", f" {_MARK}")
    return _WORD_START.sub(_MARK, folded)


def facet(kind: str, value: str) -> str:
    """A word that stands for `value` of `kind` (letters only) in an index, and is equal to no word of a text."""
    return f"{_MARK}{_MARK}{kind}{_MARK}{value.encode('utf-8', 'surrogatepass').hex()}"


def match(query: str, facets: Iterable[str] = ()) -> str | None:
    """What FTS5 has to match so that all of `query` and all `facets` occur; None when nothing is asked for."""
    phrases = dict.fromkeys([*map(_phrase, _terms(query)), *(f'"{token}"' for token in facets)])
    return " AND ".join(phrases) or None


def _terms(query: str) -> tuple[_Term, ...]:
    """What must occur: each part without white space, and each quoted one, as the words it folds to."""
    terms: list[_Term] = []
    for part in _PART.finditer(query[:MOST_QUERY]):
        runs = tuple(_RUN.findall(_plain(part[0])))
        if runs:
            terms.append(_Term(runs, bool(part[2]) or len(runs[-1]) == 1))
    return tuple(dict.fromkeys(terms))


def _is_unspaced(run: str) -> bool:
    return _UNSPACED_RUN.match(run) is not None


def _phrase(term: _Term) -> str:
    *first, last = term.runs
    words = [_pairs(run) if _is_unspaced(run) else _MARK + run for run in first]
    if not _is_unspaced(last):
        return _quoted([*words, _MARK + last]) + ("" if term.complete else "*")
    # A single character is found as the first of a pair; the last of several stands in the pair before it.
    pairs = _inner_pairs(last)
    return _quoted([*words, *pairs]) if pairs else _quoted([*words, last]) + "*"


def _quoted(words: list[str]) -> str:
    return f'"{" ".join(words)}"'


@lru_cache(maxsize=16)
def _pattern(query: str) -> re.Pattern[str] | None:
    """Finds in plain text what `match` finds in folded text; one group a term."""
    terms = sorted(_terms(query), key=lambda term: -sum(map(len, term.runs)))
    return re.compile("|".join(f"({_expression(term)})" for term in terms)) if terms else None


def _expression(term: _Term) -> str:
    first, last = term.runs[0], term.runs[-1]
    # Looking back from behind the first word, not from before it, lets the search skip ahead by its letters.
    start = "" if _is_unspaced(first) else f"(?<![^ {_UNSPACED}]{first})"
    end = f"(?![^ {_UNSPACED}])" if term.complete and not _is_unspaced(last) else ""
    words = first + start
    for before, run in zip(term.runs, term.runs[1:], strict=False):
        words += (" +" if _is_unspaced(before) == _is_unspaced(run) else " *") + run
    return words + end


def find_all(text: str, query: str) -> list[Span]:
    """Where `text` has what `query` asks for: ascending places in `text` that do not overlap."""
    spans: list[Span] = []
    for start, end, _ in _hits(text, query):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _hits(text: str, query: str) -> Iterator[_Hit]:
    pattern = _pattern(query)
    if pattern is None:
        return
    if text.isascii():
        for hit in pattern.finditer(text.translate(_TABLE)):
            yield hit.start(), hit.end(), hit.lastindex or 0
        return
    origin = _Origin(text)
    for hit in pattern.finditer(origin.plain):
        yield origin.start(hit.start()), origin.end(hit.end()), hit.lastindex or 0


class _Origin:
    """Traces places in the plain form of a text to the text, a block at a time."""

    def __init__(self, text: str) -> None:
        self._blocks = _blocks(text)
        plains = [*map(_plain, self._blocks)]
        self.plain = "".join(plains)
        self._plain_starts = [*accumulate(map(len, plains), initial=0)]
        self._starts = [*accumulate(map(len, self._blocks), initial=0)]
        self._traced = -1
        self._last: tuple[list[int], list[int]] = ([], [])

    def start(self, place: int) -> int:
        """Where the character begins that `place` came of."""
        block = self._block(place)
        plain, original = self._trace(block)
        return self._starts[block] + original[bisect_right(plain, place - self._plain_starts[block]) - 1]

    def end(self, place: int) -> int:
        """Where the character ends that the one before `place` came of, with the marks upon it."""
        block = self._block(place - 1)
        plain, original = self._trace(block)
        last = plain[bisect_left(plain, place - self._plain_starts[block])]
        return self._starts[block] + original[bisect_right(plain, last) - 1]

    def _block(self, place: int) -> int:
        return bisect_right(self._plain_starts, place) - 1

    def _trace(self, block: int) -> tuple[list[int], list[int]]:
        if block != self._traced:
            self._traced, self._last = block, _traced(self._blocks[block])
        return self._last


def _blocks(text: str) -> list[str]:
    """`text` in parts, none of which ends within a character."""
    blocks: list[str] = []
    start = 0
    while start < len(text):
        end = start + _BLOCK
        while _LOOSE.match(text, end):
            end += 1
        blocks.append(text[start:end])
        start = end
    return blocks


def _traced(block: str) -> tuple[list[int], list[int]]:
    """Where each least part of `block` begins in its plain form and in itself, and both ends."""
    atoms = _ATOM.findall(block)
    plain = [len(_TABLE[ord(atom)]) if len(atom) == 1 else len(_plain(atom)) for atom in atoms]
    return [*accumulate(plain, initial=0)], [*accumulate(map(len, atoms), initial=0)]


def snippet(text: str, query: str, width: int) -> list[Piece]:
    """One line of `text`, at most `width` characters, where most of `query` is close together, or else its beginning.

    Pieces with whether they are a hit; white space is folded to single spaces and "…" stands for what is left out.
    """
    hits = _densest(_first_hits(text, query), width)
    start = hits[0][0] if hits else len(text) - len(text.lstrip())
    place, rest = start, list[Piece]()
    for begin, end, _ in hits:
        rest += (_line(text[place:begin]), False), (_line(text[begin:end]), True)
        place = end
    rest.append((_line(text[place : place + 4 * width]), False))
    room = width - sum(len(piece) for piece, _ in rest)
    lead = _lead(text, start, max(room, width // 3), 4 * width)
    more = _SOLID.search(text, place + 4 * width) is not None
    return _cut([(lead, False), *rest], width, more=more)


def _first_hits(text: str, query: str) -> list[_Hit]:
    """The first hits; the whole of a long text is looked at only when its beginning has none."""
    head = [hit for hit in islice(_hits(text[:_HEAD], query), _MOST_HITS) if hit[1] < _HEAD]
    return head if head or len(text) < _HEAD else [*islice(_hits(text, query), _MOST_HITS)]


def _densest(hits: list[_Hit], width: int) -> list[_Hit]:
    """Those hits that fit behind one of them, where the most terms do; the earliest of equals."""
    reach = width - width // 3
    groups = [
        [first, *(hit for hit in hits[i + 1 : i + reach] if hit[1] <= first[0] + reach)] for i, first in enumerate(hits)
    ]
    return max(groups, key=lambda group: len({term for _, _, term in group}), default=hits)


def _line(text: str) -> str:
    return _SPACE.sub(" ", text)


def _lead(text: str, start: int, room: int, reach: int) -> str:
    """What stands before `start`, at most `room` characters, from the beginning of a word on if it is cut."""
    lead = _line(text[max(0, start - reach) : start])
    if start <= reach and len(lead.lstrip()) <= room:
        return lead.lstrip()
    lead = lead[len(lead) - room + 1 :] if room > 1 else ""
    return "…" + lead[lead.find(" ", 0, -1) + 1 :]


def _cut(pieces: list[Piece], width: int, *, more: bool) -> list[Piece]:
    """`pieces` in `width` characters, with an ellipsis when they are cut or `more` follows."""
    more = more or sum(len(piece) for piece, _ in pieces) > width
    room = width - more
    line: list[Piece] = []
    for piece, is_hit in pieces:
        if shown := piece[:room]:
            line.append((shown, is_hit))
            room -= len(shown)
    return [*line, ("…", False)] if more else line
