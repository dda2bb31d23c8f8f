"""What the user can do in a comparison: one table behind its keys, its footer, its help and its slash commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from rich.text import Text
from textual.binding import Binding

from tui_chat.domain.keymap import show_key
from tui_chat.domain.lane import MOST
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType


class Command(Struct, frozen=True):
    """One thing the user can do; `name` is its method `action_<name>` on the screen."""

    name: str
    keys: str = ""
    """Keys as Textual names them, comma-separated, the one to show first; they count everywhere on the screen."""
    lane: str = ""
    """Keys that do it while a lane has the focus; no letters, for what is typed there goes to the composer."""
    slash: str = ""
    """The command that does the same, without its slash."""
    takes: bool = False
    """True when the command takes the rest of its line."""

    @property
    def label(self) -> str:
        return say(f"lanes.do.{self.name}")

    @property
    def help(self) -> str:
        return say(f"lanes.help.{self.name}")


COMMANDS = (
    Command("cancel", "escape", slash="cancel"),
    Command("again", "alt+a", slash="again"),
    Command("add", "alt+l", slash="lane", takes=True),
    Command("model", "f2", slash="model"),
    Command("sets", "f3", slash="set", takes=True),
    Command("sweep", "f4", slash="sweep"),
    Command("retry", "f5,alt+r", slash="retry"),
    Command("resume", "f6", slash="resume"),
    Command("diff", "f7", slash="diff", takes=True),
    Command("blind", "f8", slash="blind"),
    Command("results", "f9", slash="results"),
    Command("keep", "alt+k", slash="keep"),
    Command("vote", "alt+v", slash="vote", takes=True),
    Command("tie", "alt+t", slash="tie"),
    Command("tally", slash="tally"),
    Command("maximise", "alt+z", "enter", "max"),
    Command("edit", "alt+e", slash="edit"),
    Command("duplicate", "alt+c", slash="duplicate"),
    Command("remove", "alt+x", slash="remove"),
    Command("sync", "alt+y", slash="sync"),
    Command("note", "alt+n", slash="note", takes=True),
    Command("lock", "alt+s", slash="lock"),
    Command("options", "alt+o", slash="options", takes=True),
    Command("rejoin", "alt+j", slash="rejoin"),
    Command("previous_run", "alt+left", "left"),
    Command("next_run", "alt+right", "right"),
    Command("copy", slash="copy"),
    Command("export", slash="export", takes=True),
    Command("page_up", "pageup"),
    Command("page_down", "pagedown"),
    Command("line_up", lane="up"),
    Command("line_down", lane="down"),
    Command("top", "ctrl+home", "home"),
    Command("tail", "ctrl+end", "end"),
    Command("leave", slash="chat"),
    Command("copy_or_cancel", "ctrl+c"),
    Command("help", "f1", slash="help"),
    Command("quit", "ctrl+q", slash="quit"),
)

BY_NAME = {command.name: command for command in COMMANDS}
SLASHES = {command.slash: command for command in COMMANDS if command.slash}


def screen_bindings() -> list[BindingType]:
    """Keys that count everywhere; they come before the composer's own."""
    own: list[BindingType] = [Binding(c.keys, c.name, show=False, priority=True) for c in COMMANDS if c.keys]
    return [*own, *(Binding(f"alt+{n}", f"lane({n})", show=False, priority=True) for n in range(1, MOST + 1))]


def lane_bindings() -> list[BindingType]:
    """Keys of a lane that has the focus."""
    return [Binding(c.lane, f"screen.{c.name}", show=False) for c in COMMANDS if c.lane]


def footer(names: Iterable[str]) -> Text:
    """One line: each of these commands with its key."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for name in names:
        command = BY_NAME[name]
        shown = show_key(command.keys.partition(",")[0]) if command.keys else f"/{command.slash}"
        text.append(f"{shown} ", "bold").append(f"{command.label}   ")
    return text
