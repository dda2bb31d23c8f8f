"""The dialect openai-chat: POST /chat/completions, as OpenAI defines it and as its many imitators speak it.

Source: the OpenAI API specification (openai-openapi, chat completion chunk) and the public behaviour of DeepSeek
(`reasoning_content`, `prompt_cache_hit_tokens`), vLLM and OpenRouter (`reasoning`, `usage.cost`), and llama.cpp
(`timings`).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tui_chat.domain.endpoint import Secret
from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking, Timings, Usage
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.codec import ModelInfo, Request
from tui_chat.wire.errors import http_failure, looks_like_page, read_body, read_error, stream_failure
from tui_chat.wire.sse import EventTooLarge, SseDecoder
from tui_chat.wire.think import ThinkSplitter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Decoder, Refused

DONE = "[DONE]"
MALFORMED_IN_A_ROW = 3
"""So many unreadable events on end mean that this is no such stream."""
FAILING_REASONS = {"error": Kind.SERVER, "insufficient_system_resource": Kind.OVERLOADED}
"""finish_reasons that say the answer broke off (OpenRouter, DeepSeek)."""
SAMPLE = 200
"""Characters of a malformed event that are kept to be looked at."""


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


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cost: Decimal | None = None


class _Timings(msgspec.Struct):
    prompt_ms: float | None = None
    predicted_ms: float | None = None
    predicted_per_second: float | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: Any = None
    detail: Any = None


class _Model(msgspec.Struct):
    id: str
    name: str | None = None
    context_length: int | None = None
    max_model_len: int | None = None
    context_window: int | None = None


class _ModelList(msgspec.Struct):
    data: list[_Model]


_chunks = msgspec.json.Decoder(_Chunk)
_models = msgspec.json.Decoder(_ModelList)


class OpenAIChat:
    """The codec of the dialect; it holds no state."""

    optional: tuple[str, ...] = ("stream_options", "max_tokens")

    def encode(self, ask: Ask, refused: Refused) -> Request:
        body = {**ask.endpoint.extra_body, **_body(ask, refused), **ask.settings.extra_body}
        return Request(
            "POST",
            ask.endpoint.base_url.rstrip("/") + "/chat/completions",
            {
                "Content-Type": "application/json",
                **_headers(ask.endpoint, "text/event-stream" if ask.stream else "application/json"),
            },
            msgspec.json.encode(body),
        )

    def decoder(self, endpoint: Endpoint, content_type: str) -> Decoder:
        if "json" in content_type and "event-stream" not in content_type:
            return WholeDecoder(endpoint)
        return StreamDecoder(endpoint)

    def error(self, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        found = http_failure(endpoint, status, headers, body)
        return replace(found, parameter=_refused_parameter(found)) if status in (400, 422) else found

    def models_request(self, endpoint: Endpoint) -> Request:
        return Request("GET", endpoint.base_url.rstrip("/") + "/models", _headers(endpoint, "application/json"))

    def models(self, body: bytes) -> list[ModelInfo]:
        try:
            found = _models.decode(body)
        except msgspec.DecodeError as error:
            page = read_body(body)
            message = (
                say("fail.page", status=200, title=page.message or "?")
                if page.page
                else say("fail.models", fault=error)
            )
            raise Broken(failure(Kind.PROTOCOL, message)) from error
        return [ModelInfo(m.id, m.name, m.context_length or m.max_model_len or m.context_window) for m in found.data]


class StreamDecoder:
    """Server-sent events of a streamed answer -> events; malformed JSON is skipped and counted."""

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
        try:
            events = self._sse.feed(data)
        except EventTooLarge as error:
            self.done = True
            for event in error.events:
                self._read(event.data, out)
            return [*out, Faulted(failure(Kind.PROTOCOL, str(error)))]
        for event in events:
            self._read(event.data, out)
            if self.done:
                break
        return out

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if not self.done:
            for event in self._sse.finish():
                self._read(event.data, out)
            out += self._reader.finish()
            self._judge_foreign(out)
            self.done = True
        return out

    def _read(self, data: str, out: list[StreamEvent]) -> None:
        self._events += 1
        if data.startswith(DONE):
            out += self._reader.finish()
            if not self._reader.stopped:
                out.append(Stopped(None))
            self.done = True
            return
        try:
            chunk = _chunks.decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            self._malformed += 1
            out.append(Skipped(str(error), data[:SAMPLE]))
            if self._malformed >= MALFORMED_IN_A_ROW:
                out.append(Faulted(failure(Kind.PROTOCOL, say("fail.malformed", count=self._malformed))))
                self.done = True
            return
        self._malformed = 0
        self._reader.read(chunk, out)

    def _judge_foreign(self, out: list[StreamEvent]) -> None:
        """An answer without a single event may be an error or a page that came as something else."""
        foreign = self._sse.foreign
        if self._reader.stopped or not foreign.strip():
            return
        error = read_body(foreign)
        if error.page:
            out.append(Faulted(failure(Kind.PROTOCOL, say("fail.page", status=200, title=error.message or "?"))))
        elif foreign.lstrip()[:1] in ("{", "["):
            if not self._events and not _is_error(foreign):
                whole = WholeDecoder(self._endpoint)
                out += [*whole.feed(foreign.encode()), *whole.finish()]
            else:
                out.append(Faulted(stream_failure(self._endpoint, error)))


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
        self.done = True
        if not self._body.strip():
            return []
        out: list[StreamEvent] = []
        reader = ChunkReader(self._endpoint)
        try:
            chunk = _chunks.decode(self._body)
        except (msgspec.DecodeError, RecursionError) as error:
            sample = self._body[:SAMPLE].decode("utf-8", "replace")
            title = read_body(bytes(self._body)) if looks_like_page(sample) else None
            message = (
                say("fail.page", status=200, title=title.message or "?") if title else say("fail.json", fault=error)
            )
            return [Skipped(str(error), sample), Faulted(failure(Kind.PROTOCOL, message))]
        reader.read(chunk, out)
        out += reader.finish()
        if chunk.choices and not reader.stopped:
            out.append(Stopped(None))
        return out


class ChunkReader:
    """One typed chunk -> events, streamed or whole; keeps what spans chunks."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.stopped = False
        """A finish reason came."""
        self._endpoint = endpoint
        self._think = ThinkSplitter()
        self._refused = False

    def read(self, chunk: _Chunk, out: list[StreamEvent]) -> None:
        if chunk.error or (chunk.detail and not chunk.choices):
            self._fault({"error": chunk.error} if chunk.error else {"detail": chunk.detail}, out)
        for choice in chunk.choices or ():
            if not choice.index:
                self._choice(choice, out)
        if chunk.usage is not None:
            out.append(_usage(chunk.usage))
        if chunk.timings is not None:
            out.append(_timings(chunk.timings))

    def finish(self) -> list[StreamEvent]:
        return list(self._think.finish())

    def _choice(self, choice: _Choice, out: list[StreamEvent]) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            if thought := delta.reasoning_content or delta.reasoning:
                out.append(Thinking(thought))
            if content := _content(delta.content):
                out += self._think.feed(content)
            if delta.refusal:
                self._refused = True
                out.append(Text(delta.refusal))
        if choice.error:
            self._fault({"error": choice.error}, out)
        elif choice.finish_reason in FAILING_REASONS:
            kind = FAILING_REASONS[choice.finish_reason]
            out.append(Faulted(failure(kind, say("fail.finish", reason=choice.finish_reason))))
        elif choice.finish_reason and not self.stopped:
            self.stopped = True
            out += self._think.finish()
            out.append(Stopped("refusal" if self._refused else choice.finish_reason))

    def _fault(self, value: dict[str, Any], out: list[StreamEvent]) -> None:
        error = read_error(value) or read_body(str(value))
        out += self._think.finish()
        out.append(Faulted(stream_failure(self._endpoint, error)))


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


