"""What the requests of all dialects have in common, and the model lists that are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from tui_chat.domain.ask import IMAGE, Message, Way
from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.domain.images import Image, parts
from tui_chat.domain.words import say
from tui_chat.wire.codec import Request
from tui_chat.wire.errors import read_body
from tui_chat.wire.resume import GO_ON
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.endpoint import Endpoint


def post(ask: Ask, url: str, headers: Mapping[str, str | Secret], body: Mapping[str, Any]) -> Request:
    """The request of an Ask: over the endpoint's extra body the dialect's, over both that of the settings."""
    own: dict[str, str | Secret] = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if ask.stream else "application/json",
        **headers,
    }
    merged = {**ask.endpoint.extra_body, **body, **ask.settings.extra_body}
    return Request("POST", url, _merged(ask.endpoint, own), json_body(merged))


def get(endpoint: Endpoint, url: str, headers: Mapping[str, str | Secret]) -> Request:
    return Request("GET", url, _merged(endpoint, {"Accept": "application/json", **headers}))


def bearer(endpoint: Endpoint) -> dict[str, str | Secret]:
    """The key as most servers want it."""
    return {"Authorization": Secret(f"Bearer {endpoint.key.reveal()}")} if endpoint.key else {}


def turns(ask: Ask) -> list[Message]:
    """The messages, with what came of a broken answer; the roles take turns and none is blank: some servers insist."""
    messages = list(ask.messages)
    if (partial := ask.continuation) is not None and partial.text.strip():
        messages.append(Message("assistant", partial.text))
        if partial.way is not Way.TRAILING:
            messages.append(Message("user", GO_ON))
    merged: list[Message] = []
    for message in messages:
        if not message.text.strip():
            continue
        if merged and merged[-1].role == message.role:
            message = Message(message.role, f"{merged.pop().text}\n\n{message.text}")
        merged.append(message)
    return merged


def content(message: Message, images: Mapping[str, str]) -> list[str | Image]:
    """What a message holds: texts that are not blank, and those of its images whose bytes are in `images`."""
    if message.role != "user" or IMAGE not in message.text:
        return [message.text]
    out: list[str | Image] = []
    for part in parts(message.text):
        if isinstance(part, Image) and part.digest in images:
            out.append(part)
            continue
        words = part if isinstance(part, str) else part.words
        if out and isinstance(last := out[-1], str):
            out[-1] = last + words
        else:
            out.append(words)
    return [part for part in out if not isinstance(part, str) or part.strip()]


def data_url(image: Image, images: Mapping[str, str]) -> str:
    return f"data:{image.mime};base64,{images[image.digest]}"


def json_body(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        # An argument or a paste that was not UTF-8 holds lone surrogates.
        return well_formed(json.dumps(body, ensure_ascii=False)).encode()


def no_models(body: bytes, fault: Exception) -> Broken:
    """What to raise for an answer that should have been a model list."""
    error = read_body(body)
    if error.page:
        return Broken(failure(Kind.PROTOCOL, say("fail.page", status=200, title=error.message or "?")))
    return Broken(failure(Kind.PROTOCOL, say("fail.models", fault=error.message if error.shaped else fault)))


def _merged(endpoint: Endpoint, own: Mapping[str, str | Secret]) -> dict[str, str | Secret]:
    """The dialect's headers, and over them the endpoint's own; names match in any case."""
    replaced = {name.lower() for name in endpoint.headers}
    return {name: value for name, value in own.items() if name.lower() not in replaced} | dict(endpoint.headers)
