"""Profiles of config.toml and those that were kept on the screen, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_chat.domain.ask import Settings
from tui_chat.domain.failure import ConfigError
from tui_chat.store.config import Config, load
from tui_chat.store.profiles import Profile, table_of
from tui_chat.store.provenance import settings
from tui_chat.store.state import keep_default, keep_profile, load_state


def read(env: dict[str, str], toml: str = "") -> Config:
    Path(env["TUI_CHAT_CONFIG"]).write_text(toml)
    return load(env, saved=load_state(env))


def test_a_kept_profile_stands_beside_those_of_the_file(env):
    everything = Settings("s\nt", 0.5, 0.9, 10, 7, ("a", "\n"), "high", {"a": {"b": 1}})
    keep_profile(env, "mine", table_of(Profile("mine", "openai", "m", everything)))
    config = read(env, 'profile = "mine"\n[profiles.fast]\nseed = 1\n')
    assert config.problems == ()
    assert list(config.profiles) == ["fast", "mine"]
    kept = config.profile("mine")
    assert (kept.endpoint, kept.model, kept.settings) == ("openai", "m", everything)
    assert kept.place == load_state(env).file
    assert config.profile("fast").place == env["TUI_CHAT_CONFIG"]


@pytest.mark.parametrize("own", ["seed = 1", "seed = 'x'"])
def test_the_file_wins_over_a_kept_one_of_the_same_name_and_that_is_told(env, own):
    keep_profile(env, "fast", {"seed": 2})
    config = read(env, f"[profiles.fast]\n{own}\n")
    assert any("state.toml" in p.line and "a profile of this name" in p.line for p in config.problems)
    if "'" in own:
        with pytest.raises(ConfigError, match="seed must be"):
            config.profile("fast")
    else:
        assert config.profile("fast").settings.seed == 1


def test_a_kept_profile_that_is_spoilt_is_told_and_spares_the_rest(env):
    keep_profile(env, "bad", {"endpoint": "gone"})
    keep_profile(env, "good", {"endpoint": "demo"})
    config = read(env)
    (problem,) = config.problems
    assert "state.toml" in problem.line
    assert "profiles.bad.endpoint" in problem.line
    assert list(config.profiles) == ["good"]


def test_what_is_right_of_a_kept_default_counts(env):
    keep_default(env, {"model": "m", "seed": "x", "temperature": 1.5})
    config = read(env)
    assert config.kept is not None
    assert (config.kept.model, config.kept.settings) == ("m", Settings(temperature=1.5))
    assert [p.key for p in config.problems] == ["default.seed"]


def test_show_names_the_source_of_each(env):
    keep_profile(env, "mine", {"seed": 2})
    keep_profile(env, "fast", {"seed": 3})
    keep_default(env, {"temperature": 0.1})
    config = read(env, "[profiles.fast]\nseed = 1\n")
    told = {s.key: (s.value, s.source) for s in settings(config, load_state(env))}
    state = load_state(env).file
    assert told["profiles.mine.seed"] == (2, state)
    assert told["profiles.fast.seed"] == (1, env["TUI_CHAT_CONFIG"])
    assert told["default.temperature"] == (0.1, state)
