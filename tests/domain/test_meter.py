"""The figures of a run against timelines worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.events import (
    Attempt,
    Cancelled,
    Completed,
    Connected,
    Ended,
    Failed,
    Progress,
    Queued,
    Stamped,
    Stopped,
    Text,
    Thinking,
    Timings,
    Usage,
    Waiting,
)
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.meter import Meter
from tui_chat.domain.tokens import Ratios, TextClass

if TYPE_CHECKING:
    from tui_chat.domain.events import RunEvent

    Timeline = list[tuple[float, RunEvent]]

BUSY = failure(Kind.OVERLOADED, "busy")
OPENED = Connected(200, None, None, None)
DIALLED = Connected(200, None, 0.5, None)
REFUSED = Connected(503, None, None, None)
DONE = Ended(Completed("stop"))
WORD = "four"
"""One token by the estimate."""


def metered(timeline: Timeline, prompt_tokens: float = 10) -> Meter:
    meter = Meter(prompt_tokens)
    for at, event in timeline:
        meter.fold(Stamped("main", at, event))
    return meter


def text(*times: float) -> Timeline:
    return [(at, Text(WORD)) for at in times]


START: Timeline = [(0.0, Attempt(1)), (0.5, OPENED)]
REPORTED = Usage(input=12, output=101)

CASES: dict[str, tuple[Timeline, float, dict[str, Any]]] = {
    "before anything": (
        [],
        0.25,
        {"elapsed_s": 0.25, "attempts": 0, "usage": Usage(), "exact": False, "ttft_s": None, "silence_s": 0.25},
    ),
    "connecting: nothing is counted yet": (
        [(0.0, Attempt(1))],
        0.25,
        {"attempts": 1, "usage": Usage(), "tok_per_s": None, "total_per_s": None, "connect_s": None, "warm": False},
    ),
    "refused: nothing was read, nothing is counted": (
        [(0.0, Attempt(1)), (0.5, REFUSED), (0.5, Ended(Failed(BUSY)))],
        9.0,
        {"usage": Usage(), "exact": False, "elapsed_s": 0.5},
    ),
    "accepted: the prompt is estimated": (
        START,
        1.0,
        {"usage": Usage(input=10, output=0), "exact": False, "warm": True, "silence_s": 0.5},
    ),
    "first token, and the role-only chunk before it": (
        [*START, (2.0, Text(WORD))],
        3.0,
        {"ttft_s": 2.0, "ttft_answer_s": 2.0, "silence_s": 1.0, "tok_per_s": None, "gap_p50_s": None},
    ),
    "connecting is not in the time to the first token": (
        [(0.0, Attempt(1)), (0.75, DIALLED), (2.0, Text(WORD))],
        2.0,
        {"ttft_s": 1.5, "ttft_answer_s": 1.5, "connect_s": 0.5, "warm": False, "wait_s": 0.0},
    ),
    "thinking first": (
        [*START, (1.0, Thinking(WORD)), (3.0, Text(WORD))],
        3.0,
        {"ttft_s": 1.0, "ttft_answer_s": 3.0, "usage": Usage(input=10, reasoning=1, output=2)},
    ),
    "thinking only": (
        [*START, (1.0, Thinking(WORD))],
        3.0,
        {"ttft_s": 1.0, "ttft_answer_s": None},
    ),
    "queue and back-off are waits, not in the time to the first token": (
        [
            (0.0, Queued()),
            (4.0, Attempt(1)),
            (5.0, REFUSED),
            (5.0, Waiting(2.0, BUSY)),
            (7.0, Attempt(2)),
            (7.5, OPENED),
            (8.0, Text(WORD)),
        ],
        9.0,
        {"ttft_s": 1.0, "wait_s": 6.0, "attempts": 2, "elapsed_s": 9.0, "silence_s": 1.0},
    ),
    "in the middle of a back-off": (
        [(0.0, Attempt(1)), (1.0, Waiting(10.0, BUSY))],
        4.0,
        {"wait_s": 3.0, "silence_s": None},
    ),
    "ended in a back-off": (
        [(0.0, Attempt(1)), (1.0, Waiting(10.0, BUSY)), (3.0, Ended(Cancelled()))],
        9.0,
        {"wait_s": 2.0, "elapsed_s": 3.0, "silence_s": None},
    ),
    "rates from the usage": (
        [*START, *text(1.0, 3.0, 6.0), (6.0, REPORTED), (10.0, DONE)],
        99.0,
        {
            "usage": REPORTED,
            "exact": True,
            "tok_per_s": 20.0,
            "total_per_s": 10.1,
            "elapsed_s": 10.0,
            "now_per_s": None,
        },
    ),
    "rates from the estimate": (
        [*START, *text(1.0, 2.0, 3.0), (4.0, DONE)],
        99.0,
        {"usage": Usage(input=10, output=3), "exact": False, "tok_per_s": 1.0, "total_per_s": 0.75},
    ),
    "one piece has no rate": (
        [*START, (2.0, Text("x" * 4000)), (2.0, REPORTED), (2.0, DONE)],
        2.0,
        {"tok_per_s": None, "total_per_s": 50.5},
    ),
    "reasoning that was not sent is not in the rate": (
        [*START, *text(1.0, 2.0), (2.0, Usage(input=12, reasoning=90, output=101)), (2.0, DONE)],
        2.0,
        {"tok_per_s": 10.0, "total_per_s": 50.5},
    ),
    "reasoning that was sent is": (
        [
            *START,
            (1.0, Thinking(WORD)),
            (2.0, Text(WORD)),
            (2.0, Usage(input=12, reasoning=90, output=101)),
            (2.0, DONE),
        ],
        2.0,
        {"tok_per_s": 100.0},
    ),
    "usage on every chunk replaces": (
        [
            *START,
            *[e for n in range(1, 4) for e in ((float(n), Text(WORD)), (float(n), Usage(input=12, output=n * 10)))],
        ],
        3.0,
        {"usage": Usage(input=12, output=30), "exact": True, "tok_per_s": 14.5},
    ),
    "text after the usage is estimated on top": (
        [*START, (1.0, Text(WORD)), (1.0, Usage(input=12, output=5)), *text(2.0, 3.0)],
        3.0,
        {"usage": Usage(input=12, output=7), "exact": False},
    ),
    "usage at the start counts the prompt": (
        [*START, (0.6, Usage(input=12, cached=3, output=0)), *text(1.0, 2.0)],
        3.0,
        {"usage": Usage(input=12, cached=3, output=2), "exact": False},
    ),
    "usage without output": (
        [*START, *text(1.0, 2.0), (2.0, Usage(input=12)), (2.0, DONE)],
        3.0,
        {"usage": Usage(input=12, output=2), "exact": False},
    ),
    "usage without input": (
        [*START, *text(1.0, 2.0), (2.0, Usage(output=20)), (2.0, DONE)],
        3.0,
        {"usage": Usage(input=10, output=20), "exact": False},
    ),
    "cancelled without usage stays an estimate": (
        [*START, *text(1.0, 2.0), (2.5, Ended(Cancelled()))],
        9.0,
        {"usage": Usage(input=10, output=2), "exact": False, "elapsed_s": 2.5},
    ),
    "cancelled with the count of all that came": (
        [*START, (1.0, Text(WORD)), (1.0, Usage(input=12, output=3)), (2.5, Ended(Cancelled()))],
        9.0,
        {"usage": Usage(input=12, output=3), "exact": True},
    ),
    "cancelled with text beyond the count": (
        [*START, (1.0, Text(WORD)), (1.0, Usage(input=12, output=3)), (1.5, Text(WORD)), (2.5, Ended(Cancelled()))],
        9.0,
        {"usage": Usage(input=12, output=4), "exact": False},
    ),
    "gaps by nearest rank": (
        [*START, *text(1.0, 1.5, 1.75, 3.75, 4.0)],
        4.0,
        {"gap_p50_s": 0.25, "gap_p95_s": 2.0, "gap_max_s": 2.0},
    ),
    "one gap": ([*START, *text(1.0, 1.5)], 2.0, {"gap_p50_s": 0.5, "gap_p95_s": 0.5, "gap_max_s": 0.5}),
    "the rate now covers two seconds": (
        [*START, *text(1.0, 2.0, 3.0, 3.5, 4.0)],
        4.5,
        {"now_per_s": 1.5},
    ),
    "the rate now, soon after the first token": ([*START, *text(1.0, 1.25, 1.5)], 1.5, {"now_per_s": 4.0}),
    "the rate now needs a moment": ([*START, *text(1.0, 1.1)], 1.1, {"now_per_s": None}),
    "the rate now, after a long silence": ([*START, *text(1.0, 1.5)], 9.0, {"now_per_s": 0.0, "silence_s": 7.5}),
    "figures and signs of life are data": (
        [*START, (2.0, Progress("prompt", 1, 2)), (3.0, Timings()), (4.0, Usage(output=1)), (5.0, Stopped("stop"))],
        6.0,
        {"silence_s": 1.0},
    ),
    "keep-alives are no data": ([*START, (5.0, Progress("queued"))], 6.0, {"silence_s": 5.5}),
    "bytes are UTF-8, and broken text does no harm": (
        [*START, (1.0, Text("漢字🙂")), (2.0, Text("\ud800"))],
        2.0,
        {"usage": Usage(input=10, output=3)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_figures_of_a_timeline(name: str) -> None:
    timeline, at, expected = CASES[name]
    stats = metered(timeline).stats(at)
    found = {name: getattr(stats, name) for name in stats.__struct_fields__}
    assert {key: found[key] for key in expected} == {
        key: pytest.approx(value) if isinstance(value, float) else value for key, value in expected.items()
    }


def test_the_figures_stand_still_once_the_run_ended() -> None:
    meter = metered([*START, *text(1.0, 2.0), (3.0, DONE)])
    assert meter.stats(3.0) == meter.stats(1000.0)


def test_an_empty_prompt_is_no_figure() -> None:
    assert metered(START, prompt_tokens=0).stats(1.0).usage.input is None


LONG = "word " * 100
"""125 tokens by the estimate."""


@pytest.mark.parametrize(
    ("events", "lesson", "estimate"),
    [
        ([Text(LONG), Usage(input=1, output=100)], (500, 100), 1.25),
        ([Thinking("why"), Text(LONG), Usage(input=1, output=160, reasoning=60)], (500, 100), 1.25),
        ([Thinking("why"), Text(LONG), Usage(input=1, output=160)], None, None),
        ([Text("word"), Usage(input=1, output=2)], None, 0.5),
        ([Text(LONG)], None, None),
        ([Text("a"), Attempt(2, 1), Text(LONG), Usage(input=1, output=100)], None, None),
    ],
)
def test_what_an_ended_reply_says_about_the_estimate(
    events: list[RunEvent], lesson: tuple[int, int] | None, estimate: float | None
) -> None:
    meter = metered([*START, *((1.0 + i, event) for i, event in enumerate(events)), (9.0, DONE)])
    found = meter.lesson()
    assert (found and (found.size, found.tokens)) == lesson
    assert meter.stats(9.0).estimate == estimate


def test_learned_ratios_are_estimated_by() -> None:
    meter = Meter(ratios=Ratios({TextClass.LATIN: 2.0}))
    for at, event in [*START, *text(1.0, 2.0)]:
        meter.fold(Stamped("main", at, event))
    assert meter.stats(2.0).usage.output == 4


@given(st.lists(st.floats(0, 30), min_size=2, max_size=60), st.integers(1, 99))
def test_gaps_agree_with_their_definition(steps: list[float], output: int) -> None:
    times: list[float] = []
    for step in steps:
        times.append((times[-1] if times else 1.0) + step)
    stats = metered([*START, *text(*times), (times[-1], Usage(input=1, output=output))]).stats(times[-1])
    gaps = sorted(b - a for a, b in pairwise(times))
    assert stats.gap_max_s == gaps[-1]
    for percent, found in ((50, stats.gap_p50_s), (95, stats.gap_p95_s)):
        assert found is not None
        assert found in gaps
        assert sum(g <= found for g in gaps) >= percent / 100 * len(gaps)
        assert sum(g < found for g in gaps) < percent / 100 * len(gaps)
    span = times[-1] - times[0]
    assert stats.tok_per_s == ((output - 1) / span if span and output > 1 else None)
