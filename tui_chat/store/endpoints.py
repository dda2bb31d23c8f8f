"""The endpoints: the catalog, with the user's own tables and the environment laid over it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from msgspec import Struct, field

from tui_chat.domain.endpoint import Endpoint, RetryPolicy, Secret, Timeouts
from tui_chat.domain.words import say
from tui_chat.store.files import open_to_others
from tui_chat.store.schema import EndpointTable, base_url_fault, header_name_fault
from tui_chat.store.secrets import KeySource, chmod_line, in_environment
from tui_chat.store.shipped import Entry, shipped_endpoints
from tui_chat.store.tables import Fault, Reader

FIRST_TOKEN_LOCAL = 600.0
KEY_FIELDS = ("api_key_env", "api_key_command", "api_key")

_NAME = re.compile(r"[^\s/\x00-\x1f\x7f]+")


class Known(Struct, frozen=True):
    """What is known of an endpoint beside how to talk to it."""

    label: str
    """The provider's name as people write it."""
    source: KeySource
    key_url_hint: str = ""
    """Where a key can be had."""
    key_prefixes: tuple[str, ...] = ()
    """What only keys of this provider begin with."""
    chosen: bool = False
    """The user's file or environment names it, so that it may be used without a key."""
    local_server: bool = False
    """A keyless server of the catalog, on loopback."""


