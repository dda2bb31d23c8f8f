"""The model list `{"data": [{"id": …}]}`, which most dialects share; each server names the rest in its own way.

Names of the context's size: OpenRouter `context_length`, vLLM `max_model_len`, Groq `context_window`, Anthropic
`max_input_tokens`. Whether a model takes images: OpenRouter and llama.cpp `architecture.input_modalities`, Mistral
`capabilities.vision`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tui_chat.wire.codec import ModelInfo
from tui_chat.wire.request import no_models


class _Model(msgspec.Struct):
    id: str
    name: str | None = None
    display_name: str | None = None
    context_length: int | None = None
    max_model_len: int | None = None
    context_window: int | None = None
    max_input_tokens: int | None = None
    architecture: Any = None
    capabilities: Any = None


class _ModelList(msgspec.Struct):
    data: list[Any] | None


_lists = msgspec.json.Decoder(_ModelList | list[Any])


def read_models(body: bytes) -> list[ModelInfo]:
    """The models of an answer; an entry without an id is left out. Raises Broken for what is no list."""
    try:
        found: _ModelList | list[Any] = _lists.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_models(body, error) from error
    entries = found if isinstance(found, list) else found.data or []
    return [model for entry in entries if (model := _read(entry)) is not None]


def _read(entry: Any) -> ModelInfo | None:
    try:
        model = msgspec.convert(entry, _Model, strict=False)
    except msgspec.ValidationError:
        match entry:
            case {"id": str(name)}:
                return ModelInfo(name)
            case _:
                return None
    context = model.context_length or model.max_model_len or model.context_window or model.max_input_tokens
    return ModelInfo(model.id, model.name or model.display_name, context, _vision(model))


def _vision(model: _Model) -> bool | None:
    match model.architecture, model.capabilities:
        case {"input_modalities": [*kinds]}, _:
            return "image" in kinds
        case _, {"vision": bool(sees)}:
            return sees
        case _:
            return None
