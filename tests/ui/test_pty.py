"""The screen in a real terminal: what a person sees, what reaches the terminal, and how it is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.corpus import assert_only_ours
from tests.kit.program import COMMAND, clean_environment
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.terminal import Terminal, tokens
from tui_chat.demo.models import HOSTILE

KEY = "sk-test-3fA9dQ7Lx2"
WIDE, NARROW = (120, 40), (80, 24)
PAYLOAD = (
    "evil\x1b]52;c;ZGVtbw==\x1b\\\x1b[2J\x1bc\u009b2J\u009d0;owned\u009c\x7f\x07\u202egnp\u202c[/foo][@click=app.quit]x"
)
MODES = (b"?1049", b"?1000", b"?1003", b"?1006", b"?2004", b"?1004")
"""What the screen turns on, and has to turn off again: other screen, mouse, paste, focus."""


@contextmanager
def screen(home: Path, *args: str, size: tuple[int, int] = WIDE, **variables: str) -> Iterator[Terminal]:
    with Terminal([*COMMAND, *args], clean_environment(home, **variables), size, home) as terminal:
        yield terminal


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Terminal]:
    """The screen on the demo, ready for a message."""
    with screen(tmp_path, "--demo") as terminal:
        ready(terminal)
        yield terminal


def ready(terminal: Terminal) -> None:
    terminal.wait("Ctrl+Q quit")


def ask(terminal: Terminal, text: str) -> None:
    terminal.wait(lambda: "Message " in terminal.text)
    terminal.send(text)
    terminal.wait(text[:30])
    terminal.press("enter")


def erase(terminal: Terminal) -> None:
    """Empty the composer."""

    def empty() -> bool:
        if "Message " not in terminal.lines[-2]:
            terminal.press("backspace")
        return "Message " in terminal.lines[-2]

    terminal.wait(empty)


def assert_left_clean(terminal: Terminal) -> None:
    """The terminal is as it was before the program."""
    last = {}
    for token in tokens(terminal.raw):
        if token["csi"] and token["final"] in (b"h", b"l") and token["private"] == b"?":
            last[b"?" + token["args"]] = token["final"]
    assert {mode: last[mode] for mode in MODES} == dict.fromkeys(MODES, b"l")
    assert last[b"?25"] == b"h"
    assert last[b"?7"] == b"h"
    assert len(re.findall(rb"\x1b\[>[0-9;]*u", terminal.raw)) == len(re.findall(rb"\x1b\[<[0-9;]*u", terminal.raw))
    assert terminal.mode == terminal.first_mode


def assert_harmless(terminal: Terminal) -> None:
    """Nothing reached the terminal but text, and the sequences that the screen is drawn with."""
    assert_only_ours(bytes(terminal.raw))
    for name, payload in [*HOSTILE, ("all at once", PAYLOAD)]:
        assert payload.isprintable() or payload.encode() not in terminal.raw, name


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_conversation(tmp_path: Path, size: tuple[int, int]) -> None:
    with screen(tmp_path, "--demo", size=size) as terminal:
        ready(terminal)
        ask(terminal, "count 5000")
        terminal.wait("streaming")
        terminal.wait("40 41 42")
        terminal.press("esc")
        terminal.wait("Cancelled; what came is kept")
        assert "1 2 3 4 5" in terminal.text
        terminal.press("f5")
        terminal.wait("version 2/2")
        terminal.wait("1 2 3 4 5")
        terminal.press("esc")
        terminal.wait("Cancelled")
        terminal.press("alt+left")
        terminal.wait("version 1/2")
        assert "Cancelled; what came is kept" in terminal.text
        terminal.press("alt+right")
        terminal.wait("version 2/2")
        if size == WIDE:
            assert "tokens" in terminal.text
            assert "this chat" in terminal.text
        else:
            assert re.search(r"cancelled · [\d.]+ m?s · .* tok/s · .* tok · TTFT", terminal.lines[-3])
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_left_clean(terminal)


def test_a_message_typed_meanwhile_waits_its_turn(demo: Terminal) -> None:
    ask(demo, "count 5000")
    demo.wait("1 2 3")
    ask(demo, "echo the second")
    demo.wait("queued 1: echo the second")
    ask(demo, "echo the third")
    demo.wait("queued 2: echo the third")
    demo.press("alt+up")
    demo.wait_gone("queued 2")
    erase(demo)
    demo.press("esc")
    demo.wait_gone("queued 1")
    demo.wait(lambda: demo.text.count("◆ demo-fast") == 2 and "done ·" in demo.text)
    assert "echo the third" not in demo.text


def test_new_lines_and_a_paste(demo: Terminal) -> None:
    demo.send("echo first")
    demo.press("ctrl+j")
    demo.send("second\\")
    demo.press("enter")
    demo.send("\x1b[200~third\nfourth\x1b[201~")
    demo.wait("fourth")
    assert "❯ You" not in demo.text
    demo.press("enter")
    demo.wait("done ·")
    assert "\n".join(f"   {word}" for word in ("echo first", "second", "third", "fourth")) in re.sub(
        r" *│.*", "", demo.text
    )


def test_every_size_is_drawn_whole(demo: Terminal) -> None:
    ask(demo, "markdown")
    demo.wait("your terminal is in good shape")
    demo.wait(lambda: demo.lines[-3].strip() == "ready")
    for columns, rows in ((40, 12), (80, 24), (20, 6), (3, 2), (200, 60), (40, 12)):
        demo.resize(columns, rows)
        if rows >= 12:
            demo.wait(lambda: "tui-chat" in demo.lines[0] and demo.lines[-1].lstrip().startswith("Enter"))
    lines = demo.lines
    assert (len(lines), max(map(len, lines)) <= 40) == (12, True)
    demo.press("ctrl+q")
    assert demo.wait_exit() == 0
    assert_left_clean(demo)


def test_what_another_program_wrote_over_the_screen_is_put_right(demo: Terminal) -> None:
    ready(demo)
    ask(demo, "echo drawn")
    demo.wait(lambda: demo.text.count("drawn") == 3 and "nothing" in demo.text and "Esc" not in demo.lines[-1])
    demo.wait("Message ")
    before = demo.lines
    demo.overwrite("\x1b[2J\x1b[5;5Hsomebody is logged in\x1b[5;20r\x1b[7m")
    assert demo.lines != before
    demo.press("ctrl+l")
    demo.wait(lambda: demo.lines == before)
    assert not any(cell.reverse for cell in demo._screen.buffer[10].values())
    demo.press("ctrl+q")
    assert demo.wait_exit() == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_a_signal_ends_it_in_order(demo: Terminal, number: signal.Signals, code: int) -> None:
    ask(demo, "count 5000")
    demo.wait("1 2 3")
    demo.process.send_signal(number)
    assert demo.wait_exit(10) == code
    assert_left_clean(demo)
    assert b"Traceback" not in demo.raw


def test_a_lost_terminal_ends_it(demo: Terminal) -> None:
    ask(demo, "count 5000")
    demo.wait("1 2 3")
    demo.hang_up()
    assert demo.process.wait(8) == 129


@pytest.mark.parametrize("controlling", [True, False])
def test_a_lost_terminal_ends_it_under_nohup_too(tmp_path: Path, controlling: bool) -> None:
    command = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND, "--demo"]
    with Terminal(command, clean_environment(tmp_path), WIDE, tmp_path, controlling=controlling) as terminal:
        ready(terminal)
        ask(terminal, "count 5000")
        terminal.wait("1 2 3")
        terminal.hang_up()
        assert terminal.process.wait(8) == 129


def test_a_continue_without_a_stop_changes_nothing(demo: Terminal) -> None:
    threads = len(os.listdir(f"/proc/{demo.process.pid}/task"))
    for _ in range(3):
        demo.process.send_signal(signal.SIGCONT)
    ask(demo, "echo still there")
    demo.wait("done ·")
    # What comes after the first paint takes a thread or two; each continue would have taken two.
    assert len(os.listdir(f"/proc/{demo.process.pid}/task")) <= threads + 3


def test_bytes_that_are_no_text_are_no_keys(demo: Terminal) -> None:
    demo.send(b"echo a\xff\xfe\xc3")
    demo.wait("echo a")
    demo.send(b"bc")
    demo.wait("echo abc")
    demo.press("enter")
    demo.wait("done ·")
    demo.press("ctrl+q")
    assert demo.wait_exit() == 0


def test_hostile_replies_are_shown_and_harmless(tmp_path: Path) -> None:
    with screen(tmp_path, "--demo", "-m", "demo-garbage") as terminal:
        ready(terminal)
        ask(terminal, "hello")
        terminal.wait("done ·")
        assert "␛]52;c;ZGVtbw==␇" in terminal.text
        assert "[/foo] [@click=app.quit]x[/]" in terminal.text
        terminal.resize(*NARROW)
        terminal.wait(lambda: "tok/s" in terminal.lines[-3])
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_harmless(terminal)


def hostile_server(asked: Asked) -> Canned:
    """Lists a hostile model twice, and refuses every question with a hostile page or message."""
    if asked.path.endswith("/models"):
        names = (PAYLOAD, PAYLOAD, "\x1b[31mred", "[red]plain[/bold]")
        listed = [{"id": name, "name": f"{name}!", "object": "model"} for name in names]
        return Canned(json.dumps({"data": listed}).encode())
    if b"page" in asked.body:
        page = f"<html><head><title>{PAYLOAD} &#27;]0;owned&#7; &#x9b;2J</title></head></html>"
        return Canned(page.encode(), 418, "text/html")
    return Canned(json.dumps({"error": {"message": PAYLOAD, "code": PAYLOAD}}).encode(), 400)


def test_hostile_names_and_errors_are_harmless(tmp_path: Path) -> None:
    with canned_server(hostile_server) as server:
        variables = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
        with screen(tmp_path, "-m", "first", **variables) as terminal:
            ready(terminal)
            ask(terminal, "hello")
            terminal.wait("✗ evil␛]52;c;ZGVtbw==␛\\␛[2J")
            terminal.wait("back in the composer")
            erase(terminal)
            ask(terminal, "page")
            terminal.wait("web page")
            terminal.wait("back in the composer")
            erase(terminal)
            terminal.press("f2")
            terminal.wait("Choose a model")
            terminal.wait("evil␛]52;c;ZGVtbw==␛\\␛[2J␛c")
            terminal.wait("[red]plain[/bold]")
            terminal.send("evil")
            terminal.wait_gone("[red]plain[/bold]")
            terminal.press("enter")
            terminal.wait_gone("Choose a model")
            terminal.wait("Message evil␛]52;c;ZGVtbw==␛\\␛[2J")
            assert "evil␛]52;c;ZGVtbw==␛\\␛[2J" in terminal.lines[0]
            terminal.send("/model typed\u009b2J\u202ename")
            terminal.press("enter")
            terminal.wait(lambda: "openai/typed" in terminal.lines[0])
            terminal.press("ctrl+q")
            assert terminal.wait_exit() == 0
            assert_harmless(terminal)
            assert KEY.encode() not in terminal.raw
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}


def test_hostile_configuration_is_harmless(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "tui-chat"
    (folder / "themes").mkdir(parents=True)
    (folder / "config.toml").write_text(f"[ui]\n{json.dumps(PAYLOAD)} = 1\ntheme = {json.dumps(PAYLOAD)}\n")
    (folder / "themes" / "bad.toml").write_text(f"primary = {json.dumps(PAYLOAD)}\n")
    with screen(tmp_path, "--demo", "-m", PAYLOAD.replace("\0", ""), size=(200, 24)) as terminal:
        ready(terminal)
        terminal.wait("evil␛]52;c;ZGVtbw==␛")
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert_harmless(terminal)


FAULTY = """
import sys
from tui_chat.cli import main
from tui_chat.ui.app import TuiChat
from tui_chat.ui.screens.chat import ChatScreen

