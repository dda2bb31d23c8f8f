"""Asks -> requests of the openai-chat dialect, and the model list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tui_chat.domain.ask import Ask, Message, Settings
from tui_chat.domain.endpoint import Endpoint, Secret
from tui_chat.domain.failure import Broken, Kind
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wire.openai_chat import OpenAIChat

CODEC = OpenAIChat()
KEY = "sk-live-4f9b2c"
ENDPOINT = Endpoint("work", "https://gateway.example/v1", key=Secret(KEY))
MESSAGES = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
ASK = Ask(ENDPOINT, "m", MESSAGES)

PLAIN: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def body(ask: Ask, *refused: str) -> dict[str, Any]:
    return json.loads(CODEC.encode(ask, frozenset(refused)).body)


SETTINGS: dict[str, tuple[Settings, dict[str, Any]]] = {
    "nothing said": (Settings(), {}),
    "temperature 0 is said": (Settings(temperature=0.0), {"temperature": 0.0}),
    "top_p": (Settings(top_p=0.9), {"top_p": 0.9}),
    "max_tokens": (Settings(max_tokens=10), {"max_tokens": 10}),
    "seed 0 is said": (Settings(seed=0), {"seed": 0}),
    "stop": (Settings(stop=("a", "b")), {"stop": ["a", "b"]}),
    "reasoning_effort": (Settings(reasoning_effort="low"), {"reasoning_effort": "low"}),
    "system": (
        Settings(system="be brief"),
        {"messages": [{"role": "system", "content": "be brief"}, *PLAIN["messages"]]},
    ),
    "empty system": (Settings(system=""), {}),
    "extra_body": (
        Settings(extra_body={"top_k": 40, "thinking": {"type": "off"}}),
        {"top_k": 40, "thinking": {"type": "off"}},
    ),
    "extra_body wins over settings": (Settings(temperature=1.0, extra_body={"temperature": 0.5}), {"temperature": 0.5}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_in_the_body(name: str) -> None:
    settings, added = SETTINGS[name]
    assert body(replace(ASK, settings=settings)) == PLAIN | added


def test_without_streaming_there_are_no_stream_options() -> None:
    without = {key: value for key, value in PLAIN.items() if key != "stream_options"}
    assert body(replace(ASK, stream=False)) == without | {"stream": False}


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "nothing": ((), {"stream_options": {"include_usage": True}, "max_tokens": 5}),
    "stream_options": (("stream_options",), {"max_tokens": 5}),
    "max_tokens": (("max_tokens",), {"stream_options": {"include_usage": True}, "max_completion_tokens": 5}),
    "both": (("stream_options", "max_tokens"), {"max_completion_tokens": 5}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_parameters_are_left_out_or_renamed(name: str) -> None:
    refused, expected = REFUSED[name]
    sent = body(replace(ASK, settings=Settings(max_tokens=5)), *refused)
    assert {key: sent[key] for key in sent if key not in ("model", "messages", "stream")} == expected
    assert set(refused) <= set(CODEC.optional)


def test_extra_body_of_the_endpoint_then_ours_then_of_the_settings() -> None:
    endpoint = replace(ENDPOINT, extra_body={"a": 1, "b": 1, "model": "no", "temperature": 1})
    settings = Settings(temperature=0.5, extra_body={"b": 2, "stream_options": {"include_usage": False}})
    sent = body(replace(ASK, endpoint=endpoint, settings=settings))
    assert sent == PLAIN | {"a": 1, "b": 2, "temperature": 0.5, "stream_options": {"include_usage": False}}


TEXTS = {
    "scripts": "Việt 漢字 🙂 ‫",
    "controls and quotes": 'a"b\\c\x00\x1b[31m\u2028',
    "lone surrogate of a bad argument": "a\udcff",
}


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_can_be_sent(name: str) -> None:
    text = TEXTS[name]
    sent = body(replace(ASK, messages=(Message("user", text),), settings=Settings(system=text)))
    assert [m["content"] for m in sent["messages"]] == [text.replace("\udcff", "\ufffd")] * 2


URLS = {
    "https://gateway.example/v1": "https://gateway.example/v1/chat/completions",
    "https://gateway.example/v1/": "https://gateway.example/v1/chat/completions",
    "https://api.deepseek.com": "https://api.deepseek.com/chat/completions",
}


@pytest.mark.parametrize("base", URLS)
def test_the_url(base: str) -> None:
    endpoint = replace(ENDPOINT, base_url=base)
    assert CODEC.encode(replace(ASK, endpoint=endpoint), frozenset()).url == URLS[base]
    assert CODEC.models_request(endpoint).url == URLS[base].replace("/chat/completions", "/models")


JSON_TYPE = {"Content-Type": "application/json"}
BEARER = {"Authorization": Secret(f"Bearer {KEY}")}
HEADERS: dict[str, tuple[Ask, dict[str, str | Secret]]] = {
    "streaming": (ASK, JSON_TYPE | {"Accept": "text/event-stream"} | BEARER),
    "whole": (replace(ASK, stream=False), JSON_TYPE | {"Accept": "application/json"} | BEARER),
    "no key": (
        replace(ASK, endpoint=replace(ENDPOINT, key=None)),
        JSON_TYPE | {"Accept": "text/event-stream"},
    ),
    "empty key": (
        replace(ASK, endpoint=replace(ENDPOINT, key=Secret(""))),
        JSON_TYPE | {"Accept": "text/event-stream"},
    ),
    "the endpoint's own": (
        replace(ASK, endpoint=replace(ENDPOINT, headers={"X-Team": "a"})),
        JSON_TYPE | {"Accept": "text/event-stream", "X-Team": "a"} | BEARER,
    ),
    "the endpoint's own in place of ours, in any case": (
        replace(ASK, endpoint=replace(ENDPOINT, headers={"authorization": "Basic b", "ACCEPT": "*/*"})),
        JSON_TYPE | {"authorization": "Basic b", "ACCEPT": "*/*"},
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(name: str) -> None:
    ask, headers = HEADERS[name]
    request = CODEC.encode(ask, frozenset())
    assert request.method == "POST"
    assert dict(request.headers) == headers
    assert KEY not in repr(request) + str(request.headers) + repr(ask)


def test_headers_of_the_models_request() -> None:
    request = CODEC.models_request(ENDPOINT)
    assert (request.method, request.body) == ("GET", b"")
    assert dict(request.headers) == {"Accept": "application/json"} | BEARER


def test_the_dialect_is_known_by_its_name() -> None:
    assert isinstance(DIALECTS[ENDPOINT.dialect], OpenAIChat)


MODEL_LISTS: dict[str, tuple[bytes, list[ModelInfo]]] = {
    "OpenAI": (b'{"object":"list","data":[{"id":"a","object":"model","owned_by":"x"}]}', [ModelInfo("a")]),
    "OpenRouter": (
        b'{"data":[{"id":"v/a","name":"A","context_length":128000,"pricing":{"prompt":"0"}}]}',
        [ModelInfo("v/a", "A", 128000)],
    ),
    "vLLM": (b'{"data":[{"id":"a","max_model_len":4096}]}', [ModelInfo("a", None, 4096)]),
    "Groq": (b'{"data":[{"id":"a","context_window":8192}]}', [ModelInfo("a", None, 8192)]),
    "Ollama without a model": (b'{"object":"list","data":null}', []),
    "empty": (b'{"data":[]}', []),
    "a bare list": (b'[{"id":"a"},{"id":"b"}]', [ModelInfo("a"), ModelInfo("b")]),
    "one entry is odd": (b'{"data":[{"id":"a"},{"name":"x"},5,null,{"id":"b"}]}', [ModelInfo("a"), ModelInfo("b")]),
    "one field is odd": (
        b'{"data":[{"id":"a","context_length":"128k"},{"id":"b","context_length":"4096"}]}',
        [ModelInfo("a"), ModelInfo("b", None, 4096)],
    ),
}


@pytest.mark.parametrize("name", MODEL_LISTS)
def test_model_list(name: str) -> None:
    data, models = MODEL_LISTS[name]
    assert CODEC.models(data) == models


NO_LISTS: dict[str, tuple[bytes, str]] = {
    "web page": (b"<html><title>Sign in</title>", "web page, not with an API answer: “Sign in”"),
    "error": (b'{"error":{"message":"no such route"}}', "no model list: no such route."),
    "other JSON": (b'{"status":"ok"}', "no model list: "),
    "text": (b"hello", "no model list: "),
    "nothing": (b"", "no model list: "),
    "very deep": (b"[" * 100_000, "no model list: "),
}


@pytest.mark.parametrize("name", NO_LISTS)
def test_no_model_list(name: str) -> None:
    data, words = NO_LISTS[name]
    with pytest.raises(Broken) as broken:
        CODEC.models(data)
    assert broken.value.failure.kind is Kind.PROTOCOL
    assert words in broken.value.failure.message
