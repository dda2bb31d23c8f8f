"""The keys of screens: their bindings and footers are read off tables, with the keys that `[keys]` gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding
from textual.widgets import Static

from tui_chat.domain import actions
from tui_chat.domain.keymap import DEFAULT, forms, show_key
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import RenderResult
    from textual.binding import BindingType

    from tui_chat.domain.actions import Action
    from tui_chat.domain.keymap import Keymap

GAP = "   "
"""Between a key's line and the next key."""
MORE = " …"
UNBOUND = "unbound"
"""A key that no terminal sends: Textual's keymap cannot take a key away."""


class Key(Struct, frozen=True):
    """What a key does; `action` is a method `action_<action>`, or such a call."""

    keys: str
    """As Textual names them, comma-separated, the one to show first."""
    action: str
    label: str = ""
    """Key of the words that the footer shows; "": it is not shown."""
    first: bool = False
    """It comes before what the widget with the focus makes of the key."""
    name: str = ""
    """What `[keys]` calls it, where it can be given other keys."""


def named(name: str, action: str, label: str | None = None, *, first: bool = False) -> Key:
    """A key that `[keys]` can change; without a label of its own the footer calls it as the table does."""
    own = f"action.{name}" if label is None else label
    return Key(actions.BY_NAME[name].keys, action, own, first, name)


def bindings(table: Iterable[Key]) -> list[BindingType]:
    """The bindings of a table's screen or widget."""
    return [
        Binding(key.keys, key.action, show=False, priority=key.first, id=key.name or None) for key in table if key.keys
    ]


def without(table: Iterable[Key], idle: Iterable[str]) -> list[Key]:
    """The keys of a table whose actions are not among those that can do nothing now."""
    idle = frozenset(idle)
    return [key for key in table if key.action not in idle]


def footer(table: Iterable[Key], keymap: Keymap = DEFAULT) -> Text:
    """One line: each key with what it does."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for key in table:
        shown = keymap.shown(key.name) if key.name else show_key(key.keys.partition(",")[0])
        if key.label and shown:
            text.append(GAP if text else "").append(shown, "bold").append(f" {say(key.label)}")
    return text


class KeyLine(Static):
    """One line of keys, as `footer` makes it; what does not fit whole is left out, with a mark."""

    def __init__(self, keys: Text | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(keys or "", markup=False, id=id, classes=classes)

    def say(self, keys: Text) -> None:
        if keys != self.content:
            self.update(keys, layout=False)

    def render(self) -> RenderResult:
        keys = self.content
        return whole_keys(keys, self.content_size.width) if isinstance(keys, Text) else super().render()


def whole_keys(keys: Text, width: int) -> Text:
    """The keys that fit whole into `width` cells, the first in any case, and a mark where there are more."""
    keys = keys.copy()
    keys.rstrip()
    ends = [place for place in range(len(keys)) if keys.plain.startswith(GAP, place)]
    if keys.cell_len <= width or not ends:
        return keys
    room = width - len(MORE)
    return keys[: max((end for end in ends if cell_len(keys.plain[:end]) <= room), default=ends[0])].append(MORE)


def action_bindings(table: Iterable[Action]) -> list[BindingType]:
    """Bindings of a screen with a composer, before whose own they come."""
    return [
        Binding(keys or UNBOUND, call, show=False, priority=True, id=name)
        for action in table
        if not action.in_composer and action.screens != actions.EVERYWHERE
        for keys, call, name in _calls(action, action.default)
    ]


def changes(keymap: Keymap) -> dict[str, str]:
    """What `App.set_keymap` needs to know: keys by the id of a binding."""
    return {name: keys or UNBOUND for action, own in keymap.changed() for keys, _, name in _calls(action, own)}


def _calls(action: Action, own: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """(keys, what they call, a name of their own)."""
    if not action.numbered:
        return [(_all_forms(own), action.method, action.name)]
    count = len(action.default)
    keys = [*own, *[""] * count][:count]
    return [(_all_forms([key]), f"{action.method}({n})", f"{action.name}_{n}") for n, key in enumerate(keys, 1)]


def _all_forms(keys: Iterable[str]) -> str:
    return ",".join(form for key in keys if key for form in forms(key))
