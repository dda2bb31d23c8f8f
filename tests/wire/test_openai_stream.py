"""Bytes of chat-completions answers -> events, each whole, cut in two at every place, and byte by byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.kit.fixtures_openai import DEEP, KEY_SOURCE, STREAMS, say_text, sse, stop
from tui_chat.domain.draft import Draft
from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.events import Faulted, Skipped, Stamped, Stopped, Text, Thinking
from tui_chat.domain.failure import Kind
from tui_chat.wire.openai_chat import OpenAIChat
from tui_chat.wire.sse import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.events import StreamEvent

ENDPOINT = Endpoint("work", "https://gateway.example/v1", key_source=KEY_SOURCE)
CONTENT_TYPES = ("text/event-stream", "application/json", "text/html; charset=utf-8", "")
LONG = 2000
"""Bytes above which a fixture is cut at chosen places only."""


def decode(feeds: Iterable[bytes], content_type: str = "text/event-stream") -> list[StreamEvent]:
    decoder = OpenAIChat().decoder(ENDPOINT, content_type)
    events = [event for data in feeds for event in decoder.feed(data)]
    events += decoder.finish()
    return [replace(event, reason="") if isinstance(event, Skipped) else event for event in events]


@pytest.mark.parametrize("name", STREAMS)
def test_events_of_a_stream(name: str) -> None:
    data, events = STREAMS[name]
    assert decode([data]) == events


@pytest.mark.parametrize("name", STREAMS)
def test_the_cut_changes_nothing(name: str) -> None:
    data, events = STREAMS[name]
    step = 1 if len(data) < LONG else len(data) // 40
    for at in range(0, len(data) + 1, step):
        assert decode([data[:at], data[at:]]) == events, f"cut at {at}"
    if len(data) < LONG:
        assert decode(data[i : i + 1] for i in range(len(data))) == events
        assert decode(piece for i in range(len(data)) for piece in (b"", data[i : i + 1])) == events


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("name", STREAMS)
def test_the_content_type_changes_nothing(name: str, content_type: str) -> None:
    data, events = STREAMS[name]
    assert decode([data], content_type) == events


@pytest.mark.parametrize("name", STREAMS)
def test_what_holds_of_every_answer(name: str) -> None:
    events = decode([STREAMS[name][0]])
    draft = Draft()
    for event in events:
        draft.fold(Stamped("main", 0.0, event))
    assert draft.text == "".join(e.text for e in events if isinstance(e, Text))
    assert draft.reasoning == "".join(e.text for e in events if isinstance(e, Thinking))
    assert all(e.text for e in events if isinstance(e, Text | Thinking)), "no piece is empty"
    (draft.text + draft.reasoning).encode()
    assert not any(isinstance(e, Faulted) for e in events[:-1]), "nothing follows a fault"
    assert sum(isinstance(e, Stopped) for e in events) <= 1


@pytest.mark.parametrize("name", STREAMS)
def test_nothing_follows_the_end(name: str) -> None:
    decoder = OpenAIChat().decoder(ENDPOINT, "")
    decoder.feed(STREAMS[name][0])
    decoder.finish()
    assert decoder.finish() == []
    if decoder.done:
        assert decoder.feed(sse(say_text("late"))) == []


def test_done_comes_with_the_end_mark_not_with_the_finish_reason() -> None:
    decoder = OpenAIChat().decoder(ENDPOINT, "text/event-stream")
    decoder.feed(sse(say_text("a"), stop()))
    assert not decoder.done
    decoder.feed(sse("[DONE]"))
    assert decoder.done


def test_an_event_over_the_limit_ends_the_stream_after_what_came_before() -> None:
    huge = b"data: " + b"x" * (DEFAULT_LIMIT + 1)
    events = decode([sse(say_text("<th")), sse(say_text("a")) + huge, b"\n\n" + sse(say_text("b"))])
    assert events[:-1] == [Text("<tha")]
    assert isinstance(events[-1], Faulted)
    assert events[-1].failure.kind is Kind.PROTOCOL
    assert "16 MiB" in events[-1].failure.message


def test_the_end_mark_before_an_event_over_the_limit_counts() -> None:
    assert decode([sse("[DONE]") + b"data: " + b"x" * (DEFAULT_LIMIT + 1)]) == [Stopped(None)]


def test_a_deep_error_is_an_error() -> None:
    deep = "[" * 800 + '"x"' + "]" * 800
    for data in (sse(f'{{"error":{deep}}}'), f'{{"error":{deep}}}'.encode(), sse(f'{{"error":{{"message":{deep}}}}}')):
        assert isinstance(decode([data])[-1], Faulted)
    assert isinstance(decode([DEEP.encode()])[-1], Faulted)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_end_without_an_exception(data: bytes, at: int) -> None:
    assert decode([data]) == decode([data[:at], data[at:]])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "error", "usage", "finish_reason", "index", "detail", "code"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_ends_without_an_exception(value: object) -> None:
    text = json.dumps(value)
    for data in (sse(text, "[DONE]"), text.encode()):
        events = decode([data])
        assert all(e.text for e in events if isinstance(e, Text | Thinking))
        assert not any(isinstance(e, Faulted) for e in events[:-1])
