"""config.toml: what the user wrote, the shipped catalog beneath it, and every mistake in one line.

It is read from the user's own folder only and never written. One bad entry spares the rest: `load` does not raise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.endpoint import Endpoint, Secret
from tui_chat.domain.failure import ConfigError, StoreError
from tui_chat.domain.keymap import Keymap
from tui_chat.domain.lane import LaneSpec
from tui_chat.domain.pricing import ANY_MODEL, Price
from tui_chat.domain.words import say, use_language
from tui_chat.store.endpoints import Endpoints, Known, Surroundings, read_endpoints
from tui_chat.store.files import read_toml
from tui_chat.store.keys import read_keys
from tui_chat.store.lanes import read_sets
from tui_chat.store.paths import config_file, keys_file, prices_file
from tui_chat.store.prices import Prices, layered, own_prices
from tui_chat.store.profiles import Profile, profile_of, read_profiles
from tui_chat.store.schema import Budget, Currency, Default, ProfileTable, Ui
from tui_chat.store.secrets import load_keys, resolve_key
from tui_chat.store.shipped import shipped_prices
from tui_chat.store.state import State
from tui_chat.store.tables import Problem, Reader, ended, must_be, unknown

USABLE = ("openai-chat",)
"""The dialects that can be spoken."""

DEMO = "demo"
"""The built-in endpoint: known by name, there only while it runs."""

CHOICES = ("endpoint", "model", "profile")
SECTIONS = ("endpoints", "profiles", "compare", "prices", "budget", "currency", "ui", "keys")


class Config(Struct, frozen=True):
    """The configuration in use. Endpoints stand without their keys; `endpoint` looks for one when asked."""

    file: Path
    env: Mapping[str, str]
    endpoints: dict[str, Endpoint]
    """Usable ones, the user's own first, then those of the catalog."""
    known: dict[str, Known]
    """By endpoint: label, where a key can be had, where it is looked for."""
    profiles: dict[str, Profile]
    prices: Mapping[str, Price]
    """The catalog's, the imported and the user's, for `domain.pricing.find_price`."""
    bad_endpoints: dict[str, str]
    """By name, the sentence of the mistake that spoilt it."""
    bad_profiles: dict[str, str]
    default: Default
    kept: Profile | None
    """The default that was kept on the screen; it goes before `default`."""
    ui: Ui
    budget: Budget
    currency: Currency
    compare: dict[str, tuple[LaneSpec, ...]]
    """Sets of lanes."""
    bad_compare: dict[str, str]
    """By name, the sentence of the mistake that spoilt it."""
    keys: Keymap
    """The keys of each action, after `[keys]`."""
    problems: tuple[Problem, ...]

    def __repr__(self) -> str:
        """Without what may hold keys: the environment and the endpoints."""
        return f"Config(file={self.file!r}, problems={self.problems!r})"

    @property
    def unreadable(self) -> str | None:
        """The line that says why the file as a whole could not be read, if so."""
        return next((str(p) for p in self.problems if p.where == str(self.file) and not p.key), None)

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint with its key, if one is found; blocks while a key command runs, at most ten seconds.

        Raises ConfigError: unknown, spoilt by a mistake, or its key cannot be had.
        """
        if name in self.bad_endpoints:
            raise ConfigError(self.bad_endpoints[name])
        if name == DEMO and name not in self.endpoints:
            raise ConfigError(say("config.demo_is_off", name=name))
        if name not in self.endpoints:
            hint = unknown(name, names_of(self.endpoints, self.bad_endpoints))
            raise ConfigError(ended(say("config.no_endpoint", name=name, hint=hint)))
        endpoint = self.endpoints[name]
        if name not in self.known:
            return endpoint
        key, place = resolve_key(self.known[name].source, self.env)
        return replace(endpoint, key=key, key_source=place)

    def profile(self, name: str) -> Profile:
        """Raises ConfigError: unknown, or spoilt by a mistake."""
        if name in self.bad_profiles:
            raise ConfigError(self.bad_profiles[name])
        if name not in self.profiles:
            hint = unknown(name, [*self.profiles, *self.bad_profiles])
            raise ConfigError(ended(say("config.no_profile", name=name, hint=hint)))
        return self.profiles[name]

    def lanes(self, name: str) -> tuple[LaneSpec, ...]:
        """A set of lanes. Raises ConfigError: unknown, or spoilt by a mistake."""
        if name in self.bad_compare:
            raise ConfigError(self.bad_compare[name])
        if name not in self.compare:
            hint = unknown(name, [*self.compare, *self.bad_compare])
            raise ConfigError(ended(say("config.no_set", name=name, hint=hint)))
        return self.compare[name]

    def knows(self, name: str) -> bool:
        """True for the name of an endpoint, usable or not."""
        return name in self.endpoints or name in self.bad_endpoints

    def available(self) -> list[str]:
        """Endpoints that can be used as they stand: with a key, or chosen and needing none; the user's own first."""
        return [name for name in self.endpoints if self._usable(name)]

    def _usable(self, name: str) -> bool:
        if name not in self.known:
            return True
        known = self.known[name]
        return known.source.has_key(self.env) or (known.chosen and not self.endpoints[name].needs_key)

    def variables(self) -> list[str]:
        """The environment variables in which keys are looked for."""
        named = (known.source.variable for known in self.known.values())
        return list(dict.fromkeys(variable for variable in named if variable))

    def local_names(self) -> list[str]:
        """Servers that usually listen on this machine and need no key."""
        return [name for name, known in self.known.items() if known.local_server]

    def with_endpoint(self, endpoint: Endpoint) -> Config:
        """This configuration with an endpoint that came up at run time: ready as it stands, and first."""
        others = {name: other for name, other in self.endpoints.items() if name != endpoint.name}
        return replace(
            self,
            endpoints={endpoint.name: endpoint, **others},
            known={name: known for name, known in self.known.items() if name != endpoint.name},
            bad_endpoints={name: line for name, line in self.bad_endpoints.items() if name != endpoint.name},
        )


