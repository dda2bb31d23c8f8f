"""Error answers -> Failure."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.failure import RETRYABLE, Kind
from tui_chat.wire.errors import ErrorBody, http_failure, kind_of, read_body
from tui_chat.wire.openai_chat import OpenAIChat

ENDPOINT = Endpoint("work", "https://gateway.example/v1", key_source="WORK_KEY")


def openai(message: str, **fields: Any) -> str:
    return json.dumps({"error": {"message": message, "type": None, "param": None, "code": None} | fields})


PAGE = "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
QUOTA = "You exceeded your current quota, please check your plan and billing details."
CONTEXT = "This model's maximum context length is 8192 tokens. Please reduce the length of the messages."

ANSWERS: dict[str, tuple[int, str, Kind, str]] = {
    "bad key": (
        401,
        openai("Incorrect API key provided: sk-…. ", code="invalid_api_key"),
        Kind.AUTH,
        "Incorrect API key provided: sk-…. ",
    ),
    "no body": (500, "", Kind.SERVER, "The server answered 500 without a message."),
    "no credit": (402, openai("Insufficient Balance"), Kind.QUOTA, "Insufficient Balance"),
    "forbidden": (403, openai("Country not supported"), Kind.PERMISSION, "Country not supported"),
    "moderation": (
        403,
        openai("Your input was flagged", code=403),
        Kind.BLOCKED,
        "Your input was flagged",
    ),
    "unknown model": (404, openai("The model `x` does not exist"), Kind.NOT_FOUND, "The model `x` does not exist"),
    "unknown model under 400": (400, '{"error":"model \\"x\\" not found"}', Kind.NOT_FOUND, 'model "x" not found'),
    "wrong path (FastAPI)": (404, '{"detail":"Not Found"}', Kind.NOT_FOUND, "Not Found"),
    "wrong path (Spring)": (404, '{"status":404,"error":"Not Found","path":"/x"}', Kind.NOT_FOUND, "Not Found"),
    "proxy wants a login": (407, openai("Proxy Authentication Required"), Kind.PROXY, "Proxy Authentication Required"),
    "timeout": (408, "", Kind.SERVER, "The server answered 408 without a message."),
    "conflict": (409, openai("busy"), Kind.SERVER, "busy"),
    "context, by code": (
        400,
        openai("too long", code="context_length_exceeded"),
        Kind.CONTEXT_LENGTH,
        "too long",
    ),
    "context, by words": (400, openai(CONTEXT), Kind.CONTEXT_LENGTH, CONTEXT),
    "context (llama.cpp)": (
        400,
        openai("the request exceeds the available context size", code=400, type="exceed_context_size_error"),
        Kind.CONTEXT_LENGTH,
        "the request exceeds the available context size",
    ),
    "context (Gemini)": (
        400,
        openai("The input token count (1200000) exceeds the maximum number of tokens allowed"),
        Kind.CONTEXT_LENGTH,
        "The input token count (1200000) exceeds the maximum number of tokens allowed",
    ),
    "context (Anthropic)": (
        400,
        openai("prompt is too long: 210000 tokens > 200000 maximum"),
        Kind.CONTEXT_LENGTH,
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    "context under 413": (413, openai("context window exceeded"), Kind.CONTEXT_LENGTH, "context window exceeded"),
    "body too large": (413, "Payload Too Large", Kind.BAD_REQUEST, "Payload Too Large"),
    "bad key under 400 (Gemini)": (
        400,
        '[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID"}}]',
        Kind.AUTH,
        "API key not valid. Please pass a valid API key.",
    ),
    "no credit under 400 (Anthropic)": (
        400,
        openai("Your credit balance is too low. Please go to Plans & Billing"),
        Kind.QUOTA,
        "Your credit balance is too low. Please go to Plans & Billing",
    ),
    "blocked": (400, openai("x", code="content_filter"), Kind.BLOCKED, "x"),
    "bad parameter": (
        400,
        openai("Invalid value for temperature", param="temperature"),
        Kind.BAD_REQUEST,
        "Invalid value for temperature",
    ),
    "validation (FastAPI)": (
        422,
        '{"detail":[{"type":"missing","loc":["body","messages",0],"msg":"Field required"},{"loc":[],"msg":"x"}]}',
        Kind.BAD_REQUEST,
        "body.messages.0: Field required",
    ),
    "validation (Mistral)": (
        422,
        '{"object":"error","message":{"detail":[{"loc":["body","model"],"msg":"Field required"}]},"type":"x"}',
        Kind.BAD_REQUEST,
        "body.model: Field required",
    ),
    "detail as an object": (400, '{"detail":{"message":"no","code":"x"}}', Kind.BAD_REQUEST, "no"),
    "too many": (429, openai("slow down"), Kind.RATE_LIMIT, "slow down"),
    "no quota": (429, openai(QUOTA, code="insufficient_quota"), Kind.QUOTA, QUOTA),
    "word and message": (429, '{"error":"rate_limited","message":"slow down"}', Kind.RATE_LIMIT, "slow down"),
    "errors in a list (Cloudflare)": (
        403,
        '{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}',
        Kind.PERMISSION,
        "Authentication error",
    ),
    "error nested in itself": (400, '{"error":{"error":{"message":"deep inside"}}}', Kind.BAD_REQUEST, "deep inside"),
    "raw words of the provider (OpenRouter)": (
        429,
        openai("Provider returned error", code=429, metadata={"raw": '{"error":{"message":"q is full"}}'}),
        Kind.RATE_LIMIT,
        "Provider returned error: q is full",
    ),
    "no message": (400, '{"error":{"code":"bad_thing","type":"oops"}}', Kind.BAD_REQUEST, "oops bad_thing"),
    "no words at all": (400, '{"error":{"x":1}}', Kind.BAD_REQUEST, '{"x":1}'),
    "JSON of another shape": (400, '{"ok": false}', Kind.BAD_REQUEST, '{"ok": false}'),
    "plain text": (500, "  Internal\n Server   Error ", Kind.SERVER, "Internal Server Error"),
    "text with a BOM": (500, '\ufeff{"error":"x"}', Kind.SERVER, "x"),
    "bad UTF-8": (500, b"a\xffb".decode("latin-1"), Kind.SERVER, "aÿb"),
    "server": (500, openai("oops"), Kind.SERVER, "oops"),
    "overloaded under 500": (500, openai("overloaded"), Kind.OVERLOADED, "overloaded"),
    "unavailable": (503, openai("no"), Kind.OVERLOADED, "no"),
    "loading (llama.cpp)": (
        503,
        '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
        Kind.LOADING,
        "Loading model",
    ),
    "loading (Hugging Face)": (
        503,
        '{"error":"Model x is currently loading","estimated_time":20}',
        Kind.LOADING,
        "Model x is currently loading",
    ),
    "overloaded (Anthropic)": (529, openai("Overloaded"), Kind.OVERLOADED, "Overloaded"),
    "Cloudflare": (524, "error code: 524", Kind.SERVER, "error code: 524"),
    "page under 502": (
        502,
        PAGE,
        Kind.SERVER,
        "The server answered 502 with a web page, not with an API answer: “502 Bad Gateway”.",
    ),
    "page under 404": (
        404,
        "<!doctype html><html><title>Not\n found</title>",
        Kind.PROTOCOL,
        "The server answered 404 with a web page, not with an API answer: “Not found”.",
    ),
    "page without a title": (
        403,
        "<html><body>No",
        Kind.PERMISSION,
        "The server answered 403 with a web page, not with an API answer: “?”.",
    ),
    "XML": (
        400,
        '<?xml version="1.0"?><Error/>',
        Kind.PROTOCOL,
        "The server answered 400 with a web page, not with an API answer: “?”.",
    ),
    "no content": (204, "", Kind.PROTOCOL, "The server answered 204 without a message."),
    "redirect": (
        302,
        "",
        Kind.PROTOCOL,
        "The server answered 302 and points to ; keys are not sent on to other places.",
    ),
    "a failed start, sent as an event (LiteLLM)": (
        500,
        f"data: {openai('Error processing stream start')}\n\ndata: [DONE]\n\n",
        Kind.SERVER,
        "Error processing stream start",
    ),
    "teapot": (418, openai("short and stout"), Kind.BAD_REQUEST, "short and stout"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_kind_and_message_of_an_answer(name: str) -> None:
    status, body, kind, message = ANSWERS[name]
    found = http_failure(ENDPOINT, status, {}, body.encode())
    assert (found.kind, found.message, found.status) == (kind, message, status)
    assert found.retryable is (kind in RETRYABLE)
    assert found.hint


def test_the_hint_of_a_refused_key_names_where_it_came_from() -> None:
    assert "WORK_KEY" in http_failure(ENDPOINT, 401, {}, b"").hint
    assert "local" in http_failure(Endpoint("local", "http://localhost/v1"), 401, {}, b"").hint


def test_a_redirect_names_its_target() -> None:
    found = http_failure(ENDPOINT, 307, {"location": "https://other.example/"}, b"")
    assert "https://other.example/" in found.message
    assert not found.retryable


SHOULD_RETRY: dict[str, tuple[int, str, bool]] = {
    "says yes": (400, "true", True),
    "says no": (503, "false", False),
    "in capitals": (503, " FALSE ", False),
    "says nothing sensible": (503, "maybe", True),
    "says nothing": (400, "", False),
}


@pytest.mark.parametrize("name", SHOULD_RETRY)
def test_x_should_retry_decides(name: str) -> None:
    status, value, retryable = SHOULD_RETRY[name]
    assert http_failure(ENDPOINT, status, {"x-should-retry": value}, b"").retryable is retryable


RENAMED = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
PARAMETERS: dict[str, tuple[int, str, str | None]] = {
    "stream_options, named": (400, openai("Unknown parameter", param="stream_options"), "stream_options"),
    "stream_options, in words": (400, openai("unexpected keyword: stream_options"), "stream_options"),
    "include_usage": (400, openai("x", param="stream_options.include_usage"), "stream_options"),
    "stream_options, by FastAPI": (
        422,
        '{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
        "stream_options",
    ),
    "stream_options under 500": (500, openai("x", param="stream_options"), "stream_options"),
    "max_tokens": (400, openai(RENAMED, param="max_tokens"), "max_tokens"),
    "max_tokens, through a gateway": (400, openai(RENAMED), "max_tokens"),
    "max_tokens too large": (400, openai("max_tokens is too large: 999999", param="max_tokens"), None),
    "max_tokens too large, by either name (vLLM)": (
        400,
        openai("'max_tokens' or 'max_completion_tokens' is too large: 9. The maximum context length is 8"),
        None,
    ),
    "another": (400, openai("x", param="temperature"), None),
    "none": (400, openai("x"), None),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parameter_that_may_be_dropped(name: str) -> None:
    status, body, parameter = PARAMETERS[name]
    assert OpenAIChat().error(ENDPOINT, status, {}, body.encode()).parameter == parameter


def test_words_choose_only_among_what_a_status_allows() -> None:
    assert kind_of(500, "rate limit") is Kind.SERVER
    assert kind_of(401, "maximum context length") is Kind.AUTH
    assert kind_of(None, "rate limit") is Kind.RATE_LIMIT
    assert kind_of(None, "") is Kind.SERVER


HUGE = {
    "titles": b"<html>" + b"<title>" * 100_000,
    "open titles": b"<html>" + b"<title" * 100_000,
    "models": b'{"error":"' + b"model " * 200_000 + b'"}',
    "contexts": b'{"error":"' + b"exceeds context" * 100_000 + b'"}',
    "brackets": b"[" * 1_000_000,
    "entities": b"<html><title>" + b"&" * 1_000_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_body_is_read_quickly(name: str) -> None:
    started = time.process_time()
    http_failure(ENDPOINT, 500, {}, HUGE[name])
    assert time.process_time() - started < 1


@settings(max_examples=200, deadline=None)
@given(st.integers(100, 999), st.binary(max_size=200))
def test_any_body_gives_a_failure_with_a_message(status: int, body: bytes) -> None:
    found = http_failure(ENDPOINT, status, {}, body)
    assert found.message
    assert found.status == status


def test_a_code_given_as_text_is_a_status() -> None:
    assert read_body('{"error":{"message":"x","code":"429"}}').status == 429
    assert read_body('{"error":{"message":"x","code":"0429"}}').status is None
    assert read_body('{"error":{"message":"x","code":200}}').status is None
    assert read_body('{"error":{"message":"x","status":503}}') == ErrorBody("x", status=503)
