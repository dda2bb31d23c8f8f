"""The sessions that are at work: one a conversation, outliving the screen that shows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui_chat.domain.events import QueueChanged, RunHeard

if TYPE_CHECKING:
    from tui_chat.domain.events import SessionEvent
    from tui_chat.engine.session import Session


class Registry:
    """Holds the sessions that are shown, and those whose replies go on unseen, by the ids of their conversations."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._shown: set[str] = set()

    def get(self, uid: str) -> Session | None:
        return self._sessions.get(uid)

    def show(self, uid: str, session: Session) -> None:
        """Hold a session while it is shown, and on until it is done."""
        if uid not in self._sessions:
            self._sessions[uid] = session
            session.listeners.append(lambda event: self._hear(uid, event))
        self._shown.add(uid)

    def hide(self, uid: str) -> None:
        """Nobody shows the session any more: it is let go once nothing is under way."""
        self._shown.discard(uid)
        self._let_go(uid)

    @property
    def busy(self) -> list[str]:
        """The conversations in which a reply is under way."""
        return [uid for uid, session in self._sessions.items() if session.busy]

    async def close(self) -> None:
        """End every reply under way, as interrupted."""
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    def _hear(self, uid: str, event: SessionEvent) -> None:
        if isinstance(event, RunHeard | QueueChanged):
            self._let_go(uid)

    def _let_go(self, uid: str) -> None:
        session = self._sessions.get(uid)
        if session is None or uid in self._shown:
            return
        if not session.busy and not session.queue and session.asked is None:
            del self._sessions[uid]
