"""CPU cost of the transcript: `python tests/bench/bench_rows.py`.

What a token costs at the beginning and at the end of a reply of 50,000, how long a conversation takes to open, and what
hostile documents cost at worst.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.style import Style
from textual.app import App, ComposeResult

from tui_chat.ui.rows import STYLES, Block, Head, Turn
from tui_chat.ui.widgets.transcript import Transcript

PALETTE = {name: Style(color=f"color({16 + place})") for place, name in enumerate(STYLES)}
WIDTH = 118
TOKENS = 50_000
FRAME = 5
"""Tokens a frame: 100 a second, 20 frames a second."""

WORDS = (
    "the", "quick", "**brown**", "fox", "jumps", "over", "`the`", "lazy", "dog", "and", "runs", "away", "from", "a",
    "rather", "*large*", "bear", "in", "woods",
)  # fmt: skip
REPLY = """## Answer {n}

The short version: **use a queue**. What follows explains why, with a list, some code and a table for `case {n}`.

1. First, the producer writes an item and goes on; nothing waits for the consumer, which may be slow.
2. Then the consumer takes it:
   - one at a time, or
   - in batches of *ten*, which is faster
3. Finally both are told when it ends.

```python
def produce(queue, items):
    for item in items:
        queue.put(item)  # blocks when full
    queue.put(None)
```

| way | speed | memory |
|---|--:|--:|
| one by one | 1,200/s | 2 MB |
| in batches | 9,800/s | 14 MB |

