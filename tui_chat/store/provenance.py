"""Where each setting comes from: the user's file, the environment, the catalog, the screen, or nowhere.

No key is ever told: of a key only its place and whether one is there, of a header only its name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import tomli_w
from msgspec import Struct
from msgspec.structs import asdict

from tui_chat.domain.failure import StoreError
from tui_chat.domain.keymap import PRESET, PRESETS
from tui_chat.domain.words import say
from tui_chat.store.config import CHOICES, SECTIONS
from tui_chat.store.files import read_toml
from tui_chat.store.profiles import table_of
from tui_chat.store.secrets import in_environment
from tui_chat.store.shipped import shipped_endpoints
from tui_chat.store.tables import dotted
from tui_chat.wire.blot import BLOT, Blotter, clean_body, clean_url, known_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.store.config import Config
    from tui_chat.store.state import State

ENDPOINT_FIELDS = ("base_url", "dialect", "proxy", "ca_file", "insecure_http", "default_model", "extra_body")


class Setting(Struct, frozen=True):
    """One value that counts."""

    key: str
    """Its dotted path, as config.toml writes it."""
    value: Any
    """TOML's kinds of values; None: it is not set."""
    source: str
    """The file or the variable that sets it, or in words: the catalog, the default."""

    @property
    def line(self) -> str:
        """As a line of TOML; what is not set is a comment."""
        return f"# {self.key} =" if self.value is None else f"{self.key} = {inline(self.value)}"


def settings(config: Config, state: State) -> Iterator[Setting]:
    """Every value that counts, in the order of the file's sections."""
    told = _Told(config, state)
    yield from told.choices()
    for section in ("ui", "budget", "currency"):
        yield from told.section(section)
    for section in ("endpoints", "profiles", "compare", "prices", "keys"):
        yield from getattr(told, section)()


class _Told:
    def __init__(self, config: Config, state: State) -> None:
        self._config = config
        self._state = state
        self._file = str(config.file)
        self._wrong = {problem.key for problem in config.problems if problem.where == self._file}
        self._raw = _written(config)

    def choices(self) -> Iterator[Setting]:
        chosen = asdict(self._config.default)
        for key in CHOICES:
            yield Setting(key, chosen[key], self._source((key,)))
        for key, value in (("endpoint", self._state.endpoint), ("model", self._state.model)):
            if value is not None:
                yield Setting(f"last.{key}", value, self._state.file)
        if self._config.kept is not None:
            for key, value in _cleaned(table_of(self._config.kept)).items():
                yield Setting(dotted(("default", key)), value, self._state.file)

    def section(self, name: str) -> Iterator[Setting]:
        for key, value in asdict(getattr(self._config, name)).items():
            if (name, key) == ("ui", "theme") and self._state.theme:
                yield Setting("ui.theme", self._state.theme, self._state.file)
            else:
                yield Setting(dotted((name, key)), value, self._source((name, key)))

    def endpoints(self) -> Iterator[Setting]:
        for name, endpoint in self._config.endpoints.items():
            yield from self._endpoint(name, endpoint)

    def _endpoint(self, name: str, endpoint: Endpoint) -> Iterator[Setting]:
        for key in ENDPOINT_FIELDS:
            value = self._shown(endpoint, key)
            if value or key in ("base_url", "dialect"):
                yield Setting(dotted(("endpoints", name, key)), value, self._endpoint_source(name, key))
        for header in endpoint.headers:
            yield Setting(dotted(("endpoints", name, "headers", header)), BLOT, self._endpoint_source(name, "headers"))
        for table in ("timeouts", "retry"):
            for key, value in asdict(getattr(endpoint, table)).items():
                at = ("endpoints", name, table, key)
                if self._own(*at) is not None:
                    yield Setting(dotted(at), value, self._source(at))
        source = self._config.known[name].source
        there = say("config.key_there" if source.has_key(self._config.env) else "config.key_absent")
        yield Setting(dotted(("endpoints", name, "key")), there, source.place)

    def _shown(self, endpoint: Endpoint, key: str) -> Any:
        value, keys = getattr(endpoint, key), known_keys(endpoint)
        if key == "extra_body":
            return _cleaned(dict(value), keys)
        if key == "proxy" and value:
            return clean_url(value, Blotter(keys))
        return value

    def profiles(self) -> Iterator[Setting]:
        yield from self._tables("profiles", self._config.profiles)
        for name, profile in self._config.profiles.items():
            if profile.place == self._state.file:
                for key, value in _cleaned(table_of(profile)).items():
                    yield Setting(dotted(("profiles", name, key)), value, profile.place)

    def compare(self) -> Iterator[Setting]:
        yield from self._tables("compare", self._config.compare)

    def prices(self) -> Iterator[Setting]:
        yield from self._tables("prices", self._config.prices)

    def keys(self) -> Iterator[Setting]:
        name = str(self._own("keys", PRESET) or "default") if dotted(("keys", PRESET)) not in self._wrong else "default"
        yield Setting(dotted(("keys", PRESET)), name, self._source(("keys", PRESET)))
        for action, keys in self._config.keys.keys.items():
            at = ("keys", action)
            source = self._source(at)
            if source != self._file and action in PRESETS[name]:
                source = say("config.from_preset", name=name)
            yield Setting(dotted(at), ",".join(keys), source)

    def _tables(self, section: str, good: Mapping[str, object]) -> Iterator[Setting]:
        """What the user wrote of the tables that can be used."""
        for name, table in cast("dict[str, Any]", self._raw.get(section, {})).items():
            if name not in good or not isinstance(table, dict):
                continue
            for key, value in _cleaned(cast("dict[str, Any]", table)).items():
                if dotted((section, name, key)) not in self._wrong:
                    yield Setting(dotted((section, name, key)), value, self._file)

    def _endpoint_source(self, name: str, key: str) -> str:
        if self._own("endpoints", name, key) is not None:
            return self._source(("endpoints", name, key))
        entry = shipped_endpoints().get(name)
        variable = entry.about.base_url_env if entry and key == "base_url" else None
        if variable and in_environment(self._config.env, variable):
            return variable
        return say("config.from_catalog") if entry and key in entry.table else say("config.from_default")

    def _source(self, at: tuple[str, ...]) -> str:
        written = self._own(*at) is not None and dotted(at) not in self._wrong
        return self._file if written else say("config.from_default")

    def _own(self, *at: str) -> object:
        """What stands in the user's file at this path."""
        value: Any = self._raw
        for part in at:
            value = cast("dict[str, Any]", value).get(part) if isinstance(value, dict) else None
        return value


def _written(config: Config) -> dict[str, Any]:
    """The user's file, its wrong sections left out; {} when it cannot be read."""
    try:
        raw = read_toml(config.file)
    except StoreError:
        return {}
    return {key: value for key, value in raw.items() if key not in SECTIONS or isinstance(value, dict)}


def _cleaned(table: object, keys: Iterable[str] = ()) -> dict[str, Any]:
    """A table without these keys, and without what its names make a key of."""
    return json.loads(clean_body(json.dumps(table, default=str).encode(), Blotter(keys)))


def inline(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return "{ " + ", ".join(f"{dotted((key,))} = {inline(entry)}" for key, entry in table.items()) + " }"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(inline, cast('list[Any]', value)))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
