"""The OpenAI chat-completions dialect as a server speaks it: requests in, chunks and answers out."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Struct

from tui_chat.demo.http11 import HttpError
from tui_chat.demo.models import MODELS, Reply

MODELS_CREATED = 1_735_689_600
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

_Limit = Annotated[int, msgspec.Meta(ge=1)]


class ImageUrl(msgspec.Struct):
    url: str


class ContentPart(msgspec.Struct):
    """One part of a content list; parts that carry neither text nor an image count as empty."""

    type: str
    text: str = ""
    image_url: ImageUrl | None = None


class Message(msgspec.Struct):
    role: str
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or ())

    @property
    def images(self) -> list[str]:
        """The addresses of its images."""
        if self.content is None or isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if part.image_url is not None]


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The body of POST /v1/chat/completions; fields that are not listed are ignored."""

    model: str
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    continue_final_message: bool = False
    """vLLM's parameter for going on with a last message of the assistant's."""

    @property
    def token_limit(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def stops(self) -> list[str]:
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [stop for stop in stops if stop]

    @property
    def include_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


_REQUEST = msgspec.json.Decoder(ChatRequest)


def parse_chat_request(body: bytes) -> ChatRequest:
    """Decode a request. Raises HttpError (400) that names the offending parameter where there is one."""
    try:
        return _REQUEST.decode(body)
    except msgspec.ValidationError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, str(error), param=_param(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The body of the request could not be parsed as JSON: {error}"
        raise HttpError(HTTPStatus.BAD_REQUEST, message) from None


def _param(message: str) -> str | None:
    """The parameter a validation message is about: "messages[0].content" of "... - at `$.messages[0].content`"."""
    found = re.search(r"`\$\.([^`]+)`$", message) or re.search(r"required field `([^`]+)`$", message)
    return found[1] if found else None


class Usage(Struct, frozen=True):
    """Token counts; `cached` is part of `prompt`, `reasoning` is part of `completion`."""

    prompt: int
    cached: int
    completion: int
    reasoning: int

    def payload(self) -> dict[str, object]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


class Shape(Struct, frozen=True):
    """Writes the chunks, or the whole answer, of one completion. `created` is in Unix seconds."""

    id: str
    created: int
    model: str
    include_usage: bool

    def role_chunk(self) -> bytes:
        return self._choice_chunk({"role": "assistant", "content": ""})

    def token_chunk(self, text: str, *, reasoning: bool) -> bytes:
        return self._choice_chunk({"reasoning_content" if reasoning else "content": text})

    def finish_chunk(self, reason: str) -> bytes:
        return self._choice_chunk({}, reason)

    def usage_chunk(self, usage: Usage) -> bytes:
        return self._chunk([], {"usage": usage.payload()})

    def whole(self, reply: Reply, usage: Usage) -> bytes:
        message: dict[str, object] = {"role": "assistant", "content": "".join(reply.content), "refusal": None}
        if reply.reasoning:
            message["reasoning_content"] = "".join(reply.reasoning)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        return msgspec.json.encode({**self._common("chat.completion"), "choices": [choice], "usage": usage.payload()})

    def _choice_chunk(self, delta: Mapping[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._chunk([choice], {"usage": None} if self.include_usage else {})

    def _chunk(self, choices: Sequence[Mapping[str, object]], extra: Mapping[str, object]) -> bytes:
        return event(msgspec.json.encode({**self._common("chat.completion.chunk"), "choices": choices, **extra}))

    def _common(self, kind: str) -> dict[str, object]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_demo",
        }


def event(data: bytes) -> bytes:
    """One SSE event."""
    return b"data: %b\n\n" % data


def error_body(error: HttpError) -> bytes:
    return msgspec.json.encode(
        {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}}
    )


def model_list() -> bytes:
    """The body of GET /v1/models."""
    entries = [
        {
            "id": model.id,
            "object": "model",
            "created": MODELS_CREATED,
            "owned_by": "tui-chat demo",
            "name": model.name,
            "context_length": model.context_length,
            "description": model.description,
            "architecture": {"input_modalities": ["text", *["image"] * model.vision]},
        }
        for model in MODELS
    ]
    return msgspec.json.encode({"object": "list", "data": entries})
