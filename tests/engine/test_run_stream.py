"""One answer: where it ends, which deadline ends it, and what breaks it."""

from __future__ import annotations

import gzip
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit import (
    COMMENT,
    DONE,
    HANG,
    Facts,
    Head,
    Pause,
    Recorder,
    Script,
    ScriptedTransport,
    Stage,
    cut,
    delta,
    engine,
    event,
    refusal,
    said,
    stopped,
    thought,
    used,
)
from tui_chat.domain.endpoint import RetryPolicy, Secret, Timeouts
from tui_chat.domain.events import Cancelled, Completed, Connected, Ended, Failed, Progress, Skipped, Text, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.engine import stream as stream_module
from tui_chat.engine.run import Run
from tui_chat.engine.stream import DRAIN_S, SETTLE_S
from tui_chat.wire.openai_chat import OpenAIChat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import Outcome, Stamped
    from tui_chat.wire.codec import Request

ONCE = RetryPolicy(attempts=1)
OVERLOAD = event({"error": {"message": "Overloaded", "type": "overloaded_error"}})


@pytest.mark.parametrize(
    ("script", "outcome", "seconds"),
    [
        ([said("x"), stopped(), DONE], Completed("stop"), 0.0),
        ([said("x"), stopped("length"), DONE], Completed("length"), 0.0),
        ([said("x"), stopped()], Completed("stop"), 0.0),
        ([said("x"), DONE], Completed(None), 0.0),
        ([said("x"), stopped(), HANG], Completed("stop"), SETTLE_S),
        ([said("x"), stopped(), Pause(2), used(1, 2), HANG], Completed("stop"), SETTLE_S),
        ([said("x"), stopped(), *[Pause(2), used(1, 2)] * 99], Completed("stop"), SETTLE_S),
        ([said("x"), stopped(), Pause(4), DONE, HANG], Completed("stop"), 4 + DRAIN_S),
        ([said("x"), stopped(), Pause(4), DONE, Pause(DRAIN_S / 2)], Completed("stop"), 4 + DRAIN_S / 2),
        ([said("x"), DONE, HANG], Completed(None), DRAIN_S),
        ([said("x"), DONE, *[Pause(0.01), COMMENT] * 99], Completed(None), DRAIN_S),
        ([said("x"), DONE, said("too late")], Completed(None), 0.0),
        ([said("x"), stopped(), cut()], Completed("stop"), 0.0),
        ([said("x"), stopped(), OVERLOAD], Completed("stop"), 0.0),
        ([stopped(), DONE], Completed("stop"), 0.0),
        ([stopped("content_filter"), DONE], Kind.BLOCKED, 0.0),
        ([thought("x"), stopped("content_filter"), DONE], Kind.BLOCKED, 0.0),
        ([stopped("content_filter"), HANG], Kind.BLOCKED, SETTLE_S),
        ([said("x"), stopped("content_filter"), DONE], Completed("content_filter"), 0.0),
        ([said("x")], Kind.TRUNCATED, 0.0),
        ([said("x"), b'data: {"choices": [{"fin'], Kind.TRUNCATED, 0.0),
        ([said("x"), cut(Kind.PROTOCOL)], Kind.PROTOCOL, 0.0),
        ([said("x"), *[b"data: {\n\n"] * 3, HANG], Kind.PROTOCOL, 0.0),
        ([said("x"), *[b"data: {\n\n"] * 2, said("x"), b"data: {\n\n", stopped()], Completed("stop"), 0.0),
    ],
)
async def test_where_an_answer_ends(script: Script, outcome: Outcome | Kind, seconds: float) -> None:
    stage = Stage(script, retry=ONCE)
    found = await stage.play()
    assert (found.failure.kind if isinstance(found, Failed) else found) == outcome
    assert stage.clock.now() == pytest.approx(seconds)
    assert "too late" not in stage.recorder.text


async def test_usage_after_the_finish_reason_is_heard() -> None:
    stage = Stage([said("x"), stopped(), Pause(SETTLE_S - 1), used(3, 4), DONE])
    await stage.play()
    assert stage.recorder.of(Usage) == [Usage(input=3, output=4)]


