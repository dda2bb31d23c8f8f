"""What every dialect offers: requests out of an Ask, events out of bytes. No sockets here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.ask import Ask, Place, Way
    from tui_chat.domain.endpoint import Endpoint, Secret
    from tui_chat.domain.events import StreamEvent
    from tui_chat.domain.failure import Failure

Refused = frozenset[str]
"""Names of request parameters that an endpoint is known to refuse for a model."""


class Request(Struct, frozen=True):
    """An HTTP request; a Secret among the header values is revealed only where it is sent."""

    method: str
    url: str
    headers: Mapping[str, str | Secret]
    body: bytes = b""


class ModelInfo(Struct, frozen=True):
    """A model that an endpoint offers; `context` in tokens, `vision` where the list says whether it takes images."""

    id: str
    name: str | None = None
    context: int | None = None
    vision: bool | None = None


class Decoder(Protocol):
    """Bytes of one answer -> events; the events are the same however the bytes are cut."""

    @property
    def done(self) -> bool:
        """True once the dialect's end mark came: nothing of the answer follows."""
        ...

    @property
    def place(self) -> Place | None:
        """Where to read on, should the line break; None where the server does not keep its streams."""
        ...

    @property
    def comments(self) -> int:
        """How many keep-alives came that are no data."""
        ...

    def feed(self, data: bytes) -> list[StreamEvent]: ...

    def finish(self) -> list[StreamEvent]:
        """The body is over: what was still held back, or a fault found in what was no event."""
        ...


class Codec(Protocol):
    """One dialect."""

    optional: tuple[str, ...]
    """Parameters that may be dropped when the server refuses them."""

    def encode(self, ask: Ask, refused: Refused) -> Request: ...

    def ways(self, ask: Ask) -> tuple[Way, ...]:
        """How a broken answer to this Ask may go on, the best way first; refused ones are left to the caller."""
        ...

    def decoder(self, endpoint: Endpoint, content_type: str) -> Decoder:
        """A decoder for a successful answer of this content type, streamed or whole."""
        ...

    def error(self, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an answer with an error status means."""
        ...

    def models_request(self, endpoint: Endpoint) -> Request: ...

    def models(self, body: bytes) -> list[ModelInfo]:
        """The model list of an answer; raises Broken when it is none."""
        ...
