"""The dialect anthropic: POST /v1/messages, as Anthropic defines it and as some gateways speak it.

Source: the types of anthropic-sdk-python (events, usage, stop reasons, errors) and Anthropic's published API
documentation: prompt caching (at most four breakpoints), extended and adaptive thinking (`budget_tokens` until
Claude 4.6, `output_config.effort` from there on; the reasoning's display is omitted unless asked for), output
limits of the models, trailing assistant messages (refused from Claude 4.6 on; never with white space at their end).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from tui_chat.domain.ask import Way
from tui_chat.domain.endpoint import Secret
from tui_chat.domain.events import Skipped, Stopped, Text, Thinking, Usage
from tui_chat.domain.failure import Kind
from tui_chat.domain.words import say
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.counts import tokens
from tui_chat.wire.errors import http_failure, read_body
from tui_chat.wire.model_list import read_models
from tui_chat.wire.refusals import WORDS_READ, Parameter, refused_parameter
from tui_chat.wire.request import content, get, post, turns
from tui_chat.wire.resume import refused_way
from tui_chat.wire.stream_decoder import SAMPLE, AnswerDecoder, Reader, typed
from tui_chat.wire.surrogates import PairJoiner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask, Message, Settings
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.images import Image
    from tui_chat.wire.codec import Decoder, Refused, Request
    from tui_chat.wire.errors import ErrorBody

VERSION = "2023-06-01"
DONE = "[DONE]"
"""No mark of this dialect; gateways that translate from openai-chat let it through."""

OUTPUT_LIMITS = (
    ((3, 0), 4096),
    ((3, 5), 8192),
    ((4, 1), 32_000),
    ((99, 0), 64_000),
)
"""(newest version, tokens): the longest answers of Claude; max_tokens is required, and cuts every longer one."""
SMALL_OUTPUT = 8192
"""The longest answer that is asked of a model whose limit is not known."""

BUDGETS = {"minimal": 1024, "low": 4096, "medium": 12_288, "high": 24_576, "xhigh": 32_000, "max": 32_000}
LEAST_BUDGET = 1024
EFFORTS = {"minimal": "low"}
"""Names of reasoning_effort that the API calls otherwise."""
NO_THINKING = ("none", "off")
ADAPTIVE_SINCE = (4, 6)
LEAST_TOP_P = 0.95
"""What the API takes at least while the model thinks."""

STOP_REASONS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
"""Ours for theirs; what is not here keeps its name (refusal, pause_turn, model_context_window_exceeded)."""

EPHEMERAL = {"type": "ephemeral"}
CACHED_TURNS = 2

_VERSIONED = re.compile(r"/v\d+[a-z0-9]*$")
_CLAUDE = re.compile(r"claude(?:-[a-z]+)*-(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?", re.IGNORECASE)

PARAMETERS = (
    Parameter("cache_control", ("prompt caching",), unasked=True),
    Parameter("temperature"),
    Parameter("top_p"),
    Parameter("stop", ("stop_sequences",)),
    Parameter(
        "reasoning_effort",
        (
            *("thinking", "thinking.type", "thinking: extra", "adaptive thinking", "extended thinking"),
            *("output_config", "effort parameter"),
        ),
    ),
)
CONFLICTS = (
    (re.compile(r"temperature.{0,40} only be set to 1", re.IGNORECASE), "temperature"),
    (re.compile(r"temperature.{0,40}top_p.{0,40} cannot both|top_p.{0,80} unset when", re.IGNORECASE), "top_p"),
)
"""What an error says of a parameter that is refused beside another one."""


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation: Any = None
    """An object that says how long what was written is kept."""


class _Piece(msgspec.Struct):
    """A content block, or a delta of one or of the message."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    type: str | None = None
    content: list[_Piece] | None = None
    stop_reason: str | None = None
    usage: Any = None
    error: Any = None


class _Start(msgspec.Struct):
    usage: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Start | str | None = None
    """An object, but for errors that hold no `error`."""
    content_block: _Piece | None = None
    delta: _Piece | None = None
    usage: Any = None
    error: Any = None


_events = msgspec.json.Decoder(_Event, strict=False)
_messages = msgspec.json.Decoder(_Message, strict=False)


