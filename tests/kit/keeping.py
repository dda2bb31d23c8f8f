"""A store filled without a program, as one run or many would have left it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from tests.kit.program import Program
from tui_chat.domain.pricing import CostSource
from tui_chat.store.database import Database
from tui_chat.store.library import Library
from tui_chat.wire.forms import ConversationForm, CostForm, ErrorForm, FiguresForm, NodeForm, ResultForm, State

NOW = time.time()


@contextmanager
def library_of(program: Program) -> Iterator[Library]:
    """The store that the program will find; what was put in is on the disk afterwards."""
    database = Database(program.data / "tui-chat.db")
    try:
        yield Library(database)
    finally:
        assert database.close()


def talk(
    id: str,
    question: str,
    answer: str,
    *,
    at: float = NOW,
    model: str = "m",
    state: State = "completed",
    cost: str | None = None,
    error: ErrorForm | None = None,
    title: str | None = None,
    pinned: bool = False,
) -> ConversationForm:
    """A question and its answer, asked at `at`, in epoch seconds."""
    spent = CostForm(usd=None if cost is None else Decimal(cost), source=CostSource.COMPUTED)
    result = ResultForm(state=state, error=error, figures=FiguresForm(cost=spent))
    asked = NodeForm(id=f"{id}q", role="user", text=question, created=at, in_chat=True)
    replied = NodeForm(
        id=f"{id}a",
        parent=asked.id,
        role="assistant",
        text=answer,
        state=state,
        created=at,
        endpoint="work",
        model=model,
        in_chat=True,
        result=result,
    )
    return ConversationForm(
        id=id,
        title=question if title is None else title,
        in_chat=[asked.id, replied.id],
        nodes=[asked, replied],
        created=at,
        updated=at,
        pinned=pinned,
    )
