"""The catalog that comes with the program: endpoints and prices, each with a checked date and a source."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from tui_chat.domain.pricing import Price
from tui_chat.store.prices import price_of
from tui_chat.store.schema import EndpointTable, ShippedEndpoint, ShippedPrice

CATALOG = "tui_chat.store.catalog"


class Entry(Struct, frozen=True):
    """One endpoint of the catalog."""

    about: ShippedEndpoint
    table: dict[str, Any]
    """Its keys of `[endpoints.NAME]`, over which the user's own are laid."""

    @property
    def keyless(self) -> bool:
        return "api_key_env" not in self.table


def _catalog(name: str) -> dict[str, Any]:
    return tomllib.loads(files(CATALOG).joinpath(name).read_text("utf-8"), parse_float=Decimal)


def config_template() -> str:
    """A config.toml in which every setting stands as a comment."""
    return files(CATALOG).joinpath("config.toml").read_text("utf-8")


@cache
def shipped_endpoints() -> dict[str, Entry]:
    """The endpoints by name, in the order of the catalog."""
    own = {info.encode_name for info in fields(EndpointTable)}
    return {
        name: Entry(msgspec.convert(raw, ShippedEndpoint), {key: value for key, value in raw.items() if key in own})
        for name, raw in _catalog("endpoints.toml").items()
    }


@cache
def shipped_prices() -> dict[str, Price]:
    """The prices by model, or by `endpoint/model`."""
    groups = msgspec.convert(_catalog("prices.toml")["prices"], list[ShippedPrice])
    return {
        model: price_of(
            group,
            group.tiers,
            group.windows,
            checked=group.checked,
            source=group.source,
            note=group.note,
            provider=group.provider,
            context=group.context,
            vision=group.vision,
        )
        for group in groups
        for model in group.models
    }
