"""What the transcript shows of a conversation: nodes and the reply under way as turns, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain import figures as show
from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.rows import Head, Note, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.conversation import Conversation, Node, Result
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.figures import Currency
    from tui_chat.domain.meter import Stats
    from tui_chat.engine.reply import Reply

PHASE_STYLES = {
    Phase.COMPLETED: "dim",
    Phase.CANCELLED: "warning",
    Phase.INTERRUPTED: "warning",
    Phase.FAILED: "error",
    Phase.WAITING: "warning",
    Phase.LOADING: "warning",
    Phase.STREAMING: "good",
    Phase.THINKING: "good",
}


def turns(
    conversation: Conversation,
    replies: Iterable[Reply | None],
    currency: Currency | None = None,
    at: str | None = None,
    *,
    decides: bool = True,
) -> list[Turn]:
    """The path in chat, or the one down to `at`; what is under way among `replies` with what it has so far.

    Amounts also in a currency of one's own. `decides`: the screen has keys to keep or discard what was interrupted.
    """
    out: list[Turn] = []
    live_replies = {reply.node.id: reply for reply in replies if reply is not None}
    for node in conversation.path(at):
        live = live_replies.get(node.id) if node.result is None else None
        out.append(
            Turn(
                id=node.id,
                role=node.role,
                head=head(conversation, node, live, currency),
                text=node.words if live is None else live.draft.text,
                thinking=node.reasoning if live is None else live.draft.reasoning,
                notes=notes(node.result, node.text, decides=decides) if node.result is not None else (),
                folded=True,
            )
        )
    return out


def head(conversation: Conversation, node: Node, live: Reply | None, currency: Currency | None = None) -> Head:
    """The line above a turn: who speaks, which version, and how it went or goes."""
    place, count = conversation.siblings(node.id)
    version = say("turn.version", place=place, count=count) if count > 1 else ""
    if node.role == "user":
        return Head(say("turn.you"), version=version)
    if live is not None:
        thinking = thinking_line(live.stats()) if live.draft.reasoning and _speaks(live.draft.text) else ""
        return Head(node.model, live_state(live), PHASE_STYLES.get(live.draft.phase, "dim"), version, thinking)
    if node.result is not None:
        thinking = thinking_line(node.result.stats) if node.reasoning and _speaks(node.text) else ""
        state_style = PHASE_STYLES.get(node.result.phase, "dim")
        return Head(node.model, ended_state(node.result, currency), state_style, version, thinking)
    return Head(node.model, say("turn.elsewhere"), version=version)


def _speaks(text: str) -> bool:
    return bool(text) and not text.isspace()


def thinking_line(stats: Stats) -> str:
    """`reasoning · ~412 tokens · 3.2 s`, without what is not known."""
    parts = [say("fold.reasoning")]
    if stats.usage.reasoning:
        parts.append(show.in_tokens(stats.usage.reasoning, exact=stats.exact))
    if stats.ttft_s is not None and stats.ttft_answer_s is not None and stats.ttft_answer_s > stats.ttft_s:
        parts.append(show.seconds(stats.ttft_answer_s - stats.ttft_s))
    return " · ".join(parts)


def seconds_to_retry(reply: Reply) -> int | None:
    """Whole seconds until the next try; None unless the reply waits for one."""
    waiting = reply.draft.waiting
    if reply.draft.phase is not Phase.WAITING or waiting is None:
        return None
    return max(0, round(waiting[0] - reply.age))


def live_state(reply: Reply) -> str:
    """`● streaming · attempt 2 of 4 · 3.2 s`, or the countdown while waiting to retry."""
    draft, stats, left = reply.draft, reply.stats(), seconds_to_retry(reply)
    if left is not None and draft.failure is not None:
        reason = visible_line(draft.failure.message, 60)
        return "◌ " + say("state.retry_in", attempt=draft.attempts, reason=reason, seconds=left)
    parts = [f"● {say(f'state.{draft.phase}')}"]
    if draft.attempts > 1 and draft.phase is not Phase.LOADING:
        attempts = max(draft.attempts, reply.target.endpoint.retry.attempts)
        parts.append(say("state.attempt", attempt=draft.attempts, attempts=attempts))
    parts.append(show.seconds(stats.elapsed_s))
    if draft.phase in (Phase.STREAMING, Phase.THINKING) and (stats.silence_s or 0) >= 3:
        parts.append(say("state.silence", seconds=show.seconds(stats.silence_s)))
    return " · ".join(parts)


def ended_state(result: Result, currency: Currency | None = None) -> str:
    """`done · 3.2 s · 412 tokens · 88.1 tok/s · $0.0012`."""
    stats = result.stats
    parts = [say(f"state.{result.phase}")]
    # How long a reply took whose program was killed is not known.
    parts += [show.seconds(stats.elapsed_s)] if stats.elapsed_s else []
    if stats.usage.output:
        parts.append(show.in_tokens(stats.usage.output, exact=stats.exact))
    if stats.tok_per_s is not None:
        parts.append(show.rate(stats.tok_per_s, exact=stats.exact))
    if result.cost.usd is not None and stats.usage.output:
        parts.append(show.money(result.cost, currency))
    return " · ".join(parts)


def notes(result: Result, text: str, *, decides: bool = True) -> tuple[Note, ...]:
    """The lines under a reply that did not simply end well; `text` is all of it."""
    out = [Note(say("turn.seam", after=_before(text, seam))) for seam in result.seams]
    match result.phase:
        case Phase.FAILED if result.failure is not None:
            out += failure_notes(result.failure)
            if text:
                out.append(Note(say("turn.failed_kept")))
        case Phase.INTERRUPTED:
            undecided = result.undecided and decides
            out.append(Note(say("turn.interrupted" if undecided else "turn.interrupted_kept"), "warning"))
        case Phase.CANCELLED:
            out.append(Note(say("turn.cancelled" if text else "turn.cancelled_empty"), "warning"))
        case _:
            out += reason_notes(result.finish_reason, empty=not text)
    if result.skipped:
        out.append(Note(say("turn.skipped", count=result.skipped), "warning"))
    return tuple(out)


def _before(text: str, seam: int) -> str:
    """The last words before a seam."""
    return visible_line(text[max(0, seam - 24) : seam])


def failure_notes(failure: Failure) -> list[Note]:
    lines = [Note(say("turn.failed", message=visible_line(failure.message)), "error")]
    if failure.hint:
        lines.append(Note(visible_line(failure.hint)))
    return lines


def reason_notes(reason: str | None, *, empty: bool) -> list[Note]:
    known = {"length": "turn.length", "content_filter": "turn.filtered", "refusal": "turn.refusal"}
    if reason in known:
        return [Note(say(known[reason], reason=reason), "warning")]
    if reason not in ("stop", None):
        return [Note(say("turn.stopped", reason=visible_line(reason, 40)))]
    return [Note(say("turn.empty"))] if empty else []
