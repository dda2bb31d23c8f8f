"""The tree of a conversation: every version of every turn, to go to, to edit, or to go on from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from msgspec import Struct
from rich.segment import Segment
from rich.text import Text
from textual import on
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.keymap import DEFAULT
from tui_chat.domain.words import say
from tui_chat.ui.cells import columns, padded
from tui_chat.ui.history_rows import STATE_STYLES
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named
from tui_chat.ui.outline import outline
from tui_chat.ui.widgets.cursor_list import CursorList

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui_chat.domain.conversation import Conversation, Node
    from tui_chat.domain.keymap import Keymap
    from tui_chat.ui.outline import Line

KEYS = (
    Key("enter", "choose", "tree.key.go"),
    named("tree_edit", "edit", "tree.key.edit"),
    named("tree_fork", "fork", "tree.key.fork"),
    Key("escape,q", "dismiss(None)", "tree.key.back"),
    Key("left", "sibling(-1)", "tree.key.previous"),
    Key("right", "sibling(1)", "tree.key.next"),
)

FIRST_WORDS = 1000
"""Characters of a turn that its line is made of."""
SPEAKER = ((100, 18), (72, 14), (0, 8))
"""(width of a line, columns of the name in it)"""
MOST_GUIDES = 3
"""The lines of the tree take at most this part of the width."""


class TreeChoice(Struct, frozen=True):
    """What to do, and at which turn."""

    action: Literal["go", "edit", "fork"]
    node: str


class TreeView(CursorList):
    """A line a turn."""

    @dataclass
    class Chosen(Message):
        node: str

    @dataclass
    class Moved(Message):
        """The cursor stands on another turn."""

        node: str

    def __init__(self, tree: Conversation, live: str | None, id: str | None = None) -> None:
        super().__init__(1, lit=True, id=id)
        self._tree = tree
        self._live = live
        self._lines = outline(tree)
        self._places = {line.node: place for place, line in enumerate(self._lines)}

    def on_mount(self) -> None:
        self.set_length(len(self._lines))
        self.call_after_refresh(self.go_to, self._tree.head)

    @property
    def node(self) -> Node | None:
        """The turn at the cursor."""
        return self._tree.nodes[self._lines[self.cursor].node] if self._lines else None

    def go_to(self, node: str | None) -> None:
        """Put the cursor on a turn; on the first one where there is none such."""
        self.move_to(self._places.get(node or "", 0))
        self.moved()

    def choose(self) -> None:
        if (node := self.node) is not None:
            self.post_message(self.Chosen(node.id))

    def clicked(self, place: int) -> None:
        """The first click shows a turn, a second one goes there."""
        if place == self.cursor:
            self.choose()
        self.move_to(place)

    def moved(self) -> None:
        if (node := self.node) is not None:
            self.post_message(self.Moved(node.id))

    def said_instead(self) -> str:
        return say("tree.nothing")

    def draw(self, place: int, row: int, width: int) -> list[Segment]:
        line = self._lines[place]
        node, palette = self._tree.nodes[line.node], self.palette
        guides = _kept(line, width // MOST_GUIDES)
        name = padded(self._speaker(node), next(room for least, room in SPEAKER if width >= least))
        side, style = self._beside(node)
        room = width - columns(guides) - 2 - columns(name) - 1 - columns(side) - 3
        words = visible_line(node.words[:FIRST_WORDS], FIRST_WORDS) or (
            "" if self._under_way(node) else say("tree.empty")
        )
        return [
            Segment(guides, palette["line"]),
            Segment("● " if line.in_chat else "○ ", palette["mark" if line.in_chat else "dim"]),
            Segment(f"{name} ", palette["user" if node.role == "user" else "reply"]),
            Segment(padded(words, max(0, room)), palette["text" if line.in_chat else "dim"]),
            Segment(f"  {side}", palette[style]),
        ]

    def _speaker(self, node: Node) -> str:
        return say("turn.you") if node.role == "user" else visible_line(node.model, 60) or say("history.reply")

    def _under_way(self, node: Node) -> bool:
        return node.role == "assistant" and node.result is None

    def _beside(self, node: Node) -> tuple[str, str]:
        """Which version it is, and how it ended unless it simply did."""
        place, count = self._tree.siblings(node.id)
        version = f"{place}/{count}" if count > 1 else ""
        phase = None if node.result is None else node.result.phase
        if self._under_way(node):
            phase = Phase.STREAMING if node.id == self._live else None
        state = say(f"state.{phase}") if phase not in (None, Phase.COMPLETED) else ""
        return " · ".join(filter(None, (state, version))), STATE_STYLES.get(phase, "dim") if phase else "dim"


class TreeScreen(Screen[TreeChoice | None]):
    """Dismisses with what to do where, or None."""

    CSS_PATH: ClassVar = "../style/lists.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    def __init__(self, conversation: Conversation, live: str | None, keymap: Keymap = DEFAULT) -> None:
        """`live`: the reply under way."""
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]
        self._tree = conversation
        self._keymap = keymap
        self.view = TreeView(conversation, live, id="tree")
        self._whole = Static(id="whole", markup=False)
        self._status = Static(classes="screen-status", markup=False)

    def compose(self) -> ComposeResult:
        yield Static(say("tree.title"), classes="screen-title", markup=False)
        yield self.view
        yield self._whole
        yield self._status
        yield KeyLine(footer(KEYS, self._keymap), classes="screen-keys")

    def on_mount(self) -> None:
        self.view.focus()
        self._tell("")

    @on(TreeView.Moved)
    def _moved(self, event: TreeView.Moved) -> None:
        """Versions often begin alike: show more of this one."""
        text = visible_line(self._tree.nodes[event.node].words[:FIRST_WORDS], FIRST_WORDS)
        self._whole.update(Text(text), layout=False)
        self._tell("")

    @on(TreeView.Chosen)
    def _go(self, event: TreeView.Chosen) -> None:
        self.dismiss(TreeChoice("go", event.node))

    def action_choose(self) -> None:
        self.view.choose()

    def action_edit(self) -> None:
        node = self.view.node
        if node is None:
            return
        if node.role == "user":
            self.dismiss(TreeChoice("edit", node.id))
        else:
            self._tell(say("tree.no_edit"))

    def action_fork(self) -> None:
        if (node := self.view.node) is not None:
            self.dismiss(TreeChoice("fork", node.id))

    def action_sibling(self, step: int) -> None:
        node = self.view.node
        if node is None:
            return
        other = self._tree.sibling(node.id, step)
        if other is None:
            alone = self._tree.siblings(node.id)[1] == 1
            self._tell(say("tree.alone" if alone else "status.version"))
        else:
            self.view.go_to(other)

    def _tell(self, notice: str) -> None:
        turns = len(self._tree.nodes)
        count = say("history.turn" if turns == 1 else "history.turns", count=f"{turns:,}")
        self._status.update(Text(notice or count, no_wrap=True, overflow="ellipsis"))


def _kept(line: Line, width: int) -> str:
    """What leads to a line; of a deep one the innermost part."""
    return line.guides if len(line.guides) <= width else "…" + line.guides[-(width - 1) :]
