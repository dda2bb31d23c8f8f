"""What of a turn is folded away, and the line that stands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.ui.rows.model import Turn

LONG = 12
"""Rows from which a question is folded."""
SHOWN = 6
"""Rows that a folded question keeps."""


def foldable(turn: Turn, width: int) -> bool:
    """True when there is something to fold at this width."""
    return _is_long(turn.text, width) if turn.role == "user" else answered(turn)


def answered(turn: Turn) -> bool:
    """True when an answer stands below thoughts."""
    return bool(turn.thinking) and bool(turn.text) and not turn.text.isspace()


def shut(turn: Turn) -> bool:
    """True when the thoughts are not shown."""
    return turn.folded and turn.role != "user" and answered(turn)


def thinking_line(turn: Turn) -> str:
    """The line above thoughts that are folded, or may be; empty while there is none."""
    if shut(turn):
        return f"▸ {turn.head.thinking or say('fold.reasoning')}"
    return f"▾ {turn.head.thinking}" if turn.head.thinking else ""


def shown_question(turn: Turn, width: int) -> tuple[str, str]:
    """(the part of a question that is shown, the line that stands for the rest)."""
    text = turn.text
    if not turn.folded or not _is_long(text, width):
        return text, ""
    end, rows = 0, 0
    while rows < SHOWN:
        line_end = text.find("\n", end)
        line_end = len(text) if line_end < 0 else line_end
        room = (SHOWN - rows) * width
        if line_end - end > room:
            return text[: end + room], _rest(text, end + room)
        rows += 1 + max(0, line_end - end - 1) // width
        end = line_end + 1
    return text[: end - 1], _rest(text, end)


def _rest(text: str, start: int) -> str:
    lines = text.count("\n", start) + (not text.endswith("\n"))
    if lines > 1:
        return "▸ " + say("fold.lines", count=f"{lines:,}")
    return "▸ " + say("fold.characters", count=f"{len(text) - start:,}")


def _is_long(text: str, width: int) -> bool:
    return text.count("\n") + len(text) // width >= LONG


def folded_rows(turn: Turn, width: int) -> int | None:
    """About how many rows the texts of a folded turn take; None when nothing of it is folded."""
    if turn.role == "user":
        return SHOWN + 1 if turn.folded and _is_long(turn.text, width) else None
    return 3 + turn.text.count("\n") + len(turn.text) // width if shut(turn) else None
