"""The same traffic elsewhere: what a turn, the conversation or all of the history would cost at other models."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from tui_chat.domain import figures
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.usage import Asked
from tui_chat.domain.whatif import elsewhere, measured_by, monthly
from tui_chat.domain.words import say
from tui_chat.store.usage import models, traffic
from tui_chat.ui.screens.sheets import Page, SheetScreen
from tui_chat.ui.screens.usage import SPANS
from tui_chat.ui.widgets.sheet import Table
from tui_chat.wiring.offers import offers, usual_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.usage import Line
    from tui_chat.domain.whatif import Measured, Request, Row
    from tui_chat.wiring import House

    Traffic = Iterable[tuple[Request, Line]]

TABS = ("turn", "chat", "history")
MOST_NAME = 60


class WhatIfScreen(SheetScreen):
    TITLE_KEY: ClassVar = "whatif.title"

    def __init__(
        self, house: House, turn: str | None, chat: str | None, runs: Sequence[Sequence[RunRecord]] = ()
    ) -> None:
        """`turn` and `chat` name what is in the store; of a chat that is not, `runs` are the turn's, then all."""
        super().__init__(house, [say(f"whatif.tab.{tab}") for tab in TABS], [say(span) for span, _ in SPANS])
        self._turn, self._chat = turn, chat
        self._runs = runs

    def turns_in(self, tab: int) -> bool:
        return TABS[tab] == "history"

    def read(self, tab: int, turn: int) -> Page:
        days = SPANS[turn][1] if TABS[tab] == "history" else None
        since = None if days is None else date.today() - timedelta(days=days - 1)
        asked = (Asked(turn=self._turn or ""), Asked(conversation=self._chat or ""), Asked(since=since))[tab]
        found = self._elsewhere(asked, self._runs[tab] if tab < len(self._runs) else None)
        if not found.total.requests:
            return Page(said=say("usage.nothing" if TABS[tab] == "history" and since is None else "usage.none_then"))
        return self._page(found, TABS[tab] == "history")

    def _elsewhere(self, asked: Asked, runs: Sequence[RunRecord] | None) -> Measured:
        database, config = self._house.chats.database, self._house.config
        if runs is not None:
            requests: Traffic = measured_by(runs)
            names = [f"{run.endpoint}/{run.model}" for run in runs]
        elif self._house.chats.stored:
            requests, names = traffic(database, asked), models(database, asked)
        else:
            requests, names = (), []
        day = datetime.now(UTC).date().isoformat()
        return elsewhere(requests, offers(config, [*names, *usual_models(config, names)], day))

    def _page(self, found: Measured, projected: bool) -> Page:
        total, currency = found.total, self._house.config.currency
        now = time.time()

        def line(name: str, row: Row | None) -> list[str]:
            usd = total.usd if row is None else row.usd
            cells = [name, figures.money(total.cost, currency) if row is None else _money(row, currency)]
            cells += ["", ""] if row is None else [_ratio(row), _saving(row)]
            return [*cells, figures.in_both(monthly(usd, found.first, now), currency)] if projected else cells

        headings = say("whatif.columns").split(" | ")
        lines = [line(visible_line(row.model, MOST_NAME), row) for row in found.rows]
        most = max((row.usd for row in found.rows if row.usd is not None), default=None)
        shares = [float(row.usd / most) if row.usd and most else 0.0 for row in found.rows]
        tokens = {name: figures.tokens(getattr(total, name), exact=total.exact) for name in ("input", "output")}
        return Page(
            Table(headings if projected else headings[:-1], lines, shares, line(say("whatif.as_it_was"), None)),
            lead=f"{say('whatif.traffic', requests=f'{total.requests:,}', **tokens)} · {self._about(found)}",
            notes=[_note(row) for row in found.rows],
        )

    def _about(self, found: Measured) -> str:
        parts = [say("whatif.against", against=found.reference) if found.reference else say("whatif.against_paid")]
        if found.total.unpriced:
            parts.insert(0, say("usage.unpriced", count=f"{found.total.unpriced:,}"))
        return visible_line(" ".join(parts))


def _money(row: Row, currency: figures.Currency) -> str:
    return "price?" if row.usd is None else figures.in_both(row.usd, currency)


def _ratio(row: Row) -> str:
    """Three digits, the zeros among them, so that ratios can be read down their column."""
    return figures.NONE if row.ratio is None else f"{float(row.ratio):#.3g}".removesuffix(".")


def _saving(row: Row) -> str:
    return figures.NONE if row.saving_pct is None else f"{row.saving_pct:,.1f} %"


def _note(row: Row) -> str:
    """Who sells the model, and of which day the price is."""
    price = row.price
    if price is None:
        return say("whatif.no_price", model=visible_line(row.model, MOST_NAME))
    parts = [price.provider, price.checked and say("details.checked", day=price.checked), price.source, price.note]
    return say("whatif.price", about=visible_line(" · ".join(part for part in parts if part)))
