"""Rows for a spreadsheet."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from tui_chat.wire.spreadsheet import as_csv

CELLS: dict[str, object] = {
    "": None,
    "true": True,
    "0.0000000030": Decimal("3.0E-9").quantize(Decimal("1e-10")),
    "-1.5": -1.5,
    "'=1+1": "=1+1",
    "'+1": "+1",
    "'-1": "-1",
    "'@a": "@a",
    "'\ta": "\ta",
    "'\ra": "\ra",
    "a\rb": "a\rb",
    'a "b", c\nd': 'a "b", c\nd',
}


@pytest.mark.parametrize("written", CELLS)
def test_a_cell(written: str) -> None:
    assert next(csv.reader(io.StringIO(as_csv([[CELLS[written], "x"]]), newline=""))) == [written, "x"]


def test_a_line_a_row() -> None:
    assert as_csv([["a", "b"], (1, None)]) == "a,b\n1,\n"
