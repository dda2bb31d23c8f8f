"""An Ask: everything that decides one request, and nothing that happens to it."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.endpoint import Endpoint

Role = Literal["user", "assistant"]


class Settings(Struct, frozen=True):
    """How to answer; None leaves the choice to the server."""

    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def over(self, base: Settings) -> Settings:
        """These settings where they say something, `base` elsewhere; extra bodies are merged."""
        empty = Settings()
        said = {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) != getattr(empty, name) and name != "extra_body"
        }
        return replace(base, **said, extra_body={**base.extra_body, **self.extra_body})


class Message(Struct, frozen=True):
    role: Role
    text: str
    """With its images, each in its place: see `domain.images`."""


IMAGE = "](tui-chat:"
"""Without it a text holds no image."""


def in_words(text: str) -> str:
    """A message's text with words in the places of its images."""
    if IMAGE not in text:
        return text
    # Few messages have any, and a start has none.
    from tui_chat.domain.images import Image, parts

    return "".join(part.words if isinstance(part, Image) else part for part in parts(text))


class Way(StrEnum):
    """How an answer that was broken off goes on."""

    STREAM = "stream"
    """The server has gone on writing; its stream is read from where it was left."""
    PREFIX = "prefix"
    """The last message is the assistant's, marked as a prefix (DeepSeek, Mistral)."""
    CONTINUE = "continue_final_message"
    """The last message is the assistant's, and a parameter asks to go on with it (vLLM, llama.cpp)."""
    TRAILING = "trailing"
    """The last message is the assistant's; servers that understand it go on with it, others begin anew."""
    ASK = "ask"
    """A user's message holds the text so far and asks to go on."""

    @property
    def exact(self) -> bool:
        """True when the server takes up the very character at which the text ends."""
        return self in (Way.STREAM, Way.PREFIX, Way.CONTINUE)


class Place(Struct, frozen=True):
    """Where in a stream that the server keeps one has read to."""

    stream: str
    """Id of the stream, as the server gave it."""
    sequence: int
    """Number of the last event that was read."""


class Continuation(Struct, frozen=True):
    """What an answer goes on from: what came so far, and how to ask for the rest."""

    text: str
    reasoning: str = ""
    place: Place | None = None
    way: Way | None = None
    """None until the engine has chosen one; a codec is only asked with a way."""


class Ask(Struct, frozen=True):
    """One question to one model at one endpoint."""

    endpoint: Endpoint
    model: str
    messages: tuple[Message, ...]
    settings: Settings = Settings()
    stream: bool = True
    continuation: Continuation | None = None
    """Set when the request asks for the rest of an answer that was broken off."""
    images: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The images that go along, as base64 by their digests; those of the messages that are not here go as words."""
