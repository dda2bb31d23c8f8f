"""The history on the screen: what it lists, finds and changes, and what it asks of the store for that."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input, Static

from tests.kit.shelf import NOON, OneScreen, Seen, add, add_many, house_in
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import StoreError
from tui_chat.domain.finding import wanted
from tui_chat.domain.hostile import is_control
from tui_chat.store.search import search
from tui_chat.ui.history_rows import when
from tui_chat.ui.paging import AT_HAND, PAGE, Conversations, Hits, Pages
from tui_chat.ui.screens import history
from tui_chat.ui.screens.history import HistoryScreen, Opened, Rename
from tui_chat.ui.widgets.cursor_list import CursorList
from tui_chat.ui.widgets.history_list import HistoryList
from tui_chat.wiring import House

SIZES = [(120, 40), (80, 24), (40, 12)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = house_in(tmp_path)
    yield house
    house.chats.shut()


class History(Seen):
    """The full screen."""

    @property
    def line(self) -> Input:
        return self.app.shown.query_one("#search", Input)

    @property
    def list(self) -> HistoryList:
        return self.app.shown.query_one(HistoryList)

    @property
    def titles(self) -> list[str]:
        """The first rows of the items that can be seen, without marks."""
        return [row[3:].strip() for row in self.rows[::2] if row.strip("▌ ")]

    @property
    def keys(self) -> list[str]:
        """The keys that the screen offers."""
        return str(self.app.shown.query_one(".screen-keys", Static).content).split("   ")

    async def find(self, text: str) -> None:
        """Type a search and wait for what it finds."""
        await self.type(text)
        await self.until(lambda: self.list._text == text and self.list._wish is None)


@asynccontextmanager
async def opened(house: House, size: tuple[int, int] = (100, 30), **about: Any) -> AsyncIterator[History]:
    screen = HistoryScreen(house, **about)
    app = OneScreen(screen)
    async with app.run_test(size=size) as pilot:
        seen = History(app, pilot, screen.query_one(CursorList))
        if house.chats.saving:
            await seen.until(lambda: seen.list._text is not None)
        await seen.settle()
        yield seen


class Calls:
    """Counts what is asked of the library."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, Any]] = []
        library = house.chats.library
        for name in ("count", "list", "place", "summary"):
            monkeypatch.setattr(library, name, self._counted(name, getattr(library, name)))

    def _counted(self, name: str, method: Any) -> Any:
        def counted(*args: Any) -> Any:
            assert threading.current_thread() is not threading.main_thread()
            self.asked.append((name, args))
            return method(*args)

        return counted


# what it lists


async def test_pinned_conversations_come_first_then_the_newest(house: House) -> None:
    add(house, "older", "x", at=NOON)
    add(house, "newer", "x", at=NOON + 50)
    add(house, "kept", "x", at=NOON - 50, pinned=True)
    async with opened(house) as seen:
        assert seen.titles == ["kept", "newer", "older"]
        assert seen.rows[0].startswith("▌★ kept")
        assert seen.status == "3 conversations"


async def test_the_second_line_tells_time_turns_models_and_state(house: House) -> None:
    add(house, "asked", "a", "b", model="gpt-5", phase=Phase.INTERRUPTED)
    add(house, "done", "a", at=NOON - 9)
    async with opened(house) as seen:
        assert seen.rows[1].split()[-4:] == ["3", "turns", "gpt-5", "interrupted"]
        assert seen.rows[3].split()[-3:] == ["2", "turns", "m"]


async def test_states_have_their_colours(house: House) -> None:
    add(house, "one", "a", phase=Phase.INTERRUPTED)
    add(house, "two", "a", at=NOON - 9, phase=Phase.FAILED)
    async with opened(house) as seen:
        palette = seen.view.palette
        assert colour_of(seen, 1, "interrupted") == palette["warning"].color
        assert colour_of(seen, 3, "failed") == palette["error"].color
        assert palette["warning"].color != palette["error"].color


def colour_of(seen: Seen, row: int, text: str) -> Any:
    styles = [segment.style for segment in seen.view.render_line(row) if text in segment.text]
    assert len(styles) == 1
    assert isinstance(styles[0], Style)
    return styles[0].color


