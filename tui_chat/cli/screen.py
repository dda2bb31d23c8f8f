"""`tui-chat` without a command: the full screen."""

from __future__ import annotations

import locale
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
    _check_terminal(env)
    built = _house(env, save=not chosen.no_save)
    trouble = built.open_store()
    uid = None if continued is None else built.conversation(continued)
    if chosen.record is not None:
        built.recordings.begin(chosen.record)
    choice = Choice(chosen.endpoint, chosen.model, chosen.profile)
    return _show(built, choice, demo=chosen.demo, uid=uid, troubles=(trouble,) if trouble else ())


def play(file: Path, speed: float, env: Mapping[str, str]) -> int:
    """Play a recording on the screen, until the user leaves. Raises StoreError, RecordingError."""
    _check_terminal(env)
    built = _house(env, save=False)
    return _show(built, Choice(), player=built.play(file, speed))


def _check_terminal(env: Mapping[str, str]) -> None:
    """Raises UsageError, with the line that helps, where the screen cannot be shown."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(say("usage.no_terminal"))
    if (term := env.get("TERM", "")) in ("dumb", "unknown"):
        raise UsageError(say("usage.dumb", term=term))
    encoding = locale.getencoding()
    if not speaks_utf8(encoding, env):
        raise UsageError(say("usage.locale", encoding=encoding, line="LC_ALL=C.UTF-8 tui-chat"))


def speaks_utf8(encoding: str, env: Mapping[str, str]) -> bool:
    """Whether the terminal is taken to be one of UTF-8; `encoding` is the locale's.

    A locale that names it and is not installed here, as after SSH, is C for the system: the name is believed. Python's
    own UTF-8 mode says nothing of the terminal, unless the user turned it on.
    """
    name = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    claims = (encoding, name.partition(".")[2])
    return env.get("PYTHONUTF8") == "1" or any(c.lower().replace("-", "").startswith("utf8") for c in claims)


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
