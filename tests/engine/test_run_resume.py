"""Going on with an answer that broke off: unasked by exact ways alone, asked for by any."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit import DONE, Script, Stage, cut, refusal, said, stopped, thought
from tui_chat.domain.ask import Continuation, Way
from tui_chat.domain.endpoint import Timeouts
from tui_chat.domain.events import Attempt, Completed, Failed, Learned, Seam, Waiting
from tui_chat.domain.failure import Kind

LOCAL = {"base_url": "http://127.0.0.1:9/v1"}
"""A server that may know every way."""
BEGUN: Script = [said("The quick brown fox jum"), cut()]
REST: Script = [said("ps over the lazy dog."), stopped(), DONE]
WHOLE = "The quick brown fox jumps over the lazy dog."
NO_CONTINUE = refusal(400, "Unrecognized request argument supplied: continue_final_message")
NO_TRAILING = refusal(400, "This model does not support assistant message prefill.")


def body(stage: Stage, request: int) -> dict[str, Any]:
    return json.loads(stage.transport.requests[request].body)


async def test_a_cut_word_is_joined_without_a_mark_in_the_text() -> None:
    stage = Stage(BEGUN, REST, **LOCAL)
    assert await stage.play() == Completed("stop")
    assert stage.recorder.text == WHOLE
    assert stage.recorder.of(Attempt) == [Attempt(1), Attempt(2, resumes=1)]
    assert stage.recorder.of(Seam) == [Seam(0)]
    assert len(stage.recorder.of(Waiting)) == 1
    sent = body(stage, 1)
    assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)
    assert sent["messages"][-1] == {"role": "assistant", "content": "The quick brown fox jum"}


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.TRUNCATED, Kind.SERVER, Kind.OVERLOADED])
async def test_kinds_that_are_taken_up_unasked(kind: Kind) -> None:
    stage = Stage([said("The quick brown fox jum"), cut(kind)], REST, **LOCAL)
    assert await stage.play() == Completed("stop")


@pytest.mark.parametrize("kind", [Kind.IDLE_TIMEOUT, Kind.RATE_LIMIT, Kind.BLOCKED, Kind.TOTAL_TIMEOUT])
async def test_kinds_that_wait_for_a_person(kind: Kind) -> None:
    stage = Stage([said("The quick"), cut(kind)], **LOCAL)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is kind
    assert stage.recorder.text == "The quick"


async def test_a_far_gateway_is_not_trusted_unasked() -> None:
    far = {"base_url": "https://gateway.example/v1"}
    assert isinstance(await Stage(BEGUN, **far).play(), Failed)
    asked = Stage(REST, **far)
    assert await asked.play(continuation=Continuation("The quick brown fox jum")) == Completed("stop")
    assert body(asked, 0)["continue_final_message"] is True


async def test_reasoning_alone_is_not_gone_on_with() -> None:
    stage = Stage([thought("let me see"), cut()], **LOCAL)
    assert isinstance(await stage.play(), Failed)


async def test_at_most_twice() -> None:
    stage = Stage([said("a long beginning, "), cut()], [said("b"), cut()], [said("c"), cut()], **LOCAL)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.RESET
    assert stage.recorder.text == "a long beginning, bc"
    assert stage.recorder.of(Attempt) == [Attempt(1), Attempt(2, 1), Attempt(3, 2)]


async def test_a_way_that_is_refused_is_learned_and_no_inexact_one_is_tried_unasked() -> None:
    stage = Stage(BEGUN, NO_CONTINUE, **LOCAL)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.RESET
    assert stage.recorder.text == "The quick brown fox jum"
    assert stage.facts.learned == [Learned("test", "m", Way.CONTINUE)]
    again = Stage(BEGUN, **LOCAL)
    again.facts.learned = stage.facts.learned
    assert isinstance(await again.play(), Failed)
    assert len(again.transport.requests) == 1


async def test_a_server_that_repeats_the_whole_answer_is_joined() -> None:
    stage = Stage(BEGUN, [said("The quick brown "), said("fox jumps over the lazy dog."), stopped(), DONE], **LOCAL)
    assert await stage.play() == Completed("stop")
    assert stage.recorder.text == WHOLE
    assert stage.recorder.of(Seam) == [Seam(len("The quick brown fox jum"))]


async def test_a_server_that_begins_another_answer_is_not_believed() -> None:
    begun = "The quick brown fox jumps over the"
    other = "The quick brown fox jumps right into the river."
    stage = Stage([said(begun), cut()], [said(other), stopped(), DONE], **LOCAL)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.RESET
    assert stage.recorder.text == begun
    assert stage.facts.learned == [Learned("test", "m", Way.CONTINUE)]


async def test_a_server_that_is_busy_when_asked_for_the_rest() -> None:
    stage = Stage(BEGUN, refusal(503), REST, **LOCAL)
    assert await stage.play() == Completed("stop")
    assert stage.recorder.text == WHOLE
    assert stage.recorder.of(Attempt) == [Attempt(1), Attempt(2, 1), Attempt(3, 1)]


async def test_a_server_that_stays_down_leaves_the_first_trouble_and_the_text() -> None:
    stage = Stage(BEGUN, *[refusal(503)] * 3, **LOCAL)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.RESET
    assert stage.recorder.text == "The quick brown fox jum"


@pytest.mark.parametrize(
    ("scripts", "learned"),
    [
        ([REST], []),
        ([NO_CONTINUE, REST], [Way.CONTINUE]),
        ([NO_CONTINUE, NO_TRAILING, REST], [Way.CONTINUE, Way.TRAILING]),
    ],
    ids=["exact", "trailing", "asked"],
)
async def test_a_person_may_have_any_way(scripts: list[Script], learned: list[Way]) -> None:
    stage = Stage(*scripts, **LOCAL)
    outcome = await stage.play(continuation=Continuation("The quick brown fox jum"))
    assert outcome == Completed("stop")
    assert stage.recorder.text == "ps over the lazy dog."
    assert [fact.refused for fact in stage.facts.learned] == learned
    assert len(stage.recorder.of(Seam)) == 1


async def test_the_last_way_is_a_question() -> None:
    stage = Stage([said("brown fox jumps over the lazy dog."), stopped(), DONE])
    assert await stage.play(continuation=Continuation("The quick brown fox jum")) == Completed("stop")
    assert stage.recorder.text == "ps over the lazy dog."
    messages = body(stage, 0)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]


async def test_nothing_to_go_on_from() -> None:
    stage = Stage()
    outcome = await stage.play(continuation=Continuation(""))
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.BAD_REQUEST
    assert stage.transport.requests == []


async def test_loading_is_waited_for_longer_than_tries_allow() -> None:
    stage = Stage(*[refusal(503, "Loading model")] * 7, REST, **LOCAL)
    assert await stage.play() == Completed("stop")
    assert [w.seconds for w in stage.recorder.of(Waiting)] == [2.0] * 7


async def test_loading_is_bounded_by_the_patience_for_a_first_token() -> None:
    stage = Stage(*[refusal(503, "Loading model")] * 7, timeouts=Timeouts(first_token=7), **LOCAL)
    outcome = await stage.play()
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.LOADING
    assert len(stage.transport.requests) == 5
