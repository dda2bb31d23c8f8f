"""The list of models: what it says of each, how it is ordered and found in, and the endpoints beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList

from tests.kit.screen import Chat, opened
from tests.kit.serving import Asked, Canned, CannedServer, canned_server
from tui_chat.domain.words import say
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.first_run import FirstRun
from tui_chat.ui.screens.models import ModelPicker

KEY = "sk-test-3fA9dQ7Lx2"
MOST_MS = 150.0
"""Of processor time for one key in a list of 500, several times what it takes."""
PRICES = """
endpoint = "openai"
[prices."openai/zeta"]
input = 1.5
output = 3
[prices."openai/alpha"]
input = 0.1
output = 0.2
context = 2000
[endpoints.free]
base_url = "http://127.0.0.1:9/v1"
[endpoints.work]
base_url = "https://gateway.example/v1"
api_key_env = "WORK_KEY"
"""
MODELS = [
    {"id": "zeta"},
    {"id": "vendor/beta-4.1-mini", "name": "Bêta Mini", "context_length": 1_000_000},
    {"id": "alpha"},
    {"id": "gamma", "name": "Gamma Großer Wagen"},
]


@pytest.fixture
def listed() -> list[dict[str, object]]:
    return list(MODELS)


@pytest.fixture
def server(listed: list[dict[str, object]]) -> Iterator[CannedServer]:
    def answer(_: Asked) -> Canned:
        return Canned(json.dumps({"data": listed}).encode())

    with canned_server(answer) as running:
        yield running


@pytest.fixture
def env(tmp_path: Path, server: CannedServer) -> dict[str, str]:
    config = tmp_path / "config.toml"
    config.write_text(PRICES)
    return {
        "TUI_CHAT_CONFIG": str(config),
        "TUI_CHAT_DATA_DIR": str(tmp_path / "data"),
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": KEY,
    }


async def picker(chat: Chat, count: int = len(MODELS)) -> None:
    await chat.press("f2")
    await chat.until(lambda: isinstance(chat.app.screen, ModelPicker) and models(chat) >= count)


def models(chat: Chat) -> int:
    options = chat.app.screen.query_one(OptionList).options
    return len([option for option in options if (option.id or "").startswith("model:")])


def names(chat: Chat) -> list[str]:
    """What the list holds, by the first word of each line."""
    return [line.removeprefix("→ ").split()[0].rstrip(":,") for line in chat.offered()]


async def test_what_is_used_comes_first_then_what_has_a_price_then_the_rest(env: dict[str, str]) -> None:
    async with opened(env, "gamma") as chat:
        await picker(chat)
        assert names(chat)[:4] == ["gamma", "alpha", "zeta", "vendor/beta-4.1-mini"]
        gamma, alpha, zeta, beta = (" ".join(line.split()) for line in chat.offered()[:4])
        assert gamma == "gamma · in use · Gamma Großer Wagen price?"
        assert alpha == "alpha $0.1 / $0.2 2,000"
        assert zeta == "zeta $1.5 / $3"
        assert beta == "vendor/beta-4.1-mini · Bêta Mini price? 1,000,000"
        await chat.press("down", "down", "enter")
        await chat.until(lambda: "openai/zeta" in chat.title)
        await chat.send("/model alpha")
        await picker(chat)
        assert names(chat)[:4] == ["alpha", "zeta", "gamma", "vendor/beta-4.1-mini"]
        assert "last used" in chat.offered()[1]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("mini beta", ["vendor/beta-4.1-mini"]),
        ("BETA4", ["vendor/beta-4.1-mini"]),
        ("beta mini bêta", ["vendor/beta-4.1-mini"]),
        ("grosser", ["gamma"]),
        ("a", ["alpha", "zeta", "gamma", "vendor/beta-4.1-mini"]),
        ("beta zeta", []),
    ],
)
async def test_the_filter_takes_words_in_any_order_without_case_and_accents(
    env: dict[str, str], typed: str, found: list[str]
) -> None:
    async with opened(env, "other") as chat:
        await picker(chat)
        chat.app.screen.query_one(Input).value = typed
        await chat.settle()
        known = {str(model["id"]) for model in MODELS}
        assert [name for name in names(chat) if name in known] == found


async def test_a_name_that_is_not_listed_is_offered_as_it_is_typed(env: dict[str, str]) -> None:
    async with opened(env, "other") as chat:
        await picker(chat)
        await chat.type("Brand-New")
        assert chat.offered()[0] == say("models.typed", name="Brand-New")
        await chat.press("enter")
        await chat.until(lambda: chat.app.screen is chat.screen)
        assert chat.screen.session.target.model == "Brand-New"


async def test_endpoints_that_want_a_key_say_what_to_do(env: dict[str, str]) -> None:
    async with opened(env, "alpha") as chat:
        await picker(chat)
        lines = dict(zip(names(chat), chat.offered(), strict=True))
        assert lines["free"] == "→ free"
        assert "WORK_KEY" in lines["work"]
        assert "no key yet" in lines["groq"]
        assert "GROQ_API_KEY" in lines["groq"]
        assert "if it runs" in lines["ollama"]
        await chat.type("groq")
        await chat.press("enter")
        await chat.until(lambda: isinstance(chat.app.screen, FirstRun))
        assert "Groq" in chat.said("#intro")
        await chat.press("escape")
        await chat.until(lambda: isinstance(chat.app.screen, ModelPicker))
        await chat.press(*["backspace"] * 4)
        await chat.type("free")
        await chat.press("enter")
        await chat.until(lambda: "Choose a model of free" in chat.said("#whose"))
        await chat.until(lambda: "127.0.0.1" in chat.said("#answer"))


async def test_a_list_that_was_had_once_is_there_at_once(env: dict[str, str], server: CannedServer) -> None:
    async with opened(env, "alpha") as chat:
        await picker(chat)
        await chat.press("escape")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))

        async def never(_: object) -> list[object]:
            raise AssertionError

        chat.app.house.endpoints.offers = never
        await picker(chat)
        assert names(chat)[0] == "alpha"


async def test_a_key_in_a_long_list_is_quick(env: dict[str, str], listed: list[dict[str, object]]) -> None:
    listed += [{"id": f"vendor-{n % 40}/model-{n}", "name": f"Model {n}", "context_length": n} for n in range(500)]
    async with opened(env, "alpha") as chat:
        await picker(chat, 500)
        took: list[float] = []
        for key in "model4":
            began = time.process_time()
            await chat.press(key)
            took.append((time.process_time() - began) * 1000)
        await chat.until(lambda: len(chat.offered()) < 150)
        assert sorted(took)[len(took) // 2] < MOST_MS, took
        await chat.press("pagedown", "pagedown", "up")
        assert (chat.app.screen.query_one(OptionList).highlighted or 0) > 10
