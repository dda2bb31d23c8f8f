"""The usage screen: its views, its periods, its size, what it copies."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.widgets import Static

from tests.kit.shelf import OneScreen, Seen, house_in
from tests.kit.spending import spending, tried
from tui_chat.domain.words import say
from tui_chat.ui.screens.usage import UsageScreen
from tui_chat.ui.widgets.sheet import Sheet
from tui_chat.wiring import House

NOW = time.time()
DAY = 86400.0


@pytest.fixture
def house(tmp_path: Path) -> House:
    built = house_in(tmp_path)
    built.chats.library.add(
        spending(
            "c",
            [tried(NOW, "dear", "0.5", input=1000, output=200, ttft_s=0.25, tok_per_s=40.0)],
            [tried(NOW - 10 * DAY, "\x1b[2Jold", "0.25", endpoint="other", input=10, output=20)],
            [tried(NOW - 10 * DAY, "local", input=10, output=20, exact=False)],
        )
    )
    return built


@asynccontextmanager
async def shown(house: House, size: tuple[int, int] = (100, 30)) -> AsyncIterator[Seen]:
    screen = UsageScreen(house)
    app = OneScreen(screen)
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, pilot, screen.query_one(Sheet))
        await seen.until(lambda: seen.view.length or "No " in seen.rows[1])
        yield seen


def text_of(seen: Seen, place: int) -> str:
    return str(list(seen.app.shown.query(Static))[place].content)


async def test_the_models_with_bars_and_the_sum(house: House) -> None:
    async with shown(house) as seen:
        rows = [row.strip("▌ ").split() for row in seen.rows if row]
        assert [row[0] for row in rows] == ["dear", "␛[2Jold", "local"]
        assert set(rows[0][1]) == {"█"}
        assert rows[0][2:] == ["$0.5000", "1", "1.00k", "200", "40.0", "250", "ms"]
        assert len(rows[1][1]) == len(rows[0][1]) // 2
        assert rows[2][1:] == ["price?", "1", "~10", "~20", "–", "–"]
        assert text_of(seen, 3).split()[:2] == ["all", "$0.7500+?"]
        assert seen.status.startswith("+?: requests without a known price, which are not in the sum: 1.")


async def test_figures_stand_under_their_headings(house: House) -> None:
    async with shown(house) as seen:
        heading, row, total = text_of(seen, 2), seen.rows[0], text_of(seen, 3)
        for word, figure, summed in (("cost", "$0.5000", "+?"), ("TTFT", "250 ms", "250 ms")):
            ends = heading.index(word) + len(word)
            assert row.index(figure) + len(figure) == ends
            assert total.index(summed) + len(summed) == ends


async def test_views_and_periods(house: House) -> None:
    async with shown(house) as seen:
        await seen.press("tab")
        await seen.until(lambda: seen.view.length == 2)
        assert [row.strip("▌ ").split()[0] for row in seen.rows if row] == ["work", "other"]
        await seen.press("right")
        await seen.until(lambda: seen.rows[0].strip("▌ ").startswith("20"))
        await seen.press("p", "p")
        await seen.until(lambda: seen.view.length == 1)
        assert say("usage.span.week") in text_of(seen, 0)
        await seen.press("left")
        await seen.until(lambda: "work" in seen.rows[0])
        assert seen.view.length == 1


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12)])
async def test_every_line_fits(house: House, size: tuple[int, int]) -> None:
    async with shown(house, size) as seen:
        await seen.settle()
        assert "dear" in seen.rows[0]
        assert "$0.5000" in seen.rows[0]
        assert all(len(text_of(seen, place)) <= size[0] for place in (2, 3))


async def test_the_table_is_copied_whole(house: House) -> None:
    async with shown(house, (40, 12)) as seen:
        await seen.press("c")
        lines = seen.app.clipboard.splitlines()
        assert lines[0].split()[:2] == ["model", "cost"]
        assert lines[1].split() == ["dear", "$0.5000", "1", "1.00k", "200", "40.0", "250", "ms"]
        assert lines[4].split()[0] == "all"


async def test_nothing_yet(tmp_path: Path) -> None:
    async with shown(house_in(tmp_path)) as seen:
        assert say("usage.nothing") in seen.rows[1]
