"""How many columns the screen reserves for a text: what a terminal has to agree with."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

BAR = "▌"
"""What stands before the line that is chosen."""


def columns(text: str) -> int:
    """The width with which the screen lays `text` out."""
    return cell_len(text)


def clipped(text: str, width: int) -> str:
    """`text` in at most `width` columns, with an ellipsis for what is left out."""
    if columns(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1).rstrip()}…" if width > 0 else ""


def padded(text: str, width: int) -> str:
    """`text` in exactly `width` columns."""
    return set_cell_size(clipped(text, width), width)
