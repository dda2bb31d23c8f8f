"""The dialect openai-chat: POST /chat/completions, as OpenAI defines it and as its many imitators speak it.

Source: the OpenAI API specification (openai-openapi, chat completion chunk) and the public behaviour of DeepSeek
(`reasoning_content`, `prompt_cache_hit_tokens`), vLLM and OpenRouter (`reasoning`, `usage.cost`), and llama.cpp
(`timings`).
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tui_chat.domain.endpoint import Secret
from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking, Timings, Usage
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.codec import ModelInfo, Request
from tui_chat.wire.errors import http_failure, read_body, read_error, stream_failure
from tui_chat.wire.sse import DEFAULT_LIMIT, EventTooLarge, SseDecoder
from tui_chat.wire.surrogates import PairJoiner, well_formed
from tui_chat.wire.think import ThinkSplitter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Decoder, Refused
    from tui_chat.wire.sse import SseEvent

DONE = "[DONE]"
MALFORMED_IN_A_ROW = 3
"""So many unreadable events on end mean that this is no such stream."""
NO_REASON = (None, "", "null")
"""finish_reasons of chunks that are not the last."""
FAILING_REASONS = {
    "error": Kind.SERVER,
    "network_error": Kind.SERVER,
    "abort": Kind.SERVER,
    "insufficient_system_resource": Kind.OVERLOADED,
}
"""finish_reasons that say the answer broke off (OpenRouter, GLM, vLLM, DeepSeek)."""
SAMPLE = 200
"""Characters of a malformed event that are kept to be looked at."""
MOST_TOKENS = 10**12
MOST_USD = Decimal(10**6)
"""What lies beyond is no figure of one reply."""


class _Delta(msgspec.Struct):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None
    error: Any = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: Any = None
    detail: Any = None
    object: Any = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _CostParts(msgspec.Struct):
    total_cost: Decimal | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cost: Decimal | _CostParts | None = None
    """USD: one amount (OpenRouter), or parts with their total (Perplexity)."""


class _Timings(msgspec.Struct):
    prompt_ms: float | None = None
    predicted_ms: float | None = None
    predicted_per_second: float | None = None


class _Groq(msgspec.Struct):
    usage: _Usage | None = None
    error: str | None = None


class _FullChunk(_Chunk):
    """A chunk with the figures beside the text."""

    usage: _Usage | None = None
    timings: _Timings | None = None
    x_groq: _Groq | None = None


class _Model(msgspec.Struct):
    id: str
    name: str | None = None
    context_length: int | None = None
    max_model_len: int | None = None
    context_window: int | None = None


class _ModelList(msgspec.Struct):
    data: list[Any] | None


_full_chunks = msgspec.json.Decoder(_FullChunk, strict=False)
_model_lists = msgspec.json.Decoder(_ModelList | list[Any])


class OpenAIChat:
    """The codec of the dialect; it holds no state."""

    optional: tuple[str, ...] = ("stream_options", "max_tokens")

    def encode(self, ask: Ask, refused: Refused) -> Request:
        body = {**ask.endpoint.extra_body, **_body(ask, refused), **ask.settings.extra_body}
        return Request(
            "POST",
            ask.endpoint.base_url.rstrip("/") + "/chat/completions",
            _headers(
                ask.endpoint,
                {
                    "Content-Type": "application/json",
                    "Accept": "text/event-stream" if ask.stream else "application/json",
                },
            ),
            _json(body),
        )

    def decoder(self, endpoint: Endpoint, content_type: str) -> Decoder:
        return AnswerDecoder(endpoint)

    def error(self, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        found = http_failure(endpoint, status, headers, body)
        return replace(found, parameter=_refused_parameter(found)) if status in (400, 422) else found

    def models_request(self, endpoint: Endpoint) -> Request:
        url = endpoint.base_url.rstrip("/") + "/models"
        return Request("GET", url, _headers(endpoint, {"Accept": "application/json"}))

    def models(self, body: bytes) -> list[ModelInfo]:
        try:
            found: _ModelList | list[Any] = _model_lists.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Broken(failure(Kind.PROTOCOL, _no_model_list(body, error))) from error
        entries = found if isinstance(found, list) else found.data or []
        return [model for entry in entries if (model := _model(entry)) is not None]


class AnswerDecoder:
    """Bytes of a successful answer -> events.

    The first character tells a stream from one JSON answer or a web page: content types are wrong too often.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._inner: StreamDecoder | WholeDecoder | None = None

    @property
    def done(self) -> bool:
        return self._inner is not None and self._inner.done

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._inner is None:
            data = data.lstrip(b"\xef\xbb\xbf \t\r\n")
            if not data:
                return []
            whole = data.startswith((b"{", b"[", b"<"))
            self._inner = WholeDecoder(self._endpoint) if whole else StreamDecoder(self._endpoint)
        return self._inner.feed(data)

    def finish(self) -> list[StreamEvent]:
        return [] if self._inner is None else self._inner.finish()


