"""The list of models."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.kit import HANG, PATIENT, Head, Pause, Script, Stage, cut, model_list, models, refusal, ticks
from tui_chat.domain.endpoint import Secret, Timeouts
from tui_chat.domain.failure import Broken, Kind
from tui_chat.engine.offers import nearest, offers
from tui_chat.wire.codec import ModelInfo


async def asked(*script: Any, **changes: Any) -> tuple[Stage, list[ModelInfo] | Broken]:
    stage = Stage(list(script), **changes)
    try:
        found = await stage.clock.finish(offers(stage.engine, stage.endpoint))
    except Broken as broken:
        found = broken
    stage.assert_clean()
    return stage, found


async def test_names() -> None:
    stage, found = await asked(*models("b", "a"))
    assert found == [ModelInfo("b"), ModelInfo("a")]
    (request,) = stage.transport.requests
    assert (request.method, request.url, request.body) == ("GET", "https://api.openai.com/v1/models", b"")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (refusal(401), Kind.AUTH),
        (refusal(404), Kind.NOT_FOUND),
        (refusal(500), Kind.SERVER),
        ([Head(302, {"location": "https://else.example"})], Kind.PROTOCOL),
        ([cut(Kind.TLS)], Kind.TLS),
        ([Head(200), cut()], Kind.RESET),
        ([Head(200), b"<!doctype html><title>Login</title>"], Kind.PROTOCOL),
        ([Head(200), b'{"data": 3}'], Kind.PROTOCOL),
        ([Head(200)], Kind.PROTOCOL),
    ],
)
async def test_trouble(script: Script, kind: Kind) -> None:
    _, found = await asked(*script)
    assert isinstance(found, Broken)
    assert found.failure.kind is kind


async def test_a_key_that_the_server_quotes_is_not_shown() -> None:
    _, found = await asked(*refusal(401, "no such key: sk-secret-12345"), key=Secret("sk-secret-12345"))
    assert isinstance(found, Broken)
    assert found.failure.message == "no such key: …"


@pytest.mark.parametrize(
    ("script", "limits", "seconds"),
    [
        ([HANG], Timeouts(), 10),
        ([Head(), HANG], Timeouts(), 10),
        ([Head(), *[Pause(3), b" "] * 9], PATIENT, 10),
        ([HANG], Timeouts(first_token=2), 2),
    ],
)
async def test_late(script: Script, limits: Timeouts, seconds: float) -> None:
    stage, found = await asked(*script, timeouts=limits)
    assert isinstance(found, Broken)
    assert found.failure.kind is Kind.FIRST_TOKEN_TIMEOUT
    assert f"{seconds:g} s" in found.failure.message
    assert stage.clock.now() == seconds


async def test_just_in_time() -> None:
    _, found = await asked(Pause(9.9), *models("m"))
    assert found == [ModelInfo("m")]


@pytest.mark.parametrize("changes", [{"needs_key": True}, {"key": Secret("<your key>")}])
async def test_a_key_that_may_not_be_sent(changes: dict[str, Any]) -> None:
    stage, found = await asked(**changes)
    assert isinstance(found, Broken)
    assert found.failure.kind is Kind.AUTH
    assert stage.transport.requests == []


async def test_an_endless_list_is_cut() -> None:
    _, found = await asked(Head(200), *[b" " * 4_000_000] * 9)
    assert isinstance(found, Broken)


@pytest.mark.parametrize("script", [models("m"), [HANG], [Head(), HANG], refusal(500)])
async def test_cancelled_at_every_await(script: Script) -> None:
    for count in range(1, 60):
        stage = Stage(script)
        asking = asyncio.ensure_future(offers(stage.engine, stage.endpoint))
        await ticks(count)
        late = asking.done()
        asking.cancel()
        await ticks(1)
        asking.cancel()
        await stage.clock.settle()
        assert asking.cancelled() != late
        if late:
            asking.exception()
        stage.assert_clean()


@pytest.mark.parametrize(
    ("model", "offered", "near"),
    [
        ("gpt-5-mni", ["whisper-1", "gpt-5", "gpt-5-mini", "gpt-4.1-mini"], ["gpt-5-mini", "gpt-4.1-mini", "gpt-5"]),
        ("m", [], []),
        ("zzz", ["aaa", "bbb"], ["bbb", "aaa"]),
    ],
)
def test_nearest(model: str, offered: list[str], near: list[str]) -> None:
    assert nearest(model, [ModelInfo(name) for name in offered]) == near


def test_model_list_is_what_servers_send() -> None:
    assert model_list("a").startswith(b'{"object": "list"')
