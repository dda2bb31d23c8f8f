"""Conversations and hits as rows of a list, in columns where there is room. Foreign text is made visible here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.segment import Segment

from tui_chat.domain import figures
from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible, visible_line
from tui_chat.domain.words import say
from tui_chat.store.library import Summary
from tui_chat.ui.cells import clipped, columns, padded

if TYPE_CHECKING:
    from rich.style import Style

    from tui_chat.store.search import Hit

    Palette = dict[str, Style]

ROOMY = 72
"""Columns from which the second line of a conversation stands in columns."""
NARROW = 50
"""Columns below which a hit does not say who spoke."""
WHEN, TURNS, COST, STATE, MODELS = 14, 12, 12, 14, 40
"""Widths of these columns; the models' is the greatest."""
INDENT = 2
"""Columns of the mark and of the space behind it."""
SPEAKER = 28
"""Columns of who said what was found, at most."""
STATE_STYLES = {Phase.INTERRUPTED: "warning", Phase.FAILED: "error", Phase.STREAMING: "good"}


def summary_row(
    item: Summary, row: int, width: int, palette: Palette, *, streaming: bool, current: bool
) -> list[Segment]:
    """The title of a conversation, or, in row 1, what else is known of it."""
    if row == 0:
        mark = "★" if item.pinned else " "
        title = clipped(title_of(item), width - INDENT - 1)
        return [Segment(f"{mark} ", palette["mark"]), Segment(title, palette["hit" if current else "name"])]
    return [Segment(" " * INDENT), *_known(item, width - INDENT - 1, palette, streaming=streaming)]


def compact_row(item: Summary | Hit, width: int, palette: Palette, *, streaming: bool, current: bool) -> list[Segment]:
    """A conversation in one row: its title behind the mark of what matters most."""
    mark, style = _mark(item, streaming=streaming)
    title = clipped(title_of(item), width - INDENT - 1)
    return [Segment(f"{mark} ", palette[style]), Segment(title, palette["hit"] if current else None)]


def hit_row(item: Hit, row: int, width: int, palette: Palette) -> list[Segment]:
    """The title and who spoke when; in row 1 what was said, with what was searched for."""
    room = width - INDENT - 1
    if row:
        return [Segment(" " * INDENT), *_snippet(item, room, palette)]
    who = say("turn.you") if item.role == "user" else visible_line(item.model) or say("history.reply")
    side = f"{clipped(who, min(SPEAKER, room // 3))} · {when(item.at)}" if room >= NARROW else when(item.at)
    title = padded(title_of(item), room - columns(side) - 2)
    return [Segment(" " * INDENT), Segment(title, palette["name"]), Segment(f"  {side}", palette["dim"])]


def title_of(item: Summary | Hit) -> str:
    return visible_line(item.title) or say("history.untitled")


def when(at: float, now: datetime | None = None) -> str:
    """`today 14:05`, `yesterday`, `3 Nov`, `3 Nov 2024`, by the clock of this place."""
    try:
        moment = datetime.fromtimestamp(at)
    except (ValueError, OverflowError, OSError):
        return figures.NONE
    today = (now or datetime.now()).date()
    if moment.date() == today:
        return say("history.today", time=f"{moment:%H:%M}")
    if moment.date() == today - timedelta(days=1):
        return say("history.yesterday")
    day = f"{moment.day} {say('history.months').split()[moment.month - 1]}"
    return day if moment.year == today.year else f"{day} {moment.year}"


def _mark(item: Summary | Hit, *, streaming: bool) -> tuple[str, str]:
    if streaming:
        return "●", "good"
    if item.state == Phase.INTERRUPTED:
        return "!", "warning"
    return ("★" if isinstance(item, Summary) and item.pinned else " "), "mark"


def _known(item: Summary, width: int, palette: Palette, *, streaming: bool) -> list[Segment]:
    turns = say("history.turn" if item.turns == 1 else "history.turns", count=f"{item.turns:,}")
    models = ", ".join(visible_line(model, 60) for model in item.models)
    cost = figures.spent(item.cost, estimated=item.estimated) if item.cost is not None else ""
    state, style = _state(item, streaming=streaming)
    if width < ROOMY:
        # The state comes first, for it must not be cut off.
        line = " · ".join(part for part in (state, when(item.updated), turns, models, cost) if part)
        behind = clipped(line, width)[len(state) :]
        return [Segment(state, palette[style]), Segment(behind, palette["dim"])]
    room = min(MODELS, width - WHEN - TURNS - COST - STATE)
    line = padded(when(item.updated), WHEN) + padded(turns, TURNS) + padded(clipped(models, room - 2), room)
    return [Segment(line + padded(cost, COST), palette["dim"]), Segment(state, palette[style])]


def _state(item: Summary, *, streaming: bool) -> tuple[str, str]:
    """What has to be said of the newest reply; one that simply ended goes without saying."""
    phase = Phase.STREAMING if streaming else item.state
    if phase is None or phase == Phase.COMPLETED:
        return "", "dim"
    return say(f"state.{phase}"), STATE_STYLES.get(Phase(phase), "dim")


def _snippet(item: Hit, width: int, palette: Palette) -> list[Segment]:
    out: list[Segment] = []
    for text, is_hit in item.snippet:
        shown = clipped(visible(text).replace("\n", " ").replace("\t", " "), width)
        width -= columns(shown)
        out.append(Segment(shown, palette["hit" if is_hit else "dim"]))
    return out
