"""The progress of a batch on a terminal, as one live line with a bar."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

if TYPE_CHECKING:
    from types import TracebackType

    from tui_chat.cli.batch_telling import Standing

BAR_FROM = 110
"""Columns."""


class Bar:
    """A live line on stderr; what is written there meanwhile goes above it."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
        # Where the line would be cut, the figures are worth more than the bar.
        bar = [BarColumn(bar_width=20)] if console.width >= BAR_FROM else []
        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        self._progress = Progress(*bar, text, console=console, auto_refresh=False, transient=True)
        self._task: TaskID = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, standing: Standing) -> None:
        """Draw where the batch is."""
        self._progress.update(
            self._task, description=standing.line, completed=standing.ended, total=standing.expected, refresh=True
        )
