"""Connections: reused, closed, never leaked; where they go through and what they carry."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit import DONE, Recorder, ask, delta, endpoint, engine, event, said, stopped, ticks
from tests.kit.sockets import LAST_CHUNK, STREAM_HEAD, SocketServer, Wire, chunk, sized
from tui_chat.domain.endpoint import Secret, Timeouts
from tui_chat.domain.events import Cancelled, Completed, Connected, Failed
from tui_chat.domain.failure import Kind
from tui_chat.engine.clock import SystemClock
from tui_chat.engine.lanes import start
from tui_chat.engine.run import Run
from tui_chat.net.transport import MOST_IDLE, HttpTransport
from tui_chat.wire.codec import Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tui_chat.domain.events import Outcome

GET = Request("GET", "http://127.0.0.1:9/v1/models", {})
PATIENCE_S = 10


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport()
    yield made
    await made.close()


def open_wires(server: SocketServer) -> int:
    return sum(not wire.left.is_set() for wire in server.wires)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the other end of a socket does."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


class Streams:
    """Answers every request of every connection with the same pieces, and a little time between them."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces

    async def __call__(self, wire: Wire) -> None:
        while True:
            await wire.request()
            for piece in self.pieces:
                await wire.send(piece)
                await ticks(6)


WHOLE = (STREAM_HEAD, chunk(said("Hello")), chunk(said(" world") + stopped()), chunk(DONE) + LAST_CHUNK)


async def talk(transport: HttpTransport, server: SocketServer, **changes: Any) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    at = endpoint(base_url=server.base_url, **changes)
    outcome = await Run(engine(transport, SystemClock()), ask(at=at), recorder).go()
    assert recorder.outcome() == outcome
    return outcome, recorder


async def test_a_connection_is_used_again(transport: HttpTransport) -> None:
    async with SocketServer(Streams(*WHOLE)) as server:
        times: list[float | None] = []
        for _ in range(3):
            outcome, recorder = await talk(transport, server)
            assert outcome == Completed("stop")
            times += [connected.connect_s for connected in recorder.of(Connected)]
        assert len(server.wires) == 1
        assert times[0] is not None
        assert times[0] > 0
        assert times[1:] == [None, None]


@pytest.mark.parametrize(
    "pieces",
    [
        (sized(b'{"error": {"message": "no"}}', status=b"401 Unauthorized"),),
        (sized(b"", status=b"401 Unauthorized"),),
        (sized(b'{"choices": [{"message": {"content": "x"}}]}', b"Content-Type: application/json\r\n"),),
    ],
)
async def test_an_answer_that_is_no_stream_leaves_its_connection_too(
    pieces: tuple[bytes, ...], transport: HttpTransport
) -> None:
    async with SocketServer(Streams(*pieces)) as server:
        for _ in range(3):
            await talk(transport, server)
        assert len(server.wires) == 1


async def test_a_connection_closed_by_the_server_meanwhile_is_not_used(transport: HttpTransport) -> None:
    async def once(wire: Wire) -> None:
        await wire.request()
        await wire.send(*WHOLE)

    async with SocketServer(once) as server:
        for count in (1, 2):
            assert (await talk(transport, server))[0] == Completed("stop")
            await until(lambda: not open_wires(server))
            assert len(server.wires) == count


@pytest.mark.parametrize(
    ("pieces", "outcome"),
    [
        ((*WHOLE[:-1], chunk(DONE)), Completed("stop")),
        ((STREAM_HEAD, chunk(said("x") + DONE)), Completed(None)),
        ((STREAM_HEAD, chunk(said("x")), chunk(event({"error": {"message": "no"}}))), Kind.SERVER),
        ((STREAM_HEAD, *[chunk(b"data: {\n\n")] * 3), Kind.PROTOCOL),
        ((STREAM_HEAD, chunk(said("x"))), Kind.IDLE_TIMEOUT),
        ((STREAM_HEAD, chunk(delta(role="assistant"))), Kind.FIRST_TOKEN_TIMEOUT),
        ((), Kind.FIRST_TOKEN_TIMEOUT),
    ],
    ids=["done left open", "no finish reason", "fault", "malformed", "idle", "no token", "no head"],
)
async def test_an_answer_left_before_its_end_closes_its_connection(
    pieces: tuple[bytes, ...], outcome: Outcome | Kind, transport: HttpTransport
) -> None:
    limits = Timeouts(first_token=0.3, idle=0.3)
    async with SocketServer(Streams(*pieces)) as server:
        found, _ = await talk(transport, server, timeouts=limits)
        assert (found.failure.kind if isinstance(found, Failed) else found) == outcome
        await until(lambda: not open_wires(server))


async def test_cancel_closes_a_silent_connection_without_another_byte(transport: HttpTransport) -> None:
    late: list[bytes] = []

    async def silent(wire: Wire) -> None:
        await wire.request()
        late.append(await wire.gone())

    async with SocketServer(silent) as server:
        talking = asyncio.ensure_future(talk(transport, server))
        await until(lambda: server.requests)
        talking.cancel()
        await asyncio.wait((talking,), timeout=PATIENCE_S)
        assert talking.cancelled()
        await until(lambda: late)
        assert late == [b""]


