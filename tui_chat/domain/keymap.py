"""Which keys stand for which actions: the table's own, over them a preset, over that what the user wrote in `[keys]`.

Keys have the names that Textual gives them; the user may write them as they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct, field

from tui_chat.domain.actions import BY_NAME, EVERYWHERE, Action
from tui_chat.domain.words import say

PRESET = "preset"
"""The entry of `[keys]` that is no action."""

PRESETS: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "no-f-keys": {
        "help": "alt+question_mark",
        "model": "alt+l",
        "history": "alt+p",
        "tree": "alt+t",
        "retry": "alt+r",
        "resume": "alt+g",
        "keep": "alt+k",
        "discard": "alt+x",
        "next_hit": "alt+full_stop",
        "previous_hit": "alt+comma",
        "compare_model": "alt+m",
        "compare_sets": "alt+p",
        "compare_sweep": "alt+w",
        "compare_diff": "alt+i",
        "compare_blind": "alt+h",
        "compare_results": "alt+u",
        "settings_models": "alt+m",
    },
    "multiplexer": {
        "quit": "alt+q",
        "palette": "alt+x",
        "new_chat": "alt+w",
        "sidebar": "alt+a",
        "details": "alt+y",
        "edit": "alt+g",
        "take_back": "alt+u",
        "fold": "alt+z",
        "previous_version": "alt+comma",
        "next_version": "alt+full_stop",
        "history_pin": "alt+t",
        "compare_add": "alt+w",
        "compare_keep": "alt+g",
        "compare_remove": "alt+0",
        "compare_note": "alt+m",
        "compare_options": "alt+u",
        "compare_rejoin": "alt+9",
        "compare_previous_run": "alt+comma",
        "compare_next_run": "alt+full_stop",
        "batch_failed": "alt+r",
        "settings_use": "alt+s",
        "settings_keep": "alt+w",
        "settings_profiles": "alt+r",
    },
}
"""By name, what other keys actions get: for terminals without F-keys, and beside tmux, screen and zellij."""

MOST_SHOWN = 20
"""Characters of a wrong name that are repeated; a longer text may be a secret in the wrong place."""

MODIFIERS = {
    "ctrl": "ctrl", "control": "ctrl", "alt": "alt", "meta": "alt", "option": "alt", "shift": "shift", "super": "super",
}  # fmt: skip
PUNCTUATION = {
    "!": "exclamation_mark", '"': "quotation_mark", "#": "number_sign", "$": "dollar_sign", "%": "percent_sign",
    "&": "ampersand", "'": "apostrophe", "(": "left_parenthesis", ")": "right_parenthesis", "*": "asterisk",
    "-": "minus", ".": "full_stop", "/": "slash", ":": "colon", ";": "semicolon", "<": "less_than_sign",
    "=": "equals_sign", ">": "greater_than_sign", "?": "question_mark", "@": "at", "[": "left_square_bracket",
    "\\": "backslash", "]": "right_square_bracket", "^": "circumflex_accent", "_": "underscore", "`": "grave_accent",
    "{": "left_curly_bracket", "|": "vertical_line", "}": "right_curly_bracket", "~": "tilde", ",": "comma",
    "+": "plus",
}  # fmt: skip
"""What Textual calls a sign."""
NAMED = frozenset(
    {"up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete", "backspace", "enter"}
    | {"tab", "escape", "space", *(f"f{n}" for n in range(1, 25))}
)
SYNONYMS = {
    "esc": "escape", "pgup": "pageup", "pgdn": "pagedown", "page_up": "pageup", "page_down": "pagedown",
    "return": "enter", "del": "delete", "ins": "insert", "period": "full_stop", "dot": "full_stop",
}  # fmt: skip
SENT_AS = {
    "ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape", "ctrl+h": "backspace",
}  # fmt: skip
"""Keys that terminals do not tell from others."""
SHOWN = {"escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn", "delete": "Del", "insert": "Ins"}

MOVING = frozenset({"up", "down", "left", "right", "home", "end", "pageup", "pagedown", "enter", "escape"})
WRITING = frozenset(
    (MOVING - {"pageup", "pagedown", "enter", "escape"})
    | {"backspace", "delete", "tab", "shift+tab", "space", "ctrl+left", "ctrl+right"}
    | {"shift+up", "shift+down", "shift+left", "shift+right", "shift+home", "shift+end"}
    | {"ctrl+shift+left", "ctrl+shift+right", *(f"ctrl+{letter}" for letter in "abdefkuwy")}
    | {"alt+b", "alt+d", "alt+f", "alt+backspace", "alt+delete"}
)
"""Sacred where one writes: they move and edit, as in a shell."""
SACRED: Mapping[str, frozenset[str]] = {
    "chat": WRITING,
    "compare": WRITING,
    # What is typed in a lane goes to the composer.
    "lane": frozenset({"tab", "shift+tab"}),
    # Alt+D and Del delete a conversation there, as Home and End go through the list.
    "history": (WRITING - {"alt+d", "delete"}) | MOVING,
    "settings": (WRITING - {"alt+d"}) | MOVING,
    "batch_start": (WRITING - {"alt+f"}) | MOVING,
    "profiles": MOVING,
    **dict.fromkeys(("tree", "results", "details"), MOVING | {"q"}),
    **dict.fromkeys(("batch", "batch_item", "sheet"), MOVING | {"q", "tab", "shift+tab", "space"}),
    "difference": MOVING | {"q", "shift+left", "shift+right"},
}
LETTERED = frozenset({"tree", "results", "details", "batch", "batch_item", "sheet", "difference", "profiles"})
"""Where nobody writes, so that a letter can be a key."""
FIRM = frozenset({"chat", "history", "tree"})
"""What is written for one of these is refused where another action has the key; elsewhere that one gives way."""


class Keymap(Struct, frozen=True):
    """The keys that count."""

    keys: Mapping[str, tuple[str, ...]]
    """By action's name; empty for one without a key."""

    def of(self, name: str) -> tuple[str, ...]:
        return self.keys[name]

    def shown(self, name: str) -> str:
        """The first key of an action, such as Ctrl+J; empty when it has none."""
        return next(map(show_key, self.keys[name]), "")

    def changed(self) -> Iterator[tuple[Action, tuple[str, ...]]]:
        """The actions that have other keys than those of the table."""
        return ((action, self.keys[name]) for name, action in BY_NAME.items() if self.keys[name] != action.default)


