"""`tui-chat` without a command: the full screen."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tui_chat.cli.exits import ExitCode
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say
from tui_chat.wiring import Choice, House

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tui_chat.cli.common import Common
    from tui_chat.engine.replay import Player


def run(chosen: Common, continued: str | None, env: Mapping[str, str]) -> int:
    """Show the screen until the user leaves; the exit code.

    `continued`: the conversation to open, NEWEST for the last one. Raises UsageError without a terminal, Newer.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(say("usage.no_terminal"))
    built = _house(env, save=not chosen.no_save)
    trouble = built.open_store()
    uid = None if continued is None else built.conversation(continued)
    if chosen.record is not None:
        built.recordings.begin(chosen.record)
    choice = Choice(chosen.endpoint, chosen.model, chosen.profile)
    return _show(built, choice, demo=chosen.demo, uid=uid, troubles=(trouble,) if trouble else ())


def play(file: Path, speed: float, env: Mapping[str, str]) -> int:
    """Play a recording on the screen, until the user leaves. Raises StoreError, RecordingError."""
    built = _house(env, save=False)
    return _show(built, Choice(), player=built.play(file, speed))


def _house(env: Mapping[str, str], *, save: bool) -> House:
    built = House(env, save=save)
    built.start_log()
    return built


def _show(
    built: House,
    choice: Choice,
    *,
    demo: bool = False,
    player: Player | None = None,
    uid: str | None = None,
    troubles: tuple[str, ...] = (),
) -> int:
    if built.env.get("SSH_CONNECTION"):
        # Textual reads it when it is imported.
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    from tui_chat.ui.app import TuiChat

    app = TuiChat(built, choice, demo=demo, player=player, uid=uid, troubles=troubles)
    app.run(mouse=built.config.ui.mouse)
    return app.return_code if app.return_code is not None else ExitCode.FAILED
