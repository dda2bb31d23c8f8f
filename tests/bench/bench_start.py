"""How long the program takes to be ready for a key, beside an empty Textual app in the same run; and to let go.

    python tests/bench/bench_start.py [--runs 7]

Ready is when a typed letter has been drawn. Goals: at most 1.15 times the empty app; on a line of 20 kB/s, with a reply
of about 100 tokens a second, Esc answered within 1 s and Ctrl+Q obeyed within 2 s.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kit.program import COMMAND, clean_environment
from tests.kit.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY = """
from textual.app import App
from textual.widgets import TextArea
class Empty(App):
    def compose(self):
        yield TextArea()
    def on_mount(self):
        self.query_one(TextArea).focus()
Empty().run()
"""
LETTER = "Ω"
"""Stands nowhere on either screen."""


def ready_s(command: Sequence[str], home: Path) -> tuple[float, float]:
    """Seconds from the start of a program to the letter on its screen: by the clock, and of the processor."""
    began = time.perf_counter()
    with Terminal(command, clean_environment(home), (120, 40), home) as terminal:
        terminal.wait(lambda: bool(terminal.text.strip()))
        terminal.send(LETTER)
        terminal.wait(LETTER)
        return time.perf_counter() - began, spent_s(terminal.process.pid)


def spent_s(pid: int) -> float:
    """What a process has used of the processor; in hundredths, or finer where the scheduler tells."""
    try:
        return sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in tasks(pid)) / 1e9
    except OSError:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def start(runs: int) -> None:
    empty: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for _ in range(runs + 1):
            empty.append(ready_s([sys.executable, "-c", EMPTY], home))
            ours.append(ready_s([*COMMAND, "--demo"], home))
    # The first of each filled the caches of the system.
    for place, name in enumerate(("by the clock", "of the processor")):
        floor, reached = (statistics.median(found[place] for found in found_of[1:]) for found_of in (empty, ours))
        print(
            f"start to ready, {name}: empty app {floor:.2f} s, tui-chat {reached:.2f} s,"
            f" ratio {reached / floor:.2f} (goal 1.15)"
        )


def slow_line() -> None:
    """Keys over a line that takes 20 kB a second."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = clean_environment(home)
        command = [*COMMAND, "--demo", "-m", "demo-fast"]
        with Terminal(command, environment, (120, 40), home, bytes_per_s=20_000) as terminal:
            terminal.wait("Message demo-fast")
            terminal.send("count 2000\r")
            terminal.wait("streaming")
            time.sleep(2)
            began = time.perf_counter()
            terminal.press("esc")
            terminal.wait("ancelled")
            cancelled = time.perf_counter() - began
            terminal.send("count 2000\r")
            terminal.wait("streaming")
            time.sleep(2)
            began = time.perf_counter()
            terminal.press("ctrl+q")
            terminal.wait_exit()
            print(f"20 kB/s: Esc to cancelled {cancelled:.2f} s (goal 1), ", end="")
            print(f"Ctrl+Q to the end {time.perf_counter() - began:.2f} s (goal 2)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Starting and stopping.")
    parser.add_argument("--runs", type=int, default=7)
    start(parser.parse_args().runs)
    slow_line()


if __name__ == "__main__":
    main()
