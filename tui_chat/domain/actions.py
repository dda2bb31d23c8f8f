"""One table of actions: bindings, footer, help, palette, slash commands and `[keys]` are all read off it."""

from __future__ import annotations

from msgspec import Struct

from tui_chat.domain.words import say

EVERYWHERE: tuple[str, ...] = ()
CHAT = ("chat",)
COMPARE = ("compare", "lane")
"""What counts everywhere in a comparison counts in a lane that has the focus too."""
BOTH = (*CHAT, *COMPARE)
WRITTEN = ("chat", "compare")
"""Where one writes a message."""


class Action(Struct, frozen=True):
    """One thing the user can do; `name` is how `[keys]` calls it."""

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
    screens: tuple[str, ...] = CHAT
    """Where its keys count, such as chat, compare or history; or EVERYWHERE."""

    @property
    def method(self) -> str:
        """What does it is the method `action_<method>` of its screen."""
        return self.name.partition("_")[2] if self.name.startswith(("compare_", "lane_")) else self.name

    @property
    def label(self) -> str:
        return self.label_on(self.screens[0]) if self.screens else say(f"action.{self.name}")

    @property
    def help(self) -> str:
        return self.help_on(self.screens[0]) if self.screens else say(f"action.{self.name}.help")

    def label_on(self, screen: str) -> str:
        """What it is called there: in a comparison it may do it to lanes."""
        return say(f"lanes.do.{self.method}" if self._of_lanes(screen) else f"action.{self.name}")

    def help_on(self, screen: str) -> str:
        return say(f"lanes.help.{self.method}" if self._of_lanes(screen) else f"action.{self.name}.help")

    def holds_on(self, screen: str) -> bool:
        return self.screens == EVERYWHERE or screen in self.screens

    def _of_lanes(self, screen: str) -> bool:
        return screen in COMPARE and self.name not in AS_IN_CHAT

    @property
    def default(self) -> tuple[str, ...]:
        """Its keys without `[keys]`."""
        return tuple(key for key in self.keys.split(",") if key)


AS_IN_CHAT = frozenset({"send", "newline", "search_prompts", "snippet", "palette", "redraw", "suspend"})
"""What does the same in a comparison, and is told in the same words."""

ACTIONS = (
    Action("send", "enter", footer="always", in_composer=True, screens=WRITTEN),
    Action("cancel", "escape", slash="cancel", footer="running", screens=BOTH),
    Action("retry", "f5,alt+r", slash="retry", footer="idle", screens=BOTH),
    Action("resume", "f6", slash="resume", footer="resumable", screens=BOTH),
    Action("keep", "f7", slash="keep", footer="interrupted"),
    Action("discard", "f8", slash="discard", footer="interrupted"),
    Action("help", "f1", slash="help", footer="always", screens=BOTH),
    Action("quit", "ctrl+q", slash="quit", footer="always", screens=EVERYWHERE),
    Action("model", "f2", slash="model", footer="always", takes=True),
    Action("history", "f3", slash="history", footer="always"),
    Action("batch", slash="batch", takes=True),
    Action("usage", slash="usage"),
    Action("whatif", slash="whatif"),
    Action("details", "alt+i", slash="details"),
    Action("newline", "ctrl+j,shift+enter,ctrl+enter", footer="always", in_composer=True, screens=WRITTEN),
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
    Action("search_prompts", "ctrl+r", screens=BOTH),
    Action("snippet", slash="snippet", takes=True, screens=BOTH),
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
    Action("page_up", "pageup", screens=BOTH),
    Action("page_down", "pagedown", screens=BOTH),
    Action("tail", "ctrl+end", screens=BOTH),
    Action("edit", "ctrl+g", slash="edit"),
    Action("suspend", slash="suspend", screens=BOTH),
    Action("redraw", "ctrl+l", slash="redraw", screens=BOTH),
    Action("copy_or_cancel", "ctrl+c", screens=BOTH),
    Action("palette", "ctrl+p", slash="palette", screens=BOTH),
)
"""What the chat screen can do."""