class StreamDecoder:
    """Server-sent events of a streamed answer -> events; malformed JSON is skipped and counted.

    Nothing follows a Faulted: the decoder is done then.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.done = False
        self._endpoint = endpoint
        self._sse = SseDecoder()
        self._reader = ChunkReader(endpoint)
        self._events = 0
        self._malformed = 0

    def feed(self, data: bytes) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if self.done:
            return out
        overflow = False
        try:
            events = self._sse.feed(data)
        except EventTooLarge as error:
            events, overflow = error.events, True
        self._read_all(events, out)
        if overflow and not self.done:
            limit = DEFAULT_LIMIT // 1024**2
            self._break(failure(Kind.PROTOCOL, say("fail.event_too_large", limit=limit)), out)
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

    def _read_all(self, events: list[SseEvent], out: list[StreamEvent]) -> None:
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
            self._break(stream_failure(self._endpoint, read_body(data)), out)
        elif data.startswith(DONE):
            self._end(out)
        else:
            self._read_chunk(data, out)

    def _read_chunk(self, data: str, out: list[StreamEvent]) -> None:
        try:
            chunk, fault = _decode(data)
        except (ValueError, RecursionError) as error:
            self._malformed += 1
            out.append(Skipped(str(error), data[:SAMPLE]))
            if self._malformed >= MALFORMED_IN_A_ROW and not self._reader.stopped:
                self._break(failure(Kind.PROTOCOL, say("fail.malformed", count=self._malformed)), out)
            return
        self._malformed = 0
        if fault:
            out.append(Skipped(fault, data[:SAMPLE]))
        self._reader.read(chunk, data, out)
        self.done = self._reader.broken

    def _read_pending(self, out: list[StreamEvent]) -> None:
        """A last event without its blank line counts when it is whole; half of one is the cut's, not malformed."""
        data = self._sse.pending_data.strip()
        if not data or self.done:
            return
        if data.startswith(DONE):
            self._end(out)
            return
        try:
            _decode(data)
        except (ValueError, RecursionError):
            return
        self._read_chunk(data, out)

    def _end(self, out: list[StreamEvent]) -> None:
        out += self._reader.finish()
        if not self._reader.stopped:
            out.append(Stopped(None))
        self.done = True

    def _break(self, fault: Failure, out: list[StreamEvent]) -> None:
        out += self._reader.finish()
        out.append(Faulted(fault))
        self.done = True

    def _judge_foreign(self, out: list[StreamEvent]) -> None:
        """Lines that are no SSE: an error without `data:`, or the only thing that a proxy had to say."""
        foreign = self._sse.foreign.strip()
        if not foreign or self._reader.stopped:
            return
        named = foreign.startswith("error:")  # older llama.cpp
        text = foreign.removeprefix("error:").strip()
        if named or not self._events or text.startswith(("{", "[")):
            out.append(Faulted(stream_failure(self._endpoint, read_body(text))))


