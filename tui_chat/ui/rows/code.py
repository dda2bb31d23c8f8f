"""Code as runs in the colours of the theme, a bounded piece at a time."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rich.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pygments.lexer import Lexer

    from tui_chat.ui.rows.model import Palette
    from tui_chat.ui.rows.runs import Runs

PIECE_LINES = 40
PIECE_CHARS = 2_000
"""Where a piece of code ends that is coloured by itself; the lexer begins anew after it."""
EARLY = 24
"""Lines after which a piece ends at the first line that is not set in and follows an empty one."""

_COLOURS = (
    ("Comment", "comment"), ("Literal.String", "string"), ("Literal.Number", "number"), ("Keyword.Type", "type"),
    ("Keyword", "keyword"), ("Name.Function", "function"), ("Name.Decorator", "function"), ("Name.Class", "type"),
    ("Name.Builtin", "type"), ("Name.Exception", "type"), ("Name.Tag", "keyword"), ("Name.Attribute", "function"),
    ("Operator.Word", "keyword"), ("Operator", "operator"), ("Punctuation", "operator"),
    ("Generic.Inserted", "string"), ("Generic.Deleted", "error"), ("Generic.Heading", "heading"),
)  # fmt: skip
"""Beginnings of the names of pygments' token types, and the style for them."""


def piece(lines: Sequence[str], start: int) -> int | None:
    """The line before which the piece that begins with line `start` ends; None while that is not known."""
    size = 0
    for at in range(start, len(lines)):
        count = at - start
        if count >= PIECE_LINES or size >= PIECE_CHARS:
            return at
        if count > EARLY and not lines[at - 1] and lines[at][:1].strip():
            return at
        size += len(lines[at]) + 1
    return None


def coloured(lines: Sequence[str], language: str, palette: Palette, *, growing: bool) -> list[Runs]:
    """One piece of code; while its last line is growing, the others are not looked at again."""
    if not language or _lexer(language) is None:
        return [_one(line, "block", palette) for line in lines]
    head = lines[:-1] if growing else lines
    styled = [*_styled("\n".join(head), language)] if head else []
    if growing:
        styled += _styled(lines[-1], language)
    if len(styled) != len(lines):
        return [_one(line, "block", palette) for line in lines]
    return [[run for name, text in line for run in _one(text, name, palette)] for line in styled]


def _one(text: str, name: str, palette: Palette) -> Runs:
    style = palette["block"] if name == "block" else palette["block"] + palette[name]
    return [Segment(text, style)] if text else []


@lru_cache(maxsize=8)
def _styled(code: str, language: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    """(style name, text) of each line's tokens."""
    lines: list[list[tuple[str, str]]] = [[]]
    lexer = _lexer(language)
    if lexer is None:
        raise ValueError(language)
    # Some lexers look for the end of the line.
    for _, kind, text in lexer.get_tokens_unprocessed(code + "\n"):
        name = _style_name(str(kind))
        for place, part in enumerate(text.split("\n")):
            if place:
                lines.append([])
            if part and lines[-1] and lines[-1][-1][0] == name:
                lines[-1][-1] = (name, lines[-1][-1][1] + part)
            elif part:
                lines[-1].append((name, part))
    return tuple(map(tuple, lines[:-1]))


@cache
def _style_name(kind: str) -> str:
    kind = kind.removeprefix("Token.")
    return next((name for start, name in _COLOURS if kind.startswith(start)), "block")


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    # Imported with the first block of code, for it takes a while.
    from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None
