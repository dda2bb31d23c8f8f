"""The endpoints of a house: those of its configuration, those found at run time, and what is known of them."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.domain.endpoint import Endpoint, Secret, Timeouts
from tui_chat.domain.pricing import find_price
from tui_chat.domain.words import say
from tui_chat.store.config import DEMO
from tui_chat.store.secrets import clean_key, save_key

if TYPE_CHECKING:
    from tui_chat.demo.server import DemoServer
    from tui_chat.domain.failure import Failure
    from tui_chat.store.config import Config
    from tui_chat.wire.codec import ModelInfo
    from tui_chat.wiring.house import House

PROBE = Timeouts(connect=1.0, first_token=2.0)
"""How long a port of this computer is given to answer when the user has us look for servers."""


class Endpoints:
    """Who can be asked, by name."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.keys: set[Secret] = set()
        """Those in use, to be blotted out of what is written."""
        self._listed: dict[str, tuple[Endpoint, list[ModelInfo]]] = {}
        """By its name, an endpoint as it was asked last, and the models that it listed."""
        self._demo: DemoServer | None = None
        self._demo_socket: socket.socket | None = None
        self._found: dict[str, Endpoint] = {}
        """Endpoints that came up at run time; the user's files do not know of them."""
        self._checked: set[tuple[str, Secret | None]] = set()
        """Origins, and the keys that they are known to take."""

    def get(self, name: str) -> Endpoint:
        """An endpoint by name, with its key; may block while a key command runs. Raises ConfigError."""
        found = self._house.config.endpoint(name)
        if found.key is not None:
            self.keys.add(found.key)
        return found

    def names(self) -> list[str]:
        """Endpoints that can be used as they stand."""
        return self._house.config.available()

    def local(self) -> list[str]:
        return self._house.config.local_names()

    def variables(self) -> list[str]:
        """The environment variables in which keys are looked for."""
        return self._house.config.variables()

    def keyed(self) -> list[tuple[str, str]]:
        """(name, label) of the endpoints that a pasted key would make usable."""
        endpoints = self._house.config.endpoints
        known = self._house.config.known.items()
        return [(name, about.label) for name, about in known if about.key_url_hint or endpoints[name].needs_key]

    def recognised(self, key: str) -> str | None:
        """The endpoint that a key belongs to, where the way it begins says so for sure."""
        known = self._house.config.known.items()
        return next((name for name, about in known if about.key_prefixes and key.startswith(about.key_prefixes)), None)

    async def start_demo(self) -> Endpoint:
        """The built-in endpoint on a free port of loopback; the same one while the program runs."""
        endpoint = self.listen_demo()
        if self._demo is None:
            from tui_chat.demo.server import DemoServer

            self._demo = DemoServer(seed=None)
            await self._demo.start(sock=self._demo_socket)
        return endpoint

    def listen_demo(self) -> Endpoint:
        """The built-in endpoint, on a port of its own already; it answers from `start_demo` on."""
        if self._demo_socket is None:
            self._demo_socket = socket.create_server(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{self._demo_socket.getsockname()[1]}/v1"
            self._found[DEMO] = Endpoint(DEMO, url, default_model="demo-fast")
            self._house.config = self._house.config.with_endpoint(self._found[DEMO])
        return self._house.config.endpoint(DEMO)

    async def find_local(self) -> list[Endpoint]:
        """The usual servers of this computer that answer now; asks loopback only, and only when the user said so."""
        candidates = [replace(self.get(name), timeouts=PROBE) for name in self.local()]
        answers = await asyncio.gather(*(self.offers(e) for e in candidates), return_exceptions=True)
        return [e for e, answer in zip(candidates, answers, strict=True) if not isinstance(answer, BaseException)]

    def with_key(self, name: str, key: str) -> Endpoint:
        """An endpoint with a key that is not kept yet. Raises ConfigError when no header could carry it."""
        place = say("config.place.pasted")
        endpoint = self._house.config.endpoints[name]
        return replace(endpoint, key=Secret(clean_key(key, place).reveal()), key_source=place)

    def keep_key(self, name: str, key: str) -> Endpoint:
        """Keep a key in the user's own folder and use it from now on. Raises ConfigError, StoreError."""
        save_key(self._house.env, name, key)
        self._house.reload()
        return self.get(name)

    async def offers(self, endpoint: Endpoint) -> list[ModelInfo]:
        """The models that an endpoint offers; raises Broken."""
        from tui_chat.engine.offers import offers

        found = await offers(self._house.engine, endpoint)
        self._listed[endpoint.name] = endpoint, found
        self._checked.add((endpoint.origin, endpoint.key))
        return found

    def offered(self, endpoint: Endpoint) -> list[ModelInfo]:
        """The models that it offered when it was asked last, with this key; none before."""
        asked, models = self._listed.get(endpoint.name, (endpoint, []))
        return models if (asked.base_url, asked.key) == (endpoint.base_url, endpoint.key) else []

    @property
    def listed(self) -> dict[str, list[ModelInfo]]:
        """By endpoint, the models that it has listed when it was asked last."""
        return {name: models for name, (_, models) in self._listed.items()}

    def window(self, endpoint: str, model: str) -> int | None:
        """Tokens that a model can take in, as its price or its endpoint's list says."""
        price = find_price(self._house.config.prices, endpoint, model)
        if price is not None and price.context:
            return price.context
        return next((info.context for info in self.listed.get(endpoint, ()) if info.id == model), None)

    def sees(self, endpoint: Endpoint, model: str) -> bool | None:
        """Whether a model takes images, as its price or its endpoint's list says; None where neither does."""
        price = find_price(self._house.config.prices, endpoint.name, model)
        if price is not None and price.vision is not None:
            return price.vision
        return next((info.vision for info in self.listed.get(endpoint.name, ()) if info.id == model), None)

    async def check_key(self, endpoint: Endpoint) -> Failure | None:
        """What would keep a first message from being answered; asks each endpoint once, and never this computer's own.

        One that failed is asked again the next time.
        """
        which = (endpoint.origin, endpoint.key)
        if endpoint.local or which in self._checked:
            return None
        from tui_chat.engine.offers import check_key

        trouble = await check_key(self._house.engine, endpoint)
        if trouble is None:
            self._checked.add(which)
        return trouble

    def with_found(self, config: Config) -> Config:
        """A configuration that knows the endpoints that came up at run time."""
        for endpoint in self._found.values():
            config = config.with_endpoint(endpoint)
        return config

    @property
    def demo_runs(self) -> bool:
        """The built-in endpoint has been asked for, and answers."""
        return self._demo is not None

    async def close(self) -> None:
        """Stop the built-in endpoint."""
        if self._demo is not None:
            await self._demo.close()
        elif self._demo_socket is not None:
            self._demo_socket.close()
