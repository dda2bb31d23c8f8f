"""An Ask: everything that decides one request, and nothing that happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.domain.endpoint import Endpoint

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Settings:
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
            f.name: value
            for f in fields(self)
            if (value := getattr(self, f.name)) != getattr(empty, f.name) and f.name != "extra_body"
        }
        return replace(base, **said, extra_body={**base.extra_body, **self.extra_body})


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to one model at one endpoint."""

    endpoint: Endpoint
    model: str
    messages: tuple[Message, ...]
    settings: Settings = Settings()
    stream: bool = True
