"""Error answers -> Failure: the shapes that servers send, and what their words mean.

Shapes seen in the field: `{"error": {message, type, code, param}}`, `{"error": "text"}`, `{"message": …}`,
`{"detail": "text" | [{loc, msg}]}`, a list of one of these, an HTML page of some proxy, plain text.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say
from tui_chat.wire.retry import should_retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.failure import Failure

STATUS_KINDS = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.PERMISSION,
    404: Kind.NOT_FOUND,
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
            r"context.{0,12}(length|window|size)|exceeds? .{0,30}context|maximum context|prompt is too long",
        ),
        (
            Kind.QUOTA,
            r"insufficient.?(quota|balance|credit|fund)|exceeded your current quota|billing|payment.?required",
        ),
        (Kind.AUTH, r"invalid.?api.?key|incorrect api key|authentication|unauthorized"),
        (Kind.LOADING, r"loading model|model.{0,40}(is )?(being loaded|loading)"),
        (Kind.OVERLOADED, r"overloaded|insufficient_system_resource|over capacity|no capacity"),
        (Kind.RATE_LIMIT, r"rate.?limit|too many requests"),
        (
            Kind.NOT_FOUND,
            r"model.{0,6}not.{0,6}found|model.{0,80}(does not|doesn't) exist|no such model|unknown model|invalid model",
        ),
        (Kind.BLOCKED, r"content.?(filter|policy)|safety"),
    )
)
"""Which kind the words of an error (its code, type and message) speak of; the first match decides."""

WORDS_DECIDE = {
    None: frozenset(kind for kind, _ in WORD_KINDS),
    400: frozenset({Kind.CONTEXT_LENGTH, Kind.NOT_FOUND, Kind.QUOTA, Kind.AUTH, Kind.BLOCKED}),
    403: frozenset({Kind.QUOTA}),
    413: frozenset({Kind.CONTEXT_LENGTH}),
    422: frozenset({Kind.CONTEXT_LENGTH, Kind.NOT_FOUND}),
    429: frozenset({Kind.QUOTA}),
    500: frozenset({Kind.CONTEXT_LENGTH, Kind.LOADING, Kind.OVERLOADED}),
    503: frozenset({Kind.LOADING}),
}
"""The kinds that words may choose under each status; None is an error inside a stream, whose status was 200."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    message: str
    code: str = ""
    parameter: str | None = None
    status: int | None = None
    """A status that the body itself names, as inside a stream."""
    page: bool = False
    """True for a web page, which no API sends."""

    @property
    def words(self) -> str:
        return f"{self.code} {self.message}"


def read_error(value: Any) -> ErrorBody | None:
    """The error in a decoded JSON value, or None when it holds none."""
    match value:
        case [first, *_]:
            return read_error(first)
        case {"error": str(message)} if message:
            return ErrorBody(message)
        case {"error": {**inner}} if inner:
            return _fields(cast("dict[str, Any]", inner))
        case {"detail": [{"msg": str(message), "loc": [*loc]}, *_]}:
            places = [str(part) for part in loc]
            return ErrorBody(f"{'.'.join(places)}: {message}", parameter=places[-1] if places else None)
        case {"detail": str(message)} | {"message": str(message)} if message:
            return ErrorBody(message)
        case _:
            return None


def _fields(error: dict[str, Any]) -> ErrorBody:
    code = error.get("code")
    status = code if isinstance(code, int) else error.get("status")
    words = [str(w) for w in (error.get("type"), code, error.get("status")) if isinstance(w, str) and w]
    parameter = error.get("param")
    message = error.get("message")
    return ErrorBody(
        message=message if isinstance(message, str) and message else " ".join(words) or str(error),
        code=" ".join(words),
        parameter=parameter if isinstance(parameter, str) and parameter else None,
        status=status if isinstance(status, int) and 400 <= status <= 599 else None,
    )


def read_body(body: bytes | str) -> ErrorBody:
    """The error that an answer's body tells, whatever its shape."""
    text = (body.decode("utf-8", "replace") if isinstance(body, bytes) else body).strip()
    try:
        found = read_error(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        found = None
    if found is not None:
        return found
    if looks_like_page(text):
        title = re.search(r"<title[^>]*>(.*?)</title>", text[:65536], re.IGNORECASE | re.DOTALL)
        return ErrorBody(" ".join(html.unescape(title[1]).split()) if title else "", page=True)
    return ErrorBody(" ".join(text[:1000].split()))


def looks_like_page(text: str) -> bool:
    return bool(re.match(r"\s*(<!doctype html|<html|<head|<\?xml)", text[:200], re.IGNORECASE))


def kind_of(status: int | None, words: str) -> Kind:
    """The kind of an error by its HTTP status (None: inside a stream) and its words."""
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
    """The Failure behind an error object inside a stream whose status was 200."""
    kind = kind_of(None, error.words)
    if kind is Kind.SERVER and error.status is not None:
        kind = kind_of(error.status, error.words)
    return failure(kind, error.message, parameter=error.parameter, source=endpoint.key_source or endpoint.name)
