"""Themes from TOML files: those that are shipped, and the user's own. A bad file is a message, never a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DARK, LIGHT = "night", "paper"
"""The themes of those who have chosen none, after the terminal's background."""
ANSI = BUILTIN_THEMES["ansi-dark"].variables
"""What Textual's own widgets need to know of a theme in the terminal's colours."""
MUTED = 0.6
"""How much of the foreground is left in muted text, where a theme does not say."""


class ThemeFile(msgspec.Struct, forbid_unknown_fields=True):
    """A theme as it is written; a colour that is left out follows from `primary`."""

    primary: str
    secondary: str | None = None
    accent: str | None = None
    foreground: str | None = None
    background: str | None = None
    surface: str | None = None
    panel: str | None = None
    success: str | None = None
    warning: str | None = None
    error: str | None = None
    dark: bool = True
    ansi: bool = False
    """Its colours are the terminal's sixteen, which the terminal shows as it likes."""
    variables: dict[str, str] = {}


class Loaded(Struct, frozen=True):
    """The themes that can be used, and a line for each file that cannot."""

    themes: dict[str, Theme]
    problems: tuple[str, ...]


def load(folders: Iterable[Path]) -> Loaded:
    """All themes of these folders, named after their files; later folders win."""
    themes: dict[str, Theme] = {}
    problems: list[str] = []
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            try:
                themes[path.stem] = read(path.stem, path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                problems.append(say("theme.bad", file=path, fault=error))
    return Loaded(themes, tuple(problems))


def read(name: str, text: str) -> Theme:
    """A theme from TOML; raises ValueError with what is wrong."""
    try:
        file = msgspec.toml.decode(text, type=ThemeFile)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    for key, value in (*msgspec.structs.asdict(file).items(), *file.variables.items()):
        if isinstance(value, str):
            _check(key, value)
    return Theme(
        name=name,
        primary=file.primary,
        secondary=file.secondary,
        accent=file.accent,
        foreground=file.foreground,
        background=file.background,
        surface=file.surface,
        panel=file.panel,
        success=file.success,
        warning=file.warning,
        error=file.error,
        dark=file.dark,
        ansi=file.ansi,
        variables={**ANSI, **file.variables} if file.ansi else file.variables,
    )


def described(name: str) -> str:
    """What a shipped theme is like; empty for one of the user's own."""
    try:
        return say(f"theme.is_{name.replace('-', '_')}")
    except KeyError:
        return ""


def completed(variables: Mapping[str, str]) -> dict[str, str]:
    """A theme's variables with our own, made of its colours where it does not set them.

    `muted` is text that stands back, `code` that of code, `ink` what is written on a hue.
    """
    background, foreground = (Color.parse(variables[name]) for name in ("background", "foreground"))
    own = {"muted": background.blend(foreground, MUTED).hex, "code": variables["accent"], "ink": background.hex}
    return {**own, **variables}


def _check(key: str, colour: str) -> None:
    try:
        Color.parse(colour)
    except ColorParseError:
        raise ValueError(say("theme.colour", key=key, value=colour)) from None
