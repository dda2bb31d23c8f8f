"""Moments as text. They are epoch seconds; one that no calendar holds is shown as unknown."""

from __future__ import annotations

from datetime import UTC, datetime

from tui_chat.domain.figures import NONE


def iso(at: float | None) -> str | None:
    """`2026-11-24T09:15:02Z`, in whole seconds; None for what no calendar holds."""
    moment = None if at is None else _moment(at)
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def short(at: float | None, now: float) -> str:
    """By the clock of this place: `09:15` today, `11-24 09:15` this year, else `2025-11-24`."""
    moment, today = None if at is None else _moment(at), _moment(now)
    if moment is None or today is None:
        return NONE
    if moment.date() == today.date():
        return moment.strftime("%H:%M")
    return moment.strftime("%m-%d %H:%M" if moment.year == today.year else "%Y-%m-%d")


def _moment(at: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return None
