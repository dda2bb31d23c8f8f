"""The models whose prices are compared, by the names that people give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.pricing import ANY_MODEL, find_price
from tui_chat.domain.whatif import ARTICLE, Offer
from tui_chat.domain.words import say
from tui_chat.store.config import DEMO
from tui_chat.store.prices import PRICE_SOURCE
from tui_chat.store.state import load_state
from tui_chat.store.tables import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.store.config import Config


def usual_models(config: Config, asked: Iterable[str] = ()) -> list[str]:
    """Four well-known models, and those that the user has named: in config.toml, and last on screen.

    One that is among those `asked`, as ENDPOINT/MODEL, is not named again for the same price or for none.
    """
    named = [
        config.default.model,
        *(profile.model for profile in config.profiles.values()),
        load_state(config.env).model,
    ]
    own = [name for name in priced_models(config) if config.prices[name].source == PRICE_SOURCE]
    usual = dict.fromkeys(name for name in (*ARTICLE, *named, *own) if name)
    places = [(endpoint, model) for endpoint, _, model in (name.partition("/") for name in asked)]
    return [name for name in usual if not any(_same(config, name, *place) for place in places)]


def _same(config: Config, name: str, endpoint: str, model: str) -> bool:
    """True when a model of an endpoint is what a name without one means."""
    if name != model or not (config.knows(endpoint) or endpoint == DEMO):
        return False
    price = find_price(config.prices, "", name)
    return price is None or price is find_price(config.prices, endpoint, model)


def priced_models(config: Config) -> list[str]:
    """The names of models that have a price, each once: not again for a host that asks the same."""
    prices = config.prices
    return [
        name
        for name, price in prices.items()
        if not name.endswith(f"/{ANY_MODEL}")
        and not name.startswith(f"{DEMO}/")
        and prices.get(name.partition("/")[2]) is not price
    ]


def priced_name(config: Config, name: str) -> str:
    """What a model is called with the demo at hand: one that has a price there alone is the demo's."""
    return f"{DEMO}/{name}" if name not in config.prices and f"{DEMO}/{name}" in config.prices else name


def unpriced(config: Config, offers: Iterable[Offer], named: Iterable[str]) -> list[str]:
    """One line for each of the models that were `named` of which no price is known."""
    named = set(named)
    return [_no_price(config, offer.model) for offer in offers if offer.price is None and offer.model in named]


def _no_price(config: Config, name: str) -> str:
    near = nearest(name, priced_models(config))
    return say("cost.no_price_near", model=name, near=near) if near else say("cost.no_price", model=name)


def offers(config: Config, names: Iterable[str], day: str, endpoint: str | None = None) -> list[Offer]:
    """Each model once, at the price of an ISO day; `X/Y` is a model of the endpoint X where there is one, else all of
    them are models of `endpoint`.
    """
    return [_offer(config, name, day, endpoint) for name in dict.fromkeys(names)]


def _offer(config: Config, name: str, day: str, asked: str | None) -> Offer:
    endpoint, slash, model = name.partition("/")
    if asked is None and slash and (config.knows(endpoint) or endpoint == DEMO):
        price = find_price(config.prices, endpoint, model)
    else:
        price = find_price(config.prices, asked or "", name)
    return Offer(name, None if price is None else price.on(day))
