"""Random SSE streams: every partition agrees with the whole, and the whole with a slow, obvious decoder."""

import re
from itertools import accumulate, pairwise
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui_chat.wire.sse import EventTooLarge, SseDecoder, SseEvent


class Outcome(NamedTuple):
    events: list[SseEvent]
    too_large: bool
    last_event_id: str
    retry_ms: int | None
    comments: int
    pending_data: str
    foreign: str


def decoded(feeds: list[bytes], limit: int = 1 << 20) -> Outcome:
    decoder = SseDecoder(limit=limit)
    events: list[SseEvent] = []
    too_large = False
    try:
        for data in feeds:
            events += decoder.feed(data)
    except EventTooLarge as error:
        events += error.events
        too_large = True
    events += decoder.finish()
    return Outcome(
        events,
        too_large,
        decoder.last_event_id,
        decoder.retry_ms,
        decoder.comments,
        decoder.pending_data,
        decoder.foreign,
    )


def reference(stream: bytes) -> Outcome:
    """The steps of the specification, in its order, on the text of the whole stream."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, rest = re.split("\r\n|\r|\n", text)
    events: list[SseEvent] = []
    data = event = id_buffer = last_event_id = ""
    retry: int | None = None
    comments = 0
    foreign: list[str] = []
    for line in lines:
        if line == "":
            last_event_id = id_buffer
            if data:
                events.append(SseEvent(event or "message", data[:-1], last_event_id))
            data = event = ""
            continue
        if line[0] == ":":
            comments += 1
            continue
        field, _, value = line.partition(":")
        if value[:1] == " ":
            value = value[1:]
        if field == "data":
            data += value + "\n"
        elif field == "event":
            event = value
        elif field == "id":
            if "\0" not in value:
                id_buffer = value
        elif field == "retry":
            if re.fullmatch("[0-9]+", value) and int(value) < 10**18:
                retry = int(value)
        else:
            foreign.append(line)
    pending = data[:-1]
    if rest.startswith("data:"):
        pending = data + re.sub("^ ", "", rest[5:])
    elif rest and rest[0] != ":" and rest.partition(":")[0] not in ("data", "event", "id", "retry"):
        foreign.append(rest)
    return Outcome(events, False, last_event_id, retry, comments, pending, "\n".join(foreign))


# fmt: off
LINES = [
    b"\n", b"\n\n", b"\r", b"\r\r", b"\r\n", b"\r\n\r\n", b"\n\r", b"data: a\n\n", b"data: b\n", b"data: c\r\n\r\n",
    b"data:  d \n", b"data:e\r", b"\ndata: f\n\n", b"data\n", b"event: t\n", b"event: u\n\n", b"id: 1\n", b"id: 2\r",
    b"id: \0\n", b"id\n", b"id: 3\n\n", b"retry: 12\n", b"retry: 1x\n", b"retry: 007\r", b": ping\n", b": ping\n\n",
    b":\r\n", b'{"error": {\n', b"Data: x\n", b" data: x\n",
]
PIECES = [
    b":", b" ", b"  ", b"\t", b"\0", b"x", b"data", b"data:", b"data: ", b"event", b"event: ", b"id", b"id: ",
    b"retry: ", b"9", b"99999999999999999999", b"\xd9\xa1", b'{"error": 1}', b"\xef\xbb\xbf", b"\xef\xbb", b"\xef",
    b"\xbf", b"\xff", b"\x85", b"\xe2\x80\xa8", b"\xe2\x80", b"\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1c",
    b"\xf0\x9f\x98\x85", b"\xf0\x9f", b"\x98\x85", b"\xed\xa0\x80", b"\xc3", b"\xa9",
]
# fmt: on

orderly = st.sampled_from(LINES + [b"data: a\n\n"] * 8)
tricky = st.one_of(orderly, st.sampled_from(PIECES), st.binary(max_size=3))
streams = st.one_of(st.lists(orderly, max_size=30), st.lists(tricky, max_size=30))


@st.composite
def partitions(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream and its feeds, cut between fragments and anywhere else."""
    bom = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    feeds = [bom]
    for fragment in draw(streams):
        if draw(st.booleans()):
            feeds.append(fragment)
        else:
            feeds[-1] += fragment
    stream = b"".join(feeds)
    places = draw(st.lists(st.integers(0, len(stream)), max_size=4))
    places += accumulate(len(data) for data in feeds)
    return stream, [stream[a:b] for a, b in pairwise(sorted([0, *places]))]


@settings(max_examples=500, deadline=None)
@given(partitions())
@example((b"data: a\r\r\n\n", [b"data: a\r\r", b"\n\n"]))
@example((b"data: a\n\n\rdata: b\n\n", [b"data: a\n\n", b"\r", b"data: b\n\n"]))
def test_any_partition_agrees_with_the_whole(drawn: tuple[bytes, list[bytes]]) -> None:
    stream, feeds = drawn
    whole = decoded([stream])
    assert decoded(feeds) == whole
    assert decoded([stream[i : i + 1] for i in range(len(stream))]) == whole


@settings(max_examples=500, deadline=None)
@given(partitions())
def test_agrees_with_the_reference(drawn: tuple[bytes, list[bytes]]) -> None:
    stream, feeds = drawn
    assert decoded(feeds) == reference(stream)


@settings(max_examples=500, deadline=None)
@given(partitions(), st.integers(1, 24))
def test_any_partition_meets_the_limit_alike(drawn: tuple[bytes, list[bytes]], limit: int) -> None:
    stream, feeds = drawn
    whole = decoded([stream], limit)
    assert decoded(feeds, limit) == whole
    assert decoded([stream[i : i + 1] for i in range(len(stream))], limit) == whole
    if not whole.too_large:
        assert whole == reference(stream)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), st.booleans()), max_size=8),
    st.sampled_from(["\n", "\r", "\r\n"]),
)
def test_text_survives_the_stream(items: list[tuple[str, bool]], newline: str) -> None:
    stream = "".join(
        (f"event: delta{newline}" if named else "") + f"data: {text}{newline}{newline}" for text, named in items
    )
    expected = [SseEvent("delta" if named else "message", text, "") for text, named in items]
    assert decoded([stream.encode()]).events == expected