async def test_malformed_chunks_are_counted() -> None:
    stage = Stage([b"data: {oops\n\n", said("x"), stopped(), DONE])
    await stage.play()
    assert [s.sample for s in stage.recorder.of(Skipped)] == ["{oops"]


PROMPT = event({"choices": [], "prompt_progress": {"total": 9, "processed": 3}})


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ([COMMENT, Pause(1), COMMENT, COMMENT, said("x"), DONE], [Progress("queued")]),
        ([COMMENT + said("x"), COMMENT, DONE], []),
        ([said("x"), COMMENT, DONE], []),
        ([stopped(), COMMENT, DONE], []),
        ([PROMPT, COMMENT, said("x"), DONE], [Progress("prompt", 3, 9)]),
        ([COMMENT, PROMPT, COMMENT, said("x"), DONE], [Progress("queued"), Progress("prompt", 3, 9)]),
    ],
)
async def test_keep_alives_before_the_first_token_are_told_once(script: Script, told: list[Progress]) -> None:
    stage = Stage(script)
    await stage.play()
    assert stage.recorder.of(Progress) == told


@pytest.mark.parametrize(
    "script",
    [refusal(401, "no such key: sk-secret-12345"), [event({"error": {"message": "sk-secret-12345 is no key"}})]],
)
async def test_a_key_that_the_server_quotes_is_not_shown(script: Script) -> None:
    stage = Stage(script, key=Secret("sk-secret-12345"), retry=ONCE)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert "…" in outcome.failure.message
    assert "sk-secret" not in repr(stage.recorder.events)


LIMITS = Timeouts(first_token=60, idle=20, total=0)
KEEP_ALIVE: Script = [Pause(5), COMMENT] * 100
ROLE = delta(role="assistant")


@pytest.mark.parametrize(
    ("limits", "script", "outcome", "seconds"),
    [
        (LIMITS, [HANG], Kind.FIRST_TOKEN_TIMEOUT, 60),
        (LIMITS, [Pause(59), Head(), Pause(2)], Kind.FIRST_TOKEN_TIMEOUT, 60),
        (LIMITS, [Head(), HANG], Kind.FIRST_TOKEN_TIMEOUT, 60),
        (LIMITS, [Head(500), HANG], Kind.FIRST_TOKEN_TIMEOUT, 60),
        (LIMITS, KEEP_ALIVE, Kind.FIRST_TOKEN_TIMEOUT, 60),
        (LIMITS, [*[Pause(5), ROLE] * 100], Kind.FIRST_TOKEN_TIMEOUT, 60),
        (LIMITS, [*[Pause(5), used(1, 0)] * 100], Kind.FIRST_TOKEN_TIMEOUT, 60),
        (LIMITS, [Pause(30), Head(), Pause(29), said("x"), DONE], Completed(None), 59),
        (LIMITS, [said("x"), HANG], Kind.IDLE_TIMEOUT, 20),
        (LIMITS, [thought("x"), HANG], Kind.IDLE_TIMEOUT, 20),
        (LIMITS, [said("x"), *KEEP_ALIVE], Kind.IDLE_TIMEOUT, 20),
        (LIMITS, [Pause(10), said("x"), Pause(19), said("x"), Pause(19), thought("x"), HANG], Kind.IDLE_TIMEOUT, 68),
        (LIMITS, [said("x"), *[Pause(15), used(1, 1)] * 4, Pause(15), DONE], Completed(None), 75),
        (LIMITS, [*[Pause(19), said("x")] * 9, DONE], Completed(None), 171),
        (Timeouts(total=30), [HANG], Kind.TOTAL_TIMEOUT, 30),
        (Timeouts(total=30), [*[Pause(4), said("x")] * 9, DONE], Kind.TOTAL_TIMEOUT, 30),
        (Timeouts(total=30), [said("x"), Pause(29), stopped(), HANG], Completed("stop"), 29 + SETTLE_S),
        (Timeouts(first_token=10, total=30), [HANG], Kind.FIRST_TOKEN_TIMEOUT, 10),
        (Timeouts(first_token=40, total=30), [HANG], Kind.TOTAL_TIMEOUT, 30),
        (Timeouts(0, 0, 0, 0), [Pause(9999), said("x"), Pause(99999), DONE], Completed(None), 109998),
    ],
)
async def test_deadlines(limits: Timeouts, script: Script, outcome: Outcome | Kind, seconds: float) -> None:
    stage = Stage(script, timeouts=limits, retry=ONCE)
    found = await stage.play()
    assert (found.failure.kind if isinstance(found, Failed) else found) == outcome
    assert stage.clock.now() == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("script", "tries"),
    [([HANG], 2), ([said("x"), HANG], 1)],
    ids=["nothing came", "something came"],
)
async def test_silence_is_tried_again_once(script: Script, tries: int) -> None:
    stage = Stage(*[script] * tries)
    assert isinstance(await stage.play(), Failed)
    assert len(stage.transport.requests) == tries


