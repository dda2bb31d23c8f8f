"""HTTP/1.1 for one server connection: requests in, JSON answers and chunked streams out."""

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from msgspec import Struct

HEAD_LIMIT = 65_536
BODY_LIMIT = 32 * 1024 * 1024
_LINE_LIMIT = 4096
_READ_SIZE = 65_536
_PIPELINE_LIMIT = 262_144
_LINGER_SECONDS = 2.0

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.([01])")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_FIRST_BYTE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class HttpError(Exception):
    """An answer other than 200, with the fields of the dialect's error object."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})


class Head(Struct, frozen=True):
    """The request line and the headers; header names are lower-case."""

    method: str
    path: str
    minor: int
    headers: dict[str, str]

    @property
    def keep_alive(self) -> bool:
        options = {option.strip().lower() for option in self.headers.get("connection", "").split(",")}
        return "close" not in options and (self.minor == 1 or "keep-alive" in options)


def _bad(message: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, message)


def _too_large() -> HttpError:
    return HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request body is larger than {BODY_LIMIT // 1024 // 1024} MiB.",
        code="request_too_large",
    )


def parse_head(text: str) -> Head:
    """Parse a head without its closing blank line. Raises HttpError (400)."""
    first, *lines = re.split(r"\r?\n", text)
    request_line = _REQUEST_LINE.fullmatch(first)
    if request_line is None:
        raise _bad("The request line is not HTTP/1.1.")
    headers: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise _bad("A header line is malformed.")
        name = field[1].lower()
        if name == "content-length" and headers.get(name, field[2]) != field[2]:
            raise _bad("Content-Length is given twice, with different values.")
        headers[name] = f"{headers[name]}, {field[2]}" if name in headers and name != "content-length" else field[2]
    return Head(request_line[1], request_line[2].partition("?")[0], int(request_line[3]), headers)


class Connection:
    """One client connection. Every write waits until the kernel has taken the bytes.

    Raises ConnectionError from any method once the client has left.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received = bytearray()
        writer.transport.set_write_buffer_limits(0)

    async def read_head(self) -> Head | None:
        """The next request's head, or None when the client closed between two requests. Raises HttpError."""
        while True:
            del self._received[: len(self._received) - len(self._received.lstrip(b"\r\n"))]
            if self._received and _FIRST_BYTE.match(self._received) is None:
                raise _bad("This is not an HTTP request.")
            end = _HEAD_END.search(self._received)
            if end is not None:
                text = self._received[: end.start()].decode("latin-1")
                del self._received[: end.end()]
                return parse_head(text)
            if len(self._received) > HEAD_LIMIT:
                raise HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request headers are too large.")
            if not await self._receive():
                return None

    async def read_body(self, head: Head) -> bytes:
        """The body, by Content-Length or chunks; asks for it when the client expects 100. Raises HttpError."""
        encoding = head.headers.get("transfer-encoding")
        length = head.headers.get("content-length")
        if encoding is not None and (length is not None or encoding.lower() != "chunked"):
            raise _bad("Transfer-Encoding must be chunked, without a Content-Length.")
        if length is not None and re.fullmatch(r"[0-9]{1,19}", length) is None:
            raise _bad("Content-Length is not a number.")
        size = int(length or 0)
        if size > BODY_LIMIT:
            raise _too_large()
        if head.headers.get("expect", "").lower() == "100-continue" and not self._received:
            await self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._read_chunked() if encoding is not None else await self._read_exactly(size)

    async def send(
        self, head: Head | None, status: int, body: bytes, headers: Mapping[str, str], *, close: bool = False
    ) -> None:
        """Write a complete JSON answer; `head` is None when the request could not be read."""
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        start = self._status_and_headers(status, fields, close=close or head is None or not head.keep_alive)
        await self._write(start if head is not None and head.method == "HEAD" else start + body)

    async def open_stream(self, head: Head, headers: Mapping[str, str]) -> "Stream":
        """Begin a 200 answer of unknown length: chunked, or until the end for HTTP/1.0."""
        chunked = head.minor == 1
        fields = {**headers, **({"Transfer-Encoding": "chunked"} if chunked else {})}
        close = not (chunked and head.keep_alive)
        await self._write(self._status_and_headers(HTTPStatus.OK, fields, close=close))
        return Stream(self._write, chunked=chunked)

    async def while_connected(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, and end it at once when the client leaves. Raises ConnectionError in that case.

        What a client sends meanwhile is kept for the next request.
        """
        working = asyncio.create_task(work)
        watching = asyncio.create_task(self._until_gone())
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ConnectionResetError("the client left")
            await working
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def linger(self) -> None:
        """Swallow what the client still sends, so that closing does not take the answer back from it."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(_LINGER_SECONDS):
                self._writer.write_eof()
                while await self._reader.read(_READ_SIZE):
                    self._received.clear()

    async def reset(self) -> None:
        """Close with a TCP reset, after what was written has had time to arrive."""
        await asyncio.sleep(0.02)
        peer: socket.socket = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close at once: whatever was written is with the kernel already, or its writing was given up."""
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

    def _status_and_headers(self, status: int, headers: Mapping[str, str], *, close: bool) -> bytes:
        fields = {**headers, "Connection": "close" if close else "keep-alive"}
        lines = [f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _receive(self) -> bool:
        """Read more bytes. False at the end when nothing is pending; raises ConnectionError when something is."""
        data = await self._reader.read(_READ_SIZE)
        if not data and self._received:
            raise ConnectionResetError("the client left in the middle of a request")
        self._received += data
        return bool(data)

    async def _need(self) -> None:
        if not await self._receive():
            raise ConnectionResetError("the client left in the middle of a request")

    async def _read_exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            await self._need()
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    async def _read_line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > _LINE_LIMIT:
                raise _bad("A line of the chunked body is too long.")
            await self._need()
        line = bytes(self._received[:end]).removesuffix(b"\r")
        del self._received[: end + 1]
        return line

    async def _read_chunked(self) -> bytes:
        body = bytearray()
        while True:
            size_line = _CHUNK_SIZE.fullmatch(await self._read_line())
            if size_line is None:
                raise _bad("A chunk size is malformed.")
            size = int(size_line[1], 16)
            if len(body) + size > BODY_LIMIT:
                raise _too_large()
            if size == 0:
                break
            body += await self._read_exactly(size)
            if await self._read_line():
                raise _bad("A chunk is longer than its size says.")
        while await self._read_line():
            pass
        return bytes(body)

    async def _until_gone(self) -> None:
        with suppress(OSError):
            while data := await self._reader.read(_READ_SIZE):
                self._received += data
                if len(self._received) > _PIPELINE_LIMIT:
                    await asyncio.get_running_loop().create_future()


class Stream:
    """The body of one answer of unknown length."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], *, chunked: bool) -> None:
        self._write = write
        self._chunked = chunked

    async def write(self, data: bytes) -> None:
        """Send `data` (not empty) as one HTTP chunk."""
        await self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def end(self) -> None:
        if self._chunked:
            await self._write(b"0\r\n\r\n")
