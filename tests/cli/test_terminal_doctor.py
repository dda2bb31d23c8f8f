"""`doctor --terminal`: what a terminal's answers mean, and one terminal that really answers."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.kit.program import COMMAND, Program, clean_environment
from tests.kit.terminal import Terminal
from tui_chat.cli.terminal_findings import KEYS, SAMPLES, TERMINAL_CHECKS, Facts, judge
from tui_chat.domain.checkup import Check
from tui_chat.domain.hostile import is_control
from tui_chat.ui.cells import columns

ALL = b"\x1b[?2026;2$y\x1b[?2048;2$y\x1b[?2004;2$y\x1b[?0u\x1b[?62;52c"
OLD = b"\x1b[?2026;0$y\x1b[?2048;0$y\x1b[?2004;0$y\x1b[?1;2c"
TACITURN = b"\x1b[?1;2c"
PRESSED = {"Enter": b"\x1b[13u", "Shift+Enter": b"\x1b[13;2u", "Ctrl+J": b"\x1b[106;5u", "Alt+Enter": b"\x1b[13;3u"}
PLAIN = {"Enter": b"\r", "Shift+Enter": b"\r", "Ctrl+J": b"\n", "Alt+Enter": b"\x1b\r"}
GOOD_TMUX: dict[str, str | None] = {
    "escape-time": "10",
    "set-clipboard": "on",
    "default-terminal": "tmux-256color",
    "extended-keys": "always",
    "focus-events": "on",
    "allow-passthrough": "off",
}
FRESH_TMUX = {**GOOD_TMUX, "escape-time": "500", "set-clipboard": "external", "extended-keys": "off"}
TMUX = {"TMUX": "/tmp/tmux/default,1,0", "TERM": "tmux-256color"}


def widths(**changed: int) -> bytes:
    """The cursor reports of a terminal that agrees, but for some samples."""
    found = {name: columns(text) for name, text in SAMPLES.items()} | changed
    return b"".join(b"\x1b[5;%dR" % (found[name] + 1) for name in SAMPLES) + b"\x1b[?62c"


BEST = Facts(
    env={"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "de_DE.UTF-8"},
    replies=ALL,
    widths=widths(),
    latencies=(0.001, 0.002, 0.003, 0.002, 0.002),
    keys=PRESSED,
)


def judged(facts: Facts) -> dict[str, Check]:
    checks = judge(facts, columns)
    assert [check.name for check in checks] == [*TERMINAL_CHECKS]
    assert all(check.detail for check in checks)
    assert all(check.hint for check in checks if check.ok is False and check.name != "clipboard")
    return {check.name: check for check in checks}


def test_the_best_of_terminals() -> None:
    checks = judged(BEST)
    assert [name for name, check in checks.items() if check.ok is not True] == ["multiplexer"]
    assert [name for name, check in checks.items() if check.hint] == []
    assert checks["latency"].ms == pytest.approx(2)


def env(**variables: str) -> dict[str, Any]:
    return {"env": {**BEST.env, **variables}}


CASES: list[tuple[str, dict[str, Any], bool | None, str, str]] = [
    ("term", {"size": (30, 10)}, False, "30x10", "40x12"),
    ("term", env(TERM="dumb"), False, "dumb", "export TERM="),
    ("term", {"env": {}}, False, "?", "export TERM="),
    ("colours", env(NO_COLOR="1"), None, "NO_COLOR", ""),
    ("colours", env(COLORTERM="24bit"), True, "16 million colours (COLORTERM=24bit)", ""),
    ("colours", env(COLORTERM="", TERM="xterm-direct"), True, "TERM=xterm-direct", ""),
    ("colours", env(COLORTERM=""), True, "256 colours", "export COLORTERM=truecolor"),
    ("colours", env(COLORTERM="", TERM="xterm"), True, "16 colours", "COLORTERM"),
    ("colours", env(COLORTERM="", TERM="dumb"), False, "none", "TERM"),
    ("locale", env(LANG="C.utf8"), True, "UTF-8 (LANG=C.utf8)", ""),
    ("locale", env(LC_ALL="POSIX"), True, "LC_ALL=POSIX", "export LC_ALL=C.UTF-8"),
    ("locale", env(LANG=""), True, "no locale set", "export LC_ALL=C.UTF-8"),
    ("locale", {"encoding": "iso8859-1"}, False, "iso8859-1", "export LANG=C.UTF-8"),
    ("locale", {"encoding": "ascii", **env(LC_ALL="C")}, False, "LC_ALL=C", "export LC_ALL=C.UTF-8"),
    ("width", {"widths": widths(flag=4)}, True, "flag: 4 columns, not 2", "that holds such a character"),
    ("width", {"widths": widths(CJK=2, lines=8)}, False, "CJK: 2 columns, not 4, lines: 8", "ambiguous"),
    ("width", {"widths": widths(é=2)}, False, "é: 2 columns, not 1", "UTF-8"),
    ("width", {"widths": b"\x1b[5;4R"}, None, "does not answer", ""),
    ("width", {"widths": None}, None, "interrupted", ""),
    ("width", {"replies": b"", "widths": b""}, None, "does not answer", ""),
    ("sync", {"replies": OLD}, None, "not there (mode 2026)", "half drawn"),
    ("sync", {"replies": TACITURN}, None, "does not say (mode 2026)", ""),
    ("sync", {"replies": b"\x1b[?2026;1$y" + TACITURN}, True, "there", ""),
    ("sync", {"replies": b"\x1b[?2026;4$y" + TACITURN}, None, "not there", "half drawn"),
    ("sync", {"replies": None}, None, "interrupted", ""),
    ("keyboard", {"replies": OLD}, None, "no kitty", "Ctrl+J"),
    ("keyboard", {"replies": b"typed\x1b[?5u\x1b[A" + TACITURN}, True, "kitty", ""),
    ("resize", {"replies": OLD}, None, "mode 2048", ""),
    ("paste", {"replies": OLD}, None, "mode 2004", "an Enter"),
    ("clipboard", {"replies": OLD}, None, "does not say", "Copy a reply"),
    ("clipboard", {"replies": OLD, **env(TERM="xterm-kitty")}, True, "TERM=xterm-kitty", ""),
    ("clipboard", {"replies": OLD, **env(TERM_PROGRAM="Apple_Terminal")}, None, "not taken", "Select"),
    ("clipboard", {"replies": OLD, **env(VTE_VERSION="7600")}, None, "depends", "settings"),
    ("clipboard", {"tmux": GOOD_TMUX, **env(**TMUX)}, True, "set-clipboard on", ""),
    ("clipboard", {"tmux": FRESH_TMUX, **env(**TMUX)}, False, "set-clipboard external", ""),
    ("clipboard", {"tmux": {}, **env(**TMUX)}, None, "set-clipboard ?", ""),
    ("clipboard", env(STY="1.pts", TERM="screen"), None, "handed on through screen", "paste it elsewhere"),
    ("clipboard", env(STY="1.pts", TERM="xterm"), None, "drops it while TERM=xterm", "Let screen set TERM"),
    ("keys", {"keys": None}, None, "not asked", ""),
    ("keys", {"keys": dict.fromkeys(KEYS)}, None, "not asked", ""),
    ("keys", {}, True, "Enter ESC[13u sends · Shift+Enter ESC[13;2u makes a new line · Ctrl+J", ""),
    ("keys", {"keys": PLAIN}, True, "Ctrl+J LF makes a new line · Alt+Enter ESC CR sends", "Ctrl+J"),
    ("keys", {"keys": {"Shift+Enter": b"\x1b[27;2;13~"}}, True, "makes a new line", ""),
    ("keys", {"keys": {"Enter": b"\n"}}, False, "Enter LF makes", "binding"),
    ("keys", {"keys": {"Ctrl+J": b"\x1b[200~"}}, False, "does nothing", "binding"),
    ("keys", {"keys": {"Alt+Enter": b"\xff\x00 "}}, True, "\\xff\\x00\\x20 does nothing", ""),
    ("multiplexer", {"tmux": GOOD_TMUX, **env(**TMUX)}, True, "escape-time 10", ""),
    ("multiplexer", {"tmux": {**GOOD_TMUX, "focus-events": "off"}, **env(**TMUX)}, True, "", "set -g focus-events on"),
    ("multiplexer", {"tmux": FRESH_TMUX, **env(**TMUX)}, False, "escape-time 500", "set -sg escape-time 10"),
    ("multiplexer", {"tmux": FRESH_TMUX, **env(**TMUX)}, False, "", "set -s extended-keys always"),
    ("multiplexer", {"tmux": {**GOOD_TMUX, "extended-keys": None}, **env(**TMUX)}, True, "escape", ""),
    ("multiplexer", {"tmux": dict.fromkeys(GOOD_TMUX), **env(**TMUX)}, None, "does not tell", ""),
    ("multiplexer", env(STY="1.pts", TERM="screen"), None, "inside screen", "tmux"),
    ("multiplexer", env(TERM="tmux-256color"), None, "the computer you came from", "set -s set-clipboard on"),
    ("multiplexer", {}, None, "neither", ""),
    ("latency", env(SSH_CONNECTION="a b"), True, "over SSH", ""),
    ("latency", {"latencies": (0.2, 0.3, None, 0.4, 0.3)}, True, "median of 4", "lag"),
    ("latency", {"latencies": ()}, None, "does not answer", ""),
    ("latency", {"latencies": None}, None, "interrupted", ""),
]


@pytest.mark.parametrize(("name", "changes", "ok", "detail", "hint"), CASES)
def test_findings(name: str, changes: Mapping[str, Any], ok: bool | None, detail: str, hint: str) -> None:
    check = judged(replace(BEST, **changes))[name]
    assert check.ok is ok
    assert detail in check.detail
    assert hint in (check.hint or "")
    assert (check.hint is not None) is bool(hint)


def test_nothing_was_asked() -> None:
    checks = judged(Facts({}))
    assert [name for name, check in checks.items() if check.ok is False] == ["term", "colours"]


@pytest.mark.parametrize("noise", [b"", b"hello\r", b"\x1b[A\x1b[1;5C", b"\xff\xfe", b"\x1b[?2026;", b"\x1b["])
def test_typing_meanwhile_disturbs_nothing(noise: bytes) -> None:
    facts = replace(BEST, replies=noise + ALL, widths=noise + widths())
    assert judged(facts) == judged(BEST)


# real terminals


def terminal(home: Path, *args: str, **variables: str) -> Terminal:
    command = [*COMMAND, "doctor", "--terminal", *args]
    return Terminal(command, clean_environment(home, **variables), cwd=home)


def printed(raw: bytes) -> dict[str, Any]:
    """The object that was printed, after the questions."""
    return json.loads(bytes(raw[raw.index(b"{\r\n") :]))


def test_a_terminal_that_answers(tmp_path: Path) -> None:
    with terminal(tmp_path, "--json") as shown:
        assert shown.wait_exit() == 0
        value = printed(shown.raw)
        assert shown.mode == shown.first_mode
    assert list(value) == ["terminal", "ok", "checks"]
    assert (value["terminal"], value["ok"]) == ("xterm-256color", True)
    assert [check["name"] for check in value["checks"]] == [*TERMINAL_CHECKS]
    found = {check["name"]: check for check in value["checks"]}
    for name in ("term", "colours", "locale", "width", "sync", "keyboard", "paste", "latency"):
        assert found[name]["ok"] is True, found[name]
    assert found["keys"]["detail"] == "not asked for"
    assert found["latency"]["ms"] > 0
    assert b"\x1b]52" not in shown.raw


def test_keys_are_asked_for_and_shown(tmp_path: Path) -> None:
    pressed = {
        "Enter": "\x1b[13u",
        "Shift+Enter": "\x1b[57441;2u\x1b[13;2u",
        "Ctrl+J": "\n",
        "Alt+Enter": "\x1b",
    }
    with terminal(tmp_path) as shown:
        for key, sent in pressed.items():
            shown.wait(f"Press {key} (Esc skips)")
            shown.send(sent)
        assert shown.wait_exit() == 0
        assert shown.mode == shown.first_mode
        assert "Shift+Enter ESC[13;2u makes a new line · Ctrl+J LF makes a new line\n" in shown.text
        assert shown.lines[0] == "terminal xterm-256color"
        assert shown.raw.count(b"\x1b[>25u") == shown.raw.count(b"\x1b[<u") == 1


@pytest.mark.parametrize("how", ["key", "SIGINT", "SIGTERM", "SIGHUP"])
def test_every_way_out_restores_the_terminal(tmp_path: Path, how: str) -> None:
    with terminal(tmp_path) as shown:
        shown.wait("Press Enter")
        if how == "key":
            shown.send("\x1b[99;5u")
        else:
            shown.process.send_signal(signal.Signals[how])
        assert shown.wait_exit() == {"SIGTERM": 143, "SIGHUP": 129}.get(how, 130)
        assert shown.mode == shown.first_mode
        assert shown.raw.count(b"\x1b[>25u") == shown.raw.count(b"\x1b[<u") == 1
        assert "not asked for" in shown.text


def test_a_terminal_that_answers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Terminal, "_answer", lambda *_: b"")
    with terminal(tmp_path, "--json") as shown:
        assert shown.wait_exit() == 0
        found = {check["name"]: check for check in printed(shown.raw)["checks"]}
    assert {found[name]["detail"] for name in ("width", "sync", "latency")} == {
        "the terminal does not answer questions"
    }


def test_a_terminal_is_needed(program: Program) -> None:
    done = program.run("doctor", "--terminal")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("tui-chat: doctor --terminal needs a terminal")


def test_the_object_can_go_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    line = " ".join([*COMMAND, "doctor", "--terminal", "--json", ">", str(file)])
    with Terminal(["/bin/sh", "-c", line], clean_environment(tmp_path), cwd=tmp_path) as shown:
        assert shown.wait_exit() == 0
        assert b"{" not in shown.raw
    assert json.loads(file.read_text())["terminal"] == "xterm-256color"


def test_textual_is_not_imported(tmp_path: Path) -> None:
    code = "import sys, tui_chat.cli.terminal_doctor, tui_chat.ui.cells; sys.exit('textual' in sys.modules)"
    assert subprocess.run([COMMAND[0], "-c", code], env=clean_environment(tmp_path), check=False).returncode == 0


def test_samples_are_harmless() -> None:
    assert not any(is_control(char) for text in SAMPLES.values() for char in text)
