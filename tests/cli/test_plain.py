"""`--plain`: the conversation line by line, in a pipe and on a terminal."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.cli.conftest import point_to
from tests.cli.test_budget import PRICE
from tests.cli.test_continue import asked_for, echoing
from tests.kit.corpus import assert_only_lines
from tests.kit.program import COMMAND, Program
from tests.kit.terminal import Terminal
from tui_chat.demo.server import DemoServer

PLAIN = ("--plain", "-m", "demo-fast")


@contextmanager
def terminal(program: Program, *args: str, **variables: str) -> Iterator[Terminal]:
    env = {**program.env, "TERM": "dumb", **variables}
    with Terminal([*COMMAND, *(args or PLAIN)], env, (100, 40), program.home) as shown:
        shown.wait("/help lists the commands")
        yield shown


def say(shown: Terminal, text: str) -> None:
    shown.wait(lambda: shown.lines[shown._screen.cursor.y] == "you>")
    shown.send(f"{text}\r")


# in a pipe


def test_each_line_of_a_pipe_is_a_message(program: Program, demo: DemoServer) -> None:
    done = program.run(*PLAIN, stdin=b"\xef\xbb\xbfecho one\r\n\n/retry\n")
    assert (done.code, done.out) == (0, "one\none\n")
    assert [line.split(" · ")[:2] for line in done.err.splitlines()] == [["tui-chat: openai/demo-fast", "done"]] * 2


def test_messages_of_several_lines(program: Program, demo: DemoServer) -> None:
    done = program.run(*PLAIN, stdin=b'echo a\\\nb\n"""echo c\n\nd"""\n"""\necho e\n')
    assert (done.code, done.out) == (0, "a\nb\nc\n\nd\ne\n")


def test_the_conversation_is_kept_and_goes_on(program: Program, demo: DemoServer) -> None:
    assert program.run(*PLAIN, stdin=b"echo one\n").code == 0
    assert program.run(*PLAIN, "-c", stdin=b"echo two\n").code == 0
    (found,) = json.loads(program.run("history", "list", "--json").out)
    assert (found["turns"], found["title"]) == (4, "echo one")
    done = program.run(*PLAIN, stdin=f"/list\n/open {found['id'][:6]}\necho three\n/new\necho four\n".encode())
    assert (done.code, done.out) == (0, f"{found['id']} echo one\nthree\nfour\n")
    assert len(json.loads(program.run("history", "list", "--json").out)) == 2


def test_commands_choose_model_and_system_prompt(program: Program) -> None:
    with echoing() as server:
        point_to(program, server.base_url)
        done = program.run("--plain", "-m", "one", stdin=b"/system be brief\n/model two\nhi\n")
    assert (done.code, done.out) == (0, "HI\n")
    (body,) = asked_for(server)
    assert body["model"] == "two"
    assert [message["content"] for message in body["messages"]] == ["be brief", "hi"]


def test_models_are_listed(program: Program, demo: DemoServer) -> None:
    done = program.run(*PLAIN, stdin=b"/model\n")
    assert done.code == 0
    assert "demo-garbage" in done.out.splitlines()


def test_the_worst_reply_decides(program: Program, demo: DemoServer) -> None:
    done = program.run(*PLAIN, stdin=b"/nope\n/resume\necho on\n")
    assert (done.code, done.out) == (1, "on\n")
    assert "There is no command /nope" in done.err


def test_nobody_is_there_to_be_asked_about_the_budget(program: Program, demo: DemoServer) -> None:
    program.configure(f"{PRICE}[budget]\nper_reply = 0.9\n")
    assert program.run(*PLAIN, stdin=b"hi\n").code == 4
    assert demo.log == []


def test_nobody_to_ask_is_3(program: Program) -> None:
    done = program.run("--plain", stdin=b"hi\n")
    assert (done.code, done.out, len(done.err.splitlines())) == (3, "", 1)


def test_it_stands_without_a_command(program: Program) -> None:
    assert program.run("--plain", "models").code == 2


def test_with_no_save_nothing_is_left(program: Program, demo: DemoServer) -> None:
    assert program.run(*PLAIN, "--no-save", stdin=b"echo one\n").out == "one\n"
    assert not (program.data / "tui-chat.db").exists()
    assert not (program.data / "prompts").exists()


# on a terminal


