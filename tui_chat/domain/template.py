"""Prompts made of a template: `Translate: {text}`. `{{` and `}}` are braces; nothing is evaluated."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class BadTemplate(Exception):
    """The template has a brace that belongs to no field, or a field without a name."""


class MissingField(Exception):
    """A field of the template is not there; the message is its name."""


class Template:
    """Text with `{field}` placeholders; a field's name is whatever stands between the braces."""

    def __init__(self, text: str) -> None:
        """Raises BadTemplate."""
        self._parts: list[tuple[str, str | None]] = []
        try:
            for literal, name, form, conversion in Formatter().parse(text):
                # What Formatter takes for a format or a conversion is part of a name here.
                whole = None if name is None else name + (f"!{conversion}" if conversion else "")
                self._parts.append((literal, whole if not form or whole is None else f"{whole}:{form}"))
        except ValueError as error:
            raise BadTemplate from error
        if "" in self.fields:
            raise BadTemplate

    @property
    def fields(self) -> list[str]:
        return [name for _, name in self._parts if name is not None]

    def render(self, values: Mapping[str, str]) -> str:
        """The text with its fields filled. Raises MissingField."""
        filled: list[str] = []
        for literal, name in self._parts:
            filled.append(literal)
            if name is not None:
                if name not in values:
                    raise MissingField(name)
                filled.append(values[name])
        return "".join(filled)
