"""What a search asks for: words, and filters written among them as `model:NAME`, `since:2026-11-01`, `error:yes`."""

from __future__ import annotations

import re
from datetime import date, timedelta

from msgspec import Struct

from tui_chat.domain.folding import facet

FILTERS = ("model", "endpoint", "role", "error", "since", "until")
"""The names that may stand before a colon."""

_FILTER = re.compile(rf'(?<!\S)({"|".join(FILTERS)}):("[^"]*"?|\S+)', re.IGNORECASE)
_ROLES = {"you": "user", "user": "user", "model": "assistant", "assistant": "assistant", "reply": "assistant"}


class Wanted(Struct, frozen=True):
    """A search, taken apart."""

    words: str
    facets: tuple[str, ...] = ()
    since: date | None = None
    """The first day."""
    until: date | None = None
    """The first day that is not wanted any more."""
    faults: tuple[str, ...] = ()
    """Filters that make no sense, as they were written."""

    @property
    def empty(self) -> bool:
        return not (self.words.strip() or self.facets or self.since or self.until)


def wanted(text: str) -> Wanted:
    """The search that `text` asks for. Dates are `2026-11-01`, `2026-11` or `2026`; `until` includes its date."""
    facets: list[str] = []
    faults: list[str] = []
    since: date | None = None
    until: date | None = None
    for found in _FILTER.finditer(text):
        name, value = found[1].lower(), found[2].strip('"')
        if name in ("since", "until"):
            span = _span(value)
            if span is None:
                faults.append(found[0])
            elif name == "since":
                since = span[0]
            else:
                until = span[1]
        elif (name == "error" and value.lower() != "yes") or (name == "role" and value.lower() not in _ROLES):
            faults.append(found[0])
        elif name == "error":
            facets.append(facet(name, "yes"))
        else:
            facets.append(facet(name, _ROLES[value.lower()] if name == "role" else value))
    return Wanted(_FILTER.sub(" ", text).strip(), tuple(facets), since, until, tuple(faults))


def _span(text: str) -> tuple[date, date] | None:
    """The first day of a day, month or year, and the first after it."""
    try:
        parts = [int(part) for part in text.split("-")]
        match parts:
            case [year]:
                return date(year, 1, 1), date(year + 1, 1, 1)
            case [year, month]:
                return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
            case [year, month, day]:
                first = date(year, month, day)
                return first, first + timedelta(days=1)
            case _:
                return None
    except (ValueError, OverflowError):
        return None
