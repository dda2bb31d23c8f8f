"""Kinds of failure."""

from __future__ import annotations

import pytest

from tui_chat.domain.failure import RETRYABLE, TRIES, Broken, Kind, failure

CONTRACT = {
    *("auth", "permission", "not_found", "bad_request", "context_length", "quota", "rate_limit", "overloaded"),
    *("server", "loading", "dns", "refused", "reset", "tls", "proxy", "connect_timeout", "first_token_timeout"),
    *("idle_timeout", "total_timeout", "truncated", "blocked", "budget", "protocol", "internal"),
}


def test_the_kinds_are_those_of_the_contract() -> None:
    assert {str(kind) for kind in Kind} == CONTRACT


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_hint_and_says_whether_to_retry(kind: Kind) -> None:
    found = failure(kind, "m", source="WORK_KEY")
    assert found.hint
    assert found.retryable is (kind in RETRYABLE)
    assert failure(kind, "m", source="s", retryable=not found.retryable).retryable is not found.retryable


def test_what_a_person_must_mend_is_not_retried() -> None:
    hopeless = {Kind.AUTH, Kind.PERMISSION, Kind.BAD_REQUEST, Kind.CONTEXT_LENGTH, Kind.QUOTA, Kind.TLS, Kind.BLOCKED}
    assert not hopeless & RETRYABLE
    assert set(TRIES) <= RETRYABLE
    assert TRIES[Kind.DNS] == 2


def test_broken_carries_its_failure() -> None:
    found = failure(Kind.RESET, "cut")
    assert Broken(found).failure is found
    assert str(Broken(found)) == "cut"