class WholeDecoder:
    """One JSON answer, as with `stream: false` or from a gateway that ignores streaming."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.done = False
        self._endpoint = endpoint
        self._body = bytearray()

    def feed(self, data: bytes) -> list[StreamEvent]:
        self._body += data
        return []

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if self.done:
            return out
        self.done = True
        text = self._body.decode("utf-8", "replace").strip()
        if not text:
            return out
        try:
            chunk, fault = _decode(text)
        except (ValueError, RecursionError) as error:
            return [Faulted(self._no_answer(text, error))]
        if fault:
            out.append(Skipped(fault, text[:SAMPLE]))
        reader = ChunkReader(self._endpoint)
        reader.read(chunk, text, out)
        if reader.broken:
            return out
        if chunk.choices is None:
            return [*out, Faulted(self._no_answer(text, None))]
        out += reader.finish()
        if chunk.choices and not reader.stopped:
            out.append(Stopped(None))
        return out

    def _no_answer(self, text: str, fault: Exception | None) -> Failure:
        error = read_body(text)
        if error.page or error.shaped:
            return stream_failure(self._endpoint, error)
        if text.startswith("{") and not text.endswith("}"):
            return failure(Kind.TRUNCATED, say("fail.truncated"))
        return failure(Kind.PROTOCOL, say("fail.no_choices") if fault is None else say("fail.json", fault=fault))


class ChunkReader:
    """One typed chunk -> events, streamed or whole; keeps what spans chunks."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.stopped = False
        """A finish reason came."""
        self.broken = False
        """A Faulted was told."""
        self._endpoint = endpoint
        self._content = PairJoiner()
        self._reasoning = PairJoiner()
        self._think = ThinkSplitter()
        self._refused = False

    def read(self, chunk: _Chunk, data: str, out: list[StreamEvent]) -> None:
        """The chunk's events: its text, its figures, and at last its end, if it has one. `data` is its JSON."""
        choices = [choice for choice in chunk.choices or () if not choice.index]
        for choice in choices:
            self._read_delta(choice.delta or choice.message, out)
        reason = next((c.finish_reason for c in choices if c.finish_reason not in NO_REASON), None)
        fault = self._fault(chunk, choices, reason, data)
        if fault is not None or reason is not None:
            out += self.finish()
        if isinstance(chunk, _FullChunk):
            out += _figures(chunk)
        if fault is not None:
            self.broken = True
            out.append(Faulted(fault))
        elif reason is not None and not self.stopped:
            self.stopped = True
            out.append(Stopped("refusal" if self._refused else reason))

    def finish(self) -> list[StreamEvent]:
        """What was held back because it might have become something else."""
        out: list[StreamEvent] = []
        if thought := self._reasoning.finish():
            out.append(Thinking(thought))
        if content := self._content.finish():
            out += self._think.feed(content)
        return out + self._think.finish()

    def _read_delta(self, delta: _Delta | None, out: list[StreamEvent]) -> None:
        if delta is None:
            return
        content, thought = delta.content or "", delta.reasoning_content or delta.reasoning or ""
        if isinstance(content, list):
            content, part_thought = _parts(content)
            thought = thought or part_thought
        if thought and (thought := self._reasoning.feed(thought)):
            out.append(Thinking(thought))
        if content and (content := self._content.feed(content)):
            out += self._think.feed(content)
        if delta.refusal:
            self._refused = True
            out += self.finish()
            out.append(Text(well_formed(delta.refusal)))

    def _fault(self, chunk: _Chunk, choices: list[_Choice], reason: str | None, data: str) -> Failure | None:
        groq = chunk.x_groq if isinstance(chunk, _FullChunk) else None
        told = chunk.error or (groq and groq.error) or next((c.error for c in choices if c.error), None)
        if told:
            error = read_error({"error": told}) or read_body(data)
            return stream_failure(self._endpoint, error)
        if chunk.object == "error" or (chunk.detail and not choices):
            return stream_failure(self._endpoint, read_body(data))
        if reason in FAILING_REASONS:
            return failure(FAILING_REASONS[reason], say("fail.finish", reason=reason))
        return None


def _decode(data: str) -> tuple[_Chunk, str]:
    """A chunk of JSON text, and what of its figures could not be read: they never cost the text beside them.

    What is not quite JSON (half surrogate pairs, NaN, raw control characters) takes a slower way. Raises
    ValueError or RecursionError.
    """
    try:
        return _full_chunks.decode(data), ""
    except msgspec.DecodeError:
        value = json.loads(data, strict=False, parse_constant=lambda _: None)
    try:
        return msgspec.convert(value, _FullChunk, strict=False), ""
    except msgspec.ValidationError as error:
        return msgspec.convert(value, _Chunk, strict=False), str(error)


