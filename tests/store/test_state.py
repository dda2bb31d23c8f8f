"""state.toml: two instances, unknown keys, damage, a disk that fails."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from tui_chat.domain.failure import StoreError
from tui_chat.store.paths import state_file
from tui_chat.store.state import (
    State,
    drop_profile,
    keep_default,
    keep_profile,
    load_state,
    remember,
    rename_profile,
)


def put(env: dict[str, str], content: str | bytes) -> Path:
    path = state_file(env)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", fail)


def remembered(env: dict[str, str]) -> State:
    """What is remembered, wherever it stands."""
    return replace(load_state(env), file="")


def test_nothing_is_an_empty_state(env):
    assert remembered(env) == State()


def test_what_is_remembered_comes_back(env):
    remember(env, theme="night")
    remember(env, endpoint="deepseek", model="deepseek-flash")
    assert remembered(env) == State("night", "deepseek", "deepseek-flash")
    assert stat.S_IMODE(state_file(env).stat().st_mode) == 0o600


def test_each_write_changes_only_its_own_keys(env):
    remember(env, theme="night", endpoint="openai", model="gpt-4.1")
    remember(env, theme="day")
    remember(env, endpoint="deepseek", model="deepseek-flash")
    assert remembered(env) == State("day", "deepseek", "deepseek-flash")


def test_what_a_later_version_wrote_stays(env):
    path = put(
        env, 'future = [1, 2]\ntheme = "night"\n[last]\nlane = 3\n[refused.x]\nm = ["a"]\n[deep.er]\nkey = true\n'
    )
    remember(env, model="m")
    content = path.read_text()
    for kept in ("future = [", "lane = 3", "[deep.er]", "key = true", 'theme = "night"'):
        assert kept in content
    assert load_state(env).refused == {("x", "m"): frozenset({"a"})}


NONSENSE = [
    ("theme = 3", State()),
    ("last = 3", State()),
    ("[last]\nendpoint = 1\nmodel = 'm'", State(model="m")),
    ("refused = 'no'", State()),
    (
        "[refused]\nx = 1\n[refused.y]\nm = 3\nn = ['a', 1]",
        State(refused={("y", "m"): frozenset(), ("y", "n"): frozenset("a")}),
    ),
]


@pytest.mark.parametrize(("content", "expected"), NONSENSE)
def test_a_value_that_makes_no_sense_is_left_out(env, content, expected):
    put(env, content)
    assert remembered(env) == expected


@pytest.mark.parametrize("content", NONSENSE)
def test_and_gives_way_to_one_that_does(env, content):
    put(env, content[0])
    remember(env, theme="t", endpoint="e", model="m")
    state = load_state(env)
    assert (state.theme, state.endpoint, state.model) == ("t", "e", "m")


@pytest.mark.parametrize("damage", [b"theme = = 3", b"\xff\xfe", b"theme = 'x"])
def test_a_damaged_file_is_kept_aside(env, damage):
    path = put(env, damage)
    state = load_state(env)
    (problem,) = state.problems
    assert replace(state, file="") == State(problems=(problem,))
    assert "state.toml.bad" in problem
    assert path.with_name("state.toml.bad").read_bytes() == damage
    assert not path.exists()
    remember(env, theme="day")
    assert remembered(env) == State("day")


def test_damage_found_while_writing_is_kept_aside_too(env):
    path = put(env, b"= broken")
    state = remember(env, theme="day")
    assert len(state.problems) == 1
    assert path.with_name("state.toml.bad").read_bytes() == b"= broken"


def test_damage_on_a_read_only_disk_is_only_a_line(env, monkeypatch):
    put(env, b"= broken")
    read_only(monkeypatch)
    (problem,) = load_state(env).problems
    assert "line 1" in problem


def test_a_state_that_cannot_be_read_is_empty_with_a_line(env):
    state_file(env).mkdir(parents=True)
    (problem,) = load_state(env).problems
    assert "cannot be read" in problem
    with pytest.raises(StoreError):
        remember(env, theme="day")


def test_a_failed_write_is_raised_to_whoever_chose(env, monkeypatch):
    read_only(monkeypatch)
    with pytest.raises(StoreError, match="Read-only file system"):
        remember(env, theme="day")


def choose_many(env: dict[str, str], key: str) -> None:
    for n in range(10):
        remember(env, **{key: str(n)})


def test_three_processes_at_once_lose_nothing(env):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=choose_many, args=(env, key)) for key in ("theme", "endpoint", "model")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert remembered(env) == State("9", "9", "9")


# profiles and defaults that were kept on the screen


def test_profiles_are_kept_renamed_and_dropped_and_leave_the_rest(env):
    put(env, 'theme = "night"\n[profiles.old]\nfuture = 1\n')
    keep_profile(env, "fast", {"model": "m", "temperature": 0.2})
    keep_profile(env, "fast", {"model": "n"})
    rename_profile(env, "old", "older")
    assert load_state(env).profiles == {"older": {"future": 1}, "fast": {"model": "n"}}
    drop_profile(env, "fast")
    drop_profile(env, "never")
    rename_profile(env, "never", "other")
    state = load_state(env)
    assert (state.theme, state.profiles) == ("night", {"older": {"future": 1}})


def test_a_default_is_kept_and_forgotten(env):
    keep_default(env, {"system": "a\nb"})
    assert load_state(env).default == {"system": "a\nb"}
    keep_default(env, None)
    assert remembered(env) == State()


@pytest.mark.parametrize("content", ["profiles = 3\ndefault = 'x'", "[[profiles]]\n[[default]]"])
def test_what_is_no_table_is_left_out_and_gives_way(env, content):
    put(env, content)
    assert remembered(env) == State()
    keep_profile(env, "a", {"seed": 1})
    assert load_state(env).profiles == {"a": {"seed": 1}}
