"""A live table on stderr: the one place of the command line that knows rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class LiveTable:
    """A table that is drawn anew in its place and goes away at the end; its cells are text, never markup."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, rows: Sequence[Sequence[str]]) -> None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for place, column in enumerate(self._columns):
            table.add_column(Text(column), no_wrap=True, justify="left" if place < 3 else "right")
        for row in rows:
            table.add_row(*(Text(cell, overflow="ellipsis") for cell in row))
        self._live.update(table, refresh=True)
