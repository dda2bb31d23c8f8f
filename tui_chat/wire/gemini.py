"""The dialect gemini: POST /models/MODEL:streamGenerateContent?alt=sse, as Google's Gemini API defines it.

Source: the types of python-genai (events, finish and block reasons, usage) and the published API documentation:
thinking (budgets for Gemini 2.5, levels from Gemini 3 on), error codes of google.rpc with their details (ErrorInfo,
QuotaFailure, RetryInfo). There is no end mark: a stream is whole when a finish reason came. Errors come without
`data:`, as an object or a list of one, also between two events.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from tui_chat.domain.ask import Way
from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.counts import tokens
from tui_chat.wire.errors import http_failure, read_body
from tui_chat.wire.refusals import WORDS_READ, Parameter, refused_parameter
from tui_chat.wire.request import content, get, no_models, post, turns
from tui_chat.wire.resume import refused_way
from tui_chat.wire.stream_decoder import SAMPLE, AnswerDecoder, Reader, typed
from tui_chat.wire.surrogates import PairJoiner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask, Message
    from tui_chat.domain.endpoint import Endpoint, Secret
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Decoder, Refused, Request

FINISH_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
"""Ours for theirs; what is in neither table keeps its name, in lower case."""
BLOCK_REASONS = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "JAILBREAK",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)
FILTERED = "content_filter"
NO_REASON = (None, "", "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED")

BUDGETS = {"none": 0, "off": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24_576}
LEVELS = {"none": "minimal", "off": "minimal", "xhigh": "high", "max": "high"}
"""Names of reasoning_effort that the API calls otherwise."""
THINKING_SINCE, LEVELS_SINCE = (2, 5), (3, 0)
LAST_TRAILING = (3, 5)
"""The last version that goes on with a trailing message of the model; Flash-Lite does not."""

PARAMETERS = (
    Parameter(
        "thinkingConfig",
        (
            *("thinking_config", "thinkingBudget", "thinking_budget", "thinkingLevel", "thinking_level"),
            *("includeThoughts", "include_thoughts", "thinking is", "thinking level", "thinking budget"),
            *("thinking mode", "thinking"),
        ),
        unasked=True,
    ),
    Parameter("systemInstruction", ("system_instruction", "developer instruction"), unasked=True),
    Parameter("temperature"),
    Parameter("top_p", ("topP",)),
    Parameter("seed"),
    Parameter("stop", ("stopSequences", "stop_sequences")),
)

_VERSION = re.compile(r"gemini-(\d{1,2})(?:\.(\d{1,2}))?(?![\d.])", re.IGNORECASE)
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class _Part(msgspec.Struct):
    text: str | None = None
    thought: bool | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    index: int | None = 0
    content: _Content | None = None
    finishReason: str | None = None


class _Feedback(msgspec.Struct):
    blockReason: str | None = None
    blockReasonMessage: str | None = None


class _Response(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    promptFeedback: _Feedback | None = None
    usageMetadata: Any = None
    error: Any = None


class _Usage(msgspec.Struct):
    promptTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None


class _Model(msgspec.Struct):
    name: str
    displayName: str | None = None
    inputTokenLimit: int | None = None
    supportedGenerationMethods: list[str] | None = None


class _ModelList(msgspec.Struct):
    models: list[Any] | None


_Answer: Any = _Response | list[_Response]
_answers = msgspec.json.Decoder(_Answer, strict=False)
_model_lists = msgspec.json.Decoder(_ModelList)


class Gemini:
    """The codec of the dialect; it holds no state."""

    optional: tuple[str, ...] = (*(p.name for p in PARAMETERS), Way.TRAILING)

    def encode(self, ask: Ask, refused: Refused) -> Request:
        method = ":streamGenerateContent?alt=sse" if ask.stream else ":generateContent"
        url = f"{ask.endpoint.base_url.rstrip('/')}/{_path(ask.model)}{method}"
        body = _body(ask, refused)
        # The other bodies are merged by their first level only, and this one is where all settings are.
        config = _config(ask.endpoint.extra_body) | _generation(ask, refused) | _config(ask.settings.extra_body)
        extra = {key: value for key, value in ask.settings.extra_body.items() if key != "generationConfig"}
        if config:
            body["generationConfig"] = config
        return post(replace(ask, settings=replace(ask.settings, extra_body=extra)), url, _key(ask.endpoint), body)

    def ways(self, ask: Ask) -> tuple[Way, ...]:
        version = gemini_version(ask.model)
        old = version is not None and version <= LAST_TRAILING and "flash-lite" not in ask.model.lower()
        return (Way.TRAILING, Way.ASK) if old else (Way.ASK,)

    def decoder(self, endpoint: Endpoint, content_type: str) -> Decoder:
        return AnswerDecoder(ResponseReader(endpoint))

    def error(self, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        found = _judged(http_failure(endpoint, status, headers, body), body, endpoint)
        turned_down = _turned_down(body) if found.kind is Kind.BAD_REQUEST else None
        return replace(found, parameter=turned_down)

    def models_request(self, endpoint: Endpoint) -> Request:
        return get(endpoint, endpoint.base_url.rstrip("/") + "/models?pageSize=1000", _key(endpoint))

    def models(self, body: bytes) -> list[ModelInfo]:
        try:
            entries = _model_lists.decode(body).models or []
        except (msgspec.DecodeError, RecursionError) as error:
            raise no_models(body, error) from error
        return [model for entry in entries if (model := _model(entry)) is not None]


class ResponseReader(Reader):
    """Responses of a stream, or one whole response, or a list of them, -> events."""

    early_errors = True
    error_statuses: Mapping[str, int] = {
        "INVALID_ARGUMENT": 400,
        "FAILED_PRECONDITION": 400,
        "UNAUTHENTICATED": 401,
        "PERMISSION_DENIED": 403,
        "NOT_FOUND": 404,
        "RESOURCE_EXHAUSTED": 429,
        "INTERNAL": 500,
        "UNAVAILABLE": 503,
        "DEADLINE_EXCEEDED": 504,
    }

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._text = PairJoiner()
        self._thought = PairJoiner()
        self._answered = False

    def read(self, data: str, out: list[StreamEvent]) -> None:
        self._read_all(_responses(data), data, out)

    def read_whole(self, data: str, out: list[StreamEvent]) -> bool:
        responses = _responses(data)
        if not any(r.candidates is not None or r.promptFeedback is not None for r in responses):
            return False
        self._read_all(responses, data, out)
        if not self.over:
            out += self.finish()
            if not self.stopped and any(r.candidates for r in responses):
                out.append(Stopped(None))
        return True

    def finish(self) -> list[StreamEvent]:
        out: list[StreamEvent] = []
        if thought := self._thought.finish():
            out.append(Thinking(thought))
        if text := self._text.finish():
            out.append(Text(text))
        return out

    def error(self, data: str) -> Failure:
        return _judged(super().error(data), data, self.endpoint)

    def _read_all(self, responses: list[_Response], data: str, out: list[StreamEvent]) -> None:
        for response in responses:
            if not self.over:
                self._read_response(response, data, out)

    def _read_response(self, response: _Response, data: str, out: list[StreamEvent]) -> None:
        candidates = [candidate for candidate in response.candidates or () if not candidate.index]
        for candidate in candidates:
            for part in (candidate.content.parts if candidate.content else None) or ():
                self._read_part(part, out)
        self._count(response.usageMetadata, data, out)
        reason = next((c.finishReason for c in candidates if c.finishReason not in NO_REASON), None)
        blocked = response.promptFeedback
        if response.error:
            self.break_off(self.error(json.dumps({"error": response.error})), out)
        elif reason is not None:
            self._stop(reason, out)
        elif blocked is not None and blocked.blockReason not in NO_REASON and not candidates:
            why = ": ".join(filter(None, (blocked.blockReason, blocked.blockReasonMessage)))
            self._block(say("fail.prompt_blocked", reason=why), out)

    def _read_part(self, part: _Part, out: list[StreamEvent]) -> None:
        if not part.text:
            return
        if part.thought:
            if thought := self._thought.feed(part.text):
                out.append(Thinking(thought))
        elif text := self._text.feed(part.text):
            self._answered = True
            out.append(Text(text))

    def _count(self, counters: Any, data: str, out: list[StreamEvent]) -> None:
        if counters is None:
            return
        try:
            usage = _usage(msgspec.convert(counters, _Usage, strict=False))
        except msgspec.ValidationError as error:
            out.append(Skipped(str(error), data[:SAMPLE]))
            return
        if usage != Usage():
            out.append(usage)

    def _stop(self, reason: str, out: list[StreamEvent]) -> None:
        if self.stopped:
            return
        out += self.finish()
        if reason in BLOCK_REASONS and not self._answered:
            self._block(say("fail.blocked", reason=reason), out)
            return
        self.stopped = True
        out.append(Stopped(FILTERED if reason in BLOCK_REASONS else FINISH_REASONS.get(reason, reason.lower())))

    def _block(self, message: str, out: list[StreamEvent]) -> None:
        """Nothing will be answered; a finish reason of ours would not tell which of theirs it was."""
        out.append(Faulted(failure(Kind.BLOCKED, message)))
        self.over = True


def gemini_version(model: str) -> tuple[int, int] | None:
    """(major, minor) in the name of a Gemini; None for other names, and where a name has none."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else None