def _json(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        # An argument or a paste that was not UTF-8 holds lone surrogates.
        return well_formed(json.dumps(body, ensure_ascii=False)).encode()


def _body(ask: Ask, refused: Refused) -> dict[str, Any]:
    settings = ask.settings
    messages = [{"role": m.role, "content": m.text} for m in ask.messages]
    if settings.system:
        messages.insert(0, {"role": "system", "content": settings.system})
    body: dict[str, Any] = {"model": ask.model, "messages": messages, "stream": ask.stream}
    if ask.stream and "stream_options" not in refused:
        body["stream_options"] = {"include_usage": True}
    if settings.max_tokens is not None:
        # Newer OpenAI models refuse max_tokens and take the same number under its second name.
        body["max_completion_tokens" if "max_tokens" in refused else "max_tokens"] = settings.max_tokens
    for name in ("temperature", "top_p", "seed", "reasoning_effort"):
        if (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.stop:
        body["stop"] = list(settings.stop)
    return body


def _headers(endpoint: Endpoint, own: dict[str, str]) -> dict[str, str | Secret]:
    """The dialect's headers, the key, and over them the endpoint's own; names match in any case."""
    headers: dict[str, str | Secret] = {**own}
    if endpoint.key:
        headers["Authorization"] = Secret(f"Bearer {endpoint.key.reveal()}")
    replaced = {name.lower() for name in endpoint.headers}
    return {name: value for name, value in headers.items() if name.lower() not in replaced} | dict(endpoint.headers)


_RENAMED = re.compile(r"unsupported|not supported|instead", re.IGNORECASE)


def _refused_parameter(found: Failure) -> str | None:
    """The droppable parameter that an error speaks of, by its `param` or by its words."""
    words = f"{found.parameter or ''} {found.message}"
    if "stream_options" in words or "include_usage" in words:
        return "stream_options"
    if "max_tokens" in words and "max_completion_tokens" in found.message and _RENAMED.search(found.message):
        return "max_tokens"
    return None


def _parts(parts: list[Any]) -> tuple[str, str]:
    """(text, reasoning) of a content field that is a list of typed parts; Mistral thinks in parts of parts."""
    text, thought = "", ""
    for part in parts:
        match part:
            case str():
                text += part
            case {"type": "thinking", "thinking": str(piece)}:
                thought += piece
            case {"type": "thinking", "thinking": [*inner]}:
                thought += _parts(inner)[0]
            case {"text": str(piece)}:
                text += piece
            case _:
                pass
    return text, thought


def _figures(chunk: _FullChunk) -> list[StreamEvent]:
    out: list[StreamEvent] = []
    usage = chunk.usage or (chunk.x_groq and chunk.x_groq.usage)
    if usage is not None and (counted := _usage(usage)) != Usage():
        out.append(counted)
    if chunk.timings is not None:
        out.append(_timings(chunk.timings))
    return out


def _usage(usage: _Usage) -> Usage:
    input_details, output_details = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = input_details.cached_tokens if input_details else None
    return Usage(
        input=_tokens(usage.prompt_tokens),
        cached=_tokens(usage.prompt_cache_hit_tokens if cached is None else cached),
        cache_write=_tokens(input_details.cache_write_tokens if input_details else None),
        reasoning=_tokens(output_details.reasoning_tokens if output_details else None),
        output=_tokens(usage.completion_tokens),
        cost=_amount(usage.cost.total_cost if isinstance(usage.cost, _CostParts) else usage.cost),
    )


def _tokens(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= MOST_TOKENS else None


def _amount(usd: Decimal | None) -> Decimal | None:
    return usd if usd is not None and usd.is_finite() and 0 <= usd <= MOST_USD else None


def _timings(timings: _Timings) -> Timings:
    rate = _measure(timings.predicted_per_second)
    return Timings(_seconds(timings.prompt_ms), _seconds(timings.predicted_ms), rate)


def _seconds(milliseconds: float | None) -> float | None:
    measured = _measure(milliseconds)
    return None if measured is None else measured / 1000


def _measure(value: float | None) -> float | None:
    """A measurement as far as it is one: a division by nothing gives inf or NaN."""
    return value if value is not None and 0 <= value < 1e12 else None


def _model(entry: Any) -> ModelInfo | None:
    """A model of the list; an entry without an id is none."""
    try:
        model = msgspec.convert(entry, _Model, strict=False)
    except msgspec.ValidationError:
        match entry:
            case {"id": str(name)}:
                return ModelInfo(name)
            case _:
                return None
    return ModelInfo(model.id, model.name, model.context_length or model.max_model_len or model.context_window)


def _no_model_list(body: bytes, fault: Exception) -> str:
    error = read_body(body)
    if error.page:
        return say("fail.page", status=200, title=error.message or "?")
    return say("fail.models", fault=error.message if error.shaped else fault)
