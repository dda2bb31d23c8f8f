"""Settings over settings."""

from __future__ import annotations

from typing import Any

import pytest

from tui_chat.domain.ask import Settings

FULL: dict[str, Any] = {
    "system": "be brief",
    "temperature": 0.7,
    "top_p": 0.9,
    "max_tokens": 100,
    "seed": 7,
    "stop": ("a",),
    "reasoning_effort": "low",
    "extra_body": {"a": 1, "b": 1},
}
BASE = Settings(**FULL)

SAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "system": ({"system": "x"}, {"system": "x"}),
    "an empty system prompt": ({"system": ""}, {"system": ""}),
    "temperature 0": ({"temperature": 0.0}, {"temperature": 0.0}),
    "seed 0": ({"seed": 0}, {"seed": 0}),
    "several": ({"top_p": 0.1, "max_tokens": 5}, {"top_p": 0.1, "max_tokens": 5}),
    "stop": ({"stop": ("b", "c")}, {"stop": ("b", "c")}),
    "effort": ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
    "extra bodies are merged": ({"extra_body": {"b": 2, "c": 3}}, {"extra_body": {"a": 1, "b": 2, "c": 3}}),
}


@pytest.mark.parametrize("name", SAID)
def test_over_changes_what_is_said_and_nothing_else(name: str) -> None:
    said, changed = SAID[name]
    assert Settings(**said).over(BASE) == Settings(**FULL | changed)
    assert Settings(**FULL) == BASE, "the base is as it was"


def test_every_setting_is_in_the_table() -> None:
    assert set(Settings.__struct_fields__) == set(FULL)


def test_over_nothing_and_nothing_over() -> None:
    assert BASE.over(Settings()) == BASE == Settings().over(BASE)
    assert Settings().over(Settings()) == Settings()


def test_over_is_associative() -> None:
    one, two = Settings(temperature=1.0, extra_body={"a": 0}), Settings(system="x", extra_body={"a": 5, "z": 1})
    assert one.over(two).over(BASE) == one.over(two.over(BASE))