class Anthropic:
    """The codec of the dialect; it holds no state."""

    optional: tuple[str, ...] = (*(p.name for p in PARAMETERS), Way.TRAILING)

    def encode(self, ask: Ask, refused: Refused) -> Request:
        return post(ask, _url(ask.endpoint, "/messages"), _headers(ask.endpoint), _body(ask, refused))

    def ways(self, ask: Ask) -> tuple[Way, ...]:
        version = claude_version(ask.model)
        old = version is not None and version < ADAPTIVE_SINCE
        return (Way.TRAILING, Way.ASK) if old else (Way.ASK,)

    def decoder(self, endpoint: Endpoint, content_type: str) -> Decoder:
        return AnswerDecoder(EventReader(endpoint))

    def error(self, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        found = http_failure(endpoint, status, headers, body)
        turned_down = _turned_down(read_body(body)) if found.kind is Kind.BAD_REQUEST else None
        return replace(found, parameter=turned_down)

    def models_request(self, endpoint: Endpoint) -> Request:
        return get(endpoint, _url(endpoint, "/models?limit=1000"), _headers(endpoint))

    def models(self, body: bytes) -> list[ModelInfo]:
        return read_models(body)


class EventReader(Reader):
    """Events of a message, or one whole message, -> events."""

    error_statuses: Mapping[str, int] = {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "api_error": 500,
        "timeout_error": 504,
        "overloaded_error": 529,
    }

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._text = PairJoiner()
        self._thought = PairJoiner()
        self._counted = _Usage()

    def read(self, data: str, out: list[StreamEvent]) -> None:
        if data.startswith(DONE):
            self._end(out)
            return
        event = typed(data, _events.decode, _Event)
        match event.type:
            case "content_block_delta":
                self._read_piece(event.delta, out)
            case "content_block_start":
                self._read_piece(event.content_block, out)
            case "message_start":
                # Its output_tokens count what the model has only begun to say.
                usage = event.message.usage if isinstance(event.message, _Start) else None
                self._count(usage, data, out, with_output=False)
            case "message_delta":
                self._count(event.usage, data, out)
                self._stop(event.delta.stop_reason if event.delta else None, out)
            case "message_stop":
                self._end(out)
            case "error":
                self.break_off(self.error(data), out)
            case "" if event.error:
                self.break_off(self.error(data), out)
            case "":
                raise ValueError(say("skip.no_type"))
            case _:
                pass

    def read_whole(self, data: str, out: list[StreamEvent]) -> bool:
        message = typed(data, _messages.decode, _Message)
        if message.type == "error" or message.error or message.content is None:
            return False
        for block in message.content:
            self._read_piece(block, out)
        out += self.finish()
        self._count(message.usage, data, out)
        self._stop(message.stop_reason, out)
        if not self.stopped:
            out.append(Stopped(None))
        return True

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if thought := self._thought.finish():
            out.append(Thinking(thought))
        if text := self._text.finish():
            out.append(Text(text))
        return out

    def _read_piece(self, piece: _Piece | None, out: list[StreamEvent]) -> None:
        match piece:
            case _Piece(type="text_delta" | "text", text=str(text)) if text := self._text.feed(text):
                out.append(Text(text))
            case _Piece(type="thinking_delta" | "thinking", thinking=str(thought)) if thought := self._thought.feed(
                thought
            ):
                out.append(Thinking(thought))
            case _:
                pass

    def _count(self, counters: Any, data: str, out: list[StreamEvent], *, with_output: bool = True) -> None:
        """Counters are those of the whole message so far, and each event may leave some of them out."""
        if counters is None:
            return
        try:
            told = msgspec.convert(counters, _Usage, strict=False)
        except msgspec.ValidationError as error:
            out.append(Skipped(str(error), data[:SAMPLE]))
            return
        if not with_output:
            told.output_tokens = None
        self._counted = _grown(self._counted, told)
        if (usage := _usage(self._counted)) != Usage():
            out.append(usage)

    def _stop(self, reason: str | None, out: list[StreamEvent]) -> None:
        if reason and not self.stopped:
            out += self.finish()
            self.stopped = True
            out.append(Stopped(STOP_REASONS.get(reason, reason)))

    def _end(self, out: list[StreamEvent]) -> None:
        out += self.finish()
        if not self.stopped:
            out.append(Stopped(None))
        self.over = True


def claude_version(model: str) -> tuple[int, int] | None:
    """(major, minor) in the name of a Claude; None for other names, and where a name has none."""
    found = _CLAUDE.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else None


def _url(endpoint: Endpoint, path: str) -> str:
    base = endpoint.base_url.rstrip("/")
    return base + path if _VERSIONED.search(base) else f"{base}/v1{path}"


def _headers(endpoint: Endpoint) -> dict[str, str | Secret]:
    headers: dict[str, str | Secret] = {"anthropic-version": VERSION}
    if endpoint.key:
        headers["x-api-key"] = endpoint.key
    return headers


def _body(ask: Ask, refused: Refused) -> dict[str, Any]:
    settings = ask.settings
    limit = settings.max_tokens if settings.max_tokens is not None else _output_limit(ask.model)
    body: dict[str, Any] = {"model": ask.model, "max_tokens": limit, "stream": ask.stream}
    if settings.system and settings.system.strip():
        body["system"] = [_block(settings.system, cached="cache_control" not in refused)]
    body["messages"] = _turns(ask, refused)
    if "reasoning_effort" not in refused:
        body |= _thinking(ask, limit)
    thinks = _is_on(settings.extra_body.get("thinking", body.get("thinking")))
    return body | _sampling(settings, refused, thinks=thinks)


def _turns(ask: Ask, refused: Refused) -> list[dict[str, Any]]:
    """The messages; the last of the user's are marked, so that the next question finds all before it in the cache."""
    messages = turns(ask)
    users = [place for place, message in enumerate(messages) if message.role == "user"]
    marked = () if "cache_control" in refused else users[-CACHED_TURNS:]
    last = len(messages) - 1
    return [
        {"role": message.role, "content": _content(message, ask, cached=place in marked, last=place == last)}
        for place, message in enumerate(messages)
    ]


def _content(message: Message, ask: Ask, *, cached: bool, last: bool) -> str | list[dict[str, Any]]:
    """The parts of a message; a plain text where it is one that needs no mark."""
    found = content(message, ask.images)
    if not cached and len(found) == 1 and isinstance(found[0], str):
        return found[0].rstrip() if last else found[0]
    blocks = [_block(part) if isinstance(part, str) else _image(part, ask.images) for part in found]
    if cached:
        blocks[-1]["cache_control"] = EPHEMERAL
    return blocks


def _image(image: Image, images: Mapping[str, str]) -> dict[str, Any]:
    source = {"type": "base64", "media_type": image.mime, "data": images[image.digest]}
    return {"type": "image", "source": source}


def _block(text: str, *, cached: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": text} | ({"cache_control": EPHEMERAL} if cached else {})


def _output_limit(model: str) -> int:
    version = claude_version(model)
    if version is None:
        return SMALL_OUTPUT
    return next((tokens for newest, tokens in OUTPUT_LIMITS if version <= newest), SMALL_OUTPUT)


def _thinking(ask: Ask, limit: int) -> dict[str, Any]:
    """How hard to think, in the way that the model understands; nothing where a trailing answer forbids it."""
    effort = ask.settings.reasoning_effort
    if effort is None or (ask.continuation is not None and ask.continuation.way is Way.TRAILING):
        return {}
    if effort in NO_THINKING:
        return {"thinking": {"type": "disabled"}}
    version = claude_version(ask.model)
    if version is not None and version >= ADAPTIVE_SINCE:
        return {
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": EFFORTS.get(effort, effort)},
        }
    # The budget is part of max_tokens: half of those are left for the answer.
    budget = min(BUDGETS.get(effort, BUDGETS["medium"]), limit // 2)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget >= LEAST_BUDGET else {}


def _is_on(thinking: Any) -> bool:
    return isinstance(thinking, dict) and "disabled" not in thinking.values()


def _sampling(settings: Settings, refused: Refused, *, thinks: bool) -> dict[str, Any]:
    """What the API takes of the settings; while the model thinks it takes no temperature, and hardly a top_p."""
    sampling: dict[str, Any] = {}
    if settings.temperature is not None and not thinks and "temperature" not in refused:
        sampling["temperature"] = settings.temperature
    if settings.top_p is not None and not (thinks and settings.top_p < LEAST_TOP_P) and "top_p" not in refused:
        sampling["top_p"] = settings.top_p
    if (stop := [text for text in settings.stop if text.strip()]) and "stop" not in refused:
        sampling["stop_sequences"] = stop
    return sampling


def _turned_down(error: ErrorBody) -> str | None:
    """The droppable parameter, or the way to go on, that an error refuses."""
    words = error.message[:WORDS_READ]
    if refused_way(words) is Way.TRAILING:
        return Way.TRAILING
    return next((name for said, name in CONFLICTS if said.search(words)), refused_parameter(error, PARAMETERS))


def _grown(before: _Usage, told: _Usage) -> _Usage:
    """Counters never shrink: some gateways say 0 in one of the two places where they are told."""
    return _Usage(
        input_tokens=_larger(before.input_tokens, told.input_tokens),
        cache_creation_input_tokens=_larger(before.cache_creation_input_tokens, told.cache_creation_input_tokens),
        cache_read_input_tokens=_larger(before.cache_read_input_tokens, told.cache_read_input_tokens),
        output_tokens=_larger(before.output_tokens, told.output_tokens),
        cache_creation=told.cache_creation or before.cache_creation,
    )


def _for_an_hour(counted: _Usage) -> int | None:
    match counted.cache_creation:
        case {"ephemeral_1h_input_tokens": int(count)}:
            return tokens(count)
        case _:
            return None


def _larger(before: int | None, told: int | None) -> int | None:
    return max((count for count in (before, tokens(told)) if count is not None), default=None)


def _usage(counted: _Usage) -> Usage:
    read, written, fresh = counted.cache_read_input_tokens, counted.cache_creation_input_tokens, counted.input_tokens
    return Usage(
        input=None if fresh is None else fresh + (read or 0) + (written or 0),
        cached=read,
        cache_write=written,
        output=counted.output_tokens,
        cache_write_1h=_for_an_hour(counted) or None,
    )
