"""The links of one reply and their numbers, counted from its beginning: a number that has been drawn stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_BARE = re.compile(r"\b(?:https?://|mailto:)[^\s<>\"'`|\\^{}]+", re.IGNORECASE)
_CLOSING = ".,;:!?)]*_~"


class Link(NamedTuple):
    """What a link says, and where it goes."""

    text: str
    target: str


class Links:
    """Links in the order in which they were first drawn, each target once."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def number(self, link: Link) -> int:
        """The number of a link, from 1."""
        return self._found.setdefault(link.target, (len(self._found) + 1, link.text))[0]

    def keep(self, count: int) -> None:
        """Forget all but the first `count`, for what comes after them is drawn again."""
        while len(self._found) > count:
            self._found.popitem()

    def listed(self) -> list[Link]:
        return [Link(text, target) for target, (_, text) in self._found.items()]


def bare(text: str) -> Iterator[tuple[int, int]]:
    """From and to of the addresses that stand in a text as they are."""
    for found in _BARE.finditer(text):
        yield found.start(), found.start() + len(found[0].rstrip(_CLOSING))
