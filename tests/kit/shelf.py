"""A store with conversations, and an app that shows one screen of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from tests.kit.screen import Watcher
from tui_chat.domain.conversation import Conversation, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Usage
from tui_chat.domain.meter import Stats
from tui_chat.domain.pricing import Cost, CostSource
from tui_chat.store.ids import new_id
from tui_chat.ui import themes
from tui_chat.ui.app import TuiChat
from tui_chat.ui.terminal import HostileFilter
from tui_chat.ui.widgets.cursor_list import CursorList
from tui_chat.wire.forms import ConversationForm, node_forms
from tui_chat.wiring import House

NOON = 1_790_000_000.0
"""Some moment long before any test runs again in the same year."""


def result(phase: Phase = Phase.COMPLETED) -> Result:
    figures = dict.fromkeys(("ttft_s", "ttft_answer_s", "connect_s", "tok_per_s", "now_per_s", "total_per_s"), None)
    gaps = dict.fromkeys(("gap_p50_s", "gap_p95_s", "gap_max_s", "silence_s"), None)
    stats: Any = Stats(elapsed_s=1.0, attempts=1, usage=Usage(), exact=True, wait_s=0.0, warm=False, **figures, **gaps)
    return Result(phase, None, None, 0, stats, Cost(None, CostSource.UNKNOWN))


def reply(
    tree: Conversation, parent: str, text: str, phase: Phase = Phase.COMPLETED, model: str = "m", at: float = NOON
) -> str:
    """Add a reply that has ended; its id."""
    node = tree.add(parent, "assistant", "", endpoint="work", model=model, id=new_id(), created=at)
    tree.finish(node.id, text, "", result(phase))
    return node.id


def add(
    house: House,
    question: str,
    *answers: str,
    title: str | None = None,
    at: float = NOON,
    model: str = "m",
    phase: Phase = Phase.COMPLETED,
    pinned: bool = False,
) -> str:
    """Store a conversation with one question and versions of its answer; its id."""
    tree, uid = Conversation(), new_id()
    asked = tree.add(None, "user", question, id=new_id(), created=at)
    for number, answer in enumerate(answers, 1):
        reply(tree, asked.id, answer, phase, model, at + number)
    house.chats.library.add(
        ConversationForm(
            id=uid,
            title=question if title is None else title,
            in_chat=[node.id for node in tree.path()],
            nodes=node_forms(tree),
            created=at,
            updated=at + len(answers),
            pinned=pinned,
        )
    )
    return uid


def add_many(house: House, count: int) -> None:
    """Store `count` conversations without a word in them, the first the newest."""
    rows = [(f"c{i:06}", f"conversation {i}", NOON - i, NOON - i) for i in range(count)]
    query = "INSERT INTO conversations (uid, title, created, updated, turns) VALUES (?, ?, ?, ?, 2)"
    house.chats.database.write(lambda c: c.executemany(query, rows).rowcount).result()


class OneScreen(App[None]):
    """Shows one screen; keeps what it ended with and what it posted."""

    CSS_PATH: ClassVar = TuiChat.CSS_PATH
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.shown = screen
        self.ends: list[Any] = []
        self.posted: list[Message] = []

    def get_css_variables(self) -> dict[str, str]:
        return themes.completed(super().get_css_variables())

    def get_line_filters(self) -> list[Any]:
        return [*super().get_line_filters(), HostileFilter()]

    def on_mount(self) -> None:
        self.push_screen(self.shown, self.ends.append)


class Seen(Watcher):
    """A screen with a list in it, as a test looks at it."""

    def __init__(self, app: OneScreen, pilot: Pilot[None], view: CursorList) -> None:
        self.app = app
        self.pilot = pilot
        self.view = view

    @property
    def rows(self) -> list[str]:
        """The rows of the list, as they stand on the screen."""
        return [self.view.render_line(y).text.rstrip() for y in range(self.view.size.height)]

    @property
    def status(self) -> str:
        return str(self.app.shown.query_one(".screen-status", Static).content)

    @property
    def lit(self) -> list[str]:
        """The rows of the item at the cursor, without its bar."""
        return [row[1:].strip() for row in self.rows if row.startswith("▌")]

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.send(key)
            await self.settle()

    async def type(self, text: str) -> None:
        await self.press(*("space" if char == " " else char for char in text))

    def send(self, key: str) -> None:
        """A key, without waiting for what comes of it."""
        self.app.post_message(events.Key(key, key if len(key) == 1 else " " if key == "space" else None))


def house_in(folder: Path, *, save: bool = True) -> House:
    """A house of its own, its store ready."""
    config = folder / "config.toml"
    config.touch()
    house = House({"TUI_CHAT_CONFIG": str(config), "TUI_CHAT_DATA_DIR": str(folder / "data")}, save=save)
    assert house.open_store() is None
    return house
