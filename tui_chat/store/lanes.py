"""Lanes of comparisons as they are written, in config.toml and on the command line, checked like profiles."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tui_chat.domain.ask import Settings
from tui_chat.domain.failure import ConfigError
from tui_chat.domain.lane import LaneError, LaneSpec, lane_table
from tui_chat.domain.words import say
from tui_chat.store.schema import CompareSet, LaneTable
from tui_chat.store.tables import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.store.schema import ProfileTable


def read_lane(text: str, name: str) -> LaneSpec:
    """The lane that `text` describes; `name` is what a mistake calls it. Raises ConfigError."""
    reader = Reader(say("lane.where", name=name))
    try:
        table = lane_table(text)
    except LaneError as error:
        raise ConfigError(say("lane.fault", name=name, fault=error)) from error
    spec, fault = _lane(table, (), reader)
    if spec is None:
        raise ConfigError(fault)
    return spec


def read_sets(section: Mapping[str, Any], reader: Reader) -> tuple[dict[str, tuple[LaneSpec, ...]], dict[str, str]]:
    """The sets of lanes of config.toml, and of the others the mistake that spoilt each."""
    good: dict[str, tuple[LaneSpec, ...]] = {}
    bad: dict[str, str] = {}
    for name, entry in section.items():
        table, fault = reader.table(CompareSet, entry, ("compare", name))
        lanes: list[LaneSpec] = []
        for place, raw in enumerate(table.lanes if table is not None else (), 1):
            lane, wrong = _lane(raw, ("compare", name, "lanes", str(place)), reader)
            fault = fault or wrong
            lanes += [lane] if lane is not None else []
        if fault is None:
            good[name] = tuple(lanes)
        else:
            bad[name] = fault
    return good, bad


def settings_in(table: ProfileTable) -> Settings:
    """What a profile or a lane says about how to answer."""
    return Settings(
        system=table.system,
        temperature=table.temperature,
        top_p=table.top_p,
        max_tokens=table.max_tokens,
        seed=table.seed,
        stop=(table.stop,) if isinstance(table.stop, str) else tuple(table.stop or ()),
        reasoning_effort=table.reasoning_effort,
        extra_body=MappingProxyType(table.extra_body),
    )


def _lane(raw: Mapping[str, Any], at: tuple[str, ...], reader: Reader) -> tuple[LaneSpec | None, str | None]:
    """A lane, or the sentence of its first mistake: a lane without one of its settings would be another lane."""
    before = len(reader.problems)
    table, _ = reader.table(LaneTable, raw, at)
    if table is None or len(reader.problems) > before:
        return None, str(reader.problems[before])
    return LaneSpec(table.profile, table.endpoint, table.model, settings_in(table), table.label or ""), None
