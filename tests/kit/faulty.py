"""A server on 127.0.0.1 that speaks openai-chat and, by a seed, does to its answers whatever servers do to theirs.

Before each fault it waits until the other end's kernel has acknowledged every byte, and then notes what text that was:
nothing of it may be missing from the client's record.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fcntl import ioctl
from random import Random
from termios import TIOCOUTQ
from typing import TYPE_CHECKING, Any

from tests.kit.sockets import LAST_CHUNK, SocketServer, Wire, chunk, sized
from tests.kit.wire import COMMENT, DONE, error_body, event, stopped, used

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

PATIENCE_S = 15.0
"""How long the other end may take to acknowledge, or to leave."""
KEEP_ALIVE_S = 0.05
WORDS = (
    *(
        "the",
        "a",
        "of",
        "to",
        "and",
        "stream",
        "line",
        "reset",
        "socket,",
        "then?",
        "<",
        "<b>",
        "</b>",
        "`x = 1`",
        "{}",
    ),
    *("déjà", "đường", "поток", "数据流", "データ", "흐름", "🙂", "👩‍💻", '"quoted"', "\u2028", "\u0085", "\n\n", "\t"),
)
RUN = re.compile(r"run (\d+)")


@dataclass(frozen=True, slots=True)
class Canon:
    """What the server has to say in a run: both ends know it."""

    thoughts: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def reasoning(self) -> str:
        return "".join(self.thoughts)


def canon(seed: int, run: int) -> Canon:
    """The answer of this run; it begins like no other part of itself."""
    rng = Random(f"{seed}/{run}")
    thoughts = [f"{rng.choice(WORDS)} " for _ in range(rng.choice((0, 0, 0, 4)))]
    words = [f"{rng.choice(WORDS)} " for _ in range(rng.randint(5, 60))]
    return Canon(tuple(thoughts), (f"[{run}] ", *words))


def prompt(run: int) -> str:
    return f"run {run}"


def after(words: Iterable[str], length: int) -> list[str]:
    """What is left of words without so many characters at their beginning."""
    rest: list[str] = []
    for word in words:
        if len(word) > length:
            rest.append(word[length:])
        length = max(0, length - len(word))
    return rest


@dataclass(slots=True)
class Served:
    """One request, as the server saw it."""

    id: str
    fault: str
    before: str = ""
    """The text that the client asked to go on from."""
    text: str = ""
    """What it is known to have received since, and when that was known."""
    reasoning: str = ""
    at: float = 0.0


@dataclass(slots=True, eq=False)
class Reply:
    """One answer on its way: the words that are left to say, and where among them the fault comes."""

    wire: Wire
    served: Served
    thoughts: list[str]
    words: list[str]
    rng: Random
    pace: float
    breaking_at: int = 0
    said: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    chunked: bool = True

    async def open(self) -> None:
        """The head of an answer that streams."""
        length = b"Transfer-Encoding: chunked" if self.chunked else b"Connection: close"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: %s\r\n%s\r\n\r\n"
        await self.wire.send(head % (self.served.id.encode(), length))

    async def begin(self) -> None:
        """The answer up to the place of its fault, and every byte of it acknowledged."""
        await self.open()
        if self.breaking_at:
            await self.think()
            await self.say(self.breaking_at)
        await self.acknowledged()
        await asyncio.sleep(self.rng.choice((0, 0, self.pace)))

    async def think(self) -> None:
        for thought in self.thoughts:
            await self.write(event({"choices": [{"index": 0, "delta": {"reasoning_content": thought}}]}))
            self.thought.append(thought)

    async def say(self, count: int) -> None:
        """The next words, one or a few at a time."""
        while count:
            few = min(count, self.rng.choice((1, 1, 1, 2, 5)))
            await self.write(b"".join(self.spoken(word) for word in self.words[:few]))
            self.said += self.words[:few]
            del self.words[:few]
            count -= few
            await asyncio.sleep(self.rng.uniform(0, 2 * self.pace))

    async def finish(self, *, usage: bool = True, reason: bool = True) -> None:
        """The rest of the words, and the figures."""
        if not self.said:
            await self.think()
        await self.say(len(self.words))
        if reason:
            await self.write(stopped())
        if usage:
            await self.write(used(7, len(self.said)))

    async def write(self, data: bytes) -> None:
        """Bytes of the body, now and then cut into several pieces, at any byte."""
        cut = self.rng.randrange(len(data)) if self.rng.random() < 0.3 else 0
        for piece in (data[:cut], data[cut:]):
            if piece:
                await self.wire.send(chunk(piece) if self.chunked else piece)

    def spoken(self, word: str) -> bytes:
        delta: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        end = self.rng.choice(("\n\n", "\n\n", "\r\n\r\n"))
        comment = ": keep-alive\n" if self.rng.random() < 0.1 else ""
        return f"{comment}data: {json.dumps(delta, ensure_ascii=self.rng.random() < 0.5)}{end}".encode()

    async def acknowledged(self) -> None:
        """Wait until nothing is under way, and note what the other end has; ConnectionResetError when it has left."""
        transport = self.wire.writer.transport
        connected = self.wire.writer.get_extra_info("socket")
        async with asyncio.timeout(PATIENCE_S):
            while not (gone := transport.is_closing() or self.wire.reader.at_eof()):
                if not (transport.get_write_buffer_size() or unacknowledged(connected)):
                    break
                await asyncio.sleep(0.001)
        if gone:
            raise ConnectionResetError
        self.served.text, self.served.reasoning = "".join(self.said), "".join(self.thought)
        self.served.at = asyncio.get_running_loop().time()

    async def left(self) -> None:
        """Wait for the other end to leave; TimeoutError when it does not."""
        async with asyncio.timeout(PATIENCE_S):
            await self.wire.gone()


def unacknowledged(connected: socket.socket) -> int:
    """Bytes that were sent, or wait to be, and that the other end's kernel does not have (SIOCOUTQ)."""
    return int.from_bytes(ioctl(connected.fileno(), TIOCOUTQ, bytes(4)), "little")


