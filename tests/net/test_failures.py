"""What goes wrong on real sockets, and the Failure that each becomes."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.kit import endpoint
from tests.kit.sockets import LAST_CHUNK, STREAM_HEAD, SocketServer, Wire, chunk, free_port, sized
from tui_chat.domain.endpoint import Secret, Timeouts
from tui_chat.domain.failure import RETRYABLE, Broken, Kind
from tui_chat.net.transport import HttpTransport
from tui_chat.wire.codec import Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.failure import Failure

KEY = "sk-very-secret-0123456789"


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


async def fetch(transport: HttpTransport, at: Endpoint) -> bytes:
    request = Request("POST", at.base_url + "/x", {"Authorization": Secret(f"Bearer {KEY}")}, b"{}")
    async with asyncio.timeout(10), transport.open(at, request) as answer:
        return b"".join([piece async for piece in answer.chunks()])


async def trouble(transport: HttpTransport, at: Endpoint) -> Failure:
    """What fetching ends with; nowhere in it, nor in what led to it, does the key stand."""
    with pytest.raises(Broken) as caught:
        await fetch(transport, at)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert KEY not in f"{seen} {seen!r}"
        seen = seen.__cause__ or seen.__context__
    found = caught.value.failure
    assert KEY not in repr(found)
    assert found.message
    assert "()" not in found.message, "an empty reason"
    assert found.hint
    return found


def sends(*pieces: bytes, reset: bool = False) -> Callable[[Wire], Awaitable[None]]:
    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.send(*pieces)
        if reset:
            await asyncio.sleep(0.01)
            wire.reset()

    return handler


PIECE = chunk(b"data: {}\n\n")
BREAKS: dict[str, tuple[list[bytes], bool, Kind, str]] = {
    "reset before the head": ([], True, Kind.RESET, "reset by peer"),
    "reset in the body": ([STREAM_HEAD, PIECE], True, Kind.RESET, "reset by peer"),
    "end between chunks": ([STREAM_HEAD, PIECE], False, Kind.RESET, "incomplete chunked read"),
    "end inside a chunk": ([STREAM_HEAD, b"10\r\nabc"], False, Kind.RESET, "incomplete chunked read"),
    "end before the length": ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], False, Kind.RESET, "expected 9"),
    "end before the head": ([], False, Kind.RESET, "disconnected"),
    "end inside the head": ([b"HTTP/1.1 200 OK\r\nX: y"], False, Kind.RESET, "disconnected"),
    "bad size of a chunk": ([STREAM_HEAD, PIECE, b"zz\r\nabc"], False, Kind.PROTOCOL, "illegal chunk header"),
    "garbage": ([b"220 mail.example ESMTP\r\n\r\n"], False, Kind.PROTOCOL, "illegal status line"),
    "much garbage": ([b"x" * 90_000 + b"\r\n\r\n"], False, Kind.PROTOCOL, "illegal status line"),
    "huge headers": ([b"HTTP/1.1 200 OK\r\nX: ", b"y" * 300_000], False, Kind.PROTOCOL, "too long"),
    "damaged gzip": ([sized(b"no gzip", b"Content-Encoding: gzip\r\n")], False, Kind.PROTOCOL, "compression"),
}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("name", BREAKS)
async def test_answers_that_break(
    name: str, secure: bool, transport: HttpTransport, server_tls: ssl.SSLContext, ca_file: str
) -> None:
    pieces, reset, kind, words = BREAKS[name]
    async with SocketServer(sends(*pieces, reset=reset), server_tls if secure else None) as server:
        at = endpoint(base_url=server.base_url, ca_file=ca_file if secure else None)
        found = await trouble(transport, at)
    assert (found.kind, found.retryable) == (kind, kind in RETRYABLE)
    assert words in found.message
    assert "127.0.0.1" in found.message or kind is Kind.PROTOCOL
    assert len(found.message) < 400


UNREACHABLE: list[tuple[dict[str, Any], Kind, str, str]] = [
    ({"base_url": "http://127.0.0.1:{port}/v1"}, Kind.REFUSED, "Connection refused", "server running"),
    ({"base_url": "http://nowhere.invalid/v1"}, Kind.DNS, "nowhere.invalid", "base_url"),
    ({"base_url": "https://nowhere.invalid/v1"}, Kind.DNS, "nowhere.invalid", "base_url"),
    ({"base_url": "http://127.0.0.1:99999/v1"}, Kind.PROTOCOL, "http://127.0.0.1:99999/v1", "base_url"),
    ({"base_url": "http://xn--\xff/v1"}, Kind.PROTOCOL, "cannot be used", "base_url"),
    ({"base_url": "ftp://127.0.0.1/v1"}, Kind.PROTOCOL, "ftp://127.0.0.1/v1", "base_url"),
    ({"proxy": "http://me:pw@127.0.0.1:{port}"}, Kind.PROXY, "http://127.0.0.1:{port}", "HTTPS_PROXY"),
    ({"proxy": "http://me:pw@nowhere.invalid:80"}, Kind.PROXY, "http://nowhere.invalid:80", "HTTPS_PROXY"),
    ({"proxy": "ftp://me:pw@127.0.0.1:1"}, Kind.PROXY, "ftp://127.0.0.1:1", "HTTPS_PROXY"),
    ({"proxy": "http://me:pw@127.0.0.1:none"}, Kind.PROXY, "http://127.0.0.1:none", "HTTPS_PROXY"),
]


@pytest.mark.parametrize(("changes", "kind", "words", "hint"), UNREACHABLE)
async def test_what_cannot_be_reached(
    changes: dict[str, str], kind: Kind, words: str, hint: str, transport: HttpTransport
) -> None:
    port = str(free_port())
    filled = {name: value.replace("{port}", port) for name, value in changes.items()}
    found = await trouble(transport, endpoint(**filled))
    assert found.kind is kind
    assert words.replace("{port}", port) in found.message
    assert hint in found.hint
    assert "pw" not in repr(found)


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (b"400 Bad Request", False),
        (b"403 Forbidden", False),
        (b"407 Proxy Authentication Required", False),
        (b"502 Bad Gateway", True),
    ],
)
async def test_a_proxy_that_refuses(answer: bytes, retryable: bool, transport: HttpTransport) -> None:
    async with SocketServer(sends(sized(b"", status=answer))) as server:
        proxy = f"http://me:pw@127.0.0.1:{server.port}"
        found = await trouble(transport, endpoint(base_url="https://far.example/v1", proxy=proxy))
        (asked,) = server.requests
    assert asked.startswith(b"CONNECT far.example:443 ")
    assert KEY.encode() not in asked
    assert (found.kind, found.retryable) == (Kind.PROXY, retryable)
    assert answer.decode() in found.message
    assert "pw" not in repr(found)


async def test_a_certificate_that_nobody_vouches_for(transport: HttpTransport, server_tls: ssl.SSLContext) -> None:
    async with SocketServer(sends(sized(b"")), server_tls) as server:
        found = await trouble(transport, endpoint(base_url=server.base_url))
        assert server.requests == []
    assert (found.kind, found.retryable) == (Kind.TLS, False)
    assert "issuer certificate" in found.message
    assert "ca_file or SSL_CERT_FILE" in found.hint


async def test_a_certificate_for_another_name(
    transport: HttpTransport, server_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with SocketServer(sends(sized(b"")), server_tls) as server:
        at = endpoint(base_url=f"https://localhost:{server.port}/v1", ca_file=ca_file)
        found = await trouble(transport, at)
    assert found.kind is Kind.TLS
    assert "localhost" in found.message


async def test_tls_to_a_plain_port(transport: HttpTransport) -> None:
    async def handler(wire: Wire) -> None:
        await wire.reader.read(1)
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await wire.gone()

    async with SocketServer(handler) as server:
        found = await trouble(transport, endpoint(base_url=f"https://127.0.0.1:{server.port}/v1"))
    assert found.kind is Kind.TLS
    assert "wrong version number" in found.message


async def test_plain_http_to_a_tls_port(transport: HttpTransport, server_tls: ssl.SSLContext) -> None:
    async with SocketServer(sends(sized(b"")), server_tls) as server:
        found = await trouble(transport, endpoint(base_url=f"http://127.0.0.1:{server.port}/v1"))
    assert found.kind in (Kind.RESET, Kind.PROTOCOL)


@pytest.mark.parametrize("end", [Wire.reset, lambda wire: None], ids=["reset", "closed"])
async def test_a_handshake_cut_short(end: Callable[[Wire], None], transport: HttpTransport) -> None:
    async def handler(wire: Wire) -> None:
        await wire.reader.read(100)
        end(wire)

    async with SocketServer(handler) as server:
        found = await trouble(transport, endpoint(base_url=f"https://127.0.0.1:{server.port}/v1"))
    assert found.kind in (Kind.TLS, Kind.REFUSED)


async def test_a_certificate_authority_of_one_s_own(
    transport: HttpTransport, server_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with SocketServer(sends(sized(b"fine")), server_tls) as server:
        assert await fetch(transport, endpoint(base_url=server.base_url, ca_file=ca_file)) == b"fine"


async def test_the_environment_s_certificate_file(
    transport: HttpTransport, server_tls: ssl.SSLContext, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    async with SocketServer(sends(sized(b"fine")), server_tls) as server:
        assert await fetch(transport, endpoint(base_url=server.base_url)) == b"fine"


@pytest.mark.parametrize("content", [None, "no certificate"])
@pytest.mark.parametrize("variable", [False, True], ids=["ca_file", "SSL_CERT_FILE"])
async def test_a_certificate_file_that_cannot_be_used(
    content: str | None, variable: bool, transport: HttpTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "my.pem"
    if content is not None:
        path.write_text(content)
    if variable:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    at = endpoint(base_url="https://127.0.0.1:9/v1", ca_file=None if variable else str(path))
    found = await trouble(transport, at)
    assert (found.kind, found.retryable) == (Kind.TLS, False)
    assert str(path) in found.message


async def test_no_answer_to_the_handshake_in_time(transport: HttpTransport) -> None:
    async with SocketServer(Wire.gone) as server:
        at = endpoint(base_url=f"https://127.0.0.1:{server.port}/v1", timeouts=Timeouts(connect=0.05))
        found = await trouble(transport, at)
    assert (found.kind, found.retryable) == (Kind.CONNECT_TIMEOUT, True)
    assert "0.05 s" in found.message


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX-Other: b", " a", "a ", "a\0", "clé", "a\x7f"])
async def test_a_header_that_cannot_be_sent_is_not_quoted(value: str, transport: HttpTransport) -> None:
    secret = value.replace("a", KEY)
    for given, kind in ((Secret(secret), Kind.AUTH), (secret, Kind.PROTOCOL)):
        request = Request("GET", "http://127.0.0.1:9/v1", {"X-Key": given})
        with pytest.raises(Broken) as caught:
            async with transport.open(endpoint(), request):
                pass
        assert caught.value.failure.kind is kind
        assert "X-Key" in caught.value.failure.message
        assert KEY not in repr(caught.value) + repr(caught.value.failure)
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(b"data: hello\n\n", mtime=0)),
        (b"identity", b"data: hello\n\n"),
        (b"GZIP", gzip.compress(b"data: hello\n\n", mtime=0)),
    ],
)
async def test_a_body_compressed_although_it_should_not_be(
    encoding: bytes, body: bytes, transport: HttpTransport
) -> None:
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: %s\r\n\r\n" % encoding)
    pieces = [chunk(body[n : n + 7]) for n in range(0, len(body), 7)]
    async with SocketServer(sends(head, *pieces, LAST_CHUNK)) as server:
        assert await fetch(transport, endpoint(base_url=server.base_url)) == b"data: hello\n\n"
        assert b"\r\naccept-encoding: identity\r\n" in server.requests[0].lower()


async def test_what_a_cut_hides_is_left_to_the_dialect(transport: HttpTransport) -> None:
    """A body without length, and one of gzip, look complete wherever they end: only the dialect's end mark tells."""
    for head, body in (
        (b"", b"data: hel"),
        (b"Content-Encoding: gzip\r\n", gzip.compress(b"data: hello\n\n", mtime=0)[:-9]),
    ):
        async with SocketServer(sends(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)) as server:
            assert await fetch(transport, endpoint(base_url=server.base_url))
