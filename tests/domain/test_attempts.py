"""What each try of a run came to."""

from __future__ import annotations

from decimal import Decimal

from tui_chat.domain.attempts import AttemptLog
from tui_chat.domain.draft import Phase
from tui_chat.domain.events import (
    Attempt,
    Cancelled,
    Completed,
    Connected,
    Ended,
    Failed,
    Learned,
    Queued,
    Seam,
    Stamped,
    Stopped,
    Text,
    Usage,
    Waiting,
)
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.pricing import UNKNOWN, Cost, CostSource, Price, Tier

PRICE = Price(input=Decimal(1), output=Decimal(2))
BUSY = failure(Kind.OVERLOADED, "busy", status=503)
RESET = failure(Kind.RESET, "gone")


def log_of(*told: tuple[float, object], price: Price | None = PRICE) -> AttemptLog:
    log = AttemptLog(400, price)
    for at, event in told:
        log.fold(Stamped("main", at, event))
    return log


def test_one_try():
    log = log_of(
        (0, Attempt(1)),
        (0.5, Connected(200, "req-1", 0.1, None)),
        (1, Text("Hello")),
        (3, Usage(input=1_000_000, output=1_000_000)),
        (3, Stopped("stop")),
        (3, Ended(Completed("stop"))),
    )
    (one,) = log.records()
    assert (one.n, one.resumes, one.at, one.phase, one.finish_reason) == (1, 0, 0, Phase.COMPLETED, "stop")
    assert (one.status, one.request_id, one.failure) == (200, "req-1", None)
    assert (one.cost.usd, one.cost.source) == (Decimal(3), CostSource.COMPUTED)
    assert one.stats.exact
    assert one.stats.elapsed_s == 3


def test_what_fails_and_is_tried_again_is_kept_with_its_own_times():
    log = log_of(
        (0, Queued()),
        (2, Attempt(1)),
        (3, Connected(503, None, None, None)),
        (3, Waiting(4, BUSY)),
        (7, Attempt(2)),
        (8, Connected(200, "b", None, None)),
        (9, Text("x")),
        (10, Ended(Cancelled())),
    )
    first, second = log.records()
    assert (first.phase, first.failure, first.status, first.at) == (Phase.FAILED, BUSY, 503, 2)
    assert first.stats.elapsed_s == 1
    assert first.cost.usd is None or first.cost.usd == 0
    assert (second.phase, second.failure, second.request_id, second.at) == (Phase.CANCELLED, None, "b", 7)
    assert (second.stats.elapsed_s, second.stats.ttft_s) == (3, 2)
    assert second.cost.source is CostSource.ESTIMATED


def test_a_try_that_simply_gives_way_to_the_next():
    """A parameter that is refused is dropped, and the request sent again without a pause."""
    log = log_of(
        (0, Attempt(1)),
        (1, Connected(400, None, None, None)),
        (1, Learned("e", "m", "seed")),
        (1, Attempt(2)),
        (2, Ended(Failed(RESET))),
    )
    first, second = log.records()
    assert (first.phase, first.failure, first.status) == (Phase.FAILED, None, 400)
    assert (second.phase, second.failure, second.status) == (Phase.FAILED, RESET, None)


def test_an_answer_that_is_taken_up_again_costs_twice():
    log = log_of(
        (0, Attempt(1)),
        (1, Text("a" * 400)),
        (2, Waiting(1, RESET)),
        (3, Attempt(2, resumes=1)),
        (4, Seam(0)),
        (4, Text("b")),
        (5, Usage(input=200, output=1)),
        (5, Ended(Completed("stop"))),
    )
    first, second = log.records()
    assert (first.resumes, second.resumes) == (0, 1)
    assert first.stats.usage.output == 100
    assert (second.stats.usage.input, second.stats.usage.output) == (200, 1)
    assert (first.cost.source, second.cost.source) == (CostSource.ESTIMATED, CostSource.COMPUTED)


def test_a_try_under_way_is_no_record_yet():
    assert log_of((0, Attempt(1)), (1, Text("x"))).records() == ()


def test_a_run_that_ends_before_its_first_try_has_none():
    assert log_of((0, Queued()), (1, Ended(Cancelled()))).records() == ()


def test_an_unknown_price_is_unknown():
    (one,) = log_of((0, Attempt(1)), (1, Text("x")), (2, Ended(Completed(None))), price=None).records()
    assert (one.cost.usd, one.cost.source) == (None, CostSource.UNKNOWN)


TIERED = Price(Decimal(1), Decimal(2), checked="2026-11-20", tiers=(Tier(Decimal(10), Decimal(20), above=1000),))


def test_each_try_is_billed_for_itself():
    """Two requests of 800 tokens are none of 1600: no tier is reached."""
    log = log_of(
        (0, Attempt(1)),
        (1, Connected(200, "a", None, None)),
        (1, Text("x")),
        (2, Usage(input=800, output=100)),
        (2, Waiting(1, RESET)),
        (3, Attempt(2, 1)),
        (4, Seam(0)),
        (4, Text("y")),
        (5, Usage(input=800, output=50)),
        price=TIERED,
    )
    expected = Decimal("0.0019")
    assert log.cost() == Cost(expected, CostSource.COMPUTED, "2026-11-20"), "one is under way"
    log.fold(Stamped("main", 6, Ended(Completed("stop"))))
    assert log.cost() == Cost(expected, CostSource.COMPUTED, "2026-11-20")
    assert sum(record.cost.usd or 0 for record in log.records()) == expected


def test_a_try_that_took_nothing_leaves_the_cost_exact():
    log = log_of(
        (0, Attempt(1)),
        (1, Waiting(1, BUSY)),
        (2, Attempt(2)),
        (3, Connected(200, "a", None, None)),
        (3, Text("x")),
        (4, Usage(input=1_000_000, output=0)),
        (4, Ended(Completed("stop"))),
    )
    assert log.cost() == Cost(Decimal(1), CostSource.COMPUTED)


def test_a_try_that_failed_after_it_was_accepted_counts():
    log = log_of(
        (0, Attempt(1)),
        (1, Connected(200, "a", None, None)),
        (1, Waiting(1, RESET)),
        (2, Attempt(2)),
        (3, Connected(200, "b", None, None)),
        (3, Ended(Failed(RESET))),
    )
    assert log.cost() == Cost(Decimal("0.0008"), CostSource.ESTIMATED), "400 tokens were read twice"


def test_before_anything_was_taken_the_cost_is_nothing_or_unknown():
    assert log_of((0, Attempt(1))).cost() == Cost(Decimal(0), CostSource.ESTIMATED)
    assert log_of((0, Attempt(1)), price=None).cost() == UNKNOWN


def test_what_came_is_sent_along_with_the_next_try():
    log = log_of(
        (0, Attempt(1)), (1, Text("x" * 400)), (2, Waiting(1, RESET)), (3, Attempt(2, 1)), (4, Text("y")), price=None
    )
    log.fold(Stamped("main", 5, Ended(Cancelled())))
    assert [record.stats.usage.input for record in log.records()] == [400, 500]
