"""The transcript: what is painted is what stands there, at a cost that does not grow with the conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip
from textual.theme import Theme

from tui_chat.ui.rows import Change, Head, Note, Turn, TurnRows
from tui_chat.ui.widgets.damage import changed_cells
from tui_chat.ui.widgets.shelf import ROWS_KEPT
from tui_chat.ui.widgets.transcript import Transcript

Cell = tuple[str, Style | None]

REPLY = """# Heading

Some text with **bold** words and `code`, long enough to be wrapped at the width that there is, and a little more.

- one
- two
  1. inner
  2. more of it

| a | b |
|---|---|
| 1 | 漢字 |

```py
def f(x):
    return x
```

> quoted 🙂 مرحبا

The end.
"""
HEIGHT = 24


class Watched(Transcript):
    """A transcript with a screen of its own, on which only what it asks to be painted is painted."""

    moves = False
    """Moves what is on its screen when the view moves, as a terminal can."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[list[Cell]] = []
        self.regions: list[Region] = []
        self.moved: list[int] = []

    def scrolled_by(self, rows: int) -> bool:
        self.moved.append(rows)
        if self.moves:
            empty: list[list[Cell]] = [[("?", None)] * self.columns for _ in range(rows)]
            self.cells = (self.cells + empty)[-HEIGHT:]
        return self.moves

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False):
        if repaint and self.is_mounted:
            self.regions += regions or [Region(0, 0, self.size.width, self.size.height)]
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def paint(self) -> int:
        """Paint what was asked for; how many cells that were."""
        whole = self.whole()
        if len(self.cells) != len(whole):
            self.cells = whole
        painted = 0
        for region in self.regions:
            for y in range(max(0, region.y), min(region.bottom, len(whole))):
                self.cells[y][region.x : region.right] = whole[y][region.x : region.right]
                painted += min(region.right, self.columns) - region.x
        self.regions.clear()
        return painted

    def whole(self) -> list[list[Cell]]:
        return [cells(self.render_line(y)) for y in range(self.size.height)]

    def seen(self) -> list[str]:
        return ["".join(char for char, _ in row).rstrip() for row in self.whole()]


def cells(strip: Strip) -> list[Cell]:
    """A row, cell by cell; a wide character takes two."""
    out: list[Cell] = []
    for segment in strip:
        for char in segment.text:
            size = cell_len(char)
            if size == 0 and out:
                out[-1] = (out[-1][0] + char, out[-1][1])
            else:
                out += [(char, segment.style), *[("", segment.style)] * (size - 1)]
    return out


class Screen(App[None]):
    CSS = """
    Watched { width: 1fr; height: 1fr; overflow-y: scroll; overflow-x: hidden; scrollbar-size-vertical: 1; }
    .rows--heading { color: $primary; }
    """

    def compose(self) -> ComposeResult:
        yield Watched()


@asynccontextmanager
async def opened(turns: list[Turn] | None = None, size: tuple[int, int] = (60, HEIGHT)) -> AsyncIterator[Watched]:
    app = Screen()
    async with app.run_test(size=size) as pilot:
        transcript = app.query_one(Watched)
        transcript.pilot = pilot  # pyright: ignore[reportAttributeAccessIssue]
        await settle(transcript)
        if turns is not None:
            transcript.show(turns)
            await settle(transcript)
        calm(transcript)
        transcript.paint()
        yield transcript


def calm(transcript: Watched) -> None:
    """Lay out what is near the view, which else is done when nothing moves."""
    while transcript._rest_timer is not None:  # pyright: ignore[reportPrivateUsage]
        transcript._rest_timer.stop()  # pyright: ignore[reportPrivateUsage]
        transcript._prepare()  # pyright: ignore[reportPrivateUsage]


async def settle(transcript: Watched) -> None:
    """Until everything that is left for later has been done."""
    pilot: Pilot[None] = transcript.pilot  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(4):
        await pilot.pause(0)


def conversation(count: int, text: str = REPLY) -> list[Turn]:
    turns: list[Turn] = []
    for n in range(count):
        reply = n % 2 == 1
        body = f"{text}\nAnswer {n}." if reply else f"Question {n}?"
        turns.append(Turn(f"n{n}", "assistant" if reply else "user", Head("model" if reply else "You"), body))
    return turns


def whole_rows(transcript: Watched, turns: list[Turn]) -> list[str]:
    """The rows of the whole conversation, none of them estimated."""
    palette = transcript._palette  # pyright: ignore[reportPrivateUsage]
    return ["".join(s.text for s in row).rstrip() for turn in turns for row in TurnRows(turn, palette, 59).rows()]


