"""Having a model give a conversation its title: one small question beside the conversation, its cost told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.ask import Ask, Message, Settings
from tui_chat.domain.attempts import AttemptLog, run_record
from tui_chat.domain.budget import Budget, Spent
from tui_chat.domain.draft import Draft
from tui_chat.domain.events import Completed, Failed
from tui_chat.domain.pricing import UNKNOWN
from tui_chat.domain.titles import first_words
from tui_chat.domain.words import say
from tui_chat.engine.budget import book, prompt_tokens, spent_today, unsent, weighed
from tui_chat.engine.lanes import start

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.events import Stamped
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.pricing import Cost
    from tui_chat.engine.ports import Engine
    from tui_chat.engine.reply import Target

SHOWN = 2000
"""Characters of each turn that the model gets to read."""
ROOM = 400
"""Tokens for the answer: a model that reasons first needs some."""
TURNS = 4


class Titled(Struct, frozen=True):
    """A title, or why there is none, and what it cost to ask."""

    title: str
    cost: Cost
    failure: Failure | None = None


async def title_of(engine: Engine, target: Target, turns: list[Node]) -> Titled:
    """The title that the target's model gives to a conversation that begins with `turns`.

    It is not asked for where it would go over what the day has left; what it costs is counted into the day.
    """
    said = tuple(Message(turn.role, turn.words[:SHOWN]) for turn in turns[:TURNS] if turn.sendable)
    # What was chosen for the conversation itself, such as a system prompt, has no say in its title.
    settings = Settings(max_tokens=ROOM, extra_body=target.settings.extra_body)
    ask = Ask(target.endpoint, target.model, (*said, Message("user", say("title.ask"))), settings)
    limit = Budget(per_day=engine.budget.per_day)
    estimate = None if limit.empty else weighed(engine, ask, target.price, limit, Spent(day=spent_today(engine)))
    if estimate is not None and estimate.crossings:
        return Titled("", UNKNOWN, unsent(estimate))
    began = engine.clock.wall()
    draft, log = Draft(), AttemptLog(prompt_tokens(ask), target.price, began)

    def hear(stamped: Stamped) -> None:
        draft.fold(stamped)
        log.fold(stamped)

    try:
        outcome = await start(engine, {"title": ask}, hear)[0].outcome()
    finally:
        book(engine, replace(run_record("", ask, began), attempts=log.records()))
    title = first_words(draft.text).strip("\"'“”„«»*` .")
    failed = outcome.failure if isinstance(outcome, Failed) else None
    return Titled(title if isinstance(outcome, Completed) else "", log.cost(), failed)
