"""How long after a cancellation the server sees its socket closed, while it is silent and while it streams.

    python tests/bench/bench_cancel.py [RUNS]

Both ends run on this machine and read the same monotonic clock; the goal is a median under 50 ms.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tui_chat.domain.ask import Ask, Message
from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.tokens import Lesson, Ratios
from tui_chat.engine.clock import SystemClock
from tui_chat.engine.lanes import start
from tui_chat.engine.ports import Engine
from tui_chat.net.transport import HttpTransport
from tui_chat.wire.dialects import DIALECTS

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'


class Forgetful:
    """Knows nothing and learns nothing."""

    def refused(self, endpoint: str, model: str) -> frozenset[str]:
        return frozenset()

    def ratios(self, endpoint: str, model: str) -> Ratios:
        return Ratios()

    def learn_ratio(self, endpoint: str, model: str, lesson: Lesson) -> None:
        pass

    def learn(self, fact: object) -> None: ...


class Server:
    """Answers with a stream that never ends; notes when it began and when its client was gone."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent
        self.began = asyncio.Event()
        self.gone: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
        talking = asyncio.ensure_future(self.talk(writer))
        self.began.set()
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        self.gone.set_result(time.monotonic())
        talking.cancel()
        writer.close()

    async def talk(self, writer: asyncio.StreamWriter) -> None:
        while not self.silent:
            writer.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
            await asyncio.sleep(0.001)


async def once(*, silent: bool) -> float:
    """Milliseconds from the cancellation to the end of the connection at the server."""
    server = Server(silent=silent)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    transport = HttpTransport()
    engine = Engine(transport, DIALECTS.__getitem__, SystemClock(), Forgetful())
    endpoint = Endpoint("bench", f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1")
    (lane,) = start(engine, {"main": Ask(endpoint, "m", (Message("user", "hi"),))}, lambda _: None)
    await server.began.wait()
    await asyncio.sleep(0.05)
    cancelled = time.monotonic()
    lane.cancel()
    closed = await asyncio.wait_for(server.gone, 10)
    await lane.outcome()
    await transport.close()
    listening.close()
    return (closed - cancelled) * 1000


async def main(runs: int) -> None:
    for name, silent in (("silent", True), ("streaming", False)):
        taken = [await once(silent=silent) for _ in range(runs)]
        print(f"{name:<10} median {statistics.median(taken):6.2f} ms   longest {max(taken):6.2f} ms   ({runs} runs)")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
