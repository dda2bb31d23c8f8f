"""The steps beneath HTTP, on real sockets and with real certificates."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.kit import endpoint
from tests.kit.sockets import SocketServer, Wire, free_port, sized
from tui_chat.domain.checkup import Route
from tui_chat.domain.endpoint import Timeouts
from tui_chat.domain.failure import Broken, Kind
from tui_chat.net.probe import NetProbe

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from tui_chat.domain.failure import Failure

PROXIES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]
PROBE = NetProbe()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*PROXIES, "ssl_cert_file", "ssl_cert_dir"]:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
async def _in_time() -> Any:
    async with asyncio.timeout(20):
        yield


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Example Trust")


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_tls(authority: trustme.CA, *names: str, **settings: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*(names or ("127.0.0.1", "localhost", "far.example")), **settings).configure_cert(context)
    return context


async def silent(wire: Wire) -> None:
    await wire.gone()


async def trouble(work: Awaitable[object]) -> Failure:
    with pytest.raises(Broken) as caught:
        await work
    assert caught.value.failure.hint
    assert "()" not in caught.value.failure.message
    return caught.value.failure


# the name


async def test_names_become_addresses() -> None:
    found = await PROBE.resolve(endpoint(base_url="http://localhost:9/v1"))
    assert set(found) <= {"127.0.0.1", "::1"}
    assert found
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("https://nowhere.invalid/v1", Kind.DNS, "nowhere.invalid"),
        ("http://127.0.0.1:99999/v1", Kind.PROTOCOL, "99999"),
        ("http://" + "a" * 70 + ".example/v1", Kind.PROTOCOL, "cannot be used"),
        ("ftp://localhost/v1", Kind.PROTOCOL, "ftp"),
    ],
)
async def test_names_that_have_none(url: str, kind: Kind, words: str) -> None:
    found = await trouble(PROBE.resolve(endpoint(base_url=url)))
    assert found.kind is kind
    assert words in found.message


async def test_a_resolver_that_hangs_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(5))
    began = time.monotonic()
    found = await trouble(PROBE.resolve(endpoint(base_url="http://slow.example", timeouts=Timeouts(connect=0.05))))
    assert (found.kind, "0.05 s" in found.message) == (Kind.DNS, True)
    assert time.monotonic() - began < 4


# the connection


async def test_a_connection() -> None:
    async with SocketServer(silent) as server:
        at = endpoint(base_url=server.base_url)
        assert await PROBE.connect(at, ["127.0.0.1"]) == "127.0.0.1"
        await server.wires[0].left.wait()


async def test_the_address_that_answers_is_taken() -> None:
    async with SocketServer(silent) as server:
        at = endpoint(base_url=server.base_url)
        assert await PROBE.connect(at, ["127.0.0.2", "::1", "127.0.0.1"]) == "127.0.0.1"


async def test_nobody_listens() -> None:
    at = endpoint(base_url=f"http://127.0.0.1:{free_port()}/v1")
    found = await trouble(PROBE.connect(at, ["127.0.0.1"]))
    assert (found.kind, "Connection refused" in found.message) == (Kind.REFUSED, True)
    assert (await trouble(PROBE.connect(at, []))).kind is Kind.REFUSED


async def test_a_connection_that_takes_too_long() -> None:
    at = endpoint(base_url="http://far.example:9/v1", timeouts=Timeouts(connect=0.05))
    found = await trouble(PROBE.connect(at, ["192.0.2.1"]))
    assert found.kind in (Kind.CONNECT_TIMEOUT, Kind.REFUSED)  # refused where there is no way to anywhere


# the certificate


async def test_a_certificate(authority: trustme.CA, ca_file: str) -> None:
    until = datetime.now(UTC) + timedelta(days=30)
    async with SocketServer(silent, server_tls(authority, "127.0.0.1", not_after=until)) as server:
        at = endpoint(base_url=server.base_url, ca_file=ca_file)
        found = await PROBE.secure(at, "127.0.0.1")
    assert "Example Trust" in found.issuer
    assert found.protocol.startswith("TLSv1.")
    assert abs(found.until - until.timestamp()) < 2


async def test_the_environment_s_certificate_file(
    authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    async with SocketServer(silent, server_tls(authority)) as server:
        assert "Example Trust" in (await PROBE.secure(endpoint(base_url=server.base_url), "127.0.0.1")).issuer


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "settings", "trusted", "words"),
    [
        ((), {}, False, "issuer certificate"),
        ((), {"not_before": YESTERDAY - timedelta(days=9), "not_after": YESTERDAY}, True, "expired"),
        (("elsewhere.example",), {}, True, "127.0.0.1"),
    ],
    ids=["nobody vouches", "expired", "wrong host"],
)
async def test_certificates_that_do_not_hold(
    names: tuple[str, ...], settings: dict[str, Any], trusted: bool, words: str, authority: trustme.CA, ca_file: str
) -> None:
    async with SocketServer(silent, server_tls(authority, *names, **settings)) as server:
        at = endpoint(base_url=server.base_url, ca_file=ca_file if trusted else None)
        found = await trouble(PROBE.secure(at, "127.0.0.1"))
    assert found.kind is Kind.TLS
    assert words in found.message
    assert "ca_file or SSL_CERT_FILE" in found.hint


async def test_a_self_signed_certificate(tmp_path: Path) -> None:
    alone = trustme.CA(organization_name="Myself")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    alone.cert_pem.write_to_path(str(certificate))
    alone.private_key_pem.write_to_path(str(key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with SocketServer(silent, context) as server:
        found = await trouble(PROBE.secure(endpoint(base_url=server.base_url), "127.0.0.1"))
    assert (found.kind, "self-signed" in found.message or "self signed" in found.message) == (Kind.TLS, True)


async def test_a_certificate_file_that_cannot_be_read() -> None:
    at = endpoint(base_url="https://127.0.0.1:9/v1", ca_file="/nowhere/ca.pem")
    found = await trouble(PROBE.secure(at, "127.0.0.1"))
    assert (found.kind, "/nowhere/ca.pem" in found.message) == (Kind.TLS, True)


async def test_a_handshake_that_is_not_answered() -> None:
    async with SocketServer(silent) as server:
        at = endpoint(base_url=f"https://127.0.0.1:{server.port}", timeouts=Timeouts(connect=0.05))
        assert (await trouble(PROBE.secure(at, "127.0.0.1"))).kind is Kind.CONNECT_TIMEOUT


@pytest.mark.parametrize("end", [Wire.reset, lambda wire: None], ids=["reset", "closed"])
async def test_a_handshake_cut_short(end: Any) -> None:
    async def handler(wire: Wire) -> None:
        await wire.reader.read(100)
        end(wire)

    async with SocketServer(handler) as server:
        at = endpoint(base_url=f"https://127.0.0.1:{server.port}/v1")
        assert (await trouble(PROBE.secure(at, "127.0.0.1"))).kind is Kind.TLS


# the proxy


def tunnel_to(port: int) -> Any:
    """A proxy whose every tunnel leads to this port."""

    async def handler(wire: Wire) -> None:
        await wire.request()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                target.write(data)

        ways = [asyncio.ensure_future(carry(wire.reader, writer)), asyncio.ensure_future(carry(reader, wire.writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()

    return handler


FAR = "https://far.example/v1"


async def test_a_certificate_seen_through_a_proxy(authority: trustme.CA, ca_file: str) -> None:
    async with SocketServer(silent, server_tls(authority)) as server, SocketServer(tunnel_to(server.port)) as proxy:
        at = endpoint(base_url=FAR, proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}", ca_file=ca_file)
        await PROBE.reach_proxy(at)
        assert "Example Trust" in (await PROBE.secure(at, None)).issuer
        head = proxy.requests[0].decode()
    assert head.startswith("CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n")
    assert "Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in head


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (sized(b"", status=b"407 Proxy Authentication Required"), "407 Proxy Authentication Required"),
        (sized(b"", status=b"502 Bad Gateway"), "502"),
        (b"", "closed the connection"),
        (b"x" * 100_000, "closed the connection"),
    ],
)
async def test_a_proxy_that_lends_no_tunnel(answer: bytes, words: str) -> None:
    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.send(answer)

    async with SocketServer(handler) as server:
        at = endpoint(base_url=FAR, proxy=f"http://me:secret@127.0.0.1:{server.port}")
        found = await trouble(PROBE.reach_proxy(at))
    assert found.kind is Kind.PROXY
    assert words in found.message
    assert "secret" not in f"{found}"


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://me:secret@127.0.0.1:9", "Connection refused"),
        ("http://me:secret@nowhere.invalid:1", "http://nowhere.invalid:1"),
        ("http://me:secret@127.0.0.1:none", "cannot be used"),
        ("ftp://me:secret@127.0.0.1", "socks5://"),
    ],
)
async def test_a_proxy_out_of_reach(proxy: str, words: str) -> None:
    found = await trouble(PROBE.reach_proxy(endpoint(base_url=FAR, proxy=proxy)))
    assert found.kind is Kind.PROXY
    assert words in found.message
    assert "secret" not in f"{found}"


async def test_a_proxy_that_only_has_to_be_there() -> None:
    async with SocketServer(silent) as server:
        for url, proxy in (("http://far.example", "http://"), (FAR, "socks5://"), (FAR, "https://")):
            await PROBE.reach_proxy(endpoint(base_url=url, proxy=f"{proxy}127.0.0.1:{server.port}"))
        assert server.requests == []


HTTP, SOCKS = "http://me:pw@proxy.example:3128", "socks5://proxy.example"


@pytest.mark.parametrize(
    ("changes", "env", "route"),
    [
        ({"base_url": FAR}, {}, Route(None)),
        ({"base_url": FAR}, {"HTTPS_PROXY": HTTP}, Route("http://proxy.example:3128", "HTTPS_PROXY", tunnel=True)),
        ({"base_url": FAR}, {"https_proxy": HTTP}, Route("http://proxy.example:3128", "https_proxy", tunnel=True)),
        ({"base_url": FAR}, {"HTTP_PROXY": HTTP}, Route(None)),
        ({"base_url": FAR}, {"ALL_PROXY": SOCKS}, Route("socks5://proxy.example", "ALL_PROXY")),
        ({"base_url": FAR}, {"HTTPS_PROXY": HTTP, "NO_PROXY": "far.example"}, Route(None, "HTTPS_PROXY")),
        ({"base_url": "https://localhost/v1"}, {"ALL_PROXY": HTTP}, Route(None, "ALL_PROXY")),
        (
            {"base_url": "https://localhost/v1", "proxy": HTTP},
            {"HTTPS_PROXY": SOCKS},
            Route("http://proxy.example:3128", "`proxy` of endpoints.test", tunnel=True),
        ),
    ],
)
def test_which_way_it_is(
    changes: dict[str, str], env: dict[str, str], route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert PROBE.route(endpoint(**changes)) == route
