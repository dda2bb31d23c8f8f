"""The dialects by name, each imported when it is first asked for: an endpoint speaks one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_chat.wire.codec import Codec


def _openai_chat() -> Codec:
    from tui_chat.wire.openai_chat import OpenAIChat

    return OpenAIChat()


def _openai_responses() -> Codec:
    from tui_chat.wire.openai_responses import OpenAIResponses

    return OpenAIResponses()


def _anthropic() -> Codec:
    from tui_chat.wire.anthropic import Anthropic

    return Anthropic()


def _gemini() -> Codec:
    from tui_chat.wire.gemini import Gemini

    return Gemini()


_MAKERS = {
    "openai-chat": cache(_openai_chat),
    "openai-responses": cache(_openai_responses),
    "anthropic": cache(_anthropic),
    "gemini": cache(_gemini),
}


class _Dialects(Mapping[str, "Codec"]):
    def __getitem__(self, name: str) -> Codec:
        return _MAKERS[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(_MAKERS)

    def __len__(self) -> int:
        return len(_MAKERS)

    def __contains__(self, name: object) -> bool:
        return name in _MAKERS


DIALECTS = _Dialects()
