"""What the history came to, on the screen: by model, endpoint and day, over all time or the last days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar

from tui_chat.domain import report as shown
from tui_chat.domain.usage import Asked, By
from tui_chat.domain.words import say
from tui_chat.store.usage import report
from tui_chat.ui.screens.sheets import Page, SheetScreen
from tui_chat.ui.widgets.sheet import Table

if TYPE_CHECKING:
    from tui_chat.wiring import House

SPANS: tuple[tuple[str, int | None], ...] = (
    ("usage.span.all", None),
    ("usage.span.month", 30),
    ("usage.span.week", 7),
    ("usage.span.day", 1),
)
"""(words, days up to today)"""


class UsageScreen(SheetScreen):
    TITLE_KEY: ClassVar = "usage.title"

    def __init__(self, house: House) -> None:
        super().__init__(house, [say(f"usage.tab.{by}") for by in By], [say(span) for span, _ in SPANS])

    def read(self, tab: int, turn: int) -> Page:
        chats, days = self._house.chats, SPANS[turn][1]
        if not chats.saving and not chats.stored:
            return Page(said=say("history.unsaved"))
        since = None if days is None else date.today() - timedelta(days=days - 1)
        found = report(chats.database, Asked(list(By)[tab], since))
        if not found.lines:
            return Page(said=say("usage.nothing" if since is None else "usage.none_then"))
        currency = self._house.config.currency
        lines = [shown.cells(line, currency) for line in found.lines]
        table = Table(shown.headings(found), lines, found.shares(), shown.cells(found.total, currency))
        return Page(table, status=" ".join(reversed(shown.notes(found))))