@pytest.mark.parametrize("finish", [b"", stopped()], ids=["unfinished", "finished"])
async def test_a_reply_has_a_limit(monkeypatch: pytest.MonkeyPatch, finish: bytes) -> None:
    assert stream_module.REPLY_LIMIT == 64 * 1024 * 1024
    monkeypatch.setattr(stream_module, "REPLY_LIMIT", 2 * 1024 * 1024)
    piece = said("x" * 1_000_000)
    stage = Stage([piece, piece, finish, piece, HANG])
    outcome = await stage.play()
    assert len(stage.recorder.text) == 2_000_000
    if finish:
        assert outcome == Completed("stop")
    else:
        assert isinstance(outcome, Failed)
        assert outcome.failure.kind is Kind.PROTOCOL
        assert "2 MiB" in outcome.failure.message


class SlowToClose(ScriptedTransport):
    @asynccontextmanager
    async def open(self, endpoint: Endpoint, request: Request) -> AsyncGenerator[Any, None]:
        async with super().open(endpoint, request) as answer:
            try:
                yield answer
            finally:
                await self.clock.sleep(30)


@pytest.mark.parametrize(
    ("script", "kind"),
    [(refusal(401), Kind.AUTH), ([said("x"), OVERLOAD], Kind.OVERLOADED), ([said("x")], Kind.TRUNCATED)],
)
async def test_no_deadline_disturbs_the_closing(script: Script, kind: Kind) -> None:
    stage = Stage(timeouts=Timeouts(first_token=10, idle=10, total=15))
    tools = engine(SlowToClose(stage.clock, script), stage.clock)
    outcome = await stage.clock.finish(Run(tools, stage.ask(), stage.recorder).go())
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is kind
    assert stage.clock.now() == 30


async def test_an_error_body_without_end_is_cut() -> None:
    stage = Stage([Head(500), *[b"x" * 300_000] * 9, HANG], retry=ONCE)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.status == 500


async def test_a_whole_answer_where_a_stream_was_asked_for() -> None:
    answer = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
    stage = Stage([Head(200, {"content-type": "Application/JSON"}), json.dumps(answer).encode()])
    assert await stage.play() == Completed("stop")
    assert stage.recorder.text == "Hello"


@pytest.mark.parametrize(
    "body", [b"<!doctype html><title>Login</title>", gzip.compress(b"data: x", mtime=0), b"", b"{}", b"null"]
)
async def test_what_is_no_stream_is_no_success(body: bytes) -> None:
    assert isinstance(await Stage([Head(200, {}), body], retry=ONCE).play(), Failed)


class Bug(Exception):
    pass


def broken(*_: Any) -> Any:
    raise Bug("a bug")


@pytest.mark.parametrize("at", ["encode", "decoder"])
async def test_a_bug_in_the_codec_ends_the_run(
    at: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OpenAIChat, at, broken)
    await assert_internal(Stage([said("x"), DONE]), caplog)


async def test_a_bug_in_the_reading_of_an_error_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OpenAIChat, "error", broken)
    await assert_internal(Stage(refusal(500)), caplog)


async def test_a_bug_in_the_transport_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage()
    monkeypatch.setattr(stage.transport, "open", broken)
    await assert_internal(stage, caplog)


async def test_a_bug_in_the_knowledge_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Facts, "refused", broken)
    await assert_internal(Stage([DONE]), caplog)


