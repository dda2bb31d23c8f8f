"""What stands above and below a lane, and in the line of tabs: names and figures in widths that do not jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain import figures as show
from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.lane import settings_text
from tui_chat.domain.words import say
from tui_chat.ui.cells import clipped, columns
from tui_chat.ui.turns import live_state, seconds_to_retry

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Conversation, Result
    from tui_chat.engine.comparison import LaneState
    from tui_chat.engine.reply import Reply, Target

MOST = 200
"""Columns of foreign text in one line."""
NOTE_SHARE = 2
"""A note may take one in so many of the columns that a lane has for its name."""
STATE = 22
"""Columns of a lane's state."""


def name_of(target: Target) -> str:
    """`demo/demo-fast · temperature=0.5`."""
    name = "/".join(part for part in (target.endpoint.name, target.model) if part)
    return visible_line(" · ".join(part for part in (name, settings_text(target.settings)) if part), MOST)


def header(lane: LaneState, letter: str, *, hidden: bool) -> tuple[str, str, str]:
    """Letter and whether it is out of sync, who answers here (nothing while that is hidden), and the note."""
    front = f"{letter}  " if lane.synced else f"{letter}  {say('lanes.apart')} · "
    note = f"“{visible_line(lane.note, MOST)}”" if lane.note else ""
    return front, say("lanes.hidden") if hidden else name_of(lane.target), note


def fitted(heading: tuple[str, str, str], width: int) -> str:
    """The line above a lane in `width` columns; a note has room for its beginning, the name gives way."""
    front, name, note = heading
    room = width - columns(front)
    if note:
        name = clipped(name, max(room - columns(note) - 3, room - room // NOTE_SHARE))
    return front + " · ".join(part for part in (name, note) if part)


def shown_reply(lane: LaneState) -> Reply | None:
    """The reply of the newest round that is in view: the one that the next message follows."""
    return lane.reply or (lane.replies[-1] if lane.replies else None)


def ended_result(lane: LaneState, conversation: Conversation) -> Result | None:
    """How the lane's answer at its place has ended; None while it is under way or there is none of its own."""
    node = conversation.nodes.get(lane.head or "")
    return node.result if node is not None and lane.answered(node.id) else None


def phase_of(lane: LaneState, conversation: Conversation) -> Phase | None:
    """What the lane is doing, or how its answer ended; None before there is one."""
    reply = shown_reply(lane)
    if reply is not None and not reply.draft.phase.ended:
        return reply.draft.phase
    result = ended_result(lane, conversation)
    return None if result is None else result.phase


def strip(lane: LaneState, conversation: Conversation, *, hidden: bool) -> tuple[str, str]:
    """Two lines: state and speed; time to first token, tokens and cost."""
    reply, result = shown_reply(lane), ended_result(lane, conversation)
    run = _run(lane, reply)
    if reply is not None and not reply.draft.phase.ended:
        if hidden:
            return f"● {say('state.streaming')}{run}", ""
        if (waiting := retry_lines(reply)) is not None:
            return waiting
        stats, cost = reply.stats(), reply.cost()
        first = f"{live_state(reply):<{STATE}} {show.rate(stats.now_per_s, exact=False):>11}{run}"
        return first, _second(show.seconds(stats.ttft_s), stats.usage.output, show.money(cost), exact=stats.exact)
    if lane.due and reply is None:
        return say("lanes.waits"), ""
    if result is None:
        return say("lanes.empty" if lane.question is None else "state.idle"), ""
    if hidden:
        return f"{say(f'state.{result.phase}')}{run}", ""
    stats = result.stats
    # How long a reply took whose program was killed is not known.
    state = f"{say(f'state.{result.phase}')} {show.seconds(stats.elapsed_s) if stats.elapsed_s else ''}"
    first = f"{state:<{STATE}} {show.rate(stats.tok_per_s, exact=stats.exact):>11}{run}"
    cost = show.money(result.cost)
    return first, _second(show.seconds(stats.ttft_s), stats.usage.output, cost, exact=stats.exact)


def retry_lines(reply: Reply) -> tuple[str, str] | None:
    """How long until the next try, and why the last one failed; None while there is nothing to wait for."""
    left, failure = seconds_to_retry(reply), reply.draft.failure
    if left is None or failure is None:
        return None
    return "◌ " + say("lanes.retry_in", attempt=reply.draft.attempts, seconds=left), visible_line(failure.message, MOST)


def tab(lane: LaneState, letter: str, conversation: Conversation, *, hidden: bool) -> str:
    """A lane's state in a few words: `B ● 118 tok/s`, `C failed`."""
    reply = shown_reply(lane)
    if reply is not None and not reply.draft.phase.ended:
        speed = show.rate(reply.stats().now_per_s, exact=False)
        return f"{letter} ● {say('state.streaming') if hidden else f'{speed:>10}'}"
    phase = phase_of(lane, conversation)
    return f"{letter} {say(f'state.{phase}') if phase is not None else show.NONE}"


def _second(ttft: str, output: int | None, cost: str, *, exact: bool) -> str:
    return f"TTFT {ttft:<8}{show.tokens(output, exact=exact):>7} tok {cost:>10}"


def _run(lane: LaneState, reply: Reply | None) -> str:
    """Which of several runs is in view, and how many are still to come."""
    count = len(lane.replies) + len(lane.due)
    if reply is None or count < 2:
        return ""
    ended = sum(reply.draft.phase.ended for reply in lane.replies)
    return "  " + say("lanes.run", place=lane.replies.index(reply) + 1, count=count, ended=ended)
