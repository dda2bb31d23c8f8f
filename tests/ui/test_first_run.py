"""Nothing is set up: a key that is pasted, a server on this computer, the demo, or a key that stays where it is."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events
from textual.widgets import Input, OptionList, Static

from tests.kit.screen import Chat, opened
from tests.kit.serving import Asked, Canned, canned_server
from tui_chat.domain.endpoint import Endpoint
from tui_chat.store.paths import keys_file
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.first_run import FirstRun
from tui_chat.ui.screens.models import ModelPicker
from tui_chat.wiring import House

GOOD = "sk-proj-3fA9dQ7Lx2"
"""What only keys of OpenAI begin with."""
UNSURE = "sk-3fA9dQ7Lx2"
STREAM = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "hello"}}]}\n\n'
    b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "config" / "config.toml"
    config.parent.mkdir()
    config.touch()
    return {"TUI_CHAT_CONFIG": str(config), "TUI_CHAT_DATA_DIR": str(tmp_path / "data")}


def refusing(asked: Asked) -> Canned:
    """A server that knows two keys."""
    if asked.headers.get("authorization") not in (f"Bearer {GOOD}", f"Bearer {UNSURE}"):
        return Canned(json.dumps({"error": {"message": "No such key."}}).encode(), 401)
    if asked.method == "POST":
        return Canned(STREAM, content_type="text/event-stream")
    return Canned(json.dumps({"data": [{"id": "only-one"}]}).encode())


def typed(chat: Chat) -> Input:
    return chat.app.screen.query_one("#key", Input)


def hint(chat: Chat) -> str:
    return str(chat.app.screen.query_one(".dialog-hint", Static).content)


async def paste(chat: Chat, text: str) -> None:
    chat.app.post_message(events.Paste(text))
    await chat.settle()


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_it_offers_a_line_for_a_key_and_three_ways(env: dict[str, str]) -> None:
    async with opened(env) as chat:
        assert isinstance(chat.app.screen, FirstRun)
        assert typed(chat).has_focus
        assert typed(chat).password
        local, demo, elsewhere = chat.offered()
        assert "ollama" in local
        assert "demo" in demo
        assert "variable" in elsewhere
        assert "Esc" not in hint(chat)
        await chat.press("escape")
        assert isinstance(chat.app.screen, FirstRun)


async def test_the_demo_answers_after_three_keys(env: dict[str, str]) -> None:
    async with opened(env) as chat:
        await chat.press("down", "enter")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
        assert chat.written
        assert "Enter sends" in chat.status
        await chat.press("enter")
        await chat.until(lambda: chat.replies and not chat.screen.session.running)
        assert chat.replies[0]
    assert not keys_file(env).exists()


async def test_local_servers_are_looked_for_only_when_asked_and_one_alone_is_taken(env: dict[str, str]) -> None:
    answer = Canned(json.dumps({"data": [{"id": "small"}, {"id": "large"}]}).encode())
    with canned_server(lambda _: answer) as server:
        async with opened(env) as chat:
            house = chat.app.house
            found: list[Endpoint] = []

            async def find_local() -> list[Endpoint]:
                return found

            house.endpoints.find_local = find_local
            await chat.press("enter")
            await chat.until(lambda: "No server answers" in chat.said("#answer"))
            assert chat.app.screen.query_one(OptionList).highlighted == 1
            found.append(Endpoint("ollama", server.base_url))
            house.config = house.config.with_endpoint(found[0])
            await chat.press("up", "enter")
            await chat.until(lambda: isinstance(chat.app.screen, ChatScreen) and "ollama/small" in chat.title)
            assert chat.written


async def test_of_several_local_servers_one_is_chosen(env: dict[str, str]) -> None:
    async with opened(env) as chat:
        house = chat.app.house
        found = [Endpoint(name, f"http://127.0.0.1:{n}/v1", default_model="m") for n, name in enumerate("ab", 1)]

        async def find_local() -> list[Endpoint]:
            return found

        house.endpoints.find_local = find_local
        for endpoint in found:
            house.config = house.config.with_endpoint(endpoint)
        await chat.press("enter")
        await chat.until(lambda: chat.offered() == ["a · http://127.0.0.1:1/v1", "b · http://127.0.0.1:2/v1"])
        await chat.press("escape")
        assert len(chat.offered()) == 3
        await chat.press("enter", "down", "enter")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen) and "b/m" in chat.title)


async def test_a_key_is_recognised_checked_and_kept_in_a_private_file(env: dict[str, str]) -> None:
    with canned_server(refusing) as server:
        async with opened(env) as chat:
            house = chat.app.house
            house.config.endpoints["openai"] = Endpoint("openai", server.base_url, needs_key=True)
            await paste(chat, f" {GOOD}0\n")
            await chat.press("enter")
            await chat.until(lambda: "No such key." in chat.said("#answer"))
            assert typed(chat).has_focus
            assert typed(chat).value.strip() == f"{GOOD}0"
            assert not keys_file(env).exists()
            await chat.press("end", "backspace")
            assert typed(chat).value.strip() == GOOD
            house.env = env | {"OPENAI_BASE_URL": server.base_url}
            await chat.press("enter")
            await chat.until(lambda: isinstance(chat.app.screen, ChatScreen) and "openai/only-one" in chat.title)
            await chat.press("enter")
            await chat.until(lambda: chat.replies == ["hello"])
            asked = [(a.method, a.headers["authorization"]) for a in server.asked]
            assert asked[:2] == [("GET", f"Bearer {GOOD}0"), ("GET", f"Bearer {GOOD}")]
    keys = keys_file(env)
    assert GOOD in keys.read_text()  # a small file of the test's own
    assert permissions(keys) == 0o600


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("sk-ant-api03-x", "anthropic"),
        ("sk-or-v1-x", "openrouter"),
        ("gsk_x", "groq"),
        ("AIzaSyx", "gemini"),
        ("sk-proj-x", "openai"),
        ("sk-svcacct-x", "openai"),
        (UNSURE, None),
        ("0123456789abcdef", None),
    ],
)
def test_a_key_tells_whose_it_is_only_where_that_is_sure(env: dict[str, str], key: str, name: str | None) -> None:
    assert House(env).endpoints.recognised(key) == name


async def test_a_key_that_does_not_tell_goes_to_the_one_that_is_chosen(env: dict[str, str]) -> None:
    with canned_server(refusing) as server:
        async with opened(env) as chat:
            house = chat.app.house
            house.config.endpoints["deepseek"] = Endpoint("deepseek", server.base_url, needs_key=True)
            await chat.type(UNSURE)
            await chat.press("enter")
            await chat.until(lambda: "DeepSeek" in chat.offered())
            assert server.asked == []
            await chat.press("escape")
            assert len(chat.offered()) == 3
            assert typed(chat).value == UNSURE
            await chat.press("enter")
            chat.app.screen.query_one(OptionList).highlighted = chat.offered().index("DeepSeek")
            await chat.press("enter")
            await chat.until(lambda: keys_file(env).exists())
            assert [a.path for a in server.asked] == ["/v1/models"]


@pytest.mark.parametrize(
    ("wrong", "said"), [("sk-proj-...", "placeholder"), ("sk-proj-two words", "has a space"), ("gsk_é", "has a space")]
)
async def test_what_no_server_could_take_is_said_without_asking_one(env: dict[str, str], wrong: str, said: str) -> None:
    async with opened(env) as chat:
        typed(chat).value = wrong
        await chat.press("enter")
        await chat.until(lambda: said in chat.said("#answer"))
        assert typed(chat).value == wrong
        await chat.press("escape")
        assert typed(chat).value == ""
    assert not keys_file(env).exists()


async def test_a_key_is_not_kept_after_going_back(env: dict[str, str]) -> None:
    gate = asyncio.Event()
    async with opened(env) as chat:
        house = chat.app.house

        async def slow(_: Endpoint) -> list[object]:
            await gate.wait()
            return []

        house.endpoints.offers = slow
        await paste(chat, GOOD)
        await chat.press("enter")
        await chat.until(lambda: "asking api.openai.com" in chat.said("#answer"))
        await chat.press("escape")
        gate.set()
        await chat.settle()
        assert isinstance(chat.app.screen, FirstRun)
        assert typed(chat).value == GOOD
    assert not keys_file(env).exists()


async def test_a_key_that_stays_elsewhere_is_found_without_a_restart(env: dict[str, str]) -> None:
    file = Path(env["TUI_CHAT_CONFIG"])
    async with opened(env) as chat:
        await chat.press("down", "down", "enter")
        await chat.until(lambda: 'api_key_command = ["pass"' in chat.said("#answer"))
        assert str(file) in chat.said("#answer")
        await chat.press("enter")
        await chat.until(lambda: "No endpoint" in chat.said("#answer"))
        config = '[endpoints.openai]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_command = ["echo", "k"]\n'
        file.write_text(f'{config}default_model = "m"\n')  # noqa: ASYNC240  # a small file of the test's own
        await chat.press("enter")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen) and "openai/m" in chat.title)


async def test_what_the_command_line_chose_is_not_forgotten(env: dict[str, str]) -> None:
    Path(env["TUI_CHAT_CONFIG"]).write_text("[profiles.poet]\nseed = 4\n")  # noqa: ASYNC240  # a small file
    async with opened(env, "demo-slow") as chat:
        chat.app.choice = replace(chat.app.choice, profile="poet")
        await chat.press("down", "enter")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen) and "demo/demo-slow" in chat.title)
        assert chat.screen.session.target.settings.seed == 4


async def test_another_endpoint_is_set_up_from_the_models(env: dict[str, str]) -> None:
    async with opened(env, demo=True) as chat:
        await chat.press("f2")
        await chat.until(lambda: isinstance(chat.app.screen, ModelPicker) and len(chat.offered()) > 5)
        options = chat.app.screen.query_one(OptionList)
        options.highlighted = len(options.options) - 1
        await chat.press("enter")
        await chat.until(lambda: isinstance(chat.app.screen, FirstRun))
        await chat.press("escape")
        await chat.until(lambda: isinstance(chat.app.screen, ModelPicker))


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_all_of_it_can_be_seen(env: dict[str, str], size: tuple[int, int]) -> None:
    async with opened(env, size=size) as chat:
        screen = chat.app.screen
        for selector in ("#key", ".dialog-hint"):
            assert screen.region.contains_region(screen.query_one(selector).region)


async def test_what_is_to_be_copied_keeps_its_indentation(env: dict[str, str]) -> None:
    async with opened(env) as chat:
        await chat.press("down", "down", "enter")
        assert "\n  export OPENAI_API_KEY=" in str(chat.app.screen.query_one("#answer", Static).content)
        assert "Esc" in hint(chat)
