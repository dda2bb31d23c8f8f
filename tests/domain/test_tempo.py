"""The rate over a run, in a fixed number of buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.tempo import BUCKETS, STEP_S, Tempo


def test_tokens_stand_in_the_bucket_of_their_time() -> None:
    pace = Tempo()
    for at, tokens in ((0.1, 1), (0.3, 2), (0.31, 3), (1.2, 4)):
        pace.add(at, tokens)
    assert pace.rates(1.25) == (4, 20, 0, 0, 16)
    assert pace.rates(1.2) == (4, 20, 0, 0)
    assert pace.rates(1.75) == (4, 20, 0, 0, 16, 0, 0)


def test_nothing_and_the_first_moment() -> None:
    pace = Tempo()
    assert pace.rates(0.0) == ()
    assert pace.rates(0.6) == (0, 0)
    pace.add(0.6, 1)
    assert Tempo().rates(0.1) == ()
    pace = Tempo()
    pace.add(0.01, 1)
    assert pace.rates(0.02) == (4,)


def test_a_run_that_outgrows_its_buckets_has_them_made_one() -> None:
    pace = Tempo()
    for n in range(BUCKETS):
        pace.add(n * STEP_S, 1)
    assert pace.rates(BUCKETS * STEP_S) == (1 / STEP_S,) * (BUCKETS // 2)
    assert pace.step_s == 2 * STEP_S


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 100)), max_size=80))
def test_no_token_is_lost_and_no_bucket_is_too_many(steps: list[tuple[float, float]]) -> None:
    pace, at = Tempo(), 0.0
    for step, tokens in steps:
        at += step
        pace.add(at, tokens)
    rates = pace.rates(at + 10 * pace.step_s)
    assert len(rates) <= BUCKETS
    assert sum(rates) * pace.step_s == pytest.approx(sum(tokens for _, tokens in steps))
