"""The rows of the fault table that are about what the user sees: the line above the reply, and the notes under it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit import COMMENT, DONE, HANG, Head, Pause, Script, Stage, cut, event, refusal, said, stopped, used
from tests.kit import fixtures_responses as responses
from tests.kit.fixtures_openai import sse
from tests.kit.tongues import CHAT, CLAUDE, GEMINI, RESPONSES
from tui_chat.domain.draft import Phase
from tui_chat.domain.endpoint import Timeouts
from tui_chat.domain.events import Learned
from tui_chat.ui.turns import live_state, notes, turns

if TYPE_CHECKING:
    from tui_chat.engine.reply import Reply

OK = CHAT.answer()
LIMITS = Timeouts(first_token=60, idle=20, total=0)
PROMPT_READ = event({"choices": [], "prompt_progress": {"total": 900, "cache": 0, "processed": 512, "time_ms": 40}})
RECOVERS = "What came is kept. F6 goes on from here"


@dataclass(frozen=True, kw_only=True)
class Shown:
    row: int
    name: str
    server: list[Script]
    at: dict[str, Any] = field(default_factory=dict[str, Any])
    meanwhile: dict[float, tuple[Phase, str]] = field(default_factory=dict[float, tuple[Phase, str]])
    """At so many seconds: the phase, and words of the line above the reply."""
    ends: Phase = Phase.COMPLETED
    notes: tuple[str, ...] = ()
    """Words of the lines under the reply when it has ended."""
    figures: str = ""
    """Words of the line above the reply when it has ended."""
    resumable: bool = False


CASES = [
    Shown(
        row=1,
        name="countdown",
        server=[refusal(429, "Slow down", headers={"retry-after": "7"}), OK],
        meanwhile={2: (Phase.WAITING, "next try in 5 s · Esc stops · attempt 1 failed: Slow down")},
    ),
    Shown(
        row=2,
        name="plain-message",
        server=[refusal(402, "Insufficient Balance")],
        ends=Phase.FAILED,
        notes=("Insufficient Balance", "top it up"),
    ),
    Shown(
        row=3,
        name="attempt-n-of-m",
        server=[refusal(500), refusal(502), [HANG]],
        meanwhile={2: (Phase.CONNECTING, "attempt 3 of 4")},
    ),
    Shown(
        row=4,
        name="model-is-loading",
        server=[refusal(503, "Loading model")] * 3 + [[Pause(1), refusal(503, "Loading model")[0], HANG]],
        meanwhile={t: (Phase.LOADING, f"the model is loading · {t}.0 s") for t in (1, 3, 5)}
        | {6.5: (Phase.LOADING, "the model is loading · 6.5 s")},
    ),
    Shown(
        row=5, name="key-help", server=[refusal(401, "no")], ends=Phase.FAILED, notes=("no", "Check the key in WORK")
    ),
    Shown(
        row=6,
        name="shorten",
        server=[refusal(400, "maximum context length is 8192 tokens")],
        ends=Phase.FAILED,
        notes=("8192 tokens", "shorten it"),
    ),
    Shown(
        row=10,
        name="resume-offered",
        server=[[said("Hel"), event({"error": {"message": "broke"}})]],
        ends=Phase.FAILED,
        notes=("broke", "retry", RECOVERS),
        resumable=True,
    ),
    Shown(
        row=17,
        name="seam",
        at={"base_url": "http://127.0.0.1:9/v1"},
        server=[[said("The quick brown fox jum"), cut()], [said("ps."), stopped(), DONE]],
        notes=("taken up again after “The quick brown fox jum”",),
    ),
    Shown(
        row=20,
        name="no-data-for",
        at={"timeouts": LIMITS},
        server=[[said("Hel"), HANG]],
        meanwhile={2: (Phase.STREAMING, "streaming · 2.0 s"), 12: (Phase.STREAMING, "no data for 12.0 s")},
        ends=Phase.FAILED,
        notes=("No data came for 20 s", "timeouts.idle", RECOVERS),
        resumable=True,
    ),
    *[
        Shown(
            row=21,
            name=f"queued-{tongue.name}",
            at=tongue.endpoint,
            server=[[tongue.begin, COMMENT, Pause(30), COMMENT, HANG]],
            meanwhile={1: (Phase.QUEUED, "queued · 1.0 s"), 40: (Phase.QUEUED, "queued · 40.0 s")},
        )
        for tongue in (CHAT, CLAUDE, GEMINI, RESPONSES)
    ],
    Shown(
        row=21,
        name="comments-between-tokens",
        at={"timeouts": LIMITS},
        server=[[said("Hel"), *[Pause(3), COMMENT] * 9]],
        meanwhile={10: (Phase.STREAMING, "no data for 10.0 s")},
        ends=Phase.FAILED,
        notes=("No data", "timeouts.idle", RECOVERS),
        resumable=True,
    ),
    Shown(
        row=22,
        name="prompt-progress",
        at={"timeouts": Timeouts(first_token=600)},
        server=[[PROMPT_READ, Pause(300), COMMENT, Pause(200), *OK]],
        meanwhile={400: (Phase.PROCESSING, "waiting for the first token · 6:40 min")},
    ),
    Shown(
        row=28,
        name="badge",
        server=[[said("a"), b"data: {oops\n\n", said("b"), stopped(), DONE]],
        notes=("Malformed chunks left out: 1.",),
    ),
    Shown(row=32, name="counted", server=[[*OK[:-1], used(3, 400), DONE]], figures=" · 400 tokens"),
    Shown(row=33, name="estimated", server=[[said("x" * 400), stopped(), DONE]], figures=" · ~100 tokens"),
    Shown(
        row=37,
        name="blocked",
        server=[[stopped("content_filter"), DONE]],
        ends=Phase.FAILED,
        notes=("was blocked", "rephrase"),
    ),
    Shown(
        row=38,
        name="go-on-offered",
        server=[CHAT.answer(reason="length")],
        notes=("cut at the token limit (finish_reason length). F6 goes on",),
        resumable=True,
    ),
    Shown(
        row=50,
        name="queued-for-good",
        at=RESPONSES.endpoint | {"extra_body": {"background": True}},
        server=[[sse(responses.event("response.queued", response=responses.response("queued"))), HANG]],
        meanwhile={100: (Phase.QUEUED, "queued · 1:40 min")},
    ),
]


def reply_of(stage: Stage) -> tuple[Any, Reply]:
    session = stage.session().session
    session.submit("hi")
    assert session.reply is not None
    return session, session.reply


@pytest.mark.parametrize("case", [pytest.param(case, id=f"fault-{case.row:02}-{case.name}") for case in CASES])
async def test_row_as_shown(case: Shown) -> None:
    stage = Stage(*case.server, **{"key_source": "WORK", **case.at})
    session, reply = reply_of(stage)
    for at, (phase, words) in case.meanwhile.items():
        await stage.clock.advance(at - stage.clock.now())
        assert reply.draft.phase is phase
        assert words in live_state(reply)
    if case.ends is Phase.COMPLETED and case.server[-1][-1] is HANG:
        await session.close()
        return
    await stage.clock.advance(1000)
    assert reply.draft.phase is case.ends
    (_, turn) = turns(session.conversation, [reply])
    assert len(turn.notes) == len(case.notes)
    assert all(words in note.text for words, note in zip(case.notes, turn.notes, strict=True))
    assert case.figures in turn.head.state
    assert (session.resumable is not None) == case.resumable


@pytest.mark.parametrize("row", [pytest.param(1, id="fault-01-countdown-cancelled")])
async def test_the_countdown_is_cancelled_at_once(row: int) -> None:
    stage = Stage(refusal(429, headers={"retry-after": "100"}))
    session, reply = reply_of(stage)
    await stage.clock.advance(40)
    session.cancel()
    await stage.clock.settle()
    assert (reply.draft.phase, stage.clock.now()) == (Phase.CANCELLED, 40)
    stage.assert_clean()


@pytest.mark.parametrize("row", [pytest.param(11, id="fault-11-resumed-by-a-person")])
async def test_an_answer_that_broke_off_is_gone_on_with_when_asked(row: int) -> None:
    rest = [CLAUDE.say("fox jumps."), CLAUDE.stop("stop"), CLAUDE.end]
    stage = Stage([CLAUDE.say("The quick brown "), CLAUDE.busy], rest, **CLAUDE.endpoint)
    session, reply = reply_of(stage)
    await stage.clock.advance(10)
    assert reply.draft.phase is Phase.FAILED
    assert session.resume()
    await stage.clock.advance(10)
    assert (session.reply.draft.phase, session.reply.draft.text) == (Phase.COMPLETED, "The quick brown fox jumps.")
    assert "taken up again" in notes(session.reply.result(), session.reply.draft.text)[0].text


@pytest.mark.parametrize("row", [pytest.param(48, id="fault-48-honest-figures")])
async def test_an_answer_all_at_once_has_an_honest_ttft_and_no_speed(row: int) -> None:
    stage = Stage([Pause(30), Head(), b"".join([said("Hel"), said("lo"), stopped(), used(3, 40), DONE])])
    _, reply = reply_of(stage)
    await stage.clock.advance(31)
    stats = reply.stats()
    assert stats.ttft_s == pytest.approx(30, abs=0.02)
    assert (stats.tok_per_s, stats.elapsed_s) == (None, 30)


@pytest.mark.parametrize("row", [pytest.param(49, id="fault-49-another-version")])
async def test_asking_again_after_a_break_makes_another_version(row: int) -> None:
    stage = Stage([said("The quick"), cut()], OK)
    session, first = reply_of(stage)
    await stage.clock.advance(10)
    assert session.retry()
    await stage.clock.advance(10)
    texts = [node.text for node in session.conversation.nodes.values()]
    assert texts == ["hi", "The quick", "Hello"]
    assert session.conversation.siblings(first.node.id) == (1, 2)


@pytest.mark.parametrize("row", [pytest.param(7, id="fault-07-remembered"), pytest.param(34, id="fault-34-remembered")])
async def test_what_is_refused_is_not_sent_again(row: int) -> None:
    refused = {7: "continue_final_message", 34: "stream_options"}[row]
    stage = Stage([said("The quick brown fox jum"), cut()], OK, base_url="http://127.0.0.1:9/v1")
    stage.facts.learned = [Learned("test", "m", refused)]
    await stage.clock.finish(stage.run().go())
    assert all(refused.encode() not in request.body for request in stage.transport.requests)


@pytest.mark.parametrize("row", [pytest.param(50, id="fault-50-asked-again-only-by-a-person")])
async def test_a_question_that_waits_at_the_server_is_asked_again_only_by_a_person(row: int) -> None:
    begun = sse(responses.created(background=True))
    at = RESPONSES.endpoint | {"extra_body": {"background": True}, "timeouts": LIMITS}
    stage = Stage([begun, cut()], [HANG], RESPONSES.answer(), **at)
    session, reply = reply_of(stage)
    await stage.clock.advance(300)
    assert reply.draft.phase is Phase.FAILED
    assert [request.method for request in stage.transport.requests] == ["POST", "GET"]
    assert session.retry()
    await stage.clock.advance(10)
    assert session.reply.draft.text == "Hello"