class Endpoints(Struct, frozen=True):
    """What `read_endpoints` found; the user's own come first."""

    ready: dict[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    known: dict[str, Known] = field(default_factory=dict[str, Known])
    bad: dict[str, str] = field(default_factory=dict[str, str])
    """By name, the sentence of the mistake that spoilt it."""


class Surroundings(Struct, frozen=True):
    """What an endpoint is read against."""

    file: Path
    env: Mapping[str, str]
    dialects: Collection[str]
    saved: Mapping[str, Secret]
    saved_place: str


def read_endpoints(tables: Mapping[str, object], around: Surroundings, reader: Reader) -> Endpoints:
    """The endpoints of `tables`, the content of [endpoints], and of the catalog."""
    found = Endpoints()
    shipped = shipped_endpoints()
    for name in [*tables, *(name for name in shipped if name not in tables)]:
        _Reading(name, tables.get(name), shipped.get(name), around, reader).into(found)
    return found


class _Reading(Struct, frozen=True):
    """One endpoint on its way from tables to domain values."""

    name: str
    own: object
    """The user's table; None when there is none."""
    entry: Entry | None
    around: Surroundings
    reader: Reader

    @property
    def at(self) -> tuple[str, ...]:
        return ("endpoints", self.name)

    @property
    def own_keys(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.own) if isinstance(self.own, dict) else {}

    def into(self, found: Endpoints) -> None:
        if self.own is not None and not _NAME.fullmatch(self.name):
            found.bad[self.name] = self.reader.report(self.at, say("config.endpoint_name"))
            return
        address, fault = self.environment_address()
        table, mistake = (None, fault) if fault else self.read(address)
        fault = mistake or (self.fault(table) if table else None)
        if fault or table is None:
            found.bad[self.name] = fault or ""
            return
        source = self.source(table)
        found.ready[self.name] = endpoint_of(self.name, table, source, self.around.file.parent)
        found.known[self.name] = self.about(table, source, chosen=self.own is not None or address is not None)

    def environment_address(self) -> tuple[str | None, Fault]:
        """The base URL that the environment sets, unless the user's file does."""
        variable = self.entry.about.base_url_env if self.entry else None
        address = in_environment(self.around.env, variable)
        if not address or "base_url" in self.own_keys:
            return None, None
        if fault := base_url_fault(address):
            environment = Reader(say("config.place.environment"), self.reader.problems)
            return None, environment.report((variable or "",), fault)
        return address, None

    def read(self, address: str | None) -> tuple[EndpointTable | None, Fault]:
        if self.own is not None and not isinstance(self.own, dict):
            return self.reader.table(EndpointTable, self.own, self.at)
        own = self.own_keys
        base = dict(self.entry.table) if self.entry else {}
        if any(key in own for key in KEY_FIELDS):
            base.pop("api_key_env", None)
        if address is not None:
            base["base_url"] = address
        return self.reader.table(EndpointTable, {**base, **own}, self.at)

    def fault(self, table: EndpointTable) -> Fault:
        """The first mistake that only shows when the keys are seen together; all of the user's are reported."""
        faults = [self.reader.report((*self.at, *at), text) for at, text in self.faults(table)]
        if faults:
            return faults[0]
        if table.dialect not in self.around.dialects:
            return self.unsupported(table)
        return None

    def faults(self, table: EndpointTable) -> Iterator[tuple[tuple[str, ...], str]]:
        given = [key for key in KEY_FIELDS if getattr(table, key) is not None]
        if len(given) > 1:
            yield (given[1],), say("config.one_key", keys=", ".join(given))
        if table.api_key is not None:
            if open_to_others(self.around.file):
                yield ("api_key",), say("config.key_open", chmod=chmod_line(self.around.file))
            if table.api_key.reveal().startswith("$"):
                yield ("api_key",), say("config.key_variable")
        for header in table.headers:
            if fault := header_name_fault(header):
                yield ("headers", header), fault
        if table.ca_file and not located(table.ca_file, self.around.file.parent).is_file():
            yield ("ca_file",), say("config.no_file")

    def unsupported(self, table: EndpointTable) -> str:
        """A dialect to come: a problem where the user asks for it, else only an answer to whoever asks."""
        if self.own is not None:
            usable = ", ".join(sorted(self.around.dialects))
            return self.reader.report(
                (*self.at, "dialect"), say("config.dialect", dialect=table.dialect, usable=usable)
            )
        label = table.label or self.name
        return say("config.shipped_dialect", endpoint=self.name, label=label, dialect=table.dialect)

    def source(self, table: EndpointTable) -> KeySource:
        return KeySource(
            endpoint=self.name,
            variable=table.api_key_env,
            command=tuple(table.api_key_command or ()),
            inline=table.api_key,
            saved=self.around.saved.get(self.name),
            inline_place=say("config.place.inline", endpoint=self.name, file=self.around.file),
            saved_place=self.around.saved_place,
        )

    def about(self, table: EndpointTable, source: KeySource, *, chosen: bool) -> Known:
        return Known(
            label=table.label or self.name,
            source=source,
            key_url_hint=self.entry.about.key_url_hint if self.entry else "",
            key_prefixes=self.entry.about.key_prefixes if self.entry else (),
            chosen=chosen,
            local_server=self.entry is not None and self.entry.keyless,
        )


def endpoint_of(name: str, table: EndpointTable, source: KeySource, folder: Path) -> Endpoint:
    """The domain's Endpoint, its key not looked for yet."""
    draft = Endpoint(name, table.base_url.rstrip("/"))
    wants_key = bool(source.variable or source.command or source.inline)
    return Endpoint(
        name=name,
        base_url=draft.base_url,
        dialect=table.dialect,
        key_source=source.place,
        needs_key=wants_key and not draft.local,
        headers=MappingProxyType(table.headers),
        extra_body=MappingProxyType(table.extra_body),
        proxy=table.proxy,
        ca_file=str(located(table.ca_file, folder)) if table.ca_file else None,
        insecure_http=table.insecure_http,
        timeouts=_timeouts(table, local=draft.local),
        retry=RetryPolicy(table.retry.attempts, table.retry.base, table.retry.cap),
        default_model=table.default_model,
    )


def _timeouts(table: EndpointTable, *, local: bool) -> Timeouts:
    given = table.timeouts
    default = FIRST_TOKEN_LOCAL if local else Timeouts().first_token
    first_token = default if given.first_token is None else given.first_token
    return Timeouts(given.connect, first_token, given.idle, given.total)


def located(path: str, folder: Path) -> Path:
    """A path of the configuration: `~` is the home, relative is beside config.toml."""
    return folder / Path(path).expanduser()
