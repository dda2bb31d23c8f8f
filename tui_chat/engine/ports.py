"""What the engine needs from outside, declared here and fulfilled elsewhere."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from tui_chat.domain.budget import Budget
from tui_chat.engine.ledger import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from decimal import Decimal

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.events import Learned
    from tui_chat.domain.tokens import Lesson, Ratios
    from tui_chat.engine.clock import Clock
    from tui_chat.wire.codec import Codec, Refused, Request


class Answer(Protocol):
    """An HTTP answer whose headers are here; names of headers are lower case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def connect_s(self) -> float | None:
        """Seconds spent on TCP and TLS; None on a connection that was open already."""
        ...

    @property
    def via(self) -> str | None:
        """The proxy in use."""
        ...

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, in the pieces in which it arrives, decompressed; whoever begins it closes it."""
        ...


class Transport(Protocol):
    def open(self, endpoint: Endpoint, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Send `request`; every foreign exception, here and while reading, comes out as Broken."""
        ...


class Knowledge(Protocol):
    """What was learned about endpoints."""

    def refused(self, endpoint: str, model: str) -> Refused: ...

    def learn(self, fact: Learned) -> None: ...

    def ratios(self, endpoint: str, model: str) -> Ratios:
        """How many bytes a token of this model has."""
        ...

    def learn_ratio(self, endpoint: str, model: str, lesson: Lesson) -> None: ...


class Ledger(Protocol):
    """What was spent, here and by the other programs on the same data; and how long the answers of a model are."""

    def book(self, at: float, usd: Decimal, *, estimated: bool = False) -> None:
        """A request that left `at` epoch seconds has cost `usd`, or about that."""
        ...

    def spent_since(self, at: float) -> Decimal:
        """USD spent since `at` epoch seconds, a moment at which a day begins somewhere."""
        ...

    def estimated_since(self, at: float) -> bool:
        """True when a part of that is an estimate, as it was when the sum was last asked for."""
        ...

    def answered(self, endpoint: str, model: str, tokens: int) -> None:
        """An answer that was completed had so many tokens."""
        ...

    def answer_tokens(self, endpoint: str, model: str) -> float | None:
        """What completed answers of this model had on average; None before the first."""
        ...


class Images(Protocol):
    async def base64(self, digest: str) -> str | None:
        """The bytes of an image, by their SHA-256; None where they are not there any more."""
        ...


class NoImages:
    """Where nothing is kept there are none."""

    async def base64(self, digest: str) -> str | None:
        return None


class Engine(Struct, frozen=True):
    """The engine's tools, put together once by the composition root."""

    transport: Transport
    codec_for: Callable[[str], Codec]
    clock: Clock
    knowledge: Knowledge
    new_id: Callable[[], str] = field(default_factory=lambda: map("n{}".format, count(1)).__next__)
    """Names for turns and runs, each unlike any before."""
    budget: Budget = field(default_factory=Budget)
    ledger: Ledger = field(default_factory=Tally)
    images: Images = field(default_factory=NoImages)
    sees: Callable[[Endpoint, str], bool | None] = lambda endpoint, model: None
    """Whether a model takes images; None where that is not known."""
    blind: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """(origin, model) that have refused images."""