def broken(self, *_):
    secret = self.app.house.env["OPENAI_API_KEY"]
    raise KeyError("broken on purpose")

{fault}
sys.argv = ["tui-chat", "-m", "demo-fast"]
main.main()
"""
FAULTS = {
    "an action": "ChatScreen.action_tail = broken",
    "a timer": "ChatScreen.action_tail = lambda self: self.set_timer(0.01, lambda: broken(self))",
    "a worker": "async def work(self): broken(self)\nChatScreen.action_tail = lambda self: self.run_worker(work(self))",
    "the start": "TuiChat.on_mount = broken",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_of_our_own_is_one_line_and_a_log(tmp_path: Path, fault: str) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY.replace("{fault}", fault))
    env = clean_environment(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    with Terminal([sys.executable, str(script)], env, WIDE, tmp_path) as terminal:
        if "on_mount" not in fault:
            ready(terminal)
            terminal.press("ctrl+end")
        assert terminal.wait_exit() == 1
        assert_left_clean(terminal)
        after = terminal.raw.rpartition(b"\x1b[?1049l")[2]
        said = b"".join(token[0] for token in tokens(after) if token["text"]).decode()
        log = tmp_path / ".local" / "share" / "tui-chat" / "tui-chat.log"
        assert said.count("KeyError") == 1
        assert said.startswith("tui-chat: A fault in the program")
        assert str(log) in said
        assert "Traceback" not in said
        assert KEY.encode() not in terminal.raw
        assert b"secret" not in terminal.raw
    written = log.read_text()
    assert "broken on purpose" in written
    assert KEY not in written
