"""state.toml: what the user chose on screen; so config.toml is never rewritten.

Two instances share the file: each write reads it again and changes only its own keys, and whatever this version
does not know stays. A damaged file is kept aside and begun anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import tomli_w
from msgspec import Struct, field

from tui_chat.domain.failure import StoreError
from tui_chat.domain.words import say
from tui_chat.store.files import Damaged, locked, read_toml, write_private
from tui_chat.store.paths import state_file
from tui_chat.store.tables import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from tui_chat.store.tables import Problem

Refusals = Mapping[tuple[str, str], frozenset[str]]
"""By endpoint and model, the request parameters that were refused."""


class State(Struct, frozen=True):
    """None: not chosen yet, or what stood there made no sense."""

    theme: str | None = None
    endpoint: str | None = None
    """The last one used, with `model`."""
    model: str | None = None
    refused: Refusals = field(default_factory=dict[tuple[str, str], frozenset[str]])
    """As earlier versions wrote it; the database has it now."""
    problems: tuple[str, ...] = ()
    profiles: Mapping[str, object] = field(default_factory=dict[str, object])
    """Tables of the profiles that were kept on the screen, by name, as they stand."""
    default: Mapping[str, object] | None = None
    """The table of the choices that were kept as default."""
    file: str = ""
    """Where it stands."""

    def reader(self, problems: list[Problem]) -> Reader:
        """What reads its tables, and adds what is wrong with them to `problems`."""
        return Reader(self.file, problems)


def load_state(env: Mapping[str, str]) -> State:
    """What is remembered; never raises."""
    path = state_file(env)
    try:
        content, problems = _read(path)
    except StoreError as error:
        return State(problems=(str(error),), file=str(path))
    return _state(content, problems, path)


def remember(
    env: Mapping[str, str], *, theme: str | None = None, endpoint: str | None = None, model: str | None = None
) -> State:
    """Write down what is given, leave the rest as it is on disk, and return the whole. Raises StoreError."""

    def change(content: dict[str, Any]) -> None:
        _set(content, theme=theme)
        if endpoint is not None or model is not None:
            _set(_table(content, "last"), endpoint=endpoint, model=model)

    return _edit(env, change)


def keep_profile(env: Mapping[str, str], name: str, table: Mapping[str, Any]) -> State:
    """Keep a profile under a name, in the place of one that has it. Raises StoreError."""
    return _edit(env, lambda content: _table(content, "profiles").update({name: table}))


def rename_profile(env: Mapping[str, str], old: str, new: str) -> State:
    """Give a kept profile another name; one that is gone by now stays gone. Raises StoreError."""

    def change(content: dict[str, Any]) -> None:
        profiles = _table(content, "profiles")
        if old in profiles:
            profiles[new] = profiles.pop(old)

    return _edit(env, change)


def drop_profile(env: Mapping[str, str], name: str) -> State:
    """Forget a kept profile. Raises StoreError."""
    return _edit(env, lambda content: _table(content, "profiles").pop(name, None))


def keep_default(env: Mapping[str, str], table: Mapping[str, Any] | None) -> State:
    """Keep what a chat begins with; None forgets it. Raises StoreError."""

    def change(content: dict[str, Any]) -> None:
        content.pop("default", None)
        if table is not None:
            content["default"] = table

    return _edit(env, change)


def _edit(env: Mapping[str, str], change: Callable[[dict[str, Any]], object]) -> State:
    path = state_file(env)
    with locked(path):
        content, problems = _read(path)
        change(content)
        write_private(path, tomli_w.dumps(content))
    return _state(content, problems, path)


def _read(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The file's content and what is wrong with it; a damaged file is moved out of the way."""
    try:
        return read_toml(path), ()
    except Damaged as error:
        return {}, (_set_aside(path, error),)


def _set_aside(path: Path, error: Damaged) -> str:
    bad = path.with_name(f"{path.name}.bad")
    try:
        os.replace(path, bad)
    except OSError:
        return str(error)
    return say("store.set_aside", fault=error, bad=bad)


def _state(content: dict[str, Any], problems: tuple[str, ...], path: Path) -> State:
    last, default = _entries(content.get("last")), _entries(content.get("default"))
    refused = {
        (endpoint, model): frozenset(_texts(parameters))
        for endpoint, models in _entries(content.get("refused")).items()
        for model, parameters in _entries(models).items()
    }
    return State(
        theme=_text(content.get("theme")),
        endpoint=_text(last.get("endpoint")),
        model=_text(last.get("model")),
        refused=refused,
        problems=problems,
        profiles=_entries(content.get("profiles")),
        default=default if isinstance(content.get("default"), dict) else None,
        file=str(path),
    )


def _set(table: dict[str, Any], **values: str | None) -> None:
    table.update({name: value for name, value in values.items() if value is not None})


def _table(parent: dict[str, Any], name: str) -> dict[str, Any]:
    """The table `name` of `parent`, made where there is none."""
    if not isinstance(parent.get(name), dict):
        parent[name] = {}
    return parent[name]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [item for item in items if isinstance(item, str)]


def _entries(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
