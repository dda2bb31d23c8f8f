"""The dialects by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.wire.anthropic import Anthropic
from tui_chat.wire.gemini import Gemini
from tui_chat.wire.openai_chat import OpenAIChat
from tui_chat.wire.openai_responses import OpenAIResponses

if TYPE_CHECKING:
    from tui_chat.wire.codec import Codec

DIALECTS: dict[str, Codec] = {
    "openai-chat": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
}
