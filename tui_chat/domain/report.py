"""A usage report as cells of text, the same on the command line and on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain import figures
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.figures import Currency
    from tui_chat.domain.usage import Line, Report

MOST_KEY = 60
LEAST_KEY, LEAST_BAR, MOST_BAR = 12, 4, 32
GAP = 2
"""Columns between two cells."""


def headings(report: Report) -> list[str]:
    return [say(f"usage.by.{report.asked.by}"), *say("usage.columns").split(" | ")]


def cells(line: Line, currency: Currency | None = None) -> list[str]:
    """The cells of a line, in the order of `headings`."""
    return [
        visible_line(line.key, MOST_KEY) or say("usage.total"),
        money(line, currency),
        f"{line.replies:,}",
        figures.short_count(line.input, exact=line.exact),
        figures.short_count(line.output, exact=line.exact),
        figures.NONE if line.tok_per_s is None else figures.rate(line.tok_per_s).removesuffix(" tok/s"),
        figures.seconds(line.ttft_s),
    ]


def money(line: Line, currency: Currency | None = None) -> str:
    """What is known of the cost; `+?` where more is not."""
    if line.usd is None:
        return "price?" if line.unpriced else figures.NONE
    return figures.money(line.cost, currency) + (say("usage.more") if line.unpriced else "")


def layout(rows: list[list[str]], width: int) -> tuple[list[int], int]:
    """(columns of each cell, of the bar after the first) so that lines fit `width`; a bar of 0 finds no room.

    Cells at the right for which there is none are left out.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    while len(widths) > 2 and width - sum(widths[1:]) - GAP * len(widths) < min(widths[0], LEAST_KEY):
        widths.pop()
    room = width - sum(widths[1:]) - GAP * len(widths)
    bar = min(MOST_BAR, max(0, room - widths[0]))
    if bar < LEAST_BAR:
        bar = LEAST_BAR if room - LEAST_BAR >= LEAST_KEY else 0
    widths[0] = max(1, min(widths[0], room - bar))
    return widths, bar


def notes(report: Report) -> list[str]:
    """What the reader must know beside the figures."""
    unpriced = report.total.unpriced
    return [say("usage.medians"), *([say("usage.unpriced", count=f"{unpriced:,}")] if unpriced else [])]
