"""The SSE decoder against named byte streams, each fed whole, cut in two at every place, and byte by byte."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from tui_chat.wire.sse import DEFAULT_LIMIT, FOREIGN_LIMIT, EventTooLarge, SseDecoder, SseEvent


class Outcome(NamedTuple):
    events: list[SseEvent]
    last_event_id: str = ""
    retry_ms: int | None = None
    comments: int = 0
    pending_data: str = ""
    foreign: str = ""


def ev(data: str, event: str = "message", id: str = "") -> SseEvent:
    return SseEvent(event, data, id)


def outcome(feeds: Iterable[bytes]) -> Outcome:
    decoder = SseDecoder()
    events = [event for data in feeds for event in decoder.feed(data)]
    events += decoder.finish()
    return Outcome(
        events,
        decoder.last_event_id,
        decoder.retry_ms,
        decoder.comments,
        decoder.pending_data,
        decoder.foreign,
    )


def cuts(data: bytes) -> Iterator[tuple[str, list[bytes]]]:
    yield "whole", [data]
    for i in range(len(data) + 1):
        yield f"cut at {i}", [data[:i], data[i:]]
    yield "byte by byte", [data[i : i + 1] for i in range(len(data))]
    yield (
        "byte by byte, with empty feeds",
        [part for i in range(len(data)) for part in (b"", data[i : i + 1])],
    )


BOM = b"\xef\xbb\xbf"

CASES: dict[str, tuple[bytes, Outcome]] = {
    "nothing": (b"", Outcome([])),
    "one event": (b"data: a\n\n", Outcome([ev("a")])),
    "three events": (b"data: a\n\ndata: b\n\ndata: c\n\n", Outcome([ev("a"), ev("b"), ev("c")])),
    "data over several lines": (b"data: a\ndata: b\ndata:\ndata: c\n\n", Outcome([ev("a\nb\n\nc")])),
    "data lines around other fields": (
        b"data: a\nevent: x\n: c\nid: 1\ndata: b\n\n",
        Outcome([ev("a\nb", "x", "1")], "1", comments=1),
    ),
    "done sentinel": (
        b'data: {"a":1}\n\ndata: [DONE]\n\n',
        Outcome([ev('{"a":1}'), ev("[DONE]")]),
    ),
    "CRLF": (b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", Outcome([ev("a\nb"), ev("c")])),
    "CR": (b"data: a\rdata: b\r\rdata: c\r\r", Outcome([ev("a\nb"), ev("c")])),
    "mixed line ends": (b"data: a\rdata: b\r\ndata: c\n\r\ndata: d\n\r", Outcome([ev("a\nb\nc"), ev("d")])),
    "CR then CRLF is a line and a blank line": (b"data: a\r\r\ndata: b\n\n", Outcome([ev("a"), ev("b")])),
    "LF then CR is two line ends": (b"data: a\n\rdata: b\n\r", Outcome([ev("a"), ev("b")])),
    "CRLF is one line end": (b"data: a\r\ndata: b\r\n\n", Outcome([ev("a\nb")])),
    "stray CR after an event, then LF events": (
        b"data: a\n\n\rdata: b\n\nid: 1\ndata: c\n\n\rdata: d\n\n",
        Outcome([ev("a"), ev("b"), ev("c", id="1"), ev("d", id="1")], "1"),
    ),
    "CR before LF counts once only": (
        b"data: a\n\n\rdata: b\n\nid: 1\ndata: c\n\nid: 2\r\n\ndata: d\n\n",
        Outcome([ev("a"), ev("b"), ev("c", id="1"), ev("d", id="2")], "2"),
    ),
    "last event ended by CR at the end": (b"data: a\n\r", Outcome([ev("a")])),
    "Unicode separators are text": (
        "data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei\n\n".encode(),
        Outcome([ev("a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei")]),
    ),
    "separators inside fields": (
        "event: a\u2028data: b\nid: 1\u0085\n: c\x0cdata: d\ndata: e\n\n".encode(),
        Outcome([ev("e", "a\u2028data: b", "1\u0085")], "1\u0085", comments=1),
    ),
    "U+0085 as a raw byte is not a line end": (b"data: a\x85b\n\n", Outcome([ev("a\ufffdb")])),
    "emoji holding byte 85": ("data: \U0001f605\n\n".encode(), Outcome([ev("\U0001f605")])),
    "multi-byte text": ("data: Việt 漢字 🙂\n\n".encode(), Outcome([ev("Việt 漢字 🙂")])),
    "multi-byte text in event and id": (
        "event: sự\nid: 號\ndata: x\n\n".encode(),
        Outcome([ev("x", "sự", "號")], "號"),
    ),
    "bad UTF-8 replaced": (b"data: \xff\xf0\x9f\x99\n\n", Outcome([ev("\ufffd\ufffd")])),
    "bad UTF-8 replaced in a later event": (
        b"data: a\n\ndata: \xff\n\ndata: \xf0\x9f\n\ndata: b\n\n",
        Outcome([ev("a"), ev("\ufffd"), ev("\ufffd"), ev("b")]),
    ),
    "cut character does not swallow the line end": (
        b"data: \xe2\x82\ndata: \xf0\n\n",
        Outcome([ev("\ufffd\n\ufffd")]),
    ),
    "surrogate bytes replaced": (b"data: \xed\xa0\x80\n\n", Outcome([ev("\ufffd\ufffd\ufffd")])),
    "NUL in data kept": (b"data: a\0b\n\n", Outcome([ev("a\0b")])),
    "BOM dropped": (BOM + b"data: a\n\n", Outcome([ev("a")])),
    "BOM alone": (BOM, Outcome([])),
    "BOM before a blank line": (BOM + b"\ndata: a\n\n", Outcome([ev("a")])),
    "second BOM starts an unknown field": (
        BOM + BOM + b"data: a\n\ndata: b\n\n",
        Outcome([ev("b")], foreign="\ufeffdata: a"),
    ),
    "BOM later starts an unknown field": (
        b"data: a\n\n" + BOM + b"data: b\n\ndata: c\n\n",
        Outcome([ev("a"), ev("c")], foreign="\ufeffdata: b"),
    ),
    "half a BOM starts an unknown field": (
        b"\xef\xbbdata: a\n\ndata: b\n\n",
        Outcome([ev("b")], foreign="\ufffddata: a"),
    ),
    "half a BOM alone": (b"\xef\xbb", Outcome([], foreign="\ufffd")),
    "BOM inside data kept": (b"data: " + BOM + b"a\n\n", Outcome([ev("\ufeffa")])),
    "no space after the colon": (b"data:a\n\n", Outcome([ev("a")])),
    "one space only": (b"data:  a\n\n", Outcome([ev(" a")])),
    "no right strip": (b"data: a \t \n\nevent: x \ndata:b\n\n", Outcome([ev("a \t "), ev("b", "x ")])),
    "tab not stripped": (b"data:\ta\n\n", Outcome([ev("\ta")])),
    "no-break space not stripped": ("data:\u00a0a\n\n".encode(), Outcome([ev("\u00a0a")])),
    "colons in the value": (b"data: a: b:c\n\ndata::\n\n", Outcome([ev("a: b:c"), ev(":")])),
    "data alone": (b"data\n\n", Outcome([ev("")])),
    "data twice": (b"data\ndata\n\n", Outcome([ev("\n")])),
    "data with colon only": (b"data:\n\ndata: \n\n", Outcome([ev(""), ev("")])),
    "data then text": (b"data\ndata: a\n\n", Outcome([ev("\na")])),
    "space before the field name": (b" data: a\n\ndata: b\n\n", Outcome([ev("b")], foreign=" data: a")),
    "space before the colon": (b"data : a\n\ndata: b\n\n", Outcome([ev("b")], foreign="data : a")),
    "names are case sensitive": (b"Data: a\nDATA: b\n\n", Outcome([], foreign="Data: a\nDATA: b")),
    "longer names are unknown": (
        b"database: a\nidx: 1\nretrying: 2\nevents: x\ndata: b\n\n",
        Outcome([ev("b")], foreign="database: a\nidx: 1\nretrying: 2\nevents: x"),
    ),
    "event type": (b"event: x\ndata: a\n\n", Outcome([ev("a", "x")])),
    "event type after data": (b"data: a\nevent: x\n\n", Outcome([ev("a", "x")])),
    "last event type wins": (b"event: x\nevent: y\ndata: a\n\n", Outcome([ev("a", "y")])),
    "empty event type": (b"event: x\nevent\ndata: a\n\nevent:\ndata: b\n\n", Outcome([ev("a"), ev("b")])),
    "event type lasts one block": (b"event: x\ndata: a\n\ndata: b\n\n", Outcome([ev("a", "x"), ev("b")])),
    "event type reset by a block without data": (b"event: x\n\ndata: a\n\n", Outcome([ev("a")])),
    "blank lines": (b"\n\n\ndata: a\n\n\n\ndata: b\n\n\n", Outcome([ev("a"), ev("b")])),
    "id": (b"id: 1\ndata: a\n\n", Outcome([ev("a", id="1")], "1")),
    "id persists": (
        b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n",
        Outcome([ev("a", id="1"), ev("b", id="1"), ev("c", id="2")], "2"),
    ),
    "id after data": (b"data: a\nid: 1\n\n", Outcome([ev("a", id="1")], "1")),
    "id of a block without data": (b"id: 1\n\ndata: a\n\n", Outcome([ev("a", id="1")], "1")),
    "id of a block without data at the end": (b"data: a\n\nid: 1\n\n", Outcome([ev("a")], "1")),
    "id reset by an empty one": (
        b"id: 1\ndata: a\n\nid\ndata: b\n\nid: 2\n\nid:\ndata: c\n\n",
        Outcome([ev("a", id="1"), ev("b"), ev("c")]),
    ),
    "id with NUL ignored": (
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid: \0\n\nid: 3\nid: \0003\ndata: c\n\n",
        Outcome([ev("a", id="1"), ev("b", id="1"), ev("c", id="3")], "3"),
    ),
    "id keeps its spaces": (b"id:  1 \ndata: a\n\n", Outcome([ev("a", id=" 1 ")], " 1 ")),
    "retry": (b"retry: 3000\n\n", Outcome([], retry_ms=3000)),
    "retry without a blank line": (b"retry: 10\n", Outcome([], retry_ms=10)),
    "retry in an unfinished line": (b"retry: 10", Outcome([])),
    "last retry wins": (b"retry: 1\nretry: 2\ndata: a\n\n", Outcome([ev("a")], retry_ms=2)),
    "retry zero": (b"retry: 1\nretry: 0\n\n", Outcome([], retry_ms=0)),
    "retry with leading zeros": (b"retry: " + b"0" * 5000 + b"7\n\n", Outcome([], retry_ms=7)),
    "retry that is no number": (
        b"retry: 5\nretry: 1x\nretry: -1\nretry: +1\nretry: 1.5\nretry: 1_0\n"
        + b"retry:  1\nretry: 1 \nretry:\nretry\n"
        + "retry: \u0661\u0662\nretry: \u00b2\nretry: \uff11\n\n".encode(),
        Outcome([], retry_ms=5),
    ),
    "retry of 5000 digits": (b"retry: 5\nretry: " + b"9" * 5000 + b"\n\n", Outcome([], retry_ms=5)),
    "comments": (
        b": hi\n:\n::\n:data: a\ndata: b\n: mid\ndata: c\n\n: end\n",
        Outcome([ev("b\nc")], comments=6),
    ),
    "comments with NUL and mixed line ends": (
        b"data:1\r:\0\n:\r\ndata:2\n:" + b"x" * 99 + b"\rdata:3\n:data:4\rdata:5\n\n",
        Outcome([ev("1\n2\n3\n5")], comments=4),
    ),
    "keep-alives between events": (
        b": OPENROUTER PROCESSING\n\ndata: a\n\n: keep-alive\n\n: keep-alive\n\ndata: b\n\n",
        Outcome([ev("a"), ev("b")], comments=3),
    ),
    "unfinished comment": (b"data: a\n\n: half", Outcome([ev("a")])),
    "unfinished block": (b"data: a\n\ndata: b\n", Outcome([ev("a")], pending_data="b")),
    "unfinished block of several lines": (b"data: a\ndata: b\nevent: x\n", Outcome([], pending_data="a\nb")),
    "unfinished data line": (b"data: a\ndata: b", Outcome([], pending_data="a\nb")),
    "unfinished first data line": (b"data: b", Outcome([], pending_data="b")),
    "unfinished data line without a space": (b"data:  b ", Outcome([], pending_data=" b ")),
    "unfinished empty data line": (b"data: a\ndata:", Outcome([], pending_data="a\n")),
    "unfinished field name": (b"data: a\ndat", Outcome([], pending_data="a", foreign="dat")),
    "unfinished data without colon": (b"data: a\ndata", Outcome([], pending_data="a")),
    "unfinished other line": (b"data: a\nevent: x", Outcome([], pending_data="a")),
    "unfinished multi-byte character": (b"data: \xe6\xbc", Outcome([], pending_data="\ufffd")),
    "unfinished block closed by CR only": (b"data: a\r", Outcome([], pending_data="a")),
    "id of an unfinished block discarded": (
        b"id: 1\ndata: a\n\nid: 2\ndata: b\n",
        Outcome([ev("a", id="1")], "1", pending_data="b"),
    ),
    "id of an unfinished block without data discarded": (
        b"data: a\n\nid: 2\n",
        Outcome([ev("a")]),
    ),
    "JSON error body": (
        b'{"error": {"message": "no credit"}}',
        Outcome([], foreign='{"error": {"message": "no credit"}}'),
    ),
    "JSON error body over several lines": (
        b'[{\r\n  "error": {\r\n\r\n    "code": 429\r\n  }\r\n}]\r\n',
        Outcome([], foreign='[{\n  "error": {\n    "code": 429\n  }\n}]'),
    ),
    "JSON error body after events": (
        b'data: a\n\n{"error": 1}\n',
        Outcome([ev("a")], foreign='{"error": 1}'),
    ),
    "HTML body": (b"<html>\n<p>502</p>\n</html>", Outcome([], foreign="<html>\n<p>502</p>\n</html>")),
    "unknown field inside a block": (
        b"data: a\nfoo: 1\nbar\ndata: b\n\n",
        Outcome([ev("a\nb")], foreign="foo: 1\nbar"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_stream_gives_the_same_outcome_for_every_cut(name: str) -> None:
    data, expected = CASES[name]
    for how, feeds in cuts(data):
        assert outcome(feeds) == expected, how


def test_attributes_at_first() -> None:
    assert outcome([]) == Outcome([])
    assert SseEvent() == ev("")


def test_event_is_frozen() -> None:
    with pytest.raises(AttributeError):
        ev("a").data = "b"  # type: ignore[misc]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\r", b"\r\n\r", b"\n\r", b"\r\r\n", b"\r\n\r\n"])
def test_event_is_delivered_by_the_feed_that_ends_it(end: bytes) -> None:
    decoder = SseDecoder()
    for text in ("a", "b", "c"):
        assert decoder.feed(b"data: " + text.encode() + end) == [ev(text)]
    assert decoder.finish() == []


def test_finish_twice_changes_nothing() -> None:
    decoder = SseDecoder()
    decoder.feed(b'data: a\n{"error": 1}')
    for _ in range(2):
        assert decoder.finish() == []
        assert (decoder.pending_data, decoder.foreign) == ("a", '{"error": 1}')


def test_pending_data_is_readable_before_the_end() -> None:
    decoder = SseDecoder()
    seen: list[str] = []
    for byte in b"data: ab\ndata:c\n\n":
        decoder.feed(bytes([byte]))
        seen.append(decoder.pending_data)
    assert seen == [
        "",
        "",
        "",
        "",
        "",
        "",
        "a",
        "ab",
        "ab",
        "ab",
        "ab",
        "ab",
        "ab",
        "ab\n",
        "ab\nc",
        "ab\nc",
        "",
    ]


@pytest.mark.parametrize("size", [1, 7, 1000, FOREIGN_LIMIT - 1, FOREIGN_LIMIT, FOREIGN_LIMIT + 1, 1 << 20])
def test_foreign_keeps_the_first_64_kib(size: int) -> None:
    lines = [(b"%d" % (i % 10)) * size for i in range(2 * FOREIGN_LIMIT // size + 2)]
    expected = b"\n".join(lines)[:FOREIGN_LIMIT].decode()
    body = b"\n".join(lines)
    assert outcome([body]).foreign == expected
    assert outcome([body + b"\n"]).foreign == expected
    assert outcome(body[i : i + 997] for i in range(0, len(body), 997)).foreign == expected


def outcome_within(limit: int, feeds: Iterable[bytes]) -> tuple[list[SseEvent], bool, str, str]:
    decoder = SseDecoder(limit=limit)
    events: list[SseEvent] = []
    too_large = False
    for data in feeds:
        try:
            events += decoder.feed(data)
        except EventTooLarge as error:
            events += error.events
            too_large = True
    events += decoder.finish()
    return events, too_large, decoder.pending_data, decoder.foreign


LIMIT = 20

LIMIT_CASES: dict[str, tuple[bytes, list[SseEvent], bool]] = {
    "line at the limit": (b"data: " + b"x" * 14 + b"\n\ndata: a\n\n", [ev("x" * 14), ev("a")], False),
    "line over the limit": (b"data: " + b"x" * 15 + b"\n\ndata: a\n\n", [], True),
    "second event at the limit": (b"data: a\n\ndata: " + b"x" * 14 + b"\n\n", [ev("a"), ev("x" * 14)], False),
    "second event over the limit": (b"data: a\n\ndata: " + b"x" * 15 + b"\n\n", [ev("a")], True),
    "lines at the limit": (b"data:abcd\n" * 3 + b"data:\n\n", [ev("abcd\nabcd\nabcd\n")], False),
    "lines over the limit": (b"data:abcd\n" * 3 + b"data:x\n\n", [], True),
    "lines and an unfinished line at the limit": (b"data:abcd\n" * 3 + b"data:", [], False),
    "lines and an unfinished line over the limit": (b"data:abcd\n" * 3 + b"data:x", [], True),
    "line ends count": (b"data\n" * 17 + b"\n", [ev("\n" * 16)], False),
    "too many line ends": (b"data\n" * 18 + b"\n", [], True),
    "limit is per event": (b"data: 0123456789\n\n" * 9, [ev("0123456789")] * 9, False),
    "unfinished line at the limit": (b"data: a\n\ndata: " + b"x" * 14, [ev("a")], False),
    "unfinished line over the limit": (b"data: a\n\ndata: " + b"x" * 15, [ev("a")], True),
    "long comment": (b"data: a\n\n:" + b"x" * 20 + b"\n\ndata: b\n\n", [ev("a")], True),
    "long unknown line": (b"data: a\n\n" + b"x" * 21, [ev("a")], True),
    "many short comments": (b": 0123456789\n" * 9 + b"data: a\n\n", [ev("a")], False),
    "comments inside a block do not add up": (b"data: 0\n" + b": 0123456789\n" * 9 + b"\n", [ev("0")], False),
    "CRLF": (b"data: a\r\n\r\ndata: " + b"x" * 14 + b"\r\n\r\n", [ev("a"), ev("x" * 14)], False),
    "CRLF over the limit": (b"data: a\r\n\r\ndata: " + b"x" * 15 + b"\r\n\r\n", [ev("a")], True),
    "BOM does not count": (BOM + b"data: " + b"x" * 14 + b"\n\n", [ev("x" * 14)], False),
}


@pytest.mark.parametrize("name", LIMIT_CASES)
def test_limit_is_the_same_for_every_cut(name: str) -> None:
    data, events, too_large = LIMIT_CASES[name]
    whole = outcome_within(LIMIT, [data])
    assert whole[:2] == (events, too_large)
    if too_large:
        assert whole[2:] == ("", "")
    for how, feeds in cuts(data):
        assert outcome_within(LIMIT, feeds) == whole, how


def test_too_large_names_the_limit_and_carries_the_events_before_it() -> None:
    decoder = SseDecoder(limit=100_000)
    with pytest.raises(EventTooLarge, match="100,000 bytes") as caught:
        decoder.feed(b"id: 7\ndata: a\n\ndata: b\n\ndata: " + b"x" * 100_000 + b"\n\ndata: c\n\n")
    assert caught.value.limit == 100_000
    assert caught.value.events == [ev("a", id="7"), ev("b", id="7")]
    assert (decoder.last_event_id, decoder.pending_data) == ("7", "")


@pytest.mark.parametrize("later", [b"", b"\n", b"data: a\n\n", b"\r\n\r\n", b"x"])
def test_every_feed_after_too_large_raises(later: bytes) -> None:
    decoder = SseDecoder(limit=10)
    with pytest.raises(EventTooLarge):
        decoder.feed(b"data: a\n\ndata: 0123456789\n\n")
    for _ in range(2):
        with pytest.raises(EventTooLarge) as caught:
            decoder.feed(later)
        assert caught.value.events == []
    assert decoder.finish() == []


@pytest.mark.parametrize("endless", [b"x" * 1000, b"data:" + b"y" * 994 + b"\n", b":" * 1000])
def test_endless_event_is_caught_within_one_feed_of_the_limit(endless: bytes) -> None:
    decoder = SseDecoder(limit=50 * 1000)
    for _ in range(50):
        assert decoder.feed(endless) == []
    with pytest.raises(EventTooLarge):
        decoder.feed(endless)


def test_default_limit_is_16_mib() -> None:
    assert DEFAULT_LIMIT == 16 * 1024 * 1024
    text = b"x" * (DEFAULT_LIMIT - len(b"data: "))
    assert len(SseDecoder().feed(b"data: " + text + b"\n\n")[0].data) == len(text)
    with pytest.raises(EventTooLarge, match="16,777,216"):
        SseDecoder().feed(b"data: " + text + b"x\n\n")


def cpu_seconds(data: bytes, size: int) -> float:
    feeds = [data[i : i + size] for i in range(0, len(data), size)]
    start = time.process_time()
    outcome(feeds)
    return time.process_time() - start


SHAPES: dict[str, tuple[bytes, bytes, bytes]] = {
    "one data line": (b"data: ", b"x" * 64, b"\n\n"),
    "many data lines": (b"", b"data: 0123456789\n", b"\n"),
    "one comment": (b":", b"x" * 64, b"\n\n"),
    "one unknown line": (b"{", b"x" * 64, b"\n\n"),
    "unknown lines": (b"", b"{0123456789}\n", b"\n"),
    "line never ended": (b"data: ", b"x" * 64, b""),
    "plain events": (b"", b"data: 0123456789\n\n", b""),
    "named events": (b"", b"event: a\ndata: 0123456789\n\n", b""),
    "CRLF events": (b"", b"data: 0123456789\r\n\r\n", b""),
    "blank lines": (b"", b"\n" * 16, b""),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [64, 1 << 30], ids=["small feeds", "one feed"])
def test_time_is_linear(name: str, size: int) -> None:
    """Sixteen times the bytes: 16 times the CPU when linear, 256 times when each feed copies what is held."""
    head, unit, tail = SHAPES[name]
    count = 64 * 1024 // len(unit)
    small = head + unit * count + tail
    large = head + unit * (16 * count) + tail
    assert any(cpu_seconds(large, size) < 64 * max(cpu_seconds(small, size), 0.0005) for _ in range(4))
