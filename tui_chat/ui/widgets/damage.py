"""Which cells of a row have changed, so that no others are painted."""

from __future__ import annotations

import re

from textual.strip import Strip

from tui_chat.ui.cells import columns

BLANK = Strip([])
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


def changed_cells(old: Strip, new: Strip) -> tuple[int, int]:
    """(first, end) of the cells in which two rows differ; all of them where text from right to left may be moved."""
    width = max(old.cell_length, new.cell_length)
    if _RIGHT_TO_LEFT.search(old.text) or _RIGHT_TO_LEFT.search(new.text):
        return 0, width
    same = 0
    for before, after in zip(old, new, strict=False):
        if before == after:
            same += after.cell_length
            continue
        if before.style == after.style:
            shared = _shared(before.text, after.text)
            same += columns(after.text[:shared])
        break
    # The last character may take its width from the next.
    return max(0, same - 2), width


def _shared(old: str, new: str) -> int:
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))
