"""Exit codes, as the contract has them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.conversation import Result
    from tui_chat.domain.draft import Draft


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    """The request ended failed or blocked."""
    USAGE = 2
    """Usage or configuration; nothing is on stdout."""
    NO_KEY = 3
    """No endpoint, or its key is missing or refused."""
    BUDGET = 4
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


def exit_of(draft: Draft | Result) -> ExitCode:
    """The code for one run."""
    if draft.phase is Phase.COMPLETED:
        return ExitCode.DONE
    if draft.phase in (Phase.CANCELLED, Phase.INTERRUPTED):
        return ExitCode.INTERRUPTED
    kind = draft.failure.kind if draft.failure is not None else Kind.INTERNAL
    return exit_of_kind(kind)


def exit_of_kind(kind: Kind) -> ExitCode:
    if kind in (Kind.AUTH, Kind.PERMISSION):
        return ExitCode.NO_KEY
    return ExitCode.BUDGET if kind is Kind.BUDGET else ExitCode.FAILED


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code for several results: 130, then 4, then 3 when all are 3, then 1, else 0."""
    found = list(codes)
    for code in (ExitCode.INTERRUPTED, ExitCode.BUDGET):
        if code in found:
            return code
    if found and all(code is ExitCode.NO_KEY for code in found):
        return ExitCode.NO_KEY
    return ExitCode.FAILED if any(found) else ExitCode.DONE
