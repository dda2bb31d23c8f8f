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


def run(chosen: Common, env: Mapping[str, str]) -> int:
    """Show the screen until the user leaves; the exit code. Raises UsageError without a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(say("usage.no_terminal"))
    built = _house(env)
    if chosen.record is not None:
        built.recordings.begin(chosen.record)
    choice = Choice(chosen.endpoint, chosen.model, chosen.profile)
    return _show(built, choice, demo=chosen.demo)


def play(file: Path, speed: float, env: Mapping[str, str]) -> int:
    """Play a recording on the screen, until the user leaves. Raises StoreError, RecordingError."""
    built = _house(env)
    return _show(built, Choice(), player=built.play(file, speed))


def _house(env: Mapping[str, str]) -> House:
    built = House(env)
    built.start_log()
    return built


def _show(built: House, choice: Choice, *, demo: bool = False, player: Player | None = None) -> int:
    if built.env.get("SSH_CONNECTION"):
        # Textual reads it when it is imported.
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    from tui_chat.ui.app import TuiChat

    app = TuiChat(built, choice, demo=demo, player=player)
    app.run()
    return app.return_code if app.return_code is not None else ExitCode.FAILED
