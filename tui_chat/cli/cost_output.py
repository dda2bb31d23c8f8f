"""Rows of a comparison of prices, for people and for scripts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tui_chat.cli.output import print_line
from tui_chat.domain.figures import NONE, in_both
from tui_chat.domain.whatif import saving
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.domain.figures import Currency
    from tui_chat.domain.whatif import Row


def fields_of(row: Row, currency: Currency) -> dict[str, Any]:
    price = row.price
    return {
        "model": row.model,
        "provider": price.provider if price is not None else None,
        "usd": row.usd,
        "ratio": row.ratio,
        "saving_pct": row.saving_pct,
        "checked": price.checked if price is not None else None,
        "source": price.source if price is not None else None,
        "when": row.when or None,
        "note": price.note or None if price is not None else None,
        "amount": None if row.usd is None else row.usd * currency.per_usd,
    }


def savings(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The cheapest, with the per cent that it costs less than each of the others; None where no price is known."""
    *others, cheapest = [row for row in rows if row.usd is not None] or [None]
    if cheapest is None or cheapest.usd is None:
        return None
    saved = {
        f"{row.model} {row.when}".strip(): saving(cheapest.usd, row.usd)
        for row in others
        if row is not None and row.usd is not None
    }
    return {"model": cheapest.model, "saves_pct": saved}


def print_rows(rows: Sequence[Row], currency: Currency, months: Sequence[Decimal | None] | None = None) -> None:
    """A line a model; `months`: what a month of it would cost, in a column of its own."""
    headings = say("cost.columns").split(" | ")
    lines = [headings, *(_line(row, currency) for row in rows)]
    if months is not None:
        for line, cell in zip(lines, [say("whatif.column"), *(in_both(usd, currency) for usd in months)], strict=True):
            line.insert(5, cell)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for model, provider, *figures, checked, note in lines:
        right = (f"{cell:>{width}}" for cell, width in zip(figures, widths[2:-2], strict=True))
        cells = (f"{model:<{widths[0]}}", f"{provider:<{widths[1]}}", *right, f"{checked:<{widths[-2]}}", note)
        print_line("  ".join(cells).rstrip())


def _line(row: Row, currency: Currency) -> list[str]:
    price = row.price
    return [
        row.model,
        (price.provider if price is not None else None) or NONE,
        in_both(row.usd, currency) if row.usd is not None else "price?",
        NONE if row.ratio is None else f"{row.ratio:f}",
        NONE if row.saving_pct is None else f"{row.saving_pct:f} %",
        (price.checked if price is not None else None) or NONE,
        "; ".join(text for text in (row.when, price.note if price is not None else "") if text),
    ]
