"""Settings as a person writes them in a field: read, checked as config.toml is, and shown again."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import fields

from tui_chat.domain.words import say
from tui_chat.store.provenance import inline
from tui_chat.store.schema import ProfileTable
from tui_chat.store.tables import Fault, Reader, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.ask import Settings

FIELDS = ("system", "temperature", "top_p", "max_tokens", "seed", "stop", "reasoning_effort", "extra_body")
NUMBERS = ("temperature", "top_p", "max_tokens", "seed")
_KINDS = {info.encode_name: info.type for info in fields(ProfileTable)}


def read(name: str, text: str) -> tuple[Any, Fault]:
    """The text of a field as Settings has it, and what is wrong with it; blank leaves the choice to the server."""
    if not text.strip():
        return _BLANK.get(name), None
    try:
        raw = _READERS.get(name, str.strip)(text)
    except ValueError as error:
        return None, str(error)
    return (raw, None) if name == "system" else _checked(name, raw)


def show(settings: Settings, name: str) -> str:
    """The text of a field, from which `read` makes the same value again."""
    value = getattr(settings, name)
    if value is None or value in ((), {}):
        return ""
    match name:
        case "stop":
            plain = len(value) == 1 and value[0] == value[0].strip() and value[0][:1] not in ("[", '"', "'", "")
            return value[0] if plain and value[0].isprintable() else inline(list(value))
        case "extra_body":
            return json.dumps(dict(value), ensure_ascii=False, indent=2)
        case _:
            return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _checked(name: str, raw: object) -> tuple[Any, Fault]:
    wanted = unwrap(_KINDS[name])[1]
    if isinstance(raw, str) and name in NUMBERS and wanted is not None:
        return None, say("settings.must_be", wanted=say(wanted.words))
    if _has_null(raw):
        return None, say("settings.null")
    reader = _Bare("")
    value, fault = reader.value(_KINDS[name], raw, (name,))
    if fault is not None:
        return None, fault
    if name == "stop":
        value = (value,) if isinstance(value, str) else tuple(value)
    return value, None


class _Bare(Reader):
    """Its faults begin with what is wrong: the field that they stand at says the rest."""

    def report(self, at: tuple[str, ...], fault: str) -> str:
        return " ".join((*at[1:], fault))


def _has_null(value: object) -> bool:
    """TOML, in which profiles are kept, has no null."""
    if isinstance(value, dict):
        return any(map(_has_null, cast("dict[str, object]", value).values()))
    return any(map(_has_null, cast("list[object]", value))) if isinstance(value, list) else value is None


def _float(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _int(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        return _float(text)


def _stop(text: str) -> object:
    """A text as it stands, or where it is quoted or a list, as TOML reads it."""
    if text.strip()[0] not in "[\"'":
        return text.strip()
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError as error:
        raise ValueError(say("settings.stop_toml", fault=_where(error))) from None


def _table(text: str) -> dict[str, Any]:
    """JSON, a TOML table in braces, or lines of TOML."""
    written = text.strip()
    if not written.startswith("{"):
        return _toml(written)
    try:
        value: object = json.loads(written)
    except (ValueError, RecursionError) as error:
        if written.startswith("{}") or '":' in written.replace(" ", ""):
            raise ValueError(say("settings.json", fault=_where(error))) from None
        return _toml(f"x = {written}")["x"]
    return cast("dict[str, Any]", value)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(say("settings.toml", fault=_where(error))) from None


def _where(error: Exception) -> str:
    return str(error).replace("\n", " ")


_READERS: dict[str, Callable[[str], object]] = {
    "system": str,
    "temperature": _float,
    "top_p": _float,
    "max_tokens": _int,
    "seed": _int,
    "stop": _stop,
    "extra_body": _table,
}
_BLANK: dict[str, object] = {"stop": (), "extra_body": {}}
