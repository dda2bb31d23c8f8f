"""What lies beneath HTTP, one step at a time: the name, the connection, the proxy, the certificate.

Each step opens what it needs and closes it; whatever goes wrong comes out as Broken.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from tui_chat.domain.checkup import Certificate, Route
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.domain.words import say
from tui_chat.net.transport import new_trust, proxy_for, proxy_url, translate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence

    from tui_chat.domain.endpoint import Endpoint

T = TypeVar("T")
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
STAGGER_S = 0.25
"""Head start of each address before the next one is tried beside it (RFC 8305)."""
HEAD_LIMIT = 64 * 1024


class NetProbe:
    """engine.doctor.Probe on real sockets; a step takes no longer than the endpoint's `timeouts.connect`."""

    def route(self, endpoint: Endpoint) -> Route:
        """Which way requests go, and what says so."""
        named = say("doctor.proxy_own", endpoint=endpoint.name) if endpoint.proxy else _variable(endpoint)
        proxy = proxy_for(endpoint)
        tunnel = proxy is not None and urlsplit(proxy).scheme in ("http", "")
        return Route(proxy, named, tunnel)

    async def resolve(self, endpoint: Endpoint) -> list[str]:
        """The addresses of the endpoint's host, as the system gives them."""
        host, port = endpoint.host, _port(endpoint)
        limit = endpoint.timeouts.connect
        slow = Broken(failure(Kind.DNS, say("fail.dns_slow", host=host, seconds=limit)))
        with _translated(endpoint, slow):
            async with asyncio.timeout(limit or None):
                found = await _aside(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def connect(self, endpoint: Endpoint, addresses: Sequence[str]) -> str:
        """Connect to whichever address answers first: that address."""
        with _translated(endpoint):
            async with asyncio.timeout(endpoint.timeouts.connect or None):
                return await _first(addresses, _port(endpoint))

    async def reach_proxy(self, endpoint: Endpoint) -> None:
        """Connect to the proxy, and through it to the server where it lends a tunnel for that."""
        with _translated(endpoint):
            async with asyncio.timeout(endpoint.timeouts.connect or None):
                async with _through_proxy(endpoint):
                    pass

    async def secure(self, endpoint: Endpoint, address: str | None) -> Certificate:
        """The certificate with which the server at `address`, or behind the proxy, proves itself."""
        trust = new_trust(endpoint.ca_file, plain=False)
        with _translated(endpoint, cut=(Kind.TLS, "fail.tls")):
            async with asyncio.timeout(endpoint.timeouts.connect or None):
                if address is None:
                    async with _through_proxy(endpoint) as (_, writer):
                        await writer.start_tls(trust, server_hostname=endpoint.host)
                        return _certificate(writer)
                async with _opened(address, _port(endpoint), trust, endpoint.host) as (_, writer):
                    return _certificate(writer)


def _port(endpoint: Endpoint) -> int:
    parts = urlsplit(endpoint.base_url)
    try:
        return parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError) as error:
        reason = str(error) if isinstance(error, ValueError) else parts.scheme
        raise Broken(failure(Kind.PROTOCOL, say("fail.url", url=endpoint.base_url, reason=reason))) from error


def _variable(endpoint: Endpoint) -> str:
    """The variable that names a proxy for URLs such as the endpoint's, followed or not; empty when there is none."""
    scheme = endpoint.base_url.partition(":")[0]
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name)), "")


