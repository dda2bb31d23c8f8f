"""The real program in a process of its own, with a home folder that nobody else sees."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "tui_chat")
DEADLINE_S = 60.0


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """An environment without keys, proxies and settings of the person who runs the tests."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        **variables,
    }


@dataclass(frozen=True, slots=True)
class Done:
    """What a process left behind."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()


class Program:
    """Runs tui-chat; `env` is what every run gets, `said` all that any run has written."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = clean_environment(home)
        self.said: list[bytes] = []

    def run(self, *args: str, stdin: bytes | IO[Any] | int = subprocess.DEVNULL, **variables: str) -> Done:
        """Run to the end; `stdin` as bytes is a pipe."""
        given: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run(
            [*COMMAND, *args],
            **given,
            env={**self.env, **variables},
            cwd=self.home,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start with stdout and stderr in pipes; the caller ends it."""
        return subprocess.Popen(
            [*COMMAND, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.env, **variables},
            cwd=self.home,
        )

    def configure(self, toml: str) -> Path:
        """Write config.toml."""
        file = self.home / ".config" / "tui-chat" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(toml)
        file.chmod(0o600)
        return file

    @property
    def data(self) -> Path:
        return self.home / ".local" / "share" / "tui-chat"
