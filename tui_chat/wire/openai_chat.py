"""The dialect openai-chat: POST /chat/completions, as OpenAI defines it and as its many imitators speak it.

Source: the OpenAI API specification (openai-openapi, chat completion chunk) and the public behaviour of DeepSeek
(`reasoning_content`, `prompt_cache_hit_tokens`), vLLM and OpenRouter (`reasoning`, `usage.cost`), and llama.cpp
(`timings`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import replace

from tui_chat.domain.ask import Way
from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.errors import http_failure, read_body, read_error, stream_failure
from tui_chat.wire.model_list import read_models
from tui_chat.wire.openai_figures import FIGURES, Figures, figure_events
from tui_chat.wire.refusals import SAMPLING, Parameter, refused_parameter
from tui_chat.wire.request import bearer, content, data_url, get, post
from tui_chat.wire.resume import GO_ON, openai_ways, refused_way
from tui_chat.wire.stream_decoder import SAMPLE, AnswerDecoder, Reader, loose_json
from tui_chat.wire.surrogates import PairJoiner, well_formed
from tui_chat.wire.think import ThinkSplitter
from tui_chat.wire.tools import ToolCalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask, Message
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Decoder, Refused, Request
    from tui_chat.wire.errors import ErrorBody

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
PARAMETERS = (Parameter("stream_options", ("include_usage", "stream_options.include_usage"), unasked=True), *SAMPLING)
WAYS = (Way.PREFIX, Way.CONTINUE, Way.TRAILING)
"""Ways of going on that a server may turn down."""
DEEPSEEK = "api.deepseek.com"
"""It takes up a prefix at another address only."""

_RENAMED = re.compile(
    r"max_tokens.*(unsupported|not supported|instead).*max_completion_tokens"
    r"|max_tokens.*max_completion_tokens.*(unsupported|not supported|instead)"
    r"|max_completion_tokens.*(unsupported|not supported|instead).*max_tokens",
    re.IGNORECASE | re.DOTALL,
)


class _Delta(msgspec.Struct):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: Any = None
    function_call: Any = None


class _Choice(msgspec.Struct):
    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None
    error: Any = None


class _Chunk(Figures):
    """A chunk with the figures beside the text."""

    choices: list[_Choice] | None = None
    error: Any = None
    detail: Any = None
    object: Any = None


_chunks = msgspec.json.Decoder(_Chunk, strict=False)


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
        return read_models(body)


class ChunkReader(Reader):
    """Chunks, or one whole completion, -> events."""

    no_answer = "fail.no_choices"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._content = PairJoiner()
        self._reasoning = PairJoiner()
        self._think = ThinkSplitter()
        self._tools = ToolCalls()
        self._spoke = False
        """Text of the model came, or a refusal."""
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
        out += self._think.finish()
        if lines := self._tools.finish():
            out.append(Text("\n\n" * self._spoke + "\n".join(lines)))
        return out

    def error(self, data: str) -> Failure:
        return self._failure(read_body(data))

    def _failure(self, error: ErrorBody) -> Failure:
        return _with_parameter(stream_failure(self.endpoint, error), error)

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
        out += figure_events(chunk)
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
            self._spoke = True
            out += self._think.feed(content)
        self._tools.feed(delta.tool_calls or delta.function_call)
        if delta.refusal:
            self._refused = self._spoke = True
            out += self.finish()
            out.append(Text(well_formed(delta.refusal)))

    def _fault(self, chunk: _Chunk, choices: list[_Choice], reason: str | None, data: str) -> Failure | None:
        told = chunk.error or (chunk.x_groq and chunk.x_groq.error) or next((c.error for c in choices if c.error), None)
        if told:
            return self._failure(read_error({"error": told}) or read_body(data))
        if chunk.object == "error" or (chunk.detail and not choices):
            return self.error(data)
        if reason in FAILING_REASONS:
            return failure(FAILING_REASONS[reason], say("fail.finish", reason=reason))
        return None


def _decode(data: str) -> tuple[_Chunk, str]:
    """A chunk of JSON text, and what of its figures could not be read: they never cost the text beside them.

    What is not quite JSON (half surrogate pairs, NaN, raw control characters) takes a slower way. Raises
    ValueError or RecursionError.
    """
    try:
        return _chunks.decode(data), ""
    except msgspec.DecodeError:
        value = loose_json(data)
    try:
        return msgspec.convert(value, _Chunk, strict=False), ""
    except msgspec.ValidationError as error:
        return msgspec.convert(_without_figures(value), _Chunk, strict=False), str(error)


def _without_figures(value: Any) -> Any:
    match value:
        case {**fields}:
            return {key: inner for key, inner in cast("dict[str, Any]", fields).items() if key not in FIGURES}
        case _:
            return value


def _url(ask: Ask) -> str:
    endpoint, going_on = ask.endpoint, ask.continuation
    if going_on is not None and going_on.way is Way.PREFIX and endpoint.host == DEEPSEEK:
        return endpoint.origin + "/beta/chat/completions"
    return endpoint.base_url.rstrip("/") + "/chat/completions"


def _body(ask: Ask, refused: Refused) -> dict[str, Any]:
    settings = ask.settings
    body: dict[str, Any] = {"model": ask.model, "messages": _messages(ask), "stream": ask.stream}
    if ask.stream and "stream_options" not in refused:
        body["stream_options"] = {"include_usage": True}
    if settings.max_tokens is not None:
        # Newer OpenAI models refuse max_tokens and take the same number under its second name.
        body["max_completion_tokens" if "max_tokens" in refused else "max_tokens"] = settings.max_tokens
    for name in ("temperature", "top_p", "seed", "reasoning_effort"):
        if name not in refused and (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.stop and "stop" not in refused:
        body["stop"] = list(settings.stop)
    if ask.continuation is not None and ask.continuation.way is Way.CONTINUE and ask.continuation.text:
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body


def _messages(ask: Ask) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": m.role, "content": _content(m, ask)} for m in ask.messages]
    if ask.settings.system:
        messages.insert(0, {"role": "system", "content": ask.settings.system})
    going_on = ask.continuation
    if going_on is None or not (going_on.text or _takes_reasoning(ask)):
        return messages
    messages.append({"role": "assistant", "content": going_on.text})
    match going_on.way:
        case Way.PREFIX:
            messages[-1]["prefix"] = True
            if _takes_reasoning(ask):
                messages[-1]["reasoning_content"] = going_on.reasoning
        case Way.CONTINUE | Way.TRAILING:
            pass
        case _:
            messages.append({"role": "user", "content": GO_ON})
    return messages


def _content(message: Message, ask: Ask) -> str | list[dict[str, Any]]:
    """A text, which every server takes, or parts where there are images."""
    found = content(message, ask.images)
    if all(isinstance(part, str) for part in found):
        return "".join(map(str, found))
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": data_url(part, ask.images)}}
        for part in found
    ]


def _takes_reasoning(ask: Ask) -> bool:
    """True when the reasoning so far can be gone on from too: DeepSeek takes it beside the prefix."""
    going_on = ask.continuation
    prefixed = going_on is not None and going_on.way is Way.PREFIX and bool(going_on.reasoning)
    return prefixed and ask.endpoint.host == DEEPSEEK


def _with_parameter(found: Failure, error: ErrorBody) -> Failure:
    """The failure with what may be left out of the request, or the way that may be changed, to make it succeed."""
    if found.kind not in (Kind.BAD_REQUEST, Kind.SERVER):
        return replace(found, parameter=None)
    refused = refused_parameter(error, PARAMETERS)
    if refused is None and _RENAMED.search(error.message):
        refused = "max_tokens"
    if refused is None and found.kind is Kind.BAD_REQUEST:
        refused = refused_way(error.words)
    return replace(found, parameter=refused)


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
