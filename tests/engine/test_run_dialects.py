"""Whole runs in the dialects that are not OpenAI's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit import HANG, Pause, Script, Stage, cut, refusal
from tests.kit import fixtures_anthropic as claude
from tests.kit import fixtures_gemini as gemini
from tui_chat.domain.ask import Continuation, Message, Settings, Way
from tui_chat.domain.events import Completed, Failed, Waiting
from tui_chat.domain.failure import Kind

ANTHROPIC: dict[str, Any] = {"base_url": "https://api.anthropic.com", "dialect": "anthropic"}
GEMINI: dict[str, Any] = {"base_url": "https://generativelanguage.googleapis.com/v1beta", "dialect": "gemini"}
CLAUDE_OK: Script = [claude.start('"input_tokens":3'), claude.say_text("Hello"), claude.stop(), claude.END, HANG]
GEMINI_OK: Script = [gemini.sse(gemini.say_text("Hello"), gemini.stop())]


def failed(outcome: object) -> Kind:
    assert isinstance(outcome, Failed), outcome
    return outcome.failure.kind


@pytest.mark.parametrize(("at", "script"), [(ANTHROPIC, CLAUDE_OK), (GEMINI, GEMINI_OK)])
async def test_an_answer(at: dict[str, Any], script: Script) -> None:
    stage = Stage(script, **at)
    assert await stage.play() == Completed("stop")
    assert stage.recorder.text == "Hello"


REFUSALS: dict[str, tuple[dict[str, Any], Script, str, str, Script]] = {
    "temperature of a newer Claude": (
        ANTHROPIC,
        refusal(400, "`temperature` is deprecated for this model."),
        "temperature",
        "temperature",
        CLAUDE_OK,
    ),
    "thoughts of an older Gemini": (
        GEMINI,
        refusal(400, "Thinking is not enabled for models/m"),
        "thinkingConfig",
        "thinkingConfig",
        GEMINI_OK,
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_parameter_is_dropped_once_and_learned(name: str) -> None:
    at, no, parameter, field, yes = REFUSALS[name]
    stage = Stage(no, yes, **at)
    model = "gemini-2.5-flash" if at is GEMINI else "claude-opus-4-7"
    assert await stage.play(model=model, settings=Settings(temperature=0.5)) == Completed("stop")
    assert [fact.refused for fact in stage.facts.learned] == [parameter]
    first, second = (json.dumps(json.loads(request.body)) for request in stage.transport.requests)
    assert field in first
    assert field not in second


async def test_overloaded_under_200_is_tried_again_before_the_first_token_and_not_after() -> None:
    busy = claude.error("overloaded_error", "Overloaded")
    stage = Stage([claude.start(), busy], CLAUDE_OK, **ANTHROPIC)
    assert await stage.play() == Completed("stop")
    assert len(stage.recorder.of(Waiting)) == 1
    stage = Stage([claude.say_text("Hel"), busy], CLAUDE_OK, **ANTHROPIC)
    assert failed(await stage.play()) is Kind.OVERLOADED
    assert stage.recorder.text == "Hel"


async def test_pings_alone_are_no_data() -> None:
    flood: Script = [claude.start(), *[claude.PING, Pause(20)] * 20]
    stage = Stage(flood, flood, **ANTHROPIC)
    assert failed(await stage.play()) is Kind.FIRST_TOKEN_TIMEOUT


@pytest.mark.parametrize(
    ("at", "script"),
    [(ANTHROPIC, [claude.say_text("a")]), (GEMINI, [gemini.sse(gemini.say_text("a"))])],
)
async def test_a_stream_without_its_end_is_cut_off(at: dict[str, Any], script: Script) -> None:
    assert failed(await Stage([*script, cut()], **at).play()) is Kind.RESET
    assert failed(await Stage(script, **at).play()) is Kind.TRUNCATED


BLOCKED: dict[str, tuple[dict[str, Any], Script, str]] = {
    "refusal": (ANTHROPIC, [claude.start(), claude.stop("refusal"), claude.END], "refusal"),
    "finish reason": (GEMINI, [gemini.sse(gemini.stop("SAFETY"))], "SAFETY"),
    "prompt": (GEMINI, [gemini.sse('{"promptFeedback":{"blockReason":"SPII"}}')], "SPII"),
}


@pytest.mark.parametrize("name", BLOCKED)
async def test_an_answer_without_a_word_is_blocked_by_its_reason(name: str) -> None:
    at, script, reason = BLOCKED[name]
    outcome = await Stage(script, **at).play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.BLOCKED
    assert reason in outcome.failure.message


async def test_an_error_without_data_ends_the_run_while_the_line_is_open() -> None:
    error = gemini.pretty(500, "boom", "INTERNAL")
    outcome = await Stage([gemini.sse(gemini.say_text("a")), error, HANG], **GEMINI).play()
    assert failed(outcome) is Kind.SERVER


PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."


async def test_a_refused_trailing_answer_is_asked_for_instead() -> None:
    stage = Stage(refusal(400, PREFILL), CLAUDE_OK, **ANTHROPIC)
    outcome = await stage.play(model="claude-sonnet-4-5", continuation=Continuation("So far"))
    assert outcome == Completed("stop")
    assert [fact.refused for fact in stage.facts.learned] == [Way.TRAILING]
    roles = [[m["role"] for m in json.loads(r.body)["messages"]] for r in stage.transport.requests]
    assert roles == [["user", "assistant"], ["user", "assistant", "user"]]


async def test_a_list_of_messages_may_begin_and_end_with_anybody() -> None:
    stage = Stage(CLAUDE_OK, **ANTHROPIC)
    assert await stage.play(messages=(Message("assistant", "a "),)) == Completed("stop")
