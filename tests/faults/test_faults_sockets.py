"""The rows of the fault table for which the socket matters, against real servers on 127.0.0.1."""

from __future__ import annotations

import asyncio
import gzip
import re
import ssl
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.kit import COMMENT, DONE, HANG, Recorder, ask, endpoint, engine, said, stopped, ticks
from tests.kit.sockets import LAST_CHUNK, STREAM_HEAD, SocketServer, Wire, chunk, sized
from tests.kit.tongues import CHAT, CLAUDE, GEMINI, RESPONSES, TONGUES
from tui_chat.domain.checkup import Route
from tui_chat.domain.endpoint import RetryPolicy, Timeouts
from tui_chat.domain.events import Attempt, Cancelled, Completed, Connected, Failed, Seam
from tui_chat.domain.failure import Kind
from tui_chat.engine.clock import SystemClock
from tui_chat.engine.lanes import start
from tui_chat.engine.run import Run
from tui_chat.net.probe import NetProbe
from tui_chat.net.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.kit.tongues import Tongue
    from tui_chat.domain.events import Outcome

PATIENCE_S = 10
AT_ONCE = RetryPolicy(4, 0.0, 0.0)
SHORT = Timeouts(connect=0.3, first_token=0.3, idle=0.3, total=0)
BEGUN, REST, WHOLE = "The quick brown fox jum", "ps over the lazy dog.", "The quick brown fox jumps over the lazy dog."
OPEN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
"""A body without a length ends where the connection does."""
GZIP_HEAD = OPEN_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
RESET = object()
Step = bytes | object


def ok(tongue: Tongue = CHAT) -> list[Step]:
    return [STREAM_HEAD, *[chunk(piece) for piece in tongue.answer() if isinstance(piece, bytes)], LAST_CHUNK]


def cut_gzip(text: str) -> bytes:
    """A compressed stream without its last bytes, which hold no text."""
    return gzip.compress(said(text), mtime=0)[:-8]


@dataclass(frozen=True, kw_only=True)
class Case:
    row: int
    name: str
    server: list[list[Step]]
    """What each connection gets in answer to a request; it is closed then, but for HANG, and RESET breaks it."""
    ends: Outcome | Kind
    text: str = ""
    tries: int = 1
    seams: int = 0
    says: str = ""
    at: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def id(self) -> str:
        return f"fault-{self.row:02}-socket-{self.name}"


def in_each(
    row: int,
    name: str,
    server: Callable[[Tongue], list[list[Step]]],
    tongues: tuple[Tongue, ...] = TONGUES,
    at: dict[str, Any] | None = None,
    **told: Any,
) -> list[Case]:
    """The case in several dialects."""
    return [
        Case(
            row=row,
            name=f"{name}-{tongue.name}",
            server=server(tongue),
            at={"dialect": tongue.endpoint.get("dialect", "openai-chat")} | (at or {}),
            **told,
        )
        for tongue in tongues
    ]