async def test_an_empty_history_says_what_to_do(house: House) -> None:
    async with opened(house) as seen:
        assert "Nothing has been said yet." in "\n".join(seen.rows)
        await seen.press("enter", "down", "alt+r", "alt+p", "alt+d")
        assert seen.app.ends == []
        await seen.press("alt+u")
        assert seen.status == "Nothing was deleted here."
        await seen.press("escape")
        assert seen.app.ends == [None]


async def test_without_saving_the_store_is_not_touched(tmp_path: Path) -> None:
    house = house_in(tmp_path, save=False)
    async with opened(house) as seen:
        assert "not saved" in "\n".join(seen.rows)
        await seen.type("word")
        await seen.press("enter")
        assert not (tmp_path / "data").exists()
        assert seen.app.ends == []


async def test_a_store_that_cannot_be_read_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add(house, "one", "x")
    async with opened(house) as seen:

        def broken(*_: Any, **__: Any) -> Any:
            raise StoreError("the disk is gone")

        monkeypatch.setattr("tui_chat.ui.paging.search", broken)
        await seen.type("x")
        await seen.until(lambda: seen.status == "the disk is gone")
        assert seen.titles == ["one"]


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (datetime(2026, 11, 22, 14, 5), "today 14:05"),
        (datetime(2026, 11, 22, 0, 0), "today 00:00"),
        (datetime(2026, 11, 21, 23, 59), "yesterday"),
        (datetime(2026, 11, 3, 8, 0), "3 Nov"),
        (datetime(2025, 1, 31, 8, 0), "31 Jan 2025"),
        (datetime(2026, 11, 23, 0, 1), "23 Nov"),
    ],
)
def test_a_time_is_told_as_people_do(at: datetime, told: str) -> None:
    assert when(at.timestamp(), datetime(2026, 11, 22, 15, 0)) == told


@pytest.mark.parametrize("at", [1e18, -1e18, float("nan"), float("inf")])
def test_an_impossible_time_is_no_fault(at: float) -> None:
    assert when(at) == "–"


# searching


async def test_one_finds_as_one_types(house: House) -> None:
    add(house, "old question", "about zebras now", at=NOON)
    uid = add(house, "new question", "no animal", "Zébra again", at=NOON + 100, model="gpt-5")
    async with opened(house) as seen:
        await seen.find("zebra")
        assert [title.split("  ")[0] for title in seen.titles] == ["new question", "old question"]
        assert seen.rows[1] == "▌  Zébra again"
        assert seen.rows[3] == "   about zebras now"
        assert " gpt-5 · " in seen.rows[0]
        assert colour_of(seen, 1, "Zébra") == seen.view.palette["hit"].color
        assert seen.status == "2 turns found, newest first"
        await seen.press("enter")
        node = search(house.chats.database, wanted("zebra"))[0].node
        assert seen.app.ends == [Opened(uid, node)]


async def test_a_blank_search_lists_everything_again(house: House) -> None:
    add(house, "one", "zebra")
    add(house, "two", "horse")
    async with opened(house) as seen:
        await seen.find("zebra")
        assert len(seen.titles) == 1
        await seen.press(*["backspace"] * 5)
        await seen.until(lambda: seen.status == "2 conversations")
        assert sorted(seen.titles) == ["one", "two"]


async def test_what_is_not_found_is_told(house: House) -> None:
    add(house, "one", "x")
    async with opened(house) as seen:
        await seen.find("zebra")
        assert "Nothing found for “zebra”" in "\n".join(seen.rows)
        await seen.press("enter", "down", "alt+d")
        assert seen.app.ends == []


async def test_filters_stand_in_the_search(house: House) -> None:
    add(house, "one", "zebra", model="gpt-5")
    add(house, "two", "zebra", at=NOON + 9, phase=Phase.FAILED)
    async with opened(house) as seen:
        await seen.find("zebra model:gpt-5")
        assert [title.split("  ")[0] for title in seen.titles] == ["one"]
        seen.line.value = ""
        await seen.find("error:yes")
        assert [title.split("  ")[0] for title in seen.titles] == ["two"]


async def test_a_filter_that_makes_no_sense_is_told(house: House) -> None:
    add(house, "one", "zebra")
    async with opened(house) as seen:
        await seen.find("zebra since:tomorrow")
        assert seen.status.endswith("left out: since:tomorrow")
        assert len(seen.titles) == 1