def _responses(data: str) -> list[_Response]:
    answer: _Response | list[_Response] = typed(data, _answers.decode, _Answer)
    return [answer] if isinstance(answer, _Response) else answer


def _path(model: str) -> str:
    return quote(model if "/" in model else f"models/{model}", safe="/")


def _key(endpoint: Endpoint) -> dict[str, str | Secret]:
    return {"x-goog-api-key": endpoint.key} if endpoint.key else {}


def _body(ask: Ask, refused: Refused) -> dict[str, Any]:
    contents: list[dict[str, Any]] = [
        {"role": "user" if message.role == "user" else "model", "parts": _parts(message, ask)} for message in turns(ask)
    ]
    system = ask.settings.system
    if not system or not system.strip():
        return {"contents": contents}
    instruction = {"text": system}
    if "systemInstruction" not in refused:
        return {"systemInstruction": {"parts": [instruction]}, "contents": contents}
    if not contents or contents[0]["role"] != "user":
        contents.insert(0, {"role": "user", "parts": []})
    contents[0]["parts"].insert(0, instruction)
    return {"contents": contents}


def _parts(message: Message, ask: Ask) -> list[dict[str, Any]]:
    return [
        {"text": part}
        if isinstance(part, str)
        else {"inlineData": {"mimeType": part.mime, "data": ask.images[part.digest]}}
        for part in content(message, ask.images)
    ]


