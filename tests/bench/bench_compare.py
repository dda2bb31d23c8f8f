"""What four lanes cost at 100 tokens a second each, beside one chat and beside a receiver without a screen.

    python tests/bench/bench_compare.py [--runs 1] [--size 160x45] [--lanes 4]

All of one run: CPU seconds per 1,000 tokens of a lane (user and system, of the program alone) of a receiver (session
and journal, no screen), of a chat and of the comparison; the budget is what as many receivers take and 1.5 times what
the chat spends on painting. Bytes to the terminal per token of a lane, how long a typed key takes to be drawn, and how
long after a lane's last token was sent all lanes had theirs on the screen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_screen import LAST, RARE, Screen, Server, screen, tokens
from tests.kit.program import clean_environment

RATE, COUNT, KEYS = 100, 1500, 25
BUDGET = 1.5

RECEIVER = """
import asyncio, os, sys, time
from tui_chat.wiring import Choice, house

async def main():
    async with house(dict(os.environ)) as built:
        built.open_store()
        built.transport.warm_up()
        chat = built.new_chat(built.targets.choose(Choice(model=sys.argv[1])))
        before = time.process_time()
        chat.session.submit("go")
        while chat.session.busy:
            await asyncio.sleep(0.05)
        print(time.process_time() - before)

asyncio.run(main())
"""


class LaneServer(Server):
    """Answers `tok-RATE-COUNT-LETTER`; the last token of each letter is its own."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, float] = {}
        """When each lane's last token was sent."""

    async def _stream(self, model: str, writer: asyncio.StreamWriter) -> None:
        _, rate, count, letter = model.split("-")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        start = self._loop.time()
        for i, token in enumerate(tokens(int(count))):
            await asyncio.sleep(max(0.0, start + i / int(rate) - self._loop.time()))
            text = f"{LAST}{letter}" if token == LAST else token
            self._event(writer, json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}))
            await writer.drain()
        self.ends[letter] = time.monotonic()
        self._event(writer, '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
        self._event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")


@dataclass
class Shown:
    """Of one program on a screen, per 1,000 tokens of a lane."""

    cpu_s: float
    bytes_per_token: float
    lag_s: float
    echoes_ms: list[float]


def receiver_s(server: LaneServer, home: str) -> float:
    """CPU seconds per 1,000 tokens without a screen."""
    done = subprocess.run(
        [sys.executable, "-c", RECEIVER, model("a")], env=environment(server, home), capture_output=True, text=True
    )
    return 1000 * float(done.stdout) / COUNT


def shown(server: LaneServer, home: str, size: tuple[int, int], letters: str) -> Shown:
    """One chat, or with several letters a comparison of as many lanes."""
    command = [sys.executable, "-m", "tui_chat", "-m", model(letters[0])]
    with screen(command, environment(server, home), size, home) as terminal:
        expect(terminal, b"essage ")
        terminal.rest(1.0)
        if len(letters) > 1:
            os.write(terminal.fd, b"/compare bench\r")
            expect(terminal, b"lanes: %d" % len(letters))
            terminal.rest(1.0)
        os.write(terminal.fd, b"go")
        terminal.rest(0.5)
        return watch(terminal, server, letters)


def watch(terminal: Screen, server: LaneServer, letters: str) -> Shown:
    server.ends.clear()
    cpu, first = terminal.cpu_s(), len(terminal.chunks)
    os.write(terminal.fd, b"\r")
    echoes: list[float] = []
    for i in range(KEYS):
        terminal.rest(COUNT / RATE * 0.8 / KEYS)
        key, pressed = RARE[i % len(RARE)].encode(), time.monotonic()
        os.write(terminal.fd, key)
        at = terminal.until(key, 5)
        echoes.append(1000 * ((at or time.monotonic()) - pressed))
    deadline = time.monotonic() + 60 + COUNT / RATE
    while len(server.ends) < len(letters) and time.monotonic() < deadline:
        terminal.read(0.02)
    terminal.rest(1.0)
    spent = terminal.cpu_s() - cpu
    lags = [late(terminal, first, letter, server) for letter in letters]
    sent = sum(len(data) for _, data in terminal.chunks[first:])
    return Shown(1000 * spent / COUNT, sent / COUNT / len(letters), max(lags), echoes)


def late(terminal: Screen, first: int, letter: str, server: LaneServer) -> float:
    """How long after it was sent a lane's last token was on the screen; infinite where it never was."""
    at = terminal.since(first, f"{LAST}{letter}".encode())
    return float("inf") if at is None else at - server.ends[letter]


def expect(terminal: Screen, text: bytes) -> None:
    if terminal.until(text, 30) is None:
        raise RuntimeError(f"{text!r} was never shown")


def model(letter: str) -> str:
    return f"tok-{RATE}-{COUNT}-{letter}"


def environment(server: LaneServer, home: str) -> dict[str, str]:
    config = Path(home) / "config.toml"
    return clean_environment(Path(home), OPENAI_BASE_URL=server.url, OPENAI_API_KEY="k", TUI_CHAT_CONFIG=str(config))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--size", default="160x45")
    parser.add_argument("--lanes", type=int, default=4)
    options = parser.parse_args()
    columns, lines = map(int, options.size.split("x"))
    letters = ascii_lowercase[: options.lanes]
    with LaneServer().running() as server, tempfile.TemporaryDirectory() as home:
        assert isinstance(server, LaneServer)
        lanes = ", ".join(f'{{ endpoint = "openai", model = "{model(letter)}" }}' for letter in letters)
        (Path(home) / "config.toml").write_text(f"[compare.bench]\nlanes = [{lanes}]\n")
        for _ in range(options.runs):
            receiver = receiver_s(server, home)
            chat = shown(server, home, (columns, lines), letters[0])
            compared = shown(server, home, (columns, lines), letters)
            print(report(receiver, chat, compared, len(letters)), flush=True)


def report(receiver: float, chat: Shown, compared: Shown, lanes: int) -> str:
    budget = lanes * receiver + BUDGET * (chat.cpu_s - receiver)

    def echo(shown: Shown) -> str:
        late = sorted(shown.echoes_ms)[len(shown.echoes_ms) * 19 // 20]
        return f"p50 {statistics.median(shown.echoes_ms):.0f} ms, p95 {late:.0f} ms"

    return (
        f"CPU s per 1k tokens of a lane: receiver {receiver:.2f}, chat {chat.cpu_s:.2f}, {lanes} lanes "
        f"{compared.cpu_s:.2f}, budget {budget:.2f}\n"
        f"bytes per token and lane: chat {chat.bytes_per_token:.0f}, {lanes} lanes {compared.bytes_per_token:.0f}\n"
        f"echo: chat {echo(chat)}; {lanes} lanes {echo(compared)}\n"
        f"last token late: chat {chat.lag_s:.3f} s, all of {lanes} lanes {compared.lag_s:.3f} s"
    )


if __name__ == "__main__":
    main()