@pytest.mark.parametrize("pieces", [(), (STREAM_HEAD,), (STREAM_HEAD, chunk(said("x")))], ids=["", "head", "text"])
async def test_streams_cancelled_twice_leak_nothing(pieces: tuple[bytes, ...], transport: HttpTransport) -> None:
    count = 25

    async def handler(wire: Wire) -> None:
        request = await wire.request()
        await wire.send(*(WHOLE if b"the last one" in request else pieces))
        await wire.gone()

    async with SocketServer(handler) as server:
        recorder = Recorder()
        tools = engine(transport, SystemClock())
        asks = {str(n): ask(at=endpoint(base_url=server.base_url)) for n in range(count)}
        lanes = start(tools, asks, lambda stamped: None)
        waiting = [asyncio.ensure_future(lane.outcome()) for lane in lanes]
        await until(lambda: len(server.requests) == count)
        await ticks(9)
        for lane in lanes:
            lane.cancel()
        await ticks(1)
        for task in waiting:
            task.cancel()
        await ticks(1)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await until(lambda: not open_wires(server))

        last = ask("the last one", endpoint(base_url=server.base_url))
        assert await Run(tools, last, recorder).go() == Completed("stop")
        assert len(server.wires) == count + 1


ENDINGS = {
    "whole": WHOLE,
    "fault": (STREAM_HEAD, chunk(said("x")), chunk(event({"error": {"message": "no"}})), chunk(said("y"))),
    "error": (sized(b'{"error": {"message": "no"}}', status=b"401 Unauthorized"),),
    "long error": (b"HTTP/1.1 401 No\r\nContent-Length: 2000000\r\n\r\n", b"x" * 1_500_000),
    "bad size": (STREAM_HEAD, chunk(said("x")), b"zz\r\n"),
    "silence": (STREAM_HEAD, chunk(said("x"))),
}


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
async def test_cancelled_at_every_tick_of_a_real_answer(name: str, again: bool, transport: HttpTransport) -> None:
    """Also where httpx is closing of its own accord: there even a single cancellation makes it lose a connection."""
    async with SocketServer(Streams(*ENDINGS[name])) as server:
        ended: set[str] = set()
        for count in range(1, 75):
            recorder = Recorder()
            run = Run(engine(transport, SystemClock()), ask(at=endpoint(base_url=server.base_url)), recorder)
            task = asyncio.ensure_future(run.go())
            await ticks(count)
            for _ in range(1 + again):
                task.cancel()
                await ticks(1)
            await asyncio.wait((task,), timeout=PATIENCE_S)
            ended.add(type(recorder.outcome()).__name__)
        assert "Cancelled" in ended
        await until(lambda: open_wires(server) <= 1)
        await transport.close()
        await until(lambda: not open_wires(server))


async def test_cancelled_in_the_middle_of_a_handshake(transport: HttpTransport) -> None:
    async with SocketServer(Wire.gone) as server:
        at = endpoint(base_url=f"https://127.0.0.1:{server.port}/v1")
        talking = asyncio.ensure_future(Run(engine(transport, SystemClock()), ask(at=at), Recorder()).go())
        await until(lambda: server.wires)
        await asyncio.sleep(0.05)
        talking.cancel()
        await asyncio.wait((talking,), timeout=PATIENCE_S)
        await until(lambda: not open_wires(server))


async def test_a_stop_ends_the_answer_at_once(transport: HttpTransport) -> None:
    async with SocketServer(Streams(STREAM_HEAD, chunk(said("x")))) as server:
        recorder = Recorder()
        run = Run(engine(transport, SystemClock()), ask(at=endpoint(base_url=server.base_url)), recorder)
        going = asyncio.ensure_future(run.go())
        await until(lambda: recorder.text)
        run.stop()
        assert await going == Cancelled()
        assert recorder.text == "x"
        await until(lambda: not open_wires(server))


async def test_close_keeps_nothing(transport: HttpTransport) -> None:
    go = asyncio.Event()

    async def handler(wire: Wire) -> None:
        while True:
            request = await wire.request()
            if b"slow" in request:
                await go.wait()
            await wire.send(*WHOLE)

    async with SocketServer(handler) as server:
        at = endpoint(base_url=server.base_url)
        slow = Run(engine(transport, SystemClock()), ask("slow", at), Recorder())
        going = asyncio.ensure_future(slow.go())
        await until(lambda: server.requests)
        await talk(transport, server)
        assert open_wires(server) == 2
        await transport.close()
        await until(lambda: open_wires(server) == 1)
        go.set()
        assert await going == Completed("stop"), "what is under way may end"
        await until(lambda: not open_wires(server))
        assert (await talk(transport, server))[0] == Completed("stop")
        await until(lambda: not open_wires(server))


