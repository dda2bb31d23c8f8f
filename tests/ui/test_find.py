"""Find in the conversation and jumps over it, also through turns that are not laid out."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.style import Style

from tests.kit.screen import Chat, opened
from tests.ui.test_transcript import cells
from tui_chat.ui.rows import STYLES, Head, Note, Turn, TurnRows
from tui_chat.ui.widgets.finding import Search

PALETTE = dict.fromkeys(STYLES, Style()) | {"hit": Style(bold=True), "current": Style(reverse=True)}


def conversation(count: int, every: int = 50) -> list[Turn]:
    """Every so many turns one has the needle, and a code block."""
    turns: list[Turn] = []
    for n in range(count):
        reply = n % 2 == 1
        text = f"Turn {n}.\n\nMore of it."
        if n % every == 1:
            text += f"\n\n```py\ncode_{n}()\n```\n\nHere is the *Näedle* {n}."
        turns.append(Turn(f"n{n}", "assistant" if reply else "user", Head("m" if reply else "You"), text, folded=True))
    return turns


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    config = tmp_path / "config.toml"
    config.touch()
    env = {"TUI_CHAT_CONFIG": str(config), "TUI_CHAT_DATA_DIR": str(tmp_path / "data"), "OPENAI_API_KEY": "sk-test"}
    async with opened(env | {"OPENAI_BASE_URL": "http://127.0.0.1:9"}, "none") as running:
        yield running


async def show(chat: Chat, turns: list[Turn]) -> None:
    await chat.settle()
    chat.screen.transcript.show(turns)
    chat.screen.transcript.to_tail()
    await chat.settle()


async def find(chat: Chat, query: str) -> None:
    await chat.send(f"/find {query}")
    await chat.until(lambda: (search := chat.screen.transcript.search) is not None and search.query == query)


def seen(chat: Chat) -> list[str]:
    transcript = chat.screen.transcript
    return [transcript.render_line(y).text.rstrip() for y in range(transcript.size.height)]


def coloured(chat: Chat, name: str) -> str:
    """What stands in the view in this style."""
    transcript = chat.screen.transcript
    wanted = transcript._palette[name].bgcolor  # pyright: ignore[reportPrivateUsage]
    rows = (cells(transcript.render_line(y)) for y in range(transcript.size.height))
    return "".join(char for row in rows for char, style in row if style and style.bgcolor == wanted)


# hits in rows


def marked(text: str, query: str, width: int = 30) -> list[list[tuple[str, bool]]]:
    rows = TurnRows(Turn("x", "assistant", Head("m"), text), PALETTE, width)
    rows.rows()
    search = Search(query)
    strips = [search.marked(rows, row, PALETTE) for row in range(rows.height)]
    return [[(run.text, bool(run.style and run.style.bold)) for run in strip] for strip in strips]


def hits(text: str, query: str, width: int = 30) -> list[str]:
    return [run for row in marked(text, query, width) for run, hit in row if hit]


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("Un café, un CAFE.", "cafe", ["café", "CAFE"]),
        ("some **bold** words", '"bold words"', ["bold", " words"]),
        ("漢字とかな", "字と", ["字と"]),
        ("a 🙂 needle", "needle", ["needle"]),
        ("m", "model", []),
        ("nothing", "m", []),
    ],
)
def test_hits_are_marked(text: str, query: str, found: list[str]) -> None:
    assert hits(text, query) == found


def test_a_hit_over_two_rows_is_marked_in_both() -> None:
    assert hits("> aaaa bbbb cccc dddd", '"bbbb cccc"', 14) == ["bbbb", "cccc"]


def test_marking_changes_no_text() -> None:
    text = "# Näedle\n\n- a needle 漢字 needle\n\n```py\nneedle = 1\n```\n"
    rows = TurnRows(Turn("x", "assistant", Head("m"), text), PALETTE, 30)
    plain = [strip.text for strip in rows.rows()]
    assert ["".join(run for run, _ in row) for row in marked(text, "needle")] == plain
    assert len(hits(text, "needle")) == 3


def test_lines_that_nobody_said_are_not_marked() -> None:
    turn = Turn("x", "user", Head("lines"), "lines\n" * 20, notes=(Note("lines"),), folded=True)
    rows = TurnRows(turn, PALETTE, 30)
    rows.rows()
    search = Search("lines")
    hit = [any(run.style and run.style.bold for run in search.marked(rows, row, PALETTE)) for row in range(rows.height)]
    assert hit == [False, *[True] * 6, False, False, False]
    assert len(search.places(rows)) == 6


def test_growing_text_is_counted_anew() -> None:
    search, turn = Search("ab"), Turn("x", "assistant", Head("m"), "ab")
    assert search.hits([turn]) == [(0, 0)]
    turn.text += " ab"
    turn.thinking = "ab"
    assert search.hits([turn]) == [(0, 0), (0, 1), (0, 2)]


# the screen


async def test_find_walks_through_turns_that_are_not_laid_out(chat: Chat) -> None:
    await show(chat, conversation(1_000))
    transcript = chat.screen.transcript
    laid_out = transcript.laid_out
    await find(chat, "naedle")
    assert "found 20/20 “naedle”" in chat.status
    assert coloured(chat, "current") == "Näedle"
    assert any("Näedle 951" in row for row in seen(chat))
    await chat.press("f9")
    assert "found 1/20" in chat.status
    assert any("Näedle 1." in row for row in seen(chat))
    for n in range(1, 4):
        await chat.press("f9")
        assert any(f"Näedle {1 + 50 * n}." in row for row in seen(chat))
    await chat.press("shift+f9")
    assert "found 3/20" in chat.status
    assert transcript.laid_out - laid_out < 2_000
    await chat.press("escape")
    assert coloured(chat, "current") == coloured(chat, "hit") == ""
    assert "found" not in chat.status


async def test_what_is_not_there_is_said(chat: Chat) -> None:
    await show(chat, conversation(4))
    await find(chat, "zebra")
    assert "“zebra” is not in this conversation" in chat.status
    await chat.press("f9")
    assert "“zebra” is not" in chat.status
    await chat.press("escape", "f9")
    assert chat.written == "/find "
    await find(chat, "a")
    assert coloured(chat, "hit") == ""


async def test_a_hit_in_a_fold_opens_it(chat: Chat) -> None:
    turns = conversation(40)
    turns[5].thinking = "deep inside: zebra"
    await show(chat, turns)
    await find(chat, "zebra")
    assert coloured(chat, "current") == "zebra"
    assert not turns[5].folded


async def test_several_hits_in_view_are_told_apart(chat: Chat) -> None:
    await show(chat, [Turn("x", "assistant", Head("m"), "one two one [x] one\n\n`one`")])
    await find(chat, "one")
    assert (coloured(chat, "current"), coloured(chat, "hit")) == ("one", "oneoneone")
    assert "1/4" in chat.status
    await chat.press("f9", "f9", "f9", "f9")
    assert "1/4" in chat.status


async def test_jumps_from_turn_to_turn(chat: Chat) -> None:
    await show(chat, conversation(200))
    transcript = chat.screen.transcript
    transcript.to_turn("n100")
    await chat.press("alt+pagedown")
    assert seen(chat)[1] == "  Turn 101."
    await chat.press("alt+pageup", "alt+pageup")
    assert seen(chat)[1] == "  Turn 99."
    transcript.scroll_to(y=transcript.scroll_offset.y + 2, animate=False)
    await chat.press("alt+pageup")
    assert seen(chat)[1] == "  Turn 99."
    for _ in range(100):
        await chat.press("alt+pagedown")
    assert transcript.scroll_offset.y == transcript.max_scroll_y


async def test_jumps_from_code_to_code(chat: Chat) -> None:
    await show(chat, conversation(1_000))
    for n in (951, 901, 851):
        await chat.press("alt+home")
        assert any(f"code_{n}()" in row for row in seen(chat))
    await chat.press("alt+end")
    assert "code_901()" in seen(chat)[1]
    chat.screen.transcript.to_turn("n0")
    await chat.press("alt+home")
    assert "No further code block" in chat.status
    await chat.press("alt+end", "alt+end")
    assert "code_51()" in seen(chat)[1]


async def test_an_empty_conversation_has_nowhere_to_go(chat: Chat) -> None:
    await chat.press("alt+pageup", "alt+pagedown", "alt+home", "alt+end", "alt+o")
    await find(chat, "x")
    assert "not in this conversation" in chat.status


def search_s(rows: TurnRows) -> float:
    started = time.process_time()
    Search("e").places(rows)
    return time.process_time() - started


def test_many_hits_in_a_long_turn_take_time_by_their_number() -> None:
    rows = TurnRows(Turn("t", "assistant", Head("m"), "e " * 150_000), PALETTE, 80)
    rows.rows()
    # The best of some, for what else runs makes each step dearer.
    assert any(search_s(rows) < 1.5 for _ in range(3))
    places = Search("e").places(rows)
    assert len(places) == 150_000
    assert [place.char for place in places[:3]] == [2, 4, 6]
    assert places[-1].row == rows.content_end - 1
