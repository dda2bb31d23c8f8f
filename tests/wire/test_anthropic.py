"""The anthropic dialect: requests, answers cut at every place, errors, the model list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.kit.cuts import check_cuts, check_sane, decode
from tests.kit.fixtures_anthropic import END, KEY_SOURCE, STREAMS, say_text, stop
from tui_chat.domain.ask import Ask, Continuation, Message, Settings, Way
from tui_chat.domain.endpoint import Endpoint, Secret
from tui_chat.domain.failure import Broken, Kind
from tui_chat.wire.anthropic import Anthropic, claude_version
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wire.resume import GO_ON

CODEC = Anthropic()
KEY = "sk-ant-live-4f9b2c"
ENDPOINT = Endpoint("claude", "https://api.anthropic.com", dialect="anthropic", key=Secret(KEY), key_source=KEY_SOURCE)
OLD, NEW = "claude-sonnet-4-5-20250929", "claude-opus-4-7"
MESSAGES = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
ASK = Ask(ENDPOINT, OLD, MESSAGES)
CACHED = {"cache_control": {"type": "ephemeral"}}


def body(ask: Ask, *refused: str) -> dict[str, Any]:
    return json.loads(CODEC.encode(ask, frozenset(refused)).body)


def marked(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, **CACHED}]


PLAIN: dict[str, Any] = {
    "model": OLD,
    "max_tokens": 64_000,
    "stream": True,
    "messages": [
        {"role": "user", "content": marked("a")},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": marked("c")},
    ],
}

# answers


@pytest.mark.parametrize("name", STREAMS)
def test_events_of_an_answer_however_it_is_cut(name: str) -> None:
    data, events = STREAMS[name]
    check_cuts(CODEC, ENDPOINT, data, events)
    check_sane(events)


@pytest.mark.parametrize("name", STREAMS)
def test_nothing_follows_the_end(name: str) -> None:
    decoder = CODEC.decoder(ENDPOINT, "")
    decoder.feed(STREAMS[name][0])
    decoder.finish()
    assert decoder.finish() == []
    assert decoder.place is None
    if decoder.done:
        assert decoder.feed(say_text("late")) == []


def test_done_comes_with_the_end_mark_not_with_the_stop_reason() -> None:
    decoder = CODEC.decoder(ENDPOINT, "text/event-stream")
    decoder.feed(say_text("a") + stop())
    assert not decoder.done
    decoder.feed(END)
    assert decoder.done


FIELDS = ["type", "message", "delta", "content_block", "content", "text", "thinking", "stop_reason", "usage", "error"]
WORDS = ["content_block_delta", "message_start", "message_delta", "message_stop", "error", "text", "text_delta"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_ends_without_an_exception(value: object) -> None:
    text = json.dumps(value)
    for data in (f"data: {text}\n\n".encode(), text.encode()):
        check_sane(decode(CODEC, ENDPOINT, [data]))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_end_without_an_exception(data: bytes, at: int) -> None:
    assert decode(CODEC, ENDPOINT, [data]) == decode(CODEC, ENDPOINT, [data[:at], data[at:]])


# requests


SETTINGS: dict[str, tuple[Settings, dict[str, Any]]] = {
    "nothing said": (Settings(), {}),
    "temperature 0 is said": (Settings(temperature=0.0), {"temperature": 0.0}),
    "top_p": (Settings(top_p=0.9), {"top_p": 0.9}),
    "max_tokens": (Settings(max_tokens=10), {"max_tokens": 10}),
    "seed is not known to the API": (Settings(seed=1), {}),
    "stop, without what the API refuses": (Settings(stop=("a", " \n", "")), {"stop_sequences": ["a"]}),
    "system": (Settings(system="be brief"), {"system": marked("be brief")}),
    "blank system": (Settings(system=" \n"), {}),
    "effort": (Settings(reasoning_effort="low"), {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
    "effort of no known name": (
        Settings(reasoning_effort="vast"),
        {"thinking": {"type": "enabled", "budget_tokens": 12_288}},
    ),
    "effort beside a small limit": (
        Settings(reasoning_effort="high", max_tokens=4000),
        {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    "effort beside a limit too small to think": (
        Settings(reasoning_effort="high", max_tokens=2000),
        {"max_tokens": 2000},
    ),
    "effort none": (
        Settings(reasoning_effort="none", temperature=0.5),
        {"thinking": {"type": "disabled"}, "temperature": 0.5},
    ),
    "thinking takes no temperature": (
        Settings(reasoning_effort="medium", temperature=0.5, top_p=0.9),
        {"thinking": {"type": "enabled", "budget_tokens": 12_288}},
    ),
    "thinking takes a top_p near 1": (
        Settings(reasoning_effort="medium", top_p=0.97),
        {"thinking": {"type": "enabled", "budget_tokens": 12_288}, "top_p": 0.97},
    ),
    "thinking by extra_body takes no temperature": (
        Settings(temperature=0.5, extra_body={"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    "extra_body": (Settings(extra_body={"top_k": 40}), {"top_k": 40}),
    "extra_body wins over settings": (Settings(temperature=1.0, extra_body={"temperature": 0.5}), {"temperature": 0.5}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_in_the_body(name: str) -> None:
    said, added = SETTINGS[name]
    assert body(replace(ASK, settings=said)) == PLAIN | added


ADAPTIVE: dict[str, tuple[str, dict[str, Any]]] = {
    "low": ("low", {"effort": "low"}),
    "minimal is called low": ("minimal", {"effort": "low"}),
    "max": ("max", {"effort": "max"}),
}


@pytest.mark.parametrize("name", ADAPTIVE)
def test_newer_models_are_told_the_effort_and_asked_to_show_their_thoughts(name: str) -> None:
    effort, config = ADAPTIVE[name]
    sent = body(replace(ASK, model=NEW, settings=Settings(reasoning_effort=effort, temperature=0.5)))
    assert sent["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert sent["output_config"] == config
    assert "temperature" not in sent


LIMITS = {
    "claude-3-opus-20240229": 4096,
    "claude-3-haiku-20240307": 4096,
    "claude-2.1": 4096,
    "claude-3-5-sonnet-20241022": 8192,
    "claude-3-5-haiku-latest": 8192,
    "claude-3-7-sonnet-20250219": 32_000,
    "claude-opus-4-20250514": 32_000,
    "claude-opus-4-1-20250805": 32_000,
    "claude-sonnet-4-20250514": 32_000,
    "claude-sonnet-4-5-20250929": 64_000,
    "us.anthropic.claude-haiku-4-5-20251001-v1:0": 64_000,
    "anthropic/claude-opus-4.6": 64_000,
    "claude-opus-4-7": 64_000,
    "claude-sonnet-5": 64_000,
    "deepseek-flash": 8192,
    "claude": 8192,
}


@pytest.mark.parametrize("model", LIMITS)
def test_max_tokens_is_given_for_each_model(model: str) -> None:
    assert body(replace(ASK, model=model))["max_tokens"] == LIMITS[model]


VERSIONS = {
    "claude-3-opus-20240229": (3, 0),
    "claude-3.5-sonnet": (3, 5),
    "claude-3-5-sonnet@20241022": (3, 5),
    "claude-instant-1.2": (1, 2),
    "claude-opus-4-20250514": (4, 0),
    "claude-opus-4-5-20251101": (4, 5),
    "CLAUDE-SONNET-4-6": (4, 6),
    "claude-opus-4-10": (4, 10),
    "claude-haiku-5-20270101": (5, 0),
    "claude-latest": None,
    "gpt-4.1": None,
    "": None,
}


@pytest.mark.parametrize("model", VERSIONS)
def test_the_version_in_a_name(model: str) -> None:
    assert claude_version(model) == VERSIONS[model]


def test_at_most_four_breakpoints_and_those_on_the_last_turns() -> None:
    messages = tuple(Message("assistant" if n % 2 else "user", str(n)) for n in range(9))
    sent = body(replace(ASK, messages=messages, settings=Settings(system="s")))
    assert [m["content"] for m in sent["messages"]] == [*"012345", marked("6"), "7", marked("8")]
    assert json.dumps(sent).count("cache_control") == 3


def test_roles_take_turns_and_none_is_blank() -> None:
    said = ("user", "a"), ("user", "b"), ("assistant", " \n"), ("user", "c"), ("assistant", "d"), ("assistant", "e \n")
    sent = body(replace(ASK, messages=tuple(Message(role, text) for role, text in said)))  # type: ignore[arg-type]
    assert sent["messages"] == [
        {"role": "user", "content": marked("a\n\nb\n\nc")},
        {"role": "assistant", "content": "d\n\ne"},
    ]


WITHOUT: dict[str, tuple[str, Settings, dict[str, Any]]] = {
    "temperature": ("temperature", Settings(temperature=0.5), {}),
    "top_p": ("top_p", Settings(top_p=0.5), {}),
    "stop": ("stop", Settings(stop=("a",)), {}),
    "effort, and the temperature is sent again": (
        "reasoning_effort",
        Settings(reasoning_effort="low", temperature=0.5),
        {"temperature": 0.5},
    ),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_refused_parameters_are_left_out(name: str) -> None:
    refused, said, added = WITHOUT[name]
    assert refused in CODEC.optional
    for model in (OLD, NEW):
        assert body(replace(ASK, model=model, settings=said), refused) == PLAIN | {"model": model} | added


def test_without_breakpoints_where_they_are_refused() -> None:
    sent = body(replace(ASK, settings=Settings(system="s")), "cache_control")
    assert sent["system"] == [{"type": "text", "text": "s"}]
    assert [m["content"] for m in sent["messages"]] == ["a", "b", "c"]


def test_extra_body_of_the_endpoint_then_ours_then_of_the_settings() -> None:
    endpoint = replace(ENDPOINT, extra_body={"a": 1, "b": 1, "model": "no"})
    sent = body(replace(ASK, endpoint=endpoint, settings=Settings(extra_body={"b": 2})))
    assert sent == PLAIN | {"a": 1, "b": 2}


def test_any_text_can_be_sent() -> None:
    sent = body(replace(ASK, messages=(Message("user", "Việt 漢字 🙂 \udcff\x00"),)))
    assert sent["messages"][0]["content"] == marked("Việt 漢字 🙂 \ufffd\x00")


URLS = {
    "https://api.anthropic.com": "https://api.anthropic.com/v1/messages",
    "https://api.anthropic.com/": "https://api.anthropic.com/v1/messages",
    "https://api.anthropic.com/v1": "https://api.anthropic.com/v1/messages",
    "https://api.anthropic.com/v1/": "https://api.anthropic.com/v1/messages",
    "https://gateway.example/anthropic": "https://gateway.example/anthropic/v1/messages",
    "https://gateway.example/v1beta1": "https://gateway.example/v1beta1/messages",
    "https://v1.example": "https://v1.example/v1/messages",
}


@pytest.mark.parametrize("base", URLS)
def test_the_url(base: str) -> None:
    endpoint = replace(ENDPOINT, base_url=base)
    assert CODEC.encode(replace(ASK, endpoint=endpoint), frozenset()).url == URLS[base]
    assert CODEC.models_request(endpoint).url == URLS[base].replace("/messages", "/models?limit=1000")


def test_headers() -> None:
    own = {"anthropic-version": "2023-06-01", "x-api-key": Secret(KEY)}
    request = CODEC.encode(ASK, frozenset())
    assert request.method == "POST"
    assert request.headers == own | {"Content-Type": "application/json", "Accept": "text/event-stream"}
    assert CODEC.encode(replace(ASK, stream=False), frozenset()).headers["Accept"] == "application/json"
    assert CODEC.models_request(ENDPOINT).headers == own | {"Accept": "application/json"}
    assert KEY not in repr(request) + str(request.headers) + repr(request.body)
    bare = replace(ENDPOINT, key=None, headers={"Anthropic-Version": "2024-01-01"})
    assert CODEC.models_request(bare).headers == {"Accept": "application/json", "Anthropic-Version": "2024-01-01"}


def test_without_streaming() -> None:
    assert body(replace(ASK, stream=False)) == PLAIN | {"stream": False}


# going on


WAYS = {
    "claude-3-haiku-20240307": (Way.TRAILING, Way.ASK),
    OLD: (Way.TRAILING, Way.ASK),
    "claude-opus-4-6": (Way.ASK,),
    NEW: (Way.ASK,),
    "claude-latest": (Way.ASK,),
    "deepseek-flash": (Way.ASK,),
}


@pytest.mark.parametrize("model", WAYS)
def test_ways_to_go_on(model: str) -> None:
    assert CODEC.ways(replace(ASK, model=model)) == WAYS[model]


ASKED_ON = [{"role": "assistant", "content": "so fa \n"}, {"role": "user", "content": marked(GO_ON)}]
GONE_BEFORE = {
    "trailing": PLAIN["messages"],
    "ask": [{"role": "user", "content": "a"}, *PLAIN["messages"][1:]],
    "nothing said yet": PLAIN["messages"],
}
"""What stands before it; a question more moves the breakpoints on."""
GOING_ON: dict[str, tuple[Continuation, list[dict[str, Any]]]] = {
    "trailing": (Continuation("so fa \n", way=Way.TRAILING), [{"role": "assistant", "content": "so fa"}]),
    "ask": (Continuation("so fa \n", way=Way.ASK), ASKED_ON),
    "nothing said yet": (Continuation(" ", "thoughts", way=Way.TRAILING), []),
}


@pytest.mark.parametrize("name", GOING_ON)
def test_going_on_with_an_answer(name: str) -> None:
    continuation, added = GOING_ON[name]
    assert body(replace(ASK, continuation=continuation))["messages"] == [*GONE_BEFORE[name], *added]


def test_a_trailing_answer_and_thinking_do_not_go_together() -> None:
    ask = replace(ASK, settings=Settings(reasoning_effort="high"))
    assert "thinking" not in body(replace(ask, continuation=Continuation("so far", way=Way.TRAILING)))
    assert "thinking" in body(replace(ask, continuation=Continuation("so far", way=Way.ASK)))


# errors


def error_body(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


TOO_LONG = "prompt is too long: 210000 tokens > 200000 maximum"
CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."
ERRORS: dict[str, tuple[int, str, str, Kind]] = {
    "key": (401, "authentication_error", "invalid x-api-key", Kind.AUTH),
    "permission": (403, "permission_error", "not for you", Kind.PERMISSION),
    "model": (404, "not_found_error", "model: claude-9", Kind.NOT_FOUND),
    "request": (400, "invalid_request_error", "messages: at least one message is required", Kind.BAD_REQUEST),
    "context": (400, "invalid_request_error", TOO_LONG, Kind.CONTEXT_LENGTH),
    "context with max_tokens": (
        400,
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000",
        Kind.CONTEXT_LENGTH,
    ),
    "credit": (400, "invalid_request_error", CREDIT, Kind.QUOTA),
    "size": (413, "request_too_large", "Request exceeds the maximum size", Kind.BAD_REQUEST),
    "rate": (429, "rate_limit_error", "This request would exceed your rate limit", Kind.RATE_LIMIT),
    "server": (500, "api_error", "Internal server error", Kind.SERVER),
    "overloaded": (529, "overloaded_error", "Overloaded", Kind.OVERLOADED),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_answers(name: str) -> None:
    status, code, message, kind = ERRORS[name]
    found = CODEC.error(ENDPOINT, status, {}, error_body(code, message))
    assert (found.kind, found.message, found.status, found.parameter) == (kind, message, status, None)


PARAMETERS: dict[str, tuple[str, str | None]] = {
    "temperature": ("`temperature` is deprecated for this model.", "temperature"),
    "temperature beside thinking": (
        "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.",
        "temperature",
    ),
    "temperature out of range": ("temperature: range: 0..1", None),
    "temperature too large": ("temperature: Input should be less than or equal to 1", None),
    "temperature beside top_p": (
        "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        "top_p",
    ),
    "top_p": ("top_p: Extra inputs are not permitted", "top_p"),
    "top_p beside thinking": (
        "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
        "top_p",
    ),
    "thinking of the older kind": (
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and'
        ' "output_config.effort" to control thinking behavior.',
        "reasoning_effort",
    ),
    "thinking of the newer kind": ("adaptive thinking is not supported on this model", "reasoning_effort"),
    "thinking unknown": ("thinking: Extra inputs are not permitted", "reasoning_effort"),
    "effort": ("This model does not support the effort parameter.", "reasoning_effort"),
    "output_config": ("output_config: Extra inputs are not permitted", "reasoning_effort"),
    "cache_control": ("messages.0.content.0.text.cache_control: Extra inputs are not permitted", "cache_control"),
    "stop_sequences": ("stop_sequences: Extra inputs are not permitted", "stop"),
    "trailing": (
        "This model does not support assistant message prefill. The conversation must end with a user message.",
        "trailing",
    ),
    "budget": ("`max_tokens` must be greater than `thinking.budget_tokens`.", None),
    "max_tokens": ("max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens", None),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameter_that_may_be_dropped(name: str) -> None:
    message, parameter = PARAMETERS[name]
    found = CODEC.error(ENDPOINT, 400, {}, error_body("invalid_request_error", message))
    assert (found.kind, found.parameter) == (Kind.BAD_REQUEST, parameter)
    assert parameter is None or parameter in CODEC.optional


# models


MODEL_LISTS: dict[str, tuple[bytes, list[ModelInfo]]] = {
    "as documented": (
        b'{"data":[{"id":"claude-x","display_name":"Claude X","type":"model","created_at":"2026-01-01T00:00:00Z"}],'
        b'"has_more":false,"first_id":"claude-x","last_id":"claude-x"}',
        [ModelInfo("claude-x", "Claude X")],
    ),
    "with limits": (b'{"data":[{"id":"a","max_input_tokens":200000}]}', [ModelInfo("a", None, 200000)]),
    "empty": (b'{"data":[]}', []),
    "odd entries": (b'{"data":[{"id":"a","display_name":5},{"name":"x"},5,null]}', [ModelInfo("a")]),
}


@pytest.mark.parametrize("name", MODEL_LISTS)
def test_model_list(name: str) -> None:
    data, models = MODEL_LISTS[name]
    assert CODEC.models(data) == models


@pytest.mark.parametrize("data", [b"<html>", b'{"status":"ok"}', b"", error_body("api_error", "boom")])
def test_no_model_list(data: bytes) -> None:
    with pytest.raises(Broken) as broken:
        CODEC.models(data)
    assert broken.value.failure.kind is Kind.PROTOCOL


def test_the_dialect_is_known_by_its_name() -> None:
    assert isinstance(DIALECTS[ENDPOINT.dialect], Anthropic)
