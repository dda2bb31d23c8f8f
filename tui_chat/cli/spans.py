"""`--since` and `--until`, which mean the same wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.failure import UsageError
from tui_chat.domain.finding import wanted
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from datetime import date


def span(since: str | None, until: str | None) -> tuple[date | None, date | None]:
    """(first day, first day that is not wanted any more) of what `--since` and `--until` say. Raises UsageError."""
    given = {name: text for name, text in (("since", since), ("until", until)) if text is not None}
    asked = {name: wanted(f'{name}:"{text}"') for name, text in given.items()}
    if faults := [f"--{name} {given[name]}" for name, one in asked.items() if one.faults or one.words]:
        raise UsageError(say("usage.filter", filters=", ".join(faults)))
    first, last = asked.get("since"), asked.get("until")
    return first and first.since, last and last.until
