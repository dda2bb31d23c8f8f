"""Lanes in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.trees import settings_forms
from tui_chat.domain.ask import Settings
from tui_chat.domain.lane import LaneError, LaneSpec, lane_table, lane_text, letter, settings_text, sweep
from tui_chat.store.lanes import read_lane


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("demo/demo-fast temperature=0", {"model": "demo/demo-fast", "temperature": 0}),
        ("profile=fast temperature=1.5", {"profile": "fast", "temperature": 1.5}),
        ("m 'system=Be brief.' stop='[\"a\", \"b\"]'", {"model": "m", "system": "Be brief.", "stop": ["a", "b"]}),
        ('m \'system="a \\" b"\'', {"model": "m", "system": 'a " b'}),
        ("m system=1 reasoning_effort=low", {"model": "m", "system": "1", "reasoning_effort": "low"}),
        ("vendor/a=b/c top_p=.5", {"model": "vendor/a=b/c", "top_p": ".5"}),
        (
            "endpoint=work model=x extra_body='{a = {b = [1]}}'",
            {"endpoint": "work", "model": "x", "extra_body": {"a": {"b": [1]}}},
        ),
        ("m 'seed=1\nextra=2'", {"model": "m", "seed": "1\nextra=2"}),
        ("m system=", {"model": "m", "system": ""}),
    ],
)
def test_words_become_a_table(text: str, table: dict[str, Any]) -> None:
    assert lane_table(text) == table


@pytest.mark.parametrize("text", ["", "   ", "m 'temperature=0", "m fast", "m seed=1 seed=2"])
def test_what_is_no_lane(text: str) -> None:
    with pytest.raises(LaneError):
        lane_table(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("m temprature=1", "lane B: temprature is unknown; did you mean “temperature”?"),
        ("m temperature=hot", "lane B: temperature must be a number, 0 or more, not text in quotes."),
        ("m temperature=inf", "lane B: temperature must be a finite number."),
        ("m max_tokens=0", "lane B: max_tokens "),
        ("m max_tokens=1.5", "lane B: max_tokens "),
        ("m seed=x", "lane B: seed "),
        ("m extra_body=1", "lane B: extra_body must be a table"),
        ("m top_p=2", "lane B: top_p "),
        ("m fast", "lane B: “fast” has no value"),
        ("m '", "lane B: a quote is not closed."),
        ("m 'x\x1b[31m=1'", "lane B: "),
    ],
)
def test_a_mistake_is_one_line_that_names_lane_and_key(text: str, line: str) -> None:
    with pytest.raises(Exception) as caught:
        read_lane(text, "B")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@given(settings_forms, st.sampled_from(["m", "vendor/模型", "gpt-4.1"]))
def test_settings_come_back_from_their_text(form: Any, model: str) -> None:
    """What TOML cannot hold is left out: it cannot come from configuration either."""
    settings = Settings(
        form.system, form.temperature, form.top_p, form.max_tokens, form.seed, form.stop, form.reasoning_effort
    )
    spec = LaneSpec(endpoint="work", model=model, settings=settings)
    again = read_lane(lane_text(spec), "A")
    assert (again.model, again.settings) == (f"work/{model}", settings)


def test_a_lane_s_text() -> None:
    spec = LaneSpec(profile="fast", settings=Settings(temperature=0.0, stop=("END",), extra_body={"a b": {"c": True}}))
    assert lane_text(spec) == """profile=fast temperature=0 'stop=["END"]' 'extra_body={"a b" = {"c" = true}}'"""
    assert read_lane(lane_text(spec), "A") == spec
    assert settings_text(Settings()) == ""
    assert settings_text(Settings(temperature=0.5, max_tokens=9)) == "temperature=0.5 max_tokens=9"
    assert lane_text(LaneSpec(endpoint="work")) == "endpoint=work"
    assert lane_text(LaneSpec(settings=Settings(seed=1), label="X y")) == "'label=X y' seed=1"


def test_a_sweep_is_every_model_with_every_temperature_and_system_prompt() -> None:
    bases = [LaneSpec(model=model, settings=Settings(seed=7, system="old")) for model in ("a", "b")]
    lanes = sweep(bases, [0.0, 1.0], ["x", None])
    assert [(lane.model, lane.settings.system, lane.settings.temperature) for lane in lanes] == [
        (model, system, heat) for model in ("a", "b") for system in ("x", "old") for heat in (0.0, 1.0)
    ]
    assert {lane.settings.seed for lane in lanes} == {7}
    assert sweep(bases) == bases


def test_letters() -> None:
    assert [letter(place) for place in (0, 1, 25, 26)] == ["A", "B", "Z", "A"]
