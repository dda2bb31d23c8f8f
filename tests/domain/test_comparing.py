"""What runs side by side came to."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from tui_chat.domain.comparing import Best, Spread, Summary, best, spread, summary
from tui_chat.domain.conversation import Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource


def result(
    phase: Phase = Phase.COMPLETED, ttft: float | None = 1.0, speed: float | None = 10.0, usd: str | None = None
) -> Result:
    stats = replace(Meter().stats(5.0), ttft_s=ttft, tok_per_s=speed)
    cost = UNKNOWN if usd is None else Cost(Decimal(usd), CostSource.COMPUTED)
    return Result(phase, None, None, 0, stats, cost)


def test_the_middle_and_the_ends() -> None:
    assert spread([3.0, 1.0, None, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([Decimal(1), Decimal(2)]) == Spread(Decimal("1.5"), Decimal(1), Decimal(2))
    assert spread([None]) is None


def test_only_completed_runs_have_figures() -> None:
    runs = [
        result(ttft=1.0, usd="0.1"),
        result(ttft=3.0, speed=None, usd="0.3"),
        result(Phase.FAILED, ttft=0.1),
        result(Phase.CANCELLED),
        result(Phase.INTERRUPTED),
        result(Phase.STREAMING),
    ]
    found = summary(runs)
    assert (found.completed, found.failed, found.cancelled) == (2, 1, 2)
    assert found.ttft_s == Spread(2.0, 1.0, 3.0)
    assert found.tok_per_s == Spread(10.0, 10.0, 10.0)
    assert found.total_s == Spread(5.0, 5.0, 5.0)
    assert found.usd == Spread(Decimal("0.2"), Decimal("0.1"), Decimal("0.3"))
    assert summary([]) == Summary()


def test_who_was_best() -> None:
    lanes = {
        "A": summary([result(ttft=2.0, speed=50.0, usd="0.2")]),
        "B": summary([result(ttft=1.0, speed=40.0, usd="0.2")]),
        "C": summary([result(Phase.FAILED, ttft=0.1, speed=900.0, usd="0")]),
        "D": summary([result(ttft=3.0, speed=1.0)]),
    }
    assert best(lanes) == Best(ttft=("B",), speed=("A",), cost=("A", "B"))
    assert best({"A": Summary()}) == Best()