def _headers(endpoint: Endpoint, accept: str) -> dict[str, Any]:
    key = {"Authorization": Secret(f"Bearer {endpoint.key.reveal()}")} if endpoint.key else {}
    return {"Accept": accept, **key, **endpoint.headers}


def _refused_parameter(found: Failure) -> str | None:
    """The droppable parameter that an error speaks of, by its `param` or by its words."""
    words = f"{found.parameter or ''} {found.message}"
    if "stream_options" in words or "include_usage" in words:
        return "stream_options"
    if found.parameter == "max_tokens" and "max_completion_tokens" in found.message:
        return "max_tokens"
    return None


def _content(content: str | list[Any] | None) -> str:
    """The text of a content field; some servers send a list of typed parts."""
    if not isinstance(content, list):
        return content or ""
    parts: list[dict[str, Any]] = [part for part in content if isinstance(part, dict)]
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))


def _usage(usage: _Usage) -> Usage:
    input_details, output_details = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = input_details.cached_tokens if input_details else None
    return Usage(
        input=usage.prompt_tokens,
        cached=usage.prompt_cache_hit_tokens if cached is None else cached,
        cache_write=input_details.cache_write_tokens if input_details else None,
        reasoning=output_details.reasoning_tokens if output_details else None,
        output=usage.completion_tokens,
        cost=usage.cost,
    )


def _timings(timings: _Timings) -> Timings:
    return Timings(
        prompt_s=_seconds(timings.prompt_ms),
        decode_s=_seconds(timings.predicted_ms),
        tok_per_s=timings.predicted_per_second,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _is_error(text: str) -> bool:
    try:
        return read_error(msgspec.json.decode(text)) is not None
    except (msgspec.DecodeError, RecursionError):
        return True
