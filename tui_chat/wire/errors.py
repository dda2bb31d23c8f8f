"""Error answers -> Failure: the shapes that servers send, and what their words mean.

Shapes seen in the field: `{"error": {message, type, code, param}}`, `{"error": "text"}`, `{message, type, code}`,
`{"detail": "text" | {…} | [{loc, msg}]}`, `{"errors": […]}`, a message that is one of these again (Mistral), a list
of one of these, an HTML page of some proxy, plain text.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Struct

from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.retry import should_retry
from tui_chat.wire.sse import SseDecoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.failure import Failure

STATUS_KINDS = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.PERMISSION,
    404: Kind.NOT_FOUND,
    407: Kind.PROXY,
    408: Kind.SERVER,
    409: Kind.SERVER,
    429: Kind.RATE_LIMIT,
    503: Kind.OVERLOADED,
    529: Kind.OVERLOADED,
}

WORD_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            Kind.CONTEXT_LENGTH,
            r"context.{0,12}(length|window|size)|exceeds? .{0,30}context|maximum context|(prompt|input) is too long"
            r"|token count.{0,40}exceed|reduce the length of the (messages|prompt)",
        ),
        (
            Kind.QUOTA,
            r"insufficient.?(quota|balance|credit|fund)|exceeded your current quota|billing|payment.?required",
        ),
        (Kind.AUTH, r"invalid.?api.?key|incorrect api key|api key not valid|authentication|unauthorized"),
        (Kind.LOADING, r"loading model|model.{0,40}(is )?(being loaded|loading)"),
        (Kind.OVERLOADED, r"overloaded|insufficient_system_resource|over capacity|no capacity"),
        (Kind.RATE_LIMIT, r"rate.?limit|too many requests"),
        (
            Kind.NOT_FOUND,
            r"model.{0,6}not.{0,6}found|model.{0,80}(does not|doesn't) exist|no such model|unknown model|invalid model",
        ),
        (Kind.BLOCKED, r"content.?(filter|policy)|safety|moderation|flagged"),
        (Kind.BAD_REQUEST, r"invalid_(request|prompt|image|base64)|unsupported_(parameter|value)"),
    )
)
"""Which kind the words of an error (its code, type and message) speak of; the first match decides."""

WORDS_DECIDE = {
    None: frozenset(kind for kind, _ in WORD_KINDS),
    400: frozenset({Kind.CONTEXT_LENGTH, Kind.NOT_FOUND, Kind.QUOTA, Kind.AUTH, Kind.BLOCKED}),
    403: frozenset({Kind.QUOTA, Kind.BLOCKED}),
    413: frozenset({Kind.CONTEXT_LENGTH}),
    422: frozenset({Kind.CONTEXT_LENGTH, Kind.NOT_FOUND}),
    429: frozenset({Kind.QUOTA}),
    500: frozenset({Kind.CONTEXT_LENGTH, Kind.LOADING, Kind.OVERLOADED}),
    503: frozenset({Kind.LOADING}),
}
"""The kinds that words may choose under each status; None is an error inside a stream, whose status was 200."""

WORDS_READ = 4000
"""So many characters of an error are looked at for their meaning."""


class ErrorBody(Struct, frozen=True):
    message: str
    code: str = ""
    parameter: str | None = None
    status: int | None = None
    """A status that the body itself names, as inside a stream."""
    page: bool = False
    """True for a web page, which no API sends."""
    shaped: bool = True
    """True when the body has the shape of an error; False for a page and for any other text."""

    @property
    def words(self) -> str:
        return f"{self.code} {self.message}"


def read_error(value: Any) -> ErrorBody | None:
    """The error in a decoded JSON value, or None when it holds none."""
    try:
        return _read_error(value)
    except RecursionError:
        return None


def _read_error(value: Any) -> ErrorBody | None:
    match value:
        case str() if value:
            return ErrorBody(value)
        case [first, *_] | {"errors": [first, *_]}:
            return _read_error(first)
        case {"detail": [{"msg": str(message), "loc": [*loc]}, *_]}:
            places = [str(part) for part in loc]
            return ErrorBody(f"{'.'.join(places)}: {message}", parameter=places[-1] if places else None)
        case {"error": str(code), "message": str(message)} if message:
            return ErrorBody(message, code)
        case {"error": {**fields}} | {"detail": {**fields}} if fields:
            return _read_fields(cast("dict[str, Any]", fields))
        case {"error": (str() | [*_]) as inner} | {"detail": (str() | [*_]) as inner} if inner:
            return _read_error(inner)
        case {"message": message, **fields} if message:
            return _read_fields({"message": message, **cast("dict[str, Any]", fields)})
        case _:
            return None


def _read_fields(error: dict[str, Any]) -> ErrorBody:
    code, parameter = error.get("code"), error.get("param")
    words = " ".join(w for w in (error.get("type"), code, error.get("status")) if isinstance(w, str) and w)
    inner = _read_error(error.get("message")) or _read_error({"error": error.get("error")})
    message = inner.message if inner else words or msgspec.json.encode(error).decode()
    match error:
        case {"metadata": {"raw": str(raw)}} if raw.strip() and raw not in message:
            # OpenRouter's own message says no more than that the provider returned an error.
            message = f"{message}: {read_body(raw).message}"
        case _:
            pass
    return ErrorBody(
        message=message,
        code=words,
        parameter=parameter if isinstance(parameter, str) and parameter else inner and inner.parameter,
        status=_status(code) or _status(error.get("status")),
    )


def _status(value: Any) -> int | None:
    """An HTTP status among an error's fields, where servers put it as a number or as text."""
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else None


