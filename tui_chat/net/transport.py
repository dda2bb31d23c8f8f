"""HTTP over httpx: the only module that knows it. Its exceptions become Failures here and nowhere else."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.request
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx

from tui_chat import __version__
from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import Broken, Kind, failure
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.failure import Failure
    from tui_chat.wire.codec import Request

LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=32, keepalive_expiry=60.0)
WRITE_S = 60.0
POOL_S = 10.0
FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError)
"""What httpx is known to raise; a socket's own errors slip through it at times."""


class HttpTransport:
    """Keeps one client, and so one pool of connections, for each way out of this machine."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, bool, str | None, str | None], httpx.AsyncClient] = {}

    @asynccontextmanager
    async def open(self, endpoint: Endpoint, request: Request) -> AsyncGenerator[HttpAnswer, None]:
        """Send `request`; the answer's headers are here when this enters, and its socket is free when it leaves."""
        connecting = ConnectTrace()
        try:
            response = await self._send(endpoint, request, connecting)
        except FOREIGN as error:
            raise Broken(translate(error, endpoint)) from error
        try:
            yield HttpAnswer(response, endpoint, connecting.seconds)
        finally:
            with suppress(*FOREIGN):
                await response.aclose()

    async def close(self) -> None:
        """Close every connection."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def _send(self, endpoint: Endpoint, request: Request, connecting: ConnectTrace) -> httpx.Response:
        client = self._client(endpoint)
        limits = endpoint.timeouts
        timeout = httpx.Timeout(connect=limits.connect or None, read=None, write=WRITE_S, pool=POOL_S)
        headers = {name: v.reveal() if isinstance(v, Secret) else v for name, v in request.headers.items()}
        built = client.build_request(
            request.method,
            request.url,
            headers=headers,
            content=request.body or None,
            timeout=timeout,
            extensions={"trace": connecting.hear},
        )
        return await client.send(built, stream=True)

    def _client(self, endpoint: Endpoint) -> httpx.AsyncClient:
        # Proxies of the environment are for the way out; a local server is never behind one.
        way = (endpoint.base_url.partition(":")[0], endpoint.local, endpoint.proxy, endpoint.ca_file)
        if way not in self._clients:
            self._clients[way] = _new_client(endpoint)
        return self._clients[way]


class HttpAnswer:
    """An answer whose headers are here."""

    def __init__(self, response: httpx.Response, endpoint: Endpoint, connect_s: float | None) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self.connect_s = connect_s
        self.via = proxy_for(endpoint)
        self._response = response
        self._endpoint = endpoint

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; asked for as it is, decompressed if the server compresses all the same."""
        encoding = self.headers.get("content-encoding", "identity").lower()
        body = self._response.aiter_raw() if encoding in ("identity", "") else self._response.aiter_bytes()
        try:
            async for chunk in body:
                yield chunk
        except FOREIGN as error:
            raise Broken(translate(error, self._endpoint)) from error


class ConnectTrace:
    """Adds up the time that TCP and TLS take, from httpcore's trace events."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._started = 0.0

    async def hear(self, event: str, info: Mapping[str, Any]) -> None:
        name, _, stage = event.rpartition(".")
        if name.rpartition(".")[2] in ("connect_tcp", "connect_unix_socket", "start_tls"):
            if stage == "started":
                self._started = time.monotonic()
            else:
                self.seconds = (self.seconds or 0.0) + time.monotonic() - self._started


def proxy_for(endpoint: Endpoint) -> str | None:
    """The proxy that requests to this endpoint go through, without its credentials."""
    proxy = endpoint.proxy
    if proxy is None and not endpoint.local and not urllib.request.proxy_bypass(endpoint.host):
        proxies = urllib.request.getproxies()
        proxy = proxies.get(endpoint.base_url.partition(":")[0]) or proxies.get("all")
    if proxy is None:
        return None
    scheme, mark, rest = proxy.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _new_client(endpoint: Endpoint) -> httpx.AsyncClient:
    try:
        trust = _trust(endpoint)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Broken(failure(Kind.TLS, say("fail.ca_file", path=endpoint.ca_file, reason=reason))) from error
    try:
        return httpx.AsyncClient(
            verify=trust,
            proxy=endpoint.proxy,
            trust_env=not endpoint.local,
            limits=LIMITS,
            follow_redirects=False,
            headers={"User-Agent": f"tui-chat/{__version__}", "Accept-Encoding": "identity"},
        )
    except (ValueError, ImportError) as error:
        # A proxy that httpx does not know, or socks without its extra package.
        proxy = proxy_for(endpoint) or "?"
        raise Broken(
            failure(Kind.PROXY, say("fail.proxy_setup", proxy=proxy, reason=error), retryable=False)
        ) from error


def _trust(endpoint: Endpoint) -> ssl.SSLContext | bool:
    if endpoint.ca_file is not None:
        return ssl.create_default_context(cafile=endpoint.ca_file)
    if endpoint.base_url.startswith("http:") and endpoint.local:
        # Trusts nobody, and spares plain http the reading of every certificate authority.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


def translate(error: Exception, endpoint: Endpoint) -> Failure:
    """The Failure behind an exception of httpx; the causes below it tell what its own type does not."""
    host = endpoint.host
    causes = list(_causes(error))
    reason = next((str(c) for c in causes if str(c)), type(error).__name__)
    proxy = proxy_for(endpoint)
    if isinstance(error, httpx.ProxyError):
        return failure(Kind.PROXY, say("fail.proxy", proxy=proxy or "?", reason=reason))
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)):
        return failure(Kind.PROTOCOL, say("fail.url", url=endpoint.base_url, reason=reason))
    if isinstance(error, httpx.PoolTimeout):
        return failure(Kind.CONNECT_TIMEOUT, say("fail.pool"))
    if isinstance(error, httpx.ConnectTimeout):
        return failure(Kind.CONNECT_TIMEOUT, say("fail.connect_timeout", host=host, seconds=endpoint.timeouts.connect))
    if any(isinstance(c, ssl.SSLError) for c in causes) or "SSL" in reason:
        return failure(Kind.TLS, say("fail.tls", host=host, reason=_tls_reason(causes, reason)))
    if any(isinstance(c, socket.gaierror) for c in causes) or "[Errno -" in reason:
        return failure(Kind.DNS, say("fail.dns", host=host))
    if isinstance(error, httpx.ConnectError):
        where = proxy or endpoint.origin
        return failure(Kind.REFUSED, say("fail.refused", where=where, reason=reason))
    if isinstance(error, httpx.DecodingError):
        return failure(Kind.PROTOCOL, say("fail.compressed", reason=reason))
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in reason and "closed" not in reason:
        return failure(Kind.PROTOCOL, say("fail.http", host=host, reason=reason))
    return failure(Kind.RESET, say("fail.reset", host=host, reason=reason))


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
