"""One run as the contract's JSON object, and as a line of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui_chat.domain import figures as show
from tui_chat.domain.draft import Phase
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.session import Reply


def ask_object(reply: Reply, *, saved: bool = False) -> dict[str, Any]:
    """The object `ask --json` prints; unknown is None, never 0. A run that is not saved cannot be named."""
    draft, stats = reply.draft, reply.stats()
    usage, cost = stats.usage, reply.cost()
    return {
        "text": draft.text,
        "reasoning": draft.reasoning or None,
        "endpoint": reply.target.endpoint.name,
        "model": reply.target.model,
        "finish_reason": draft.finish_reason,
        "state": draft.phase.value,
        "attempts": stats.attempts,
        "usage": {
            "input": usage.input,
            "cached": usage.cached,
            "cache_write": usage.cache_write,
            "reasoning": usage.reasoning,
            "output": usage.output,
            "exact": stats.exact,
        },
        "timing": {
            "ttft_s": _rounded(stats.ttft_s),
            "ttft_answer_s": _rounded(stats.ttft_answer_s),
            "total_s": _rounded(stats.elapsed_s),
            "wait_s": _rounded(stats.wait_s),
            "tok_per_s": _rounded(stats.tok_per_s),
            "gap_p50_s": _rounded(stats.gap_p50_s),
            "gap_p95_s": _rounded(stats.gap_p95_s),
            "gap_max_s": _rounded(stats.gap_max_s),
        },
        "cost": {"usd": cost.usd, "source": cost.source.value, "price_checked": cost.price_checked},
        "skipped": draft.skipped,
        "run": reply.run.id if saved else None,
        "error": None if draft.failure is None else error_object(draft.failure),
    }


def unsent_object(failure: Failure | None, endpoint: str | None, model: str | None) -> dict[str, Any]:
    """The object of a question that could not even be sent; without a failure, it was cancelled."""
    unknown = dict.fromkeys
    return {
        "text": "",
        "reasoning": None,
        "endpoint": endpoint,
        "model": model or None,
        "finish_reason": None,
        "state": (Phase.CANCELLED if failure is None else Phase.FAILED).value,
        "attempts": 0,
        "usage": {**unknown(("input", "cached", "cache_write", "reasoning", "output")), "exact": False},
        "timing": unknown(
            ("ttft_s", "ttft_answer_s", "total_s", "wait_s", "tok_per_s", "gap_p50_s", "gap_p95_s", "gap_max_s")
        ),
        "cost": {"usd": None, "source": "unknown", "price_checked": None},
        "skipped": 0,
        "run": None,
        "error": None if failure is None else error_object(failure),
    }


def error_object(failure: Failure) -> dict[str, Any]:
    return {
        "kind": failure.kind.value,
        "message": failure.message,
        "hint": failure.hint,
        "status": failure.status,
        "retryable": failure.retryable,
    }


def figures_line(reply: Reply) -> str:
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


def _rounded(value: float | None) -> float | None:
    """Microseconds are more than a network can mean."""
    return None if value is None else round(value, 6)
