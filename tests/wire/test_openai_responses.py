"""The openai-responses dialect: Asks -> requests, bytes -> events, and where a kept stream goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.kit.fixtures_openai import KEY_SOURCE, sse
from tests.kit.fixtures_responses import ID, STREAMS, created, ended, event, named, response, said
from tui_chat.domain.ask import Ask, Continuation, Message, Place, Settings, Way
from tui_chat.domain.endpoint import Endpoint, Secret
from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking
from tui_chat.domain.failure import Kind
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wire.openai_responses import OpenAIResponses
from tui_chat.wire.resume import GO_ON
from tui_chat.wire.sse import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.events import StreamEvent
    from tui_chat.wire.codec import Codec

CODEC = OpenAIResponses()
ENDPOINT = Endpoint(
    "work", "https://gateway.example/v1", dialect="openai-responses", key=Secret("k"), key_source=KEY_SOURCE
)
KEEPING = replace(ENDPOINT, extra_body={"background": True})
ASK = Ask(ENDPOINT, "m", (Message("user", "a"), Message("assistant", "b"), Message("user", "c")))
PLAIN: dict[str, Any] = {
    "model": "m",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "c"}]},
    ],
    "stream": True,
    "store": False,
}


def body(ask: Ask, *refused: str) -> dict[str, Any]:
    return json.loads(CODEC.encode(ask, frozenset(refused)).body)


def decode(feeds: Iterable[bytes]) -> list[StreamEvent]:
    decoder = CODEC.decoder(ENDPOINT, "text/event-stream")
    events = [event for data in feeds for event in decoder.feed(data)]
    events += decoder.finish()
    return [replace(event, reason="") if isinstance(event, Skipped) else event for event in events]


SETTINGS: dict[str, tuple[Settings, tuple[str, ...], dict[str, Any]]] = {
    "nothing said": (Settings(), (), {}),
    "system": (Settings(system="be brief"), (), {"instructions": "be brief"}),
    "empty system": (Settings(system=""), (), {}),
    "sampling": (Settings(temperature=0.0, top_p=0.9), (), {"temperature": 0.0, "top_p": 0.9}),
    "sampling refused": (Settings(temperature=0.0, top_p=0.9), ("temperature", "top_p"), {}),
    "max_tokens": (Settings(max_tokens=10), (), {"max_output_tokens": 10}),
    "seed and stop are unknown to the API": (Settings(seed=1, stop=("x",)), (), {}),
    "reasoning": (Settings(reasoning_effort="low"), (), {"reasoning": {"effort": "low", "summary": "auto"}}),
    "summary refused": (
        Settings(reasoning_effort="low"),
        ("reasoning.summary",),
        {"reasoning": {"effort": "low"}},
    ),
    "reasoning refused": (Settings(reasoning_effort="low"), ("reasoning_effort",), {}),
    "extra_body": (Settings(extra_body={"metadata": {"a": "b"}}), (), {"metadata": {"a": "b"}}),
    "extra_body wins": (Settings(temperature=1.0, extra_body={"temperature": 0.5}), (), {"temperature": 0.5}),
    "extra_body keeps what the server stores": (Settings(extra_body={"store": True}), (), {"store": True}),
    "background": (Settings(extra_body={"background": True}), (), {"background": True, "store": True}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_in_the_body(name: str) -> None:
    said_so, refused, added = SETTINGS[name]
    assert body(replace(ASK, settings=said_so), *refused) == PLAIN | added
    assert set(refused) <= set(CODEC.optional)


BACKGROUNDS: dict[str, tuple[Endpoint, bool, tuple[str, ...], dict[str, Any]]] = {
    "asked for": (KEEPING, True, (), {"background": True, "store": True}),
    "not without streaming": (KEEPING, False, (), {"stream": False}),
    "refused": (KEEPING, True, ("background",), {}),
    "not without storing": (KEEPING, True, ("store",), {"store": None}),
    "false": (replace(ENDPOINT, extra_body={"background": False}), True, (), {}),
    "storing wanted": (replace(ENDPOINT, extra_body={"store": True}), True, (), {"store": True}),
    "storing refused": (replace(ENDPOINT, extra_body={"store": True}), True, ("store",), {"store": None}),
}


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_background(name: str) -> None:
    endpoint, stream, refused, changed = BACKGROUNDS[name]
    expected = {key: value for key, value in (PLAIN | changed).items() if value is not None}
    assert body(replace(ASK, endpoint=endpoint, stream=stream), *refused) == expected


def test_the_request() -> None:
    request = CODEC.encode(ASK, frozenset())
    assert (request.method, request.url) == ("POST", "https://gateway.example/v1/responses")
    assert dict(request.headers) == {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Authorization": Secret("Bearer k"),
    }


def test_a_kept_stream_is_read_on_from_where_it_was_left() -> None:
    going_on = Continuation("a", place=Place("resp_1/../x", 41), way=Way.STREAM)
    request = CODEC.encode(replace(ASK, endpoint=KEEPING, continuation=going_on), frozenset())
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == "https://gateway.example/v1/responses/resp_1%2F..%2Fx?stream=true&starting_after=41"
    assert dict(request.headers) == {"Accept": "text/event-stream", "Authorization": Secret("Bearer k")}


def test_asking_to_go_on() -> None:
    sent = body(replace(ASK, continuation=Continuation("half", "hm", way=Way.ASK)))
    assert sent["input"] == [
        *PLAIN["input"],
        {"role": "assistant", "content": [{"type": "output_text", "text": "half"}]},
        {"role": "user", "content": [{"type": "input_text", "text": GO_ON}]},
    ]
    assert body(replace(ASK, continuation=Continuation("", "hm", way=Way.ASK))) == PLAIN


def test_ways() -> None:
    assert CODEC.ways(ASK) == (Way.ASK,)
    assert CODEC.ways(replace(ASK, endpoint=KEEPING)) == (Way.STREAM, Way.ASK)
    assert CODEC.ways(replace(ASK, settings=Settings(extra_body={"background": True}))) == (Way.STREAM, Way.ASK)


def test_the_dialect_is_known_by_its_name() -> None:
    codec: Codec = DIALECTS["openai-responses"]
    assert isinstance(codec, OpenAIResponses)
    assert codec.models_request(ENDPOINT).url == "https://gateway.example/v1/models"
    assert codec.models(b'{"data":[{"id":"a"}]}') == [ModelInfo("a")]


VERIFY = "Your organization must be verified to generate reasoning summaries."
ERRORS: dict[str, tuple[int, dict[str, Any], Kind, str | None]] = {
    "key": (401, {"message": "Incorrect API key", "code": "invalid_api_key"}, Kind.AUTH, None),
    "summary for the verified only": (
        400,
        {"message": VERIFY, "param": "reasoning.summary", "code": "unsupported_value"},
        Kind.BAD_REQUEST,
        "reasoning.summary",
    ),
    "temperature, without a code": (
        400,
        {"message": "Unsupported parameter: 'temperature' is not supported with this model.", "param": "temperature"},
        Kind.BAD_REQUEST,
        "temperature",
    ),
    "reasoning": (
        400,
        {"message": "Unsupported parameter: 'reasoning.effort' is not supported.", "param": "reasoning.effort"},
        Kind.BAD_REQUEST,
        "reasoning_effort",
    ),
    "an effort that another would do for": (
        400,
        {
            "message": "Unsupported value: 'minimal' is not supported. Supported values are: 'low', 'high'.",
            "param": "reasoning.effort",
            "code": "unsupported_value",
        },
        Kind.BAD_REQUEST,
        None,
    ),
    "background": (
        400,
        {"message": "Unknown parameter: 'background'.", "param": "background"},
        Kind.BAD_REQUEST,
        "background",
    ),
    "store": (400, {"message": "Store must be set to false", "param": "store"}, Kind.BAD_REQUEST, "store"),
    "too hot": (400, {"message": "temperature must be at most 2", "param": "temperature"}, Kind.BAD_REQUEST, None),
    "a stream no longer kept": (
        400,
        {"message": "This response can no longer be streamed because it is more than 5 minutes old."},
        Kind.BAD_REQUEST,
        None,
    ),
    "a response unknown": (404, {"message": "Response with id 'resp_1' not found."}, Kind.NOT_FOUND, None),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    status, error, kind, parameter = ERRORS[name]
    found = CODEC.error(ENDPOINT, status, {}, json.dumps({"error": error}).encode())
    assert (found.kind, found.parameter, found.message) == (kind, parameter, error["message"])


@pytest.mark.parametrize("name", STREAMS)
def test_events_of_a_stream(name: str) -> None:
    data, events = STREAMS[name]
    assert decode([data]) == events


@pytest.mark.parametrize("name", STREAMS)
def test_the_cut_changes_nothing(name: str) -> None:
    data, events = STREAMS[name]
    for at in range(len(data) + 1):
        assert decode([data[:at], data[at:]]) == events, f"cut at {at}"
    assert decode(data[i : i + 1] for i in range(len(data))) == events


@pytest.mark.parametrize("name", STREAMS)
def test_what_holds_of_every_answer(name: str) -> None:
    decoder = CODEC.decoder(ENDPOINT, "")
    events = decoder.feed(STREAMS[name][0]) + decoder.finish()
    assert all(e.text for e in events if isinstance(e, Text | Thinking)), "no piece is empty"
    "".join(e.text for e in events if isinstance(e, Text | Thinking)).encode()
    assert not any(isinstance(e, Faulted) for e in events[:-1]), "nothing follows a fault"
    assert sum(isinstance(e, Stopped) for e in events) <= 1
    assert decoder.finish() == []
    assert not decoder.done or decoder.feed(sse(said("late"))) == []


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_done_comes_with_the_last_event(status: str) -> None:
    decoder = CODEC.decoder(ENDPOINT, "")
    decoder.feed(named(created(), said("a")))
    assert not decoder.done
    decoder.feed(named(ended(status)))
    assert decoder.done


def test_an_event_over_the_limit_ends_the_stream_after_what_came_before() -> None:
    events = decode([sse(created(), said("a")) + b"data: " + b"x" * (DEFAULT_LIMIT + 1)])
    assert events[0] == Text("a")
    assert isinstance(events[1], Faulted)


IN_PROGRESS = event("response.in_progress", response=response("in_progress", background=True), sequence_number=7)
PLACES: dict[str, tuple[bytes, Place | None]] = {
    "nothing yet": (b"", None),
    "kept": (sse(created(background=True), said("a", sequence_number=5)), Place(ID, 5)),
    "kept, before the first text": (sse(created(background=True)), Place(ID, 0)),
    "not kept": (sse(created(background=False), said("a", sequence_number=5)), None),
    "no word of it": (sse(created(), said("a", sequence_number=5)), None),
    "taken up again": (sse(said("b", sequence_number=6)), Place("", 6)),
    "taken up again, the response told": (sse(IN_PROGRESS, said("b", sequence_number=8)), Place(ID, 8)),
    "no number": (sse(created(background=True), said("a")), Place(ID, 0)),
    "unknown events count": (sse(created(background=True), event("x", sequence_number=3)), Place(ID, 3)),
    "malformed events do not": (sse(created(background=True), '{"sequence_number":3'), Place(ID, 0)),
    "after an error on the line": (
        sse(created(background=True), said("a", sequence_number=1), event("error", message="x", sequence_number=2)),
        Place(ID, 1),
    ),
    "over": (sse(created(background=True), said("a", sequence_number=1), ended("completed")), None),
    "failed": (sse(created(background=True), said("a", sequence_number=1), ended("failed")), None),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_place(name: str) -> None:
    data, place = PLACES[name]
    for step in (len(data) or 1, 1):
        decoder = CODEC.decoder(KEEPING, "text/event-stream")
        for at in range(0, len(data), step):
            decoder.feed(data[at : at + step])
        assert decoder.place == place


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_end_without_an_exception(data: bytes, at: int) -> None:
    assert decode([data]) == decode([data[:at], data[at:]])


KINDS = sorted({json.loads(line)["type"] for line in (created(), said(""), ended("completed"), ended("failed"))})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([*KINDS, "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "delta",
                    "response",
                    "item",
                    "output",
                    "content",
                    "error",
                    "usage",
                    "status",
                    "summary",
                    "text",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=14,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_ends_without_an_exception(value: object) -> None:
    text = json.dumps(value)
    for data in (sse(text, "[DONE]"), text.encode()):
        events = decode([data])
        assert all(e.text for e in events if isinstance(e, Text | Thinking))
        assert not any(isinstance(e, Faulted) for e in events[:-1])
