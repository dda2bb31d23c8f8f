"""Which failures are tried again, how often, and after how long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.kit import DONE, WALL, Head, Pause, Script, Stage, cut, delta, event, models, refusal, said, stopped, thought
from tui_chat.domain.endpoint import RetryPolicy, Secret, Timeouts
from tui_chat.domain.events import Attempt, Cancelled, Completed, Connected, Failed, Learned, Waiting
from tui_chat.domain.failure import Kind
from tui_chat.engine.clock import SystemClock

OK: Script = [said("Hello"), said(" world"), stopped(), DONE]
BUSY = refusal(503)


def failed(outcome: object) -> Kind:
    assert isinstance(outcome, Failed), outcome
    return outcome.failure.kind


async def test_success_is_told_in_order() -> None:
    stage = Stage([thought("hm"), *OK])
    assert await stage.play() == Completed("stop")
    assert stage.recorder.names == ["Attempt", "Connected", "Thinking", "Text", "Text", "Stopped", "Ended"]
    assert (stage.recorder.text, stage.recorder.thinking) == ("Hello world", "hm")
    assert stage.recorder.of(Attempt) == [Attempt(1)]


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"x-request-id": "a", "request-id": "b"}, "a"),
        ({"request-id": "b", "x-generation-id": "c"}, "b"),
        ({"x-generation-id": "c"}, "c"),
        ({}, None),
    ],
)
async def test_the_server_s_name_for_the_request_is_kept(headers: dict[str, str], request_id: str | None) -> None:
    stage = Stage([Head(200, headers), *OK])
    await stage.play()
    assert stage.recorder.of(Connected) == [Connected(200, request_id, 0.01, None)]


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [
        (400, Kind.BAD_REQUEST, 1),
        (401, Kind.AUTH, 1),
        (402, Kind.QUOTA, 1),
        (403, Kind.PERMISSION, 1),
        (408, Kind.SERVER, 4),
        (409, Kind.SERVER, 4),
        (413, Kind.BAD_REQUEST, 1),
        (429, Kind.RATE_LIMIT, 4),
        (500, Kind.SERVER, 4),
        (502, Kind.SERVER, 4),
        (503, Kind.OVERLOADED, 4),
        (504, Kind.SERVER, 4),
        (529, Kind.OVERLOADED, 4),
        (307, Kind.PROTOCOL, 1),
    ],
)
async def test_statuses(status: int, kind: Kind, tries: int) -> None:
    stage = Stage(*[refusal(status)] * tries)
    outcome = await stage.play()
    assert failed(outcome) is kind
    assert isinstance(outcome, Failed)
    assert outcome.failure.status == status
    assert stage.recorder.of(Attempt) == [Attempt(n + 1) for n in range(tries)]
    assert len(stage.transport.requests) == tries


@pytest.mark.parametrize(
    ("kind", "tries"),
    [
        (Kind.REFUSED, 4),
        (Kind.RESET, 4),
        (Kind.CONNECT_TIMEOUT, 4),
        (Kind.PROXY, 4),
        (Kind.DNS, 2),
        (Kind.TLS, 1),
        (Kind.PROTOCOL, 1),
    ],
)
async def test_connections_that_fail(kind: Kind, tries: int) -> None:
    stage = Stage(*[[cut(kind)]] * tries)
    assert failed(await stage.play()) is kind
    assert len(stage.transport.requests) == tries


@pytest.mark.parametrize(
    ("script", "kind", "tries"),
    [
        (refusal(429, "You exceeded your current quota", code="insufficient_quota"), Kind.QUOTA, 1),
        (refusal(429, headers={"x-should-retry": "false"}), Kind.RATE_LIMIT, 1),
        (refusal(400, headers={"x-should-retry": "true"}), Kind.BAD_REQUEST, 4),
        ([event({"error": {"message": "Overloaded", "type": "overloaded_error"}})], Kind.OVERLOADED, 4),
        ([event({"error": {"message": "bad key", "code": 401}})], Kind.AUTH, 1),
        ([cut()], Kind.RESET, 4),
        ([Head(), cut()], Kind.RESET, 4),
        ([delta(role="assistant"), cut()], Kind.RESET, 4),
        ([delta(role="assistant")], Kind.TRUNCATED, 4),
        ([], Kind.TRUNCATED, 4),
        ([said("x"), cut()], Kind.RESET, 1),
        ([thought("x"), cut()], Kind.RESET, 1),
        ([said("x")], Kind.TRUNCATED, 1),
        ([thought("x")], Kind.TRUNCATED, 1),
        ([said("x"), event({"error": {"message": "Overloaded", "type": "overloaded_error"}})], Kind.OVERLOADED, 1),
        ([said("x"), event({"choices": [{"delta": {}, "finish_reason": "error"}]})], Kind.SERVER, 1),
    ],
)
async def test_only_before_the_first_token_of_either_kind(script: Script, kind: Kind, tries: int) -> None:
    stage = Stage(*[script] * tries)
    assert failed(await stage.play()) is kind
    assert len(stage.transport.requests) == tries


@pytest.mark.parametrize(
    ("policy", "luck", "waits"),
    [
        (RetryPolicy(4, 0.5, 30.0), 0.0, [0.5, 1.0, 2.0]),
        (RetryPolicy(4, 0.5, 30.0), 0.5, [0.4375, 0.875, 1.75]),
        (RetryPolicy(6, 1.0, 5.0), 0.0, [1.0, 2.0, 4.0, 5.0, 5.0]),
        (RetryPolicy(1, 0.5, 30.0), 0.0, []),
        (RetryPolicy(2, 0.0, 30.0), 0.0, [0.0]),
    ],
)
async def test_backoff(policy: RetryPolicy, luck: float, waits: list[float]) -> None:
    stage = Stage(*[BUSY] * policy.attempts, retry=policy)
    stage.clock.luck = luck
    assert failed(await stage.play()) is Kind.OVERLOADED
    assert [w.seconds for w in stage.recorder.of(Waiting)] == waits
    assert stage.clock.now() == pytest.approx(sum(waits))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", "date": "Tue, 14 Nov 2023 22:13:40 GMT"}, 10.0),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "soon"}, 0.5),
        ({"retry-after": "-3"}, 0.5),
        ({"retry-after": "nan"}, 0.5),
        ({}, 0.5),
    ],
)
async def test_the_server_s_wish_to_wait_is_honoured(headers: dict[str, str], wait: float) -> None:
    assert WALL == 1_700_000_000  # 22:13:20, which the dates above build on
    stage = Stage(refusal(429, headers=headers), OK)
    assert await stage.play() == Completed("stop")
    assert [w.seconds for w in stage.recorder.of(Waiting)] == [wait]
    assert stage.recorder.heard[-1].at == pytest.approx(wait)


@pytest.mark.parametrize("headers", [{"retry-after": "121"}, {"retry-after-ms": "600000"}])
async def test_a_longer_wait_is_told_and_not_waited_for(headers: dict[str, str]) -> None:
    stage = Stage(refusal(429, "Slow down.", headers=headers))
    outcome = await stage.play()
    assert failed(outcome) is Kind.RATE_LIMIT
    assert isinstance(outcome, Failed)
    clock = "22:23:20" if "retry-after-ms" in headers else "22:15:21"
    assert outcome.failure.message.startswith("Slow down.")
    assert f"until {clock} UTC" in outcome.failure.message
    assert stage.recorder.of(Waiting) == []


async def test_a_failure_that_mends_itself() -> None:
    stage = Stage(refusal(429, headers={"retry-after": "1"}), BUSY, OK)
    assert await stage.play() == Completed("stop")
    assert stage.recorder.names == [
        *("Attempt", "Connected", "Waiting") * 2,
        *("Attempt", "Connected", "Text", "Text", "Stopped", "Ended"),
    ]
    assert stage.recorder.draft.attempts == 3
    assert stage.recorder.draft.failure is None


async def test_cancel_ends_the_countdown() -> None:
    stage = Stage(refusal(429, headers={"retry-after": "100"}))
    run = stage.run()
    going = stage.clock.finish(run.go())
    stage.clock.call_later(40, run.stop)
    assert await going == Cancelled()
    assert stage.recorder.outcome() == Cancelled()
    assert stage.clock.now() == 40
    stage.assert_clean()


async def test_a_wait_beyond_the_total_limit_is_not_begun() -> None:
    stage = Stage(refusal(429, headers={"retry-after": "20"}), timeouts=Timeouts(total=15))
    assert failed(await stage.play()) is Kind.RATE_LIMIT
    assert stage.clock.now() == 0


async def test_a_total_limit_covers_all_tries() -> None:
    stage = Stage(refusal(429, headers={"retry-after": "10"}), [Pause(6), *OK], timeouts=Timeouts(total=15))
    assert failed(await stage.play()) is Kind.TOTAL_TIMEOUT
    assert stage.clock.now() == 15


def body(stage: Stage, number: int) -> dict[str, Any]:
    return json.loads(stage.transport.requests[number].body)


REFUSES = refusal(400, "Unrecognized request argument: stream_options", param="stream_options")


async def test_a_refused_option_is_dropped_and_remembered() -> None:
    stage = Stage(REFUSES, BUSY, BUSY, BUSY, OK, OK)
    assert await stage.play() == Completed("stop")
    assert stage.recorder.draft.attempts == 5, "it uses up none of the four tries, yet it is counted"
    assert [w.seconds for w in stage.recorder.of(Waiting)] == [0.5, 1.0, 2.0]
    assert stage.recorder.of(Learned) == stage.facts.learned == [Learned("test", "m", "stream_options")]
    assert ["stream_options" in body(stage, n) for n in range(5)] == [True, False, False, False, False]

    stage.recorder.heard.clear()
    await stage.clock.finish(stage.run().go())
    assert "stream_options" not in body(stage, 5)


async def test_an_option_is_dropped_once() -> None:
    stage = Stage(REFUSES, REFUSES)
    assert failed(await stage.play()) is Kind.BAD_REQUEST
    assert len(stage.transport.requests) == 2


async def test_two_options_are_dropped_one_after_the_other() -> None:
    message = "'max_tokens' is not supported; use 'max_completion_tokens' instead"
    stage = Stage(REFUSES, refusal(400, message, param="max_tokens"), OK, retry=RetryPolicy(1))
    settings = replace(stage.ask().settings, max_tokens=5)
    assert await stage.play(settings=settings) == Completed("stop")
    assert body(stage, 2)["max_completion_tokens"] == 5
    assert len(stage.facts.learned) == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"key": Secret("YOUR_API_KEY"), "key_source": "WORK_KEY"}, "WORK_KEY"),
        ({"needs_key": True, "key_source": "WORK_KEY"}, "WORK_KEY"),
        ({"key": Secret("sk-real"), "base_url": "http://far.example/v1"}, "far.example"),
    ],
)
async def test_a_key_that_may_not_be_sent(changes: dict[str, Any], named: str) -> None:
    stage = Stage(**changes)
    outcome = await stage.play()
    assert failed(outcome) is Kind.AUTH
    assert isinstance(outcome, Failed)
    assert named in outcome.failure.message
    assert "sk-real" not in str(outcome)
    assert stage.transport.requests == []


async def test_an_unknown_model_is_answered_with_the_nearest_names() -> None:
    gone = refusal(404, "The model `gpt-5-mni` does not exist", code="model_not_found")
    stage = Stage(gone, models("gpt-5-mini", "gpt-5", "gpt-4.1-mini", "whisper-1"))
    outcome = await stage.play(model="gpt-5-mni")
    assert failed(outcome) is Kind.NOT_FOUND
    assert isinstance(outcome, Failed)
    assert outcome.failure.message == "The model `gpt-5-mni` does not exist"
    assert outcome.failure.hint.startswith("The nearest names there: gpt-5-mini, ")
    assert outcome.failure.hint.count(",") == 2


@pytest.mark.parametrize(
    "offer",
    [models("m", "other"), models(), refusal(500), [cut()], [Head(200), b"<html>"], [Pause(100)]],
)
async def test_without_better_names_the_server_s_words_stand(offer: Script) -> None:
    stage = Stage(refusal(404, "no such thing"), offer)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.message == "no such thing"
    assert "nearest" not in outcome.failure.hint


async def test_system_clock() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0)
    assert clock.now() >= before
    assert clock.wall() > WALL
    assert 0 <= clock.chance() < 1
    clock.call_later(60, lambda: None).cancel()
