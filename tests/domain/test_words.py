"""The catalogue of sentences against the sources that use it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import pytest

import tui_chat
from tui_chat.domain.actions import BY_NAME
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import Kind
from tui_chat.domain.keymap import preset, resolve, show_key
from tui_chat.domain.words import ENGLISH, say, use_keys

PACKAGE = Path(tui_chat.__file__).parent
WORDS = [PACKAGE / "domain" / name for name in ("words.py", "words_vi.py")]
FAMILIES = {"hint.{}": list(Kind), "state.{}": list(Phase)}
"""Keys put together from an enumeration."""


class Use(NamedTuple):
    place: str
    key: str
    """With {} for what is computed."""
    blanks: frozenset[str]
    open: bool
    """More blanks are passed as **keywords."""


def blanks(sentence: str) -> set[str]:
    """What a caller has to fill in; keys to press fill themselves in."""
    return {name for name in fields(sentence) if not name.startswith("press.")}


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def pattern(node: ast.JoinedStr) -> str:
    return "".join(v.value if isinstance(v, ast.Constant) and isinstance(v.value, str) else "{}" for v in node.values)


def keys(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(key)):
            return [key]
        case ast.JoinedStr():
            return [pattern(node)]
        case ast.IfExp():
            return keys(node.body) + keys(node.orelse)
        case _:
            return []


SOURCES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py")) if path not in WORDS}


def calls(name: str) -> list[tuple[str, ast.Call]]:
    return [
        (f"{path.relative_to(PACKAGE)}:{node.lineno}", node)
        for path, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and node.args
    ]


def uses() -> list[Use]:
    return [
        Use(
            place,
            key,
            frozenset(word.arg for word in call.keywords if word.arg is not None),
            any(word.arg is None for word in call.keywords),
        )
        for place, call in calls("say")
        for key in keys(call.args[0])
    ]


def meant(key: str) -> list[str]:
    """The keys of the catalogue that a key with computed parts may stand for."""
    if key in FAMILIES:
        return [key.format(value) for value in FAMILIES[key]]
    if "{}" in key:
        shape = re.compile(re.escape(key).replace(r"\{\}", "[a-z_]+"))
        return [known for known in ENGLISH if shape.fullmatch(known)]
    return [key]


USES = uses()


def test_every_key_in_the_sources_exists() -> None:
    missing = [(use.place, key) for use in USES for key in meant(use.key) or [use.key] if key not in ENGLISH]
    assert not missing


def test_every_blank_is_filled() -> None:
    empty = [
        (use.place, key, blanks(ENGLISH[key]) - use.blanks)
        for use in USES
        for key in meant(use.key)
        if key in ENGLISH and not use.open and blanks(ENGLISH[key]) - use.blanks
    ]
    assert not empty


NEVER_ONE = frozenset(
    {
        "fail.malformed",
        "composer.mark",
        "composer.image",
        "estimate.tokens",
        "composer.file",
        "fold.tokens",
        "fold.lines",
        "fold.characters",
        "snippet.size",
        "status.too_long",
        "links.long",
        "lanes.repeat",
        "batch.refused",
        "terminal.width",
        "import.too_long",
        "history.turns",
        "history.count",
        "history.found",
    }
)
"""Sentences whose count is more than one wherever they are said, or which have a form of their own for one."""
SEVERAL = re.compile(
    r"~?\{(count|tokens|most|limit|items|runs|lanes)\} (\w+ )?(characters|conversations|items|lines|models|prices"
    r"|refusals|requests|runs|samples|things|tokens|turns|chunks|million)\b"
)


def test_a_count_that_may_be_one_says_no_plural() -> None:
    assert {key for key, sentence in ENGLISH.items() if SEVERAL.search(sentence)} - NEVER_ONE == set()


def test_nothing_is_passed_that_no_sentence_shows() -> None:
    idle = [
        (use.place, use.key, use.blanks - shown)
        for use in USES
        if use.blanks - (shown := set().union(*(blanks(ENGLISH.get(key, "")) for key in meant(use.key))))
    ]
    assert not idle


def test_no_key_is_unused() -> None:
    written = {
        node.value
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    used = written | {key for use in USES for key in meant(use.key)}
    unused = set(ENGLISH) - used
    assert not unused


def test_every_failure_fills_the_blanks_of_its_hint() -> None:
    empty = [
        (place, needed)
        for place, call in calls("failure")
        if isinstance(kind := call.args[0], ast.Attribute)
        and (needed := blanks(ENGLISH[f"hint.{Kind[kind.attr]}"]) - {word.arg for word in call.keywords})
    ]
    assert not empty


@pytest.mark.parametrize("key", ENGLISH)
def test_a_sentence_is_well_formed(key: str) -> None:
    sentence = ENGLISH[key]
    assert sentence == sentence.strip() != ""
    assert all(name.isidentifier() for name in blanks(sentence))
    assert "{{" not in sentence


def test_keys_to_press_are_those_of_actions() -> None:
    named = {name.removeprefix("press.") for text in ENGLISH.values() for name in fields(text) if "press." in name}
    assert {"retry", "quit"} <= named <= set(BY_NAME)
    assert not [name for name in named if not BY_NAME[name].keys and not BY_NAME[name].slash]


def test_no_sentence_names_a_key_that_can_be_given_away() -> None:
    shown = {show_key(key) for action in BY_NAME.values() for key in action.default if "f" in key or "+" in key}
    told = re.compile("|".join(rf"\b{re.escape(key)}\b" for key in sorted(shown, key=len, reverse=True)))
    # These speak of what terminals do with keys, or of the command line.
    about_keys = (
        "terminal.", "demo.", "keys.", "batch.finishing", "plain.", "action.newline.help",
    )  # fmt: skip
    assert not [key for key, text in ENGLISH.items() if not key.startswith(about_keys) and told.search(text)]


def test_a_sentence_names_the_keys_that_count() -> None:
    try:
        use_keys(resolve({"quit": "alt+q"}, preset("default"))[0])
        assert say("status.quit") == "Alt+Q quits."
        use_keys(resolve({"quit": ""}, preset("default"))[0])
        assert say("status.quit") == "/quit quits."
    finally:
        use_keys(preset("default"))
    assert say("status.quit") == "Ctrl+Q quits."


def test_foreign_text_in_a_blank_stays_as_it_is() -> None:
    assert say("fail.refused", where="{x} {0}", reason="{") == "No connection to {x} {0}: {."


def test_a_sentence_without_its_blank_is_a_fault() -> None:
    with pytest.raises(KeyError):
        say("fail.refused")
    with pytest.raises(KeyError):
        say("no.such.key")