async def test_enter_right_behind_the_last_letter_opens_what_that_finds(house: House) -> None:
    add(house, "newest", "horse", at=NOON + 100)
    uid = add(house, "older", "zebra")
    async with opened(house) as seen:
        for key in (*"zebra", "enter"):
            seen.send(key)
        await seen.until(lambda: seen.app.ends)
        assert seen.app.ends[0].uid == uid


async def test_keys_of_a_burst_act_in_their_order(house: House) -> None:
    async with opened(house) as seen:
        for key in ("a", "b", "backspace", "c", "ctrl+a", "d", "ctrl+e", "e"):
            seen.send(key)
        await seen.until(lambda: seen.line.value == "dace")


async def test_an_older_search_never_shows_after_a_newer_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add(house, "one", "slow word")
    add(house, "two", "fast word")
    begun, let_go, asked = threading.Event(), threading.Event(), list[str]()

    def held(database: Any, sought: Any, *rest: Any) -> Any:
        asked.append(sought.words)
        if sought.words == "slow":
            begun.set()
            assert let_go.wait(10)
        return search(database, sought, *rest)

    monkeypatch.setattr("tui_chat.ui.paging.search", held)
    async with opened(house) as seen:
        stood: list[str | None] = []
        stand = seen.list._stand
        monkeypatch.setattr(
            seen.list, "_stand", lambda pages, wish, at: (stood.append(wish.text), stand(pages, wish, at))
        )
        seen.line.value = "slow"
        await seen.until(begun.is_set)
        for text in ("f", "fa", "fast"):
            seen.line.value = text
            seen.app.shown._find()
        assert asked == ["slow"]
        let_go.set()
        await seen.until(lambda: seen.list._text == "fast")
        assert stood == ["fast"]
        assert asked == ["slow", "fast"]
        assert seen.rows[1].endswith("fast word")


async def test_what_stands_stays_until_there_is_something_newer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add(house, "one", "zebra")
    let_go = threading.Event()

    def held(*args: Any) -> Any:
        assert let_go.wait(10)
        return search(*args)

    monkeypatch.setattr("tui_chat.ui.paging.search", held)
    async with opened(house) as seen:
        await seen.type("zebra")
        await seen.until(lambda: seen.list._wish is not None)
        assert seen.titles == ["one"]
        let_go.set()


# keys


async def test_moving_keys_leave_the_search_alone(house: House) -> None:
    add_many(house, 300)
    async with opened(house, (100, 25)) as seen:
        seen.line.insert_text_at_cursor(" ")
        page = seen.view.size.height // 2 - 1
        for key, place in [
            ("down", 1),
            ("down", 2),
            ("up", 1),
            ("pagedown", 1 + page),
            ("pageup", 1),
            ("end", 299),
            ("down", 299),
            ("home", 0),
            ("up", 0),
            ("ctrl+end", 299),
            ("ctrl+home", 0),
        ]:
            await seen.press(key)
            await seen.until(lambda: any(seen.lit))
            assert seen.lit[0] == f"conversation {place}", key
        assert seen.line.value == " "
        assert seen.line.has_focus


async def test_enter_opens_a_conversation_and_escape_none(house: House) -> None:
    add(house, "one", "x", at=NOON + 10)
    uid = add(house, "two", "x")
    async with opened(house) as seen:
        await seen.press("down", "enter")
        assert seen.app.ends == [Opened(uid, None)]
    async with opened(house) as seen:
        await seen.press("escape")
        assert seen.app.ends == [None]


async def test_a_click_opens_a_conversation(house: House) -> None:
    add(house, "one", "x", at=NOON + 10)
    uid = add(house, "two", "x")
    async with opened(house) as seen:
        await seen.pilot.click(HistoryList, offset=(10, 3))
        await seen.settle()
        assert seen.app.ends == [Opened(uid, None)]


async def test_enter_waits_for_what_is_not_read_yet(house: House) -> None:
    add_many(house, 1000)
    async with opened(house) as seen:
        seen.send("end")
        seen.send("enter")
        await seen.until(lambda: seen.app.ends)
        assert seen.app.ends == [Opened("c000999", None)]


async def test_a_conversation_is_renamed(house: House) -> None:
    uid = add(house, "one", "x")
    async with opened(house) as seen:
        await seen.press("alt+r")
        assert isinstance(seen.app.screen, Rename)
        await seen.type(" two")
        await seen.press("enter")
        await seen.until(lambda: seen.titles == ["one two"])
        assert seen.status == "Its title is now “one two”."
        assert house.chats.library.load(uid).title == "one two"


