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

    from tui_chat.cli.common import Common


def run(chosen: Common, env: Mapping[str, str]) -> int:
    """Show the screen until the user leaves; the exit code. Raises UsageError without a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(say("usage.no_terminal"))
    if env.get("SSH_CONNECTION"):
        # Textual reads it when it is imported.
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    from tui_chat.ui.app import TuiChat

    built = House(env)
    built.start_log()
    app = TuiChat(built, Choice(chosen.endpoint, chosen.model, chosen.profile), demo=chosen.demo)
    app.run()
    return app.return_code if app.return_code is not None else ExitCode.FAILED
