"""Typed reading of TOML tables, key by key: what is right is taken, what is wrong becomes a Problem.

A shape is a msgspec Struct. `Wanted` in an annotation says in words what a value must be, and checks what its type
cannot express. No sentence ever holds a text value: it might be a key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct, field
from msgspec.structs import FieldInfo, fields

from tui_chat.domain.endpoint import Secret
from tui_chat.domain.words import say

S = TypeVar("S", bound=msgspec.Struct)

Fault = str | None
"""What is wrong, as the end of a sentence that begins with file and key; None when nothing is."""

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
NUMBERS = (int, float, Decimal)
KINDS: dict[type, str] = {
    bool: "config.kind.bool",
    int: "config.kind.int",
    float: "config.kind.float",
    Decimal: "config.kind.float",
    str: "config.kind.text",
    list: "config.kind.list",
    tuple: "config.kind.list",
    dict: "config.kind.table",
}
"""TOML's kinds of values, in words; whatever else comes is a date or a time."""


class Wanted(Struct, frozen=True):
    """What a value must be: the key of its words, and a check of a value that has the right type."""

    words: str
    check: Callable[[Any], Fault] | None = None


class Problem(Struct, frozen=True):
    """One mistake in the configuration."""

    where: str
    """The file, or the environment."""
    key: str
    """Dotted path of the key, or the variable; empty when the whole file is meant."""
    line: str
    """The whole sentence: where, which key, what is wrong, what to do."""

    def __str__(self) -> str:
        return self.line


class Reader(Struct):
    """Reads the tables of one file and collects what is wrong with them."""

    where: str
    problems: list[Problem] = field(default_factory=list[Problem])

    def report(self, at: tuple[str, ...], fault: str) -> str:
        """Note a mistake; returns its sentence."""
        key = dotted(at)
        line = ended(say("config.problem", where=self.where, at=key, fault=fault))
        self.problems.append(Problem(self.where, key, line))
        return line

    def table(self, shape: type[S], raw: object, at: tuple[str, ...]) -> tuple[S | None, Fault]:
        """`raw` as a `shape` made of its right keys, and the first mistake.

        The value is None without a required key. An unknown key is reported but is no mistake of the table.
        """
        if not isinstance(raw, dict):
            return None, self.report(at, must_be(say("config.kind.table"), raw))
        table = cast("dict[str, object]", raw)
        known = {info.encode_name: info for info in fields(shape)}
        self.unknown_keys(table, known, at)
        right: dict[str, Any] = {}
        faults: list[str] = []
        for name, info in known.items():
            if name in table:
                value, fault = self.value(info.type, table[name], (*at, name))
            else:
                value, fault = None, self.missing(info, (*at, name))
            if fault is not None:
                faults.append(fault)
            if value is not None:
                right[info.name] = value
        complete = all(info.name in right for info in known.values() if info.required)
        return (shape(**right) if complete else None), next(iter(faults), None)

    def value(self, kind: Any, raw: object, at: tuple[str, ...]) -> tuple[Any, Fault]:
        """`raw` as a value of the annotation `kind`, and the first mistake; the value is None where it is wrong."""
        kind, wanted = unwrap(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.table(kind, raw, at)
        if get_origin(kind) is dict and isinstance(raw, dict):
            return self.entries(get_args(kind)[1], cast("dict[str, object]", raw), at)
        try:
            value = convert(raw, kind)
        except msgspec.ValidationError:
            return None, self.report(at, wrong_kind(kind, wanted, raw))
        fault = wanted.check(value) if wanted and wanted.check else None
        return (value, None) if fault is None else (None, self.report(at, fault))

    def entries(self, kind: Any, raw: Mapping[str, object], at: tuple[str, ...]) -> tuple[dict[str, Any], Fault]:
        """The right entries of a table with free keys, and the first mistake."""
        read = {name: self.value(kind, entry, (*at, name)) for name, entry in raw.items()}
        right = {name: value for name, (value, fault) in read.items() if fault is None}
        return right, next((fault for _, fault in read.values() if fault is not None), None)

    def missing(self, info: FieldInfo, at: tuple[str, ...]) -> Fault:
        return self.report(at, say("config.missing")) if info.required else None

    def unknown_keys(self, table: Mapping[str, object], known: Iterable[str], at: tuple[str, ...]) -> None:
        names = sorted(known)
        for name in table:
            if name not in names:
                self.report((*at, name), unknown(name, names))


def unwrap(kind: Any) -> tuple[Any, Wanted | None]:
    """The bare type of an annotation and its Wanted; TOML has no null, so `X | None` is read as X."""
    if get_origin(kind) in (Union, UnionType):
        members = [member for member in get_args(kind) if member is not NoneType]
        if len(members) == 1:
            return unwrap(members[0])
    if get_origin(kind) is Annotated:
        wanted = next((note for note in get_args(kind)[1:] if isinstance(note, Wanted)), None)
        bare = get_args(kind)[0]
        meta = [note for note in get_args(kind)[1:] if isinstance(note, msgspec.Meta)]
        return (Annotated[bare, meta[0]] if meta else bare), wanted
    return kind, None


def convert(raw: object, kind: Any) -> Any:
    """`raw` as a `kind`; raises msgspec.ValidationError."""
    if kind is Decimal and isinstance(raw, str):
        # msgspec reads numbers out of text; here a quoted price is a mistake.
        raise msgspec.ValidationError
    return msgspec.convert(raw, kind, dec_hook=_own_types)


def _own_types(kind: type, raw: object) -> object:
    if kind is Secret and isinstance(raw, str):
        return Secret(raw)
    raise TypeError


def wrong_kind(kind: Any, wanted: Wanted | None, raw: object) -> str:
    if get_origin(kind) is Literal:
        return not_one_of(raw, get_args(kind))
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else get_origin(kind) or kind
    words = say(wanted.words if wanted else KINDS.get(bare, "config.kind.text"))
    number = bare in NUMBERS and isinstance(raw, NUMBERS) and not isinstance(raw, bool)
    return say("config.must_be", wanted=words, found=_shown(raw)) if number else must_be(words, raw)


def _shown(number: Any) -> str:
    try:
        return f"{number:.6g}"
    except OverflowError:
        return say("config.kind.huge")


def must_be(wanted: str, raw: object) -> str:
    found = "config.kind.empty" if raw in ("", []) else KINDS.get(type(raw), "config.kind.date")
    return say("config.must_be", wanted=wanted, found=say(found))


def not_one_of(raw: object, choices: tuple[str, ...]) -> str:
    listed = ", ".join(choices)
    near = nearest(raw, choices) if isinstance(raw, str) else None
    if near is None:
        return say("config.not_one_of", choices=listed)
    return say("config.not_one_of_near", choices=listed, near=near)


def unknown(name: str, known: Iterable[str]) -> str:
    """The fault of a name that is not among `known`, with the nearest one."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return say("config.unknown_near", near=near)
    return say("config.unknown", known=", ".join(names)) if names else say("config.unknown_none")


def ended(sentence: str) -> str:
    """The sentence with its full stop, unless it ends as a question."""
    return sentence if sentence.endswith("?") else f"{sentence}."


def nearest(name: str, names: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.6)), None)


def dotted(parts: Iterable[str]) -> str:
    """A key path as TOML writes it: `prices."gpt-4.1".input`."""
    return ".".join(part if BARE_KEY.fullmatch(part) else f'"{part}"' for part in parts)
