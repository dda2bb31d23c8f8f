"""One table of actions: bindings, footer, help, palette, slash commands and `[keys]` are all read off it."""

from __future__ import annotations

from msgspec import Struct

from tui_chat.domain.words import say

EVERYWHERE = ""


class Action(Struct, frozen=True):
    """One thing the user can do; `name` is how `[keys]` calls it, and its method `action_<name>` on the chat screen."""

    name: str
    keys: str = ""
    """Keys as Textual names them, comma-separated, the one to show first."""
    slash: str = ""
    """The command that does the same, without its slash."""
    footer: str = ""
    """When the footer shows it: always, running, idle, resumable, interrupted, or never."""
    takes: bool = False
    """True when the command takes the rest of its line."""
    numbered: bool = False
    """Its method takes the place of the key among its keys, from 1."""
    in_composer: bool = False
    """The composer handles the key itself."""
    screen: str = "chat"
    """Where its keys count: chat, history, tree, or EVERYWHERE."""

    @property
    def label(self) -> str:
        return say(f"action.{self.name}")

    @property
    def help(self) -> str:
        return say(f"action.{self.name}.help")

    @property
    def default(self) -> tuple[str, ...]:
        """Its keys without `[keys]`."""
        return tuple(key for key in self.keys.split(",") if key)


ACTIONS = (
    Action("send", "enter", footer="always", in_composer=True),
    Action("cancel", "escape", slash="cancel", footer="running"),
    Action("retry", "f5,alt+r", slash="retry", footer="idle"),
    Action("resume", "f6", slash="resume", footer="resumable"),
    Action("keep", "f7", slash="keep", footer="interrupted"),
    Action("discard", "f8", slash="discard", footer="interrupted"),
    Action("help", "f1", slash="help", footer="always"),
    Action("quit", "ctrl+q", slash="quit", footer="always", screen=EVERYWHERE),
    Action("model", "f2", slash="model", footer="always", takes=True),
    Action("history", "f3", slash="history", footer="always"),
    Action("batch", slash="batch", takes=True),
    Action("usage", slash="usage"),
    Action("whatif", slash="whatif"),
    Action("details", "alt+i", slash="details"),
    Action("newline", "ctrl+j,shift+enter,ctrl+enter", footer="always", in_composer=True),
    Action("previous_version", "alt+left"),
    Action("next_version", "alt+right"),
    Action("tree", "f4", slash="tree"),
    Action("compare", "alt+c", slash="compare", takes=True),
    Action("revise", "alt+e", slash="revise"),
    Action("fork", slash="fork"),
    Action("new_chat", "alt+n", slash="new"),
    Action("temporary", slash="temporary"),
    Action("sidebar", "alt+h", slash="sidebar"),
    Action("rename", slash="rename", takes=True),
    Action("title", slash="title"),
    Action("delete", slash="delete"),
    Action("undo", slash="undo"),
    Action("export", slash="export", takes=True),
    Action("import", slash="import", takes=True),
    Action("take_back", "alt+up", slash="unqueue"),
    Action("copy", slash="copy", takes=True),
    Action("copy_code", ",".join(f"alt+{n}" for n in range(1, 10)), numbered=True),
    Action("save", slash="save", takes=True),
    Action("search_prompts", "ctrl+r"),
    Action("snippet", slash="snippet", takes=True),
    Action("mark", "alt+v", slash="mark"),
    Action("mouse", "alt+m", slash="mouse"),
    Action("record", slash="record", takes=True),
    Action("system", slash="system", takes=True),
    Action("settings", "alt+s", slash="settings"),
    Action("profile", slash="profile", takes=True),
    Action("reload", slash="reload"),
    Action("config", slash="config"),
    Action("theme", slash="theme", takes=True),
    Action("fold", "alt+o", slash="fold", takes=True),
    Action("find", slash="find", takes=True),
    Action("next_hit", "f9"),
    Action("previous_hit", "shift+f9,f21"),
    Action("links", slash="links"),
    Action("open", slash="open", takes=True),
    Action("previous_turn", "alt+pageup"),
    Action("next_turn", "alt+pagedown"),
    Action("previous_code", "alt+home"),
    Action("next_code", "alt+end"),
    Action("page_up", "pageup"),
    Action("page_down", "pagedown"),
    Action("tail", "ctrl+end"),
    Action("edit", "ctrl+g", slash="edit"),
    Action("suspend", slash="suspend"),
    Action("redraw", "ctrl+l", slash="redraw"),
    Action("copy_or_cancel", "ctrl+c"),
    Action("palette", "ctrl+p", slash="palette"),
)
"""What the chat screen can do."""

ELSEWHERE = (
    Action("history_rename", "alt+r", screen="history"),
    Action("history_pin", "alt+p", screen="history"),
    Action("history_delete", "alt+d,delete", screen="history"),
    Action("history_undo", "alt+u", screen="history"),
    Action("tree_edit", "e,E", screen="tree"),
    Action("tree_fork", "f,F", screen="tree"),
)
"""What other screens can do that has a key to choose; they hold the rest in tables of their own."""

BY_NAME = {action.name: action for action in (*ACTIONS, *ELSEWHERE)}
SLASHES = {action.slash: action for action in ACTIONS if action.slash}


def footer(*, running: bool, resumable: bool, interrupted: bool) -> list[Action]:
    """The actions that the footer shows now."""
    states = {"running": running, "idle": not running, "resumable": resumable, "interrupted": interrupted}
    return [a for a in ACTIONS if a.footer == "always" or states.get(a.footer)]


def command_of(text: str) -> tuple[str, str] | None:
    """(name, argument) of a line such as `/model x`; None when it is no command.

    A path or a text of several lines is a message like any other.
    """
    typed, _, rest = text.strip().partition(" ")
    is_command = typed.startswith("/") and typed[1:].isalpha() and "\n" not in text.strip()
    return (typed[1:], rest.strip()) if is_command else None
