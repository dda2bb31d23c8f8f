"""Conversations as the faces hold them: a session, with a journal that puts it down."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.budget import NOTHING
from tui_chat.domain.failure import StoreError
from tui_chat.domain.pricing import find_price
from tui_chat.domain.words import say
from tui_chat.engine.registry import Registry
from tui_chat.engine.session import Session
from tui_chat.store.database import Database, Newer
from tui_chat.store.ids import new_id
from tui_chat.store.instances import Instance
from tui_chat.store.journal import Journal
from tui_chat.store.library import Library
from tui_chat.store.nodes import encode
from tui_chat.store.paths import database_file, instances_folder
from tui_chat.store.recovery import recover
from tui_chat.wire.blot import Blotter, clean_body

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tui_chat.domain.ask import Settings
    from tui_chat.domain.conversation import Conversation
    from tui_chat.domain.endpoint import Secret
    from tui_chat.domain.images import Image
    from tui_chat.domain.pricing import Price
    from tui_chat.engine.ports import Engine
    from tui_chat.engine.reply import Target

RECOVERY_S = 3.0
"""How long a start waits to hear of replies that were cut short."""

log = logging.getLogger(__name__)


class Chat(Struct):
    """A conversation that is open."""

    id: str
    session: Session
    title: str = ""
    draft: str = ""
    """What was written and not sent when it was left."""
    journal: Journal | None = None
    """None: a temporary chat, of which nothing is put down."""
    notices: tuple[str, ...] = ()
    """What the user should know on opening it."""


class Chats:
    """Opens chats and keeps them going; the store is opened with the first that is to be kept."""

    def __init__(self, env: Mapping[str, str], keys: Collection[Secret], *, save: bool = True) -> None:
        self.database = Database(database_file(env))
        self.library = Library(self.database)
        self.instance = Instance(instances_folder(env))
        self.registry = Registry()
        self.saving = save
        """False: nothing is put down, as the user wishes or because the data folder cannot be used."""
        self.interrupted: list[str] = []
        """Conversations with a reply that waits for a decision, newest first; known once the store is open."""
        self._keys = keys
        self._open = False
        self._usable = True

    def open(self, prices: Mapping[str, Price]) -> str | None:
        """Open the store and close the runs of programs that are gone; may block. What to tell when it cannot be used.

        Raises Newer when a newer program has written it.
        """
        if not self.saving or self._open:
            return None
        try:
            self._make_ready(prices)
        except Newer:
            raise
        except (StoreError, OSError, sqlite3.Error) as error:
            self.saving = self._usable = False
            # What else would be written now fails for the same reason: once is enough.
            self.database.tell = log.warning
            folder = self.database.path.parent
            if not folder.is_dir():
                return say("store.no_folder", folder=folder)
            return say("store.unusable", reason=error)
        return " ".join(self.database.problems) or None

    def look(self, prices: Mapping[str, Price]) -> str | None:
        """Open the store to look into it, also where nothing can be written now; may block. What to tell.

        Raises StoreError when it cannot be read.
        """
        self.database.open()
        try:
            self._make_ready(prices)
        except (StoreError, OSError, TimeoutError):
            return say("store.read_only", path=self.database.path.parent)
        return " ".join(self.database.problems) or None

    @property
    def stored(self) -> bool:
        """There is a store; without one, looking for something in it would make one."""
        return self.database.path.exists()

    def _make_ready(self, prices: Mapping[str, Price]) -> None:
        def price_of(endpoint: str, model: str) -> Price | None:
            return find_price(prices, endpoint, model)

        self.database.open()
        self.instance.register()
        with suppress(TimeoutError):
            # A file that is locked, or a full disk: that passes, and is told by the store.
            found = self.database.write(lambda c: recover(c, self.instance, price_of))
            self.interrupted = found.result(RECOVERY_S)
        self.library.purge()
        self.library.reindex()
        self._open = True

    def new(self, engine: Engine, target: Target, *, temporary: bool = False) -> Chat:
        """A chat in which nothing has been said."""
        return self._chat(new_id(), Session(engine, target, ready=None), temporary=temporary)

    def reopen(self, engine: Engine, uid: str, target: Target) -> Chat:
        """A chat as it was left; may block. Raises StoreError."""
        live = self.registry.get(uid)
        stored = self.library.load(uid)
        notices = self._elsewhere(uid)
        session = live or Session(engine, target, stored.conversation)
        chat = self._chat(uid, session, held=live is not None)
        chat.title, chat.draft, chat.notices = stored.title, stored.draft, notices
        if live is None:
            session.queue += stored.queue
            session.beside = (stored.cost or NOTHING) - (session.spent().usd or NOTHING)
        return chat

    def journal(self, uid: str, tree: Conversation) -> Journal:
        """What puts a conversation down that no session holds."""
        return Journal(self.database, self.instance, uid, tree, self._clean)

    def _chat(self, uid: str, session: Session, *, temporary: bool = False, held: bool = False) -> Chat:
        journal = None
        if self.saving and not temporary:
            journal = self.journal(uid, session.conversation)
            if not held:
                session.ready = journal.settled
                session.listeners.insert(0, journal.hear)
        return Chat(uid, session, journal=journal)

    def _elsewhere(self, uid: str) -> tuple[str, ...]:
        """A notice when another program at work shows the conversation too."""
        if not self.saving:
            return ()
        others = self.library.opened(uid, self.instance.uid)
        return (say("history.elsewhere"),) if any(map(self.instance.alive, others)) else ()

    def keep_image(self, image: Image, data: bytes, *, kept: bool) -> None:
        """Keep the bytes of an image, on the disk where its chat is `kept` there; may block.

        Raises StoreError when the disk takes none.
        """
        self.library.images.keep(image, data, on_disk=self.saving and kept)

    async def base64(self, digest: str) -> str | None:
        """The bytes of an image, for the engine."""
        return await self.library.images.base64(digest)

    def tidy(self) -> None:
        """Remove images that no message refers to any more; may block."""
        if self.saving and self._open:
            with suppress(StoreError):
                self.library.drop_images()

    def questions(self, holding: str = "", limit: int = 100) -> list[str]:
        """What was asked before, newest first, each once; may block. Raises StoreError."""
        from tui_chat.store.prompts import questions

        return questions(self.database, holding, limit) if self.saving and self._open else []

    def flush(self) -> None:
        """Put down what is left, without waiting for long."""
        if self._open and not self.database.flush(1.0):
            log.warning("%s", say("store.lost", path=self.database.path.parent))

    async def close(self) -> None:
        """End every reply under way and put down what is left."""
        await self.registry.close()

    def shut(self) -> str | None:
        """Let the store go; may block. What to tell when something could not be put down."""
        done = self.database.close()
        self.instance.close()
        return None if done or not self._usable else say("store.lost", path=self.database.path.parent)

    def _clean(self, settings: Settings) -> Settings:
        """The settings without keys."""
        blotter = Blotter(key.reveal() for key in self._keys)
        system = settings.system and blotter.text(settings.system)
        body = json.loads(clean_body(encode(dict(settings.extra_body)).encode(), blotter))
        return replace(settings, system=system, extra_body=body)
