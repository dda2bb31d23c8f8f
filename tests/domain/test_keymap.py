"""Which keys stand for which actions, and what `[keys]` may say."""

from __future__ import annotations

import pytest
from textual.keys import _character_to_key as textual_name

from tui_chat.domain.actions import BY_NAME, EVERYWHERE, Action
from tui_chat.domain.keymap import PRESETS, PUNCTUATION, is_sacred, parse_key, preset, resolve, show_key

DEFAULT = preset("default")
TMUX_SCREEN_ZELLIJ = {f"ctrl+{letter}" for letter in "abgptnhsoq"} | {
    *(f"alt+{key}" for key in ("n", "h", "j", "k", "l", "f", "i", "o", "p", "up", "down", "left", "right")),
    "alt+left_square_bracket", "alt+right_square_bracket", "alt+plus", "alt+minus", "alt+equals_sign",
}  # fmt: skip


def function_keys(keys: tuple[str, ...]) -> bool:
    return any(key.rpartition("+")[2] in {f"f{n}" for n in range(1, 25)} for key in keys)


def meet(one: Action, other: Action) -> bool:
    return EVERYWHERE in (one.screens, other.screens) or bool(set(one.screens) & set(other.screens))


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_takes_a_key_twice_or_from_the_composer(name: str) -> None:
    keymap = preset(name)
    for action in BY_NAME.values():
        for other in BY_NAME.values():
            if action is not other and meet(action, other):
                assert not set(keymap.of(action.name)) & set(keymap.of(other.name)), (action.name, other.name)
        assert not [key for key in keymap.of(action.name) if is_sacred(key, action.screens)], action.name


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_leaves_an_action_without_a_key(name: str) -> None:
    keymap = preset(name)
    for action in BY_NAME.values():
        assert bool(keymap.of(action.name)) == bool(action.keys), action.name
        assert all(parse_key(key) == key for key in keymap.of(action.name)), action.name


def test_a_preset_names_actions_that_there_are() -> None:
    assert {name for changes in PRESETS.values() for name in changes} <= set(BY_NAME)


def test_one_preset_needs_no_function_key() -> None:
    keymap = preset("no-f-keys")
    needing = {action.name for action in BY_NAME.values() if function_keys(action.default)}
    assert {"help", "model", "retry", "resume"} <= needing
    assert not [name for name in BY_NAME if function_keys(keymap.of(name))]


def test_one_preset_leaves_the_multiplexers_their_keys() -> None:
    keymap = preset("multiplexer")
    assert set(DEFAULT.of("quit")) & TMUX_SCREEN_ZELLIJ
    assert not [(name, key) for name in BY_NAME for key in keymap.of(name) if key in TMUX_SCREEN_ZELLIJ]


def test_signs_have_the_names_that_textual_gives_them() -> None:
    assert {sign: textual_name(sign) for sign in PUNCTUATION} == PUNCTUATION


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("f5", "f5"),
        ("Ctrl+J", "ctrl+j"),
        ("shift+ALT+x", "alt+shift+x"),
        ("alt+.", "alt+full_stop"),
        ("Alt+full_stop", "alt+full_stop"),
        ("alt++", "alt+plus"),
        ("Esc", "escape"),
        ("Alt+PgUp", "alt+pageup"),
        ("meta+r", "alt+r"),
        ("ctrl+m", "enter"),
        ("E", "E"),
        ("shift+e", "E"),
        ("?", "question_mark"),
        ("ctrl+ö", "ctrl+ö"),
    ],
)
def test_a_key_may_be_written_as_it_is_shown(text: str, key: str) -> None:
    assert parse_key(text) == key
    assert parse_key(show_key(key)) in (key, key.lower())


@pytest.mark.parametrize("text", ["", "f25", "hyper+x", "ctrl+", "ctrl+word", "+x", "ctrl+\x1b"])
def test_what_is_no_key(text: str) -> None:
    assert parse_key(text) is None


def test_two_actions_may_change_places() -> None:
    keymap, faults = resolve({"retry": "f6", "resume": "f5, alt+r"}, DEFAULT)
    assert not faults
    assert (keymap.of("retry"), keymap.of("resume")) == (("f6",), ("f5", "alt+r"))


def test_an_action_may_go_without_a_key() -> None:
    keymap, faults = resolve({"resume": "", "retry": "f6"}, DEFAULT)
    assert not faults
    assert (keymap.of("resume"), keymap.shown("resume"), keymap.of("retry")) == ((), "", ("f6",))


