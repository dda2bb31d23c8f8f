"""The built-in endpoint: a real HTTP server on loopback that speaks the OpenAI dialect, with faults on demand."""

import asyncio
import math
import random
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from tui_chat.demo.completion import (
    Pace,
    Performance,
    PromptCache,
    compose,
    continued_seed,
    continues,
    conversation_key,
    find_model,
    prompt_tokens,
    text_seed,
)
from tui_chat.demo.dialect import ChatRequest, Shape, Usage, error_body, model_list, parse_chat_request
from tui_chat.demo.http11 import Connection, Head, HttpError
from tui_chat.demo.models import DemoModel, Fault
from tui_chat.demo.request_log import RequestLog, without_secrets

HOST = "127.0.0.1"
LOG_LIMIT = 1000
_FLAKY_LIMIT = 1000
_METHODS = {
    "/v1/models": "GET",
    "/models": "GET",
    "/v1/chat/completions": "POST",
    "/chat/completions": "POST",
}


class DemoServer:
    """A chat-completions endpoint on 127.0.0.1 that answers from the tour.

    `speed` scales all pacing: 1 is the models' own speed, 2 twice that, 0 no waiting at all. `seed` decides the
    wording of requests that bring no seed of their own; None gives each such request another one. A request that
    goes on from a partial answer keeps to the wording of that answer.
    """

    def __init__(self, *, speed: float = 1.0, seed: int | None = 1) -> None:
        if not (math.isfinite(speed) and speed >= 0):
            raise ValueError("speed must be a number that is not negative")
        self.log: list[RequestLog] = []
        self._speed = speed
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._port: int | None = None
        self._handlers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._answered = 0
        self._refusals: dict[int, int] = {}
        self._cache = PromptCache()

    @property
    def port(self) -> int:
        """The port in use, after `start`."""
        if self._port is None:
            raise RuntimeError("the demo server has not been started")
        return self._port

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._handlers)

    async def start(self, port: int = 0, sock: socket.socket | None = None) -> None:
        """Listen; port 0 takes a free one. On a `sock` that listens already, answer who has called meanwhile.

        Raises OSError when the port is taken.
        """
        if self._server is not None:
            raise RuntimeError("the demo server is running")
        where: dict[str, Any] = {"host": HOST, "port": port} if sock is None else {"sock": sock}
        self._server = await asyncio.start_server(self._accept, **where)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, break all connections and wait for their handlers. Does nothing the second time."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        handlers = [*self._handlers]
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            writer.transport.abort()
            return
        handler = asyncio.create_task(self._serve(Connection(reader, writer)))
        self._handlers[handler] = writer
        handler.add_done_callback(self._forget)

    def _forget(self, handler: asyncio.Task[None]) -> None:
        # A handler that is cancelled before its first step closes nothing itself.
        self._handlers.pop(handler).transport.abort()

    async def _serve(self, connection: Connection) -> None:
        """Answer the requests of one connection until either side closes it."""
        try:
            with suppress(ConnectionError):
                while await self._serve_request(connection):
                    pass
        finally:
            await connection.close()

    async def _serve_request(self, connection: Connection) -> bool:
        """Answer one request. False when the connection is not to be used again."""
        try:
            head = await connection.read_head()
        except HttpError as error:
            await self._refuse_unread(connection, None, error)
            return False
        if head is None:
            return False
        entry = self._note(head)
        try:
            return await self._answer(connection, head, entry)
        except (ConnectionError, asyncio.CancelledError):
            entry.aborted = True
            raise
        finally:
            entry.end()

    def _note(self, head: Head) -> RequestLog:
        entry = RequestLog(head.method, head.path, without_secrets(head.headers))
        self.log.append(entry)
        del self.log[:-LOG_LIMIT]
        return entry

    async def _answer(self, connection: Connection, head: Head, entry: RequestLog) -> bool:
        try:
            body = await connection.read_body(head)
        except HttpError as error:
            _note_answer(entry, error.status)
            await self._refuse_unread(connection, head, error)
            return False
        try:
            return await self._route(connection, head, body, entry)
        except HttpError as error:
            _note_answer(entry, error.status)
            headers = {**error.headers, **self._request_id()}
            await connection.send(head, error.status, error_body(error), headers)
            return head.keep_alive

    async def _refuse_unread(self, connection: Connection, head: Head | None, error: HttpError) -> None:
        await connection.send(head, error.status, error_body(error), self._request_id(), close=True)
        await connection.linger()

    async def _route(self, connection: Connection, head: Head, body: bytes, entry: RequestLog) -> bool:
        method = _METHODS.get(head.path)
        if method is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"Unknown path: {head.path}", code="unknown_url")
        if head.method != method:
            message = f"{head.path} takes {method} only."
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"Allow": method})
        if method == "GET":
            _note_answer(entry, HTTPStatus.OK)
            await connection.send(head, HTTPStatus.OK, model_list(), self._request_id())
            return head.keep_alive
        return await self._complete(connection, head, parse_chat_request(body), entry)

    async def _complete(self, connection: Connection, head: Head, request: ChatRequest, entry: RequestLog) -> bool:
        entry.model = request.model
        model = find_model(request.model)
        prompt = prompt_tokens(request, model)
        if model.fault is Fault.FLAKY:
            self._refuse_twice(request)
        if model.fault is Fault.DROP and request.continue_final_message:
            # So that the break stays visible: a client may go on with it only where its user says so.
            message = "Unrecognized request argument supplied: continue_final_message"
            raise HttpError(HTTPStatus.BAD_REQUEST, message, param="continue_final_message")
        if model.fault in (Fault.DROP, Fault.STALL) and continues(request):
            model = replace(model, fault=Fault.NONE)
        headers = self._request_id()
        rng = random.Random(text_seed(request, self._seed_for(request)))
        reply = compose(request, model, rng)
        performance = Performance(
            connection=connection,
            head=head,
            headers=headers,
            model=model,
            reply=reply,
            shape=Shape(f"chatcmpl-demo-{self._answered:06}", int(time.time()), model.id, request.include_usage),
            usage=Usage(len(prompt), self._cache.look_up(prompt), reply.tokens, len(reply.reasoning)),
            pace=Pace(self._speed),
            rng=rng,
            entry=entry,
        )
        await connection.while_connected(performance.stream() if request.stream else performance.whole())
        return head.keep_alive and _can_be_reused(head, model, streamed=bool(request.stream))

    def _seed_for(self, request: ChatRequest) -> int:
        """The next seed, or for a partial answer the one that it came from, as far as the text tells."""
        if self._seed is not None:
            seed = newest = self._seed
        else:
            seed, newest = self._answered, self._answered - 1
        found = continued_seed(request, newest)
        return seed if found is None else found

    def _request_id(self) -> dict[str, str]:
        self._answered += 1
        return {"X-Request-Id": f"req_demo_{self._answered:06}"}

    def _refuse_twice(self, request: ChatRequest) -> None:
        """Count the attempts at one conversation. Raises HttpError 429, then 503, then forgets it."""
        key = conversation_key(request)
        refusals = self._refusals.pop(key, 0)
        if refusals == 2:
            return
        self._refusals[key] = refusals + 1
        if len(self._refusals) > _FLAKY_LIMIT:
            self._refusals.pop(next(iter(self._refusals)))
        raise _rate_limited() if refusals == 0 else _overloaded()


def _note_answer(entry: RequestLog, status: HTTPStatus) -> None:
    entry.status = int(status)
    entry.end()


def _can_be_reused(head: Head, model: DemoModel, *, streamed: bool) -> bool:
    """A reset connection is gone, and a stream over HTTP/1.0 ends with its connection."""
    return model.fault is not Fault.DROP and (head.minor == 1 or not streamed)


def _rate_limited() -> HttpError:
    return HttpError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Rate limit reached for demo-flaky. Please try again in 1s.",
        kind="requests",
        code="rate_limit_exceeded",
        headers={"Retry-After": "1"},
    )


def _overloaded() -> HttpError:
    message = "The server is overloaded. Please try again later."
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, message, kind="server_error")
