"""A lane of a comparison in words: `endpoint/model key=value ...`, read and written, and lanes swept over settings.

What a value may be is not known here: `store.lanes` checks a lane as it checks a profile of config.toml.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from enum import StrEnum
from itertools import product
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, field
from msgspec.structs import replace

from tui_chat.domain.ask import Settings
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST = 6
"""Lanes of one comparison."""
TEXTS = frozenset({"profile", "endpoint", "model", "system", "reasoning_effort", "label"})
"""Keys whose values are text, whatever else they might be in TOML."""
EXACT = 2**53
"""Up to here every whole number is a float of its own."""
_KEYED = re.compile("[a-z_]+=")
_LEFT = Settings()
"""Everything is left to the server."""


class LaneError(ValueError):
    """What is wrong with a lane's text, as a sentence."""


class LaneSpec(Struct, frozen=True):
    """A lane as it was written; None leaves the choice to the profile and the configuration."""

    profile: str | None = None
    endpoint: str | None = None
    model: str | None = None
    """Without an endpoint it may name one in front of a slash."""
    settings: Settings = field(default_factory=Settings)
    label: str = ""


class LaneRecord(Struct, frozen=True):
    """A lane as it is kept with its conversation."""

    id: str
    label: str
    endpoint: str
    model: str
    settings: Settings
    head: str | None = None
    """The turn that the lane's next message follows."""
    synced: bool = True
    """What is written for all lanes goes to it too."""
    note: str = ""


class Verdict(StrEnum):
    WON = "won"
    LOST = "lost"
    TIED = "tied"


class Vote(Struct, frozen=True):
    """What was said of one lane in one round; the settings are those of that round."""

    round: str
    lane: str
    verdict: Verdict
    at: float
    """Epoch seconds."""
    endpoint: str
    model: str
    settings: Settings


class Tally(Struct, frozen=True):
    """How often a model with these settings won, lost and tied, and in how many rounds it was judged."""

    endpoint: str
    model: str
    settings: Settings
    won: int
    lost: int
    tied: int

    @property
    def rounds(self) -> int:
        return self.won + self.lost + self.tied


def letter(place: int) -> str:
    """A, B, C, ... for the lanes counted from 0."""
    return ascii_uppercase[place % len(ascii_uppercase)]


def lane_table(text: str) -> dict[str, Any]:
    """A lane's text as the table that config.toml would have for it. Raises LaneError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise LaneError(say("lane.quotes")) from error
    if not words:
        raise LaneError(say("lane.empty"))
    table: dict[str, Any] = {}
    if not _KEYED.match(words[0]):
        table["model"] = words.pop(0)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise LaneError(say("lane.no_value", word=word))
        if key in table:
            raise LaneError(say("lane.twice", key=key))
        table[key] = value if key in TEXTS and not _quoted(value) else toml_value(value)
    return table


def toml_value(text: str) -> Any:
    """What TOML reads there, else the text itself."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    # A line end in the text could begin another key.
    return read["value"] if len(read) == 1 else text


def lane_text(spec: LaneSpec) -> str:
    """The text that `lane_table` reads as this lane."""
    words: list[str] = []
    if spec.profile is not None:
        words.append(f"profile={spec.profile}")
        words += [f"endpoint={spec.endpoint}"] if spec.endpoint else []
        words += [f"model={spec.model}"] if spec.model else []
    elif spec.model:
        words.append("/".join(name for name in (spec.endpoint, spec.model) if name))
    elif spec.endpoint:
        words.append(f"endpoint={spec.endpoint}")
    words += [f"label={spec.label}"] if spec.label else []
    return _joined([*words, *settings_words(spec.settings)])


def settings_text(settings: Settings) -> str:
    """`temperature=0.5 max_tokens=100`; empty where everything is left to the server."""
    return _joined(settings_words(settings))


def settings_words(settings: Settings) -> list[str]:
    """The same, word by word, before they are quoted for a shell."""
    said = [(name, getattr(settings, name)) for name in Settings.__struct_fields__]
    return [f"{name}={_written(name, value)}" for name, value in said if value != getattr(_LEFT, name)]


def sweep(
    bases: Iterable[LaneSpec], temperatures: Iterable[float | None] = (), systems: Iterable[str | None] = ()
) -> list[LaneSpec]:
    """Each of these lanes with each temperature and each system prompt; None leaves what the lane has."""
    ways = list(product(list(systems) or [None], list(temperatures) or [None]))
    return [
        replace(base, settings=Settings(system=system, temperature=temperature).over(base.settings))
        for base in bases
        for system, temperature in ways
    ]


def _quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"


def _joined(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))


def _written(name: str, value: Any) -> str:
    """A value as `toml_value` reads it back."""
    if name in TEXTS:
        return json.dumps(value, ensure_ascii=False) if _quoted(value) else value
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, dict) or hasattr(value, "items"):
        table = cast("Mapping[str, Any]", value)
        inner = ", ".join(f"{_toml(name)} = {_toml(inner)}" for name, inner in table.items())
        return "{" + inner + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in cast("Iterable[Any]", value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
