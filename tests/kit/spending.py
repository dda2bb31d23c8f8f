"""Conversations whose replies have tries with given figures, as the store keeps them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tui_chat.domain.pricing import CostSource
from tui_chat.wire.forms import (
    AttemptForm,
    ConversationForm,
    CostForm,
    FiguresForm,
    NodeForm,
    ResultForm,
    State,
    TimingForm,
    UsageForm,
)

NOON = 1_790_000_000.0


def tried(
    at: float = NOON,
    model: str = "m",
    usd: str | None = None,
    *,
    endpoint: str = "work",
    source: CostSource = CostSource.COMPUTED,
    state: State = "completed",
    run: str = "",
    ttft_s: float | None = None,
    tok_per_s: float | None = None,
    **usage: Any,
) -> AttemptForm:
    """One try, sent `at` epoch seconds; `usage` are the fields of a UsageForm."""
    cost = CostForm() if usd is None else CostForm(usd=Decimal(usd), source=source)
    timing = TimingForm(ttft_s=ttft_s, tok_per_s=tok_per_s)
    figures = FiguresForm(usage=UsageForm(**{"exact": True, **usage}), timing=timing, cost=cost)
    return AttemptForm(
        run=run or f"run-{at}-{model}-{endpoint}",
        endpoint=endpoint,
        model=model,
        began=at,
        state=state,
        figures=figures,
    )


def spending(uid: str, *replies: list[AttemptForm]) -> ConversationForm:
    """A conversation of one question, with a reply for each list of tries."""
    begun = replies[0][0].began if replies else NOON
    asked = NodeForm(id=f"{uid}q", role="user", text="?", created=begun, in_chat=True)
    answers = [
        NodeForm(
            id=f"{uid}a{n}",
            parent=asked.id,
            role="assistant",
            text="!",
            created=tries[0].began,
            endpoint=tries[-1].endpoint,
            model=tries[-1].model,
            state=tries[-1].state,
            in_chat=not n,
            result=ResultForm(state=tries[-1].state, figures=tries[-1].figures),
            attempts=tries,
        )
        for n, tries in enumerate(replies)
    ]
    return ConversationForm(
        id=uid, title=uid, in_chat=[asked.id, answers[0].id], nodes=[asked, *answers], created=begun, updated=begun
    )
