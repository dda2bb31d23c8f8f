"""Whom a question goes to: endpoint, model and settings, chosen from all that may name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tui_chat.domain.ask import Settings
from tui_chat.domain.failure import ConfigError, UsageError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import find_price
from tui_chat.domain.words import say
from tui_chat.engine.reply import Target
from tui_chat.store.config import DEMO
from tui_chat.store.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.checkup import Check
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.lane import LaneRecord, LaneSpec
    from tui_chat.domain.pricing import Price
    from tui_chat.engine.doctor import Doctor
    from tui_chat.store.library import Stored
    from tui_chat.wiring.house import House

MODELS_NAMED = 5
NOWHERE: tuple[None, None] = (None, None)


class NoEndpoint(ConfigError):
    """Nothing is configured that could be asked."""


class Choice(Struct, frozen=True):
    """What the command line chose; None leaves it to profile, last use and configuration, in this order."""

    endpoint: str | None = None
    model: str | None = None
    profile: str | None = None
    settings: Settings = field(default_factory=Settings)
    stream: bool = True


class Targets:
    """Whom to ask, in one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._endpoints = house.endpoints

    def named(self, text: str, default: Endpoint) -> tuple[Endpoint, str]:
        """What `/model` names: ENDPOINT/MODEL where the first part is an endpoint, else a model of `default`."""
        first, slash, rest = text.partition("/")
        if slash and self._house.config.knows(first):
            return self._endpoints.get(first), rest
        return default, text

    def choose(self, choice: Choice) -> Target:
        """Whom to ask: flag, profile, last used, config default, first endpoint whose key is set.

        The target's model is empty where nothing names one. Raises ConfigError, and NoEndpoint when there is none.
        """
        name, model, settings = self._chosen(choice)
        endpoint = self._endpoints.get(name)
        return self.of(endpoint, model or endpoint.default_model or "", settings, stream=choice.stream)

    def lane(self, spec: LaneSpec, under: Choice) -> Target:
        """Whom a lane asks: its own words go before those of its profile, and where it is silent, `under` speaks.

        Its model is empty where nothing names one. Raises ConfigError, NoEndpoint.
        """
        endpoint, model = self._named_in(spec)
        profile = self._house.config.profile(spec.profile) if spec.profile else None
        endpoint = endpoint or (profile.endpoint if profile else None) or under.endpoint
        model = model or (profile.model if profile else None) or under.model
        settings = spec.settings.over(under.settings)
        return self.choose(Choice(endpoint, model, spec.profile or under.profile, settings, under.stream))

    def left_lane(self, record: LaneRecord) -> Target:
        """Whom a lane of an earlier comparison asks. Raises ConfigError where its endpoint is gone."""
        return self.of(self._endpoints.get(record.endpoint), record.model, record.settings)

    def _named_in(self, spec: LaneSpec) -> tuple[str | None, str | None]:
        """Endpoint and model by their own names; what stands before a slash is an endpoint where there is one."""
        first, slash, rest = (spec.model or "").partition("/")
        if spec.endpoint is None and slash and (self._house.config.knows(first) or first == DEMO):
            return first, rest
        return spec.endpoint, spec.model

    def detour(self, choice: Choice, endpoint: Endpoint) -> str | None:
        """What to say when the demo runs and the profile that was chosen, or the conversation, goes elsewhere."""
        if not self._endpoints.demo_runs or self.flagged(choice)[0] or endpoint.name == DEMO:
            return None
        if choice.profile is None:
            return say("ask.held_elsewhere", endpoint=endpoint.name)
        return say("ask.not_the_demo", profile=choice.profile, endpoint=endpoint.name)

    def doctor(self, choice: Choice, listener: Callable[[Check], None]) -> Doctor:
        """The checkup of the endpoint that a question would go to; may block while a key command runs.

        A key that cannot be had is among its findings. Raises ConfigError where there is no such endpoint.
        """
        from tui_chat.engine.doctor import Doctor
        from tui_chat.net.probe import NetProbe

        name, model, _ = self._chosen(choice)
        fault = None
        try:
            endpoint = self._endpoints.get(name)
        except ConfigError as error:
            if name not in self._house.config.endpoints:
                raise
            endpoint, fault = self._house.config.endpoints[name], str(error)
        return Doctor(self._house.engine, NetProbe(), endpoint, model or endpoint.default_model or "", fault, listener)

    def _chosen(self, choice: Choice) -> tuple[str, str | None, Settings]:
        """Endpoint, model where something names one, and settings. Raises ConfigError, NoEndpoint."""
        default, kept, state = self._house.config.default, self._house.config.kept, self._house.state
        profile = self._house.config.profile(choice.profile) if choice.profile else None
        usual = self._house.config.profile(default.profile) if default.profile and profile is None else None
        base = profile or kept or usual
        settings = choice.settings.over(base.settings) if base else choice.settings
        ways = [
            self.flagged(choice),
            (profile.endpoint, profile.model) if profile else NOWHERE,
            (DEMO, None) if self._endpoints.demo_runs else self._if_usable(state.endpoint, state.model),
            self._if_usable(kept.endpoint, kept.model) if kept else NOWHERE,
            (usual.endpoint, usual.model) if usual else NOWHERE,
            (default.endpoint, default.model),
            (next(iter(self._endpoints.names()), None), None),
        ]
        name = next((endpoint for endpoint, _ in ways if endpoint), None)
        if name is None:
            raise NoEndpoint(
                say("config.none", variables=", ".join(self._endpoints.variables()), file=self._house.config_file)
            )
        # A model goes with the endpoint that it was named for, or with any where none was named.
        return name, next((model for place, model in ways if model and place in (None, name)), None), settings

    def flagged(self, choice: Choice) -> tuple[str | None, str | None]:
        """Endpoint and model as flagged; `-m X/Y` names both when X is an endpoint and -e is absent."""
        first, slash, rest = (choice.model or "").partition("/")
        if choice.endpoint is None and slash and self._house.config.knows(first):
            return first, rest
        return choice.endpoint, choice.model

    def _if_usable(self, endpoint: str | None, model: str | None) -> tuple[str | None, str | None]:
        """What was chosen on the screen, unless its endpoint cannot be used any more."""
        return (endpoint, model) if endpoint in self._endpoints.names() else NOWHERE

    def of(self, endpoint: Endpoint, model: str, settings: Settings, *, stream: bool = True) -> Target:
        return Target(endpoint, model, settings, self._price, stream)

    def _price(self, endpoint: str, model: str) -> Price | None:
        return find_price(self._house.config.prices, endpoint, model)

    def renewed(self, target: Target) -> Target:
        """The target with its endpoint and its price as they are configured now; may block.

        Raises ConfigError where the endpoint is gone, or its key cannot be had.
        """
        endpoint = self._endpoints.get(target.endpoint.name)
        return self.of(endpoint, target.model, target.settings, stream=target.stream)

    async def completed(self, target: Target) -> Target:
        """The target with a model: where nothing names one, the only one offered, or on this computer the first.

        Raises Broken when the list cannot be had, UsageError when there are several to choose from.
        """
        if target.model:
            return target
        offered = [
            m.id for m in self._endpoints.offered(target.endpoint) or await self._endpoints.offers(target.endpoint)
        ]
        if offered and (len(offered) == 1 or target.endpoint.local):
            return self.of(target.endpoint, offered[0], target.settings, stream=target.stream)
        names = ", ".join(visible_line(m, 60) for m in offered[:MODELS_NAMED]) + (
            " …" if len(offered) > MODELS_NAMED else ""
        )
        raise UsageError(say("usage.no_model", endpoint=target.endpoint.name, names=names))

    def as_left(self, stored: Stored, choice: Choice, *, faithful: bool) -> tuple[Target, str]:
        """Whom the next message goes to, and what to tell where that is not whom the last one went to."""
        profile = self._house.config.profile(choice.profile) if choice.profile else Profile("", None, None, Settings())
        chosen = replace(choice, settings=choice.settings.over(profile.settings).over(stored.settings))
        if self.flagged(choice)[0] or profile.endpoint or not stored.endpoint:
            return self.choose(chosen), ""
        if stored.endpoint not in self._house.config.endpoints:
            if faithful:
                raise NoEndpoint(say("history.endpoint_gone", gone=stored.endpoint))
            target = self.choose(chosen)
            return target, say("history.other_endpoint", gone=stored.endpoint, endpoint=target.endpoint.name)
        endpoint, model = self._endpoints.get(stored.endpoint), choice.model or profile.model or stored.model or ""
        return self.of(endpoint, model, chosen.settings, stream=choice.stream), ""