async def test_not_more_than_some_connections_are_kept(transport: HttpTransport) -> None:
    async with SocketServer(Streams(*WHOLE)) as server:
        asks = {str(n): ask(at=endpoint(base_url=server.base_url)) for n in range(MOST_IDLE + 8)}
        lanes = start(engine(transport, SystemClock()), asks, lambda stamped: None)
        assert {await lane.outcome() for lane in lanes} == {Completed("stop")}
        await until(lambda: open_wires(server) <= MOST_IDLE)


async def test_one_endpoint_s_silence_does_not_hold_up_another(transport: HttpTransport) -> None:
    async with SocketServer(Wire.gone) as silent, SocketServer(Streams(*WHOLE)) as server:
        held = [asyncio.ensure_future(talk(transport, silent)) for _ in range(40)]
        await until(lambda: len(silent.wires) == 40)
        assert (await talk(transport, server))[0] == Completed("stop")
        for task in held:
            task.cancel()
        await asyncio.wait(held)


async def test_what_is_sent(transport: HttpTransport) -> None:
    async with SocketServer(Streams(*WHOLE)) as server:
        await talk(transport, server, key=Secret("sk-123"), headers={"X-Team": "a"})
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert headers["authorization"] == "bearer sk-123"
    assert headers["accept-encoding"] == "identity"
    assert headers["accept"] == "text/event-stream"
    assert headers["x-team"] == "a"
    assert re.fullmatch(r"tui-chat/[\d.]+\w*", headers["user-agent"])
    assert b'"stream":true' in body.replace(b" ", b"")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(status: int, transport: HttpTransport) -> None:
    async with SocketServer(Streams(*WHOLE)) as other:
        target = f"Location: {other.base_url}\r\n".encode()
        async with SocketServer(Streams(sized(b"", target, b"%d Elsewhere" % status))) as server:
            outcome, _ = await talk(transport, server, key=Secret("sk-123"))
        assert other.wires == []
        assert isinstance(outcome, Failed)
        assert outcome.failure.kind is Kind.PROTOCOL
        assert other.base_url in outcome.failure.message


async def test_header_names_are_lower_case(transport: HttpTransport) -> None:
    async with SocketServer(Streams(sized(b"", b"X-Request-ID: Ab\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"))) as server:
        async with transport.open(endpoint(base_url=server.base_url), Request("GET", server.base_url, {})) as answer:
            assert answer.headers["x-request-id"] == "Ab"
        async with transport.open(endpoint(base_url=server.base_url), Request("GET", server.base_url, {})) as answer:
            pass
        assert all(b"cookie" not in request.lower() for request in server.requests)


class Proxy(Streams):
    """Answers in the place of whatever server it is asked for."""


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_the_environment_s_proxy_is_used_for_others(
    variable: str, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SocketServer(Proxy(*WHOLE)) as proxy:
        monkeypatch.setenv(variable, f"http://me:pw@127.0.0.1:{proxy.port}")
        recorder = Recorder()
        at = endpoint(base_url="http://model.example:8080/v1")
        outcome = await Run(engine(transport, SystemClock()), ask(at=at), recorder).go()
        assert outcome == Completed("stop")
        assert proxy.requests[0].startswith(b"POST http://model.example:8080/v1/chat/completions ")
        assert b"proxy-authorization: basic" in proxy.requests[0].lower()
        (connected,) = recorder.of(Connected)
        assert connected.via == f"http://127.0.0.1:{proxy.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_environment_s_proxy_is_not_used_for_this_computer(
    host: str, transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SocketServer(Proxy()) as proxy, SocketServer(Streams(*WHOLE)) as server:
        for variable in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        recorder = Recorder()
        at = endpoint(base_url=f"http://{host}:{server.port}/v1")
        assert await Run(engine(transport, SystemClock()), ask(at=at), recorder).go() == Completed("stop")
        assert proxy.wires == []
        assert recorder.of(Connected)[0].via is None


async def test_no_proxy_exempts_a_host(transport: HttpTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SocketServer(Proxy(*WHOLE)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "nowhere.invalid")
        at = endpoint(base_url="http://nowhere.invalid/v1", timeouts=Timeouts(total=5))
        outcome = await Run(engine(transport, SystemClock()), ask(at=at), Recorder()).go()
        assert isinstance(outcome, Failed)
        assert outcome.failure.kind is Kind.DNS
        assert proxy.wires == []


async def test_a_proxy_of_the_endpoint_s_own_is_used_for_any_host(transport: HttpTransport) -> None:
    async with SocketServer(Proxy(*WHOLE)) as proxy:
        recorder = Recorder()
        at = endpoint(base_url="http://127.0.0.1:9/v1", proxy=f"http://127.0.0.1:{proxy.port}")
        assert await Run(engine(transport, SystemClock()), ask(at=at), recorder).go() == Completed("stop")
        assert recorder.of(Connected)[0].via == f"http://127.0.0.1:{proxy.port}"
