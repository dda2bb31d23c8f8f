"""A batch as values: its items, what makes two of them the same, and what they came to."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tui_chat.domain.ask import Settings
from tui_chat.domain.draft import Phase
from tui_chat.domain.pricing import CostSource
from tui_chat.domain.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.ask import Message
    from tui_chat.domain.draft import Draft
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost

DIGITS = 16
"""Hex digits of an id that is made from content, and of a hash: 64 bits."""
_SHARD = re.compile(r"(\d{1,9})/(\d{1,9})")


class Item(Struct, frozen=True):
    """One line of the input; None leaves a choice to the command."""

    id: str
    """Its name in the files; where the line gives none, what is made of its content."""
    where: str
    """`in.jsonl:12`."""
    messages: tuple[Message, ...]
    """Ends with the user's."""
    settings: Settings = field(default_factory=Settings)
    endpoint: str | None = None
    model: str | None = None
    named: bool = True
    """The line gives the id itself."""
    number: int | None = None
    """The id, where it was written as a number."""

    @property
    def given(self) -> str | int:
        """The id as it was written."""
        return self.id if self.number is None else self.number


class Unread(Enum):
    """What a line of JSON lines is not."""

    JSON = auto()
    TEXT = auto()


class Fault(Struct, frozen=True):
    """A line that cannot be run."""

    line: str
    """The whole sentence, with file and line."""
    unread: Unread | None = None
    """Nothing of the line could be read: maybe the whole input is something else."""


def digest(content: bytes) -> str:
    """16 hex digits that tell contents apart."""
    return hashlib.sha256(content).hexdigest()[:DIGITS]


class Shard(Struct, frozen=True):
    """One of `of` parts of an input; an item belongs to one by its id, wherever it stands."""

    n: int = 1
    of: int = 1

    def holds(self, id: str) -> bool:
        if self.of == 1:
            return True
        return int.from_bytes(hashlib.sha256(id.encode("utf-8", "replace")).digest()[:8], "big") % self.of == self.n - 1


def shard(text: str) -> Shard | None:
    """`2/8` as a Shard; None when it is none."""
    found = _SHARD.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        return None
    return Shard(int(found[1]), int(found[2]))


def free_name(base: str, taken: Callable[[str], bool]) -> str:
    """`base`, or the first of `base-2`, `base-3` … that is not taken; they are taken in this order."""
    if not taken(base):
        return base
    low, high = 1, 2
    while taken(f"{base}-{high}"):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if taken(f"{base}-{middle}"):
            low = middle
        else:
            high = middle
    return f"{base}-{high}"


class Totals:
    """What the items of one run came to, in a memory that does not grow with them."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        """By kind."""
        self.put_back = 0
        """How often an item was turned away and put back into the queue."""
        self.input = 0
        self.output = 0
        self.exact = True
        """Every token was counted by its provider."""
        self.usd = Decimal(0)
        self.estimated = False
        """A part of `usd` is an estimate."""
        self.unpriced = 0
        """Items whose cost is not known."""
        self.ttft = Spread()
        self.total = Spread()
        self.rate = Spread()

    @property
    def items(self) -> int:
        return sum(self.states.values())

    def add(self, draft: Draft, stats: Stats, cost: Cost) -> None:
        """Count an item that has ended."""
        self.states[draft.phase.value] += 1
        if draft.phase is Phase.FAILED and draft.failure is not None:
            self.failures[draft.failure.kind.value] += 1
        self.spend(stats, cost)
        if draft.phase is Phase.COMPLETED:
            self.ttft.add(stats.ttft_s)
            self.total.add(stats.elapsed_s)
            self.rate.add(stats.tok_per_s)

    def spend(self, stats: Stats, cost: Cost) -> None:
        """Count tokens and money alone."""
        usage = stats.usage
        self.input += usage.input or 0
        self.output += usage.output or 0
        if usage.input or usage.output:
            self.exact = self.exact and stats.exact
            self.unpriced += cost.usd is None
        if cost.usd is not None:
            self.usd += cost.usd
            self.estimated = self.estimated or (cost.source is CostSource.ESTIMATED and cost.usd > 0)