HELLO = {"ends": Completed("stop"), "text": "Hello"}
CASES = [
    *in_each(15, "left-open", lambda t: [[*ok(t)[:-1], HANG]], (CHAT, CLAUDE, RESPONSES), **HELLO),
    # reset, before the first token and after it
    *in_each(17, "reset-before-the-head", lambda t: [[RESET], ok(t)], tries=2, **HELLO),
    *in_each(17, "reset-before-a-token", lambda t: [[STREAM_HEAD, chunk(COMMENT), RESET], ok(t)], tries=2, **HELLO),
    *in_each(
        17,
        "reset-later",
        lambda t: [[STREAM_HEAD, chunk(t.say("Hel")), RESET]],
        (CLAUDE, GEMINI, RESPONSES),
        ends=Kind.RESET,
        text="Hel",
        says="reset by peer",
    ),
    Case(
        row=17,
        name="reset-exact-way",
        server=[
            [STREAM_HEAD, chunk(said(BEGUN)), RESET],
            [STREAM_HEAD, chunk(said(REST)), chunk(stopped() + DONE), LAST_CHUNK],
        ],
        ends=Completed("stop"),
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    # the body is cut inside a chunk, or between two
    *in_each(18, "cut-before-a-token", lambda t: [[STREAM_HEAD, b"40\r\nda"], ok(t)], tries=2, **HELLO),
    Case(
        row=18,
        name="cut-later",
        at={"dialect": "anthropic"},
        server=[[STREAM_HEAD, chunk(CLAUDE.say("Hel")), b"40\r\nda"]],
        ends=Kind.RESET,
        text="Hel",
        says="incomplete chunked read",
    ),
    Case(
        row=18,
        name="cut-exact-way",
        server=[
            [STREAM_HEAD, chunk(said(BEGUN))],
            [STREAM_HEAD, chunk(said(REST)), chunk(stopped() + DONE), LAST_CHUNK],
        ],
        ends=Completed("stop"),
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    # a body that looks complete wherever it ends
    *in_each(
        19,
        "end-without-length",
        lambda t: [[OPEN_HEAD, t.begin], [OPEN_HEAD, *[p for p in t.answer() if isinstance(p, bytes)]]],
        tries=2,
        **HELLO,
    ),
    Case(
        row=19,
        name="end-without-length-later",
        at={"dialect": "gemini"},
        server=[[OPEN_HEAD, GEMINI.say("Hel")]],
        ends=Kind.TRUNCATED,
        text="Hel",
    ),
    Case(
        row=19,
        name="gzip-cut",
        server=[
            [GZIP_HEAD, cut_gzip(BEGUN)],
            [STREAM_HEAD, chunk(said(REST)), chunk(stopped() + DONE), LAST_CHUNK],
        ],
        ends=Completed("stop"),
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    # silence
    Case(row=20, name="no-head", at={"timeouts": SHORT}, server=[[HANG]] * 2, ends=Kind.FIRST_TOKEN_TIMEOUT, tries=2),
    Case(
        row=20,
        name="slow-head",
        at={"timeouts": SHORT},
        server=[[b"HTTP/1.1 200 OK\r\nContent-", HANG]] * 2,
        ends=Kind.FIRST_TOKEN_TIMEOUT,
        tries=2,
    ),
    *in_each(
        20,
        "silence",
        lambda t: [[STREAM_HEAD, chunk(t.say("Hel")), HANG]],
        at={"timeouts": SHORT},
        ends=Kind.IDLE_TIMEOUT,
        text="Hel",
    ),
]


class Server:
    """Gives each connection the next of the answers."""

    def __init__(self, answers: list[list[Step]]) -> None:
        self.answers = list(answers)

    async def __call__(self, wire: Wire) -> None:
        await wire.request()
        for step in self.answers.pop(0):
            if isinstance(step, bytes):
                await wire.send(step)
                await ticks(6)
            elif step is RESET:
                await asyncio.sleep(0.01)  # what was sent is read first
                wire.reset()
            else:
                await wire.gone()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport()
    yield made
    await made.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the other end of a socket does."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


def open_wires(server: SocketServer) -> int:
    return sum(not wire.left.is_set() for wire in server.wires)


async def talk(transport: HttpTransport, base_url: str, **changes: Any) -> tuple[Outcome, Recorder]:
    heard = Recorder()
    at = endpoint(base_url=base_url, retry=AT_ONCE, **changes)
    async with asyncio.timeout(PATIENCE_S):
        outcome = await Run(engine(transport, SystemClock()), ask(at=at), heard).go()
    assert heard.outcome() == outcome
    return outcome, heard


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
async def test_row_on_sockets(case: Case, transport: HttpTransport) -> None:
    handler = Server(case.server)
    async with SocketServer(handler) as server:
        outcome, heard = await talk(transport, server.base_url, **case.at)
        await transport.close()
        await until(lambda: not open_wires(server))
        assert (len(server.requests), handler.answers) == (case.tries, [])
    assert (outcome.failure.kind if isinstance(outcome, Failed) else outcome) == case.ends
    assert heard.text == case.text
    assert [attempt.n for attempt in heard.of(Attempt)] == list(range(1, case.tries + 1))
    assert len(heard.of(Seam)) == case.seams
    if isinstance(outcome, Failed):
        assert case.says in outcome.failure.message
        assert outcome.failure.hint


ENDINGS = {"no-head": [], "head": [STREAM_HEAD], "text": [STREAM_HEAD, chunk(said("x"))]}


@pytest.mark.parametrize(
    ("row", "pieces"),
    [pytest.param(43, ENDINGS[n], id=f"fault-43-cancelled-twice-{n}") for n in ENDINGS]
    + [pytest.param(44, ENDINGS[n], id=f"fault-44-the-pool-stays-free-{n}") for n in ENDINGS],
)
async def test_cancelled_runs_leave_nothing(row: int, pieces: list[bytes], transport: HttpTransport) -> None:
    """By the user, then twice by the closing program; no byte of the server's is needed, and the next run goes."""
    count = 1 if row == 43 else 25

    async def handler(wire: Wire) -> None:
        request = await wire.request()
        await wire.send(*(ok() if b"the next one" in request else pieces))
        await wire.gone()

    async with SocketServer(handler) as server:
        at = endpoint(base_url=server.base_url)
        heard = [Recorder() for _ in range(count)]
        tools = engine(transport, SystemClock())
        lanes = [start(tools, {"main": ask(at=at)}, recorder)[0] for recorder in heard]
        waiting = [asyncio.ensure_future(lane.outcome()) for lane in lanes]
        await until(lambda: len(server.requests) == count)
        await ticks(9)
        for lane in lanes:
            lane.cancel()
        for _ in range(2):
            await ticks(1)
            for task in waiting:
                task.cancel()
        await asyncio.wait(waiting, timeout=PATIENCE_S)
        assert {recorder.outcome() for recorder in heard} == {Cancelled()}
        await until(lambda: not open_wires(server))
        assert await Run(tools, ask("the next one", at), Recorder()).go() == Completed("stop")
        assert len(server.wires) == count + 1


@pytest.mark.parametrize("row", [pytest.param(45, id="fault-45-socket-unknown-host")])
async def test_a_host_that_has_no_address(row: int, transport: HttpTransport) -> None:
    outcome, heard = await talk(transport, "http://nowhere.invalid/v1")
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.DNS
    assert "nowhere.invalid cannot be resolved" in outcome.failure.message
    assert len(heard.of(Attempt)) == 2


@pytest.fixture(scope="module")
def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("row", [pytest.param(46, id="fault-46-socket-unknown-authority")])
async def test_a_certificate_that_nobody_vouches_for(
    row: int, transport: HttpTransport, server_tls: ssl.SSLContext
) -> None:
    async with SocketServer(Server([ok()]), server_tls) as server:
        outcome, heard = await talk(transport, server.base_url)
        assert server.requests == []
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.TLS
    assert "127.0.0.1: " in outcome.failure.message
    assert "issuer certificate" in outcome.failure.message
    assert "SSL_CERT_FILE" in outcome.failure.hint
    assert len(heard.of(Attempt)) == 1


@pytest.mark.parametrize("row", [pytest.param(46, id="fault-46-socket-proxy-refuses")])
async def test_a_proxy_that_lets_nobody_through(row: int, transport: HttpTransport) -> None:
    answer = sized(b"", status=b"407 Proxy Authentication Required")
    async with SocketServer(Server([[answer]])) as proxy:
        outcome, heard = await talk(transport, "https://far.example/v1", proxy=f"http://127.0.0.1:{proxy.port}")
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is Kind.PROXY
    assert "407 Proxy Authentication Required" in outcome.failure.message
    assert len(heard.of(Attempt)) == 1


@pytest.mark.parametrize(
    ("row", "host"),
    [pytest.param(47, h, id=f"fault-47-socket-proxy-passed-by-{h}") for h in ("127.0.0.1", "localhost")],
)
async def test_the_environment_s_proxy_is_not_for_this_computer(
    row: int, host: str, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SocketServer(Wire.gone) as proxy, SocketServer(Server([ok()])) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        at = f"http://{host}:{server.port}/v1"
        outcome, heard = await talk(transport, at)
        assert proxy.wires == []
    assert outcome == Completed("stop")
    assert heard.of(Connected)[0].via is None
    assert NetProbe().route(endpoint(base_url=at)) == Route(None, "HTTP_PROXY", False)


@pytest.mark.parametrize("row", [pytest.param(48, id="fault-48-socket-identity")])
async def test_no_proxy_is_invited_to_compress(row: int, transport: HttpTransport) -> None:
    async with SocketServer(Server([[STREAM_HEAD + b"".join(p for p in ok()[1:] if isinstance(p, bytes))]])) as server:
        outcome, heard = await talk(transport, server.base_url)
        assert b"\r\naccept-encoding: identity\r\n" in server.requests[0].lower()
    assert (outcome, heard.text) == (Completed("stop"), "Hello")


def test_every_row_of_the_fault_table_is_here() -> None:
    root = Path(__file__).parents[2]
    listing = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "tests/faults",
            "-k",
            "fault",
            "--collect-only",
            "-p",
            "no:cacheprovider",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert sorted({int(number) for number in re.findall(r"\[fault-(\d\d)-", listing)}) == list(range(1, 51))