@pytest.mark.parametrize("keys", [["escape"], ["enter"], ["ctrl+u", "enter"], ["x", "backspace", "enter"]])
async def test_a_title_stays_that_is_not_changed(house: House, keys: list[str]) -> None:
    uid = add(house, "x", "x", title="one\x1b[31m two")
    async with opened(house) as seen:
        await seen.press("alt+r", *keys)
        assert not isinstance(seen.app.screen, Rename)
        assert seen.app.ends == []
        assert house.chats.library.load(uid).title == "one\x1b[31m two"


async def test_the_cursor_follows_a_conversation_that_is_pinned_and_unpinned(house: House) -> None:
    add_many(house, 300)
    async with opened(house, (100, 25)) as seen:
        await seen.press("end", "up")
        await seen.until(lambda: any(seen.lit))
        await seen.press("alt+p")
        await seen.until(lambda: seen.status == "Pinned “conversation 298”." and seen.list.cursor == 0)
        assert seen.rows[0] == "▌★ conversation 298"
        await seen.press("alt+p")
        await seen.until(lambda: seen.list.cursor == 298)
        await seen.until(lambda: any(seen.lit))
        assert seen.lit[0] == "conversation 298"
        assert seen.status == "“conversation 298” is not pinned any more."


async def test_what_is_deleted_can_be_brought_back(house: House) -> None:
    names = [add(house, name, "x", at=NOON - i) for i, name in enumerate(("one", "two", "three"))]
    async with opened(house) as seen:
        await seen.press("down", "alt+d")
        await seen.until(lambda: seen.titles == ["one", "three"])
        assert seen.status == "Deleted “two”. Alt+U brings it back."
        assert seen.lit[0] == "three"
        await seen.press("alt+d")
        await seen.until(lambda: seen.titles == ["one"])
        await seen.press("alt+u")
        await seen.until(lambda: seen.titles == ["one", "three"])
        assert seen.status == "“three” is back."
        assert seen.lit[0] == "three"
        await seen.press("alt+u")
        await seen.until(lambda: seen.titles == ["one", "two", "three"])
        assert [summary.id for summary in house.chats.library.list()] == names


async def test_undo_is_offered_while_there_is_something_to_bring_back(house: House) -> None:
    add(house, "one", "x")
    async with opened(house) as seen:
        assert "Alt+U undo" not in seen.keys
        await seen.press("alt+d")
        assert "Alt+U undo" in seen.keys
        await seen.press("alt+u")
        assert "Alt+U undo" not in seen.keys


async def test_a_second_press_before_the_list_is_new_deletes_nothing_more(house: House) -> None:
    for number in range(3):
        add(house, f"number {number}", "x", at=NOON - number)
    async with opened(house) as seen:
        for key in ("alt+d", "alt+d", "alt+u"):
            seen.send(key)
        await seen.until(lambda: seen.status == "“number 0” is back.")
        assert house.chats.library.count() == 3
        await seen.press("alt+u")
        assert seen.status == "Nothing was deleted here."


async def test_the_open_conversation_is_told_from_the_others(house: House) -> None:
    uid = add(house, "one", "x")
    add(house, "two", "x", at=NOON - 9)
    async with opened(house, current=uid) as seen:
        assert colour_of(seen, 0, "one") == seen.view.palette["hit"].color
        assert colour_of(seen, 2, "two") == seen.view.palette["name"].color


async def test_deleting_a_hit_takes_all_of_its_conversation(house: House) -> None:
    add(house, "one", "zebra", "zebra too")
    add(house, "two", "zebra", at=NOON - 9)
    async with opened(house) as seen:
        await seen.find("zebra")
        await seen.press("alt+d")
        await seen.until(lambda: len(seen.titles) == 1)
        assert seen.status == "Deleted “one”. Alt+U brings it back."
        await seen.press("alt+u")
        await seen.until(lambda: len(seen.titles) == 3)


async def test_a_hit_can_be_pinned_and_renamed(house: House) -> None:
    uid = add(house, "one", "zebra")
    async with opened(house) as seen:
        await seen.find("zebra")
        await seen.press("alt+p")
        await seen.until(lambda: seen.status == "Pinned “one”.")
        await seen.press("alt+r", "s", "enter")
        await seen.until(lambda: seen.titles[0].startswith("ones "))
        summary = house.chats.library.summary(uid)
        assert summary is not None
        assert (summary.pinned, summary.title) == (True, "ones")


