"""What the terminal is told beside the screen, and that it is as before once the screen is gone."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from tests.kit.program import clean_environment
from tests.kit.terminal import Terminal, tokens
from tests.ui.test_pty import FAULTS, FAULTY, KEY, WIDE, ask, assert_left_clean, ready, screen
from tui_chat.cli.screen import speaks_utf8
from tui_chat.domain.hostile import is_control
from tui_chat.ui.multiplexers import wrapped
from tui_chat.ui.notifying import NO_PROGRESS, POP_TITLE, PUSH_TITLE, UNDER_WAY, Beacon, notice_form, shows_progress

XTERM = {"TERM": "xterm-256color"}
AWAY, BACK = "\x1b[O", "\x1b[I"


class Sent(list[str]):
    """What was written, and a clock that stands until it is set."""

    now = 100.0

    def beacon(self, **env: str) -> Beacon:
        made = Beacon(self.append, {**XTERM, **env}, lambda: self.now)
        made.begin()
        return made


def test_the_title_is_kept_told_and_put_back() -> None:
    sent = Sent()
    beacon = sent.beacon()
    assert sent == [PUSH_TITLE, "\x1b]2;tui-chat\x07"]
    sent.now += 2
    assert beacon.show("evil\x1b]0;x\x07\u009c\u202e", running=True) == 0
    assert sent[-1].startswith("\x1b]2;… evil␛]0;x␇")
    assert sent[-1].endswith(" · tui-chat\x07")
    assert not any(is_control(char) or char == "\u202e" for char in sent[-1][1:-1])
    beacon.end()
    assert sent[-1] == f"\x1b]2;\x07{POP_TITLE}"
    length = len(sent)
    beacon.end()
    assert len(sent) == length, "what was not begun again is not ended again"


def test_the_title_changes_once_a_second_at_most_and_only_where_it_differs() -> None:
    sent = Sent()
    beacon = sent.beacon()
    before = len(sent)
    assert beacon.show("a", running=True) == 1.0
    sent.now += 0.4
    assert beacon.show("a", running=True) == pytest.approx(0.6)
    assert len(sent) == before
    sent.now += 0.6
    assert beacon.show("a", running=True) == 0
    assert beacon.show("a", running=True) == 0
    assert sent[before:] == ["\x1b]2;… a · tui-chat\x07"]


def test_a_title_comes_back_after_a_stop() -> None:
    sent = Sent()
    beacon = sent.beacon()
    sent.now += 2
    beacon.show("a", running=False)
    beacon.end()
    beacon.begin()
    assert sent[-2:] == [PUSH_TITLE, "\x1b]2;a · tui-chat\x07"]


@pytest.mark.parametrize("env", [{"TERM": "linux"}, {"TERM": "dumb"}, {"TERM": "screen"}, {"STY": "1"}], ids=str)
def test_where_no_title_can_be_put_back_none_is_sent(env: dict[str, str]) -> None:
    sent = Sent()
    beacon = sent.beacon(**env)
    beacon.show("a", running=True)
    beacon.end()
    assert sent == []


def test_progress_is_told_when_it_changes_and_again_before_it_is_forgotten() -> None:
    sent = Sent()
    beacon = sent.beacon(WT_SESSION="x")

    def told() -> list[str]:
        return [text for text in sent if text in (UNDER_WAY, NO_PROGRESS)]

    for _ in range(5):
        beacon.show("a", running=True)
    assert told() == [UNDER_WAY]
    sent.now += 11
    beacon.show("a", running=True)
    assert told() == [UNDER_WAY] * 2
    beacon.end()
    assert told() == [UNDER_WAY, UNDER_WAY, NO_PROGRESS]
    beacon.begin()
    beacon.show("a", running=False)
    assert len(told()) == 3


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({}, False),
        ({"ConEmuANSI": "ON"}, True),
        ({"WT_SESSION": "x"}, True),
        ({"WT_SESSION": "x", "TMUX": "/tmp/x"}, False),
        ({"TERM_PROGRAM": "ghostty", "TERM_PROGRAM_VERSION": "1.2.0"}, True),
        ({"TERM_PROGRAM": "ghostty", "TERM_PROGRAM_VERSION": "1.1.3"}, False),
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.6.6"}, True),
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.6.10beta1"}, True),
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.14"}, False),
        ({"TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20240203-110809-5046fc22"}, False),
        ({"TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20260117-154428-05343b38"}, True),
        ({"TERM_PROGRAM": "ghostty"}, False),
    ],
    ids=str,
)
def test_who_shows_progress(env: dict[str, str], shown: bool) -> None:
    assert shows_progress({**XTERM, **env}) is shown


@pytest.mark.parametrize(
    ("env", "form"),
    [
        ({}, "bell"),
        ({"TERM_PROGRAM": "WezTerm"}, "osc9"),
        ({"TERM": "xterm-kitty"}, "osc9"),
        ({"TERM": "foot"}, "osc777"),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "tmux"}, "bell"),
    ],
    ids=str,
)
def test_the_notice_that_a_terminal_takes(env: dict[str, str], form: str) -> None:
    assert notice_form({**XTERM, **env}) == form


@pytest.mark.parametrize(
    ("how", "env", "expected"),
    [
        (False, {}, []),
        (True, {}, ["\x07"]),
        ("bell", {"TMUX": "x"}, ["\x07"]),
        ("osc9", {}, ["\x1b]9;The reply is finished.\x07"]),
        ("osc777", {}, ["\x1b]777;notify;tui-chat;The reply is finished.\x07"]),
        ("osc9", {"TMUX": "x"}, ["\x1bPtmux;\x1b\x1b]9;The reply is finished.\x07\x1b\\"]),
        ("osc9", {"STY": "x"}, ["\x1bP\x1b]9;The reply is finished.\x07\x1b\\"]),
    ],
    ids=str,
)
def test_a_notice_goes_through_what_stands_between(how: bool | str, env: dict[str, str], expected: list[str]) -> None:
    sent = Sent()
    beacon = sent.beacon(**env)
    sent.clear()
    beacon.ring(how, failed=False)
    assert sent == expected


def test_screen_gets_what_it_can_hold() -> None:
    pieces = re.findall("\x1bP(.*?)\x1b\\\\", wrapped("x" * 500, {"STY": "1"}))
    assert "".join(pieces) == "x" * 500
    assert max(map(len, pieces)) <= 256


@pytest.mark.parametrize(
    ("encoding", "env", "fits"),
    [
        ("UTF-8", {}, True),
        ("utf8", {"LC_ALL": "C"}, True),
        ("ANSI_X3.4-1968", {"LC_ALL": "C"}, False),
        ("ISO-8859-1", {"LANG": "de_DE"}, False),
        ("ANSI_X3.4-1968", {"LC_ALL": "vi_VN.UTF-8"}, True),
        ("ANSI_X3.4-1968", {"LC_ALL": "C", "LANG": "vi_VN.utf8"}, False),
        ("ANSI_X3.4-1968", {"LC_ALL": "C", "PYTHONUTF8": "1"}, True),
    ],
)
def test_the_locale_says_whether_the_terminal_speaks_utf8(encoding: str, env: dict[str, str], fits: bool) -> None:
    assert speaks_utf8(encoding, env) is fits


# the program


def titles(terminal: Terminal) -> list[str]:
    found = (re.fullmatch(rb"\x1b\]2;(.*)\x07", token[0]) for token in tokens(terminal.whole))
    return [match[1].decode() for match in found if match]


def assert_title_put_back(terminal: Terminal) -> None:
    raw = bytes(terminal.raw)
    assert raw.count(PUSH_TITLE.encode()) == raw.count(POP_TITLE.encode()) > 0
    assert raw.rfind(POP_TITLE.encode()) > max(raw.rfind(b"\x1b]2;"), raw.rfind(PUSH_TITLE.encode()))


def test_the_title_says_what_goes_on(tmp_path: Path) -> None:
    with screen(tmp_path, "--demo") as terminal:
        ready(terminal)
        ask(terminal, "count 5000")
        terminal.wait(lambda: titles(terminal)[-1] == "… count 5000 · tui-chat")
        terminal.press("esc")
        terminal.wait(lambda: titles(terminal)[-1] == "count 5000 · tui-chat")
        assert titles(terminal) == ["tui-chat", "… count 5000 · tui-chat", "count 5000 · tui-chat"]
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_title_put_back(terminal)
        assert_left_clean(terminal)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_title_is_put_back_after_a_fault(tmp_path: Path, fault: str) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY.replace("{fault}", fault))
    env = clean_environment(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    with Terminal([sys.executable, str(script)], env, WIDE, tmp_path) as terminal:
        if "on_mount" not in fault:
            ready(terminal)
            terminal.press("ctrl+end")
        assert terminal.wait_exit() == 1
        assert_title_put_back(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=str)
def test_the_title_is_put_back_after_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with screen(tmp_path, "--demo", WT_SESSION="x") as terminal:
        ready(terminal)
        ask(terminal, "count 5000")
        terminal.wait("1 2 3")
        terminal.process.send_signal(number)
        assert terminal.wait_exit(10) == 128 + number
        assert_title_put_back(terminal)
        raw = bytes(terminal.raw)
        assert raw.rfind(NO_PROGRESS.encode()) > raw.rfind(UNDER_WAY.encode()) > 0


def test_a_stopped_program_has_given_the_title_back(tmp_path: Path) -> None:
    with screen(tmp_path, "--demo") as terminal:
        ready(terminal)
        ask(terminal, "echo one")
        terminal.wait("done ·")
        terminal.wait(lambda: titles(terminal)[-1] == "echo one · tui-chat")
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.wait_stopped()
        assert_left_clean(terminal)
        assert_title_put_back(terminal)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait(lambda: titles(terminal)[-1] == "echo one · tui-chat")
        ask(terminal, "echo two")
        terminal.wait(lambda: terminal.text.count("◆ demo-fast") == 2)
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_title_put_back(terminal)
        assert_left_clean(terminal)


@pytest.mark.parametrize(("away", "rung"), [(True, True), (False, False)])
def test_a_long_reply_that_ends_unseen_calls_back(tmp_path: Path, away: bool, rung: bool) -> None:
    folder = tmp_path / ".config" / "tui-chat"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[ui]\nnotify = "osc9"\nnotify_after = 0.2\n')
    notice = b"\x1b]9;The reply is finished.\x07"
    with screen(tmp_path, "--demo") as terminal:
        ready(terminal)
        ask(terminal, "count 200")
        terminal.wait("1 2 3")
        if away:
            terminal.send(AWAY)
        terminal.wait("done ·")
        if rung:
            terminal.wait(lambda: notice in terminal.raw, 5)
        terminal.send(BACK)
        ask(terminal, "echo seen")
        terminal.wait(lambda: terminal.text.count("◆ demo-fast") == 2)
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert terminal.raw.count(notice) == rung


@pytest.mark.parametrize("term", ["xterm", "xterm-16color", "xterm-256color", "linux", "screen", "tmux-256color"])
def test_no_terminal_is_sent_colours_that_it_does_not_know(tmp_path: Path, term: str) -> None:
    with screen(tmp_path, "--demo", TERM=term, COLORTERM="") as terminal:
        ready(terminal)
        ask(terminal, "markdown")
        terminal.wait("your terminal is in good shape")
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        colours = [
            t["args"] for t in tokens(bytes(terminal.raw)) if t["csi"] and t["final"] == b"m" and not t["private"]
        ]
        assert not any(re.search(rb"[34]8;2;", args) for args in colours)
        if "256" not in term:
            assert not any(re.search(rb"[34]8;5;", args) for args in colours)
        assert_left_clean(terminal)


@pytest.mark.parametrize(
    ("variables", "said"), [({"TERM": "dumb"}, "--plain"), ({"LC_ALL": "C"}, "LC_ALL=C.UTF-8 tui-chat")], ids=str
)
def test_what_cannot_show_the_screen_is_told_what_can(tmp_path: Path, variables: dict[str, str], said: str) -> None:
    with screen(tmp_path, "--demo", **variables) as terminal:
        assert terminal.wait_exit() == 2
        assert said in terminal.text.replace("\n", "")
        assert b"\x1b" not in terminal.raw
