"""Folds: thoughts behind an answer, and long questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.style import Style

from tests.kit.screen import Chat, environment, opened
from tests.ui.test_transcript import opened as opened_transcript
from tests.ui.test_transcript import settle
from tui_chat.demo.server import DemoServer
from tui_chat.ui.rows import STYLES, Head, Turn, TurnRows, foldable

PALETTE = dict.fromkeys(STYLES, Style())
FILE = "\n".join(f"line {n}" for n in range(100))


@pytest.fixture
async def chat(tmp_path: Path, server: DemoServer) -> AsyncIterator[Chat]:
    async with opened(environment(tmp_path, server), "demo-reasoning") as running:
        yield running


def drawn(turn: Turn, width: int = 60) -> list[str]:
    return [strip.text.rstrip() for strip in TurnRows(turn, PALETTE, width).rows()]


def seen(chat: Chat) -> list[str]:
    transcript = chat.screen.transcript
    return [transcript.render_line(y).text.rstrip() for y in range(transcript.size.height)]


# rows


def test_thoughts_behind_an_answer_fold_to_one_line() -> None:
    head = Head("m", thinking="reasoning · ~412 tokens · 3.2 s")
    turn = Turn("x", "assistant", head, "Answer.", "one\ntwo", folded=True)
    assert drawn(turn) == ["◆ m", "  ▸ reasoning · ~412 tokens · 3.2 s", "", "  Answer.", ""]
    turn.folded = False
    assert drawn(turn) == [
        *("◆ m", "  ▾ reasoning · ~412 tokens · 3.2 s", "  ┊ one", "  ┊ two", "", "  Answer.", ""),
    ]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_thoughts_without_an_answer_are_shown(text: str) -> None:
    turn = Turn("x", "assistant", Head("m"), text, "one\ntwo", folded=True)
    assert drawn(turn)[:3] == ["◆ m", "  ┊ one", "  ┊ two"]
    assert not foldable(turn, 60)


def test_a_long_question_folds_to_its_first_rows() -> None:
    turn = Turn("x", "user", Head("You"), FILE, folded=True)
    assert drawn(turn) == ["❯ You", *(f"  line {n}" for n in range(6)), "  ▸ 94 more lines", ""]
    assert foldable(turn, 58)
    turn.folded = False
    assert len(drawn(turn)) == 102
    assert not foldable(Turn("x", "user", Head("You"), "short\nquestion"), 58)


def test_one_long_line_folds_too() -> None:
    turn = Turn("x", "user", Head("You"), "x" * 5_000, folded=True)
    rows = drawn(turn, 52)
    assert rows[1:7] == ["  " + "x" * 50] * 6
    assert rows[7] == "  ▸ 4,700 more characters"


@pytest.mark.parametrize("size", [1, 3, 50])
def test_what_streams_in_ends_as_it_would_at_once(size: int) -> None:
    """The line of figures comes while the answer streams, and changes at its end."""
    rows = TurnRows(Turn("x", "assistant", Head("m"), "", "hm"), PALETTE, 60)
    text = "Some *text*.\n\n- a\n- b\n\nmore"
    for at in range(0, len(text), size):
        rows.append(text[at : at + size], "still thinking\n" if at % 2 else "")
        rows.advance()
        rows.dress(Head("m", thinking=f"reasoning · {at // 4} tokens"), ())
    got = [strip.text.rstrip() for strip in rows.rows()]
    assert got == drawn(Turn("x", "assistant", rows.turn.head, text, rows.turn.thinking))


# the view


async def test_thoughts_are_folded_when_the_answer_begins() -> None:
    async with opened_transcript([Turn("live", "assistant", Head("m"), folded=True)]) as transcript:
        transcript.grow("live", "", "let me think\nand think")
        assert transcript.seen()[:3] == ["◆ m", "  ┊ let me think", "  ┊ and think"]
        transcript.grow("live", "Answer", "")
        assert transcript.seen()[:4] == ["◆ m", "  ▸ reasoning", "", "  Answer"]
        transcript.grow("live", " and more", "a later thought")
        transcript.paint()
        assert transcript.cells == transcript.whole()
        assert transcript.seen()[1:4] == ["  ▸ reasoning", "", "  Answer and more"]
        transcript.fold(["live"], folded=False)
        assert transcript.seen()[1:4] == ["  ┊ let me think", "  ┊ and thinka later thought", ""]


async def test_thoughts_that_are_being_read_stay() -> None:
    async with opened_transcript([Turn("live", "assistant", Head("m"), folded=True)]) as transcript:
        transcript.grow("live", "", FILE)
        transcript.scroll_page_up(animate=False)
        before = transcript.seen()
        transcript.grow("live", "Answer", "")
        await settle(transcript)
        assert transcript.seen() == before


async def test_folding_costs_no_layout_of_what_is_not_seen() -> None:
    turns = [Turn(f"n{n}", "assistant", Head("m"), "Answer.", FILE, folded=True) for n in range(2_000)]
    async with opened_transcript(turns) as transcript:
        height, laid_out = transcript.virtual_size.height, transcript.laid_out
        transcript.fold([turn.id for turn in turns], folded=False)
        assert transcript.virtual_size.height > height + 2_000 * 90
        assert transcript.laid_out - laid_out < 400
        transcript.fold([turn.id for turn in turns], folded=True)
        assert transcript.virtual_size.height == height


# the screen


async def test_the_key_opens_and_folds_the_thoughts(chat: Chat) -> None:
    await chat.ask("echo hello")
    line = next(row for row in seen(chat) if "▸ reasoning" in row)
    assert "tokens" in line
    assert line.endswith(("ms", " s"))
    await chat.press("alt+o")
    assert any("▾ reasoning" in row for row in seen(chat))
    assert any("┊ " in row for row in seen(chat))
    await chat.ask("echo more")
    await chat.send("/fold all")
    assert not any("┊ " in row for row in seen(chat))
    await chat.send("/fold x")
    assert "/fold all" in chat.status


async def test_a_fold_that_was_opened_stays_open(chat: Chat) -> None:
    await chat.ask("echo hello")
    await chat.press("alt+o")
    opened_rows = [row for row in seen(chat) if "┊ " in row]
    await chat.send("/system Be brief")
    chat.screen._show_turns()  # pyright: ignore[reportPrivateUsage]
    assert [row for row in seen(chat) if "┊ " in row] == opened_rows


async def test_a_pasted_file_is_folded(chat: Chat) -> None:
    await chat.press("alt+o")
    assert "nothing to fold" in chat.status
    await chat.ask("echo ok\n" + FILE)
    chat.screen.transcript.scroll_to(y=0, animate=False)
    assert "  ▸ 95 more lines" in seen(chat)
    await chat.press("alt+o")
    assert "  ▸ 95 more lines" not in seen(chat)
    assert "  line 20" in seen(chat)
