"""Recordings: what was asked and what the servers answered, piece by piece and with the times, as JSON lines.

docs/recording.md describes the format. Writing: values of `Line` -> `encode`. Reading: `read` -> a Recording, whose
exchanges stand under the question that caused them. Keys are kept out before a line is made, see `wire.blot`.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Struct, field

from tui_chat.domain.ask import Continuation, Message, Settings
from tui_chat.domain.endpoint import RetryPolicy, Timeouts
from tui_chat.domain.failure import Failure, RecordingError
from tui_chat.domain.words import say

FORMAT = "tui-chat-recording"
VERSION = 1

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
How = Literal["whole", "closed", "broken"]
Number = Annotated[int, msgspec.Meta(ge=1)]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: str = FORMAT
    version: int = VERSION
    at: datetime
    """When the recording began."""
    program: str


class _Line(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True):
    pass


class RecordedSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """domain.ask.Settings without the extra body, which stands in the requests."""

    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> RecordedSettings:
        return cls(*(getattr(settings, name) for name in cls.__struct_fields__))

    @property
    def settings(self) -> Settings:
        return Settings(**msgspec.structs.asdict(self))


class AskLine(_Line, frozen=True, tag="ask", omit_defaults=False):
    """A question begins; the requests after this line are its own, up to the next question."""

    ask: Number
    at: Seconds
    """Since the recording began."""
    endpoint: str
    dialect: str
    base_url: str
    model: str
    messages: Annotated[tuple[Message, ...], msgspec.Meta(min_length=1)]
    settings: RecordedSettings = RecordedSettings()
    stream: bool = True
    continuation: Continuation | None = None
    """Set when the rest of an answer was asked for."""
    refused: tuple[str, ...] = ()
    """Request parameters, and ways of going on, that the endpoint was known to refuse."""
    timeouts: Timeouts = Timeouts()
    retry: RetryPolicy = RetryPolicy()


class RequestLine(_Line, frozen=True, tag="request"):
    exchange: Number
    at: Seconds
    """Since the recording began."""
    endpoint: str
    dialect: str
    method: str
    url: str
    headers: dict[str, str]
    """`…` stands for the value of a secret one."""
    body: str = ""


class AnswerLine(_Line, frozen=True, tag="answer"):
    """The headers of an answer are here."""

    exchange: Number
    at: Seconds
    """Since the request, as in the lines that follow."""
    status: int
    headers: dict[str, str]
    connect_s: Seconds | None = None
    via: str | None = None


class ChunkLine(_Line, frozen=True, tag="chunk"):
    """A piece of the body, as `data` where it is UTF-8 on its own, else as `base64`."""

    exchange: Number
    at: Seconds
    data: str | None = None
    base64: str | None = None

    @classmethod
    def of(cls, exchange: int, at: float, piece: bytes) -> ChunkLine:
        try:
            return cls(exchange, at, piece.decode())
        except UnicodeDecodeError:
            return cls(exchange, at, base64=base64.b64encode(piece).decode())

    @property
    def piece(self) -> bytes:
        """The bytes; raises ValueError when there are none to be had."""
        if self.data is not None:
            return self.data.encode()
        if self.base64 is None:
            raise ValueError("data")
        return base64.b64decode(self.base64, validate=True)


class EndLine(_Line, frozen=True, tag="end"):
    """An exchange is over."""

    exchange: Number
    at: Seconds
    how: How
    """The body came to its end; the client left off reading; `failure` put an end to it."""
    failure: Failure | None = None


class ChanceLine(_Line, frozen=True, tag="chance"):
    """A random number that the client drew, so that it waits as long again."""

    value: Share


class EndedLine(_Line, frozen=True, tag="ended"):
    """How the reply to a question ended."""

    ask: Number
    at: Seconds
    """Since the question."""
    state: Literal["completed", "cancelled", "failed"]
    failure: Failure | None = None


Line = AskLine | RequestLine | AnswerLine | ChunkLine | EndLine | ChanceLine | EndedLine


class Exchange(Struct, frozen=True):
    """One request with what came of it; `end` is None when the recording stops before."""

    request: RequestLine
    answer: AnswerLine | None = None
    chunks: tuple[tuple[float, bytes], ...] = ()
    """(seconds since the request, bytes)"""
    end: EndLine | None = None


class Question(Struct, frozen=True):
    asked: AskLine
    exchanges: tuple[Exchange, ...]
    chances: tuple[float, ...]
    ended: EndedLine | None = None

    @property
    def text(self) -> str:
        return self.asked.messages[-1].text


class Recording(Struct, frozen=True):
    name: str
    at: float
    """Epoch seconds of its beginning."""
    program: str
    questions: tuple[Question, ...]
    others: int
    """Requests that stand before the first question, such as those for model lists."""
    note: str
    """What is missing at its end; empty when nothing is."""


def header(epoch: float, program: str) -> Header:
    return Header(at=datetime.fromtimestamp(epoch, UTC), program=program)


def encode(line: Header | Line) -> bytes:
    """The line with its line end."""
    return _encoder.encode(line) + b"\n"


def read(data: bytes, name: str) -> Recording:
    """The recording in a file of this name.

    Raises RecordingError naming the file, the line and the remedy. A last line without its line end may be half of
    one: it is left out, and `note` says so.
    """
    first, *rest = data.split(b"\n")
    head = _header(first, name)
    reader = _Reader(name)
    for number, line in enumerate(rest, 2):
        if line.strip():
            reader.take(number, line, last=number == len(rest) + 1)
    return reader.recording(head)


_encoder = msgspec.json.Encoder()
_marks = msgspec.json.Decoder(dict[str, Any])
_headers = msgspec.json.Decoder(Header)
_lines = msgspec.json.Decoder(Line)

_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _header(line: bytes, name: str) -> Header:
    if not line.strip():
        raise RecordingError(say("recording.empty", file=name))
    try:
        mark = _marks.decode(line)
    except _BAD:
        mark = {}
    if mark.get("format") != FORMAT:
        raise RecordingError(say("recording.foreign", file=name, format=FORMAT))
    version = mark.get("version")
    if isinstance(version, int) and version > VERSION:
        raise RecordingError(say("recording.newer", file=name, version=version, known=VERSION))
    try:
        return _headers.decode(line)
    except _BAD as error:
        raise _damaged(name, 1, error) from None


class _Open(Struct):
    """An exchange as far as it has been read."""

    request: RequestLine
    answer: AnswerLine | None = None
    chunks: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    end: EndLine | None = None

    def closed(self) -> Exchange:
        return Exchange(self.request, self.answer, tuple(self.chunks), self.end)


class _Section(Struct):
    """A question with the lines that follow it; without one, what stands before the first."""

    asked: AskLine | None = None
    exchanges: list[_Open] = field(default_factory=list[_Open])
    chances: list[float] = field(default_factory=list[float])
    ended: EndedLine | None = None


class _Reader:
    """Puts lines together; every line has to have its place."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sections = [_Section()]
        self._exchanges: dict[int, _Open] = {}
        self._asks: dict[int, _Section] = {}
        self._cut = 0
        """Number of a last line that was left out."""
        self._last = 1

    def take(self, number: int, line: bytes, *, last: bool) -> None:
        try:
            decoded = _lines.decode(line)
            placed = self._place(decoded)
        except (*_BAD, binascii.Error, ValueError) as error:
            if not last:
                raise _damaged(self._name, number, error) from None
            self._cut = number
            return
        if not placed:
            raise RecordingError(say("recording.place", file=self._name, line=number, kind=_kind(decoded)))
        self._last = number

    def recording(self, head: Header) -> Recording:
        questions = [
            Question(s.asked, tuple(e.closed() for e in s.exchanges), tuple(s.chances), s.ended)
            for s in self._sections
            if s.asked is not None
        ]
        others = len(self._sections[0].exchanges)
        return Recording(self._name, head.at.timestamp(), head.program, tuple(questions), others, self._note())

    def _note(self) -> str:
        if self._cut:
            return say("recording.cut", file=self._name, line=self._cut)
        if any(exchange.end is None for exchange in self._exchanges.values()):
            return say("recording.unfinished", file=self._name, line=self._last)
        return ""

    def _place(self, line: Line) -> bool:
        """Put a line where it belongs; False when there is no such place."""
        match line:
            case AskLine():
                if line.ask in self._asks:
                    return False
                self._asks[line.ask] = _Section(line)
                self._sections.append(self._asks[line.ask])
            case EndedLine():
                section = self._asks.get(line.ask)
                if section is None or section.ended is not None:
                    return False
                section.ended = line
            case ChanceLine():
                self._sections[-1].chances.append(line.value)
            case RequestLine():
                if line.exchange in self._exchanges:
                    return False
                self._exchanges[line.exchange] = _Open(line)
                self._sections[-1].exchanges.append(self._exchanges[line.exchange])
            case AnswerLine() | ChunkLine() | EndLine():
                exchange = self._exchanges.get(line.exchange)
                return exchange is not None and _go_on(exchange, line)
        return True


def _go_on(exchange: _Open, line: AnswerLine | ChunkLine | EndLine) -> bool:
    if exchange.end is not None:
        return False
    match line:
        case AnswerLine() if exchange.answer is None:
            exchange.answer = line
        case ChunkLine() if exchange.answer is not None:
            exchange.chunks.append((line.at, line.piece))
        case EndLine():
            exchange.end = line
        case _:
            return False
    return True


def _kind(line: Line) -> str:
    return str(line.__struct_config__.tag)


def _damaged(name: str, line: int, error: Exception) -> RecordingError:
    return RecordingError(say("recording.damaged", file=name, line=line, fault=error))
