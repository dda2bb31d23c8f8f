"""All conversations on one screen: found as one types, opened, renamed, pinned, deleted and brought back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from rich.text import Text
from textual import on, work
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from tui_chat.domain.failure import StoreError
from tui_chat.domain.finding import wanted
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.library import Summary
from tui_chat.ui.cells import clipped, columns
from tui_chat.ui.history_rows import title_of
from tui_chat.ui.keys import Key, KeyLine, bindings, footer, named, without
from tui_chat.ui.widgets.editing import ShownInput, act_at_once
from tui_chat.ui.widgets.history_list import HistoryList

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer

    from tui_chat.store.search import Hit
    from tui_chat.ui.app import TuiChat
    from tui_chat.wiring import House

DEBOUNCE_S = 0.08
"""How long the search waits for another key."""
WRITE_S = 2.0
"""How long a change may take to reach the disk before the user is told that it has not."""
LOOK_S = 1.0
"""Between two looks at which replies are under way."""
MOST_TITLE = 200
MOST_TYPED = 400
"""Characters of a title and of a search."""

KEYS = (
    Key("enter", "choose", "history.key.open"),
    Key("escape", "dismiss(None)", "history.key.back"),
    named("history_rename", "rename", "history.key.rename"),
    named("history_pin", "pin", "history.key.pin"),
    named("history_delete", "delete", "history.key.delete"),
    named("history_undo", "undo", "history.key.undo"),
    Key("up", "move_by(-1)", first=True),
    Key("down", "move_by(1)", first=True),
    Key("pageup", "page(-1)", first=True),
    Key("pagedown", "page(1)", first=True),
    Key("home,ctrl+home", "move_to(0)", first=True),
    Key("end,ctrl+end", "move_to(-1)", first=True),
)
"""The keys of the search stay its own, but for Home and End, instead of which it has Ctrl+A and Ctrl+E."""


class Opened(Struct, frozen=True):
    """What to open: a conversation, at a turn where one was found."""

    uid: str
    node: str | None


class Line(ShownInput):
    """A line in which one writes."""

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        id: str | None = None,
        limit: int = MOST_TYPED,
        select: bool = False,
    ) -> None:
        """`select`: what stands there is taken as an example, which typing replaces."""
        super().__init__(value, placeholder, max_length=limit, id=id, select_on_focus=select, compact=True)

    async def _on_key(self, event: events.Key) -> None:
        await act_at_once(self, event)


class HistoryScreen(Screen[Opened | None]):
    """Dismisses with what to open, or None; posts Deleted and Restored on its way to the app."""

    CSS_PATH: ClassVar = "../style/lists.tcss"
    BINDINGS: ClassVar = bindings(KEYS)

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    @dataclass
    class Deleted(Message):
        """A conversation is in no list any more; it may be open."""

        uid: str

    @dataclass
    class Restored(Message):
        uid: str

    def __init__(self, house: House, current: str | None = None) -> None:
        """`current`: the conversation that is open."""
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall")]
        self._chats = house.chats
        self._keymap = house.config.keys
        self._deleted: list[tuple[str, str]] = []
        """(conversation, title) of those that can be brought back here, the last one last."""
        self._timer: Timer | None = None
        self._sought: str | None = ""
        """What was looked for last; None: that came to nothing."""
        self._notice = ""
        self._count = ""
        self.conversations = HistoryList(house.chats, id="conversations")
        self.conversations.current = current
        self._search = Line(placeholder=say("history.search"), id="search")
        self._status = Static(classes="screen-status", markup=False)
        self._keys = KeyLine(classes="screen-keys")

    def compose(self) -> ComposeResult:
        yield Static(say("history.title"), classes="screen-title", markup=False)
        yield self._search
        yield Static(say("history.filters"), classes="screen-hint", markup=False)
        yield self.conversations
        yield self._status
        yield self._keys

    def on_mount(self) -> None:
        self._show_keys()
        self._search.focus()
        self._look()
        self.set_interval(LOOK_S, self._look)

    def _look(self) -> None:
        self.conversations.active = frozenset(self._chats.registry.busy)

    # searching

    @on(Input.Changed, "#search")
    def _typed(self) -> None:
        self._wait_no_more()
        self._timer = self.set_timer(DEBOUNCE_S, self._find)

    def _find(self) -> None:
        self._wait_no_more()
        text = self._search.value.strip()
        if text == self._sought:
            return
        self._sought = text
        faults = ", ".join(wanted(text).faults)
        self._tell(say("history.faults", faults=faults) if faults else "")
        self.conversations.show(text)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    @on(Input.Submitted, "#search")
    def action_choose(self) -> None:
        if self._timer is not None:
            self._find()
        self.conversations.choose()

    @on(HistoryList.Chosen)
    def _open(self, event: HistoryList.Chosen) -> None:
        self.dismiss(Opened(event.uid, event.node))

    @on(HistoryList.Listed)
    def _listed(self, event: HistoryList.Listed) -> None:
        self._count = _counted(event) if event.count else ""
        self._show_status()

    @on(HistoryList.Broke)
    def _broke(self, event: HistoryList.Broke) -> None:
        self._sought = None
        self._tell(event.reason)

    # moving

    def action_move_by(self, step: int) -> None:
        self.conversations.action_move_by(step)

    def action_page(self, direction: int) -> None:
        self.conversations.action_page(direction)

    def action_move_to(self, place: int) -> None:
        self.conversations.action_move_to(place)

    def on_key(self, event: events.Key) -> None:
        """What is typed while the list has the focus goes to the search."""
        if event.is_printable and event.character and not self._search.has_focus:
            self._search.focus()
            self._search.insert_text_at_cursor(event.character)
            event.stop()

    # changing

    def action_rename(self) -> None:
        item = self.conversations.item
        if item is None:
            return
        uid = _uid(item)
        before = title_of(item) if item.title else ""

        def renamed(title: str | None) -> None:
            if title and title != before:
                self._chats.library.rename(uid, title)
                self._put_down(self._about("history.renamed", visible_line(title)), uid)

        self.app.push_screen(Rename(before), renamed)

    def action_pin(self) -> None:
        if (item := self.conversations.item) is not None:
            self._pin(item)

    @work(exit_on_error=False)
    async def _pin(self, item: Summary | Hit) -> None:
        uid = _uid(item)
        try:
            known = item if isinstance(item, Summary) else await asyncio.to_thread(self._chats.library.summary, uid)
        except StoreError as error:
            self._tell(str(error))
            return
        if known is not None:
            self._chats.library.pin(uid, not known.pinned)
            key = "history.unpinned" if known.pinned else "history.pinned"
            self._put_down(self._about(key, title_of(item)), uid)

    def action_delete(self) -> None:
        item = self.conversations.item
        if item is None:
            return
        uid = _uid(item)
        if uid in dict(self._deleted):
            # The list does not show it yet.
            return
        if uid in self._chats.registry.busy:
            self._tell(say("history.busy"))
            return
        self._deleted.append((uid, title_of(item)))
        self._show_keys()
        self._chats.library.delete(uid)
        self.post_message(self.Deleted(uid))
        self._put_down(self._about("history.gone", title_of(item)))

    def action_undo(self) -> None:
        if not self._deleted:
            self._tell(say("history.no_undo"))
            return
        uid, title = self._deleted.pop()
        self._show_keys()
        self._chats.library.restore(uid)
        self.post_message(self.Restored(uid))
        self._put_down(self._about("history.back", title), uid)

    @work(exit_on_error=False)
    async def _put_down(self, notice: str, follow: str | None = None) -> None:
        """Show the list as it is once a change is on the disk."""
        self._tell(notice)
        done = await asyncio.to_thread(self._chats.database.flush, WRITE_S)
        if not done:
            self._tell(say("history.not_yet"))
        self.conversations.reload(follow)

    def _about(self, key: str, title: str) -> str:
        """A notice about a conversation, its title cut so that the whole fits the line."""
        room = self.size.width - 2 - columns(say(key, title=""))
        return say(key, title=clipped(title, max(4, room)))

    def _tell(self, notice: str) -> None:
        self._notice = visible_line(notice)
        self._show_status()

    def _show_status(self) -> None:
        self._status.update(Text(self._notice or self._count, no_wrap=True, overflow="ellipsis"))

    def _show_keys(self) -> None:
        self._keys.say(footer(without(KEYS, () if self._deleted else ("undo",)), self._keymap))


class Rename(ModalScreen[str | None]):
    """Dismisses with the new title, or None."""

    CSS_PATH: ClassVar = "../style/dialogs.tcss"
    BINDINGS: ClassVar = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._before = title

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(say("history.rename"), classes="dialog-title", markup=False)
            yield Line(visible_line(self._before, MOST_TITLE), limit=MOST_TITLE)
            yield Static(say("history.rename_keys"), classes="dialog-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)


def _uid(item: Summary | Hit) -> str:
    return item.id if isinstance(item, Summary) else item.conversation


def _counted(listed: HistoryList.Listed) -> str:
    one = listed.count == 1 and not listed.more
    count = f"{listed.count:,}{'+' if listed.more else ''}"
    if listed.searched:
        return say("history.found_one") if one else say("history.found", count=count)
    return say("history.count_one") if one else say("history.count", count=count)
