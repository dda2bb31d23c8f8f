"""The gemini dialect: requests, answers cut at every place, errors, the model list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.kit.cuts import check_cuts, check_sane, decode
from tests.kit.fixtures_gemini import (
    KEY_SOURCE,
    OVERLOADED,
    QUOTA,
    RETRY_12,
    STREAMS,
    error,
    pretty,
    say_text,
    sse,
    stop,
)
from tui_chat.domain.ask import Ask, Continuation, Message, Settings, Way
from tui_chat.domain.endpoint import Endpoint, Secret
from tui_chat.domain.events import Faulted, Text
from tui_chat.domain.failure import Broken, Kind
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wire.gemini import Gemini, gemini_version
from tui_chat.wire.resume import GO_ON

CODEC = Gemini()
KEY = "AIza-live-4f9b2c"
BASE = "https://generativelanguage.googleapis.com/v1beta"
ENDPOINT = Endpoint("gemini", BASE, dialect="gemini", key=Secret(KEY), key_source=KEY_SOURCE)
MESSAGES = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
ASK = Ask(ENDPOINT, "gemini-2.5-flash", MESSAGES)


def body(ask: Ask, *refused: str) -> dict[str, Any]:
    return json.loads(CODEC.encode(ask, frozenset(refused)).body)


def turn(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text} for text in texts]}


SHOWN = {"includeThoughts": True}
PLAIN: dict[str, Any] = {
    "contents": [turn("user", "a"), turn("model", "b"), turn("user", "c")],
    "generationConfig": {"thinkingConfig": SHOWN},
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
        assert decoder.feed(sse(say_text("late"))) == []


def test_no_end_mark_but_the_end_of_the_body() -> None:
    decoder = CODEC.decoder(ENDPOINT, "text/event-stream")
    decoder.feed(sse(say_text("a"), stop()))
    assert not decoder.done


EARLY = {
    "in one line": error(503, OVERLOADED, "UNAVAILABLE").encode() + b"\n",
    "pretty-printed": pretty(503, OVERLOADED, "UNAVAILABLE"),
    "in a list": b"[" + pretty(503, OVERLOADED, "UNAVAILABLE") + b"]\n",
    "after blank lines": b"\n\n" + pretty(503, OVERLOADED, "UNAVAILABLE"),
}


@pytest.mark.parametrize("name", EARLY)
@pytest.mark.parametrize("before", [b"", sse(say_text("a"))])
def test_an_error_without_data_is_told_while_the_line_is_open(name: str, before: bytes) -> None:
    decoder = CODEC.decoder(ENDPOINT, "text/event-stream")
    events = decoder.feed(before + EARLY[name])
    assert events[:-1] == ([Text("a")] if before else [])
    assert isinstance(events[-1], Faulted)
    assert events[-1].failure.kind is Kind.OVERLOADED
    assert decoder.done


def test_foreign_lines_without_end_are_read_quickly() -> None:
    decoder = CODEC.decoder(ENDPOINT, "text/event-stream")
    decoder.feed(b": x\n" + b'{"error"\n' * 20_000)
    assert isinstance(decoder.finish()[-1], Faulted)


FIELDS = ["candidates", "content", "parts", "text", "thought", "finishReason", "index", "usageMetadata", "error"]
WORDS = ["STOP", "SAFETY", "OTHER", "promptFeedback", "blockReason"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, *WORDS, "details"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_ends_without_an_exception(value: object) -> None:
    text = json.dumps(value)
    for data in (sse(text), text.encode(), f": x\n{text}\n".encode()):
        check_sane(decode(CODEC, ENDPOINT, [data]))
        CODEC.error(ENDPOINT, 400, {}, data)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_end_without_an_exception(data: bytes, at: int) -> None:
    assert decode(CODEC, ENDPOINT, [data]) == decode(CODEC, ENDPOINT, [data[:at], data[at:]])


PIECES = [
    sse(say_text("a")),
    error(500, "boom", "INTERNAL").encode(),
    pretty(503, OVERLOADED, "UNAVAILABLE"),
    *(b"[", b"]", b",", b"\n", b"\r", b"{", b"oops", b": x\n", b"data: "),
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join))
def test_an_error_is_seen_at_the_same_place_however_the_bytes_are_cut(data: bytes) -> None:
    events = decode(CODEC, ENDPOINT, [data])
    check_sane(events)
    assert decode(CODEC, ENDPOINT, (data[i : i + 1] for i in range(len(data)))) == events
    for at in range(0, len(data) + 1, 7):
        assert decode(CODEC, ENDPOINT, [data[:at], data[at:]]) == events


# requests

SETTINGS: dict[str, tuple[Settings, dict[str, Any]]] = {
    "nothing said": (Settings(), {}),
    "temperature 0 is said": (Settings(temperature=0.0), {"temperature": 0.0}),
    "top_p": (Settings(top_p=0.9), {"topP": 0.9}),
    "max_tokens": (Settings(max_tokens=10), {"maxOutputTokens": 10}),
    "seed 0 is said": (Settings(seed=0), {"seed": 0}),
    "stop": (Settings(stop=("a", "b")), {"stopSequences": ["a", "b"]}),
    "effort": (Settings(reasoning_effort="low"), {"thinkingConfig": SHOWN | {"thinkingBudget": 1024}}),
    "effort of no known name": (
        Settings(reasoning_effort="vast"),
        {"thinkingConfig": SHOWN | {"thinkingBudget": 24_576}},
    ),
    "effort none": (
        Settings(reasoning_effort="none"),
        {"thinkingConfig": {"includeThoughts": False, "thinkingBudget": 0}},
    ),
    "extra_body joins the settings": (
        Settings(temperature=1.0, extra_body={"generationConfig": {"topK": 40, "temperature": 0.5}}),
        {"topK": 40, "temperature": 0.5},
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_in_the_body(name: str) -> None:
    said, added = SETTINGS[name]
    expected = PLAIN | {"generationConfig": PLAIN["generationConfig"] | added}
    assert body(replace(ASK, settings=said)) == expected


THINKING: dict[str, tuple[str, str | None, dict[str, Any] | None]] = {
    "older models do not think": ("gemini-2.0-flash", None, None),
    "nor do others": ("gemma-3-27b-it", None, None),
    "unless told to": ("gemma-3-27b-it", "low", SHOWN | {"thinkingLevel": "low"}),
    "2.5": ("gemini-2.5-pro", "high", SHOWN | {"thinkingBudget": 24_576}),
    "3": ("gemini-3-pro-preview", "high", SHOWN | {"thinkingLevel": "high"}),
    "3, not told": ("gemini-3.6-flash", None, SHOWN),
    "3, none": ("gemini-3.5-flash", "none", {"includeThoughts": False, "thinkingLevel": "minimal"}),
    "3, max": ("gemini-3.5-flash", "max", SHOWN | {"thinkingLevel": "high"}),
    "no version in the name": ("gemini-flash-latest", "medium", SHOWN | {"thinkingLevel": "medium"}),
}


@pytest.mark.parametrize("name", THINKING)
def test_how_hard_to_think(name: str) -> None:
    model, effort, config = THINKING[name]
    sent = body(replace(ASK, model=model, settings=Settings(reasoning_effort=effort)))
    assert sent.get("generationConfig", {}).get("thinkingConfig") == config


def test_the_system_prompt() -> None:
    ask = replace(ASK, settings=Settings(system="be brief"))
    assert body(ask) == PLAIN | {"systemInstruction": {"parts": [{"text": "be brief"}]}}
    refused = PLAIN | {"contents": [turn("user", "be brief", "a"), *PLAIN["contents"][1:]]}
    assert body(ask, "systemInstruction") == refused
    alone = replace(ask, messages=(Message("assistant", "b"),))
    assert body(alone, "systemInstruction")["contents"] == [turn("user", "be brief"), turn("model", "b")]
    assert "systemInstruction" not in body(replace(ASK, settings=Settings(system=" \n")))


WITHOUT: dict[str, tuple[str, Settings]] = {
    "temperature": ("temperature", Settings(temperature=0.5)),
    "top_p": ("top_p", Settings(top_p=0.5)),
    "seed": ("seed", Settings(seed=1)),
    "stop": ("stop", Settings(stop=("a",))),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_refused_parameters_are_left_out(name: str) -> None:
    refused, said = WITHOUT[name]
    assert refused in CODEC.optional
    assert body(replace(ASK, settings=said), refused) == PLAIN


def test_without_thoughts_where_they_are_refused() -> None:
    assert body(replace(ASK, settings=Settings(reasoning_effort="low")), "thinkingConfig") == {
        "contents": PLAIN["contents"]
    }
    assert "thinkingConfig" in CODEC.optional


def test_roles_take_turns_and_none_is_blank() -> None:
    said = ("user", "a"), ("user", "b"), ("assistant", " \n"), ("user", "c")
    sent = body(replace(ASK, messages=tuple(Message(role, text) for role, text in said)))  # type: ignore[arg-type]
    assert sent["contents"] == [turn("user", "a\n\nb\n\nc")]


def test_extra_body_of_the_endpoint_then_ours_then_of_the_settings() -> None:
    endpoint = replace(ENDPOINT, extra_body={"a": 1, "b": 1, "generationConfig": {"topK": 1, "seed": 1}})
    sent = body(replace(ASK, endpoint=endpoint, settings=Settings(seed=2, extra_body={"b": 2})))
    assert sent == PLAIN | {"a": 1, "b": 2, "generationConfig": {"topK": 1, "seed": 2, "thinkingConfig": SHOWN}}


def test_any_text_can_be_sent() -> None:
    sent = body(replace(ASK, messages=(Message("user", "Việt 漢字 🙂 \udcff\x00"),)))
    assert sent["contents"] == [turn("user", "Việt 漢字 🙂 \ufffd\x00")]


URLS: dict[str, tuple[str, str, bool, str]] = {
    "streamed": (BASE, "m-1.5", True, f"{BASE}/models/m-1.5:streamGenerateContent?alt=sse"),
    "whole": (BASE + "/", "m", False, f"{BASE}/models/m:generateContent"),
    "a name with its folder": (BASE, "tunedModels/m", False, f"{BASE}/tunedModels/m:generateContent"),
    "the name as the list gives it": (BASE, "models/m", False, f"{BASE}/models/m:generateContent"),
    "a name that is none": (BASE, "a b?c#d", False, f"{BASE}/models/a%20b%3Fc%23d:generateContent"),
}


@pytest.mark.parametrize("name", URLS)
def test_the_url(name: str) -> None:
    base, model, stream, url = URLS[name]
    ask = replace(ASK, endpoint=replace(ENDPOINT, base_url=base), model=model, stream=stream)
    request = CODEC.encode(ask, frozenset())
    assert (request.method, request.url) == ("POST", url)
    assert CODEC.models_request(ask.endpoint).url == f"{BASE}/models?pageSize=1000"


def test_headers() -> None:
    own = {"x-goog-api-key": Secret(KEY)}
    request = CODEC.encode(ASK, frozenset())
    assert request.headers == own | {"Content-Type": "application/json", "Accept": "text/event-stream"}
    assert CODEC.models_request(ENDPOINT).headers == own | {"Accept": "application/json"}
    assert KEY not in repr(request) + request.url + str(request.headers)
    assert "x-goog-api-key" not in CODEC.models_request(replace(ENDPOINT, key=None)).headers


# going on

VERSIONS = {
    "gemini-2.5-flash": (2, 5),
    "models/gemini-3-pro-preview": (3, 0),
    "gemini-3.10-flash": (3, 10),
    "gemini-flash-latest": None,
    "gemma-3-27b-it": None,
    "gemini-20250101": None,
}


@pytest.mark.parametrize("model", VERSIONS)
def test_the_version_in_a_name(model: str) -> None:
    assert gemini_version(model) == VERSIONS[model]


BOTH = (Way.TRAILING, Way.ASK)
WAYS = {
    "gemini-2.5-flash": BOTH,
    "gemini-2.5-flash-lite": (Way.ASK,),
    "gemini-3-flash-preview": BOTH,
    "gemini-3.5-flash": BOTH,
    "gemini-3.5-flash-lite": (Way.ASK,),
    "gemini-3.6-flash": (Way.ASK,),
    "gemini-flash-latest": (Way.ASK,),
}


@pytest.mark.parametrize("model", WAYS)
def test_ways_to_go_on(model: str) -> None:
    assert CODEC.ways(replace(ASK, model=model)) == WAYS[model]


GOING_ON: dict[str, tuple[Continuation, list[dict[str, Any]]]] = {
    "trailing": (Continuation("so fa \n", way=Way.TRAILING), [turn("model", "so fa \n")]),
    "ask": (Continuation("so fa \n", way=Way.ASK), [turn("model", "so fa \n"), turn("user", GO_ON)]),
    "nothing said yet": (Continuation(" ", "thoughts", way=Way.TRAILING), []),
}


@pytest.mark.parametrize("name", GOING_ON)
def test_going_on_with_an_answer(name: str) -> None:
    continuation, added = GOING_ON[name]
    assert body(replace(ASK, continuation=continuation))["contents"] == [*PLAIN["contents"], *added]


# errors

BAD_KEY = "API key not valid. Please pass a valid API key."
EXPIRED = "API key expired. Please renew the API key."
ANYBODY = "Method doesn't allow unregistered callers (callers without established identity)."
KEY_INFO = '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}'
FREE = QUOTA + " Quota exceeded for metric: free_tier_requests, limit: 0"
CONTEXT = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."


def limit(name: str) -> str:
    return f'{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaId":"{name}"}}]}},{RETRY_12}'


ERRORS: dict[str, tuple[int, str, Kind, str, float | None]] = {
    "key": (400, error(400, BAD_KEY, "INVALID_ARGUMENT", KEY_INFO), Kind.AUTH, BAD_KEY, None),
    "key, in a list": (400, f"[{error(400, BAD_KEY, 'INVALID_ARGUMENT', KEY_INFO)}]", Kind.AUTH, BAD_KEY, None),
    "key expired": (400, error(400, EXPIRED, "INVALID_ARGUMENT", KEY_INFO), Kind.AUTH, EXPIRED, None),
    "no key": (403, error(403, ANYBODY, "PERMISSION_DENIED"), Kind.AUTH, ANYBODY, None),
    "permission": (403, error(403, "no", "PERMISSION_DENIED"), Kind.PERMISSION, "no", None),
    "model": (
        404,
        error(404, "models/x is not found for API version v1beta", "NOT_FOUND"),
        Kind.NOT_FOUND,
        "models/x is not found for API version v1beta",
        None,
    ),
    "context": (400, error(400, CONTEXT, "INVALID_ARGUMENT"), Kind.CONTEXT_LENGTH, CONTEXT, None),
    "so many a minute": (
        429,
        error(429, QUOTA, "RESOURCE_EXHAUSTED", limit("GenerateRequestsPerMinutePerProjectPerModel")),
        Kind.RATE_LIMIT,
        QUOTA,
        12.0,
    ),
    "so many a day": (
        429,
        error(429, QUOTA, "RESOURCE_EXHAUSTED", limit("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
        Kind.QUOTA,
        QUOTA,
        12.0,
    ),
    "none at all": (429, error(429, FREE, "RESOURCE_EXHAUSTED", RETRY_12), Kind.QUOTA, FREE, 12.0),
    "no details": (429, error(429, QUOTA, "RESOURCE_EXHAUSTED"), Kind.QUOTA, QUOTA, None),
    "odd details": (
        429,
        error(429, "slow down", "RESOURCE_EXHAUSTED", '5,{"violations":[5,{"quotaId":5}],"retryDelay":"soon"}'),
        Kind.RATE_LIMIT,
        "slow down",
        None,
    ),
    "overloaded": (503, error(503, OVERLOADED, "UNAVAILABLE"), Kind.OVERLOADED, OVERLOADED, None),
    "server": (500, error(500, "An internal error", "INTERNAL"), Kind.SERVER, "An internal error", None),
    "slow": (504, error(504, "Deadline expired", "DEADLINE_EXCEEDED"), Kind.SERVER, "Deadline expired", None),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_answers(name: str) -> None:
    status, answer, kind, message, delay = ERRORS[name]
    found = CODEC.error(ENDPOINT, status, {}, answer.encode())
    assert (found.kind, found.message, found.status, found.retry_after) == (kind, message, status, delay)
    assert found.parameter is None
    assert kind is not Kind.AUTH or KEY_SOURCE in found.hint


PARAMETERS: dict[str, tuple[str, str | None]] = {
    "no thinking": ("Thinking is not enabled for models/gemini-2.0-flash", "thinkingConfig"),
    "no levels": ("Thinking level is not supported for this model.", "thinkingConfig"),
    "bad budget": ("The thinking budget (52428) is invalid.", "thinkingConfig"),
    "must think": ("Budget 0 is invalid. This model only works in thinking mode.", "thinkingConfig"),
    "thoughts of Vertex": (
        "Unable to submit request because Thinking_config.include_thoughts is only enabled when thinking is enabled.",
        "thinkingConfig",
    ),
    "unknown field": (
        "Invalid JSON payload received. Unknown name \\\"thinkingConfig\\\" at 'generation_config': Cannot find field.",
        "thinkingConfig",
    ),
    "seed": (
        "Invalid JSON payload received. Unknown name \\\"seed\\\" at 'generation_config': Cannot find field.",
        "seed",
    ),
    "topP": (
        "Invalid JSON payload received. Unknown name \\\"topP\\\" at 'generation_config': Cannot find field.",
        "top_p",
    ),
    "system": ("Developer instruction is not enabled for models/gemma-3-27b-it", "systemInstruction"),
    "trailing": ("Please ensure that the conversation ends with a user turn: last turn must be user.", "trailing"),
    "value": ("Invalid value at 'generation_config.temperature' (TYPE_FLOAT), must be 0 to 2", None),
    "contents": ("GenerateContentRequest.contents: contents is not specified", None),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameter_that_may_be_dropped(name: str) -> None:
    message, parameter = PARAMETERS[name]
    found = CODEC.error(ENDPOINT, 400, {}, error(400, message, "INVALID_ARGUMENT").encode())
    assert (found.kind, found.parameter) == (Kind.BAD_REQUEST, parameter)
    assert parameter is None or parameter in CODEC.optional


# models

MODEL_LISTS: dict[str, tuple[bytes, list[ModelInfo]]] = {
    "as documented": (
        b'{"models":[{"name":"models/gemini-x","version":"001","displayName":"Gemini X","inputTokenLimit":1048576,'
        b'"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]},'
        b'{"name":"models/embedding-x","supportedGenerationMethods":["embedContent"]}]}',
        [ModelInfo("gemini-x", "Gemini X", 1048576)],
    ),
    "nothing said of methods": (b'{"models":[{"name":"models/a"}]}', [ModelInfo("a")]),
    "empty": (b'{"models":[]}', []),
    "odd entries": (b'{"models":[{"name":"models/a","inputTokenLimit":[]},{"id":"x"},5,null]}', [ModelInfo("a")]),
}


@pytest.mark.parametrize("name", MODEL_LISTS)
def test_model_list(name: str) -> None:
    data, models = MODEL_LISTS[name]
    assert CODEC.models(data) == models


@pytest.mark.parametrize("data", [b"<html>", b'{"status":"ok"}', b"", error(400, BAD_KEY, "X").encode()])
def test_no_model_list(data: bytes) -> None:
    with pytest.raises(Broken) as broken:
        CODEC.models(data)
    assert broken.value.failure.kind is Kind.PROTOCOL


def test_the_dialect_is_known_by_its_name() -> None:
    assert isinstance(DIALECTS[ENDPOINT.dialect], Gemini)
