"""What is told of a turn's requests, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tui_chat.domain.ask import Settings
from tui_chat.domain.attempts import AttemptRecord, RunRecord
from tui_chat.domain.conversation import Node, Result
from tui_chat.domain.details import Detail, as_text, details, estimated
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import Timings, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import Cost, CostSource, Price
from tui_chat.domain.words import say

PRICE = Price(Decimal(1), Decimal(2), checked="2026-11-01", source="https://prices.example")
NOTHING = Meter().stats(0.0)
ANSWERED = replace(
    NOTHING,
    elapsed_s=3.0,
    usage=Usage(input=100, cached=40, cache_write=10, reasoning=8, output=406),
    exact=True,
    ttft_s=0.25,
    ttft_answer_s=1.5,
    connect_s=0.045,
    tok_per_s=150.0,
    total_per_s=120.0,
    gap_p50_s=0.01,
    gap_p95_s=0.02,
    gap_max_s=0.5,
    estimate=412 / 398,
    timings=Timings(0.2, 2.5, 161.0),
)
COST = Cost(Decimal("0.00123"), CostSource.COMPUTED, "2026-11-01", "billed twice a year")
REFUSED = AttemptRecord(
    1, 0, 0.0, Phase.FAILED, replace(NOTHING, elapsed_s=0.1), Cost(Decimal(0), CostSource.ESTIMATED)
)
RUN = RunRecord(
    "abc",
    "work",
    "openai-chat",
    "vendor/m",
    Settings(temperature=0.5, system="Be\x1bbrief", stop=("x",)),
    1_790_000_000.0,
    (
        replace(REFUSED, status=429, failure=failure(Kind.RATE_LIMIT, "slow down")),
        replace(REFUSED, n=2, at=2.1, status=400, refused="temperature"),
        AttemptRecord(3, 1, 2.2, Phase.COMPLETED, ANSWERED, COST, "stop", None, 200, "req-1", "http://proxy:1"),
    ),
)
TURN = Node(
    "n", "q", "assistant", "text", model="vendor/m", result=Result(Phase.COMPLETED, "stop", None, 0, ANSWERED, COST)
)


@dataclass(frozen=True)
class Money:
    code: str
    per_usd: Decimal


def told(runs: tuple[RunRecord, ...] = (RUN,)) -> list[dict[str, str]]:
    """The lines below each heading, the heading itself under ""."""
    out: list[dict[str, str]] = []
    for line in details(TURN, runs, lambda *_: PRICE, Money("EUR", Decimal(2))):
        if line.text:
            out[-1][line.label or "hint"] = line.text
        else:
            out.append({"": line.label})
    return out


def test_the_turn_each_run_and_each_try() -> None:
    headings = ["turn by vendor/m", "run 1 · abc", "try 1", "try 2", "try 3, after the answer was taken up again (1)"]
    assert [section[""] for section in told()] == headings


def test_a_run() -> None:
    run = told()[1]
    assert (run["asked"], run["dialect"], run["began"]) == ("work/vendor/m", "openai-chat", "2026-09-21T14:13:20Z")
    assert run["settings"] == "system = Be␛brief · temperature = 0.5 · stop = ('x',)"


def test_a_try_that_was_refused_tells_no_figures_that_there_are_not() -> None:
    first, second = told()[2:4]
    assert first == {
        "": "try 1",
        "state": "failed",
        "failure": "rate_limit: slow down",
        "hint": say("hint.rate_limit"),
        "sent": "+0 ms",
        "HTTP status": "429",
        "request id": "–",
        "connect": "–",
        "elapsed": "100 ms",
        "then waited": "2.0 s",
    }
    assert second["refused parameter"] == "temperature"
    assert "then waited" not in second


def test_a_try_that_was_answered() -> None:
    assert told()[4] == {
        "": "try 3, after the answer was taken up again (1)",
        "state": "done · finish_reason stop",
        "sent": "+2.2 s",
        "HTTP status": "200",
        "request id": "req-1",
        "connect": "cold, 45 ms · through http://proxy:1",
        "elapsed": "3.0 s",
        "TTFT": "250 ms reasoning, 1.5 s answer",
        "speed": "150 tok/s decode, 120 tok/s end to end",
        "gaps": "p50 10 ms, p95 20 ms, longest 500 ms",
        "server says": "prompt 200 ms, decode 2.5 s, 161 tok/s",
        "tokens": "in 100 (cached 40, written to the cache 10) · out 406 (reasoning 8) · counted by the provider",
        "estimate": "estimated 412, counted 398: +3.5 %",
        "cost": "$0.00123 (0.00246 EUR) · computed from counted tokens · price of 2026-11-01"
        " · https://prices.example · billed twice a year",
    }


def test_of_a_turn_without_tries_only_the_turn_is_told() -> None:
    sections = told(())
    assert [section[""] for section in sections] == ["turn by vendor/m", say("details.none")]
    assert sections[0]["cost"].startswith("$0.00123")


@pytest.mark.parametrize(
    ("estimate", "output", "text"),
    [
        (None, 10, None),
        (1.0, None, None),
        (0.9, 100, "estimated 83, counted 92: -10.0 %"),
    ],
)
def test_the_error_of_an_estimate(estimate: float | None, output: int | None, text: str | None) -> None:
    usage = Usage(reasoning=8, output=output)
    assert estimated(replace(NOTHING, estimate=estimate, usage=usage)) == text


def test_as_text() -> None:
    lines = [Detail("one"), Detail("a", "1"), Detail("long", "2"), Detail("", "3"), Detail("two"), Detail("b", "4")]
    assert as_text(lines) == "one\n  a     1\n  long  2\n        3\n\ntwo\n  b     4"
