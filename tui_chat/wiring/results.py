"""One run as the contract's JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tui_chat.wire.forms import CostForm, ErrorForm, TimingForm, UsageForm

if TYPE_CHECKING:
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.draft import Draft
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost
    from tui_chat.engine.reply import Target


class Answered(Protocol):
    """A run as it is reported: the reply of a session, an item of a batch."""

    @property
    def draft(self) -> Draft: ...
    @property
    def target(self) -> Target: ...
    @property
    def run(self) -> RunRecord: ...
    def stats(self) -> Stats: ...
    def cost(self) -> Cost: ...


def ask_object(reply: Answered, *, saved: bool = False) -> dict[str, Any]:
    """The object that `ask --json` prints, and that a line of a batch holds; unknown is None, never 0.

    A run that is not saved cannot be named.
    """
    draft, stats = reply.draft, reply.stats()
    return {
        "text": draft.text,
        "reasoning": draft.reasoning or None,
        "endpoint": reply.target.endpoint.name,
        "model": reply.target.model,
        "finish_reason": draft.finish_reason,
        "state": draft.phase.value,
        "attempts": stats.attempts,
        "usage": UsageForm.of(stats),
        "timing": TimingForm.of(stats),
        "cost": CostForm.of(reply.cost()),
        "skipped": draft.skipped,
        "run": reply.run.id if saved else None,
        "error": None if draft.failure is None else ErrorForm.of(draft.failure),
    }
