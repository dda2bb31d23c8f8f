"""What a comparison is written as, where a server said something that a terminal would obey."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from tui_chat.domain.ask import Settings
from tui_chat.domain.comparing import Compared, ComparedLane, ComparedRun
from tui_chat.domain.conversation import Node, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import Failure, Kind
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource
from tui_chat.store.compared import compared_markdown, compared_object, table


def test_what_a_server_says_of_a_failure_is_made_visible() -> None:
    failure = Failure(Kind.AUTH, "wrong key \x1b]52;c;ZGVtbw==\x07", "Check it.")
    result = Result(Phase.FAILED, None, failure, 0, Meter().stats(1.0), UNKNOWN)
    run = ComparedRun(1, Node("n", None, "assistant", "", result=result))
    text = compared_markdown(Compared("q", (ComparedLane("A", "e", "m", Settings(), (run,)),)))
    assert "wrong key ␛" in text
    assert "\x1b" not in text


def lane(phase: Phase, *, begun: bool, cost: Cost = UNKNOWN) -> ComparedLane:
    """A lane with one run that ended after 3 s, its first token after one."""
    stats = replace(Meter().stats(3.0), elapsed_s=3.0, ttft_s=1.0 if begun else None, tok_per_s=20.0 if begun else None)
    result = Result(phase, None, None, 0, stats, cost)
    run = ComparedRun(1, Node("n", None, "assistant", "so far" if begun else "", result=result))
    return ComparedLane("A", "e", "m", Settings(), (run,))


def test_a_cancelled_lane_keeps_its_figures_for_people_and_wins_nothing() -> None:
    compared = Compared("q", (lane(Phase.CANCELLED, begun=True, cost=Cost(Decimal("0.01"), CostSource.ESTIMATED)),))
    assert table(compared)[1][3:] == ["cancelled", "1.0 s", "~20.0 tok/s", "3.0 s", "–", "~$0.0100", "6"]
    assert compared_object(compared)["lanes"][0]["summary"]["ttft_s"] is None
    assert compared_object(compared)["best"]["ttft"] is None


def test_a_lane_of_which_nothing_came_has_no_figures() -> None:
    assert table(Compared("q", (lane(Phase.CANCELLED, begun=False),)))[1][4:9] == ["–", "– tok/s", "–", "–", "–"]
    assert table(Compared("q", (lane(Phase.CANCELLED, begun=True),)))[1][8] == "price?"