async def _aside(work: Callable[[], T]) -> T:
    """The result of blocking work, done in a thread that no one waits for once the answer is no longer wanted."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # pyright: ignore[reportArgumentType]  # None only beside an error

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody wants it any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await done


async def _first(addresses: Sequence[str], port: int) -> str:
    """The first address that takes a connection; raises the OSError of the last when none does."""

    async def attempt(place: int, address: str) -> str:
        await asyncio.sleep(place * STAGGER_S)
        async with _opened(address, port):
            return address

    tasks = [asyncio.ensure_future(attempt(*entry)) for entry in enumerate(addresses)]
    try:
        trouble = OSError(say("fail.no_address"))
        for next_done in asyncio.as_completed(tasks):
            try:
                return await next_done
            except OSError as error:
                trouble = error
        raise trouble
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _opened(
    host: str, port: int, trust: ssl.SSLContext | None = None, name: str | None = None
) -> AsyncGenerator[Wire, None]:
    reader, writer = await asyncio.open_connection(host, port, ssl=trust, server_hostname=name, limit=HEAD_LIMIT)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def _through_proxy(endpoint: Endpoint) -> AsyncGenerator[Wire, None]:
    """A connection to the proxy; for an https endpoint behind an http proxy, the tunnel to the server."""
    proxy = _proxy_parts(endpoint)
    try:
        async with _opened(proxy.hostname or "", proxy.port or PORTS[proxy.scheme]) as (reader, writer):
            if proxy.scheme == "http" and endpoint.base_url.startswith("https:"):
                await _open_tunnel(endpoint, proxy, reader, writer)
            yield reader, writer
    except ssl.SSLError:
        raise
    except OSError as error:
        where = proxy_for(endpoint) or "?"
        raise Broken(failure(Kind.PROXY, say("fail.refused", where=where, reason=_reason(error)))) from error


def _proxy_parts(endpoint: Endpoint) -> SplitResult:
    url = proxy_url(endpoint) or ""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError(say("fail.proxy_kind"))
        _ = parts.port
    except ValueError as error:
        shown = proxy_for(endpoint) or "?"
        raise Broken(
            failure(Kind.PROXY, say("fail.proxy_setup", proxy=shown, reason=error), retryable=False)
        ) from error
    return parts


async def _open_tunnel(
    endpoint: Endpoint, proxy: SplitResult, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = [f"CONNECT {host}:{_port(endpoint)} HTTP/1.1", f"Host: {host}:{_port(endpoint)}"]
    if proxy.username is not None:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}")
    writer.write("\r\n".join([*lines, "", ""]).encode("utf-8", "replace"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        reason = say("doctor.no_tunnel")
        raise Broken(failure(Kind.PROXY, say("fail.proxy", proxy=proxy_for(endpoint), reason=reason))) from error
    status = head.split(b"\r\n", 1)[0].decode("ascii", "replace").partition(" ")[2]
    if not status.startswith("2"):
        raise Broken(failure(Kind.PROXY, say("fail.proxy", proxy=proxy_for(endpoint), reason=status)))


def _certificate(writer: asyncio.StreamWriter) -> Certificate:
    found = writer.get_extra_info("peercert")
    names = {kind: value for part in found["issuer"] for kind, value in part}
    issuer = ", ".join(names[kind] for kind in ("organizationName", "commonName") if kind in names)
    protocol = writer.get_extra_info("ssl_object").version()
    return Certificate(issuer or "?", protocol or "TLS", ssl.cert_time_to_seconds(found["notAfter"]))


@contextmanager
def _translated(
    endpoint: Endpoint, late: Broken | None = None, *, cut: tuple[Kind, str] = (Kind.REFUSED, "fail.refused")
) -> Generator[None, None, None]:
    """Every exception of sockets and TLS comes out as Broken: running out of time as `late`, a lost line as `cut`."""
    where = proxy_for(endpoint) or endpoint.host
    try:
        yield
    except TimeoutError as error:
        message = say("fail.connect_timeout", host=where, seconds=endpoint.timeouts.connect)
        raise late or Broken(failure(Kind.CONNECT_TIMEOUT, message)) from error
    except (ssl.SSLError, socket.gaierror, UnicodeError) as error:
        raise Broken(translate(error, endpoint)) from error
    except OSError as error:
        kind, words = cut
        raise Broken(
            failure(kind, say(words, where=endpoint.origin, host=endpoint.host, reason=_reason(error)))
        ) from error


def _reason(error: OSError) -> str:
    """The system's words for it; asyncio and the resolver put others in their place."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__
