"""Completing on a shell's command line, by the shells' own protocol."""

from __future__ import annotations

import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_imports import imported
from tests.kit.program import COMMAND, Program
from tui_chat.cli.main import COMMANDS
from tui_chat.demo.server import DemoServer

CONFIG = """
[endpoints.work]
base_url = "http://127.0.0.1:9/v1"
[profiles.fast]
model = "own-model"
[profiles.deep]
[compare.temps]
lanes = [{ profile = "fast" }, { profile = "deep" }]
"""


def completed(program: Program, line: str) -> list[str]:
    """What bash offers for the last word of `line`: `type,value` each, the type `plain` left off."""
    words = f"tui-chat {line}"
    place = str(len(words.split(" ")) - 1)
    done = program.run(_TUI_CHAT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)
    assert (done.code, done.err) == (0, "")
    return [offer.removeprefix("plain,") for offer in done.out.split()]


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("hi", ["history"]),
        ("", list(COMMANDS)),
        ("history e", ["export"]),
        ("ask --max", ["--max-tokens", "--max-cost"]),
        ("compare --format m", ["md"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("-e wo", ["work"]),
        ("doctor wo", ["work"]),
        ("ask -m work/own", ["work/own-model"]),
        ("-m gpt-4.1-m", ["gpt-4.1-mini"]),
        ("ask -p ", ["fast", "deep"]),
        ("compare --set ", ["temps"]),
        ("batch in", ["file,in"]),
        ("history show ", []),
    ],
)
def test_it_completes(program: Program, line: str, offers: list[str]) -> None:
    program.configure(CONFIG)
    assert completed(program, line) == offers


def test_a_conversation_is_completed_by_its_id(program: Program, demo: DemoServer) -> None:
    assert program.run("ask", "-m", "demo-fast", "hello").code == 0
    (uid,) = completed(program, "history show ")
    assert completed(program, f"history export {uid[:4]}") == [uid, f"file,{uid[:4]}"]
    assert completed(program, "history delete zzzz") == []


def test_a_broken_configuration_is_not_told_in_the_middle_of_a_line(program: Program) -> None:
    program.configure("[endpoints")
    assert completed(program, "ask -p ") == []


@pytest.mark.parametrize(("shell", "mark"), [("bash", "complete "), ("zsh", "#compdef"), ("fish", "complete ")])
def test_a_script_is_printed(program: Program, shell: str, mark: str) -> None:
    done = program.run("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert mark in done.out
    assert f"_TUI_CHAT_COMPLETE={shell}_complete" in done.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_with_the_script(program: Program, tmp_path: Path) -> None:
    command = tmp_path / "tui-chat"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    script = 'eval "$(./tui-chat completion bash)"; COMP_WORDS=(./tui-chat hi); COMP_CWORD=1;'
    script += ' _tui_chat_completion ./tui-chat; echo "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=program.env, cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == (b"history\n", b"")


def test_completing_imports_no_screen_and_no_network(program: Program) -> None:
    program.env |= {"_TUI_CHAT_COMPLETE": "bash_complete", "COMP_WORDS": "tui-chat ask -m g", "COMP_CWORD": "3"}
    _, modules = imported(program)
    assert modules & {"textual", "httpx", "rich"} == set()
