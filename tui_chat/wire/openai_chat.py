"""The dialect openai-chat: POST /chat/completions, as OpenAI defines it and as its many imitators speak it.

Source: the OpenAI API specification (openai-openapi, chat completion chunk) and the public behaviour of DeepSeek
(`reasoning_content`, `prompt_cache_hit_tokens`), vLLM and OpenRouter (`reasoning`, `usage.cost`), and llama.cpp
(`timings`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tui_chat.domain.ask import Way
from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking, Timings, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.counts import amount, measure, seconds, tokens
from tui_chat.wire.errors import http_failure, read_body, read_error, stream_failure
from tui_chat.wire.refusals import SAMPLING, Parameter, refused_parameter
from tui_chat.wire.request import bearer, get, no_models, post
from tui_chat.wire.resume import GO_ON, openai_ways, refused_way
from tui_chat.wire.stream_decoder import SAMPLE, AnswerDecoder, Reader, loose_json
from tui_chat.wire.surrogates import PairJoiner, well_formed
from tui_chat.wire.think import ThinkSplitter
from tui_chat.wire.tools import ToolCalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Decoder, Refused, Request

DONE = "[DONE]"
NO_REASON = (None, "", "null")
"""finish_reasons of chunks that are not the last."""
FAILING_REASONS = {
    "error": Kind.SERVER,
    "network_error": Kind.SERVER,
    "abort": Kind.SERVER,
    "insufficient_system_resource": Kind.OVERLOADED,
}
"""finish_reasons that say the answer broke off (OpenRouter, GLM, vLLM, DeepSeek)."""


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

    optional: tuple[str, ...] = (*(p.name for p in PARAMETERS), "max_tokens", *WAYS)

    def encode(self, ask: Ask, refused: Refused) -> Request:
        return post(ask, _url(ask), bearer(ask.endpoint), _body(ask, refused))

    def ways(self, ask: Ask) -> tuple[Way, ...]:
        return openai_ways(ask.endpoint)

    def decoder(self, endpoint: Endpoint, content_type: str) -> Decoder:
        return AnswerDecoder(ChunkReader(endpoint))

    def error(self, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        return _with_parameter(http_failure(endpoint, status, headers, body), read_body(body))

    def models_request(self, endpoint: Endpoint) -> Request:
        url = endpoint.base_url.rstrip("/") + "/models"
        return get(endpoint, url, bearer(endpoint))

    def models(self, body: bytes) -> list[ModelInfo]:
        try:
            found: _ModelList | list[Any] = _model_lists.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise no_models(body, error) from error
        entries = found if isinstance(found, list) else found.data or []
        return [model for entry in entries if (model := _model(entry)) is not None]


class ChunkReader(Reader):
    """Chunks, or one whole completion, -> events."""

    no_answer = "fail.no_choices"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._content = PairJoiner()
        self._reasoning = PairJoiner()
        self._think = ThinkSplitter()
        self._refused = False

    def read(self, data: str, out: list[StreamEvent]) -> None:
        if data.startswith(DONE):
            self._end(out)
        else:
            self._decode(data, out)

    def read_whole(self, data: str, out: list[StreamEvent]) -> bool:
        chunk = self._decode(data, out)
        if self.over or chunk.choices is None:
            return self.over
        out += self.finish()
        if chunk.choices and not self.stopped:
            out.append(Stopped(None))
        return True

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if thought := self._reasoning.finish():
            out.append(Thinking(thought))
        if content := self._content.finish():
            out += self._think.feed(content)
        return out + self._think.finish()

    def _end(self, out: list[StreamEvent]) -> None:
        out += self.finish()
        if not self.stopped:
            out.append(Stopped(None))
        self.over = True

    def _decode(self, data: str, out: list[StreamEvent]) -> _Chunk:
        chunk, fault = _decode(data)
        if fault:
            out.append(Skipped(fault, data[:SAMPLE]))
        self._read_chunk(chunk, data, out)
        return chunk

    def _read_chunk(self, chunk: _Chunk, data: str, out: list[StreamEvent]) -> None:
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
            self.over = True
            out.append(Faulted(fault))
        elif reason is not None and not self.stopped:
            self.stopped = True
            out.append(Stopped("refusal" if self._refused else reason))

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
            return stream_failure(self.endpoint, error)
        if chunk.object == "error" or (chunk.detail and not choices):
            return stream_failure(self.endpoint, read_body(data))
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
        value = loose_json(data)
    try:
        return msgspec.convert(value, _FullChunk, strict=False), ""
    except msgspec.ValidationError as error:
        return msgspec.convert(value, _Chunk, strict=False), str(error)


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
        input=tokens(usage.prompt_tokens),
        cached=tokens(usage.prompt_cache_hit_tokens if cached is None else cached),
        cache_write=tokens(input_details.cache_write_tokens if input_details else None),
        reasoning=tokens(output_details.reasoning_tokens if output_details else None),
        output=tokens(usage.completion_tokens),
        cost=amount(usage.cost.total_cost if isinstance(usage.cost, _CostParts) else usage.cost),
    )


def _timings(timings: _Timings) -> Timings:
    rate = measure(timings.predicted_per_second)
    return Timings(seconds(timings.prompt_ms), seconds(timings.predicted_ms), rate)


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