def _generation(ask: Ask, refused: Refused) -> dict[str, Any]:
    settings = ask.settings
    wanted = {
        "temperature": ("temperature", settings.temperature),
        "top_p": ("topP", settings.top_p),
        "max_tokens": ("maxOutputTokens", settings.max_tokens),
        "seed": ("seed", settings.seed),
        "stop": ("stopSequences", list(settings.stop) or None),
        "thinkingConfig": ("thinkingConfig", _thinking(ask)),
    }
    return {key: value for name, (key, value) in wanted.items() if value is not None and name not in refused}


def _thinking(ask: Ask) -> dict[str, Any] | None:
    """How hard to think, in the way that the model understands; None for a model that is not known to think."""
    effort, version = ask.settings.reasoning_effort, gemini_version(ask.model)
    if effort is None:
        return {"includeThoughts": True} if version is not None and version >= THINKING_SINCE else None
    shown = {"includeThoughts": effort not in ("none", "off")}
    if version is not None and version < LEVELS_SINCE:
        return shown | {"thinkingBudget": BUDGETS.get(effort, BUDGETS["high"])}
    return shown | {"thinkingLevel": LEVELS.get(effort, effort)}


def _config(extra: Mapping[str, Any]) -> dict[str, Any]:
    match extra.get("generationConfig"):
        case {**config}:
            return cast("dict[str, Any]", config)
        case _:
            return {}