async def whole(reply: Reply) -> bool:
    await reply.open()
    await reply.finish()
    return await end(reply, DONE)


async def end(reply: Reply, *last: bytes) -> bool:
    """The end of a body as it should be; the connection may be used again."""
    for piece in last:
        await reply.write(piece)
    await reply.wire.send(LAST_CHUNK)
    return True


async def no_usage(reply: Reply) -> bool:
    await reply.open()
    await reply.finish(usage=False)
    return await end(reply, DONE)


async def no_done(reply: Reply) -> bool:
    await reply.open()
    await reply.finish()
    return await end(reply)


async def no_reason(reply: Reply) -> bool:
    await reply.open()
    await reply.finish(reason=False)
    return await end(reply, DONE)


async def left_open(reply: Reply) -> bool:
    await reply.open()
    await reply.finish()
    await reply.write(DONE)
    await reply.left()
    return False


async def reset_after_reason(reply: Reply) -> bool:
    await reply.open()
    await reply.finish()
    await reply.acknowledged()
    reply.wire.reset()
    return False


async def to_the_end_of_file(reply: Reply) -> bool:
    reply.chunked = False
    await reply.open()
    await reply.finish()
    await reply.write(DONE)
    return False


async def slow_head(reply: Reply) -> bool:
    await asyncio.sleep(reply.rng.uniform(0, 10 * reply.pace))
    return await whole(reply)


async def one_malformed(reply: Reply) -> bool:
    await reply.begin()
    await reply.write(b'data: {"choices":[{"delta":{"content":\n\n')
    await reply.finish()
    return await end(reply, DONE)


async def three_malformed(reply: Reply) -> bool:
    await reply.begin()
    await reply.write(b"data: {nonsense\n\n" * 3)
    await reply.left()
    return False