def test_a_conversation_with_a_person(program: Program, demo: DemoServer) -> None:
    with terminal(program) as shown:
        say(shown, "echo first")
        shown.wait("TTFT")
        say(shown, "count 5000")
        shown.wait("1 2 3")
        shown.press("ctrl+c")
        shown.wait("cancelled ·")
        say(shown, "echo still here")
        shown.wait("still here\n")
        shown.wait(lambda: shown.text.count("done ·") == 2)
        shown.send("half a line")
        shown.wait("you> half a line")
        shown.press("ctrl+c")
        shown.wait("Ctrl+D or /quit leaves")
        shown.wait(lambda: shown.lines[shown._screen.cursor.y] == "you>")
        shown.send("\x04")
        assert shown.wait_exit() == 0
        assert_only_lines(bytes(shown.raw), marked=(b"\x07", b"\x08"))
    prompts = program.data / "prompts"
    assert prompts.read_text().splitlines() == ["echo first", "count 5000", "echo still here"]
    assert stat.S_IMODE(prompts.stat().st_mode) == 0o600
    with terminal(program) as shown:
        shown.wait("you>")
        shown.press("up", "up", "up")
        shown.wait("you> echo first")
        shown.press("enter")
        shown.wait("TTFT")
        say(shown, "/quit")
        assert shown.wait_exit() == 0


LATE = """
import os, signal, sys
from tui_chat.cli import main
from tui_chat.cli.plain import Exchange

report = Exchange.report

def late(self, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return report(self, **options)

Exchange.report = late
sys.argv = ["tui-chat", "--plain", "-m", "demo-fast"]
main.main()
"""


def test_a_ctrl_c_that_comes_just_behind_the_reply_leaves_nothing(program: Program, demo: DemoServer) -> None:
    script = program.home / "late.py"
    script.write_text(LATE)
    with Terminal([sys.executable, str(script)], {**program.env, "TERM": "dumb"}, (100, 40), program.home) as shown:
        say(shown, "echo one")
        shown.wait("Ctrl+D or /quit leaves")
        say(shown, "/quit")
        assert shown.wait_exit() == 0


def test_hostile_text_is_made_visible(program: Program, demo: DemoServer) -> None:
    with terminal(program, "--plain", "-m", "demo-garbage") as shown:
        say(shown, "hello")
        shown.wait("TTFT")
        assert "␛]52;c;" in shown.text
        say(shown, "/quit")
        shown.wait_exit()
        assert_only_lines(bytes(shown.raw), marked=(b"\x07", b"\x08"))


def test_the_budget_is_asked_about(program: Program, demo: DemoServer) -> None:
    program.configure(f"{PRICE}[budget]\nper_reply = 0.9\n")
    with terminal(program) as shown:
        say(shown, "echo dear")
        shown.wait("[y/N]")
        shown.send("\r")
        shown.wait("Not sent.")
        assert demo.log == []
        say(shown, "echo dear")
        shown.wait(lambda: shown.text.count("[y/N]") == 2)
        shown.send("y\r")
        shown.wait("done ·")
        say(shown, "/quit")
        assert shown.wait_exit() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str)
def test_a_signal_ends_it_and_the_reply_is_offered_again(
    program: Program, demo: DemoServer, number: signal.Signals, code: int
) -> None:
    with terminal(program) as shown:
        say(shown, "count 10000")
        shown.wait("1 2 3")
        shown.process.send_signal(number)
        assert shown.wait_exit() == code
    with terminal(program) as shown:
        shown.wait("The last reply was interrupted")
        say(shown, "/resume")
        shown.wait(lambda: "9998999910000" in "".join(shown.text.split()))
        say(shown, "/quit")
        assert shown.wait_exit() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str)
def test_a_signal_at_the_prompt_ends_it(program: Program, demo: DemoServer, number: signal.Signals, code: int) -> None:
    with terminal(program) as shown:
        shown.wait("you>")
        # readline looks for signals once it waits for a key, and no sooner.
        time.sleep(0.3)
        shown.process.send_signal(number)
        assert shown.wait_exit() == code
        assert shown.mode == shown.first_mode


def test_what_was_said_is_on_the_disk_at_the_next_prompt(program: Program, demo: DemoServer) -> None:
    with terminal(program) as shown:
        say(shown, "echo kept")
        shown.wait("TTFT")
        shown.wait(lambda: shown.lines[shown._screen.cursor.y] == "you>")
        with closing(sqlite3.connect(program.data / "tui-chat.db")) as db:
            shown.wait(lambda: db.execute("select count(*) from nodes").fetchone() == (2,), 3)


def test_another_encoding_gets_no_bytes_that_it_takes_for_controls(program: Program, demo: DemoServer) -> None:
    with terminal(program, PYTHONIOENCODING="latin-1") as shown:
        say(shown, "markdown")
        shown.wait("TTFT")
        assert not any(0x80 <= byte < 0xA0 for byte in shown.raw)
