"""How many columns the screen reserves for a text: what a terminal has to agree with."""

from __future__ import annotations

from rich.cells import cell_len


def columns(text: str) -> int:
    """The width with which the screen lays `text` out."""
    return cell_len(text)
