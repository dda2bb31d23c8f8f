"""The stats pane: what it says of a reply, that nothing in it moves, and how much of it is drawn again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.geometry import Region

from tui_chat.domain.budget import Left, Limit
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Timings, Usage
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource
from tui_chat.domain.words import say
from tui_chat.ui import themes
from tui_chat.ui.app import TuiChat
from tui_chat.ui.widgets.figures import WIDTH, Figures, Heading, Shown, Spending, rows


@dataclass(frozen=True)
class Money:
    code: str
    per_usd: Decimal


DONG = Money("VND", Decimal(26000))
STATS = replace(
    Meter().stats(0.0),
    elapsed_s=12.34,
    attempts=2,
    usage=Usage(input=12_345, cached=1_000, reasoning=210, output=2_655),
    ttft_s=0.302,
    ttft_answer_s=1.25,
    wait_s=2.0,
    connect_s=0.045,
    tok_per_s=88.12,
    now_per_s=120.4,
    total_per_s=70.0,
    gap_p50_s=0.012,
    gap_p95_s=0.24,
    gap_max_s=3.2,
    silence_s=3.2,
    pace=(0.0, 10.0, 40.0, 80.0),
)
SPENT = Cost(Decimal("0.0123"), CostSource.ESTIMATED)
SHOWN = Shown("m", Phase.STREAMING, STATS, SPENT, 0, 128_000, 4)
SPENDING = Spending(SPENT, Cost(Decimal("1.5"), CostSource.COMPUTED))


class Pane(App[None]):
    CSS_PATH: ClassVar = TuiChat.CSS_PATH
    ENABLE_COMMAND_PALETTE = False

    def get_css_variables(self) -> dict[str, str]:
        return themes.completed(super().get_css_variables())

    def compose(self) -> ComposeResult:
        yield Figures(id="figures")

    def on_mount(self) -> None:
        self.screen.set_class(True, "-wide")


@asynccontextmanager
async def pane(size: tuple[int, int] = (120, 44), *, slow: bool = False) -> AsyncIterator[Figures]:
    app = Pane()
    app.set_class(slow, "-slow")
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app.query_one(Figures)


def lines(figures: Figures) -> list[str]:
    return [figures.render_line(y).text.rstrip() for y in range(figures.size.height)]


def found(figures: Figures) -> dict[str, str]:
    """The figure behind each label."""
    out: dict[str, str] = {}
    for line in lines(figures):
        label, _, figure = line.partition("  ")
        out[label] = figure.strip()
    return out


async def test_every_figure_with_its_unit() -> None:
    async with pane() as figures:
        figures.show(SHOWN, replace(SPENDING, left=Left(Limit.DAY, Decimal(5), Decimal("3.5"))))
        told = found(figures)
        expected = {
            "attempt": "2/4",
            "elapsed": "12.3 s",
            "connect": "45 ms",
            "TTFT": "302 ms",
            "TTFT answer": "1.2 s",
            "waited": "2.0 s",
            "in": "~12,345",
            "cached": "1,000",
            "reasoning": "~210",
            "out": "~2,655",
            "context": "~11.7 %",
            "now": "~120 tok/s",
            "average": "~88.1 tok/s",
            "end to end": "~70.0 tok/s",
            "this reply": "~$0.0123",
            "this chat": "~$0.0123",
            "today": "$1.50",
            "left for today": "$3.50",
            "p50": "12 ms",
            "p95": "240 ms",
            "longest": "3.2 s",
            "no data for": "3.2 s",
        }
        assert {label: told.get(label) for label in expected} == expected
        assert lines(figures)[0] == say("state.streaming")
        assert " ▁▄█" in lines(figures)
        assert any(line.startswith("█▋····") and line.endswith("~15.0k/128k") for line in lines(figures))


async def test_what_is_not_known_is_not_said() -> None:
    async with pane() as figures:
        figures.show(Shown("m", Phase.CONNECTING, Meter().stats(0.0), UNKNOWN, 0), Spending())
        told = found(figures)
        assert (told["TTFT"], told["in"], told["out"], told["average"]) == ("– s", "–", "–", "– tok/s")
        assert (told["context"], told["this reply"], told["no data for"]) == ("– %", "price?", "– s")
        assert '[prices."m"]' in lines(figures)[lines(figures).index("gaps") :]
        assert "left for today" not in told


async def test_headings_stand_out() -> None:
    async with pane() as figures:
        figures.show(SHOWN, SPENDING)
        place = lines(figures).index("tokens")
        heading, row = (next(iter(figures.render_line(y))).style for y in (place, place + 1))
        assert heading is not None
        assert row is not None
        assert heading.color == figures.get_component_rich_style("figures--heading", partial=True).color
        assert heading.color != row.color


async def test_numbers_end_in_one_column() -> None:
    async with pane() as figures:
        figures.show(SHOWN, SPENDING)
        told = [line for line in lines(figures) if line.endswith((" s", " ms", " tok/s"))]
        assert len(told) > 10
        assert {line.rindex(" ") for line in told} == {WIDTH - 6}
        assert all(len(line) <= WIDTH for line in lines(figures))


STAGES: list[tuple[Phase, dict[str, Any]]] = [
    (Phase.CONNECTING, {"usage": Usage(), "ttft_s": None, "ttft_answer_s": None, "pace": ()}),
    (Phase.PROCESSING, {"ttft_s": None, "ttft_answer_s": None, "now_per_s": None}),
    (Phase.THINKING, {"ttft_answer_s": None}),
    (Phase.STREAMING, {}),
    (Phase.WAITING, {"silence_s": None, "wait_s": 5.0}),
    (Phase.COMPLETED, {"exact": True, "silence_s": None, "now_per_s": None}),
]


def test_no_row_moves_from_the_first_moment_to_the_last() -> None:
    def labels(phase: Phase, changes: dict[str, Any]) -> list[str]:
        shown = replace(SHOWN, phase=phase, stats=replace(STATS, **changes))
        return [row if isinstance(row, Heading) else getattr(row, "label", "") for row in rows(shown, SPENDING)][1:]

    first, *others = [labels(phase, changes) for phase, changes in STAGES]
    assert all(other == first for other in others)


async def test_only_lines_that_changed_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pane() as figures:
        figures.show(SHOWN, SPENDING)
        drawn: list[Region] = []
        monkeypatch.setattr(figures, "refresh", lambda *regions, **_: drawn.extend(regions))
        figures.show(SHOWN, SPENDING)
        assert drawn == []
        figures.show(replace(SHOWN, stats=replace(STATS, elapsed_s=12.6, silence_s=3.45)), SPENDING)
        assert [lines(figures)[region.y].split("  ")[0] for region in drawn] == ["elapsed", "no data for"]
        assert all(region.height == 1 for region in drawn)


async def test_the_server_s_own_rate() -> None:
    async with pane() as figures:
        own = Timings(0.1, 2.0, 99.5)
        figures.show(replace(SHOWN, stats=replace(STATS, timings=own)), SPENDING)
        assert found(figures)["server says"] == "99.5 tok/s"


async def test_an_amount_in_the_currency_of_one_s_own_stands_below() -> None:
    async with pane() as figures:
        figures.show(SHOWN, replace(SPENDING, currency=DONG))
        told = lines(figures)
        place = next(i for i, line in enumerate(told) if line.startswith("this reply"))
        assert told[place].split() == ["this", "reply", "~$0.0123"]
        assert told[place + 1].split() == ["319.80", "VND"]
        assert told[place + 1].index("319.80") + 6 == told[place].index("$") + 7


async def test_a_low_window_leaves_out_the_space_between() -> None:
    async with pane((120, 30)) as figures:
        figures.show(SHOWN, SPENDING)
        assert "" not in lines(figures)[:20]
        assert "this reply" in found(figures)


async def test_over_a_slow_line_it_is_a_band_of_full_width() -> None:
    async with pane((120, 40), slow=True) as figures:
        figures.show(SHOWN, SPENDING)
        before = lines(figures)
        assert len(before) == 3
        assert "this reply" in " ".join(before)
        assert "TTFT" in " ".join(before)
        figures.show(replace(SHOWN, stats=replace(STATS, elapsed_s=1.0, ttft_s=1.5, now_per_s=9.0)), SPENDING)
        after = lines(figures)
        for label in ("this reply", "average", "today"):
            place = next(y for y, line in enumerate(before) if label in line)
            assert before[place].index(label) == after[place].index(label)