COMPARING = (
    Action("compare_again", "alt+a", slash="again", screens=COMPARE),
    Action("compare_add", "alt+l", slash="lane", takes=True, screens=COMPARE),
    Action("compare_model", "f2", slash="model", screens=COMPARE),
    Action("compare_sets", "f3", slash="set", takes=True, screens=COMPARE),
    Action("compare_sweep", "f4", slash="sweep", screens=COMPARE),
    Action("compare_diff", "f7", slash="diff", takes=True, screens=COMPARE),
    Action("compare_blind", "f8", slash="blind", screens=COMPARE),
    Action("compare_results", "f9", slash="results", screens=COMPARE),
    Action("compare_keep", "alt+k", slash="keep", screens=COMPARE),
    Action("compare_vote", "alt+v", slash="vote", takes=True, screens=COMPARE),
    Action("compare_tie", "alt+t", slash="tie", screens=COMPARE),
    Action("compare_tally", slash="tally", screens=COMPARE),
    Action("compare_maximise", "alt+z", slash="max", screens=COMPARE),
    Action("compare_edit", "alt+e", slash="edit", screens=COMPARE),
    Action("compare_duplicate", "alt+c", slash="duplicate", screens=COMPARE),
    Action("compare_remove", "alt+x", slash="remove", screens=COMPARE),
    Action("compare_sync", "alt+y", slash="sync", screens=COMPARE),
    Action("compare_note", "alt+n", slash="note", takes=True, screens=COMPARE),
    Action("compare_lock", "alt+s", slash="lock", screens=COMPARE),
    Action("compare_options", "alt+o", slash="options", takes=True, screens=COMPARE),
    Action("compare_rejoin", "alt+j", slash="rejoin", screens=COMPARE),
    Action("compare_previous_run", "alt+left", screens=COMPARE),
    Action("compare_next_run", "alt+right", screens=COMPARE),
    Action("compare_lane", ",".join(f"alt+{n}" for n in range(1, 7)), numbered=True, screens=COMPARE),
    Action("compare_top", "ctrl+home", screens=COMPARE),
    Action("compare_copy", slash="copy", screens=COMPARE),
    Action("compare_export", slash="export", takes=True, screens=COMPARE),
    Action("compare_leave", slash="chat", screens=COMPARE),
)
"""What a comparison can do that a chat cannot, or does otherwise."""

IN_LANE = (
    Action("lane_maximise", "enter", screens=("lane",)),
    Action("lane_previous_run", "left", screens=("lane",)),
    Action("lane_next_run", "right", screens=("lane",)),
    Action("lane_line_up", "up", screens=("lane",)),
    Action("lane_line_down", "down", screens=("lane",)),
    Action("lane_top", "home", screens=("lane",)),
    Action("lane_tail", "end", screens=("lane",)),
)
"""Keys while a lane has the focus."""

ELSEWHERE = (
    Action("history_rename", "alt+r", screens=("history",)),
    Action("history_pin", "alt+p", screens=("history",)),
    Action("history_delete", "alt+d,delete", screens=("history",)),
    Action("history_undo", "alt+u", screens=("history",)),
    Action("tree_edit", "e,E", screens=("tree",)),
    Action("tree_fork", "f,F", screens=("tree",)),
    Action("batch_filter", "f", screens=("batch",)),
    Action("batch_cancel", "c", screens=("batch", "batch_item")),
    Action("batch_retry", "r", screens=("batch", "batch_item")),
    Action("batch_retry_all", "a", screens=("batch",)),
    Action("batch_stop", "s", screens=("batch",)),
    Action("batch_failed", "alt+f", screens=("batch_start",)),
    Action("settings_use", "ctrl+s", screens=("settings",)),
    Action("settings_keep", "alt+p", screens=("settings",)),
    Action("settings_default", "alt+d", screens=("settings",)),
    Action("settings_profiles", "alt+l", screens=("settings",)),
    Action("settings_models", "f2", screens=("settings",)),
    Action("profiles_rename", "r", screens=("profiles",)),
    Action("profiles_delete", "d,delete", screens=("profiles",)),
    Action("profiles_forget", "f", screens=("profiles",)),
    Action("results_reverse", "r,R", screens=("results",)),
    Action("difference_next", "n,N", screens=("difference",)),
    Action("difference_previous", "p,P", screens=("difference",)),
    Action("sheet_turn", "p,P", screens=("sheet",)),
    Action("sheet_copy", "c,C", screens=("sheet", "details")),
)
"""What other screens can do that has a key to choose; they hold the rest in tables of their own."""

BY_NAME = {action.name: action for action in (*ACTIONS, *COMPARING, *IN_LANE, *ELSEWHERE)}


def commands(screen: str) -> dict[str, Action]:
    """The slash commands of a screen, each by its name."""
    return {action.slash: action for action in (*COMPARING, *ACTIONS) if action.slash and action.holds_on(screen)}


SLASHES = commands("chat")


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
