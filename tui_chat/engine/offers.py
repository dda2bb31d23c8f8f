"""The models that an endpoint offers."""

from __future__ import annotations

from contextlib import aclosing
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tui_chat.domain.endpoint import key_trouble
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.domain.words import say
from tui_chat.engine.guard import Guard, Interrupted
from tui_chat.wire.blot import clean_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.ports import Answer, Engine
    from tui_chat.wire.codec import ModelInfo

LIMIT_S = 10.0
BODY_LIMIT = 16 * 1024 * 1024


KEY_TROUBLE = frozenset({Kind.AUTH, Kind.PERMISSION})
NO_WAY = frozenset(
    {Kind.DNS, Kind.REFUSED, Kind.RESET, Kind.TLS, Kind.PROXY, Kind.CONNECT_TIMEOUT, Kind.FIRST_TOKEN_TIMEOUT}
)
"""Failures of the network: a message would meet them too."""


async def offers(engine: Engine, endpoint: Endpoint, hear: Callable[[Answer], None] | None = None) -> list[ModelInfo]:
    """The endpoint's model list, asked within 10 s, or its first-token limit if shorter; raises Broken.

    This is also how a key is checked. `hear` gets the answer, whatever its status, when its headers are here.
    """
    trouble = key_trouble(endpoint)
    if trouble is not None:
        raise Broken(trouble)
    work = Guard(_ask(engine, endpoint, hear))
    seconds = min(LIMIT_S, endpoint.timeouts.first_token or LIMIT_S)
    late = failure(Kind.FIRST_TOKEN_TIMEOUT, say("fail.no_answer", seconds=seconds))
    timer = engine.clock.call_later(seconds, lambda: work.interrupt(late))
    try:
        return await work.result()
    except Interrupted as interrupted:
        raise Broken(interrupted.cause or late) from None
    finally:
        timer.cancel()


def nearest(model: str, offered: list[ModelInfo], count: int = 3) -> list[str]:
    """The offered names most like `model`, best first."""
    return get_close_matches(model, [m.id for m in offered], n=count, cutoff=0.0)


async def read_all(answer: Answer, limit: int) -> bytes:
    """The body of an answer, cut at `limit` bytes."""
    body = bytearray()
    async with aclosing(answer.chunks()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


async def check_key(engine: Engine, endpoint: Endpoint) -> Failure | None:
    """What stands between a message and this endpoint: its key is missing or refused, or no way leads there.

    None as well where the server answers and merely has no list of models: then a message may still be answered.
    """
    try:
        await offers(engine, endpoint)
    except Broken as broken:
        return broken.failure if broken.failure.kind in KEY_TROUBLE | NO_WAY else None
    return None


async def _ask(engine: Engine, endpoint: Endpoint, hear: Callable[[Answer], None] | None) -> list[ModelInfo]:
    codec = engine.codec_for(endpoint.dialect)
    async with engine.transport.open(endpoint, codec.models_request(endpoint)) as answer:
        if hear is not None:
            hear(answer)
        body = await read_all(answer, BODY_LIMIT)
        if answer.status != 200:
            found = codec.error(endpoint, answer.status, answer.headers, body)
            raise Broken(clean_failure(found, endpoint))
    return codec.models(body)
