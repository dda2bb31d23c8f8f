"""The findings of a checkup as the contract's JSON, and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui_chat.cli.output import print_line
from tui_chat.domain.figures import seconds
from tui_chat.domain.hostile import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.checkup import Check

MARKS = {True: "✓", False: "✗", None: "–"}
LONGEST = 600
"""Characters of a finding that are shown."""


def check_object(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "ok": check.ok,
        "ms": None if check.ms is None else round(check.ms, 3),
        "detail": check.detail,
        "hint": check.hint,
    }


class Page:
    """Prints the findings of one checkup under a heading, each one once."""

    def __init__(self, heading: str, names: Iterable[str]) -> None:
        self._heading = heading
        self._width = max(map(len, names))
        self._shown = 0

    def add(self, check: Check) -> None:
        """Print the next finding."""
        if self._shown == 0:
            print_line(visible_line(self._heading))
        self._shown += 1
        took = "" if check.ms is None else seconds(check.ms / 1000)
        lead = f"  {MARKS[check.ok]} {check.name:<{self._width}} {took:>7}  "
        print_line(lead + visible_line(check.detail, LONGEST))
        for line in (check.hint or "").splitlines():
            print_line(" " * len(lead) + visible_line(line, LONGEST))

    def complete(self, checks: list[Check]) -> None:
        """Print what is left of all the findings."""
        for check in checks[self._shown :]:
            self.add(check)
