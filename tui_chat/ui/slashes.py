"""Lines such as `/model x`: what they say is done by the screen in whose composer they were written."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol

from tui_chat.domain.actions import command_of
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui_chat.ui.widgets.composer import Composer


class Slash(Protocol):
    """What a command does is the method `action_<method>` of the screen."""

    @property
    def method(self) -> str: ...

    @property
    def takes(self) -> bool:
        """It takes the rest of its line."""
        ...


class Obeying(Protocol):
    """A screen that takes commands."""

    composer: Composer

    def notice(self, text: str) -> None: ...


def obeyed(screen: Obeying, text: str, commands: Mapping[str, Slash]) -> bool:
    """Do what a line says, or put it back and say what is wrong with it; False when it is no command."""
    if (written := command_of(text)) is None:
        return False
    name, argument = written
    command = commands.get(name)
    if command is None:
        nearest = "/" + get_close_matches(name, commands, n=1, cutoff=0.0)[0]
        _refuse(screen, text, say("status.no_command", command=visible_line(f"/{name}", 40), nearest=nearest))
    elif argument and not command.takes:
        _refuse(screen, text, say("status.no_argument", command=f"/{name}"))
    else:
        getattr(screen, f"action_{command.method}")(*([argument] if command.takes else []))
    return True


def _refuse(screen: Obeying, text: str, why: str) -> None:
    screen.composer.put(text)
    screen.notice(why)
