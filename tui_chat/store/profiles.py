"""Profiles: named choices of endpoint, model and settings, written in config.toml or kept on the screen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from tui_chat.domain.ask import Settings
from tui_chat.domain.words import say
from tui_chat.store.schema import ProfileTable
from tui_chat.store.tables import Fault, Reader, unknown


@dataclass(frozen=True, slots=True)
class Profile:
    """A named choice of endpoint, model and settings; None leaves the choice open."""

    name: str
    endpoint: str | None
    model: str | None
    settings: Settings
    place: str = ""
    """The file in which it stands."""


def read_profiles(
    section: Mapping[str, object], endpoints: Collection[str], reader: Reader
) -> tuple[dict[str, Profile], dict[str, str]]:
    """The right profiles of a section, and by name the sentence of the mistake that spoilt one."""
    good: dict[str, Profile] = {}
    bad: dict[str, str] = {}
    for name, entry in section.items():
        table, fault = reader.table(ProfileTable, entry, ("profiles", name))
        if table is not None and fault is None:
            fault = _unknown_endpoint(table.endpoint, endpoints, ("profiles", name, "endpoint"), reader)
        if table is None or fault is not None:
            bad[name] = fault or ""
        else:
            good[name] = profile_of(name, table, reader.where)
    return good, bad


def _unknown_endpoint(name: str | None, known: Collection[str], at: tuple[str, ...], reader: Reader) -> Fault:
    if name is None or name in known:
        return None
    return reader.report(at, say("config.names_no_endpoint", hint=unknown(name, known)))


def profile_of(name: str, table: ProfileTable, place: str) -> Profile:
    return Profile(name, table.endpoint, table.model, _settings(table), place)


def _settings(table: ProfileTable) -> Settings:
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


def table_of(profile: Profile) -> dict[str, Any]:
    """A profile as TOML writes it; what it leaves open is left out."""
    settings = {field.name: getattr(profile.settings, field.name) for field in fields(Settings)}
    settings |= {"stop": list(profile.settings.stop), "extra_body": dict(profile.settings.extra_body)}
    table = {"endpoint": profile.endpoint, "model": profile.model, **settings}
    return {key: value for key, value in table.items() if value is not None and value not in ([], {})}
