"""The house: everything a face needs, put together from one environment."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tui_chat.domain.ask import Settings
from tui_chat.domain.budget import Budget
from tui_chat.domain.endpoint import Endpoint, Secret, Timeouts
from tui_chat.domain.failure import ConfigError, RecordingError, StoreError, UsageError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import find_price
from tui_chat.domain.words import say, use_keys
from tui_chat.engine.clock import ScaledClock, SystemClock
from tui_chat.engine.ports import Engine
from tui_chat.engine.recorder import LastExchange, RecordingClock, RecordingTransport, Tape
from tui_chat.engine.session import Session, Target
from tui_chat.store import config as configuration
from tui_chat.store import recordings
from tui_chat.store.ids import new_id
from tui_chat.store.learned import LearnedFacts, take_over
from tui_chat.store.ledger import Ledger
from tui_chat.store.logfile import start_log
from tui_chat.store.paths import log_file, shipped_themes, user_snippets, user_themes
from tui_chat.store.profiles import Profile
from tui_chat.store.secrets import clean_key, save_key
from tui_chat.store.state import load_state, remember
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wiring.chats import Chat, Chats
from tui_chat.wiring.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tui_chat.demo.server import DemoServer
    from tui_chat.domain.checkup import Check
    from tui_chat.domain.failure import Failure
    from tui_chat.domain.lane import LaneRecord, LaneSpec
    from tui_chat.domain.pricing import Price
    from tui_chat.engine.doctor import Doctor
    from tui_chat.engine.ports import Answer, Transport
    from tui_chat.engine.replay import Player
    from tui_chat.net.transport import HttpTransport
    from tui_chat.store.config import Config
    from tui_chat.store.library import Stored
    from tui_chat.wire.codec import ModelInfo, Request
    from tui_chat.wire.recording import AskLine

DEMO = configuration.DEMO
PROBE = Timeouts(connect=1.0, first_token=2.0)
"""How long a port of this computer is given to answer when the user has us look for servers."""
MODELS_NAMED = 5
NOWHERE: tuple[None, None] = (None, None)

log = logging.getLogger(__name__)


class NoEndpoint(ConfigError):
    """Nothing is configured that could be asked."""


class Choice(Struct, frozen=True):
    """What the command line chose; None leaves it to profile, last use and configuration, in this order."""

    endpoint: str | None = None
    model: str | None = None
    profile: str | None = None
    settings: Settings = field(default_factory=Settings)
    stream: bool = True


class LazyTransport:
    """The transport, imported when it is first needed: httpx costs more than the rest of a start."""

    def __init__(self) -> None:
        self._transport: HttpTransport | None = None

    def open(self, endpoint: Endpoint, request: Request) -> AbstractAsyncContextManager[Answer]:
        return self._real().open(endpoint, request)

    def warm_up(self) -> None:
        """Do the import now; safe in a thread."""
        importlib.import_module("tui_chat.net.transport")

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.close()

    def _real(self) -> Transport:
        if self._transport is None:
            from tui_chat.net.transport import HttpTransport

            self._transport = HttpTransport()
        return self._transport


class Recordings:
    """What is recorded of an engine: into a file from the start, or the newest reply alone, to be saved later."""

    def __init__(self, tape: Tape) -> None:
        self.problems: list[str] = []
        self.tell: Callable[[str], None] = self.problems.append
        """Hears of a file that cannot be written; at first, `problems` keeps it."""
        self._tape = tape
        self._file: recordings.RecordingFile | None = None
        self._last: LastExchange | None = None

    def begin(self, path: Path) -> None:
        """Record everything from now on. Raises UsageError where the file is of another kind or cannot be opened."""
        self._file = recordings.RecordingFile(path, self._tape.header(), lambda text: self.tell(text))
        self._tape.sinks.append(self._file)

    def keep_last(self) -> None:
        """Keep the exchanges of the newest reply in memory."""
        self._last = LastExchange()
        self._tape.sinks.append(self._last)

    def save_last(self, path: Path) -> bool:
        """Write them to a file; False when there are none. Raises StoreError."""
        if self._last is None or not self._last.lines:
            return False
        recordings.save(path, self._tape.header(), self._last.lines)
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class House:
    """Everything a face needs, put together from one environment."""

    def __init__(self, env: Mapping[str, str], *, save: bool = True) -> None:
        """Without `save`, conversations leave nothing on the disk."""
        self.env = env
        self.state = load_state(env)
        self.config: Config = configuration.load(env, DIALECTS, self.state)
        use_keys(self.config.keys)
        self.profiles = Profiles(self)
        self.transport = LazyTransport()
        self._keys: set[Secret] = set()
        self._listed: dict[str, tuple[Endpoint, list[ModelInfo]]] = {}
        """By its name, an endpoint as it was asked last, and the models that it listed."""
        self.chats = Chats(env, self._keys, save=save)
        clock, facts = SystemClock(), LearnedFacts(self.chats.database if save else None)
        self._tape = Tape(clock, facts)
        self.recordings = Recordings(self._tape)
        recording = RecordingTransport(self.transport, self._tape, clock)
        limits, ledger = self.config.budget, Ledger(self.chats.database, keep=save)
        budget = Budget(limits.per_reply, limits.per_conversation, limits.per_day)
        recorded = RecordingClock(clock, self._tape)
        codecs = DIALECTS.__getitem__
        self.engine = Engine(recording, codecs, recorded, facts, new_id, budget, ledger, self.chats, self.sees)
        self._demo: DemoServer | None = None
        self._demo_socket: socket.socket | None = None
        self._found: dict[str, Endpoint] = {}
        """Endpoints that came up at run time; the user's files do not know of them."""
        self._checked: set[tuple[str, Secret | None]] = set()
        """Origins, and the keys that they are known to take."""

    @property
    def config_file(self) -> Path:
        return self.config.file

    @property
    def log_file(self) -> Path:
        return log_file(self.env)

    @property
    def theme_folders(self) -> tuple[Path, Path]:
        return shipped_themes(), user_themes(self.env)

    @property
    def snippet_folder(self) -> Path:
        return user_snippets(self.env)

    def problems(self) -> tuple[str, ...]:
        """One line for each mistake in the user's files."""
        return (*map(str, self.config.problems), *self.state.problems, *self.recordings.problems)

    def reload(self) -> tuple[str, ...]:
        """Read the user's files again; may block. One line for each mistake in them.

        A config.toml that cannot be read as a whole leaves what is in force.
        """
        state = load_state(self.env)
        config = configuration.load(self.env, DIALECTS, state)
        self.state = state
        if config.unreadable is not None:
            return (config.unreadable, *state.problems)
        for endpoint in self._found.values():
            config = config.with_endpoint(endpoint)
        self.config = config
        use_keys(config.keys)
        return (*map(str, config.problems), *state.problems)

    def start_log(self) -> None:
        """Log warnings and faults to a file; keys that are used meanwhile are blotted out of it."""
        start_log(self.log_file, self._keys)

    # chats

    def open_store(self) -> str | None:
        """Make the store ready; may block. What to tell when it cannot be used, or not as it was. Raises Newer."""
        trouble = self.chats.open(self.config.prices)
        if self.chats.saving and self.state.refused:
            refused = self.state.refused
            self.chats.database.write(lambda c: take_over(c, refused))
        return trouble

    def conversation(self, name: str) -> str:
        """The id of the conversation that `name` begins, or of the last one. Raises UsageError, StoreError."""
        library = self.chats.library
        uid = (library.find(name) if name else library.newest()) if self.chats.stored else None
        if uid is None:
            raise UsageError(say("history.unknown", id=name) if name else say("history.empty"))
        return uid

    def new_chat(self, target: Target, *, temporary: bool = False) -> Chat:
        """A chat in which nothing has been said; a temporary one leaves nothing on the disk."""
        chat = self.chats.new(self.engine, target, temporary=temporary)
        self._tape.follow(chat.session)
        return chat

    def reopen(self, uid: str, choice: Choice, *, faithful: bool = False) -> Chat:
        """A conversation as it was left, with the endpoint, model and settings that it had; may block.

        What the command line chose goes before them. Where the endpoint is gone, another one is taken, with a notice,
        unless it must be `faithful`. Raises StoreError, ConfigError, NoEndpoint.
        """
        known = self.chats.registry.get(uid)
        if known is not None:
            return self.chats.reopen(self.engine, uid, known.target)
        target, notice = self._target_as_left(self.chats.library.load(uid), choice, faithful=faithful)
        chat = self.chats.reopen(self.engine, uid, target)
        chat.notices += (notice,) if notice else ()
        self._tape.follow(chat.session)
        return chat

    def _target_as_left(self, stored: Stored, choice: Choice, *, faithful: bool) -> tuple[Target, str]:
        """Whom the next message goes to, and what to tell where that is not whom the last one went to."""
        profile = self.config.profile(choice.profile) if choice.profile else Profile("", None, None, Settings())
        chosen = replace(choice, settings=choice.settings.over(profile.settings).over(stored.settings))
        if self.flagged(choice)[0] or profile.endpoint or not stored.endpoint:
            return self.choose(chosen), ""
        if stored.endpoint not in self.config.endpoints:
            if faithful:
                raise NoEndpoint(say("history.endpoint_gone", gone=stored.endpoint))
            target = self.choose(chosen)
            return target, say("history.other_endpoint", gone=stored.endpoint, endpoint=target.endpoint.name)
        endpoint, model = self.endpoint(stored.endpoint), choice.model or profile.model or stored.model or ""
        return self.target(endpoint, model, chosen.settings, stream=choice.stream), ""

    def play(self, path: Path, speed: float) -> Player:
        """What plays a recording; from now on nothing is sent anywhere. `speed` 0: without waiting.

        Raises StoreError when the file cannot be read, RecordingError when there is nothing to play.
        """
        from tui_chat.engine.replay import Player, ReplayEngine

        recording = recordings.load(path)
        if not recording.questions:
            message = say("recording.no_question", file=path, count=recording.others)
            raise RecordingError(f"{message} {recording.note}".strip())
        for question in recording.questions:
            if question.asked.dialect not in DIALECTS:
                raise RecordingError(say("recording.dialect", file=path, dialect=question.asked.dialect))
        parts = ReplayEngine.on(ScaledClock(SystemClock(), speed))
        self.engine = Engine(parts.transport, DIALECTS.__getitem__, parts.clock, parts.knowledge)
        session = Session(self.engine, self._played(recording.questions[0].asked))
        return Player(session, parts, recording, self._played)

    def _played(self, asked: AskLine) -> Target:
        """Whom a recorded question went to; it is priced as it would be now."""
        from tui_chat.engine.replay import played_endpoint

        return self.target(played_endpoint(asked), asked.model, asked.settings.settings, stream=asked.stream)

    async def close(self) -> None:
        """Close every connection, the demo server and the recording."""
        await self.chats.close()
        await self.transport.close()
        self.recordings.close()
        if self._demo is not None:
            await self._demo.close()
        elif self._demo_socket is not None:
            self._demo_socket.close()
        if (lost := await asyncio.to_thread(self.chats.shut)) is not None:
            self.recordings.tell(lost)

    # endpoints

    def endpoint(self, name: str) -> Endpoint:
        """An endpoint by name, with its key; may block while a key command runs. Raises ConfigError."""
        found = self.config.endpoint(name)
        if found.key is not None:
            self._keys.add(found.key)
        return found

    def endpoint_names(self) -> list[str]:
        """Endpoints that can be used as they stand."""
        return self.config.available()

    def local_names(self) -> list[str]:
        return self.config.local_names()

    def variables(self) -> list[str]:
        """The environment variables in which keys are looked for."""
        return self.config.variables()

    def key_endpoints(self) -> list[tuple[str, str]]:
        """(name, label) of the endpoints that a pasted key would make usable."""
        endpoints = self.config.endpoints
        known = self.config.known.items()
        return [(name, about.label) for name, about in known if about.key_url_hint or endpoints[name].needs_key]

    def recognised(self, key: str) -> str | None:
        """The endpoint that a key belongs to, where the way it begins says so for sure."""
        known = self.config.known.items()
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
            self.config = self.config.with_endpoint(self._found[DEMO])
        return self.config.endpoint(DEMO)

    async def find_local(self) -> list[Endpoint]:
        """The usual servers of this computer that answer now; asks loopback only, and only when the user said so."""
        candidates = [replace(self.endpoint(name), timeouts=PROBE) for name in self.local_names()]
        answers = await asyncio.gather(*(self.offers(e) for e in candidates), return_exceptions=True)
        return [e for e, answer in zip(candidates, answers, strict=True) if not isinstance(answer, BaseException)]

    def with_key(self, name: str, key: str) -> Endpoint:
        """An endpoint with a key that is not kept yet. Raises ConfigError when no header could carry it."""
        place = say("config.place.pasted")
        endpoint = self.config.endpoints[name]
        return replace(endpoint, key=Secret(clean_key(key, place).reveal()), key_source=place)

    def keep_key(self, name: str, key: str) -> Endpoint:
        """Keep a key in the user's own folder and use it from now on. Raises ConfigError, StoreError."""
        save_key(self.env, name, key)
        self.reload()
        return self.endpoint(name)

    async def offers(self, endpoint: Endpoint) -> list[ModelInfo]:
        """The models that an endpoint offers; raises Broken."""
        from tui_chat.engine.offers import offers

        found = await offers(self.engine, endpoint)
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
        price = find_price(self.config.prices, endpoint, model)
        if price is not None and price.context:
            return price.context
        return next((info.context for info in self.listed.get(endpoint, ()) if info.id == model), None)

    def sees(self, endpoint: Endpoint, model: str) -> bool | None:
        """Whether a model takes images, as its price or its endpoint's list says; None where neither does."""
        price = find_price(self.config.prices, endpoint.name, model)
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

        trouble = await check_key(self.engine, endpoint)
        if trouble is None:
            self._checked.add(which)
        return trouble

    # targets

    def named(self, text: str, default: Endpoint) -> tuple[Endpoint, str]:
        """What `/model` names: ENDPOINT/MODEL where the first part is an endpoint, else a model of `default`."""
        first, slash, rest = text.partition("/")
        if slash and self.config.knows(first):
            return self.endpoint(first), rest
        return default, text

    def choose(self, choice: Choice) -> Target:
        """Whom to ask: flag, profile, last used, config default, first endpoint whose key is set.

        The target's model is empty where nothing names one. Raises ConfigError, and NoEndpoint when there is none.
        """
        name, model, settings = self._chosen(choice)
        endpoint = self.endpoint(name)
        return self.target(endpoint, model or endpoint.default_model or "", settings, stream=choice.stream)

    def lane(self, spec: LaneSpec, under: Choice) -> Target:
        """Whom a lane asks: its own words go before those of its profile, and where it is silent, `under` speaks.

        Its model is empty where nothing names one. Raises ConfigError, NoEndpoint.
        """
        endpoint, model = self._named_in(spec)
        profile = self.config.profile(spec.profile) if spec.profile else None
        endpoint = endpoint or (profile.endpoint if profile else None) or under.endpoint
        model = model or (profile.model if profile else None) or under.model
        settings = spec.settings.over(under.settings)
        return self.choose(Choice(endpoint, model, spec.profile or under.profile, settings, under.stream))

    def left_lane(self, record: LaneRecord) -> Target:
        """Whom a lane of an earlier comparison asks. Raises ConfigError where its endpoint is gone."""
        return self.target(self.endpoint(record.endpoint), record.model, record.settings)

    def _named_in(self, spec: LaneSpec) -> tuple[str | None, str | None]:
        """Endpoint and model by their own names; what stands before a slash is an endpoint where there is one."""
        first, slash, rest = (spec.model or "").partition("/")
        if spec.endpoint is None and slash and (self.config.knows(first) or first == DEMO):
            return first, rest
        return spec.endpoint, spec.model

    def detour(self, choice: Choice, endpoint: Endpoint) -> str | None:
        """What to say when the demo runs and the profile that was chosen, or the conversation, goes elsewhere."""
        if self._demo is None or self.flagged(choice)[0] or endpoint.name == DEMO:
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
            endpoint = self.endpoint(name)
        except ConfigError as error:
            if name not in self.config.endpoints:
                raise
            endpoint, fault = self.config.endpoints[name], str(error)
        return Doctor(self.engine, NetProbe(), endpoint, model or endpoint.default_model or "", fault, listener)

    def _chosen(self, choice: Choice) -> tuple[str, str | None, Settings]:
        """Endpoint, model where something names one, and settings. Raises ConfigError, NoEndpoint."""
        default, kept = self.config.default, self.config.kept
        profile = self.config.profile(choice.profile) if choice.profile else None
        usual = self.config.profile(default.profile) if default.profile and profile is None else None
        base = profile or kept or usual
        settings = choice.settings.over(base.settings) if base else choice.settings
        ways = [
            self.flagged(choice),
            (profile.endpoint, profile.model) if profile else NOWHERE,
            (DEMO, None) if self._demo else self._if_usable(self.state.endpoint, self.state.model),
            self._if_usable(kept.endpoint, kept.model) if kept else NOWHERE,
            (usual.endpoint, usual.model) if usual else NOWHERE,
            (default.endpoint, default.model),
            (next(iter(self.endpoint_names()), None), None),
        ]
        name = next((endpoint for endpoint, _ in ways if endpoint), None)
        if name is None:
            raise NoEndpoint(say("config.none", variables=", ".join(self.variables()), file=self.config_file))
        # A model goes with the endpoint that it was named for, or with any where none was named.
        return name, next((model for place, model in ways if model and place in (None, name)), None), settings

    def flagged(self, choice: Choice) -> tuple[str | None, str | None]:
        """Endpoint and model as flagged; `-m X/Y` names both when X is an endpoint and -e is absent."""
        first, slash, rest = (choice.model or "").partition("/")
        if choice.endpoint is None and slash and self.config.knows(first):
            return first, rest
        return choice.endpoint, choice.model

    def _if_usable(self, endpoint: str | None, model: str | None) -> tuple[str | None, str | None]:
        """What was chosen on the screen, unless its endpoint cannot be used any more."""
        return (endpoint, model) if endpoint in self.endpoint_names() else NOWHERE

    def target(self, endpoint: Endpoint, model: str, settings: Settings, *, stream: bool = True) -> Target:
        return Target(endpoint, model, settings, self._price, stream)

    def _price(self, endpoint: str, model: str) -> Price | None:
        return find_price(self.config.prices, endpoint, model)

    def renewed(self, target: Target) -> Target:
        """The target with its endpoint and its price as they are configured now; may block.

        Raises ConfigError where the endpoint is gone, or its key cannot be had.
        """
        endpoint = self.endpoint(target.endpoint.name)
        return self.target(endpoint, target.model, target.settings, stream=target.stream)

    async def completed(self, target: Target) -> Target:
        """The target with a model: where nothing names one, the only one offered, or on this computer the first.

        Raises Broken when the list cannot be had, UsageError when there are several to choose from.
        """
        if target.model:
            return target
        offered = [m.id for m in self.offered(target.endpoint) or await self.offers(target.endpoint)]
        if offered and (len(offered) == 1 or target.endpoint.local):
            return self.target(target.endpoint, offered[0], target.settings, stream=target.stream)
        names = ", ".join(visible_line(m, 60) for m in offered[:MODELS_NAMED]) + (
            " …" if len(offered) > MODELS_NAMED else ""
        )
        raise UsageError(say("usage.no_model", endpoint=target.endpoint.name, names=names))

    def remember(self, endpoint: Endpoint, model: str) -> None:
        """Keep what was chosen on the screen for the next start."""
        if endpoint.name != DEMO:
            self._write(endpoint=endpoint.name, model=model)

    def remember_theme(self, name: str) -> None:
        self._write(theme=name)

    def _write(self, **choices: str) -> None:
        """A choice that cannot be kept is still in force."""
        try:
            self.state = remember(self.env, **choices)
        except StoreError as error:
            log.warning("%s", error)


@asynccontextmanager
async def house(
    env: Mapping[str, str], *, demo: bool = False, record: Path | None = None, save: bool = True
) -> AsyncGenerator[House, None]:
    """A House that closes behind itself; with `demo`, its built-in endpoint runs, with `record` all is recorded."""
    built = House(env, save=save)
    built.start_log()
    try:
        if record is not None:
            built.recordings.begin(record)
        if demo:
            await built.start_demo()
        yield built
    finally:
        await built.close()