> Measure before you decide; [the manual](https://example.test/manual) has a chapter about it.

"""
REPLY += "A paragraph that closes the answer and is long enough to be wrapped at the width of a screen. " * 6


def words() -> Iterator[str]:
    while True:
        yield from (f"{word} " for word in WORDS)


def broken(every: int, end: str, start: str = "") -> Iterator[str]:
    """Words, `end` and `start` between every so many of them."""
    yield start
    for place, word in enumerate(words(), 1):
        yield word + (end + start if place % every == 0 else "")


def table() -> Iterator[str]:
    yield "| a | b | c |\n|---|---|---|\n"
    for place, word in enumerate(words()):
        yield (
            ("| " if place % 12 == 0 else "")
            + word
            + ("| " if place % 4 == 3 else "")
            + ("\n" if place % 12 == 11 else "")
        )


def fence() -> Iterator[str]:
    yield "```python\n"
    while True:
        for line in ("def f(x):\n", "    return x + 1  # more\n", "\n", "class A:\n", "    '''Text.'''\n", "\n"):
            for part in line.split(" "):
                yield part if part.endswith("\n") else f"{part} "


KINDS = {
    "paragraphs": lambda: broken(60, "\n\n"),
    "one list": lambda: broken(12, "\n", "- "),
    "a list in an item": lambda: broken(12, "\n  ", "- "),
    "one quote": lambda: broken(60, "\n>\n", "> "),
    "one table": table,
    "one fence": fence,
    "one paragraph": words,
    "one paragraph of lines": lambda: broken(12, "\n"),
}

HOSTILE = {
    "a line of 1 MB": "x" * 1_000_000,
    "a line of 1 MB of words": "word " * 200_000,
    "a line of 1 MB of wide characters": "漢字" * 170_000,
    "1,000 quotes deep": "> " * 1_000 + "text\n" * 50,
    "1,000 items deep": "\n".join(" " * 2 * depth + "- x" for depth in range(1_000)),
    "1,000 items in a line": "- " * 1_000 + "x",
    "20,000 brackets": "[" * 20_000,
    "20,000 closed brackets": "[a](" * 5_000 + ")" * 5_000,
    "20,000 emphases": "*a_ " * 10_000,
    "backticks": " ".join("`" * (1 + n % 60) for n in range(2_000)),
    "a table of 3,000 cells": "|" + " a |" * 10 + "\n|" + "---|" * 10 + "\n" + ("|" + " cell |" * 10 + "\n") * 300,
    "a table of 300 columns": ("|" + " a |" * 300 + "\n|" + "---|" * 300 + "\n") + ("|" + " cell |" * 300 + "\n") * 10,
    "1,000 headings": "# h\n" * 1_000,
    "1,000 definitions": "".join(f"see [l{n}]\n\n[l{n}]: https://x.test/{n}\n\n" for n in range(1_000)),
    "10,000 empty lines": "a\n" + "\n" * 10_000 + "b",
    "2,000 lines of code": "```python\n" + "def f(x): return x\n" * 2_000 + "```",
    "quotes and lists by turns": "> - " * 500 + "x\n" * 200,
}


def cost_of(block: Block, tokens: Iterator[str], count: int) -> float:
    """CPU seconds for so many tokens."""
    started = time.process_time()
    for _ in range(count // FRAME):
        block.append("".join(next(tokens) for _ in range(FRAME)))
        block.advance()
    return time.process_time() - started


def growth() -> None:
    for name, kind in KINDS.items():
        block, tokens = Block(PALETTE, WIDTH), kind()
        cost_of(Block(PALETTE, WIDTH), kind(), 1_000)
        first = min(
            cost_of(block if place == 2 else Block(PALETTE, WIDTH), tokens if place == 2 else kind(), 1_000)
            for place in range(3)
        )
        cost_of(block, tokens, TOKENS - 4_000)
        last = min(cost_of(block, tokens, 1_000) for _ in range(3))
        print(f"{name}: first 1k tokens {first * 1e3:.0f} ms, last {last * 1e3:.0f} ms, ratio {last / first:.2f}")


def hostile() -> None:
    for name, text in HOSTILE.items():
        block, worst, whole = Block(PALETTE, WIDTH), 0.0, time.process_time()
        block.append(text)
        while True:
            started = time.process_time()
            over = block.done and block.settle()
            if not block.done:
                block.advance()
            worst = max(worst, time.process_time() - started)
            if over:
                break
        whole = time.process_time() - whole
        print(f"{name}: worst step {worst * 1e3:.0f} ms, all {whole * 1e3:.0f} ms, {len(block.frozen)} rows")


class Bench(App[None]):
    CSS = "Transcript { width: 1fr; height: 1fr; overflow-y: scroll; }"

    def compose(self) -> ComposeResult:
        yield Transcript()


def rss() -> float:
    """Resident memory in MB."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * 4 / 1024


async def opening(count: int) -> None:
    app = Bench()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        transcript = app.query_one(Transcript)
        transcript.show([Turn("warm", "assistant", Head("m"), REPLY.format(n=0))])
        await pilot.pause()
        gc.collect()
        before = rss()
        turns = [
            Turn(
                str(n),
                *(("assistant", Head("m"), REPLY.format(n=n)) if n % 2 else ("user", Head("You"), f"What about {n}?")),
            )
            for n in range(count)
        ]
        started = time.process_time()
        transcript.show(turns)
        shown = time.process_time() - started
        painted = transcript.painted
        app.screen._compositor.render_update(full=True)  # pyright: ignore[reportPrivateUsage]
        first = time.process_time() - started
        await pilot.pause(1)
        print(
            f"{count} turns: show {shown * 1e3:.0f} ms, with painting {first * 1e3:.0f} ms, "
            f"{transcript.painted - painted} rows painted, {transcript.laid_out} laid out, RSS +{rss() - before:.0f} MB"
        )
        steps: list[float] = []
        for _ in range(20):
            started = time.process_time()
            transcript.scroll_page_up(animate=False)
            await asyncio.sleep(0)
            app.screen._compositor.render_update(full=True)  # pyright: ignore[reportPrivateUsage]
            steps.append(time.process_time() - started)
        print(f"  a page up: median {sorted(steps)[10] * 1e3:.0f} ms, worst {max(steps) * 1e3:.0f} ms")
        started = time.process_time()
        await pilot.resize_terminal(100, 30)
        print(f"  resize {1e3 * (time.process_time() - started):.0f} ms with the pilot's own work")


def main() -> None:
    growth()
    hostile()
    for count in (2_000, 5_000):
        asyncio.run(opening(count))


if __name__ == "__main__":
    main()