def test_a_wrong_key_spares_the_right_one_beside_it() -> None:
    keymap, faults = resolve({"retry": "f6,nokey,ctrl+k,f12"}, DEFAULT)
    assert [name for name, _ in faults] == ["retry"] * 3
    assert (keymap.of("retry"), keymap.of("resume")) == (("f12",), ("f6",))


def test_with_nothing_right_the_keys_stay() -> None:
    keymap, faults = resolve({"retry": "nokey"}, DEFAULT)
    assert len(faults) == 1
    assert keymap.of("retry") == ("f5", "alt+r")


def test_keys_left_that_another_action_has_got_by_now_are_not_taken_back() -> None:
    keymap, faults = resolve({"mark": "f5", "retry": "nokey"}, DEFAULT)
    assert [name for name, _ in faults] == ["retry"]
    assert (keymap.of("mark"), keymap.of("retry")) == (("f5",), ("alt+r",))


def test_the_same_key_may_mean_different_things_on_different_screens() -> None:
    assert DEFAULT.of("retry")[1] == DEFAULT.of("history_rename")[0]
    assert resolve({"history_rename": "f5"}, DEFAULT)[1] == []
    assert resolve({"history_rename": "ctrl+q"}, DEFAULT)[1]


def test_plain_letters_are_for_screens_where_nobody_writes() -> None:
    assert resolve({"tree_fork": "x"}, DEFAULT)[1] == []
    assert resolve({"history_pin": "x"}, DEFAULT)[1]
    assert resolve({"quit": "x"}, DEFAULT)[1]


def test_a_clash_within_a_comparison_is_told() -> None:
    keymap, faults = resolve({"compare_sweep": "alt+a"}, DEFAULT)
    assert [name for name, _ in faults] == ["compare_sweep"]
    assert "compare_again" in faults[0][1]
    assert (keymap.of("compare_sweep"), keymap.of("compare_again")) == (("f4",), ("alt+a",))
    assert resolve({"compare_sweep": "f12", "compare_note": "f12"}, DEFAULT)[1]
    assert resolve({"lane_top": "alt+a"}, DEFAULT)[1]
    assert resolve({"lane_top": "left"}, DEFAULT)[1]


@pytest.mark.parametrize("key", ["ctrl+q", "f1", "esc", "ctrl+j"])
def test_a_comparison_leaves_the_keys_that_count_there_too(key: str) -> None:
    keymap, faults = resolve({"compare_add": key}, DEFAULT)
    assert [name for name, _ in faults] == ["compare_add"]
    assert keymap.of("compare_add") == ("alt+l",)


def test_a_key_of_the_chat_may_mean_something_else_in_a_comparison() -> None:
    assert resolve({"compare_add": "alt+m", "mark": "alt+k"}, DEFAULT)[1] == []


@pytest.mark.parametrize("name", ["quit", "retry", "palette", "redraw"])
def test_what_is_written_for_the_chat_goes_before_keys_of_the_table_elsewhere(name: str) -> None:
    keymap, faults = resolve({name: "alt+a"}, DEFAULT)
    assert not faults
    assert (keymap.of(name), keymap.of("compare_again")) == (("alt+a",), ())
    assert resolve({name: "alt+a", "compare_again": "alt+a"}, DEFAULT)[1]
    assert resolve({name: "alt+n"}, DEFAULT)[1]
    assert resolve({"quit": "alt+p"}, DEFAULT)[1]


def test_the_composer_keeps_its_keys_in_a_comparison() -> None:
    assert len(resolve({"compare_add": "ctrl+w", "compare_note": "alt+b", "compare_tie": "x"}, DEFAULT)[1]) == 3


def test_batch_settings_and_lists_have_keys_to_choose() -> None:
    keymap, _ = resolve({"settings_models": "f12", "profiles_delete": "x, delete"}, DEFAULT)
    assert (keymap.of("profiles_delete"), keymap.of("settings_models")) == (("x", "delete"), ("f12",))


def test_what_is_written_goes_over_a_preset() -> None:
    keymap, faults = resolve({"help": "alt+w"}, preset("no-f-keys"))
    assert not faults
    assert (keymap.of("help"), keymap.of("model")) == (("alt+w",), ("alt+l",))


def test_a_long_text_is_not_repeated() -> None:
    _, [(_, fault)] = resolve({"retry": "sk-VerySecret-0123456789abcdef"}, DEFAULT)
    assert "Secret" not in fault
