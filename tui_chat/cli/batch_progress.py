"""The progress of a batch on a terminal, as one live line with a bar."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from tui_chat.cli.batch_telling import Standing


class Bar:
    """A live line on stderr; what is written there meanwhile goes above it."""

    def __init__(self) -> None:
        self._progress = Progress(
            BarColumn(bar_width=20),
            TextColumn("{task.description}", markup=False),
            console=Console(file=sys.stderr, highlight=False, markup=False, emoji=False),
            auto_refresh=False,
            transient=True,
        )
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
        line = Text(standing.line, no_wrap=True, overflow="ellipsis")
        self._progress.update(
            self._task, description=line.plain, completed=standing.ended, total=standing.expected, refresh=True
        )
