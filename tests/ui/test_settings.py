"""The settings of a chat on its screen: what is typed, where it comes from, where it is kept, and files read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.widgets import Input, OptionList, Static

from tests.kit.screen import Chat, environment, opened
from tui_chat.demo.server import DemoServer
from tui_chat.domain.ask import Settings
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.models import ModelPicker
from tui_chat.ui.screens.naming import Naming
from tui_chat.ui.screens.profiles import ProfilesScreen
from tui_chat.ui.screens.settings import SettingsScreen
from tui_chat.ui.widgets.fields import Field
from tui_chat.wiring import Choice, House

CONFIG = """
profile = "usual"
[profiles.usual]
temperature = 0.2
[profiles.poet]
system = "In verse."
model = "demo-slow"
"""


@pytest.fixture
def env(tmp_path: Path, server: DemoServer) -> dict[str, str]:
    env = environment(tmp_path, server)
    Path(env["TUI_CHAT_CONFIG"]).write_text(CONFIG)
    return env


def write(env: dict[str, str], toml: str, theme: str = "") -> None:
    """Put config.toml, and a theme `mine` beside it."""
    file = Path(env["TUI_CHAT_CONFIG"])
    file.write_text(toml)
    if theme:
        (file.parent / "themes").mkdir()
        (file.parent / "themes" / "mine.toml").write_text(theme)


def written(env: dict[str, str]) -> str:
    return Path(env["TUI_CHAT_CONFIG"]).read_text()


async def form(chat: Chat) -> SettingsScreen:
    await chat.press("alt+s")
    await chat.until(lambda: isinstance(chat.app.screen, SettingsScreen))
    screen = chat.app.screen
    assert isinstance(screen, SettingsScreen)
    return screen


def field(chat: Chat, name: str) -> Field:
    return chat.app.screen.query_one(f"#field-{name}", Field)


def fault(chat: Chat, name: str) -> str:
    return str(field(chat, name).query_one(".field-fault").content)  # type: ignore[attr-defined]


def settings(chat: Chat) -> Settings:
    return chat.screen.session.target.settings


async def test_every_field_says_its_value_and_where_that_comes_from(chat: Chat) -> None:
    await form(chat)
    told = {f.field: (f.text, f.origin) for f in chat.app.screen.query(Field)}
    assert told["model"] == ("openai/demo-fast", "command line")
    assert told["temperature"] == ("0.2", "profile usual")
    assert told["extra_body"] == ("", "left to the model")
    field(chat, "temperature").put("0.9")
    await chat.until(lambda: field(chat, "temperature").origin == "chosen here")


async def test_all_that_can_be_set_is_used_in_this_chat_and_stays_with_it(chat: Chat, env: dict[str, str]) -> None:
    await form(chat)
    for name, text in (
        ("system", "Be kind.\nBe brief."),
        ("temperature", ""),
        ("top_p", "0.5"),
        ("max_tokens", "50"),
        ("seed", "7"),
        ("stop", '["a", "b"]'),
        ("reasoning_effort", "low"),
        ("extra_body", '{"tier": "flex"}'),
    ):
        field(chat, name).put(text)
    await chat.press("ctrl+s")
    await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
    expected = Settings("Be kind.\nBe brief.", None, 0.5, 50, 7, ("a", "b"), "low", {"tier": "flex"})
    assert settings(chat) == expected
    await chat.ask("echo x")
    uid, house = chat.screen.chat.id, House(env)
    house.open_store()
    assert house.reopen(uid, Choice()).session.target.settings == expected
    assert house.targets.choose(Choice()).settings == Settings(temperature=0.2)
    await house.close()


async def test_wrong_input_is_a_line_at_its_field_and_nothing_is_lost(chat: Chat) -> None:
    await form(chat)
    field(chat, "system").put("Kept.")
    field(chat, "top_p").put("2")
    field(chat, "extra_body").put('{"a": ')
    await chat.press("ctrl+s")
    await chat.until(lambda: chat.app.screen.focused is field(chat, "top_p").editor)
    assert "from 0 to 1, not 2" in fault(chat, "top_p")
    assert "is no JSON" in fault(chat, "extra_body")
    assert fault(chat, "system") == ""
    assert field(chat, "system").text == "Kept."
    await chat.press("alt+p", "alt+d")
    assert isinstance(chat.app.screen, SettingsScreen)
    field(chat, "top_p").put("0.2")
    field(chat, "extra_body").put("a = 1")
    await chat.press("enter")
    await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
    assert settings(chat) == Settings(system="Kept.", temperature=0.2, top_p=0.2, extra_body={"a": 1})


async def test_up_and_down_go_from_field_to_field_and_typing_loses_nothing(chat: Chat) -> None:
    await form(chat)
    await chat.press("end", "x", "down", "a", "enter", "b", "up", "c", "down", "down", "9", "down", "up", "up", "d")
    texts = {f.field: f.text for f in chat.app.screen.query(Field)}
    assert (texts["model"], texts["system"], texts["temperature"]) == ("openai/demo-fastx", "ac\nbd", "0.29")


async def test_changes_are_given_up_only_when_asked_twice(chat: Chat) -> None:
    before = chat.screen.session.target
    await form(chat)
    field(chat, "seed").put("1")
    await chat.settle()
    await chat.press("escape")
    assert isinstance(chat.app.screen, SettingsScreen)
    await chat.press("escape")
    await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
    assert chat.screen.session.target == before


async def test_the_model_is_picked_or_typed(chat: Chat) -> None:
    await form(chat)
    await chat.press("f2")
    await chat.until(lambda: isinstance(chat.app.screen, ModelPicker) and len(chat.offered()) > 6)
    await chat.type("slow")
    await chat.press("enter")
    await chat.until(lambda: field(chat, "model").text == "openai/demo-slow")
    await chat.press("ctrl+s")
    await chat.until(lambda: "openai/demo-slow" in chat.title)
    assert House(chat.app.house.env).state.model == "demo-slow"
    await form(chat)
    field(chat, "model").put("")
    await chat.press("ctrl+s")
    assert "ENDPOINT/MODEL" in fault(chat, "model")
    field(chat, "model").put("demo-reasoning")
    await chat.press("ctrl+s")
    await chat.until(lambda: "openai/demo-reasoning" in chat.title)


async def test_what_cannot_be_shown_as_it_is_stays_as_it_is_unless_it_is_changed(chat: Chat) -> None:
    session = chat.screen.session
    strange = Settings(system="a\x1b[2Jb", stop=("x" * 2000,))
    session.target = replace(session.target, settings=strange)
    await form(chat)
    field(chat, "seed").put("1")
    await chat.press("ctrl+s")
    await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
    assert settings(chat) == replace(strange, seed=1)


async def test_a_key_command_is_not_run_while_one_types(chat: Chat, env: dict[str, str], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    command = f'api_key_command = ["sh", "-c", "echo x >> {ran}; echo key"]'
    write(env, f'{CONFIG}[endpoints.vault]\nbase_url = "http://127.0.0.1:9/v1"\n{command}\n')
    chat.app.house.reload()
    await form(chat)
    await chat.press("ctrl+u")
    await chat.type("vault/m")
    assert not ran.exists()
    await chat.press("ctrl+s")
    await chat.until(lambda: "vault/m" in chat.title)
    assert ran.exists()


async def test_settings_are_kept_as_a_profile_which_is_told_where_the_name_is_the_files(
    chat: Chat, env: dict[str, str]
) -> None:
    await form(chat)
    field(chat, "seed").put("3")
    await chat.press("alt+p")
    await chat.until(lambda: isinstance(chat.app.screen, Naming))
    name = chat.app.screen.query_one(Input)
    name.value = "poet"
    await chat.press("enter", "enter")
    assert "has a profile" in chat.said("#fault")
    name.value = "mine"
    await chat.press("enter")
    await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
    assert settings(chat).seed == 3
    kept = House(env).targets.choose(Choice(profile="mine"))
    assert (kept.model, kept.settings) == ("demo-fast", Settings(temperature=0.2, seed=3))
    await form(chat)
    assert field(chat, "seed").origin == "profile mine"
    assert written(env) == CONFIG


async def test_settings_are_kept_as_default_and_it_is_forgotten(chat: Chat, env: dict[str, str]) -> None:
    await form(chat)
    field(chat, "seed").put("4")
    await chat.press("alt+d")
    await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
    assert House(env).targets.choose(Choice()).settings == Settings(temperature=0.2, seed=4)
    await chat.send("/profile")
    await chat.until(lambda: isinstance(chat.app.screen, ProfilesScreen))
    await chat.until(lambda: "F forget" in keys(chat))
    await chat.press("f")
    assert House(env).targets.choose(Choice()).settings == Settings(temperature=0.2)
    assert "forget" not in keys(chat)
    assert "D delete" in keys(chat)


def keys(chat: Chat) -> str:
    """The keys that the form or the list of profiles offers."""
    return str(chat.app.screen.query_one(".form-keys", Static).content)


async def test_profiles_are_listed_taken_renamed_and_deleted(chat: Chat, env: dict[str, str]) -> None:
    chat.app.house.profiles.keep("mine", chat.screen.session.target)
    await chat.send("/profile")
    await chat.until(lambda: isinstance(chat.app.screen, ProfilesScreen))
    assert [line.split()[0] for line in chat.offered()] == ["usual", "poet", "mine"]
    assert "config.toml · demo-slow · system" in chat.offered()[1]
    assert "kept here" in chat.offered()[2]
    await chat.press("r", "d")
    assert isinstance(chat.app.screen, ProfilesScreen)
    chat.app.screen.query_one(OptionList).highlighted = 2
    await chat.press("r")
    await chat.until(lambda: isinstance(chat.app.screen, Naming))
    chat.app.screen.query_one(Input).value = "usual"
    await chat.press("enter")
    assert "has a profile" in chat.said("#fault")
    chat.app.screen.query_one(Input).value = "ours"
    await chat.press("enter")
    await chat.until(lambda: chat.offered()[2].startswith("ours"))
    await chat.press("d", "y")
    await chat.until(lambda: isinstance(chat.app.screen, ProfilesScreen) and len(chat.offered()) == 2)
    chat.app.screen.query_one(OptionList).highlighted = 1
    await chat.press("enter")
    await chat.until(lambda: "openai/demo-slow" in chat.title)
    assert settings(chat) == Settings(system="In verse.")
    await chat.send("/profile usual")
    await chat.until(lambda: settings(chat) == Settings(temperature=0.2))
    await chat.send("/profile usul")
    await chat.until(lambda: "usual" in chat.status and "usul" in chat.status)


async def test_a_profile_fills_the_form(chat: Chat) -> None:
    await form(chat)
    await chat.press("alt+l")
    await chat.until(lambda: isinstance(chat.app.screen, ProfilesScreen))
    chat.app.screen.query_one(OptionList).highlighted = 1
    await chat.press("enter")
    await chat.until(lambda: isinstance(chat.app.screen, SettingsScreen) and field(chat, "system").text == "In verse.")
    assert settings(chat) == Settings(temperature=0.2)
    assert field(chat, "system").origin == "profile poet"
    await chat.press("ctrl+s")
    await chat.until(lambda: settings(chat) == Settings(system="In verse."))


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_every_field_and_the_keys_can_be_seen(env: dict[str, str], size: tuple[int, int]) -> None:
    async with opened(env, "demo-fast", size=size) as chat:
        screen = await form(chat)
        for each in screen.query(Field):
            each.editor.focus()
            await chat.settle()
            await chat.until(lambda each=each: screen.region.contains_region(each.editor.region))
        keys = screen.query_one(".form-keys")
        assert keys.region.height >= 1
        assert screen.region.contains_region(keys.region)


# reading the files again


async def test_reload_brings_what_is_new_and_a_reply_under_way_goes_on(chat: Chat, env: dict[str, str]) -> None:
    await chat.send("count 30000")
    await chat.until(lambda: chat.screen.session.running)
    url = chat.screen.session.target.endpoint.base_url
    theme = 'primary = "#ff0000"\nbackground = "#000000"\nforeground = "#ffffff"\n'
    write(
        env,
        f'{CONFIG}[endpoints.new]\nbase_url = "{url}"\n[profiles.young]\nseed = 1\n'
        '[prices."openai/demo-fast"]\ninput = 7\noutput = 7\n[ui]\nfps = 3\nfollow = "page"\ntheme = "mine"\n',
        theme,
    )
    await chat.send("/reload")
    await chat.until(lambda: "read again" in chat.status)
    assert chat.screen.session.running
    assert chat.app.theme == "mine"
    assert chat.app.fps == 3
    assert chat.screen.transcript.by_pages
    price = chat.screen.session.target.price
    assert price is not None
    assert price.input == 7
    await chat.until(lambda: not chat.screen.session.running)
    assert chat.replies[0].endswith("30000")
    await chat.send("/model new/demo-fast")
    await chat.send("/profile young")
    await chat.until(lambda: settings(chat) == Settings(seed=1))
    assert "new/demo-fast" in chat.title


async def test_a_mistake_is_told_and_a_broken_file_leaves_all_as_it_was(chat: Chat, env: dict[str, str]) -> None:
    write(env, f"{CONFIG}[ui]\nfps = 0\n")
    await chat.send("/reload")
    await chat.until(lambda: "fps" in chat.status)
    write(env, "= broken")
    await chat.send("/reload")
    await chat.until(lambda: "line 1" in chat.status)
    assert "poet" in chat.app.house.profiles.names()
