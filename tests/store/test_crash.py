"""The real program, killed with -9 at random moments while an answer streams.

`TUI_CHAT_CRASH_RUNS=100 pytest -s tests/store/test_crash.py` kills it so often and tells what was lost.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.kit.desk import Desk, rows, small_disk, sound
from tests.kit.program import COMMAND, Program
from tests.kit.serving import demo_server
from tui_chat.domain.draft import Phase
from tui_chat.store.migrations import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from tui_chat.demo.server import DemoServer

RUNS = int(os.environ.get("TUI_CHAT_CRASH_RUNS", "5"))
PROMISED_S = 0.25
SPEED = 4.0
"""The demo at about 500 tokens a second."""
STREAMS_S = 2.0
WORDS = 2000


@dataclass
class Outcome:
    """What a killed run left behind."""

    shown: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """When how many bytes of the answer had been printed."""
    text: bytes = b""
    killed: float = 0.0

    def lost_s(self, stored: int) -> float:
        """How long before the kill the oldest text was printed that is not stored; 0: nothing is missing."""
        return max((self.killed - at for at, length in self.shown if length > stored), default=0.0)


def follow(process: subprocess.Popen[bytes], outcome: Outcome) -> None:
    assert process.stdout is not None
    while piece := os.read(process.stdout.fileno(), 65536):
        outcome.text += piece
        outcome.shown.append((time.monotonic(), len(outcome.text)))


def killed(program: Program, question: str, chance: random.Random, *, goes_on: bool) -> Outcome:
    """Ask, and kill the program at a moment of its answer, or now and then before it."""
    outcome = Outcome()
    process = subprocess.Popen(
        [*COMMAND, "ask", "-m", "demo-fast", *(["-c"] if goes_on else []), "--", question],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=program.env,
        cwd=program.home,
    )
    reader = threading.Thread(target=follow, args=(process, outcome))
    reader.start()
    deadline = time.monotonic() + 60
    while not outcome.shown and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(chance.uniform(0, STREAMS_S))
    outcome.killed = time.monotonic()
    process.kill()
    process.wait()
    reader.join()
    assert process.stdout is not None
    process.stdout.close()
    return outcome


def look(folder: Path, question: str, outcome: Outcome) -> float:
    """Start again: the question is there, and the answer but for its last moment; how much was lost, in seconds."""
    desk = Desk(folder).open()
    interrupted = desk.recover()
    ((uid,),) = rows(
        desk.path,
        "SELECT c.uid FROM nodes n JOIN conversations c ON c.id = n.conversation WHERE n.text = ?",
        question,
    )
    assert uid in interrupted
    tree = desk.library.load(uid).conversation
    asked, reply = tree.path()[-2:]
    assert (asked.text, reply.result is not None and reply.result.phase) == (question, Phase.INTERRUPTED)
    stored = reply.text.encode()
    assert outcome.text.startswith(stored) or stored.startswith(outcome.text), "what is stored is what came"
    assert rows(desk.path, "SELECT count(*) FROM pieces") == [(0,)]
    assert rows(desk.path, "SELECT count(*) FROM runs WHERE owner IS NOT NULL") == [(0,)]
    desk.close()
    assert sound(desk.path)
    return outcome.lost_s(len(stored))


def test_a_kill_costs_a_quarter_of_a_second_at_most(tmp_path):
    program = Program(tmp_path)
    chance = random.Random(RUNS)
    lost: list[float] = []
    sizes: list[int] = []
    with demo_server(SPEED) as demo:
        program.env |= {"OPENAI_BASE_URL": demo.base_url, "OPENAI_API_KEY": "sk-none"}
        for n in range(RUNS):
            question = f"echo run {n}: " + " ".join(f"{chance.randrange(10**6)}" for _ in range(WORDS))
            outcome = killed(program, question, chance, goes_on=n > 0 and chance.random() < 0.3)
            assert outcome.shown, "the answer began"
            lost.append(look(program.data, question, outcome))
            sizes.append(len(outcome.text))
    assert rows(program.data / "tui-chat.db", "SELECT count(*) FROM nodes WHERE role = 'user'") == [(RUNS,)]
    print(f"\n{RUNS} kills: {sum(sizes)} bytes printed; lost at most {max(lost) * 1000:.0f} ms", file=sys.stderr)
    print(f"lost, in ms: {sorted(round(s * 1000) for s in lost)}", file=sys.stderr)
    assert max(lost) <= PROMISED_S


def test_a_kill_as_the_request_arrives_loses_no_question(tmp_path):
    """The server has the question, so it is on the disk."""
    program = Program(tmp_path)
    with demo_server(1) as demo:
        program.env |= {"OPENAI_BASE_URL": demo.base_url, "OPENAI_API_KEY": "sk-none"}
        process = program.start("ask", "-m", "demo-slow", "Is anybody there?")
        kill_once(process, lambda: asked(demo))
    desk = Desk(program.data).open()
    (uid,) = desk.recover()
    question, reply = desk.library.load(uid).conversation.path()
    assert (question.text, reply.text) == ("Is anybody there?", "")
    assert reply.result is not None
    assert reply.result.undecided
    desk.close()
    assert sound(desk.path)


def asked(demo: DemoServer) -> bool:
    return demo.connections > 0


def kill_once(process: subprocess.Popen[bytes], true) -> None:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(0.02)
    process.kill()
    process.communicate()


def test_two_at_once_and_one_is_killed(tmp_path):
    """The other goes on to its end, whoever starts meanwhile."""
    program = Program(tmp_path)
    with demo_server(1) as demo:
        program.env |= {"OPENAI_BASE_URL": demo.base_url, "OPENAI_API_KEY": "sk-none"}
        victim = program.start("ask", "-m", "demo-fast", "echo " + "victim " * 400)
        other = program.start("ask", "-m", "demo-fast", "echo " + "other " * 300)
        for process in (victim, other):
            assert process.stdout is not None
            process.stdout.read(20)
        time.sleep(0.5)
        victim.kill()
        victim.communicate()
        desk = Desk(program.data).open()
        (uid,) = desk.recover()
        states = dict(desk.rows("SELECT substr(p.text, 6, 5), n.state FROM nodes n JOIN nodes p ON p.id = n.parent"))
        assert states == {"victi": "interrupted", "other": None}
        assert "victim" in desk.library.load(uid).conversation.path()[-1].text
        other.communicate()
        assert other.returncode == 0
    states = dict(desk.rows("SELECT substr(p.text, 6, 5), n.state FROM nodes n JOIN nodes p ON p.id = n.parent"))
    assert states == {"victi": "interrupted", "other": "completed"}
    assert desk.recover() == [uid]
    desk.close()
    assert sound(desk.path)


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_disk_that_fills_while_an_answer_streams(tmp_path):
    """The reply goes on and the program says so; once there is room, all of it is on the disk."""
    program = Program(tmp_path)
    with small_disk(tmp_path / "disk", "1m") as disk, demo_server(1) as demo:
        program.env |= {
            "OPENAI_BASE_URL": demo.base_url,
            "OPENAI_API_KEY": "sk-none",
            "TUI_CHAT_DATA_DIR": str(disk / "data"),
        }
        process = program.start("ask", "-m", "demo-fast", "echo " + "word " * 400)
        assert process.stdout is not None
        assert process.stderr is not None
        shown = os.read(process.stdout.fileno(), 20)
        ballast = fill(disk)
        line = os.read(process.stderr.fileno(), 10_000).decode()
        assert "Nothing can be saved" in line
        ballast.unlink()
        rest, told = process.communicate(timeout=60)
        assert process.returncode == 0
        assert told.decode().splitlines() == ["tui-chat: Everything is saved again."]
        path = disk / "data" / "tui-chat.db"
        ((text, state),) = rows(path, "SELECT text, state FROM nodes WHERE role = 'assistant'")
        assert (text.strip(), state) == ((shown + rest).decode().strip(), "completed")
        assert sound(path)


@pytest.mark.parametrize("command", [("ask", "--demo", "hi"), ("ask", "--demo", "-c", "hi"), ("ask", "--resume", "x")])
def test_a_newer_file_is_refused_by_the_program(tmp_path, command):
    program = Program(tmp_path)
    program.data.mkdir(parents=True)
    path = program.data / "tui-chat.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE later (x)")
        other.execute(f"PRAGMA user_version = {VERSION + 7}")
    before = path.read_bytes()
    done = program.run(*command)
    assert (done.code, done.out) == (2, "")
    assert f"schema {VERSION + 7}" in done.err
    assert path.read_bytes() == before
    assert program.run("ask", "--demo", "--no-save", "hi").code == 0
    assert path.read_bytes() == before


def test_a_damaged_file_is_set_aside_by_the_program(tmp_path):
    program = Program(tmp_path)
    assert program.run("ask", "--demo", "echo one").code == 0
    path = program.data / "tui-chat.db"
    with path.open("r+b") as file:
        file.write(b"\xa5" * 4096)
    done = program.run("ask", "--demo", "-c", "echo two")
    assert done.code == 0
    (aside,) = (p for p in program.data.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm")))
    assert f"{aside}; turns saved from it into a new one: 2." in done.err
    assert rows(path, "SELECT text FROM nodes WHERE role = 'user' ORDER BY id") == [("echo one",), ("echo two",)]
    assert sound(path)


def test_a_data_folder_that_cannot_be_used_costs_the_history_alone(tmp_path):
    program = Program(tmp_path)
    (tmp_path / "file").touch()
    program.env["TUI_CHAT_DATA_DIR"] = str(tmp_path / "file" / "data")
    done = program.run("ask", "--demo", "echo one")
    assert (done.code, done.out.strip()) == (0, "one")
    assert "not saved" in done.err
    (line,) = (line for line in done.err.splitlines() if "save" in line)
    assert str(tmp_path / "file" / "data") in line
    assert "TUI_CHAT_DATA_DIR, or pass --no-save." in line