class _Reading(Struct):
    """What is read out of one `[keys]`."""

    written: Mapping[str, str]
    base: dict[str, tuple[str, ...]]
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def fault(self, name: str, sentence: str) -> None:
        self.faults.append((name, sentence))


def preset(name: str) -> Keymap:
    """The keys that count with a preset and nothing else; raises KeyError."""
    changes = PRESETS[name]
    keys = {
        action.name: tuple(changes[action.name].split(",")) if action.name in changes else action.default
        for action in BY_NAME.values()
    }
    return Keymap(MappingProxyType(keys))


DEFAULT = preset("default")


def resolve(written: Mapping[str, str], base: Keymap) -> tuple[Keymap, list[tuple[str, str]]]:
    """The keys that count, and (action, what is wrong with its entry) for each mistake, which spares the rest.

    `written`: keys by the name of an action that there is, comma-separated; "" leaves it without one.
    """
    reading = _Reading(written, dict(base.keys))
    wanted = {name: _read(reading, name, text) for name, text in written.items()}
    keys = {name: own for name, own in base.keys.items() if name not in wanted}
    for name, own in wanted.items():
        keys[name] = tuple(key for key in own if _is_free(reading, name, key, keys, wanted))
        if not keys[name] and written[name].strip():
            keys[name] = tuple(key for key in base.of(name) if _holder(name, key, keys, wanted) is None)
    for name in keys.keys() - wanted.keys():
        keys[name] = tuple(key for key in keys[name] if not _given(name, key, keys, wanted))
    return Keymap(MappingProxyType({name: keys[name] for name in BY_NAME})), reading.faults


