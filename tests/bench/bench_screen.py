"""What it costs to show a reply as it streams, beside the obvious implementation (Textual, httpx, MarkdownStream).

    python tests/bench/bench_screen.py [--runs 1] [--size 120x40] [--only NAME]

Server, terminal and programs run on this machine. Of each row: bytes to the terminal and CPU seconds per 1,000 tokens
(user and system, of the program alone), frames a second (runs of output with a pause before them), how long a typed
key takes to be drawn, and how long after the last token was sent it was on the screen. Ratios are to the floor of the
same run; figures in seconds depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import random
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kit.program import clean_environment

PROSE = (
    "Streaming output reaches the reader in small pieces, so a client has to decide how often it repaints.",
    "A remote terminal pays for every byte twice, which is why `partial` repaints matter more than **raw** speed.",
    "流式输出把长文本切成许多小片段，客户端必须在速度与稳定之间取得平衡。終端の幅は半角と全角で異なる。",
)
BLOCKS = (
    "## What a client does",
    "- first paint: the frame is complete\n- input ready\n  - at rest\n  - while `tokens` are arriving",
    "```python\nasync def consume(lines, sink):\n    async for line in lines:\n        await sink(line)\n```",
    "1. open the connection and keep it\n2. read one event, **append** it\n3. repaint at most twenty times a second",
    "| step | unit | budget |\n|------|:----:|-------:|\n| parse | us | 40 |\n| paint | ms | 4 |",
    "> Keep the hot path short.\n> Everything else can wait.",
    "Status: ✅ connected, 🚀 streaming, 📈 stable rate.",
)
LAST = "zqend"
RARE = "βγδζηθλμξπφψω"
"""Letters that occur nowhere else."""
QUERY = re.compile(rb"\x1b\[\?(\d+)\$p|\x1b\[6n|\x1b\[\?u|\x1b\[c")
ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")

FLOOR = """
import json, os, sys, httpx
from textual import work
from textual.app import App
from textual.containers import VerticalScroll
from textual.widgets import Input, Markdown, Static

