"""What a terminal's answers and settings mean for the screen: bytes and values -> checks. Nothing is asked here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from statistics import median

from msgspec import Struct, field

from tui_chat.domain.checkup import Check
from tui_chat.domain.words import say

TERMINAL_CHECKS = (
    "term",
    "colours",
    "locale",
    "width",
    "sync",
    "keyboard",
    "resize",
    "paste",
    "clipboard",
    "keys",
    "multiplexer",
    "latency",
)

SLOW_MS = 150.0
SMALLEST = (40, 12)
"""The screen stays whole down to here: (columns, rows)."""

MODE_REPORT = re.compile(rb"\x1b\[\?(\d+);(\d)\$y")
KITTY_REPORT = re.compile(rb"\x1b\[\?(\d+)u")
WHO_REPORT = re.compile(rb"\x1b\[\?([\d;]*)c")
CURSOR_REPORT = re.compile(rb"\x1b\[\d+;(\d+)R")

SAMPLES = {
    "ASCII": "abc",
    "é": "é",
    "e + accent": "e\u0301",
    "CJK": "漢字",
    "emoji": "🙂",
    "lines": "─│…·",
    "joined emoji": "👩\u200d💻",
    "flag": "🇩🇪",
}
COSMETIC = ("joined emoji", "flag")
"""Samples that many terminals draw wider; only a line that holds one suffers."""

KEYS = ("Enter", "Shift+Enter", "Ctrl+J", "Alt+Enter")
SENDS, NEW_LINE, NOTHING = "sends", "new_line", "nothing"
MEANINGS = {
    b"\r": SENDS,
    b"\x1b\r": SENDS,
    b"\x1b[13u": SENDS,
    b"\x1b[13;1u": SENDS,
    b"\n": NEW_LINE,
    b"\x1b[106;5u": NEW_LINE,
    b"\x1b[13;2u": NEW_LINE,
    b"\x1b[13;5u": NEW_LINE,
    b"\x1b[27;2;13~": NEW_LINE,
}
"""What the composer does on each."""

CLIPBOARDS: tuple[tuple[str, str, bool | None], ...] = (
    ("TERM", r"xterm-kitty|xterm-ghostty|alacritty|foot|wezterm|contour", True),
    ("TERM_PROGRAM", r"WezTerm|ghostty|vscode|iTerm\.app|rio", True),
    ("KITTY_WINDOW_ID", "", True),
    ("ALACRITTY_WINDOW_ID", "", True),
    ("WT_SESSION", "", True),
    ("TERM_PROGRAM", r"Apple_Terminal", False),
    ("XTERM_VERSION", "", None),
    ("VTE_VERSION", "", None),
)
"""(variable, what it begins with, whether that terminal takes OSC 52); None: by its settings or its version."""

COLOUR_TERMS = ("truecolor", "24bit")
UTF8 = re.compile(r"utf-?8$", re.IGNORECASE)


class Wish(Struct, frozen=True):
    """What the screen would like an option of tmux to be."""

    good: Callable[[str], bool]
    lines: str
    """What to add to ~/.tmux.conf."""
    needed: bool = False
    """Something is missing without it; else it is only a gain."""


def _quick(value: str) -> bool:
    """Esc is Esc, and not the beginning of something, after 50 ms at the latest."""
    return value.isdecimal() and int(value) <= 50


def _has_256(value: str) -> bool:
    return value.endswith("256color")


TMUX_OPTIONS: dict[str, Wish | None] = {
    "escape-time": Wish(_quick, "set -sg escape-time 10", needed=True),
    "set-clipboard": Wish(lambda value: value == "on", "set -s set-clipboard on", needed=True),
    "default-terminal": Wish(_has_256, 'set -g default-terminal "tmux-256color"', needed=True),
    "extended-keys": Wish(
        lambda value: value == "always", "set -s extended-keys always\nset -as terminal-features 'xterm*:extkeys'"
    ),
    "focus-events": Wish(lambda value: value == "on", "set -g focus-events on"),
    "allow-passthrough": None,
}
"""None: looked at only."""


class Facts(Struct, frozen=True):
    """What is known of a terminal; None: not asked."""

    env: Mapping[str, str]
    encoding: str = "utf-8"
    """Of stdout."""
    size: tuple[int, int] = (80, 24)
    replies: bytes | None = None
    """To MODES and WHO."""
    widths: bytes | None = None
    """Cursor reports, one behind each of SAMPLES."""
    latencies: tuple[float | None, ...] | None = None
    """Seconds; None where no answer came."""
    keys: Mapping[str, bytes | None] | None = None
    """What each of KEYS sends; None: skipped."""
    tmux: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """Its options; None where it has no such."""

    @property
    def term(self) -> str:
        return self.env.get("TERM", "")

    @property
    def multiplexer(self) -> str:
        """`tmux`, `screen`, or either of them `far`: on the computer from which one has logged in."""
        if self.env.get("TMUX"):
            return "tmux"
        if self.env.get("STY"):
            return "screen"
        return "far" if self.term.startswith(("tmux", "screen")) else ""


def judge(facts: Facts, columns: Callable[[str], int]) -> list[Check]:
    """The findings, in the order of TERMINAL_CHECKS; `columns` is the width that the screen takes a text to have."""
    findings = (
        _judge_term(facts),
        _judge_colours(facts),
        _judge_locale(facts),
        _judge_width(facts, columns),
        _judge_mode(facts, 2026, say("terminal.without_sync")),
        _judge_keyboard(facts),
        _judge_mode(facts, 2048),
        _judge_mode(facts, 2004, say("terminal.without_paste")),
        _judge_clipboard(facts),
        _judge_keys(facts),
        _judge_multiplexer(facts),
        _judge_latency(facts),
    )
    return [
        Check(name, ok, detail, hint, ms)
        for name, (ok, detail, hint, ms) in zip(TERMINAL_CHECKS, findings, strict=True)
    ]


Finding = tuple[bool | None, str, str | None, float | None]
"""(ok, detail, hint, milliseconds)."""


def _finding(ok: bool | None, detail: str, hint: str | None = None, ms: float | None = None) -> Finding:
    return ok, detail, hint, ms


def _judge_term(facts: Facts) -> Finding:
    columns, rows = facts.size
    detail = say("terminal.term", term=facts.term or "?", columns=columns, rows=rows)
    if facts.term in ("", "dumb", "unknown"):
        return _finding(False, detail, "export TERM=xterm-256color")
    if columns < SMALLEST[0] or rows < SMALLEST[1]:
        return _finding(False, detail, say("terminal.small", columns=SMALLEST[0], rows=SMALLEST[1]))
    return _finding(True, detail)


def _judge_colours(facts: Facts) -> Finding:
    claimed = facts.env.get("COLORTERM", "")
    if facts.env.get("NO_COLOR"):
        return _finding(None, say("terminal.no_color"))
    if claimed in COLOUR_TERMS:
        return _finding(True, say("terminal.truecolor", source=f"COLORTERM={claimed}"))
    if facts.term.endswith("-direct"):
        return _finding(True, say("terminal.truecolor", source=f"TERM={facts.term}"))
    if "256color" in facts.term:
        return _finding(True, say("terminal.colours_256", term=facts.term), say("terminal.colours_hint"))
    if facts.term in ("", "dumb", "unknown"):
        return _finding(False, say("terminal.colours_none", term=facts.term or "?"), "export TERM=xterm-256color")
    return _finding(True, say("terminal.colours_16", term=facts.term), say("terminal.colours_hint"))


def _judge_locale(facts: Facts) -> Finding:
    variable = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if facts.env.get(name)), None)
    named = f"{variable}={facts.env[variable]}" if variable else say("terminal.locale_none")
    if not UTF8.match(facts.encoding):
        line = f"export {'LC_ALL' if variable == 'LC_ALL' else 'LANG'}=C.UTF-8"
        return _finding(False, say("terminal.locale_bad", encoding=facts.encoding or "?", named=named), line)
    if variable is None or not UTF8.search(facts.env[variable]):
        # Python makes up for it; tmux and what is started from here do not.
        return _finding(True, say("terminal.locale", named=named), "export LC_ALL=C.UTF-8")
    return _finding(True, say("terminal.locale", named=named))


def _judge_width(facts: Facts, columns: Callable[[str], int]) -> Finding:
    if (silent := _silent(facts, facts.widths)) is not None:
        return silent
    measured = [int(found) - 1 for found in CURSOR_REPORT.findall(facts.widths or b"")]
    if len(measured) != len(SAMPLES):
        return _finding(None, say("terminal.mute"))
    wrong = {
        name: (seen, columns(text))
        for (name, text), seen in zip(SAMPLES.items(), measured, strict=True)
        if seen != columns(text)
    }
    if not wrong:
        return _finding(True, say("terminal.width", count=len(SAMPLES)))
    shown = ", ".join(
        say("terminal.width_wrong", name=name, seen=seen, expected=wanted) for name, (seen, wanted) in wrong.items()
    )
    if all(name in COSMETIC for name in wrong):
        return _finding(True, shown, say("terminal.width_cosmetic"))
    if "é" in wrong:
        return _finding(False, shown, say("terminal.width_utf8"))
    return _finding(False, shown, say("terminal.width_hint"))


def _judge_mode(facts: Facts, mode: int, without: str | None = None) -> Finding:
    """`without` says what is missing where the terminal does not have the mode."""
    if (silent := _silent(facts, facts.replies)) is not None:
        return silent
    state = dict(MODE_REPORT.findall(facts.replies or b"")).get(b"%d" % mode)
    if state is None:
        return _finding(None, say("terminal.mode_silent", mode=mode))
    if state in (b"0", b"4"):
        return _finding(None, say("terminal.mode_missing", mode=mode), without)
    return _finding(True, say("terminal.mode", mode=mode))


def _judge_keyboard(facts: Facts) -> Finding:
    if (silent := _silent(facts, facts.replies)) is not None:
        return silent
    if KITTY_REPORT.search(facts.replies or b""):
        return _finding(True, say("terminal.kitty"))
    return _finding(None, say("terminal.kitty_missing"), say("terminal.without_keyboard"))


def _judge_clipboard(facts: Facts) -> Finding:
    if facts.multiplexer == "tmux":
        setting = facts.tmux.get("set-clipboard")
        shown = say("terminal.clipboard_tmux", setting=setting or "?")
        return _finding(None if setting is None else setting == "on", shown)
    if facts.multiplexer == "screen":
        if not facts.term.startswith("screen"):
            return _finding(None, say("terminal.clipboard_unwrapped", term=facts.term), say("terminal.clipboard_term"))
        return _finding(None, say("terminal.clipboard_screen"), say("terminal.clipboard_hint"))
    who = WHO_REPORT.search(facts.replies or b"")
    if who is not None and b"52" in who[1].split(b";"):
        return _finding(True, say("terminal.clipboard_said"))
    for variable, start, takes in CLIPBOARDS:
        value = facts.env.get(variable)
        if value and re.match(start, value):
            return _known_clipboard(f"{variable}={value}", takes)
    return _finding(None, say("terminal.clipboard_unknown"), say("terminal.clipboard_hint"))


def _known_clipboard(terminal: str, takes: bool | None) -> Finding:
    if takes:
        return _finding(True, say("terminal.clipboard_known", terminal=terminal))
    if takes is None:
        return _finding(None, say("terminal.clipboard_open", terminal=terminal), say("terminal.clipboard_hint"))
    return _finding(None, say("terminal.clipboard_refused", terminal=terminal), say("terminal.without_clipboard"))


def _judge_keys(facts: Facts) -> Finding:
    if facts.keys is None:
        return _finding(None, say("terminal.keys_skipped"))
    pressed = {key: sent for key, sent in facts.keys.items() if sent is not None}
    if not pressed:
        return _finding(None, say("terminal.keys_skipped"))
    meanings = {key: MEANINGS.get(sent, NOTHING) for key, sent in pressed.items()}
    detail = " · ".join(
        say("terminal.key", key=key, sent=_spelt(sent), does=say(f"terminal.does_{meanings[key]}"))
        for key, sent in pressed.items()
    )
    if meanings.get("Enter", SENDS) != SENDS or meanings.get("Ctrl+J", NEW_LINE) != NEW_LINE:
        return _finding(False, detail, say("terminal.keys_wrong"))
    if meanings.get("Shift+Enter", NEW_LINE) != NEW_LINE:
        return _finding(True, detail, say("terminal.without_keyboard"))
    return _finding(True, detail)


def _judge_multiplexer(facts: Facts) -> Finding:
    match facts.multiplexer:
        case "tmux":
            return _judge_tmux(facts.tmux)
        case "screen":
            return _finding(None, say("terminal.screen"), say("terminal.screen_hint"))
        case "far":
            lines = _tmux_lines(wish for wish in TMUX_OPTIONS.values() if wish is not None)
            return _finding(None, say("terminal.far", term=facts.term), lines)
        case _:
            return _finding(None, say("terminal.no_multiplexer"))


def _judge_tmux(options: Mapping[str, str | None]) -> Finding:
    shown = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
    if not shown:
        return _finding(None, say("terminal.tmux_mute"))
    wishes = [
        wish
        for name, wish in TMUX_OPTIONS.items()
        if wish is not None and (value := options.get(name)) is not None and not wish.good(value)
    ]
    ok = not any(wish.needed for wish in wishes)
    return _finding(ok, say("terminal.tmux", options=shown), _tmux_lines(wishes) if wishes else None)


def _tmux_lines(wishes: Iterable[Wish]) -> str:
    return "\n".join([say("terminal.tmux_hint"), *(wish.lines for wish in wishes)])


def _judge_latency(facts: Facts) -> Finding:
    if facts.latencies is None:
        return _finding(None, say("doctor.interrupted"))
    times = [seconds * 1000 for seconds in facts.latencies if seconds is not None]
    if not times:
        return _finding(None, say("terminal.mute"))
    far = any(facts.env.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))
    middle = median(times)
    detail = say("terminal.latency_ssh" if far else "terminal.latency", count=len(times))
    return _finding(True, detail, say("terminal.latency_hint") if middle > SLOW_MS else None, middle)


def _silent(facts: Facts, answer: bytes | None) -> Finding | None:
    """The finding for a question that was not asked, or that a terminal which answers nothing left open."""
    if answer is None:
        return _finding(None, say("doctor.interrupted"))
    return None if WHO_REPORT.search(facts.replies or b"") else _finding(None, say("terminal.mute"))


def _spelt(sent: bytes) -> str:
    """`CR`, `LF`, `ESC[13;2u`."""
    names = {0x0D: "CR", 0x0A: "LF", 0x1B: "ESC", 0x7F: "DEL"}
    parts = [names.get(byte, chr(byte) if 0x20 < byte < 0x7F else f"\\x{byte:02x}") for byte in sent]
    return "".join(f" {part} " if part in ("CR", "LF") else part for part in parts).strip()
