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


def test_what_is_written_goes_over_a_preset() -> None:
    keymap, faults = resolve({"help": "alt+w"}, preset("no-f-keys"))
    assert not faults
    assert (keymap.of("help"), keymap.of("model")) == (("alt+w",), ("alt+l",))


def test_a_long_text_is_not_repeated() -> None:
    _, [(_, fault)] = resolve({"retry": "sk-VerySecret-0123456789abcdef"}, DEFAULT)
    assert "Secret" not in fault