class Floor(App):
    CSS = "#log { height: 1fr; } #stats { height: 1; }"
    def compose(self):
        yield VerticalScroll(id="log")
        yield Input(placeholder="Message floor")
        yield Static("idle", id="stats", markup=False)
    def on_mount(self):
        self.query_one(Input).focus()
    async def on_input_submitted(self, event):
        event.input.value = ""
        log, reply = self.query_one("#log"), Markdown()
        await log.mount(Static(event.value, markup=False), reply)
        log.anchor()
        self.answer(reply)
    @work
    async def answer(self, reply):
        stream, count = Markdown.get_stream(reply), 0
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            async with client.stream("POST", os.environ["OPENAI_BASE_URL"] + "/chat/completions",
                                     json={"model": sys.argv[1], "stream": True, "messages": []}) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: {"):
                        for choice in json.loads(line[6:])["choices"]:
                            if text := choice["delta"].get("content"):
                                count += 1
                                await stream.write(text)
        await stream.stop()
        self.query_one("#stats").update(f"{count} tokens")

Floor().run()
"""


def tokens(count: int) -> list[str]:
    """So many tokens of about four characters, the last of which is LAST."""
    text, chance = "", random.Random(5)
    while len(text) < 6 * count:
        text += chance.choice(BLOCKS) + "\n\n" + " ".join(chance.choices(PROSE, k=2)) + "\n\n"
    pieces = re.findall(r"\s?[^\s]{1,4}|\s", text)[: count - 2]
    return [*pieces, "\n\n", LAST]


class Server:
    """Answers every chat with `tok-RATE-COUNT` as its model says; notes when the last token was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.last_at = 0.0
        self._loop = asyncio.new_event_loop()

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        opening = asyncio.start_server(self._handle, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(opening, self._loop).result(10)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield self
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join(10)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: *(\d+)", head.lower())
                body = await reader.readexactly(int(length[1])) if length else b""
                if b"/chat/completions" in head:
                    await self._stream(json.loads(body)["model"], writer)
                else:
                    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":[]}')
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def _stream(self, model: str, writer: asyncio.StreamWriter) -> None:
        _, rate, count = model.split("-")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        start = self._loop.time()
        for i, token in enumerate(tokens(int(count))):
            await asyncio.sleep(max(0.0, start + i / int(rate) - self._loop.time()))
            self._event(writer, json.dumps({"choices": [{"index": 0, "delta": {"content": token}}]}))
            self.last_at = time.monotonic()
            await writer.drain()
        self._event(writer, '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
        self._event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")

    @staticmethod
    def _event(writer: asyncio.StreamWriter, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))


@dataclass
class Screen:
    """A program in a terminal that only reads, answers and notes the time; nothing is emulated while it is measured."""

    process: subprocess.Popen[bytes]
    fd: int
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    tail: bytes = b""

    def read(self, seconds: float) -> bytes:
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.fd, 1 << 18)
        except OSError:
            return b""
        self.chunks.append((time.monotonic(), data))
        for query in QUERY.finditer(data):
            mode = query[1]
            if mode:
                os.write(self.fd, b"\x1b[?%b;%d$y" % (mode, 2 if mode == b"2026" else 0))
            elif query[0].endswith(b"6n"):
                os.write(self.fd, b"\x1b[30;5R")
        self.tail = (self.tail + data)[-20_000:]
        return data

    def until(self, text: bytes, seconds: float) -> float | None:
        """When this was first sent; None when it was not in time. Text cut by cursor moves is found too."""
        deadline = time.monotonic() + seconds
        self.tail = b""
        while time.monotonic() < deadline:
            if self.read(0.02) and text in ESCAPE.sub(b"", self.tail):
                return self.chunks[-1][0]
        return None

    def since(self, first: int, text: bytes) -> float | None:
        """When this was sent, in the chunks from `first` on."""
        tail = b""
        for at, data in self.chunks[first:]:
            tail = (tail + data)[-20_000:]
            if text[:1] in data and text in ESCAPE.sub(b"", tail):
                return at
        return None

    def rest(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)

    def cpu_s(self) -> float:
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def screen(command: list[str], env: dict[str, str], size: tuple[int, int], cwd: str) -> Iterator[Screen]:
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    env = {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, start_new_session=True
    )
    os.close(slave)
    try:
        yield Screen(process, master)
    finally:
        process.kill()
        process.wait(10)
        os.close(master)


@dataclass(frozen=True)
class Load:
    """So many tokens at so many a second, with so many keys typed meanwhile."""

    rate: int
    count: int
    keys: int = 0


LOADS = {"steady": Load(100, 1500, keys=25), "fast": Load(1000, 5000)}
PROGRAMS = {"floor": {}, "local": {}, "ssh": {"SSH_CONNECTION": "1"}}


@dataclass
class Measured:
    bytes_per_token: float
    cpu_s_per_1k: float
    frames_per_s: float
    lag_s: float | None
    echoes_ms: list[float]


def measure(program: str, load: Load, server: Server, size: tuple[int, int], home: str) -> Measured:
    """Run one program under one load. Raises RuntimeError when it does not get ready."""
    env = clean_environment(Path(home), OPENAI_BASE_URL=server.url, OPENAI_API_KEY="k", **PROGRAMS[program])
    model = f"tok-{load.rate}-{load.count}"
    floor = [sys.executable, "-c", FLOOR, model]
    ours = [sys.executable, "-m", "tui_chat", "-m", model]
    with screen(floor if program == "floor" else ours, env, size, home) as shown:
        if shown.until(b"essage ", 30) is None:
            raise RuntimeError(f"{program} did not get ready")
        shown.rest(1.0)
        os.write(shown.fd, b"go")
        shown.rest(0.5)
        return _watch(shown, load, server)


def _watch(shown: Screen, load: Load, server: Server) -> Measured:
    cpu, first, start = shown.cpu_s(), len(shown.chunks), time.monotonic()
    os.write(shown.fd, b"\r")
    echoes: list[float] = []
    pause = load.count / load.rate * 0.8 / max(1, load.keys)
    for i in range(load.keys):
        shown.rest(pause)
        key, pressed = RARE[i % len(RARE)].encode(), time.monotonic()
        os.write(shown.fd, key)
        at = shown.until(key, 5)
        echoes.append(1000 * ((at or time.monotonic()) - pressed))
    at = shown.since(first, LAST.encode()) or shown.until(LAST.encode(), 60 + load.count / load.rate)
    lag = None if at is None else at - server.last_at
    part = shown.chunks[first:]
    seconds, spent = (at or time.monotonic()) - start, shown.cpu_s() - cpu
    return Measured(
        sum(len(data) for _, data in part) / load.count,
        1000 * spent / load.count,
        frames([time for time, _ in part]) / seconds,
        lag,
        echoes,
    )


def frames(times: list[float], apart_s: float = 0.004) -> int:
    """Reads that come close together are of one frame."""
    return sum(1 for i, at in enumerate(times) if not i or at - times[i - 1] > apart_s)


def row(name: str, found: list[Measured], floor: list[Measured] | None) -> str:
    def middle(values: list[float]) -> float:
        return statistics.median(values)

    def versus(value: float, base: float | None) -> str:
        return "" if not base else f" ({base / value:.1f}x less)"

    sent, cpu = middle([m.bytes_per_token for m in found]), middle([m.cpu_s_per_1k for m in found])
    lags = [m.lag_s for m in found if m.lag_s is not None]
    echoes = sorted(e for m in found for e in m.echoes_ms)
    return (
        f"{name:14} {sent:7.0f} bytes/token{versus(sent, floor and middle([m.bytes_per_token for m in floor]))}, "
        f"{cpu:.2f} CPU s/1k{versus(cpu, floor and middle([m.cpu_s_per_1k for m in floor]))}, "
        f"{middle([m.frames_per_s for m in found]):.0f} frames/s, "
        + (f"last token {middle(lags):.2f} s late" if lags else "last token not seen")
        + (
            f", echo p50 {echoes[len(echoes) // 2]:.0f} ms, p95 {echoes[len(echoes) * 19 // 20]:.0f} ms"
            if echoes
            else ""
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--size", default="120x40")
    parser.add_argument("--only", choices=PROGRAMS, action="append")
    options = parser.parse_args()
    columns, lines = map(int, options.size.split("x"))
    with Server().running() as server, tempfile.TemporaryDirectory() as home:
        for name, load in LOADS.items():
            floor: list[Measured] | None = None
            for program in options.only or PROGRAMS:
                found = [measure(program, load, server, (columns, lines), home) for _ in range(options.runs)]
                print(row(f"{name} {program}", found, floor), flush=True)
                floor = found if program == "floor" else floor


if __name__ == "__main__":
    main()
