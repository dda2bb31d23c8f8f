"""What is chosen on the screen and kept: profiles and the default, and where a chat's settings come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.ask import Settings
from tui_chat.domain.failure import ConfigError
from tui_chat.domain.words import say
from tui_chat.store import state
from tui_chat.store.config import DEMO
from tui_chat.store.profiles import Profile, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui_chat.engine.reply import Target
    from tui_chat.wiring.house import House
    from tui_chat.wiring.targets import Choice

UNSET = Settings()
MOST_NAME = 60
"""Characters of a profile's name."""


class Profiles:
    """The profiles of one house, the user's own and those kept on the screen."""

    def __init__(self, house: House) -> None:
        self._house = house

    def names(self) -> list[str]:
        """Every profile that can be taken, and those kept ones that stand in the shadow of the user's file."""
        return list(dict.fromkeys((*self._house.config.profiles, *self._house.state.profiles)))

    def get(self, name: str) -> Profile | None:
        """None for one that is spoilt by a mistake."""
        return self._house.config.profiles.get(name)

    def kept(self, name: str) -> bool:
        """True for one that was kept on the screen, where it can be renamed and deleted."""
        return name in self._house.state.profiles

    def in_file(self, name: str) -> bool:
        """True where config.toml has the name, whatever was kept under it."""
        profile = self.get(name)
        own = profile is not None and profile.place == str(self._house.config_file)
        return own or (name in self._house.config.bad_profiles and not self.kept(name))

    def take(self, name: str, target: Target) -> Target:
        """The target as the profile has it; what it leaves open stays. May block. Raises ConfigError."""
        profile = self._house.config.profile(name)
        endpoint, model = target.endpoint, profile.model or target.model
        if profile.endpoint and profile.endpoint != endpoint.name:
            endpoint = self._house.endpoints.get(profile.endpoint)
            model = profile.model or endpoint.default_model or ""
        return self._house.targets.of(endpoint, model, profile.settings, stream=target.stream)

    def keep(self, name: str, target: Target) -> None:
        """Keep a target under a name. Raises ConfigError for a name that the user's file has, StoreError."""
        self._check(name)
        self._took(state.keep_profile(self._house.env, name, table_of(_profile(name, target))))

    def rename(self, old: str, new: str) -> None:
        """Raises ConfigError for a name that is taken, StoreError."""
        self._check(new)
        if new != old and self.kept(new):
            raise ConfigError(say("profiles.taken", name=new))
        self._took(state.rename_profile(self._house.env, old, new))

    def drop(self, name: str) -> None:
        """Forget a kept profile. Raises ConfigError for one of the user's file, StoreError."""
        if not self.kept(name):
            raise ConfigError(say("profiles.not_mine", file=self._house.config_file))
        self._took(state.drop_profile(self._house.env, name))

    def keep_default(self, target: Target) -> None:
        """Have new chats begin with this target. Raises StoreError."""
        if target.endpoint.name != DEMO:
            state.remember(self._house.env, endpoint=target.endpoint.name, model=target.model)
        self._took(state.keep_default(self._house.env, table_of(_profile("", target))))

    def forget_default(self) -> bool:
        """Have new chats begin as the user's file says; False when nothing was kept. Raises StoreError."""
        if self._house.state.default is None:
            return False
        self._took(state.keep_default(self._house.env, None))
        return True

    def _check(self, name: str) -> None:
        if not name.strip():
            raise ConfigError(say("profiles.no_name"))
        if self.in_file(name):
            raise ConfigError(say("profiles.in_file", file=self._house.config_file, name=name))

    def _took(self, _: state.State) -> None:
        self._house.reload()

    # where a value comes from

    def origins(self, target: Target, choice: Choice, taken: str) -> dict[str, str]:
        """In words, by field of Settings and `model`: where the value comes from that stands there now.

        `taken`: the profile that was taken last in the chat, if any.
        """
        bases = list(self._bases(choice, taken))
        beneath = next((settings for _, settings, profile in bases if profile is not None), UNSET)
        origins = {"model": self._model_origin(target, choice, bases)}
        for field in Settings.__struct_fields__:
            value = getattr(target.settings, field)
            if value == getattr(UNSET, field):
                origins[field] = say("origin.none" if getattr(beneath, field) == value else "origin.here")
            else:
                given = (words for words, settings, _ in bases if getattr(settings, field) == value)
                origins[field] = next(given, say("origin.here"))
        return origins

    def _bases(self, choice: Choice, taken: str) -> Iterator[tuple[str, Settings, Profile | None]]:
        """What a chat begins with, the first that counts first."""
        config = self._house.config
        name = taken or choice.profile or ""
        if choice.settings != UNSET:
            yield say("origin.flag"), choice.settings, None
        if (profile := config.profiles.get(name)) is not None:
            yield say("origin.profile", name=name), profile.settings, profile
        if config.kept is not None:
            yield say("origin.kept"), config.kept.settings, config.kept
        usual = config.profiles.get(config.default.profile or "")
        if usual is not None and usual.name != name:
            yield say("origin.profile", name=usual.name), usual.settings, usual

    def _model_origin(self, target: Target, choice: Choice, bases: list[tuple[str, Settings, Profile | None]]) -> str:
        named = self._house.targets.flagged(choice)[1]
        if target.model and target.model == named:
            return say("origin.flag")
        for words, _, profile in bases:
            if profile is not None and profile.model and profile.model == target.model:
                return words
        last = self._house.state
        if (last.endpoint, last.model) == (target.endpoint.name, target.model):
            return say("origin.last")
        if target.model == self._house.config.default.model:
            return say("origin.default", file=self._house.config_file.name)
        own = target.model == target.endpoint.default_model
        return say("origin.endpoint", endpoint=target.endpoint.name) if own else say("origin.here")


def _profile(name: str, target: Target) -> Profile:
    """A target as a profile; the demo is there only while it runs, and is left out."""
    lasting = target.endpoint.name != DEMO
    endpoint, model = (target.endpoint.name, target.model or None) if lasting else (None, None)
    return Profile(name, endpoint, model, target.settings)
