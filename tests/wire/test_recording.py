"""The file format: what is written is read again, and what is no recording is turned down with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.building import builds
from tui_chat.domain.ask import Continuation, Message, Place, Settings, Way
from tui_chat.domain.endpoint import RetryPolicy, Timeouts
from tui_chat.domain.failure import Failure, Kind, RecordingError, TuiChatError
from tui_chat.wire.recording import (
    AnswerLine,
    AskLine,
    ChanceLine,
    ChunkLine,
    EndedLine,
    EndLine,
    Line,
    RecordedSettings,
    Recording,
    RequestLine,
    encode,
    header,
    read,
)

NAME = "some.rec"
HEADER = encode(header(1_700_000_000.25, "1.2.3"))
seconds = st.floats(0, 1e6).map(lambda s: round(s, 6))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
messages = st.lists(builds(Message, st.sampled_from(["user", "assistant"]), text), min_size=1, max_size=3).map(tuple)
failures = builds(
    Failure,
    st.sampled_from(Kind),
    text,
    text,
    st.none() | st.integers(100, 599),
    st.booleans(),
    st.none() | seconds,
    st.none() | text,
)
wire_headers = st.dictionaries(text, text, max_size=3)
some_settings = builds(
    Settings,
    st.none() | text,
    st.none() | st.floats(0, 2),
    st.none() | st.floats(0, 1),
    st.none() | st.integers(1, 10**6),
    st.none() | st.integers(),
    st.lists(text, max_size=2).map(tuple),
    st.none() | text,
)
continuations = builds(
    Continuation, text, text, st.none() | builds(Place, text, st.integers(0, 99)), st.none() | st.sampled_from(Way)
)
asks = builds(
    AskLine,
    ask=st.just(1),
    at=seconds,
    endpoint=text,
    dialect=text,
    base_url=text,
    model=text,
    messages=messages,
    settings=some_settings.map(RecordedSettings.of),
    stream=st.booleans(),
    continuation=st.none() | continuations,
    refused=st.lists(text, max_size=2).map(tuple),
    timeouts=builds(Timeouts, seconds, seconds, seconds, seconds),
    retry=builds(RetryPolicy, st.integers(1, 9), seconds, seconds),
)
requests = builds(RequestLine, st.just(1), seconds, text, text, text, text, wire_headers, text)
answers = builds(
    AnswerLine, st.just(1), seconds, st.integers(100, 599), wire_headers, st.none() | seconds, st.none() | text
)
pieces = st.lists(st.tuples(seconds, st.binary(max_size=40)), max_size=5)
ends = builds(EndLine, st.just(1), seconds, st.sampled_from(["whole", "closed", "broken"]), st.none() | failures)
ended = builds(
    EndedLine, st.just(1), seconds, st.sampled_from(["completed", "cancelled", "failed"]), st.none() | failures
)


def lines_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def written(*lines: Line) -> bytes:
    return HEADER + b"".join(map(encode, lines))


ASK = AskLine(1, 0.5, "work", "openai-chat", "https://h/v1", "m", (Message("user", "hi"),))
REQUEST = RequestLine(1, 0.5, "work", "openai-chat", "POST", "https://h/v1/chat", {"Authorization": "…"}, "{}")
ANSWER = AnswerLine(1, 0.25, 200, {"content-type": "text/event-stream"}, 0.125)
CHUNK = ChunkLine.of(1, 0.5, b"data: x\n\n")
END = EndLine(1, 1.0, "whole")
ENDED = EndedLine(1, 1.0, "completed")
WHOLE = (ASK, REQUEST, ANSWER, CHUNK, END, ENDED)


@given(asks, requests, answers, pieces, ends, ended, st.floats(0, 1, exclude_max=True))
def test_what_is_written_is_read_again(
    asked: AskLine,
    request: RequestLine,
    answer: AnswerLine,
    body: list[tuple[float, bytes]],
    end: EndLine,
    outcome: EndedLine,
    chance: float,
) -> None:
    chunks = [ChunkLine.of(1, at, piece) for at, piece in body]
    data = written(asked, request, answer, *chunks, end, ChanceLine(chance), outcome)
    recording = read(data, NAME)
    (question,) = recording.questions
    (exchange,) = question.exchanges
    assert (recording.at, recording.program, recording.others, recording.note) == (1_700_000_000.25, "1.2.3", 0, "")
    assert (question.asked, question.ended, question.chances) == (asked, outcome, (chance,))
    assert (exchange.request, exchange.answer, exchange.end) == (request, answer, end)
    assert list(exchange.chunks) == body


@given(some_settings)
def test_settings_come_back_as_they_were(given: Settings) -> None:
    assert RecordedSettings.of(given).settings == given


@settings(max_examples=30)
@given(st.data())
def test_a_recording_cut_anywhere_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    whole = written(*WHOLE)
    at = data.draw(st.integers(len(HEADER), len(whole)))
    recording = read(whole[:at], NAME)
    lines = whole[:at].count(b"\n") - 1
    tail = whole[:at].rpartition(b"\n")[2]
    complete = bool(tail) and whole[at : at + 1] == b"\n"
    assert len(recording.questions) == min(1, lines + complete)
    if tail and not complete:
        assert f"line {lines + 2};" in recording.note
    elif 2 <= lines + complete < 5:
        assert f"after line {lines + 1 + complete}," in recording.note
    else:
        assert recording.note == ""


def test_exchanges_may_overlap() -> None:
    other = RequestLine(2, 0.5, "work", "openai-chat", "GET", "https://h/v1/models", {})
    data = written(ASK, REQUEST, other, ANSWER, AnswerLine(2, 0.1, 404, {}), CHUNK, ChunkLine.of(2, 0.2, b"y"))
    first, second = read(data, NAME).questions[0].exchanges
    assert [piece for _, piece in first.chunks] == [b"data: x\n\n"]
    assert [piece for _, piece in second.chunks] == [b"y"]


def test_what_stands_before_the_first_question_belongs_to_none() -> None:
    recording = read(written(REQUEST, ANSWER, END), NAME)
    assert (recording.questions, recording.others) == ((), 1)


def test_each_question_has_the_lines_that_follow_it() -> None:
    again = [AskLine(2, 9.0, *ASK_REST), RequestLine(2, 9.0, *REQUEST_REST), ChanceLine(0.5)]
    first, second = read(written(*WHOLE[:5], *again, ENDED), NAME).questions
    assert [len(q.exchanges) for q in (first, second)] == [1, 1]
    assert (first.ended, second.ended, second.chances) == (ENDED, None, (0.5,))


ASK_REST = ("work", "openai-chat", "https://h/v1", "m", (Message("user", "again"),))
REQUEST_REST = ("work", "openai-chat", "POST", "https://h/v1/chat", {}, "{}")


def test_unknown_fields_and_empty_lines_are_passed_over() -> None:
    data = HEADER.replace(b"}", b',"later":1}') + b"\n" + encode(ASK).replace(b"}\n", b',"later":[1]}\r\n') + b"\n"
    assert read(data, NAME).questions[0].asked == ASK


@pytest.mark.parametrize("piece", [b"", b"text", "ümlaut \u2028 \0".encode(), b"\xff\xfe", "ü".encode()[:1]])
def test_a_piece_is_text_where_it_can_be(piece: bytes) -> None:
    line = ChunkLine.of(1, 0, piece)
    assert line.piece == piece
    assert (line.data is None) == (piece in (b"\xff\xfe", b"\xc3"))


def test_the_header_is_the_first_thing_in_the_file() -> None:
    assert HEADER.startswith(b'{"format":"tui-chat-recording","version":1,"at":"2023-11-14T22:13:20.25')
    assert lines_of(written(*WHOLE))[3] == {
        "kind": "answer",
        "exchange": 1,
        "at": 0.25,
        "status": 200,
        "headers": {"content-type": "text/event-stream"},
        "connect_s": 0.125,
    }


def changed(line: Line, **fields: Any) -> bytes:
    """The line with these fields; None takes one away."""
    table = {**json.loads(encode(line)), **fields}
    return json.dumps({k: v for k, v in table.items() if v is not None}).encode() + b"\n"


FOREIGN = "is no recording"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"hello\n", FOREIGN),
        (b"\x00\xff\xfe\x80", FOREIGN),
        (b"\x1f\x8b\x08\x00", FOREIGN),
        (b"{}\n", FOREIGN),
        (b"[1, 2]\n", FOREIGN),
        (b'{"format": "tui-chat", "version": 1}\n', FOREIGN),
        (b'{"id": "chatcmpl-1", "choices": []}\n', FOREIGN),
        (HEADER[:20], FOREIGN),
        (b"[" * 100_000, FOREIGN),
        (HEADER.replace(b'"version":1', b'"version":2'), "version 2"),
        (HEADER.replace(b'"version":1', b'"version":"one"'), "line 1"),
        (HEADER.replace(b"2023-11-14T", b"yesterday "), "line 1"),
        (b'{"format":"tui-chat-recording"}\n', "line 1"),
    ],
)
def test_what_is_no_recording_is_turned_down(data: bytes, said: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read(data, NAME)
    assert isinstance(caught.value, TuiChatError)
    assert NAME in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "number", "fault"),
    [
        ([b"half a li\n"], 2, "malformed"),
        ([b'{"kind":"ask","as\n', encode(ASK)], 2, "truncated"),
        ([b"\xff\xfe\n"], 2, ""),
        ([b"[" * 100_000 + b"\n"], 2, "object"),
        ([b"1\n"], 2, "object"),
        ([b"{}\n"], 2, "kind"),
        ([b'{"kind":"video"}\n'], 2, "video"),
        ([changed(ASK, model=None)], 2, "model"),
        ([changed(ASK, model=1)], 2, "$.model"),
        ([changed(ASK, messages=[])], 2, "$.messages"),
        ([changed(ASK, messages=[{"role": "tool", "text": "x"}])], 2, "role"),
        ([changed(ASK, at=-1)], 2, "$.at"),
        ([changed(ASK, at="now")], 2, "$.at"),
        ([changed(ASK, ask=0)], 2, "$.ask"),
        ([changed(ASK, timeouts={"idle": "x"})], 2, "idle"),
        ([encode(ASK), changed(REQUEST, headers=["a"])], 3, "headers"),
        ([encode(ASK), encode(REQUEST), changed(ANSWER, status="200")], 4, "status"),
        ([encode(REQUEST), encode(ANSWER), changed(CHUNK, data=None)], 4, "data"),
        ([encode(REQUEST), encode(ANSWER), changed(CHUNK, data=None, base64="?")], 4, ""),
        ([encode(REQUEST), changed(END, how="somehow")], 3, "how"),
        ([encode(REQUEST), changed(END, failure={"kind": "new", "message": ""})], 3, "kind"),
        ([b'{"kind":"chance","value":1.5}\n'], 2, "value"),
    ],
)
def test_a_damaged_line_is_named(lines: list[bytes], number: int, fault: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read(HEADER + b"".join(lines), NAME)
    assert f"{NAME}, line {number}: " in str(caught.value)
    assert fault in str(caught.value)
    assert "damaged" in str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        [ASK, ASK],
        [ENDED],
        [ASK, ENDED, ENDED],
        [REQUEST, REQUEST],
        [ANSWER],
        [CHUNK],
        [END],
        [REQUEST, CHUNK],
        [REQUEST, ANSWER, ANSWER],
        [REQUEST, END, ANSWER],
        [REQUEST, ANSWER, END, CHUNK],
        [REQUEST, END, END],
    ],
)
def test_a_line_without_its_place_is_named(lines: list[Line]) -> None:
    with pytest.raises(RecordingError, match=rf"{NAME}, line {len(lines) + 1}: a line “\w+” has no place here"):
        read(written(*lines), NAME)


def test_nothing_else_comes_out_of_damage() -> None:
    """Whatever is done to one byte, the file is read or turned down."""
    whole = written(*WHOLE)
    for place in range(len(whole)):
        for byte in (0x00, 0x22, 0x2C, 0x7B, 0xFF):
            try:
                assert isinstance(read(whole[:place] + bytes([byte]) + whole[place + 1 :], NAME), Recording)
            except RecordingError:
                pass
