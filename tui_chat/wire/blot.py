"""Keeping keys out of what is written down: a request without them, and an answer that may echo one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from tui_chat.domain.endpoint import Secret
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Request

BLOT = "…"
SHORT = 6
"""A key of so few characters is a word of its own (`none`, `x`): blotting it out everywhere would hide nothing."""
GUESSED = 16
"""A value that is taken for a key by its name alone is blotted out elsewhere only from this length on."""
SECRET_NAME = re.compile(r"(key|secret|token|password|passwd|authorization|auth|cookie|credentials?)$", re.IGNORECASE)
"""Names of headers, query parameters and body fields whose value is nobody's business."""
SCHEME = re.compile(r"(?:Bearer|Basic|Token)\s+", re.IGNORECASE)


class Blotter:
    """Replaces every known key by `…`, in text and in a stream of bytes.

    A key is also found as JSON and as a URL would write it. `cut` keeps bytes back that may be the beginning of a
    key until the next ones decide; `rest` gives what is kept back at the end. No character of a key ends a line, so
    no event of a stream waits for that.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        long = [key for key in keys if len(key) > SHORT]
        forms = {f for key in long for f in (key, json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1])}
        forms |= {quote(key, safe="") for key in long}
        self._forms = sorted((well_formed(form).encode() for form in forms), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms))) if forms else None
        self._held = b""

    def text(self, text: str) -> str:
        """The text without keys, and without what UTF-8 cannot express."""
        data = well_formed(text).encode()
        return data.decode() if self._pattern is None else self._pattern.sub(BLOT.encode(), data).decode()

    def cut(self, data: bytes) -> bytes:
        """The next bytes of a stream, as far as they can be given away."""
        if self._pattern is None:
            return data
        data = self._pattern.sub(BLOT.encode(), self._held + data)
        kept = max(_beginning(data, form) for form in self._forms)
        data, self._held = data[: len(data) - kept], data[len(data) - kept :]
        return data

    def rest(self) -> bytes:
        """What was kept back, at the end of the stream."""
        held, self._held = self._held, b""
        return held


def known_keys(endpoint: Endpoint, request: Request | None = None) -> set[str]:
    """Every key and password in an endpoint's settings and, if given, in a request."""
    keys = _given(endpoint.headers) | _passwords(endpoint.base_url) | _passwords(endpoint.proxy or "")
    guesses = _fields(dict(endpoint.extra_body))
    if endpoint.key is not None:
        keys.add(endpoint.key.reveal())
    if request is not None:
        keys |= _given(request.headers) | _passwords(request.url)
        guesses |= _fields(_parsed(request.body))
    return keys | {guess for guess in guesses if len(guess) >= GUESSED and not any(map(str.isspace, guess))}


def clean_failure(failure: Failure, endpoint: Endpoint) -> Failure:
    """The failure without keys: some servers quote the one that they refuse."""
    return replace(failure, message=Blotter(known_keys(endpoint)).text(failure.message))


def clean_headers(headers: Mapping[str, str | Secret], blotter: Blotter) -> dict[str, str]:
    """The headers with `…` for the value of each that is secret."""
    return {
        blotter.text(name): BLOT if isinstance(value, Secret) or SECRET_NAME.search(name) else blotter.text(value)
        for name, value in headers.items()
    }


def clean_url(url: str, blotter: Blotter) -> str:
    """The URL without user name and password, and with `…` for a key among its parameters."""
    parts = urlsplit(url)
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    query = "&".join(n + mark + (BLOT if SECRET_NAME.search(n) else v) for n, mark, v in pairs)
    netloc = parts.netloc.rpartition("@")[2]
    return blotter.text(urlunsplit((parts.scheme, netloc, parts.path, query, "")))


def clean_body(body: bytes, blotter: Blotter) -> str:
    """The body as text, with `…` for the value of each field that is called like a key."""
    parsed = _parsed(body)
    if not _fields(parsed):
        return blotter.text(body.decode("utf-8", "replace"))
    return blotter.text(msgspec.json.encode(_without_fields(parsed)).decode())


def _beginning(data: bytes, form: bytes) -> int:
    """How many bytes at the end of `data` are the beginning of `form`, and not all of it."""
    if data[-1:] not in form[:-1]:
        return 0
    return next((n for n in range(min(len(form) - 1, len(data)), 0, -1) if data.endswith(form[:n])), 0)


def _given(headers: Mapping[str, str | Secret]) -> set[str]:
    found: set[str] = set()
    for name, given in headers.items():
        if isinstance(given, Secret):
            found |= {given.reveal(), SCHEME.sub("", given.reveal(), count=1)}
        elif SECRET_NAME.search(name):
            found |= {given, SCHEME.sub("", given, count=1)}
    return found


def _passwords(url: str) -> set[str]:
    """The password of a URL, or the user name alone, as written and as meant, and the parameters called like a key."""
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    written = {password or user}
    return written | {unquote(w) for w in written} | {v for n, v in parse_qsl(parts.query) if SECRET_NAME.search(n)}


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def _fields(value: object) -> set[str]:
    """The texts in fields that are called like a key."""
    match value:
        case dict():
            table = cast("dict[str, object]", value)
            own = {v for name, v in table.items() if isinstance(v, str) and SECRET_NAME.search(name)}
            return own.union(*map(_fields, table.values()))
        case list() | tuple():
            return set[str]().union(*map(_fields, cast("list[object]", value)))
        case _:
            return set()


def _without_fields(value: object) -> object:
    match value:
        case dict():
            table = cast("dict[str, object]", value)
            return {
                name: BLOT if isinstance(v, str) and SECRET_NAME.search(name) else _without_fields(v)
                for name, v in table.items()
            }
        case list():
            return [_without_fields(v) for v in cast("list[object]", value)]
        case _:
            return value
