"""What is asked of every dialect's decoder: the events are the same however the bytes are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.domain.draft import Draft
from tui_chat.domain.events import Faulted, Skipped, Stamped, Stopped, Text, Thinking

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.wire.codec import Codec


def decode(
    codec: Codec, endpoint: Endpoint, feeds: Iterable[bytes], content_type: str = "text/event-stream"
) -> list[StreamEvent]:
    """The events of an answer; the reasons of what was skipped are the JSON parser's and left out."""
    decoder = codec.decoder(endpoint, content_type)
    events = [event for data in feeds for event in decoder.feed(data)]
    events += decoder.finish()
    return [replace(event, reason="") if isinstance(event, Skipped) else event for event in events]


def check_cuts(codec: Codec, endpoint: Endpoint, data: bytes, events: list[StreamEvent]) -> None:
    """The same events from the whole, from any two parts, and byte by byte with nothing between."""
    assert decode(codec, endpoint, [data]) == events
    for at in range(len(data) + 1):
        assert decode(codec, endpoint, [data[:at], data[at:]]) == events, f"cut at {at}"
    for content_type in ("text/event-stream", "application/json", "text/html; charset=utf-8", ""):
        assert decode(codec, endpoint, (data[i : i + 1] for i in range(len(data))), content_type) == events
    assert decode(codec, endpoint, (piece for i in range(len(data)) for piece in (b"", data[i : i + 1]))) == events


def check_sane(events: list[StreamEvent]) -> None:
    """What holds of every answer, whatever the bytes."""
    draft = Draft()
    for event in events:
        draft.fold(Stamped("main", 0.0, event))
    assert draft.text == "".join(e.text for e in events if isinstance(e, Text))
    assert draft.reasoning == "".join(e.text for e in events if isinstance(e, Thinking))
    assert all(e.text for e in events if isinstance(e, Text | Thinking)), "no piece is empty"
    (draft.text + draft.reasoning).encode()
    assert not any(isinstance(e, Faulted) for e in events[:-1]), "nothing follows a fault"
    assert sum(isinstance(e, Stopped) for e in events) <= 1