# what is painted


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("size", [1, 7, 60, 400])
async def test_what_is_painted_is_what_stands_there(size: int, moves: bool) -> None:
    async with opened([*conversation(2), Turn("live", "assistant", Head("model", "streaming"))]) as transcript:
        transcript.moves = moves
        for at in range(0, len(REPLY) * 2, size):
            transcript.grow("live", (REPLY * 2)[at : at + size], "hm. " if at == 0 else "")
            if at % 5 == 0:
                transcript.dress("live", Head("model", f"streaming · {at} s"), ())
            transcript.paint()
            assert transcript.cells == transcript.whole()
        transcript.dress("live", Head("model", "done"), (Note("cut short", "warning"), Note("why")))
        transcript.paint()
        assert transcript.cells == transcript.whole()
        assert transcript.seen()[-3:] == ["  cut short", "  why", ""]
        assert transcript.moved
        assert all(rows > 0 for rows in transcript.moved)


async def test_by_pages_the_view_moves_seldom_and_shows_the_newest_row() -> None:
    async with opened([*conversation(4), Turn("live", "assistant", Head("model", "streaming"))]) as transcript:
        transcript.by_pages = True
        for n in range(60):
            transcript.grow("live", f"line {n}\n\n", "")
            transcript.paint()
            assert transcript.cells == transcript.whole()
            assert any(f"line {n}" in row for row in transcript.seen())
            assert transcript.following
        assert all(rows >= HEIGHT // 3 for rows in transcript.moved[1:])
        assert len(transcript.moved) <= 60 * 2 // (HEIGHT // 3) + 1


async def test_a_growing_line_costs_the_cells_that_are_new() -> None:
    async with opened([Turn("live", "assistant", Head("model"))]) as transcript:
        transcript.grow("live", "some words ", "")
        transcript.paint()
        transcript.grow("live", "and more", "")
        assert transcript.paint() <= len("and more") + 4


async def test_a_head_that_changes_costs_one_row() -> None:
    async with opened([*conversation(40), Turn("live", "assistant", Head("model", "1 s"))]) as transcript:
        painted, laid_out = transcript.painted, transcript.laid_out
        transcript.dress("live", Head("model", "2 s"), ())
        assert transcript.paint() <= 59
        await settle(transcript)
        assert transcript.painted - painted <= HEIGHT + 2
        assert transcript.laid_out - laid_out <= 1


async def test_where_the_terminal_moves_its_rows_only_new_ones_are_painted() -> None:
    async with opened(conversation(40)) as transcript:
        transcript.moves = True
        painted = 0
        for n in range(30):
            transcript.grow("n39", f"\n\nparagraph {n}", "")
            painted += transcript.paint()
            assert transcript.cells == transcript.whole()
        assert sum(transcript.moved) == 60
        assert painted <= sum(transcript.moved) * 59 * 2


def test_changed_cells() -> None:
    def row(*texts: str) -> Strip:
        return Strip([*TurnRows(Turn("x", "user", Head("y"), "".join(texts)), _Plain(), 99).rows()[1]])

    assert changed_cells(row("abcdef"), row("abcdef ghi")) == (6, 12)
    assert changed_cells(row("漢字漢"), row("漢字字")) == (4, 8)
    assert changed_cells(row("abc"), row("abc")) == (3, 5)
    assert changed_cells(row("abc שלום"), row("abc שלום!")) == (0, 11)


class _Plain(dict[str, Style]):
    def __missing__(self, key: str) -> Style:
        return Style()


# where the view stands


async def test_a_long_conversation_lays_out_what_is_seen() -> None:
    turns = conversation(2_000)
    async with opened(turns) as transcript:
        # The page at the tail, and a page or two to either side once nothing moves.
        assert transcript.laid_out < 20 * HEIGHT
        assert transcript.seen() == whole_rows(transcript, turns[-6:])[-HEIGHT:]
        assert transcript.following


async def test_paging_up_shows_every_row_once() -> None:
    turns = conversation(60)
    async with opened(turns) as transcript:
        rows = whole_rows(transcript, turns)
        end = len(rows)
        while transcript.scroll_offset.y:
            assert transcript.seen() == rows[end - HEIGHT : end]
            transcript.scroll_page_up(animate=False)
            calm(transcript)
            end = max(HEIGHT, end - HEIGHT)
        assert transcript.seen() == rows[:HEIGHT]
        assert transcript.virtual_size.height == len(rows)


async def test_lines_up_and_pages_down_keep_their_place() -> None:
    turns = conversation(60)
    async with opened(turns) as transcript:
        rows = whole_rows(transcript, turns)
        for step in (1, 3, 1, 7):
            for _ in range(25):
                transcript.scroll_to(y=transcript.scroll_offset.y - step, animate=False)
                await settle(transcript)
        top = len(rows) - HEIGHT - 25 * 12
        assert transcript.seen() == rows[top : top + HEIGHT]
        transcript.scroll_to(y=0, animate=False)
        assert transcript.seen() == rows[:HEIGHT]
        for _ in range(3):
            transcript.scroll_page_down(animate=False)
        assert transcript.seen() == rows[3 * HEIGHT : 4 * HEIGHT]
        while not transcript.following:
            transcript.scroll_page_down(animate=False)
        assert transcript.seen() == rows[-HEIGHT:]


async def test_laying_out_what_is_near_moves_nothing() -> None:
    async with opened(conversation(200)) as transcript:
        transcript.scroll_to(y=transcript.max_scroll_y // 2, animate=False)
        seen, laid_out = transcript.seen(), transcript.laid_out
        transcript.paint()
        calm(transcript)
        assert transcript.seen() == seen
        assert transcript.laid_out - laid_out > 2 * HEIGHT
        assert not transcript.regions


async def test_a_view_scrolled_up_stays_and_costs_nothing() -> None:
    async with opened([*conversation(60), Turn("live", "assistant", Head("model"))]) as transcript:
        transcript.scroll_page_up(animate=False)
        transcript.scroll_page_up(animate=False)
        transcript.paint()
        seen = transcript.seen()
        for n in range(50):
            transcript.grow("live", f"paragraph {n}\n\n", "")
        transcript.dress("live", Head("model", "done"), (Note("why"),))
        assert transcript.paint() == 0
        assert transcript.seen() == seen
        assert not transcript.following
        transcript.to_tail()
        assert transcript.following
        assert transcript.seen()[-4:] == ["", "  paragraph 49", "  why", ""]


async def test_a_turn_that_changes_above_the_view_moves_nothing() -> None:
    async with opened(conversation(6)) as transcript:
        transcript.scroll_to(y=transcript.max_scroll_y - 5, animate=False)
        calm(transcript)
        transcript.paint()
        seen, top = transcript.seen(), transcript.scroll_offset.y
        transcript.grow("n1", "\n\nmore\n\nand more", "")
        assert transcript.scroll_offset.y == top + 4
        assert transcript.seen() == seen
        assert transcript.paint() == 0


async def test_rows_far_from_the_view_are_dropped() -> None:
    turns = conversation(800)
    async with opened(turns) as transcript:
        for _ in range(400):
            transcript.scroll_page_up(animate=False)
        shelf = transcript._shelf  # pyright: ignore[reportPrivateUsage]
        kept = [rows for turn in turns if (rows := shelf.rows_of(turn.id)) is not None]
        assert sum(rows.height for rows in kept) < ROWS_KEPT + 4 * HEIGHT
        assert len(kept) > 100


async def test_a_resize_keeps_the_turn_at_the_top() -> None:
    turns = conversation(400)
    async with opened(turns) as transcript:
        transcript.scroll_to(y=transcript.max_scroll_y // 2, animate=False)
        place, _ = transcript._shelf.at(transcript.scroll_offset.y)  # pyright: ignore[reportPrivateUsage]
        laid_out = transcript.laid_out
        await transcript.pilot.resize_terminal(40, 20)  # pyright: ignore[reportAttributeAccessIssue]
        await settle(transcript)
        assert transcript._shelf.at(transcript.scroll_offset.y)[0] == place  # pyright: ignore[reportPrivateUsage]
        assert transcript.laid_out - laid_out < 20 * HEIGHT
        transcript.to_tail()
        await transcript.pilot.resize_terminal(60, HEIGHT)  # pyright: ignore[reportAttributeAccessIssue]
        await settle(transcript)
        assert transcript.seen() == whole_rows(transcript, turns[-6:])[-HEIGHT:]


async def test_less_than_a_page_stands_at_the_top() -> None:
    async with opened([Turn("live", "assistant", Head("model"))]) as transcript:
        transcript.grow("live", "one line", "")
        assert transcript.seen()[:3] == ["◆ model", "  one line", ""]
        assert transcript.scroll_offset.y == 0
        assert transcript.following


# what is laid out


async def test_turns_shown_again_are_not_laid_out_again() -> None:
    turns = conversation(10)
    async with opened(turns) as transcript:
        laid_out = transcript.laid_out
        transcript.show([*conversation(10), Turn("new", "user", Head("You"), "And now?")])
        await settle(transcript)
        assert transcript.laid_out - laid_out <= 3
        assert transcript.seen()[-3:] == ["❯ You", "  And now?", ""]
        transcript.show(turns[:2])
        assert [line for line in transcript.seen() if line][-1] == "  Answer 1."


async def test_other_colours_are_taken_at_once_and_move_nothing() -> None:
    async with opened(conversation(40, "# Heading")) as transcript:
        app = transcript.app
        app.register_theme(Theme("one", primary="#010203"))
        app.register_theme(Theme("two", primary="#a0b0c0"))
        app.theme = "one"
        await settle(transcript)
        transcript.scroll_to(y=transcript.max_scroll_y - 25, animate=False)
        seen, before = transcript.seen(), transcript.whole()
        app.theme = "two"
        await settle(transcript)
        assert transcript.seen() == seen
        colours = {style.color.name for row in transcript.whole() for _, style in row if style and style.color}
        assert "#a0b0c0" in colours
        assert "#010203" not in colours
        assert transcript.whole() != before


async def test_a_huge_turn_is_laid_out_in_steps() -> None:
    text = "word " * 40_000
    async with opened() as transcript:
        transcript.show([Turn("huge", "assistant", Head("model"), text)])
        first = transcript.virtual_size.height
        transcript.grow("huge", "and more", "")
        while transcript._unfinished:  # pyright: ignore[reportPrivateUsage]
            await settle(transcript)
        assert first < 200 < transcript.virtual_size.height
        assert transcript.seen()[-2].endswith("and more")
        assert transcript.following


async def test_a_link_whose_definition_comes_late_is_one_in_the_end() -> None:
    async with opened([Turn("live", "assistant", Head("model"))]) as transcript:
        for piece in ("see [it]\n", "\n", "text\n", "\n", "[it]: https://x.test\n"):
            transcript.grow("live", piece, "")
        transcript.dress("live", Head("model", "done"), ())
        await settle(transcript)
        transcript.paint()
        assert transcript.seen()[1] == "  see it\u00a0[1] (https://x.test)"
        assert transcript.cells == transcript.whole()


async def test_nothing_to_show_is_nothing() -> None:
    async with opened([]) as transcript:
        transcript.grow("unknown", "x", "")
        transcript.dress("unknown", Head("x"), ())
        transcript.to_tail()
        await transcript.pilot.resize_terminal(40, 20)  # pyright: ignore[reportAttributeAccessIssue]
        transcript.show([])
        assert not any(transcript.seen())


async def test_a_turn_that_is_not_laid_out_grows_too() -> None:
    turns = conversation(400)
    async with opened(turns) as transcript:
        height = transcript.virtual_size.height
        transcript.grow("n1", "\n\nmore" * 50, "thought")
        transcript.dress("n1", Head("other"), (Note("why"),))
        transcript.grow("unknown", "x", "")
        transcript.dress("unknown", Head("x"), ())
        transcript.to_tail()
        assert transcript.virtual_size.height > height
        transcript.scroll_to(y=0, animate=False)
        assert "◆ other" in transcript.seen()


async def test_a_frame_lays_out_few_rows() -> None:
    """Of a long reply, a token costs the rows of the block it stands in."""
    async with opened([Turn("live", "assistant", Head("model"))]) as transcript:
        words = REPLY.split(" ")
        counts: list[int] = []
        for n in range(3_000):
            before = transcript.laid_out
            transcript.grow("live", words[n % len(words)] + " ", "")
            counts.append(transcript.laid_out - before)
        assert max(counts) < 40
        assert sum(counts[-1_000:]) < 1.5 * sum(counts[:1_000])


async def test_a_frame_paints_no_more_than_the_view() -> None:
    async with opened(conversation(100)) as transcript:
        for n in range(10):
            painted = transcript.painted
            transcript.grow("n99", f"\n\nparagraph {n}\n\n- and\n- more", "")
            await settle(transcript)
            assert transcript.painted - painted <= HEIGHT


async def test_the_scrollbar_knows_the_height() -> None:
    async with opened(conversation(100)) as transcript:
        bar = transcript.vertical_scrollbar
        transcript.scroll_page_up(animate=False)
        assert bar.window_virtual_size == transcript.virtual_size.height
        assert bar.position == transcript.scroll_offset.y
        transcript.to_tail()
        transcript._bar_due()  # pyright: ignore[reportPrivateUsage]
        assert bar.position == transcript.max_scroll_y


def test_a_change_says_what_stood_there() -> None:
    rows = TurnRows(Turn("x", "assistant", Head("model"), "one\n\ntwo"), _Plain(), 40)
    rows.rows()
    rows.append(" more\n\nthree", "")
    change = rows.advance()
    assert isinstance(change, Change)
    assert change.first == 3
    assert ["".join(s.text for s in row) for row in change.old] == ["  two", ""]
    assert ["".join(s.text for s in row) for row in change.new] == ["  two more", "", "  three", ""]