async def reset(reply: Reply) -> bool:
    await reply.begin()
    reply.wire.reset()
    return False


async def reset_without_head(reply: Reply) -> bool:
    reply.wire.reset()
    return False


async def closed_without_head(reply: Reply) -> bool:
    return False


async def half_closed(reply: Reply) -> bool:
    await reply.begin()
    reply.wire.writer.write_eof()
    await reply.left()
    return False


async def cut_in_chunk(reply: Reply) -> bool:
    """A chunk that announces two events and holds one and a half, then a reset or an end of file."""
    await reply.begin()
    if reply.breaking_at and len(reply.words) > 1:
        one, two = map(reply.spoken, reply.words[:2])
        await reply.wire.send(chunk(one + two)[: -len(two) // 2 - 2])
        reply.said.append(reply.words[0])
        await reply.acknowledged()
    if reply.rng.random() < 0.5:
        reply.wire.reset()
    return False


async def cut_in_event(reply: Reply) -> bool:
    """Half an event at the proper end of a body."""
    await reply.begin()
    return await end(reply, *(reply.spoken(word)[:-12] for word in reply.words[:1]))


async def bad_chunk_size(reply: Reply) -> bool:
    await reply.begin()
    await reply.wire.send(b"zz\r\n")
    await reply.left()
    return False


async def truncated(reply: Reply) -> bool:
    await reply.begin()
    return await end(reply)


async def truncated_at_the_end_of_file(reply: Reply) -> bool:
    reply.chunked = False
    await reply.begin()
    return False


async def kept_alive(reply: Reply) -> bool:
    """Comments for ever."""
    await reply.begin()
    leaving = asyncio.ensure_future(reply.left())
    try:
        while not leaving.done():
            await reply.wire.send(chunk(COMMENT))
            await asyncio.wait((leaving,), timeout=KEEP_ALIVE_S)
        await leaving
    finally:
        leaving.cancel()
        await asyncio.wait((leaving,))
    return False


async def silent(reply: Reply) -> bool:
    await reply.begin()
    await reply.left()
    return False


async def silent_without_head(reply: Reply) -> bool:
    await reply.left()
    return False


async def error_in_stream(reply: Reply) -> bool:
    await reply.begin()
    return await end(reply, event({"error": {"message": "upstream broke", "code": 502}}))


async def reason_error(reply: Reply) -> bool:
    await reply.begin()
    return await end(reply, stopped("error"))


def status(line: bytes, body: bytes, headers: bytes = b"") -> Callable[[Reply], Awaitable[bool]]:
    async def refused(reply: Reply) -> bool:
        await reply.wire.send(sized(body, headers, line))
        return True

    return refused


@dataclass(frozen=True, slots=True)
class Fault:
    play: Callable[[Reply], Awaitable[bool]]
    """True when the connection may be used again."""
    completes: bool = False
    """The answer is whole all the same."""


SOON = b"Retry-After: 0.05\r\n"
PAGE = b"<!doctype html><html><head><title>Bad gateway</title></head><body>nginx</body></html>"

FAULTS = {
    "none": Fault(whole, completes=True),
    "no usage": Fault(no_usage, completes=True),
    "no [DONE]": Fault(no_done, completes=True),
    "no finish reason": Fault(no_reason, completes=True),
    "left open after [DONE]": Fault(left_open, completes=True),
    "reset after the finish reason": Fault(reset_after_reason, completes=True),
    "body until the end of file": Fault(to_the_end_of_file, completes=True),
    "slow head": Fault(slow_head, completes=True),
    "one malformed event": Fault(one_malformed, completes=True),
    "three malformed events": Fault(three_malformed),
    "reset": Fault(reset),
    "reset without a head": Fault(reset_without_head),
    "closed without a head": Fault(closed_without_head),
    "half closed": Fault(half_closed),
    "cut inside a chunk": Fault(cut_in_chunk),
    "cut inside an event": Fault(cut_in_event),
    "bad chunk size": Fault(bad_chunk_size),
    "truncated": Fault(truncated),
    "truncated at the end of file": Fault(truncated_at_the_end_of_file),
    "comments for ever": Fault(kept_alive),
    "silence": Fault(silent),
    "silence without a head": Fault(silent_without_head),
    "error in the stream": Fault(error_in_stream),
    "finish reason error": Fault(reason_error),
    "429 seconds": Fault(status(b"429 Too Many Requests", error_body("slow down"), SOON)),
    "429 milliseconds": Fault(status(b"429 Too Many Requests", error_body("slow down"), b"retry-after-ms: 30\r\n")),
    "503": Fault(status(b"503 Service Unavailable", error_body("overloaded"))),
    "500 page": Fault(status(b"500 Internal Server Error", PAGE, b"Content-Type: text/html\r\n")),
}
REFUSED_WAY = Fault(status(b"400 Bad Request", error_body("continue_final_message is not supported")))


class FaultyServer(SocketServer):
    """Answers run n with the n-th fault, and what that run asks for next with any, or more often none.

    Half of the runs may go on with a broken answer, from the very character; the others are refused that.
    """

    def __init__(self, seed: int, pace: float) -> None:
        super().__init__(self._converse)
        self.answering: list[Reply] = []
        self.peak = 0
        """Most connections at once."""
        self.faults: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._seed = seed
        self._pace = pace
        self._served: defaultdict[int, list[Served]] = defaultdict(list)
        self._number = 0

    def take(self, run: int) -> list[Served]:
        """What was served in this run, which is over."""
        return self._served.pop(run, [])

    async def _converse(self, wire: Wire) -> None:
        self.peak = max(self.peak, len(self.wires))
        try:
            while await self._answer(wire, await wire.request()):
                wire.requests.clear()
        finally:
            self.wires.remove(wire)

    async def _answer(self, wire: Wire, request: bytes) -> bool:
        reply, fault = self._reply(wire, json.loads(request.partition(b"\r\n\r\n")[2]))
        self.faults[reply.served.fault] += 1
        self.answering.append(reply)
        try:
            return await fault.play(reply)
        except TimeoutError:
            self.complaints.append(f"request {reply.served.id}: the client did not leave: {reply.served.fault}")
            return False
        finally:
            self.answering.remove(reply)

    def _reply(self, wire: Wire, body: dict[str, Any]) -> tuple[Reply, Fault]:
        asked = body["messages"][0]["content"]
        run = int(RUN.search(asked)[1])
        before = body["messages"][-1]["content"] if body.get("continue_final_message") else ""
        rng = Random(f"{self._seed}/{run}/{len(self._served[run])}")
        name, fault = self._fault(run, rng, going_on=bool(before))
        self._number += 1
        served = Served(f"{run}-{self._number}", name, before)
        self._served[run].append(served)
        rest = self._rest(run, served)
        reply = Reply(wire, served, [] if before else list(canon(self._seed, run).thoughts), rest, rng, self._pace)
        reply.breaking_at = rng.choice((0, rng.randrange(len(rest) or 1), rng.randrange(len(rest) or 1)))
        return reply, fault

    def _fault(self, run: int, rng: Random, *, going_on: bool) -> tuple[str, Fault]:
        if going_on and run % 2:
            return "way refused", REFUSED_WAY
        names = list(FAULTS)
        first = not self._served[run]
        name = names[run % len(names)] if first else rng.choice(("none", "none", rng.choice(names)))
        return name, FAULTS[name]

    def _rest(self, run: int, served: Served) -> list[str]:
        """The words that are left after what the client has of them."""
        text, words = canon(self._seed, run).text, canon(self._seed, run).words
        if not text.startswith(served.before):
            self.complaints.append(f"request {served.id}: asked to go on from what was never said")
            return []
        return after(words, len(served.before))
