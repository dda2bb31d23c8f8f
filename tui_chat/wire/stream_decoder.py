"""Bytes of an answer -> events, for every dialect over server-sent events.

A dialect brings a Reader, which turns the JSON of one event into StreamEvents. What is here is the same for all of
them: telling a stream from one JSON answer, events that are no JSON, errors that are no events, and the end.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from tui_chat.domain.events import Faulted, Skipped
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.errors import read_body, read_error, stream_failure
from tui_chat.wire.sse import DEFAULT_LIMIT, EventTooLarge, SseDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tui_chat.domain.ask import Place
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.sse import SseEvent

T = TypeVar("T")

MALFORMED_IN_A_ROW = 3
"""So many unreadable events on end mean that this is no such stream."""
SAMPLE = 200
"""Characters of a malformed event that are kept to be looked at."""
EARLY_ERROR = 64 * 1024
"""An error that is no event is looked for in so many characters, while the line is still open."""


class Reader(ABC):
    """What one dialect makes of the events of one answer; it keeps what spans them."""

    no_answer = "fail.no_message"
    """Words for JSON that is neither an answer nor an error."""
    error_statuses: Mapping[str, int] = {}
    """The HTTP statuses that a dialect's names of errors stand for, where an error came under 200."""
    early_errors = False
    """True where errors come as plain JSON between the events, and the line may then stay open."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.stopped = False
        """A finish reason came."""
        self.over = False
        """The end mark came, or a Faulted was told: nothing follows."""
        self.place: Place | None = None

    @abstractmethod
    def read(self, data: str, out: list[StreamEvent]) -> None:
        """The data of one event; raises ValueError or RecursionError, and adds nothing, when it cannot be read."""

    @abstractmethod
    def read_whole(self, data: str, out: list[StreamEvent]) -> bool:
        """One JSON answer to its end; False when it is some other JSON. Raises as `read` does."""

    def finish(self) -> list[StreamEvent]:
        """What was held back because it might have become something else."""
        return []

    def error(self, data: str) -> Failure:
        """What an error says that came in place of an answer's event."""
        error = read_body(data)
        named = next((self.error_statuses[n] for n in error.code.split() if n in self.error_statuses), None)
        return stream_failure(self.endpoint, replace(error, status=error.status or named))

    def break_off(self, fault: Failure, out: list[StreamEvent]) -> None:
        out += self.finish()
        out.append(Faulted(fault))
        self.over = True


class AnswerDecoder:
    """Bytes of a successful answer -> events.

    The first character tells a stream from one JSON answer or a web page: content types are wrong too often.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._inner: StreamDecoder | WholeDecoder | None = None

    @property
    def done(self) -> bool:
        return self._inner is not None and self._inner.done

    @property
    def place(self) -> Place | None:
        return self._reader.place

    @property
    def comments(self) -> int:
        return self._inner.comments if isinstance(self._inner, StreamDecoder) else 0

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._inner is None:
            data = data.lstrip(b"\xef\xbb\xbf \t\r\n")
            if not data:
                return []
            whole = data.startswith((b"{", b"[", b"<"))
            self._inner = WholeDecoder(self._reader) if whole else StreamDecoder(self._reader)
        return self._inner.feed(data)

    def finish(self) -> list[StreamEvent]:
        return [] if self._inner is None else self._inner.finish()


class StreamDecoder:
    """Server-sent events of a streamed answer -> events; malformed JSON is skipped and counted.

    Nothing follows a Faulted: the decoder is done then.
    """

    def __init__(self, reader: Reader) -> None:
        self.done = False
        self._reader = reader
        self._sse = SseDecoder()
        self._events = 0
        self._malformed = 0
        self._foreign = ""

    @property
    def comments(self) -> int:
        return self._sse.comments

    def feed(self, data: bytes) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        # An error between two events must be seen between them, however the bytes are cut.
        for piece in data.splitlines(keepends=True) if self._reader.early_errors else (data,):
            if self.done:
                break
            self._feed(piece, out)
        return out

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if self.done:
            return out
        self._read_all(self._sse.finish(), out)
        self._read_pending(out)
        if not self.done:
            out += self._reader.finish()
            self._judge_foreign(out)
            self.done = True
        return out

    def _feed(self, data: bytes, out: list[StreamEvent]) -> None:
        overflow = False
        try:
            events = self._sse.feed(data)
        except EventTooLarge as error:
            events, overflow = error.events, True
        self._read_all(events, out)
        if overflow and not self.done:
            limit = DEFAULT_LIMIT // 1024**2
            self._break(failure(Kind.PROTOCOL, say("fail.event_too_large", limit=limit)), out)
        if self._reader.early_errors and not self.done:
            self._look_for_error(out)

    def _read_all(self, events: Sequence[SseEvent], out: list[StreamEvent]) -> None:
        for event in events:
            if self.done:
                break
            self._read(event, out)

    def _read(self, event: SseEvent, out: list[StreamEvent]) -> None:
        data = event.data.strip()
        if not data:
            return
        self._events += 1
        if event.event == "error":
            self._break(self._reader.error(data), out)
            return
        try:
            self._reader.read(data, out)
        except (ValueError, RecursionError) as error:
            self._skip(data, error, out)
            return
        self._malformed = 0
        self.done = self._reader.over

    def _skip(self, data: str, fault: Exception, out: list[StreamEvent]) -> None:
        self._malformed += 1
        out.append(Skipped(str(fault), data[:SAMPLE]))
        if self._malformed >= MALFORMED_IN_A_ROW and not self._reader.stopped:
            self._break(failure(Kind.PROTOCOL, say("fail.malformed", count=self._malformed)), out)

    def _read_pending(self, out: list[StreamEvent]) -> None:
        """A last event without its blank line counts when it is whole; half of one is the cut's, not malformed."""
        data = self._sse.pending_data.strip()
        if not data or self.done:
            return
        try:
            self._reader.read(data, out)
        except (ValueError, RecursionError):
            return
        self.done = self._reader.over

    def _break(self, fault: Failure, out: list[StreamEvent]) -> None:
        self._reader.break_off(fault, out)
        self.done = True

    def _look_for_error(self, out: list[StreamEvent]) -> None:
        foreign = self._sse.foreign
        if foreign == self._foreign or self._reader.stopped:
            return
        self._foreign = foreign
        if (text := _error_at(_ERROR.search(foreign), foreign)) is not None:
            self._break(self._reader.error(text), out)

    def _judge_foreign(self, out: list[StreamEvent]) -> None:
        """Lines that are no SSE: an error without `data:`, or the only thing that a proxy had to say."""
        foreign = self._sse.foreign.strip()
        if not foreign or self._reader.stopped:
            return
        named = foreign.startswith("error:")  # older llama.cpp
        text = foreign.removeprefix("error:").strip()
        if named or not self._events or text.startswith(("{", "[")):
            out.append(Faulted(self._reader.error(text)))


