"""A conversation: an append-only tree of turns, of which one path is "in chat".

A retry or an edit adds a sibling; nothing is overwritten. The path runs from the root to `head`; for every node
on the way the tree remembers which child was last in chat, so that walking back finds the old continuation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tui_chat.domain.ask import Message, in_words
from tui_chat.domain.draft import Phase

if TYPE_CHECKING:
    from tui_chat.domain.ask import Place, Role
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost


class Result(Struct, frozen=True):
    """How the run behind an assistant turn ended, with its figures."""

    phase: Phase
    finish_reason: str | None
    failure: Failure | None
    skipped: int
    stats: Stats
    cost: Cost
    seams: tuple[int, ...] = ()
    """Where in the text the answer was taken up again, in characters."""
    place: Place | None = None
    """Where the server's own stream may be read on."""
    kept: bool = False
    """The user has decided what becomes of a reply that was interrupted."""

    @property
    def broken_off(self) -> bool:
        """True when there may be more to come: cut, cancelled, or stopped at the token limit."""
        return self.phase is not Phase.COMPLETED or self.finish_reason == "length"

    @property
    def undecided(self) -> bool:
        """True when the program ended before the run did, and the user has not said what becomes of the reply."""
        return self.phase is Phase.INTERRUPTED and not self.kept


class Node(Struct, frozen=True):
    id: str
    parent: str | None
    role: Role
    text: str
    reasoning: str = ""
    endpoint: str = ""
    model: str = ""
    result: Result | None = None
    """None on a user's turn, and on a reply still running."""
    created: float = 0.0
    """Epoch seconds."""
    runs: tuple[RunRecord, ...] = ()
    """What a reply took, each run with all its tries."""

    @property
    def words(self) -> str:
        """What was said, with words in the places of images."""
        return in_words(self.text) if self.role == "user" else self.text

    @property
    def sendable(self) -> bool:
        """True when the turn belongs in the messages of the next request."""
        return bool(self.text.strip())


class Conversation(Struct):
    """The tree; `nodes` are in the order of their making."""

    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    head: str | None = None
    children: dict[str | None, list[str]] = field(default_factory=dict[str | None, list[str]])
    chosen: dict[str | None, str] = field(default_factory=dict[str | None, str])
    """Of each parent, the child that is in chat."""

    def add(
        self,
        parent: str | None,
        role: Role,
        text: str,
        *,
        endpoint: str = "",
        model: str = "",
        id: str | None = None,
        created: float = 0.0,
        in_chat: bool = True,
    ) -> Node:
        """Append a node under `parent` and put it in chat, or leave what is."""
        node = Node(
            id or f"n{len(self.nodes) + 1}", parent, role, text, endpoint=endpoint, model=model, created=created
        )
        self.graft(node)
        if in_chat:
            self.select(node.id)
        return node

    def graft(self, node: Node) -> None:
        """Put a node as it is under its parent, which is there, and leave what is in chat."""
        self.nodes[node.id] = node
        self.children.setdefault(node.parent, []).append(node.id)

    def finish(self, node_id: str, text: str, reasoning: str, result: Result, runs: tuple[RunRecord, ...] = ()) -> Node:
        """Fill in a reply that has ended."""
        node = replace(self.nodes[node_id], text=text, reasoning=reasoning, result=result, runs=runs)
        self.nodes[node_id] = node
        return node

    def keep(self, node_id: str) -> Node:
        """Note that the user has decided about an interrupted reply."""
        node = self.nodes[node_id]
        if node.result is not None:
            node = self.nodes[node_id] = replace(node, result=replace(node.result, kept=True))
        return node

    def reopen(self, node_id: str) -> Node:
        """Take a reply up again: it has no result until it ends anew."""
        node = replace(self.nodes[node_id], result=None)
        self.nodes[node_id] = node
        return node

    def select(self, node_id: str) -> None:
        """Put `node_id` in chat, with what was last in chat below it."""
        at: str | None = node_id
        while at is not None:
            parent = self.nodes[at].parent
            self.chosen[parent] = at
            at = parent
        while node_id in self.chosen:
            node_id = self.chosen[node_id]
        self.head = node_id

    def rewind(self, node_id: str | None) -> None:
        """Make `node_id` the head; what stood below it stays in the tree, out of chat."""
        self.chosen.pop(node_id, None)
        self.head = node_id

    @property
    def newest(self) -> Node | None:
        """The last turn in chat."""
        return None if self.head is None else self.nodes[self.head]

    def path(self, node_id: str | None = None) -> list[Node]:
        """The nodes from the root to `node_id`, or to the head."""
        at = self.head if node_id is None else node_id
        nodes: list[Node] = []
        while at is not None:
            nodes.append(self.nodes[at])
            at = nodes[-1].parent
        return nodes[::-1]

    def siblings(self, node_id: str) -> tuple[int, int]:
        """(place, count) of a node among its siblings, counted from 1."""
        family = self.children[self.nodes[node_id].parent]
        return family.index(node_id) + 1, len(family)

    def sibling(self, node_id: str, step: int) -> str | None:
        """The sibling `step` places on, or None at the edge."""
        family = self.children[self.nodes[node_id].parent]
        place = family.index(node_id) + step
        return family[place] if 0 <= place < len(family) else None

    def messages(self, node_id: str) -> tuple[Message, ...]:
        """What the model is told up to and including `node_id`."""
        return tuple(Message(n.role, n.text) for n in self.path(node_id) if n.sendable)
