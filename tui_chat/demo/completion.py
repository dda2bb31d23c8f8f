"""One completion: what the demo answers to a request, and how it is played onto a connection."""

import asyncio
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.demo import dialect
from tui_chat.demo.answers import Answer, answer, reasoning, seen, stable_hash
from tui_chat.demo.dialect import ChatRequest, Message, Shape, Usage
from tui_chat.demo.http11 import Connection, Head, HttpError, Stream
from tui_chat.demo.models import (
    MODELS_BY_ID,
    STALL_SECONDS,
    Begin,
    DemoModel,
    Fault,
    Finish,
    KeepAlive,
    Malformed,
    Reply,
    Reset,
    Stall,
    Step,
    Token,
    hostile_content,
    script,
)
from tui_chat.demo.request_log import RequestLog
from tui_chat.demo.tokens import pieces, pieces_of_all
from tui_chat.wire.resume import GO_ON

CACHE_BLOCK = 64
SEEDS_TRIED = 256
_CHARACTERS_TRIED = 2_000_000
"""Of a long conversation fewer seeds are tried: each takes reading all of it."""
_CACHE_TOKENS = 65_536
_UNPACED_STALL_SECONDS = 0.02
_STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
_JSON_HEADERS = {"Content-Type": "application/json"}


def find_model(name: str) -> DemoModel:
    """Raises HttpError (404) for a name that is not in the list."""
    model = MODELS_BY_ID.get(name)
    if model is None:
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise HttpError(HTTPStatus.NOT_FOUND, message, code="model_not_found")
    return model


def prompt_tokens(request: ChatRequest, model: DemoModel) -> list[str]:
    """The tokens of all messages. Raises HttpError (400) for too many, and for images where the model takes none."""
    if not model.vision and any(message.images for message in request.messages):
        message = f"The model `{model.id}` does not support image input."
        raise HttpError(HTTPStatus.BAD_REQUEST, message, param="messages")
    texts = (message.text for message in request.messages)
    tokens = list(islice(pieces_of_all(texts), model.context_length + 1))
    if len(tokens) > model.context_length:
        message = f"This model's maximum context length is {model.context_length} tokens. Your messages are longer."
        raise HttpError(HTTPStatus.BAD_REQUEST, message, param="messages", code="context_length_exceeded")
    return tokens


class PromptCache:
    """Remembers the last prompt, to tell how much of the next one is "cached"."""

    def __init__(self) -> None:
        self._previous: Sequence[str] = ()

    def look_up(self, tokens: Sequence[str]) -> int:
        """The length of the prefix shared with the previous prompt, in whole blocks of `CACHE_BLOCK` tokens."""
        shared = 0
        for old, new in zip(self._previous, tokens, strict=False):
            if old != new:
                break
            shared += 1
        self._previous = tokens[:_CACHE_TOKENS]
        return shared // CACHE_BLOCK * CACHE_BLOCK


def text_seed(request: ChatRequest, seed: int) -> int:
    """What decides the wording: seed, temperature, model and messages, less a partial answer at the end."""
    messages, _ = _split(request.messages)
    conversation = [(message.role, message.text) for message in messages]
    return stable_hash(
        request.seed if request.seed is not None else seed, request.temperature, request.model, conversation
    )


def continued_seed(request: ChatRequest, newest: int) -> int | None:
    """The newest of the last seeds whose wording begins with the partial answer; None where there is none."""
    messages, partial = _split(request.messages)
    if not partial or request.seed is not None:
        return None
    tries = _CHARACTERS_TRIED // (1 + sum(len(message.text) for message in messages))
    for seed in range(newest, newest - max(8, min(SEEDS_TRIED, tries)), -1):
        rng = random.Random(text_seed(request, seed))
        before = rng.getstate()
        if _answer(messages, rng).text.startswith(partial):
            return seed
        if rng.getstate() == before:
            # Nothing was chosen, so that all seeds give this text.
            return None
    return None


def conversation_key(request: ChatRequest) -> int:
    """The same for each attempt to send the same messages."""
    return stable_hash([(message.role, message.text) for message in request.messages])


def compose(request: ChatRequest, model: DemoModel, rng: random.Random) -> Reply:
    """The whole reply, already cut by `stop` and by the token limit.

    A partial answer at the end is continued where it is the beginning of the answer.
    """
    messages, partial = _split(request.messages)
    if model.fault is Fault.GARBAGE:
        return Reply((), _after(partial, hostile_content())).limited(request.token_limit)
    question = _question(messages)
    found = _answer(messages, rng)
    thoughts = reasoning(question, found.topic, rng) if model.thinks and not partial else ""
    text = _until_stop(found.text.removeprefix(partial), request.stops)
    return Reply(tuple(pieces(thoughts)), tuple(pieces(text))).limited(request.token_limit)


def continues(request: ChatRequest) -> bool:
    """Whether the request asks to go on from a partial answer."""
    return bool(_split(request.messages)[1])