def _read(reading: _Reading, name: str, text: str) -> tuple[str, ...]:
    """The keys of one entry that an action of this name can have."""
    if not text.strip() and name == "send":
        reading.fault(name, say("keys.needed"))
        return reading.base[name]
    found: list[str] = []
    for part in filter(None, map(str.strip, text.split(","))):
        key = parse_key(part)
        if key is None:
            reading.fault(name, say("keys.unknown", key=f", “{part}”" if len(part) <= MOST_SHOWN else ""))
        elif is_sacred(key, BY_NAME[name].screens):
            reading.fault(name, say("keys.sacred", key=show_key(key)))
        else:
            found.append(key)
    return tuple(dict.fromkeys(found))


def _is_free(
    reading: _Reading, name: str, key: str, keys: Mapping[str, tuple[str, ...]], wanted: Mapping[str, object]
) -> bool:
    holder = _holder(name, key, keys, wanted)
    if holder is not None:
        sentence = "keys.taken" if holder in wanted else "keys.taken_default"
        reading.fault(name, say(sentence, key=show_key(key), other=holder))
    return holder is None


def _holder(name: str, key: str, keys: Mapping[str, tuple[str, ...]], wanted: Mapping[str, object]) -> str | None:
    """The other action that has the key on a screen of this one, and does not give way."""
    others = (other for other, own in keys.items() if other != name and key in own)
    stays = (other for other in others if other in wanted or not _gives_way(other, name))
    return next((other for other in stays if _meet(BY_NAME[other].screens, BY_NAME[name].screens)), None)


def _given(name: str, key: str, keys: Mapping[str, tuple[str, ...]], wanted: Mapping[str, object]) -> bool:
    """True for a key of the table that an entry has taken from the action."""
    takers = (other for other in wanted if key in keys[other] and _gives_way(name, other))
    return any(_meet(BY_NAME[other].screens, BY_NAME[name].screens) for other in takers)


def _gives_way(one: str, other: str) -> bool:
    """True when `one` leaves its key to an entry for `other`, which counts on more important screens."""
    screens, wider = BY_NAME[one].screens, BY_NAME[other].screens
    return screens != EVERYWHERE and FIRM.isdisjoint(screens) and (wider == EVERYWHERE or not FIRM.isdisjoint(wider))


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return EVERYWHERE in (one, other) or not set(one).isdisjoint(other)


def is_sacred(key: str, screens: tuple[str, ...]) -> bool:
    """True for a key that has another meaning on one of the screens: a character or a move where one writes."""
    return any(key in SACRED[one] or (one not in LETTERED and _is_character(key)) for one in screens or SACRED)


def _is_character(key: str) -> bool:
    return "+" not in key and key not in NAMED


def parse_key(text: str) -> str | None:
    """Textual's name of a key, from that name or from how it is shown: `Ctrl+J`, `alt+.`; None when it is none."""
    *held, last = text.strip().split("+") if not text.endswith("++") else [*text[:-2].split("+"), "+"]
    modifiers = {MODIFIERS.get(part.strip().lower(), "") for part in held}
    key = _last(last.strip(), modifiers)
    if key is None or "" in modifiers:
        return None
    if modifiers == {"shift"} and len(key) == 1:
        return key.upper()
    name = "+".join((*sorted(modifiers), key))
    return SENT_AS.get(name, name)


def _last(text: str, modifiers: Iterable[str]) -> str | None:
    if len(text) == 1:
        return PUNCTUATION.get(text) or ((text.lower() if modifiers else text) if text.isalnum() else None)
    name = SYNONYMS.get(text.lower(), text.lower())
    return name if name in NAMED or name in PUNCTUATION.values() else None


def forms(key: str) -> tuple[str, ...]:
    """All that Textual may call a key, which depends on how the terminal sends it."""
    return {"shift+enter": (key, "shift+\r"), "ctrl+j": (key, "newline")}.get(key, (key,))


def show_key(key: str) -> str:
    """`ctrl+j` as `Ctrl+J`."""
    signs = {name: sign for sign, name in PUNCTUATION.items()}
    names = {**SHOWN, **signs}
    return "+".join(names.get(part, part.capitalize() if len(part) > 1 else part.upper()) for part in key.split("+"))
