"""What is recorded plays again: the same events at the same times, and no key in the file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.kit import (
    COMMENT,
    DONE,
    HANG,
    Cut,
    Facts,
    Head,
    Held,
    Pause,
    Script,
    Stage,
    cut,
    event,
    models,
    refusal,
    said,
    stopped,
    thought,
    used,
)
from tui_chat.demo.models import MODELS
from tui_chat.demo.server import DemoServer
from tui_chat.domain.ask import Settings
from tui_chat.domain.draft import Phase
from tui_chat.domain.endpoint import Endpoint, RetryPolicy, Secret, Timeouts
from tui_chat.domain.events import Ended, RunHeard, Text
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.engine.clock import ScaledClock, SystemClock
from tui_chat.engine.ports import Engine
from tui_chat.engine.recorder import LastExchange, RecordingClock, RecordingTransport, Tape
from tui_chat.engine.replay import Player, ReplayEngine, ReplayTransport, played_endpoint
from tui_chat.engine.reply import Target
from tui_chat.engine.session import Session
from tui_chat.net.transport import HttpTransport
from tui_chat.wire.codec import Request
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wire.recording import ChunkLine, EndedLine, EndLine, RequestLine, encode, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui_chat.domain.events import Stamped
    from tui_chat.engine.clock import Clock
    from tui_chat.engine.ports import Transport
    from tui_chat.wire.recording import AskLine, Line, Recording

KEY = "sk-test-3fA9dQ7Lx2"
KNOWN = Path(__file__).parents[1] / "fixtures" / "known.rec"


class Recorded:
    """A session with a tape on its engine."""

    def __init__(self, transport: Transport, clock: Clock, endpoint: Endpoint, facts: Facts | None = None) -> None:
        facts = facts or Facts()
        self.tape = Tape(clock, facts)
        self.lines: list[Line] = []
        self.tape.sinks.append(self.lines.append)
        tapped = RecordingTransport(transport, self.tape, clock)
        engine = Engine(tapped, DIALECTS.__getitem__, RecordingClock(clock, self.tape), facts)
        self.held = Held(Session(engine, Target(endpoint, "m", Settings(system="Be brief."))))
        self.tape.follow(self.session)

    @property
    def session(self) -> Session:
        return self.held.session

    @property
    def data(self) -> bytes:
        return b"".join(map(encode, (self.tape.header(), *self.lines)))

    @property
    def recording(self) -> Recording:
        return read(self.data, "some.rec")


def on_stage(stage: Stage) -> Recorded:
    return Recorded(stage.transport, stage.clock, stage.endpoint, stage.facts)


def at_once() -> ScaledClock:
    return ScaledClock(SystemClock(), 0)


def outcome(session: Session) -> Awaitable[object]:
    assert session.reply is not None
    assert session.reply.lane is not None
    return session.reply.lane.outcome()


async def recorded(stage: Stage, *acts: Callable[[Session], object]) -> Recorded:
    """What is heard and recorded when these things are done, each after the end of the reply before."""
    on = on_stage(stage)
    for act in acts or (lambda session: session.submit("hi"),):
        act(on.session)
        await stage.clock.finish(outcome(on.session))
    stage.assert_clean()
    return on


def player(recording: Recording, clock: Clock) -> tuple[Player, Held]:
    parts = ReplayEngine.on(clock)

    def target(asked: AskLine) -> Target:
        return Target(played_endpoint(asked), asked.model, asked.settings.settings, stream=asked.stream)

    engine = Engine(parts.transport, DIALECTS.__getitem__, parts.clock, parts.knowledge)
    held = Held(Session(engine, target(recording.questions[0].asked)))
    return Player(held.session, parts, recording, target), held


async def played(recording: Recording, clock: Clock | None = None) -> Held:
    """What is heard when a recording is played."""
    playing, held = player(recording, clock or at_once())
    async with asyncio.timeout(20):
        while playing.left:
            playing.play_next()
            await outcome(held.session)
    return held


def runs(held: Held) -> list[list[Stamped]]:
    """The events of each reply."""
    replies: dict[str, list[list[Stamped]]] = {}
    order: list[list[Stamped]] = []
    for told in held.of(RunHeard):
        mine = replies.setdefault(told.node, [])
        if not mine or isinstance(mine[-1][-1].event, Ended):
            mine.append([])
            order.append(mine[-1])
        mine[-1].append(told.stamped)
    return order


def assert_alike(first: Held, second: Held, within: float = 2e-6) -> None:
    """The same events in the same order, at the same times as far as a recording tells them."""
    assert [[s.event for s in run] for run in runs(first)] == [[s.event for s in run] for run in runs(second)]
    for one, other in zip(runs(first), runs(second), strict=True):
        assert [s.at for s in one] == pytest.approx([s.at for s in other], abs=within)


def assert_figures_alike(first: Session, second: Session, within: float = 1e-5) -> None:
    assert first.reply is not None
    assert second.reply is not None
    one, other = first.reply.stats(), second.reply.stats()
    assert (one.usage, one.exact, one.attempts, one.warm) == (other.usage, other.exact, other.attempts, other.warm)
    for name in ("elapsed_s", "ttft_s", "ttft_answer_s", "wait_s", "gap_p50_s", "gap_p95_s", "gap_max_s", "connect_s"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=within), name
    assert (one.tok_per_s is None) == (other.tok_per_s is None)
    assert one.tok_per_s is None or one.tok_per_s == pytest.approx(other.tok_per_s, rel=100 * within)


JSON = {"content-type": "application/json"}
PLAIN = [Pause(0.3), said("Hel"), Pause(0.1), said("lo"), Pause(0.05), stopped(), used(5, 2), DONE]
SCRIPTS: dict[str, list[Script]] = {
    "plain": [PLAIN],
    "thinking": [[thought("Hm."), Pause(0.5), said("x"), COMMENT, stopped(), DONE]],
    "length": [[said("x"), stopped("length"), DONE]],
    "no end mark": [[said("x"), stopped(), Pause(7), HANG]],
    "nothing after the end mark": [[said("x"), DONE, HANG]],
    "cut characters": [[said("ümläut")[:40], Pause(0.1), said("ümläut")[40:], bytes([0xFF]), stopped(), DONE]],
    "malformed": [[said("x"), event("no")[:-4] + b"\n\n", b"data: {\n\n", said("y"), stopped(), DONE]],
    "truncated": [[Pause(0.2), said("x"), Pause(0.2)]],
    "empty": [[], [], [], []],
    "silent": [[Pause(1), HANG], [HANG]],
    "stalled": [[said("x"), Pause(2), COMMENT, HANG]],
    "cut": [[said("x"), Pause(0.5), cut()], refusal(400, "Extra inputs: continue_final_message")],
    "cut and gone on": [[said("Once upon a ti"), Pause(0.5), cut()], [said("me."), stopped(), DONE]],
    "never connected": [[Pause(0.5), cut(Kind.REFUSED)], PLAIN],
    "given up": [[cut(Kind.REFUSED)]] * 4,
    "rate limit": [refusal(429, "Slow down.", {"retry-after": "3"}), PLAIN],
    "rate limit until": [refusal(429, "Slow down.", {"retry-after": "Tue, 14 Nov 2023 22:13:27 GMT"}), PLAIN],
    "server error": [refusal(503), refusal(500), PLAIN],
    "refused key": [refusal(401, "No such key.")],
    "refused parameter": [refusal(400, "Unknown parameter: 'stream_options'.", param="stream_options"), PLAIN],
    "no such model": [refusal(404, "No such model."), models("m1", "m2")],
    "fault in the stream": [[said("x"), event({"error": {"message": "Overloaded", "code": 400}}), HANG]],
    "whole answer": [
        [
            Head(200, JSON),
            Pause(0.4),
            b'{"choices":[{"message":{"con',
            Pause(0.1),
            b'tent":"x"},"finish_reason":"stop"}]}',
        ]
    ],
    "half of a whole answer": [[Head(200, JSON), b'{"choices":'], [Head(200, JSON), cut()], refusal(400)],
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_recording_plays_as_it_happened(name: str) -> None:
    stage = Stage(*SCRIPTS[name], timeouts=Timeouts(5, 10, 8, 0))
    stage.clock.luck = 0.73
    first = await recorded(stage)
    second = await played(first.recording)
    assert_alike(first.held, second)
    assert_figures_alike(first.session, second.session)
    assert first.recording.note == ""


async def test_the_total_limit_ends_a_replay_too() -> None:
    stage = Stage([*[Pause(1), said("x")] * 20], timeouts=Timeouts(0, 0, 0, 7.5))
    first = await recorded(stage)
    assert_alike(first.held, await played(first.recording))


@pytest.mark.parametrize("cause", [None, failure(Kind.BUDGET, "too dear")])
@pytest.mark.parametrize("after", [0.0, 0.25, 0.7, 4.9])
async def test_what_the_user_or_a_cap_ended_ends_again(after: float, cause: Any) -> None:
    stage = Stage([cut(Kind.REFUSED)], [Pause(0.1), said("a"), Pause(0.5), said("b"), Pause(3), HANG])
    first = on_stage(stage)
    first.session.submit("hi")
    stage.clock.call_later(after, lambda: first.session.cancel(cause))
    await stage.clock.finish(outcome(first.session))
    second = await played(first.recording)
    assert_alike(first.held, second)
    assert second.session.reply is not None
    assert second.session.reply.draft.phase is (Phase.CANCELLED if cause is None else Phase.FAILED)


async def test_several_questions_a_retry_and_a_resumed_answer() -> None:
    scripts: list[Script] = [
        PLAIN,
        [said("cut of"), stopped("length"), DONE],
        [said("f here."), stopped(), DONE],
        [Pause(1), said("again"), stopped(), DONE],
    ]
    first = await recorded(
        Stage(*scripts),
        lambda session: session.submit("one"),
        lambda session: session.submit("two"),
        lambda session: session.resume(),
        lambda session: session.retry(),
    )
    second = await played(first.recording)
    assert_alike(first.held, second)
    assert second.dialogue == first.held.dialogue
    assert [(n.role, n.text, n.parent) for n in second.session.conversation.nodes.values()] == [
        (n.role, n.text, n.parent) for n in first.session.conversation.nodes.values()
    ]


async def test_the_newest_reply_alone_knows_what_was_said_before_it() -> None:
    stage = Stage(PLAIN, [said("x"), stopped()])
    first = on_stage(stage)
    last = LastExchange()
    first.tape.sinks.append(last)
    for text in ("one", "two"):
        first.session.submit(text)
        await stage.clock.finish(outcome(first.session))
    data = b"".join(map(encode, (first.tape.header(), *last.lines)))
    second = await played(read(data, "last.rec"))
    assert second.dialogue == first.held.dialogue
    assert runs(second)[0][-1].event == runs(first.held)[1][-1].event
    assert_figures_alike(first.session, second.session)


async def test_the_newest_reply_alone_may_be_the_rest_of_an_answer() -> None:
    stage = Stage([said("cut of"), stopped("length"), DONE], [said("f here."), stopped(), DONE])
    first = on_stage(stage)
    last = LastExchange()
    first.tape.sinks.append(last)
    first.session.submit("one")
    await stage.clock.finish(outcome(first.session))
    assert first.session.resume()
    await stage.clock.finish(outcome(first.session))
    data = b"".join(map(encode, (first.tape.header(), *last.lines)))
    second = await played(read(data, "last.rec"))
    assert second.dialogue == first.held.dialogue == [("user", "one"), ("assistant", "cut off here.")]


async def test_a_refusal_known_before_the_recording_is_known_in_the_replay() -> None:
    stage = Stage(
        refusal(400, "Unknown parameter: 'stream_options'.", param="stream_options"),
        PLAIN,
        refusal(400, "Unknown parameter: 'stream_options'.", param="stream_options"),
    )
    first = on_stage(stage)
    first.session.submit("one")
    await stage.clock.finish(outcome(first.session))
    first.lines.clear()
    first.session.submit("two")
    await stage.clock.finish(outcome(first.session))
    assert first.recording.questions[0].asked.refused == ("stream_options",)
    second = await played(first.recording)
    assert [s.event for s in runs(second)[0]] == [s.event for s in runs(first.held)[1]]


# against a real server


@pytest.fixture(scope="module")
def timeouts() -> Timeouts:
    return Timeouts(connect=5, first_token=5, idle=0.4, total=0)


@pytest.mark.parametrize("model", [model.id for model in MODELS])
async def test_every_demo_model_plays_as_it_was(model: str, timeouts: Timeouts) -> None:
    async with DemoServer(speed=0) as server:
        transport = HttpTransport()
        endpoint = Endpoint("demo", server.base_url, timeouts=timeouts, retry=RetryPolicy(4, 0.05, 0.1))
        first = Recorded(transport, SystemClock(), endpoint)
        first.session.target = replace(first.session.target, model=model)
        first.session.submit("hi")
        await outcome(first.session)
        await transport.close()
    second = await played(first.recording)
    # A wait on the system's clock is a little longer than it was meant to be.
    assert_alike(first.held, second, within=0.25)
    assert_figures_alike(first.session, second.session, within=0.25)


# what is in the file


async def test_no_key_is_in_a_recording_whoever_repeats_it() -> None:
    echo = f"You sent {KEY}."
    stage = Stage(
        refusal(401, echo, {"x-echo": f"Bearer {KEY}", "set-cookie": "session=1"}),
        [said("half"), cut_with(echo)],
        [said(echo), said("sk-test-"), said(echo)[:47], said(echo)[47:], stopped(), DONE],
        key=Secret(KEY),
        headers={"X-Secret": "0123456789-secret", "X-Team": "a"},
        extra_body={"metadata": {"api_key": "0123456789-other-key"}},
        proxy="http://user:proxy-password@proxy:1",
    )
    on = on_stage(stage)
    for text in (f"my key is {KEY}", "again", "more"):
        on.session.submit(text)
        await stage.clock.finish(outcome(on.session))
    for secret in (KEY, "0123456789-secret", "0123456789-other-key", "proxy-password", "session=1"):
        assert secret.encode() not in on.data
    request = next(line for line in on.lines if isinstance(line, RequestLine))
    assert request.headers["Authorization"] == request.headers["X-Secret"] == "…"
    assert request.headers["X-Team"] == "a"
    assert on.recording.questions[0].text == "my key is …"


def cut_with(message: str) -> Any:
    return Cut(failure(Kind.RESET, message))


async def test_an_exchange_that_was_left_says_so() -> None:
    first = await recorded(Stage([said("x"), DONE, HANG]))
    (end,) = [line for line in first.lines if isinstance(line, EndLine)]
    assert (end.how, end.at) == ("closed", 0.1)


async def test_without_a_sink_nothing_is_made_of_it() -> None:
    stage = Stage(PLAIN)
    on = on_stage(stage)
    on.tape.sinks.clear()
    on.session.submit("hi")
    await stage.clock.finish(outcome(on.session))
    assert on.lines == []
    assert not on.tape.running
    stage.assert_clean()


async def test_a_long_reply_is_kept_up_to_the_limit() -> None:
    stage = Stage([said("x" * 1000), said("y" * 1000), stopped(), DONE], PLAIN)
    on = on_stage(stage)
    last = LastExchange(limit=1500)
    on.tape.sinks.append(last)
    on.session.submit("hi")
    await stage.clock.finish(outcome(on.session))
    assert sum(isinstance(line, ChunkLine) for line in last.lines) == 1
    assert not any(isinstance(line, EndLine | EndedLine) for line in last.lines)
    recording = read(b"".join(map(encode, (on.tape.header(), *last.lines))), "last.rec")
    assert "stops after line" in recording.note
    held = await played(recording)
    assert held.session.reply is not None
    assert held.session.reply.draft.failure is not None
    assert held.session.reply.draft.failure.kind is Kind.TRUNCATED
    assert held.session.reply.draft.text == "x" * 1000
    on.session.submit("again")
    await stage.clock.finish(outcome(on.session))
    assert isinstance(last.lines[-1], EndedLine)


# a file with known figures


async def test_the_figures_of_a_known_recording() -> None:
    """Computed by hand from the times in tests/fixtures/known.rec."""
    held = await played(read(KNOWN.read_bytes(), "known.rec"))
    reply = held.session.reply
    assert reply is not None
    stats = reply.stats()
    about = pytest.approx
    assert reply.draft.text == "Hello, wörld!"
    assert (stats.attempts, stats.usage.input, stats.usage.cached, stats.usage.output) == (2, 9, 4, 21)
    # The second attempt: connected after 0.05, first thought at 0.35, first answer at 0.45.
    assert (stats.ttft_s, stats.ttft_answer_s) == (about(0.30), about(0.40))
    # Text at 0.35, 0.45, 0.55, 0.85, 1.05; what carried no text is no chunk: gaps of 0.1, 0.1, 0.3, 0.2.
    assert (stats.gap_p50_s, stats.gap_p95_s, stats.gap_max_s) == (about(0.1), about(0.3), about(0.3))
    # 21 tokens, the first of them at 0.35 and the last at 1.05.
    assert stats.tok_per_s == about(20 / 0.7)
    # Refused after 0.1, retry-after 2, over after 1.12.
    assert (stats.wait_s, stats.elapsed_s) == (about(2.0), about(3.22))
    assert stats.total_per_s == about(21 / 3.22)


async def test_the_recorded_times_show_at_any_speed() -> None:
    recording = read(KNOWN.read_bytes(), "known.rec")
    began = SystemClock().now()
    faster = await played(recording, ScaledClock(SystemClock(), 20))
    assert SystemClock().now() - began >= 3.22 / 20
    at_once_ = await played(recording)
    assert_alike(faster, at_once_, within=1e-9)
    assert_figures_alike(faster.session, at_once_.session, within=1e-9)


# asking what was not recorded


async def test_a_question_of_ones_own_finds_the_recording_over() -> None:
    playing, held = player(read(KNOWN.read_bytes(), "known.rec"), at_once())
    playing.play_all()
    held.session.submit("and now?")
    async with asyncio.timeout(5):
        while held.session.running or held.session.queue:
            await asyncio.sleep(0)
    assert [node.text for node in held.session.conversation.path()][:2] == ["hi", "Hello, wörld!"]
    assert held.session.reply is not None
    trouble = held.session.reply.draft.failure
    assert trouble is not None
    assert "recording is over" in trouble.message
    assert held.session.reply.draft.attempts == 1


async def test_a_model_list_in_between_uses_up_no_answer() -> None:
    (question,) = read(KNOWN.read_bytes(), "known.rec").questions
    transport = ReplayTransport(at_once(), question.exchanges)
    endpoint = played_endpoint(question.asked)
    with pytest.raises(Broken):
        async with transport.open(endpoint, Request("GET", "https://gateway.example/v1/models", {})):
            pass
    async with transport.open(endpoint, Request("POST", "https://elsewhere/", {})) as answer:
        assert answer.status == 503


# the clock


@pytest.mark.parametrize("speed", [0, 1000])
async def test_time_passes_while_somebody_sleeps(speed: float) -> None:
    clock = ScaledClock(SystemClock(), speed)
    rung: list[tuple[str, float]] = []
    for name, seconds in (("b", 2.0), ("a", 1.0), ("late", 9.0)):
        clock.call_later(seconds, lambda name=name: rung.append((name, clock.now())))
    gone = clock.call_later(1.5, lambda: rung.append(("gone", clock.now())))
    gone.cancel()
    await asyncio.sleep(0.01)
    assert clock.now() == 0
    await clock.sleep(3)
    assert (clock.now(), rung) == (3, [("a", 1.0), ("b", 2.0)])


@pytest.mark.parametrize("speed", [0, 1000])
async def test_a_sleeper_that_a_timer_cancels_wakes_at_that_time(speed: float) -> None:
    clock = ScaledClock(SystemClock(), speed)
    task = asyncio.ensure_future(clock.sleep(100))
    clock.call_later(2, task.cancel)
    await asyncio.wait((task,))
    assert task.cancelled()
    assert clock.now() == 2


async def test_it_runs_faster_than_the_clock_below() -> None:
    below = Stage().clock
    clock = ScaledClock(below, 4)
    began = clock.wall()
    task = asyncio.ensure_future(clock.sleep(12))
    await below.advance(1)
    assert clock.now() == 4
    await below.advance(2)
    assert task.done()
    assert (clock.now(), clock.wall() - began, below.now()) == (12, 12, 3)


async def test_a_sleeper_that_somebody_else_cancels_wakes_at_once() -> None:
    below = Stage().clock
    clock = ScaledClock(below, 4)
    task = asyncio.ensure_future(clock.sleep(12))
    await below.advance(1)
    task.cancel()
    await below.advance(5)
    assert clock.now() == 4


async def test_a_short_delay_is_caught_up_with_and_a_long_one_is_not() -> None:
    below = Stage().clock
    clock = ScaledClock(below, 1)
    await below.advance(0.4)
    await below.finish(clock.sleep(1))
    assert (clock.now(), below.now()) == (1, 1)
    await below.advance(60)
    await below.finish(clock.sleep(1))
    assert (clock.now(), below.now()) == (2, 62)


async def test_a_timer_outlives_a_sleeper_that_was_waiting_for_it() -> None:
    below = Stage().clock
    clock = ScaledClock(below, 1)
    rung: list[float] = []
    clock.call_later(5, lambda: rung.append(clock.now()))
    task = asyncio.ensure_future(clock.sleep(10))
    await below.advance(1)
    task.cancel()
    await below.finish(clock.sleep(10))
    assert rung == [5]


def test_text_events_are_what_the_recording_holds() -> None:
    """The hooks above compare something: a recording with other text plays other events."""
    data = KNOWN.read_bytes().replace(b"Hello", b"Hallo")
    held = asyncio.run(played(read(data, "known.rec")))
    assert Text("Hallo") in [s.event for s in runs(held)[0]]
