"""Profiles: named choices of endpoint, model and settings, written in config.toml or kept on the screen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from tui_chat.domain.ask import Settings
from tui_chat.domain.words import say
from tui_chat.store.lanes import settings_in
from tui_chat.store.schema import ProfileTable
from tui_chat.store.tables import Fault, Reader, unknown


class Profile(Struct, frozen=True):
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
    return Profile(name, table.endpoint, table.model, settings_in(table), place)


def table_of(profile: Profile) -> dict[str, Any]:
    """A profile as TOML writes it; what it leaves open is left out."""
    settings = {name: getattr(profile.settings, name) for name in Settings.__struct_fields__}
    settings |= {"stop": list(profile.settings.stop), "extra_body": dict(profile.settings.extra_body)}
    table = {"endpoint": profile.endpoint, "model": profile.model, **settings}
    return {key: value for key, value in table.items() if value is not None and value not in ([], {})}