async def test_the_app_hears_of_what_is_deleted_and_restored(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = add(house, "one", "x")
    heard: list[object] = []
    monkeypatch.setattr(OneScreen, "on_history_screen_deleted", lambda _, event: heard.append(event), raising=False)
    monkeypatch.setattr(OneScreen, "on_history_screen_restored", lambda _, event: heard.append(event), raising=False)
    async with opened(house) as seen:
        await seen.press("alt+d", "alt+u")
        await seen.until(lambda: len(heard) == 2)
        assert isinstance(heard[0], HistoryScreen.Deleted)
        assert isinstance(heard[1], HistoryScreen.Restored)
        assert heard[0].uid == heard[1].uid == uid


async def test_a_conversation_at_work_is_not_deleted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = add(house, "one", "x")
    monkeypatch.setattr(type(house.chats.registry), "busy", property(lambda _: [uid]))
    async with opened(house) as seen:
        assert seen.rows[1].endswith("streaming")
        await seen.press("alt+d")
        assert seen.status == "A reply is under way there; cancel it first."
        assert house.chats.library.count() == 1


async def test_delete_in_the_search_takes_a_letter_and_in_the_list_a_conversation(house: House) -> None:
    add(house, "one", "zebra")
    async with opened(house) as seen:
        await seen.find("zebra")
        await seen.press("ctrl+a", "delete", "delete")
        assert seen.line.value == "bra"
        assert house.chats.library.count() == 1
        await seen.press("ctrl+u", "ctrl+k")
        await seen.until(lambda: seen.status == "1 conversation")
        await seen.press("tab", "delete")
        await seen.until(lambda: house.chats.library.count() == 0)


async def test_what_is_typed_in_the_list_goes_to_the_search(house: House) -> None:
    add(house, "one", "zebra")
    async with opened(house) as seen:
        await seen.press("tab")
        assert seen.list.has_focus
        await seen.type("ze")
        assert seen.line.value == "ze"
        assert seen.line.has_focus


async def test_a_disk_that_does_not_take_it_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add(house, "one", "x")
    async with opened(house) as seen:
        monkeypatch.setattr(house.chats.database, "flush", lambda _: False)
        await seen.press("alt+d")
        await seen.until(lambda: seen.status.startswith("The disk does not take it now"))


async def test_the_footer_is_read_off_the_keys(house: House) -> None:
    async with opened(house) as seen:
        told = str(seen.app.shown.query_one(".screen-keys", Static).content)
        assert told.split("   ")[:4] == ["Enter open", "Esc back", "Alt+R rename", "Alt+P pin"]
        for key in history.KEYS:
            assert hasattr(seen.app.shown, f"action_{key.action.partition('(')[0]}"), key


# what it costs


async def test_opening_ten_thousand_conversations_reads_one_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add_many(house, 10_000)
    calls = Calls(house, monkeypatch)
    async with opened(house) as seen:
        assert calls.asked == [("count", ()), ("list", (0, PAGE))]
        assert seen.status == "10,000 conversations"
        await seen.press("end")
        await seen.until(lambda: any(seen.lit))
        assert seen.lit[0] == "conversation 9999"
        # The pages between are not read.
        assert calls.asked[2:] == [("list", (10_000 - PAGE, PAGE))]


async def test_what_is_at_hand_does_not_grow(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add_many(house, 10_000)
    calls = Calls(house, monkeypatch)
    async with opened(house) as seen:
        for place in range(0, 10_000, 400):
            seen.list.move_to(place)
            await seen.until(lambda: any(seen.lit))
        assert len(seen.list._pages._held) <= AT_HAND + 1
        assert len([name for name, _ in calls.asked if name == "count"]) == 1
        assert len(calls.asked) <= 2 + 2 * 25


async def test_a_fast_walk_reads_only_where_it_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    add_many(house, 10_000)
    calls = Calls(house, monkeypatch)
    async with opened(house) as seen:
        for place in range(0, 10_000, 100):
            seen.list.move_to(place)
        await seen.until(lambda: any(seen.lit))
        assert len(calls.asked) <= 2 + 2 + 1


async def test_hits_are_read_a_page_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        add(house, "one", *["zebra"] * 4, at=NOON + 10 * number)
    asked: list[int] = []

    def counted(database: Any, sought: Any, limit: int, before: int, width: int) -> Any:
        asked.append(before)
        assert threading.current_thread() is not threading.main_thread()
        return search(database, sought, limit, before, width)

    monkeypatch.setattr("tui_chat.ui.paging.search", counted)
    async with opened(house) as seen:
        seen.line.value = "zebra"
        await seen.until(lambda: seen.list._text == "zebra")
        assert seen.status == "50+ turns found, newest first"
        assert len(asked) == 1
        for count in ("100+ turns found, newest first", "120 turns found, newest first"):
            await seen.press("end")
            await seen.until(lambda count=count: seen.status == count)
        assert len(asked) == 3
        assert asked == sorted(asked, reverse=True)
        await seen.press("end")
        await seen.until(lambda: any(seen.lit))
        assert seen.list.cursor == 119
        assert len(asked) == 3


def test_as_many_hits_as_fill_their_pages_have_an_end(house: House) -> None:
    add(house, "one", *["zebra"] * PAGE)

    hits = Hits(house.chats.database, wanted("zebra"), 40)
    assert len(hits.page(0)) == PAGE
    assert (hits.known, hits.more) == (PAGE, True)
    assert list(hits.page(1)) == []
    assert (hits.known, hits.more) == (PAGE, False)
    assert list(hits.page(7)) == []
    assert [hit.row for hit in Hits(house.chats.database, wanted("zebra"), 40).page(0)] == [
        hit.row for hit in hits.page(0)
    ]


def test_a_page_out_of_order_is_the_page_it_would_be(house: House) -> None:
    for number in range(30):
        add(house, "one", *["zebra"] * 4, at=NOON + 10 * number)

    in_order, at_once = (Hits(house.chats.database, wanted("zebra"), 40) for _ in range(2))
    pages = [list(in_order.page(number)) for number in range(3)]
    assert list(at_once.page(2)) == pages[2]
    assert sum(map(len, pages)) == 120
    assert len({hit.row for page in pages for hit in page}) == 120


def test_more_than_fits_the_screen_is_kept(house: House) -> None:
    add_many(house, 2000)
    pages = Pages(Conversations(house.chats.library))
    pages.open(0, 0)
    reads = 0
    while (number := pages.missing(0, 40 * PAGE - 1)) is not None:
        pages.put(number, pages.source.page(number))
        reads += 1
    assert reads == 39
    assert all(pages.at(place) is not None for place in range(40 * PAGE))


def test_the_place_of_a_conversation_is_where_the_list_has_it(house: House) -> None:
    add_many(house, 40)
    database = house.chats.database
    database.write(lambda c: c.execute("UPDATE conversations SET pinned = 1 WHERE id % 7 = 0")).result()
    database.write(lambda c: c.execute("UPDATE conversations SET updated = 5 WHERE id % 5 = 0")).result()
    database.write(lambda c: c.execute("UPDATE conversations SET deleted = 5 WHERE id % 11 = 0")).result()
    library = house.chats.library
    listed = [summary.id for summary in library.list()]
    assert [library.place(uid) for uid in listed] == list(range(len(listed)))
    assert library.place("c000010") is None
    assert library.place("nobody") is None


async def test_snippets_are_as_wide_as_the_list(house: House) -> None:
    add(house, "one", "a " * 60 + "zebra" + " b" * 60)
    async with opened(house, (120, 30)) as seen:
        await seen.find("zebra")
        wide = seen.rows[1]
        await seen.pilot.resize_terminal(50, 20)
        await seen.until(lambda: "zebra" in seen.rows[1] and seen.rows[1] != wide and len(seen.rows[1]) <= 50)
        assert seen.rows[1].endswith("b…")


# foreign text

HOSTILE = "\x1b]52;c;aGk=\x07[/x][@click=app.quit]\u202edesrever\u2028 👩‍👩‍👧 e\u0301 " + "漢字" * 30


@pytest.mark.parametrize("size", SIZES)
async def test_foreign_text_keeps_its_line_and_its_columns(house: House, size: tuple[int, int]) -> None:
    add(house, f"{HOSTILE} zebra", HOSTILE, model=f"[b]{HOSTILE}")
    add(house, "漢" * 200, "字" * 200 + " zebra " + "字" * 200, phase=Phase.FAILED)
    async with opened(house, size) as seen:
        for search_for in ("", "zebra"):
            await seen.find(search_for)
            for y in range(seen.view.size.height):
                strip = seen.view.render_line(y)
                assert strip.cell_length == seen.view.columns
                assert sum(segment.cell_length for segment in strip) == seen.view.columns
                assert not any(is_control(char) for char in strip.text)
        assert seen.list.length == 2
        assert all(row.endswith(when(NOON)) for row in seen.rows[:4:2])
        assert "zebra" in seen.rows[1]
        await seen.press("alt+d")
        await seen.until(lambda: seen.status.startswith("Deleted"))
        assert seen.status.endswith("Alt+U brings it back.")


async def test_a_search_for_foreign_text_is_told_as_it_can_be_shown(house: House) -> None:
    add(house, "one", "x")
    async with opened(house) as seen:
        seen.line.value = "[/x] \x1b[31mzebra"
        await seen.until(lambda: "Nothing found" in "\n".join(seen.rows))
        assert "“[/x] ␛[31mzebra”" in "\n".join(seen.rows)


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_is_wider_than_the_screen(house: House, size: tuple[int, int]) -> None:
    add(house, "a question of many words " * 9, "x", model="a-model-with-a-long-name" * 3, phase=Phase.INTERRUPTED)
    async with opened(house, size) as seen:
        assert seen.rows[0].endswith("…")
        assert "interrupted" in seen.rows[1]
        assert seen.view.size.height >= 8


# beside the chat


class Beside(Screen[None]):
    """A sidebar as the chat has one."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.list = HistoryList(house.chats, compact=True)
        self.chosen: list[tuple[str, str | None]] = []

    def compose(self) -> ComposeResult:
        self.list.styles.width = 30
        yield self.list

    def on_history_list_chosen(self, event: HistoryList.Chosen) -> None:
        self.chosen.append((event.uid, event.node))


@asynccontextmanager
async def beside(house: House) -> AsyncIterator[tuple[Seen, Beside]]:
    screen = Beside(house)
    async with OneScreen(screen).run_test(size=(100, 20)) as pilot:
        seen = Seen(screen.app, pilot, screen.list)
        await seen.until(lambda: screen.list.length)
        yield seen, screen


async def test_the_sidebar_has_a_line_a_conversation_with_its_mark(house: House) -> None:
    add(house, "kept", "x", at=NOON, pinned=True)
    at_work = add(house, "at work", "x", at=NOON - 1)
    add(house, "cut", "x", at=NOON - 2, phase=Phase.INTERRUPTED)
    shown = add(house, "a title that is longer than the sidebar", "x", at=NOON - 3)
    async with beside(house) as (seen, screen):
        screen.list.active = {at_work}
        screen.list.current = shown
        await seen.settle()
        assert seen.rows[:4] == ["▌★ kept", " ● at work", " ! cut", "   a title that is longer t…"]
        assert colour_of(seen, 3, "a title") == seen.view.palette["hit"].color
        assert (screen.list.active, screen.list.current) == (frozenset({at_work}), shown)


async def test_in_the_sidebar_keys_and_clicks_choose(house: House) -> None:
    names = [add(house, name, "x", at=NOON - i) for i, name in enumerate(("one", "two", "three"))]
    async with beside(house) as (seen, screen):
        await seen.press("down", "enter")
        assert screen.chosen == [(names[1], None)]
        await seen.pilot.click(HistoryList, offset=(4, 2))
        await seen.settle()
        assert screen.chosen == [(names[1], None), (names[2], None)]
        await seen.press("home", "enter")
        assert screen.chosen[-1] == (names[0], None)


async def test_the_sidebar_is_read_anew(house: House) -> None:
    add(house, "one", "x")
    async with beside(house) as (seen, screen):
        newer = add(house, "two", "x", at=NOON + 50)
        screen.list.reload()
        await seen.until(lambda: seen.rows[0].endswith("two"))
        screen.list.reload(follow=newer)
        await seen.settle()
        assert seen.lit == ["two"]


async def test_the_cursor_of_the_sidebar_shows_only_with_the_focus(house: House) -> None:
    add(house, "one", "x")
    async with beside(house) as (seen, screen):
        assert seen.lit == ["one"]
        screen.set_focus(None)
        await seen.settle()
        assert seen.lit == []


def test_yesterday_is_a_day_of_the_calendar() -> None:
    now = datetime.now()
    assert when((now - timedelta(days=1)).timestamp(), now) == "yesterday"
