"""Profiles and the default that are kept on the screen, what a chat begins with, and reading the files again."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.kit.program import clean_environment
from tui_chat.domain.ask import Settings
from tui_chat.domain.failure import ConfigError
from tui_chat.wiring import Choice, House

FILE = """
endpoint = "one"
model = "m1"
profile = "usual"
[endpoints.one]
base_url = "http://127.0.0.1:9/v1"
[endpoints.two]
base_url = "http://127.0.0.1:10/v1"
default_model = "own"
[profiles.usual]
temperature = 0.2
seed = 5
[profiles.other]
endpoint = "two"
system = "Be brief."
[prices."one/m1"]
input = 1
output = 2
"""


@pytest.fixture
def home(tmp_path: Path) -> House:
    file = tmp_path / "config.toml"
    file.write_text(FILE)
    places = {"TUI_CHAT_CONFIG": str(file), "TUI_CHAT_DATA_DIR": str(tmp_path / "data")}
    return House(clean_environment(tmp_path, **places))


def again(house: House) -> House:
    return House(house.env)


def test_a_profile_is_taken_with_what_it_leaves_open(home: House) -> None:
    target = home.targets.choose(Choice())
    other = home.profiles.take("other", target)
    assert (other.endpoint.name, other.model, other.settings) == ("two", "own", Settings(system="Be brief."))
    back = home.profiles.take("usual", other)
    assert (back.endpoint.name, back.model, back.settings.seed) == ("two", "own", 5)
    with pytest.raises(ConfigError, match="usual"):
        home.profiles.take("usul", target)


def test_a_profile_is_kept_renamed_and_dropped(home: House) -> None:
    target = replace(home.targets.choose(Choice()), settings=Settings(temperature=1.0))
    config = home.config_file.read_bytes()
    home.profiles.keep("mine", target)
    kept = again(home).targets.choose(Choice(profile="mine"))
    assert (kept.endpoint.name, kept.model, kept.settings) == ("one", "m1", Settings(temperature=1.0))
    home.profiles.rename("mine", "ours")
    assert home.profiles.names() == ["usual", "other", "ours"]
    home.profiles.drop("ours")
    assert home.profiles.names() == ["usual", "other"]
    assert home.config_file.read_bytes() == config
    assert stat.S_IMODE(Path(home.state.file).stat().st_mode) == 0o600


def test_the_users_file_keeps_its_names(home: House) -> None:
    target = home.targets.choose(Choice())
    for act in (
        lambda: home.profiles.keep("usual", target),
        lambda: home.profiles.rename("mine", "other"),
        lambda: home.profiles.drop("usual"),
        lambda: home.profiles.keep(" ", target),
    ):
        with pytest.raises(ConfigError):
            act()
    home.profiles.keep("a", target)
    home.profiles.keep("b", target)
    with pytest.raises(ConfigError, match="already"):
        home.profiles.rename("a", "b")


def test_a_kept_default_takes_the_place_of_the_files_until_it_is_forgotten(home: House) -> None:
    target = home.targets.of(home.endpoints.get("two"), "m2", Settings(system="s"))
    home.profiles.keep_default(target)
    chosen = again(home).targets.choose(Choice())
    assert (chosen.endpoint.name, chosen.model, chosen.settings) == ("two", "m2", Settings(system="s"))
    flagged = again(home).targets.choose(Choice(model="one/m1", settings=Settings(seed=1)))
    assert (flagged.endpoint.name, flagged.settings) == ("one", Settings(system="s", seed=1))
    assert again(home).targets.choose(Choice(profile="other")).settings == Settings(system="Be brief.")
    assert home.profiles.forget_default()
    assert not home.profiles.forget_default()
    assert again(home).targets.choose(Choice()).settings == Settings(temperature=0.2, seed=5)


def test_a_kept_default_whose_endpoint_is_gone_gives_way(home: House) -> None:
    home.profiles.keep_default(home.targets.of(home.endpoints.get("two"), "m2", Settings(seed=9)))
    home.config_file.write_text(FILE.replace("endpoints.two", "endpoints.three").replace('endpoint = "two"', ""))
    chosen = again(home).targets.choose(Choice())
    assert (chosen.endpoint.name, chosen.model, chosen.settings.seed) == ("one", "m1", 9)


def test_where_each_value_comes_from(home: House) -> None:
    choice = Choice(settings=Settings(max_tokens=7))
    target = home.targets.choose(choice)
    target = replace(target, settings=replace(target.settings, seed=None, top_p=0.5))
    told = home.profiles.origins(target, choice, "")
    assert told["model"] == "config.toml"
    assert told["temperature"] == "profile usual"
    assert told["max_tokens"] == "command line"
    assert told["seed"] == told["top_p"] == "chosen here"
    assert told["system"] == "left to the model"
    home.remember(target.endpoint, "m9")
    assert home.profiles.origins(replace(target, model="m9"), choice, "")["model"] == "last used"
    home.profiles.keep_default(target)
    assert home.profiles.origins(target, choice, "")["top_p"] == "kept as default"
    other = home.profiles.take("other", target)
    told = home.profiles.origins(other, choice, "other")
    assert (told["system"], told["model"]) == ("profile other", "of two")


async def test_reading_again_brings_what_is_new_and_keeps_what_runs(home: House) -> None:
    target = home.targets.choose(Choice())
    demo = await home.endpoints.start_demo()
    home.config_file.write_text(FILE.replace("input = 1", "input = 3").replace(":9/", ":99/") + "[ui]\nfps = 'x'\n")
    (problem,) = home.reload()
    assert "ui.fps" in problem
    renewed = home.targets.renewed(target)
    assert renewed.endpoint.base_url.endswith(":99/v1")
    assert renewed.price is not None
    assert renewed.price.input == 3
    assert home.endpoints.get("demo") == demo
    home.config_file.write_text("= broken")
    (line,) = home.reload()
    assert "line 1" in line
    assert home.targets.renewed(target) == renewed
    home.config_file.write_text("")
    assert home.reload() == ()
    with pytest.raises(ConfigError):
        home.targets.renewed(target)
    await home.close()


async def test_a_pasted_key_leaves_the_demo_known(home: House) -> None:
    await home.endpoints.start_demo()
    home.endpoints.keep_key("openai", "sk-test-3fA9dQ7Lx2")
    assert home.endpoints.get("demo").default_model == "demo-fast"
    await home.close()