def load(env: Mapping[str, str], dialects: Collection[str] = USABLE, saved: State | None = None) -> Config:
    """Read the configuration; whatever is wrong is in `problems`, and all the rest works.

    `saved`: what was chosen on the screen, with the profiles that were kept there.
    """
    saved = saved or State()
    file = config_file(env)
    reader = Reader(str(file))
    money = _content(file, env, reader)
    raw = cast("dict[str, Any]", plain(money))
    endpoints = _endpoints(raw, Surroundings(file, env, dialects, _saved(env, reader), str(keys_file(env))), reader)
    profiles, bad_profiles = _profiles(raw, saved, endpoints, reader)
    compare, bad_compare = read_sets(_section(raw, "compare", reader), reader)
    return Config(
        file=file,
        env=env,
        endpoints=endpoints.ready,
        known=endpoints.known,
        profiles=profiles,
        prices=_prices(money, env, endpoints, reader),
        bad_endpoints=endpoints.bad,
        bad_profiles=bad_profiles,
        default=_default(raw, endpoints, [*profiles, *bad_profiles], reader),
        kept=_kept(saved, reader),
        ui=reader.table(Ui, raw.get("ui", {}), ("ui",))[0] or Ui(),
        budget=reader.table(Budget, money.get("budget", {}), ("budget",))[0] or Budget(),
        currency=_currency(money, reader),
        compare=compare,
        bad_compare=bad_compare,
        keys=read_keys(_section(raw, "keys", reader), reader),
        problems=tuple(reader.problems),
    )


def _content(file: Path, env: Mapping[str, str], reader: Reader) -> dict[str, Any]:
    """The file with Decimal for its fractions, {} when it cannot be read."""
    try:
        content = read_toml(file, Decimal)
    except StoreError as error:
        reader.problems.append(Problem(reader.where, "", say("config.unread", fault=error)))
        return {}
    _speak(content.get("ui"), env)
    reader.unknown_keys(content, (*CHOICES, *SECTIONS), ())
    return content


def _speak(ui: object, env: Mapping[str, str]) -> None:
    """The language comes first: mistakes in the rest of the file are told in it."""
    table, _ = Reader("").table(Ui, ui, ())
    use_language((table or Ui()).language, env)


