"""The tree of a conversation on the screen: its lines, its keys, its size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Static

from tests.kit.shelf import OneScreen, Seen, reply
from tui_chat.domain.conversation import Conversation
from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import is_control
from tui_chat.ui.outline import outline
from tui_chat.ui.screens.tree import TreeChoice, TreeScreen
from tui_chat.ui.widgets.cursor_list import CursorList

SIZES = [(120, 40), (80, 24), (40, 12)]


def branched() -> tuple[Conversation, dict[str, str]]:
    """q1 with the answers a1 and a2; under a2, in chat, q2 and q2b, each with an answer; and another beginning."""
    tree, ids = Conversation(), dict[str, str]()
    ids["q1"] = tree.add(None, "user", "first question", id="q1").id
    ids["a1"] = reply(tree, "q1", "first answer", Phase.FAILED)
    ids["a2"] = reply(tree, "q1", "second answer", model="gpt-5")
    ids["q2"] = tree.add(ids["a2"], "user", "going on", id="q2").id
    ids["a3"] = reply(tree, "q2", "third answer")
    ids["q2b"] = tree.add(ids["a2"], "user", "edited", id="q2b").id
    ids["a4"] = reply(tree, "q2b", "fourth answer")
    ids["r2"] = tree.add(None, "user", "another beginning", id="r2").id
    tree.select(ids["q2b"])
    return tree, ids


def drawn(tree: Conversation) -> list[str]:
    return [f"{line.guides}{'●' if line.in_chat else '○'} {tree.nodes[line.node].text}" for line in outline(tree)]


@asynccontextmanager
async def shown(tree: Conversation, live: str | None = None, size: tuple[int, int] = (100, 30)) -> AsyncIterator[Seen]:
    screen = TreeScreen(tree, live)
    app = OneScreen(screen)
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, pilot, screen.query_one(CursorList))
        await seen.until(lambda: seen.view.size.height)
        yield seen


# its lines


def test_only_what_branches_off_is_indented() -> None:
    tree, _ = branched()
    assert drawn(tree) == [
        "┌─○ another beginning",
        "● first question",
        "├─○ first answer",
        "● second answer",
        "├─○ going on",
        "│ ○ third answer",
        "● edited",
        "● fourth answer",
    ]


def test_a_branch_of_a_branch_stands_one_step_further() -> None:
    tree, ids = branched()
    reply(tree, "q2", "its other answer")
    tree.select(ids["a3"])
    tree.select(ids["q2b"])
    assert drawn(tree)[4:8] == ["├─○ going on", "│ ├─○ its other answer", "│ ○ third answer", "● edited"]


def test_below_a_head_that_was_taken_back_nothing_is_in_chat() -> None:
    tree, ids = branched()
    tree.rewind(ids["a2"])
    assert drawn(tree)[3:] == ["● second answer", "├─○ going on", "│ ○ third answer", "○ edited", "○ fourth answer"]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.data())
def test_each_turn_has_one_line_below_its_parent(parents: list[int], data: st.DataObject) -> None:
    tree = Conversation()
    for number, parent in enumerate(parents):
        above = None if parent % 7 == 0 or not number else f"n{parent % number}"
        tree.add(above, "user", "x", id=f"n{number}")
    tree.select(data.draw(st.sampled_from(sorted(tree.nodes))))
    lines = outline(tree)
    places = {line.node: place for place, line in enumerate(lines)}
    assert sorted(places) == sorted(tree.nodes)
    assert len(lines) == len(tree.nodes)
    assert all(node.parent is None or places[node.parent] < places[node.id] for node in tree.nodes.values())
    path = [node.id for node in tree.path()]
    assert [line.node for line in lines if line.in_chat] == path
    assert all(not line.guides for line in lines if line.in_chat)
    for line in lines:
        parent = tree.nodes[line.node].parent
        depth = len(lines[places[parent]].guides) if parent is not None else 0
        assert len(line.guides) - depth in (0, 2)


def test_a_long_conversation_is_not_indented_at_all() -> None:
    tree = Conversation()
    for number in range(5000):
        tree.add(f"n{number}" if number else None, "user", "x")
    lines = outline(tree)
    assert len(lines) == 5000
    assert not any(line.guides for line in lines)


# on the screen


async def test_a_line_says_who_what_how_and_which_version() -> None:
    tree, _ = branched()
    async with shown(tree) as seen:
        rows = seen.rows
        assert rows[1].split() == ["●", "You", "first", "question", "1/2"]
        assert rows[2].split() == ["├─○", "m", "first", "answer", "failed", "·", "1/2"]
        assert rows[3].split() == ["●", "gpt-5", "second", "answer", "2/2"]
        assert rows[5].split() == ["│", "○", "m", "third", "answer"]
        assert seen.status == "8 turns"


async def test_the_newest_turn_in_chat_is_lit_at_the_start() -> None:
    tree = Conversation()
    for number in range(200):
        tree.add(f"n{number}" if number else None, "user", f"turn {number}")
    async with shown(tree) as seen:
        await seen.until(lambda: any(seen.lit))
        assert seen.lit == ["● You            turn 199"]
        assert str(seen.app.shown.query_one("#whole", Static).content) == "turn 199"


async def test_enter_goes_to_a_turn() -> None:
    tree, ids = branched()
    async with shown(tree) as seen:
        await seen.press("up", "up", "up", "enter")
        assert seen.app.ends == [TreeChoice("go", ids["q2"])]


@pytest.mark.parametrize(("key", "action"), [("e", "edit"), ("E", "edit"), ("f", "fork"), ("F", "fork")])
async def test_a_question_is_edited_and_any_turn_forked(key: str, action: str) -> None:
    tree, ids = branched()
    async with shown(tree) as seen:
        await seen.press("up", key)
        assert seen.app.ends == [TreeChoice(action, ids["q2b"])]


async def test_a_reply_is_not_edited() -> None:
    tree, ids = branched()
    async with shown(tree) as seen:
        await seen.press("e")
        assert seen.app.ends == []
        assert seen.status.startswith("Only a question")
        await seen.press("f")
        assert seen.app.ends == [TreeChoice("fork", ids["a4"])]


async def test_left_and_right_jump_between_versions() -> None:
    tree, _ = branched()
    async with shown(tree) as seen:
        await seen.press("up", "left")
        assert "going on" in seen.lit[0]
        await seen.press("left")
        assert "going on" in seen.lit[0]
        assert seen.status == "no other version"
        await seen.press("right")
        assert "edited" in seen.lit[0]
        assert seen.status == "8 turns"
        await seen.press("down", "right")
        assert "fourth answer" in seen.lit[0]
        assert seen.status == "This turn has one version."


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_it_is_left_without_a_choice(key: str) -> None:
    tree, _ = branched()
    async with shown(tree) as seen:
        await seen.press(key)
        assert seen.app.ends == [None]


async def test_the_cursor_walks_and_jumps() -> None:
    tree = Conversation()
    for number in range(100):
        tree.add(f"n{number}" if number else None, "user", f"turn {number}.")
    async with shown(tree) as seen:
        for key, place in [("home", 0), ("up", 0), ("down", 1), ("end", 99), ("down", 99), ("up", 98)]:
            await seen.press(key)
            assert seen.lit[0].endswith(f" turn {place}."), key
        await seen.press("home", "pagedown")
        assert seen.view.cursor == seen.view.size.height - 1
        await seen.press("pageup")
        assert seen.view.cursor == 0


async def test_a_click_shows_a_turn_and_another_one_goes_there() -> None:
    tree, ids = branched()
    async with shown(tree) as seen:
        await seen.pilot.click(CursorList, offset=(10, 3))
        await seen.settle()
        assert seen.app.ends == []
        assert "second answer" in seen.lit[0]
        await seen.pilot.click(CursorList, offset=(10, 3))
        await seen.settle()
        assert seen.app.ends == [TreeChoice("go", ids["a2"])]


async def test_the_reply_under_way_is_told_from_one_that_is_not() -> None:
    tree, _ = branched()
    asked = tree.add(tree.head, "user", "and now?")
    live = tree.add(asked.id, "assistant", "", model="m")
    other = tree.add(asked.id, "assistant", "", model="m")
    async with shown(tree, live.id) as seen:
        rows = {line.node: row for line, row in zip(outline(tree), seen.rows, strict=False)}
        assert rows[live.id].split()[-4:] == ["m", "streaming", "·", "1/2"]
        assert rows[other.id].split()[-2:] == ["m", "2/2"]


async def test_a_reply_without_a_word_says_so() -> None:
    tree = Conversation()
    asked = tree.add(None, "user", "hm")
    reply(tree, asked.id, "", Phase.CANCELLED)
    async with shown(tree) as seen:
        assert seen.rows[1].split() == ["▌●", "m", "(nothing", "came)", "cancelled"]


async def test_an_empty_conversation_says_what_to_do() -> None:
    async with shown(Conversation()) as seen:
        assert "Nothing has been said yet." in "\n".join(seen.rows)
        await seen.press("enter", "e", "f", "left", "down", "end")
        assert seen.app.ends == []
        await seen.press("escape")
        assert seen.app.ends == [None]


@pytest.mark.parametrize("size", SIZES)
async def test_foreign_text_keeps_its_line_and_its_columns(size: tuple[int, int]) -> None:
    tree = Conversation()
    hostile = "\x1b]52;c;aGk=\x07[/x] \u202edesrever\u2028two \r\n " + "漢字" * 13
    hostile += " 👩‍👩‍👧 e\u0301"
    asked = tree.add(None, "user", hostile * 20, id="q")
    for model in ("[b]m\x1b[31m", "模型模型模型模型", "x" * 300):
        reply(tree, asked.id, hostile, Phase.INTERRUPTED, model)
    async with shown(tree, size=size) as seen:
        for y in range(seen.view.size.height):
            strip = seen.view.render_line(y)
            assert strip.cell_length == seen.view.columns
            assert sum(segment.cell_length for segment in strip) == seen.view.columns
            assert not any(is_control(char) for char in strip.text)
        assert "␛]52;c;" in seen.rows[0]
        assert any(row.endswith("interrupted · 1/3") for row in seen.rows)


async def test_a_deep_branch_leaves_room_for_its_words() -> None:
    tree = Conversation()
    parent: str | None = None
    for number in range(60):
        side = tree.add(parent, "user", f"side {number}", id=f"s{number}")
        tree.add(parent, "user", "main", id=f"m{number}")
        parent = side.id
    for number in reversed(range(60)):
        tree.select(f"m{number}")
    async with shown(tree, size=(80, 24)) as seen:
        seen.view.move_to(59)
        await seen.settle()
        assert seen.lit[0].startswith("…")
        assert " side 59 " in seen.lit[0]


async def test_of_five_thousand_turns_only_those_are_drawn_that_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Conversation()
    for number in range(5000):
        tree.add(f"n{max(1, number - number % 3)}" if number else None, "user", f"turn {number}")
    drawn_places = set[int]()
    draw = TreeScreen(tree, None).view.__class__.draw

    def counted(self: object, place: int, row: int, width: int) -> object:
        drawn_places.add(place)
        return draw(self, place, row, width)

    monkeypatch.setattr("tui_chat.ui.screens.tree.TreeView.draw", counted)
    async with shown(tree) as seen:
        await seen.press("end", "home")
        assert len(drawn_places) <= 4 * seen.view.size.height