def _judged(found: Failure, body: bytes | str, endpoint: Endpoint) -> Failure:
    """The failure with what the details add: bad keys come as 400, and every limit reads like an empty account."""
    details = _details(body)
    kind = found.kind
    reasons = {detail.get("reason") for detail in details}
    if "API_KEY_INVALID" in reasons or "unregistered callers" in found.message:
        kind = Kind.AUTH
    delay = next((seconds for detail in details if (seconds := _delay(detail)) is not None), None)
    if kind in (Kind.QUOTA, Kind.RATE_LIMIT) and (delay is not None or _limits(details)):
        lasting = any("PerDay" in limit for limit in _limits(details)) or "limit: 0" in found.message
        kind = Kind.QUOTA if lasting else Kind.RATE_LIMIT
    if kind is not found.kind:
        source = endpoint.key_source or endpoint.name
        found = failure(kind, found.message, status=found.status, source=source)
    return replace(found, retry_after=delay)


def _details(body: bytes | str) -> list[dict[str, Any]]:
    """The details of an error, whether it comes in a list or by itself."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return []
    match value:
        case [{"error": {"details": [*details]}}, *_] | {"error": {"details": [*details]}}:
            return [detail for detail in details if isinstance(detail, dict)]
        case _:
            return []


def _delay(detail: dict[str, Any]) -> float | None:
    """Seconds of a RetryInfo: a decimal number and an s."""
    delay = detail.get("retryDelay")
    found = _DELAY.fullmatch(delay) if isinstance(delay, str) else None
    return float(found[1]) if found and float(found[1]) > 0 else None


def _limits(details: list[dict[str, Any]]) -> list[str]:
    """Names of the limits that were passed."""
    names: list[str] = []
    for detail in details:
        for violation in detail.get("violations") or ():
            match violation:
                case {"quotaId": str(name)}:
                    names.append(name)
                case _:
                    pass
    return names


def _turned_down(body: bytes) -> str | None:
    """The droppable parameter, or the way to go on, that an error refuses."""
    error = read_body(body)
    if refused_way(error.message[:WORDS_READ]) is Way.TRAILING:
        return Way.TRAILING
    return refused_parameter(error, PARAMETERS)


def _usage(counted: _Usage) -> Usage:
    thoughts = tokens(counted.thoughtsTokenCount)
    return Usage(
        input=_sum(tokens(counted.promptTokenCount), tokens(counted.toolUsePromptTokenCount)),
        cached=tokens(counted.cachedContentTokenCount),
        reasoning=thoughts,
        output=_sum(tokens(counted.candidatesTokenCount), thoughts),
    )


def _sum(*counts: int | None) -> int | None:
    """The sum of what is said; None where nothing is."""
    said = [count for count in counts if count is not None]
    return sum(said) if said else None


def _model(entry: Any) -> ModelInfo | None:
    """A model of the list that can answer; an entry without a name is none."""
    try:
        model = msgspec.convert(entry, _Model, strict=False)
    except msgspec.ValidationError:
        match entry:
            case {"name": str(name)}:
                return ModelInfo(name.removeprefix("models/"))
            case _:
                return None
    if model.supportedGenerationMethods is not None and "generateContent" not in model.supportedGenerationMethods:
        return None
    return ModelInfo(model.name.removeprefix("models/"), model.displayName, model.inputTokenLimit)
