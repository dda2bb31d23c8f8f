"""The four dialects side by side: the same answer in each of them, for what must hold in all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.kit import fixtures_anthropic as claude
from tests.kit import fixtures_gemini as gemini
from tests.kit import fixtures_responses as responses
from tests.kit import wire
from tests.kit.fixtures_openai import sse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kit.transport import Script


@dataclass(frozen=True)
class Tongue:
    name: str
    say: Callable[[str], bytes]
    think: Callable[[str], bytes]
    stop: Callable[[str], bytes]
    """The end of an answer, by our finish_reason, as far as the dialect has one before its end mark."""
    begin: bytes = b""
    """What comes before the first token and holds none."""
    end: bytes = b""
    """The end mark."""
    busy: bytes = b""
    """An error inside the stream: the model is overloaded."""
    endpoint: dict[str, Any] = field(default_factory=dict[str, Any])

    def answer(self, text: str = "Hello", reason: str = "stop") -> Script:
        """A whole answer."""
        pieces = (self.begin, self.say(text), self.stop(reason), self.end)
        return [piece for piece in pieces if piece]


def _ended(reason: str) -> bytes:
    if reason == "length":
        return sse(responses.ended("incomplete", incomplete_details={"reason": "max_output_tokens"}))
    return sse(responses.ended("completed"))


CHAT = Tongue(
    name="chat",
    say=wire.said,
    think=wire.thought,
    stop=wire.stopped,
    begin=wire.delta(role="assistant"),
    end=wire.DONE,
    busy=wire.event({"error": {"message": "Overloaded", "type": "overloaded_error"}}),
)
CLAUDE = Tongue(
    name="anthropic",
    say=lambda text: claude.say_text(json.dumps(text)[1:-1]),
    think=lambda text: claude.think(json.dumps(text)[1:-1]),
    stop=lambda reason: claude.stop({"stop": "end_turn", "length": "max_tokens"}.get(reason, reason)),
    begin=claude.start(),
    end=claude.END,
    busy=claude.error("overloaded_error", "Overloaded"),
    endpoint={"dialect": "anthropic", "base_url": "https://api.anthropic.com"},
)
GEMINI = Tongue(
    name="gemini",
    say=lambda text: gemini.sse(gemini.say_text(json.dumps(text)[1:-1])),
    think=lambda text: gemini.sse(gemini.think(json.dumps(text)[1:-1])),
    stop=lambda reason: gemini.sse(gemini.stop({"stop": "STOP", "length": "MAX_TOKENS"}.get(reason, reason))),
    begin=gemini.sse('{"usageMetadata":{"promptTokenCount":3}}'),
    busy=gemini.error(503, gemini.OVERLOADED, "UNAVAILABLE").encode() + b"\n",
    endpoint={"dialect": "gemini", "base_url": "https://generativelanguage.googleapis.com/v1beta"},
)
RESPONSES = Tongue(
    name="responses",
    say=lambda text: sse(responses.said(text)),
    think=lambda text: sse(responses.thought(text)),
    stop=_ended,
    begin=sse(responses.created()),
    busy=sse(responses.event("error", code="server_error", message="Overloaded")),
    endpoint={"dialect": "openai-responses"},
)
TONGUES = (CHAT, CLAUDE, GEMINI, RESPONSES)