@pytest.mark.parametrize("at", [Connected, Text])
async def test_a_bug_in_the_listener_ends_the_run(at: type[Any], caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage([said("x"), DONE])
    stage.recorder.when[at] = broken
    await assert_internal(stage, caplog)


async def assert_internal(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.INTERNAL
    assert "Bug" in outcome.failure.message
    assert any(record.exc_info and record.exc_info[0] is Bug for record in caplog.records)


async def test_a_listener_that_breaks_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage([said("x"), DONE])
    stage.recorder.when[Ended] = broken
    assert await stage.play() == Completed(None)
    assert any(record.exc_info and record.exc_info[0] is Bug for record in caplog.records)


async def test_a_listener_that_always_breaks(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage([said("x"), DONE])
    heard: list[Stamped] = []

    def listener(stamped: Stamped) -> None:
        heard.append(stamped)
        raise Bug("a bug")

    outcome = await stage.clock.finish(Run(stage.engine, stage.ask(), listener).go())
    assert isinstance(outcome, Failed)
    assert [type(stamped.event).__name__ for stamped in heard] == ["Attempt", "Ended"]
    stage.assert_clean()
    assert len(caplog.records) == 2


CUT = failure(Kind.BUDGET, "too dear")


@pytest.mark.parametrize("name", ["Attempt", "Connected", "Text", "Stopped", "Waiting"])
@pytest.mark.parametrize(("stop", "ends_as"), [((), Cancelled()), ((CUT,), Failed(CUT))], ids=["cancel", "cause"])
async def test_a_listener_that_stops_the_run(name: str, stop: tuple[Any, ...], ends_as: Outcome) -> None:
    stage = Stage(refusal(503), [said("x"), stopped(), DONE])
    run = Run(stage.engine, stage.ask(), lambda stamped: listen(stamped))

    def listen(stamped: Stamped) -> None:
        stage.recorder(stamped)
        if type(stamped.event).__name__ == name:
            run.stop(*stop)
            run.stop()

    assert await stage.clock.finish(run.go()) == ends_as
    assert stage.recorder.outcome() == ends_as
    assert stage.recorder.draft.attempts == (1 if name in ("Attempt", "Connected", "Waiting") else 2)
    stage.assert_clean()


@pytest.mark.parametrize("needs_key", [True, False])
async def test_a_stop_that_nothing_waits_for_stays_in_the_run(needs_key: bool) -> None:
    """A key that may not be sent ends the run without a single await: the stop must not fall on whoever called it."""
    stage = Stage([HANG], needs_key=needs_key)
    run = Run(stage.engine, stage.ask(), lambda stamped: listen(stamped))
    listen: Callable[[Stamped], None] = lambda stamped: (stage.recorder(stamped), run.stop())[0]  # noqa: E731
    assert await run.go() == Cancelled()
    await stage.clock.settle()
    assert stage.recorder.outcome() == Cancelled()


async def test_a_stop_before_the_start_sends_nothing() -> None:
    stage = Stage()
    run = stage.run()
    run.stop(CUT)
    assert await run.go() == Failed(CUT)
    assert stage.recorder.names == ["Ended"]
    assert stage.transport.requests == []


async def test_a_stop_after_the_end_changes_nothing() -> None:
    stage = Stage([said("x"), DONE])
    run = stage.run()
    assert await stage.clock.finish(run.go()) == Completed(None)
    run.stop()
    assert stage.recorder.outcome() == Completed(None)


async def test_events_are_stamped_with_the_age_of_the_run() -> None:
    stage = Stage([Pause(1), Head(), Pause(2), said("a"), Pause(4), DONE])
    await stage.clock.advance(100)
    run = Run(stage.engine, stage.ask(), stage.recorder, "left")
    await stage.clock.finish(run.go())
    stamps = [(s.lane, s.at) for s in stage.recorder.heard]
    assert stamps == [("left", 0), ("left", 1), ("left", 3), ("left", 7), ("left", 7)]
    assert run.age == 7


def test_recorder_sees_a_second_end() -> None:
    recorder = Recorder()
    run = Run(Stage().engine, Stage().ask(), recorder)
    run.end(Cancelled())
    run.end(Cancelled())
    assert recorder.outcome() == Cancelled()
