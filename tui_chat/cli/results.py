"""A question that was never sent as the contract's JSON object, and a run as a line of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui_chat.domain import figures as show
from tui_chat.domain.draft import Phase
from tui_chat.domain.words import say
from tui_chat.wire.forms import CostForm, ErrorForm, TimingForm, UsageForm

if TYPE_CHECKING:
    from tui_chat.domain.failure import Failure
    from tui_chat.wiring.results import Answered


def unsent_object(failure: Failure | None, endpoint: str | None, model: str | None) -> dict[str, Any]:
    """The object of a question that could not even be sent; without a failure, it was cancelled."""
    return {
        "text": "",
        "reasoning": None,
        "endpoint": endpoint,
        "model": model or None,
        "finish_reason": None,
        "state": (Phase.CANCELLED if failure is None else Phase.FAILED).value,
        "attempts": 0,
        "usage": UsageForm(),
        "timing": TimingForm(),
        "cost": CostForm(),
        "skipped": 0,
        "run": None,
        "error": None if failure is None else ErrorForm.of(failure),
    }


def figures_line(reply: Answered) -> str:
    """`demo/demo-fast · done · 3.2 s · TTFT 210 ms · in 12 · out 412 · 88.1 tok/s · $0.0012`."""
    stats, draft = reply.stats(), reply.draft
    usage = stats.usage
    parts = [
        f"{reply.target.endpoint.name}/{reply.target.model}",
        say(f"state.{draft.phase}"),
        show.seconds(stats.elapsed_s),
        f"TTFT {show.seconds(stats.ttft_s)}",
        f"{say('stats.input')} {show.tokens(usage.input, exact=stats.exact)}",
        f"{say('stats.output')} {show.tokens(usage.output, exact=stats.exact)}",
        show.rate(stats.tok_per_s, exact=stats.exact),
        show.money(reply.cost()),
    ]
    if stats.attempts > 1:
        parts.append(f"{say('stats.attempt')} {stats.attempts}")
    if stats.wait_s:
        parts.append(f"{say('stats.wait')} {show.seconds(stats.wait_s)}")
    if draft.skipped:
        parts.append(f"{say('stats.skipped')} {draft.skipped}")
    return " · ".join(parts)