class WholeDecoder:
    """One JSON answer, as with `stream: false` or from a gateway that ignores streaming."""

    def __init__(self, reader: Reader) -> None:
        self.done = False
        self._reader = reader
        self._body = bytearray()

    def feed(self, data: bytes) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if self.done:
            return out
        self._body += data
        if self._reader.early_errors and (b"}" in data or b"]" in data):
            text = self._body[:EARLY_ERROR].decode("utf-8", "replace")
            if (error := _error_at(_ERROR.match(text), text)) is not None:
                self._reader.break_off(self._reader.error(error), out)
                self.done = True
        return out

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if self.done:
            return out
        self.done = True
        text = self._body.decode("utf-8", "replace").strip()
        if not text:
            return out
        try:
            answered = self._reader.read_whole(text, out)
        except (ValueError, RecursionError) as error:
            return [Faulted(self._no_answer(text, error))]
        if not answered and not self._reader.over:
            out.append(Faulted(self._no_answer(text, None)))
        return out

    def _no_answer(self, text: str, fault: Exception | None) -> Failure:
        error = read_body(text)
        if error.page:
            return stream_failure(self._reader.endpoint, error)
        if error.shaped:
            return self._reader.error(text)
        if (closing := {"{": "}", "[": "]"}.get(text[0])) and not text.endswith(closing):
            return failure(Kind.TRUNCATED, say("fail.truncated"))
        return failure(Kind.PROTOCOL, say(self._reader.no_answer) if fault is None else say("fail.json", fault=fault))


_ERROR = re.compile(r'^(\[\s*)?\{\s*"error"', re.MULTILINE)


def _error_at(begin: re.Match[str] | None, text: str) -> str | None:
    """The JSON text of the error that begins there, once it is complete."""
    if begin is None:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text, begin.start())
    except (ValueError, RecursionError):
        return None
    return text[begin.start() : end] if read_error(value) is not None else None


def loose_json(data: str) -> Any:
    """The value of what is not quite JSON: half surrogate pairs, NaN, raw control characters."""
    return json.loads(data, strict=False, parse_constant=lambda _: None)


def typed(data: str, decode: Callable[[str], T], kind: type[T]) -> T:
    """The typed value of JSON text, by a slower way where it is not quite JSON. Raises ValueError or RecursionError."""
    try:
        return decode(data)
    except msgspec.DecodeError:
        return msgspec.convert(loose_json(data), kind, strict=False)
