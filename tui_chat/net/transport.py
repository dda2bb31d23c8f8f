"""HTTP over httpx: the only module that knows it. Its exceptions become Failures here and nowhere else."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
import urllib.request
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import httpx

from tui_chat import __version__
from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import Broken, Failure, Kind, failure
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator, Mapping

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.wire.codec import Request

LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60.0)
MOST_IDLE = 32
"""Connections that are kept for later, to each endpoint."""
WRITE_S = 60.0
FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError, ExceptionGroup)
"""What httpx is known to raise; a socket's own errors slip through it at times, alone or in a group."""
REASON_LIMIT = 200
"""Characters: some exceptions quote what a server sent."""
BAD_URL = (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, OverflowError)
HANDSHAKE_STEPS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""No errors: any trouble of a TLS connection has come up while one of them was handled."""

Way = tuple[str, str | None, str | None]


class HttpTransport:
    """Lends each answer a client, and so a connection, of its own; one that was read to its end is used again.

    A cancellation that falls into httpx's own cleaning up makes it lose a connection, which then stays open and keeps
    its place in the pool (encode/httpx#3782). Here it can only lose the one in hand, and that is closed whole.
    """

    def __init__(self) -> None:
        self._trust: dict[tuple[bool, str | None], ssl.SSLContext] = {}
        self._idle: dict[Way, list[httpx.AsyncClient]] = {}
        self._closed = False

    @asynccontextmanager
    async def open(self, endpoint: Endpoint, request: Request) -> AsyncGenerator[HttpAnswer, None]:
        """Send `request`; the answer's headers are here when this enters, and its socket is free when it leaves."""
        headers = _headers(request)
        way = (endpoint.origin, endpoint.proxy, endpoint.ca_file)
        client = self._lend(way, endpoint)
        connecting = ConnectTrace()
        answer: HttpAnswer | None = None
        try:
            with translated(endpoint):
                built = client.build_request(
                    request.method,
                    request.url,
                    headers=headers,
                    content=request.body or None,
                    timeout=httpx.Timeout(
                        connect=endpoint.timeouts.connect or None, read=None, write=WRITE_S, pool=None
                    ),
                    extensions={"trace": connecting.hear},
                )
                response = await client.send(built, stream=True)
            answer = HttpAnswer(response, endpoint, connecting.seconds)
            yield answer
        finally:
            idle = self._idle.setdefault(way, [])
            if answer is not None and answer.whole and len(idle) < MOST_IDLE and not self._closed:
                idle.append(client)
            else:
                await _undisturbed(_give_up(client, connecting.stream))

    async def close(self) -> None:
        """Close the connections that were kept, and keep no more; one under way is closed when its answer is left."""
        self._closed = True
        clients = [client for idle in self._idle.values() for client in idle]
        self._idle.clear()
        for client in clients:
            await _undisturbed(client.aclose())

    def _lend(self, way: Way, endpoint: Endpoint) -> httpx.AsyncClient:
        idle = self._idle.get(way)
        return idle.pop() if idle else _new_client(endpoint, self._trust_for(endpoint))

    def _trust_for(self, endpoint: Endpoint) -> ssl.SSLContext:
        # Plain http to this machine trusts nobody, and is spared the reading of every certificate authority.
        plain = endpoint.local and endpoint.origin.startswith("http:")
        which = (plain, endpoint.ca_file)
        if which not in self._trust:
            self._trust[which] = new_trust(endpoint.ca_file, plain=plain)
        return self._trust[which]


class HttpAnswer:
    """An answer whose headers are here."""

    def __init__(self, response: httpx.Response, endpoint: Endpoint, connect_s: float | None) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self.connect_s = connect_s
        self.via = proxy_for(endpoint)
        self.whole = False
        """The body was read to its end."""
        self._response = response
        self._endpoint = endpoint

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives; asked for as it is, decompressed if the server compresses all the same."""
        encoding = self.headers.get("content-encoding", "identity").lower()
        body = self._response.aiter_raw() if encoding in ("identity", "") else self._response.aiter_bytes()
        with translated(self._endpoint):
            async with aclosing(cast("AsyncGenerator[bytes, None]", body)) as pieces:
                async for piece in pieces:
                    yield piece
        self.whole = True


@contextmanager
def translated(endpoint: Endpoint) -> Generator[None, None, None]:
    """Every foreign exception comes out as Broken."""
    try:
        yield
    except FOREIGN as error:
        raise Broken(translate(error, endpoint)) from error


async def _give_up(client: httpx.AsyncClient, stream: Any) -> None:
    """Close a client and its socket, which httpx forgets when the handshake above it is cancelled."""
    for close in (client.aclose, *([stream.aclose] if stream is not None else [])):
        with suppress(Exception):
            await close()


async def _undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Carry out `work` to its end; a cancellation meanwhile goes on after it."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def _headers(request: Request) -> dict[str, str]:
    """The headers with their secrets; one that cannot be sent is named here, for httpx would quote it."""
    headers: dict[str, str] = {}
    for name, given in request.headers.items():
        value = given.reveal() if isinstance(given, Secret) else given
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            kind = Kind.AUTH if isinstance(given, Secret) else Kind.PROTOCOL
            raise Broken(Failure(kind, say("fail.header", name=name), say("hint.header")))
        headers[name] = value
    return headers


class ConnectTrace:
    """Adds up the time that TCP and TLS take, from httpcore's trace events."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.stream: Any = None
        """The TCP connection, when one was opened."""
        self._started = 0.0

    async def hear(self, event: str, info: Mapping[str, Any]) -> None:
        name, _, stage = event.rpartition(".")
        if name.rpartition(".")[2] in ("connect_tcp", "connect_unix_socket", "start_tls"):
            if stage == "started":
                self._started = time.monotonic()
            else:
                self.seconds = (self.seconds or 0.0) + time.monotonic() - self._started
            if self.stream is None and stage == "complete":
                self.stream = info.get("return_value")


def proxy_for(endpoint: Endpoint) -> str | None:
    """The proxy that requests to this endpoint go through, without its credentials."""
    proxy = proxy_url(endpoint)
    if proxy is None:
        return None
    scheme, mark, rest = proxy.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def proxy_url(endpoint: Endpoint) -> str | None:
    """The proxy with its credentials: the endpoint's own, else that of the environment, which is for the way out."""
    if endpoint.proxy is not None or endpoint.local or urllib.request.proxy_bypass(endpoint.host):
        return endpoint.proxy
    proxies = urllib.request.getproxies()
    return proxies.get(endpoint.base_url.partition(":")[0]) or proxies.get("all")


def _new_client(endpoint: Endpoint, trust: ssl.SSLContext) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(
            verify=trust,
            proxy=endpoint.proxy,
            # Proxies of the environment are for the way out; a local server is never behind one.
            trust_env=not endpoint.local,
            limits=LIMITS,
            follow_redirects=False,
            headers={"User-Agent": f"tui-chat/{__version__}", "Accept-Encoding": "identity"},
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        # A proxy that httpx does not know, or socks without its extra package.
        proxy = proxy_for(endpoint) or "?"
        raise Broken(
            failure(Kind.PROXY, say("fail.proxy_setup", proxy=proxy, reason=error), retryable=False)
        ) from error


def new_trust(ca_file: str | None, *, plain: bool) -> ssl.SSLContext:
    """Whom a connection trusts: `ca_file`, else SSL_CERT_FILE, else the usual authorities. Raises Broken."""
    if plain and ca_file is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    except OSError as error:
        path = ca_file or os.environ.get("SSL_CERT_FILE", "")
        message = say("fail.ca_file", path=path, reason=error.strerror or str(error))
        raise Broken(failure(Kind.TLS, message)) from error


def translate(error: Exception, endpoint: Endpoint) -> Failure:
    """The Failure behind an exception of httpx; the causes below it tell what its own type does not."""
    host = endpoint.host
    causes = list(_causes(error))
    reason = _reason(causes)
    proxy = proxy_for(endpoint)
    if isinstance(error, httpx.ProxyError):
        # What begins with a status of its own accord is the proxy's answer: only a 5xx may mend itself.
        retryable = not reason[:1].isdigit() or reason.startswith("5")
        return failure(Kind.PROXY, say("fail.proxy", proxy=proxy or "?", reason=reason), retryable=retryable)
    if any(isinstance(c, BAD_URL) for c in causes):
        return failure(Kind.PROTOCOL, say("fail.url", url=endpoint.base_url, reason=reason))
    if isinstance(error, httpx.ConnectTimeout):
        where = proxy or host
        return failure(Kind.CONNECT_TIMEOUT, say("fail.connect_timeout", host=where, seconds=endpoint.timeouts.connect))
    if any(isinstance(c, ssl.SSLError) and not isinstance(c, HANDSHAKE_STEPS) for c in causes):
        return failure(Kind.TLS, say("fail.tls", host=host, reason=_tls_reason(causes, reason)))
    if isinstance(error, httpx.ConnectError) and proxy is not None:
        return failure(Kind.PROXY, say("fail.refused", where=proxy, reason=reason))
    if any(isinstance(c, socket.gaierror) for c in causes):
        return failure(Kind.DNS, say("fail.dns", host=host))
    if isinstance(error, httpx.ConnectError):
        return failure(Kind.REFUSED, say("fail.refused", where=endpoint.origin, reason=reason))
    if isinstance(error, httpx.DecodingError):
        return failure(Kind.PROTOCOL, say("fail.compressed", reason=reason))
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in reason and "closed" not in reason:
        return failure(Kind.PROTOCOL, say("fail.http", host=host, reason=reason))
    return failure(Kind.RESET, say("fail.reset", host=host, reason=reason))


def _reason(causes: list[BaseException]) -> str:
    """The system's own word for it where there is one, else what the outermost exception says that says anything."""
    for cause in reversed(causes):
        if isinstance(cause, OSError) and not isinstance(cause, (ssl.SSLError, socket.gaierror)) and cause.errno:
            return os.strerror(cause.errno)
    return next((str(cause)[:REASON_LIMIT] for cause in causes if str(cause)), type(causes[0]).__name__)


def _tls_reason(causes: list[BaseException], reason: str) -> str:
    """The words of a certificate's rejection, without OpenSSL's numbers."""
    verify = next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None)
    if verify is not None and verify.verify_message:
        return verify.verify_message
    known = next((c for c in causes if isinstance(c, ssl.SSLError) and c.reason), None)
    return known.reason.lower().replace("_", " ") if known is not None and known.reason else reason


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, the outermost first."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        at = queue.pop(0)
        if id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        queue += [e for e in (at.__cause__, at.__context__) if e is not None]
        if isinstance(at, BaseExceptionGroup):
            queue += cast("BaseExceptionGroup[BaseException]", at).exceptions
