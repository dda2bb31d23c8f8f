"""The house: everything a face needs, put together from one environment."""

from __future__ import annotations

import asyncio
import importlib
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tui_chat.domain.budget import Budget
from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.failure import RecordingError, StoreError, UsageError
from tui_chat.domain.words import say, use_keys
from tui_chat.engine.clock import ScaledClock, SystemClock
from tui_chat.engine.ports import Engine
from tui_chat.engine.recorder import LastExchange, RecordingClock, RecordingTransport, Tape
from tui_chat.engine.reply import Target
from tui_chat.engine.session import Session
from tui_chat.store import config as configuration
from tui_chat.store.ids import new_id
from tui_chat.store.learned import LearnedFacts, take_over
from tui_chat.store.ledger import Ledger
from tui_chat.store.logfile import start_log
from tui_chat.store.paths import log_file, shipped_themes, user_snippets, user_themes
from tui_chat.store.state import load_state, remember
from tui_chat.wire.dialects import DIALECTS
from tui_chat.wiring.chats import Chat, Chats
from tui_chat.wiring.endpoints import Endpoints
from tui_chat.wiring.profiles import Profiles
from tui_chat.wiring.targets import Targets

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tui_chat.engine.ports import Answer, Transport
    from tui_chat.engine.replay import Player
    from tui_chat.net.transport import HttpTransport
    from tui_chat.store.config import Config
    from tui_chat.store.recordings import RecordingFile
    from tui_chat.wire.codec import Request
    from tui_chat.wire.recording import AskLine
    from tui_chat.wiring.targets import Choice

log = logging.getLogger(__name__)


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
        self._file: RecordingFile | None = None
        self._last: LastExchange | None = None

    def begin(self, path: Path) -> None:
        """Record everything from now on. Raises UsageError where the file is of another kind or cannot be opened."""
        from tui_chat.store.recordings import RecordingFile

        self._file = RecordingFile(path, self._tape.header(), lambda text: self.tell(text))
        self._tape.sinks.append(self._file)

    def keep_last(self) -> None:
        """Keep the exchanges of the newest reply in memory."""
        self._last = LastExchange()
        self._tape.sinks.append(self._last)

    def save_last(self, path: Path) -> bool:
        """Write them to a file; False when there are none. Raises StoreError."""
        if self._last is None or not self._last.lines:
            return False
        from tui_chat.store.recordings import save

        save(path, self._tape.header(), self._last.lines)
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
        self.endpoints = Endpoints(self)
        self.targets = Targets(self)
        self.profiles = Profiles(self)
        self.transport = LazyTransport()
        self.chats = Chats(env, self.endpoints.keys, save=save)
        clock, facts = SystemClock(), LearnedFacts(self.chats.database if save else None)
        self._tape = Tape(clock, facts)
        self.recordings = Recordings(self._tape)
        recording = RecordingTransport(self.transport, self._tape, clock)
        limits, ledger = self.config.budget, Ledger(self.chats.database, keep=save)
        budget = Budget(limits.per_reply, limits.per_conversation, limits.per_day)
        recorded = RecordingClock(clock, self._tape)
        codecs = DIALECTS.__getitem__
        self.engine = Engine(
            recording, codecs, recorded, facts, new_id, budget, ledger, self.chats, self.endpoints.sees
        )

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
        self.config = config = self.endpoints.with_found(config)
        use_keys(config.keys)
        return (*map(str, config.problems), *state.problems)

    def start_log(self) -> None:
        """Log warnings and faults to a file; keys that are used meanwhile are blotted out of it."""
        start_log(self.log_file, self.endpoints.keys)

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
        target, notice = self.targets.as_left(self.chats.library.load(uid), choice, faithful=faithful)
        chat = self.chats.reopen(self.engine, uid, target)
        chat.notices += (notice,) if notice else ()
        self._tape.follow(chat.session)
        return chat

    def play(self, path: Path, speed: float) -> Player:
        """What plays a recording; from now on nothing is sent anywhere. `speed` 0: without waiting.

        Raises StoreError when the file cannot be read, RecordingError when there is nothing to play.
        """
        from tui_chat.engine.replay import Player, ReplayEngine
        from tui_chat.store.recordings import load

        recording = load(path)
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

        return self.targets.of(played_endpoint(asked), asked.model, asked.settings.settings, stream=asked.stream)

    async def close(self) -> None:
        """Close every connection, the demo server and the recording."""
        await self.chats.close()
        await self.transport.close()
        self.recordings.close()
        await self.endpoints.close()
        if (lost := await asyncio.to_thread(self.chats.shut)) is not None:
            self.recordings.tell(lost)

    # choices

    def remember(self, endpoint: Endpoint, model: str) -> None:
        """Keep what was chosen on the screen for the next start."""
        if endpoint.name != configuration.DEMO:
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
            await built.endpoints.start_demo()
        yield built
    finally:
        await built.close()