def read_body(body: bytes | str) -> ErrorBody:
    """The error that an answer's body tells, whatever its shape."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    text = text.removeprefix("\ufeff").strip()
    if text.startswith(("data:", "event:")):
        # Gateways answer a stream's failed start with its error as an event (LiteLLM).
        text = next((event.data for event in SseDecoder().feed(f"{text}\n\n".encode()) if event.data), text)
    try:
        found = read_error(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        found = None
    if found is not None:
        return found
    if looks_like_page(text):
        title = re.search(r"<title[^>]{0,200}>(.{0,500}?)</title>", text[:65536], re.IGNORECASE | re.DOTALL)
        return ErrorBody(" ".join(html.unescape(title[1]).split()) if title else "", page=True, shaped=False)
    return ErrorBody(" ".join(text[:1000].split()), shaped=False)


def looks_like_page(text: str) -> bool:
    return bool(re.match(r"\s*<(!doctype html|!--|html|head|body|\?xml)", text[:200], re.IGNORECASE))


def kind_of(status: int | None, words: str) -> Kind:
    """The kind of an error by its HTTP status (None: inside a stream) and its words."""
    words = words[:WORDS_READ]
    for kind, pattern in WORD_KINDS:
        if kind in WORDS_DECIDE.get(status, ()) and pattern.search(words):
            return kind
    if status is None:
        return Kind.SERVER
    if status in STATUS_KINDS:
        return STATUS_KINDS[status]
    if status >= 500:
        return Kind.SERVER
    return Kind.BAD_REQUEST if status >= 400 else Kind.PROTOCOL


def http_failure(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The Failure behind an answer with an error status."""
    error = read_body(body)
    if 300 <= status < 400:
        target = headers.get("location", "")
        return failure(Kind.PROTOCOL, say("fail.redirect", status=status, target=target), status=status)
    kind = kind_of(status, error.words)
    if error.page:
        message = say("fail.page", status=status, title=error.message or "?")
        if kind in (Kind.NOT_FOUND, Kind.BAD_REQUEST):
            kind = Kind.PROTOCOL
    else:
        message = error.message or say("fail.status", status=status)
    asked = should_retry(headers)
    return failure(
        kind,
        message,
        status=status,
        retryable=asked,
        parameter=error.parameter,
        source=endpoint.key_source or endpoint.name,
    )


def stream_failure(endpoint: Endpoint, error: ErrorBody) -> Failure:
    """The Failure behind an error object, or a web page, in an answer whose status was 200."""
    if error.page:
        return failure(Kind.PROTOCOL, say("fail.page", status=200, title=error.message or "?"))
    kind = kind_of(None, error.words)
    if kind in (Kind.SERVER, Kind.BAD_REQUEST) and error.status is not None:
        kind = kind_of(error.status, error.words)
    return failure(kind, error.message, parameter=error.parameter, source=endpoint.key_source or endpoint.name)
