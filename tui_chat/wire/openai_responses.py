"""The dialect openai-responses: POST /responses, as OpenAI defines it.

Source: the OpenAI API specification (openai-openapi: createResponse, ResponseStreamEvent) and its guide to background
mode: a response made with `background` goes on when the line breaks, and its events can be read again from any
`sequence_number` on. Perplexity puts the error of `response.failed` beside the response; OpenRouter sends
`response.done`, a cost in the usage, and `[DONE]` at the end.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from tui_chat.domain.ask import Place, Way
from tui_chat.domain.events import Faulted, Progress, Skipped, Stopped, Text, Thinking, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.counts import amount, tokens
from tui_chat.wire.errors import http_failure, read_body, read_error, stream_failure
from tui_chat.wire.model_list import read_models
from tui_chat.wire.openai_chat import OpenAIChat
from tui_chat.wire.refusals import SAMPLING, Parameter, refused_parameter
from tui_chat.wire.request import bearer, content, data_url, get, post, turns
from tui_chat.wire.stream_decoder import SAMPLE, AnswerDecoder, Reader, loose_json, typed
from tui_chat.wire.surrogates import PairJoiner, well_formed
from tui_chat.wire.think import ThinkSplitter
from tui_chat.wire.tools import tool_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tui_chat.domain.ask import Ask, Message
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Decoder, ModelInfo, Refused, Request
    from tui_chat.wire.errors import ErrorBody

DONE = "[DONE]"
REASONS = {"max_output_tokens": "length"}
"""Why a response is incomplete -> the finish_reason that says the same; others keep their name."""
FAILED = ("failed", "cancelled")
PARAMETERS = (
    Parameter("reasoning.summary", unasked=True),
    Parameter("store", unasked=True),
    Parameter("background"),
    *(p for p in SAMPLING if p.name in ("temperature", "top_p", "reasoning_effort")),
)


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None
    cost: Decimal | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    status: str | None = None
    background: Any = None
    error: Any = None
    incomplete_details: Any = None
    output: list[Any] | None = None
    usage: _Usage | None = None


class _Event(msgspec.Struct):
    type: str = ""
    sequence_number: Any = None
    delta: Any = None
    summary_index: Any = None
    item: Any = None
    error: Any = None
    response: _Response | None = None


_events = msgspec.json.Decoder(_Event, strict=False)
_responses = msgspec.json.Decoder(_Response, strict=False)


class OpenAIResponses:
    """The codec of the dialect; it holds no state."""

    optional: tuple[str, ...] = tuple(p.name for p in PARAMETERS)

    def encode(self, ask: Ask, refused: Refused) -> Request:
        url = ask.endpoint.base_url.rstrip("/") + "/responses"
        going_on = ask.continuation
        if going_on is not None and going_on.way is Way.STREAM and going_on.place is not None:
            place = going_on.place
            url += f"/{quote(place.stream, safe='')}?stream=true&starting_after={place.sequence}"
            return get(ask.endpoint, url, {"Accept": "text/event-stream", **bearer(ask.endpoint)})
        body = _body(ask, refused)
        left_out = refused if "background" in body else refused | {"background"}
        return post(_without(ask, left_out), url, bearer(ask.endpoint), body)

    def ways(self, ask: Ask) -> tuple[Way, ...]:
        return (Way.STREAM, Way.ASK) if _in_background(ask, frozenset()) else (Way.ASK,)

    def decoder(self, endpoint: Endpoint, content_type: str) -> Decoder:
        return AnswerDecoder(ResponsesReader(endpoint))

    def error(self, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        found = http_failure(endpoint, status, headers, body)
        if found.kind is not Kind.BAD_REQUEST:
            return replace(found, parameter=None)
        return replace(found, parameter=refused_parameter(read_body(body), PARAMETERS))

    def models_request(self, endpoint: Endpoint) -> Request:
        return OpenAIChat().models_request(endpoint)

    def models(self, body: bytes) -> list[ModelInfo]:
        return read_models(body)


class ResponsesReader(Reader):
    """Events of a response, or one whole response, -> events.

    `place` moves on with the sequence numbers of a response that the server keeps. A stream that was taken up again
    does not repeat the response's id: its place has an empty one, and the id is that of the place before.
    """

    no_answer = "fail.no_response"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._text = PairJoiner()
        self._reasoning = PairJoiner()
        self._think: ThinkSplitter | None = None
        """Only for a stream read from its beginning in one go: a block cannot be split that began before."""
        self._begun = False
        """The stream is read from its beginning."""
        self._stream = ""
        """Id of the response, where the server keeps it."""
        self._kept = True
        self._said = False
        self._thought = False
        self._refused = False
        self._called = False

    def read(self, data: str, out: list[StreamEvent]) -> None:
        if data.startswith(DONE):
            out += self.finish()
            self._close(None, out)
            return
        event, fault = _decode_event(data)
        if fault:
            out.append(Skipped(fault, data[:SAMPLE]))
        self._take(event, data, out)
        self._mark(event)

    def read_whole(self, data: str, out: list[StreamEvent]) -> bool:
        response, fault = _decode_response(data)
        if response.output is None:
            return False
        if fault:
            out.append(Skipped(fault, data[:SAMPLE]))
        self._think = ThinkSplitter()
        self._say_output(response.output, out)
        self._conclude(response, response.status or "completed", None, out)
        return True

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if thought := self._reasoning.finish():
            out.append(Thinking(thought))
        if text := self._text.finish():
            out += self._split(text)
        return out + (self._think.finish() if self._think is not None else [])

    def error(self, data: str) -> Failure:
        return self._fault(read_body(data))

    def _take(self, event: _Event, data: str, out: list[StreamEvent]) -> None:
        match event.type:
            case "response.output_text.delta":
                self._say(_delta(event), out)
            case "response.refusal.delta":
                self._refuse(_delta(event), out)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._ponder(_delta(event), out)
            case "response.reasoning_summary_part.added":
                self._next_thought(out)
            case "response.output_item.done":
                self._call(event.item, out)
            case "response.created" | "response.in_progress" | "response.queued":
                self._open(event, out)
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                self._end(event, event.type.removeprefix("response."), out)
            case "response.done":
                self._end(event, (event.response and event.response.status) or "completed", out)
            case "error":
                self.break_off(self.error(data), out)
            case "" if event.error:
                self.break_off(self.error(data), out)
            case _:
                pass

    def _open(self, event: _Event, out: list[StreamEvent]) -> None:
        response = event.response or _Response()
        self._kept = response.background is True
        if self._kept:
            self._stream = response.id or self._stream
        else:
            self.place = None
        if event.type == "response.created":
            self._begun = True
            self._think = None if self._kept else ThinkSplitter()
        if event.type == "response.queued":
            out.append(Progress("queued"))

    def _mark(self, event: _Event) -> None:
        if self._kept and not self.over and isinstance(event.sequence_number, int):
            self.place = Place(self._stream, event.sequence_number)

    def _say(self, text: str, out: list[StreamEvent]) -> None:
        if text := self._text.feed(text):
            self._said = True
            out += self._split(text)

    def _split(self, text: str) -> list[Text | Thinking]:
        return [Text(text)] if self._think is None else self._think.feed(text)

    def _refuse(self, text: str, out: list[StreamEvent]) -> None:
        self._refused = True
        out += self.finish()
        if text:
            self._said = True
            out.append(Text(well_formed(text)))

    def _ponder(self, thought: str, out: list[StreamEvent]) -> None:
        if thought := self._reasoning.feed(thought):
            self._thought = True
            out.append(Thinking(thought))

    def _next_thought(self, out: list[StreamEvent]) -> None:
        if self._thought:
            out.append(Thinking("\n\n"))

    def _call(self, item: Any, out: list[StreamEvent]) -> None:
        match item:
            case {"type": "function_call", "name": str(name), "arguments": str(arguments)}:
                out += self.finish()
                line = tool_line(name, arguments)
                out.append(Text(f"\n\n{line}" if self._said else line))
                self._said = self._called = True
            case _:
                pass

    def _end(self, event: _Event, status: str, out: list[StreamEvent]) -> None:
        response = event.response or _Response()
        if self._begun and not (self._said or self._thought):
            # A gateway that buffers sends no deltas, only the response as a whole.
            self._say_output(response.output or [], out)
        self._conclude(response, status, event.error, out)

    def _conclude(self, response: _Response, status: str, told: Any, out: list[StreamEvent]) -> None:
        """The end of a response: its figures, and what became of it."""
        self.place = None
        out += self.finish()
        if response.usage is not None and (counted := _usage(response.usage)) != Usage():
            out.append(counted)
        error = response.error or told
        if status in FAILED or error:
            self._fail(read_error({"error": error}), status, out)
        elif status == "completed":
            self._close("refusal" if self._refused else "tool_calls" if self._called else "stop", out)
        elif status == "incomplete":
            reason = _incomplete(response.incomplete_details)
            self._close(REASONS.get(reason, reason), out)

    def _fail(self, error: ErrorBody | None, status: str, out: list[StreamEvent]) -> None:
        fault = failure(Kind.SERVER, say("fail.finish", reason=status)) if error is None else self._fault(error)
        out.append(Faulted(fault))
        self.over = True

    def _close(self, reason: str | None, out: list[StreamEvent]) -> None:
        out.append(Stopped(reason))
        self.stopped = self.over = True

    def _fault(self, error: ErrorBody) -> Failure:
        found = stream_failure(self.endpoint, error)
        return replace(found, parameter=refused_parameter(error, PARAMETERS))

    def _say_output(self, output: list[Any], out: list[StreamEvent]) -> None:
        for item in output:
            match item:
                case {"type": "reasoning"}:
                    for thought in _thoughts(cast("dict[str, Any]", item)):
                        self._next_thought(out)
                        self._ponder(thought, out)
                case {"type": "message", "content": [*parts]}:
                    self._say_parts(parts, out)
                case _:
                    self._call(item, out)

    def _say_parts(self, parts: list[Any], out: list[StreamEvent]) -> None:
        for part in parts:
            match part:
                case {"type": "refusal", "refusal": str(text)}:
                    self._refuse(text, out)
                case {"text": str(text)}:
                    self._say(text, out)
                case _:
                    pass


def _in_background(ask: Ask, refused: Refused) -> bool:
    """True when the user wants the server to go on writing should the line break."""
    wanted = {**ask.endpoint.extra_body, **ask.settings.extra_body}.get("background") is True
    return wanted and ask.stream and not refused & {"background", "store"}


def _without(ask: Ask, names: Refused) -> Ask:
    """The Ask without these keys of its extra bodies."""
    endpoint = {k: v for k, v in ask.endpoint.extra_body.items() if k not in names}
    settings = {k: v for k, v in ask.settings.extra_body.items() if k not in names}
    return replace(
        ask,
        endpoint=replace(ask.endpoint, extra_body=endpoint),
        settings=replace(ask.settings, extra_body=settings),
    )


def _body(ask: Ask, refused: Refused) -> dict[str, Any]:
    settings = ask.settings
    background = _in_background(ask, refused)
    body: dict[str, Any] = {"model": ask.model, "input": [_item(m, ask) for m in turns(ask)], "stream": ask.stream}
    if settings.system:
        body["instructions"] = settings.system
    if background:
        body |= {"background": True, "store": True}
    elif "store" not in refused | set(ask.endpoint.extra_body):
        body["store"] = False  # the whole conversation is sent each time
    for name in ("temperature", "top_p"):
        if name not in refused and (value := getattr(settings, name)) is not None:
            body[name] = value
    if settings.max_tokens is not None:
        body["max_output_tokens"] = settings.max_tokens
    if settings.reasoning_effort is not None and "reasoning_effort" not in refused:
        body["reasoning"] = {"effort": settings.reasoning_effort}
        if "reasoning.summary" not in refused:
            body["reasoning"]["summary"] = "auto"
    return body


def _item(message: Message, ask: Ask) -> dict[str, Any]:
    kind = "input_text" if message.role == "user" else "output_text"
    parts = [
        {"type": kind, "text": part}
        if isinstance(part, str)
        else {"type": "input_image", "image_url": data_url(part, ask.images)}
        for part in content(message, ask.images)
    ]
    return {"role": message.role, "content": parts}


def _decode_event(data: str) -> tuple[_Event, str]:
    try:
        return typed(data, _events.decode, _Event), ""
    except msgspec.ValidationError as error:
        match value := loose_json(data):
            case {"response": {"usage": _, **response}}:
                return msgspec.convert(value | {"response": response}, _Event, strict=False), str(error)
            case _:
                raise


def _decode_response(data: str) -> tuple[_Response, str]:
    """A response, and what of its figures could not be read: they never cost the text beside them."""
    try:
        return typed(data, _responses.decode, _Response), ""
    except msgspec.ValidationError as error:
        match loose_json(data):
            case {"usage": _, **rest}:
                return msgspec.convert(rest, _Response, strict=False), str(error)
            case _:
                raise


def _delta(event: _Event) -> str:
    if event.delta is None:
        return ""
    if not isinstance(event.delta, str):
        raise ValueError(f"the delta of {event.type} is no text")
    return event.delta


def _thoughts(item: dict[str, Any]) -> Iterator[str]:
    for part in [*(item.get("summary") or ()), *(item.get("content") or ())]:
        match part:
            case {"text": str(text)} if text:
                yield text
            case _:
                pass


def _incomplete(details: Any) -> str:
    match details:
        case {"reason": str(reason)} if reason:
            return reason
        case _:
            return "incomplete"


def _usage(usage: _Usage) -> Usage:
    input_details = usage.input_tokens_details or _InputDetails()
    output_details = usage.output_tokens_details or _OutputDetails()
    return Usage(
        input=tokens(usage.input_tokens),
        cached=tokens(input_details.cached_tokens),
        cache_write=tokens(input_details.cache_write_tokens),
        reasoning=tokens(output_details.reasoning_tokens),
        output=tokens(usage.output_tokens),
        cost=amount(usage.cost),
    )
