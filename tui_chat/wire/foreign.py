"""Conversations of other programs: messages with their parents -> a ConversationForm, and what was left out.

What is no turn here (tools, hidden instructions, empty messages) is left out, and what follows it joins the turn
before it; the thoughts before an answer become its reasoning. Answers in several parts become one turn.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, field

from tui_chat.domain.titles import first_words
from tui_chat.domain.words import say
from tui_chat.wire.forms import ConversationForm, NodeForm, ResultForm
from tui_chat.wire.order import END_OF_TIME, dated, newest_in_chat
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.ask import Role
    from tui_chat.wire.forms import State

    NameOf = Callable[[str], str]
    """A name of ours for one of theirs, the same each time."""

TITLE_LENGTH = 200
_BACKTICKS = re.compile("`{3,}")


class Message(Struct):
    """One message as found; `role` is None where it is no turn here."""

    id: str
    parent: str | None
    role: Role | None = None
    parts: list[str] = field(default_factory=list[str])
    thoughts: list[str] = field(default_factory=list[str])
    created: float | None = None
    model: str | None = None
    state: State = "completed"
    finish_reason: str | None = None

    @property
    def kept(self) -> bool:
        return self.role is not None and any(part.strip() for part in (*self.parts, *self.thoughts))


class Parsed(Struct, frozen=True):
    """One conversation of a foreign export; `form` is None when nothing of it is left."""

    title: str
    form: ConversationForm | None
    skipped: Counter[str]
    """What was left out, and how often."""


class About(Struct, frozen=True):
    """What a foreign file says of a conversation as a whole."""

    id: str
    source: str
    title: str
    created: float | None
    updated: float | None
    current: str | None
    """The message at which it stands."""


def conversation(about: About, messages: list[Message], skipped: Counter[str], name_of: NameOf, now: float) -> Parsed:
    """The conversation of these messages, whose ids are unlike."""
    here = f"{about.source} {about.id}"
    tree = _Tree(messages)
    if tree.lost:
        skipped[say("import.left_circle")] += tree.lost
    title = " ".join(well_formed(about.title).split())[:TITLE_LENGTH]
    kept = tree.turns()
    if not kept:
        return Parsed(title, None, skipped)
    names = {message.id: name_of(f"{here} {message.id}") for message in kept}
    form = ConversationForm(
        id=name_of(here),
        title=title or first_words(next((n.parts[0] for n in kept if n.role == "user" and n.parts), "")),
        titled=bool(title),
        nodes=[_node(message, names) for message in kept],
        in_chat=[names[turn] for turn in tree.path(about.current)],
        created=about.created,
        updated=about.updated,
        source=about.source,
    )
    return Parsed(form.title, dated(newest_in_chat(form), now), skipped)


def _node(message: Message, names: dict[str, str]) -> NodeForm:
    reply = message.role == "assistant"
    return NodeForm(
        id=names[message.id],
        parent=None if message.parent is None else names[message.parent],
        role=message.role or "user",
        text=well_formed("\n\n".join(part for part in message.parts if part)),
        reasoning=well_formed("\n\n".join(thought for thought in message.thoughts if thought)) or None,
        state=message.state if reply else None,
        created=message.created,
        model=well_formed(message.model) if reply and message.model else None,
        result=ResultForm(state=message.state, finish_reason=message.finish_reason) if reply else None,
    )


class _Tree:
    """The messages that can be reached, parents first."""

    def __init__(self, messages: list[Message]) -> None:
        known = {message.id: message for message in messages}
        below: dict[str | None, list[Message]] = {}
        for message in messages:
            below.setdefault(message.parent if message.parent in known else None, []).append(message)
        self._ordered = list(below.get(None, []))
        for message in self._ordered:
            # The list grows while it is walked.
            self._ordered += below.get(message.id, [])
        self.lost = len(messages) - len(self._ordered)
        """Messages that are their own ancestors, and those below them."""
        self._turn_at: dict[str | None, str | None] = {None: None}
        """For every message, the turn that it is part of or follows."""

    def turns(self) -> list[Message]:
        """What is kept, each with the turn before it as its parent."""
        kept: dict[str, Message] = {}
        for message in self._ordered:
            turn = self._turn_at.get(message.parent)
            if message.kept:
                message.parent = turn
                kept[message.id] = message
            self._turn_at[message.id] = message.id if message.kept else turn
        return self._joined(kept)

    def path(self, current: str | None) -> list[str]:
        """The turns down to the one at which the conversation stands; empty when that is nowhere."""
        parents = {turn: message.parent for turn, message in self._kept.items()}
        path: list[str] = []
        at = self._turn_at.get(current)
        while at is not None:
            at = self._into.get(at, at)
            path.append(at)
            at = parents[at]
        return path[::-1]

    def _joined(self, kept: dict[str, Message]) -> list[Message]:
        """Answers that follow one another without a branch become one, under the last one's name."""
        children = Counter(message.parent for message in kept.values())
        into: dict[str, str] = {}
        places = {turn: place for place, turn in enumerate(kept)}
        for message in kept.values():
            above = kept.get(message.parent or "")
            if above is not None and above.role == message.role == "assistant" and children[above.id] == 1:
                into[above.id] = message.id
                # The lists of the turn above are taken over, so that a long chain is not copied again and again.
                above.parts += message.parts
                above.thoughts += message.thoughts
                message.parts, message.thoughts = above.parts, above.thoughts
                message.parent, message.created = above.parent, above.created
                message.model = message.model or above.model
                places[message.id] = places[above.id]
        self._kept = {turn: kept[turn] for turn in sorted(places, key=lambda turn: places[turn]) if turn not in into}
        self._into: dict[str, str] = {}
        # From the last one up: what a turn became part of is known by then.
        for turn, below in reversed(into.items()):
            self._into[turn] = self._into.get(below, below)
        return list(self._kept.values())


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def dict_of(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def time_of(value: Any) -> float | None:
    """Epoch seconds of a number or of an ISO 8601 text; None where it is neither."""
    try:
        seconds = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds < END_OF_TIME else None


def fenced(code: str, language: str = "") -> str:
    """A Markdown code block that nothing in `code` can end."""
    fence = max(("```", *(f"{run}`" for run in _BACKTICKS.findall(code))), key=len)
    return f"{fence}{language if language.isalnum() else ''}\n{code}\n{fence}"
