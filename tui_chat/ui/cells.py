"""How many columns the screen reserves for a text: what a terminal has to agree with."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def columns(text: str) -> int:
    """The width with which the screen lays `text` out."""
    return cell_len(text)


def fitted(text: str, width: int) -> str:
    """`text` in exactly `width` columns: cut with an ellipsis, or filled with spaces."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