def _split(messages: Sequence[Message]) -> tuple[Sequence[Message], str]:
    """The conversation, and the partial answer at its end: the last message, or the last but the wish to go on."""
    asked = messages[-1].role == "user" and messages[-1].text == GO_ON
    end = messages[:-1] if asked else messages
    if end and end[-1].role == "assistant" and end[-1].text:
        return end[:-1], end[-1].text
    return messages, ""


def _question(messages: Sequence[Message]) -> str:
    return next((m.text for m in reversed(messages) if m.role == "user"), "")


def _answer(messages: Sequence[Message], rng: random.Random) -> Answer:
    """The answer to the last question, behind what is seen of its images."""
    images = next((m.images for m in reversed(messages) if m.role == "user"), list[str]())
    found = answer(_question(messages), rng)
    return replace(found, text=f"{seen(images)}{found.text}") if images else found


def _after(partial: str, tokens: tuple[str, ...]) -> tuple[str, ...]:
    """The tokens less `partial`, where they begin with it."""
    if not "".join(tokens).startswith(partial):
        return tokens
    left = len(partial)
    for i, token in enumerate(tokens):
        if left < len(token):
            return (token[left:], *tokens[i + 1 :])
        left -= len(token)
    return ()


def _until_stop(text: str, stops: Iterable[str]) -> str:
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


class Pace:
    """Waits until moments of a script. `speed` 2 is twice as fast; 0 waits for nothing."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start = asyncio.get_running_loop().time()

    async def until(self, at: float) -> None:
        """Wait until `at` script seconds after the start; others run at least once meanwhile."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._start + at / self._speed - now) if self._speed else 0)

    async def stall(self) -> None:
        """Wait for one interval between the keep-alives of a stall."""
        await asyncio.sleep(STALL_SECONDS / self._speed if self._speed else _UNPACED_STALL_SECONDS)


class Performance(Struct, frozen=True):
    """Everything that is needed to play one reply onto a connection."""

    connection: Connection
    head: Head
    headers: Mapping[str, str]
    model: DemoModel
    reply: Reply
    shape: Shape
    usage: Usage
    pace: Pace
    rng: random.Random
    entry: RequestLog

    async def stream(self) -> None:
        """Answer with SSE, one token an event."""
        stream = await self._open(_STREAM_HEADERS)
        for step in self._steps():
            await self.pace.until(step.at)
            match step.action:
                case KeepAlive():
                    await stream.write(dialect.KEEP_ALIVE)
                case Begin():
                    await stream.write(self.shape.role_chunk())
                case Token(text, is_reasoning):
                    await stream.write(self.shape.token_chunk(text, reasoning=is_reasoning))
                    self.entry.sent(text, reasoning=is_reasoning)
                case Malformed(data):
                    await stream.write(dialect.event(data.encode()))
                case Reset(text):
                    await stream.write(self.shape.token_chunk(text, reasoning=False))
                    self.entry.sent(text, reasoning=False)
                    await self._reset()
                case Stall():
                    await self._stall(stream, dialect.KEEP_ALIVE)
                case Finish(reason):
                    await self._finish(stream, reason)
                case _:
                    assert_never(step.action)

    async def whole(self) -> None:
        """Answer with one JSON object, when the time a stream would have taken is over."""
        for step in self._steps():
            await self.pace.until(step.at)
            match step.action:
                case Reset():
                    await self._break_body()
                case Stall():
                    await self._stall(await self._open(_JSON_HEADERS), b"\n")
                case Finish():
                    await self._send_whole()
                case _:
                    pass

    def _steps(self) -> Iterator[Step]:
        return script(self.model, self.reply, self.rng)

    async def _open(self, headers: Mapping[str, str]) -> Stream:
        self.entry.status = int(HTTPStatus.OK)
        return await self.connection.open_stream(self.head, {**self.headers, **headers})

    async def _finish(self, stream: Stream, reason: str) -> None:
        await stream.write(self.shape.finish_chunk(reason))
        if self.shape.include_usage:
            await stream.write(self.shape.usage_chunk(self.usage))
        self.entry.end()
        await stream.write(dialect.DONE)
        await stream.end()

    async def _stall(self, stream: Stream, nothing: bytes) -> None:
        while True:
            await self.pace.stall()
            await stream.write(nothing)

    async def _break_body(self) -> None:
        body = self.shape.whole(self.reply, self.usage)
        stream = await self._open(_JSON_HEADERS)
        await stream.write(body[: len(body) // 2])
        await self._reset()

    async def _reset(self) -> None:
        self.entry.end()
        await self.connection.reset()

    async def _send_whole(self) -> None:
        for text in self.reply.reasoning:
            self.entry.sent(text, reasoning=True)
        for text in self.reply.content:
            self.entry.sent(text, reasoning=False)
        self.entry.status = int(HTTPStatus.OK)
        self.entry.end()
        body = self.shape.whole(self.reply, self.usage)
        await self.connection.send(self.head, HTTPStatus.OK, body, self.headers)