def plain(value: object) -> object:
    """TOML content with float for Decimal, as JSON and msgspec want it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [plain(entry) for entry in cast("list[object]", value)]
    return value


def _saved(env: Mapping[str, str], reader: Reader) -> dict[str, Secret]:
    try:
        return load_keys(env)
    except (ConfigError, StoreError) as error:
        reader.problems.append(Problem(str(keys_file(env)), "", str(error)))
        return {}


def _section(raw: Mapping[str, Any], name: str, reader: Reader) -> dict[str, Any]:
    section = raw.get(name, {})
    if isinstance(section, dict):
        return cast("dict[str, Any]", section)
    reader.report((name,), must_be(say("config.kind.table"), section))
    return {}


def _endpoints(raw: Mapping[str, Any], around: Surroundings, reader: Reader) -> Endpoints:
    return read_endpoints(_section(raw, "endpoints", reader), around, reader)


def _profiles(
    raw: Mapping[str, Any], saved: State, endpoints: Endpoints, reader: Reader
) -> tuple[dict[str, Profile], dict[str, str]]:
    """Those of the user's file, then those kept on the screen whose names it does not have."""
    names = names_of(endpoints.ready, endpoints.bad)
    good, bad = read_profiles(_section(raw, "profiles", reader), names, reader)
    own = saved.reader(reader.problems)
    kept, spoilt = read_profiles(saved.profiles, names, own)
    for name in saved.profiles:
        if name in good or name in bad:
            own.report(("profiles", name), say("config.profile_twice", file=reader.where))
    taken = {*good, *bad}
    return (
        good | {name: profile for name, profile in kept.items() if name not in taken},
        bad | {name: fault for name, fault in spoilt.items() if name not in taken},
    )


def _kept(saved: State, reader: Reader) -> Profile | None:
    """The choices that were kept on the screen as default, as far as they are right."""
    if saved.default is None:
        return None
    own = saved.reader(reader.problems)
    table = own.table(ProfileTable, saved.default, ("default",))[0]
    return None if table is None else profile_of("", table, own.where)


def names_of(ready: Iterable[str], bad: Iterable[str]) -> list[str]:
    """What an endpoint may be called: usable ones, spoilt ones, and the demo."""
    return list(dict.fromkeys((*ready, *bad, DEMO)))


def _unknown_endpoint(name: str | None, endpoints: Endpoints, at: tuple[str, ...], reader: Reader) -> str | None:
    names = names_of(endpoints.ready, endpoints.bad)
    if name is None or name in names:
        return None
    return reader.report(at, say("config.names_no_endpoint", hint=unknown(name, names)))


def _default(raw: Mapping[str, Any], endpoints: Endpoints, profiles: list[str], reader: Reader) -> Default:
    """The choices of the file. A name that is unknown stays: a request must not go elsewhere because of a slip."""
    chosen = {name: raw[name] for name in CHOICES if name in raw}
    default = reader.table(Default, chosen, ())[0] or Default()
    _unknown_endpoint(default.endpoint, endpoints, ("endpoint",), reader)
    if default.profile is not None and default.profile not in profiles:
        reader.report(("profile",), say("config.names_no_profile", hint=unknown(default.profile, profiles)))
    return default


def _prices(money: Mapping[str, Any], env: Mapping[str, str], endpoints: Endpoints, reader: Reader) -> Prices:
    """What is shipped, under what was imported, under the user's own."""
    remote = {f"{name}/{ANY_MODEL}" for name, endpoint in endpoints.ready.items() if not endpoint.local}
    own, bad = own_prices(_section(money, "prices", reader), reader)
    imported = _imported(env, reader)

    def read() -> dict[str, Price]:
        shipped = {name: price for name, price in shipped_prices().items() if name not in remote}
        return layered({**shipped, **imported}, own, bad)

    return Prices(read)


def _imported(env: Mapping[str, str], reader: Reader) -> dict[str, Price]:
    if not prices_file(env).exists():
        return {}
    from tui_chat.store.price_import import imported_prices

    try:
        return imported_prices(env)
    except StoreError as error:
        reader.problems.append(Problem(str(prices_file(env)), "", str(error)))
        return {}


def _currency(money: Mapping[str, Any], reader: Reader) -> Currency:
    """USD unless both keys are right: an amount under the wrong sign would mislead."""
    raw = money.get("currency", {})
    table, fault = reader.table(Currency, raw, ("currency",))
    if table is None or fault is not None:
        return Currency()
    if table.code != Currency().code and "per_usd" not in raw:
        reader.report(("currency", "per_usd"), say("config.missing"))
        return Currency()
    return table
