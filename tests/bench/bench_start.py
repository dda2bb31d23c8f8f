"""How long the program takes to be ready for a key, beside an empty Textual app in the same run; and to let go.

    python tests/bench/bench_start.py [--runs 7]

Ready is when a typed letter has been drawn. Goals: at most 1.15 times the empty app; on a line of 20 kB/s, with a reply
of about 100 tokens a second, Esc answered within 1 s and Ctrl+Q obeyed within 2 s.
"""

from __future__ import annotations

import argparse
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


def ready_s(command: Sequence[str], home: Path) -> float:
    """Seconds from the start of a program to the letter on its screen."""
    began = time.perf_counter()
    with Terminal(command, clean_environment(home), (120, 40), home) as terminal:
        terminal.wait(lambda: bool(terminal.text.strip()))
        terminal.send(LETTER)
        terminal.wait(LETTER)
        return time.perf_counter() - began


def start(runs: int) -> None:
    empty: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for _ in range(runs + 1):
            empty.append(ready_s([sys.executable, "-c", EMPTY], home))
            ours.append(ready_s([*COMMAND, "--demo"], home))
    # The first of each filled the caches of the system.
    floor, reached = statistics.median(empty[1:]), statistics.median(ours[1:])
    print(f"start to ready: empty app {floor:.2f} s, tui-chat {reached:.2f} s, ratio {reached / floor:.2f} (goal 1.15)")


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
