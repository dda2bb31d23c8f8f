"""What a start costs: each command imports only what it needs."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.kit.program import COMMAND, ROOT, Program

KNOWN = ROOT / "tests" / "fixtures" / "known.rec"
ITEMS = ROOT / "tests" / "fixtures" / "batch.jsonl"


def imported(program: Program, *args: str) -> tuple[int, set[str]]:
    """The exit code, and the top-level modules that a run imports."""
    command = [COMMAND[0], "-X", "importtime", *COMMAND[1:], *args]
    done = subprocess.run(
        command,
        env=program.env,
        cwd=program.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    names = re.findall(r"^import time:.*\|\s*([\w.]+)$", done.stderr.decode(), re.MULTILINE)
    assert "click" in names
    return done.returncode, {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("arguments", "kept_out"),
    [
        (["--version"], {"textual", "httpx", "rich", "asyncio"}),
        (["--help"], {"textual", "httpx", "rich", "asyncio"}),
        (["ask", "--help"], {"textual", "httpx", "rich"}),
        (["demo-server", "--help"], {"textual", "httpx", "rich"}),
        (["models", "--help"], {"textual", "httpx", "rich"}),
        (["--demo", "ask", "echo hi"], {"textual", "markdown_it"}),
        (["batch", "--help"], {"textual", "httpx", "rich"}),
        (["--demo", "batch", str(ITEMS), "-o", "out.jsonl"], {"textual", "markdown_it"}),
        (["--demo", "--plain"], {"textual", "rich", "markdown_it"}),
        (["--demo", "models"], {"textual", "markdown_it"}),
        (["doctor", "--help"], {"textual", "httpx", "rich"}),
        (["history", "--help"], {"textual", "httpx", "rich", "asyncio", "sqlite3"}),
        (["history", "list", "--help"], {"textual", "httpx", "markdown_it", "pygments"}),
        (["history", "list", "--json"], {"textual", "httpx", "markdown_it", "pygments"}),
        (["history", "search", "x", "--json"], {"textual", "httpx", "markdown_it", "pygments"}),
        (["--demo", "doctor"], {"textual", "markdown_it"}),
        (["replay", "--help"], {"textual", "httpx", "rich"}),
        (["replay", str(KNOWN), "--speed", "0"], {"textual", "httpx", "rich", "markdown_it"}),
    ],
)
def test_a_command_imports_no_more_than_it_needs(program: Program, arguments: list[str], kept_out: set[str]) -> None:
    code, modules = imported(program, *arguments)
    assert code == 0
    assert modules & kept_out == set()
