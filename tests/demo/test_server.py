import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tui_chat.demo.http11 import BODY_LIMIT
from tui_chat.demo.models import HOSTILE, MALFORMED, MODELS
from tui_chat.demo.server import LOG_LIMIT, DemoServer
from tui_chat.demo.tokens import pieces
from tui_chat.wire.resume import GO_ON


def client_of(server: DemoServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=20)


@pytest.fixture
async def server() -> AsyncIterator[DemoServer]:
    async with DemoServer(speed=0) as running:
        yield running


@pytest.fixture
async def client(server: DemoServer) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as open_client:
        yield open_client


def body(text: str = "echo one two", model: str = "demo-fast", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


async def ask(client: httpx.AsyncClient, text: str = "echo one two", model: str = "demo-fast", **fields: Any) -> Any:
    response = await client.post("/chat/completions", json=body(text, model, **fields))
    assert response.status_code == 200, response.text
    return response.json()


async def stream_lines(client: httpx.AsyncClient, request: dict[str, Any]) -> list[str]:
    """The non-empty lines of a complete SSE answer."""
    async with client.stream("POST", "/chat/completions", json={"stream": True, **request}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        raw = await response.aread()
    return [line for line in raw.decode().split("\n") if line]


async def stream_chunks(client: httpx.AsyncClient, request: dict[str, Any]) -> list[Any]:
    lines = await stream_lines(client, request)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1] if not line.startswith(":")]


def deltas(chunks: list[Any], key: str = "content") -> list[str]:
    found = [choice["delta"].get(key) for chunk in chunks for choice in chunk["choices"]]
    return [text for text in found if text]


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def raw_connection(server: DemoServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def raw_response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    length = int(headers.get("content-length", "0"))
    return int(head[0].split()[1]), headers, await reader.readexactly(length)


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_models_are_listed_with_the_default_first(server: DemoServer, prefix: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(f"http://127.0.0.1:{server.port}{prefix}/models?limit=5")
    listed = response.json()
    assert listed["object"] == "list"
    assert [entry["id"] for entry in listed["data"]] == [model.id for model in MODELS]
    assert listed["data"][0]["id"] == "demo-fast"
    for entry in listed["data"]:
        assert entry["object"] == "model"
        assert entry["owned_by"] == "tui-chat demo"
        assert isinstance(entry["created"], int)
        assert isinstance(entry["context_length"], int)
        assert entry["name"]
        assert entry["description"]


async def test_the_base_url_is_on_loopback(server: DemoServer) -> None:
    assert server.base_url == f"http://127.0.0.1:{server.port}/v1"


async def test_a_stream_chunk_by_chunk(server: DemoServer, client: httpx.AsyncClient) -> None:
    lines = await stream_lines(client, body("echo one two", stream_options={"include_usage": True}))
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["model"] == "demo-fast"
        assert (chunk["id"], chunk["created"]) == (chunks[0]["id"], chunks[0]["created"])
    choices = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": ""},
        {"content": "one"},
        {"content": " two"},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "stop"]
    assert all(choice["index"] == 0 for choice in choices)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


async def test_usage_is_sent_only_when_asked_for(client: httpx.AsyncClient) -> None:
    chunks = await stream_chunks(client, body())
    assert all("usage" not in chunk for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_each_event_is_one_token_and_usage_counts_them(server: DemoServer, client: httpx.AsyncClient) -> None:
    chunks = await stream_chunks(client, body("hello", stream_options={"include_usage": True}))
    tokens = deltas(chunks)
    assert tokens == list(pieces("".join(tokens)))
    assert chunks[-1]["usage"]["completion_tokens"] == len(tokens) == server.log[-1].tokens_sent
    assert server.log[-1].text_sent == "".join(tokens)


@pytest.mark.parametrize("model", ["demo-fast", "demo-reasoning", "demo-garbage"])
async def test_the_whole_answer_equals_the_streamed_one(client: httpx.AsyncClient, model: str) -> None:
    whole = await ask(client, "hello", model)
    lines = await stream_lines(client, body("hello", model, stream_options={"include_usage": True}))
    events = [line.removeprefix("data: ") for line in lines[:-1]]
    chunks = [json.loads(data) for data in events if data not in MALFORMED]
    message = whole["choices"][0]["message"]
    assert whole["object"] == "chat.completion"
    assert message["role"] == "assistant"
    assert message["content"] == "".join(deltas(chunks))
    assert message.get("reasoning_content", "") == "".join(deltas(chunks, "reasoning_content"))
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"] == chunks[-1]["usage"]


async def test_cached_tokens_are_the_shared_prefix_in_blocks(client: httpx.AsyncClient) -> None:
    long_prompt = "echo " + " ".join(["word"] * 150)
    first = await ask(client, long_prompt)
    second = await ask(client, long_prompt + " more")
    third = await ask(client, "something else entirely")
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in (first["usage"], second["usage"])]
    assert cached == [0, 128]
    assert first["usage"]["prompt_tokens"] == 151
    assert third["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


@pytest.mark.parametrize("text", ["hello", "  two  spaces\n\ttab\n", "日本語 và tiếng Việt 👩‍🚀", "", "\u2028x\u0085y"])
async def test_echo_returns_exactly_the_rest(client: httpx.AsyncClient, text: str) -> None:
    assert "".join(deltas(await stream_chunks(client, body(f"echo {text}")))) == text


async def test_count_takes_one_token_a_number(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "count 1234")
    assert answer["choices"][0]["message"]["content"] == " ".join(str(n) for n in range(1, 1235))
    assert answer["usage"]["completion_tokens"] == 1234


async def test_long_gives_about_that_many_tokens(client: httpx.AsyncClient) -> None:
    for wanted in (1, 50, 3000):
        answer = await ask(client, f"long {wanted}")
        assert answer["usage"]["completion_tokens"] == pytest.approx(wanted, abs=2)


async def test_the_same_messages_and_seed_give_the_same_text() -> None:
    texts: list[str] = []
    for _ in range(2):
        async with DemoServer(speed=0) as server, client_of(server) as client:
            texts += [str((await ask(client, "hello"))["choices"]) for _ in range(2)]
    assert len(set(texts)) == 1


async def test_seeds_and_temperatures_vary_the_wording(client: httpx.AsyncClient) -> None:
    seeds = {str((await ask(client, "haiku", seed=seed))["choices"]) for seed in range(8)}
    temperatures = {str((await ask(client, "haiku", temperature=t / 10))["choices"]) for t in range(8)}
    assert len(seeds) > 2
    assert len(temperatures) > 2


async def test_without_a_server_seed_each_request_may_differ() -> None:
    async with DemoServer(speed=0, seed=None) as server, client_of(server) as client:
        assert len({str((await ask(client, "haiku"))["choices"]) for _ in range(8)}) > 2


async def test_an_assistant_message_at_the_end_is_continued(client: httpx.AsyncClient) -> None:
    whole = (await ask(client, "hello", "demo-fast"))["choices"][0]["message"]["content"]
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": whole[:101]}]
    rest = await ask(client, messages=messages)
    assert whole[:101] + rest["choices"][0]["message"]["content"] == whole


def going_on(question: str, partial: str, *, asked: bool = False) -> list[dict[str, str]]:
    """The messages of a client that wants the rest of an answer, by a trailing turn or in words."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": partial}]
    return [*messages, {"role": "user", "content": GO_ON}] if asked else messages


def content(answer: Any) -> str:
    return answer["choices"][0]["message"]["content"]


@pytest.fixture
async def varied() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that words each answer anew."""
    async with DemoServer(speed=0, seed=None) as running, client_of(running) as open_client:
        yield open_client


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("model", ["demo-fast", "demo-slow", "demo-reasoning"])
@pytest.mark.parametrize("question", ["hello", "keys", "models", "cost", "haiku", "count 90"])
async def test_an_answer_goes_on_from_any_place(
    varied: httpx.AsyncClient, question: str, model: str, asked: bool
) -> None:
    wholes: set[str] = set()
    for part in range(1, 25):
        # Each time anew: of the wordings that begin with the text, the newest is taken.
        whole = content(await ask(varied, question, model))
        wholes.add(whole)
        cut = max(1, len(whole) * part // 24)
        rest = await ask(varied, model=model, messages=going_on(question, whole[:cut], asked=asked))
        assert whole[:cut] + content(rest) == whole
    assert len(wholes) > 1 or question == "count 90"


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("question", ["hello", "keys", "models", "cost"])
@pytest.mark.parametrize("model", ["demo-drop", "demo-stall"])
async def test_a_broken_answer_goes_on_in_the_middle_of_the_word(
    varied: httpx.AsyncClient, model: str, question: str, asked: bool
) -> None:
    partial = ""
    async with varied.stream("POST", "/chat/completions", json=body(question, model, stream=True)) as response:
        try:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    partial += "".join(deltas([json.loads(line.removeprefix("data: "))]))
                elif line.startswith(":"):
                    break
        except httpx.ReadError:
            assert model == "demo-drop"
    for _ in range(3):
        await ask(varied, "haiku")
    request = body(model=model, messages=going_on(question, partial, asked=asked))
    joined = partial + "".join(deltas(await stream_chunks(varied, request)))
    wholes = {content(await ask(varied, question, seed=seed)) for seed in range(60)}
    assert len(partial) > 60
    assert joined in wholes


async def test_an_answer_cut_by_the_token_limit_goes_on(varied: httpx.AsyncClient) -> None:
    for limit in (3, 17, 60):
        first = await ask(varied, "hello", max_tokens=limit)
        assert first["choices"][0]["finish_reason"] == "length"
        second = content(await ask(varied, messages=going_on("hello", content(first)), max_tokens=limit))
        third = content(await ask(varied, messages=going_on("hello", content(first) + second)))
        assert content(first) + second + third in {content(await ask(varied, "hello", seed=seed)) for seed in range(60)}


async def test_an_answer_from_before_the_server_began_goes_on(varied: httpx.AsyncClient) -> None:
    for seed in range(12):
        whole = content(await ask(varied, "keys", seed=seed))
        async with DemoServer(speed=0, seed=None) as other, client_of(other) as client:
            rest = content(await ask(client, messages=going_on("keys", whole[:-2])))
        assert whole[:-2] + rest == whole


@pytest.mark.parametrize("question", ["hello", "count 90"])
async def test_a_text_that_is_no_answer_of_the_demo_is_answered_anew(varied: httpx.AsyncClient, question: str) -> None:
    answer = content(await ask(varied, messages=going_on(question, "Nobody said this")))
    assert answer.startswith("# " if question == "hello" else "1 2 3")


async def test_garbage_goes_on_too(varied: httpx.AsyncClient) -> None:
    whole = content(await ask(varied, "hello", "demo-garbage"))
    for cut in (1, 40, len(whole) - 5, len(whole)):
        rest = content(await ask(varied, model="demo-garbage", messages=going_on("hello", whole[:cut])))
        assert whole[:cut] + rest == whole


async def test_content_may_be_a_list_of_parts(client: httpx.AsyncClient) -> None:
    parts = [
        {"type": "text", "text": "echo a"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "b"},
    ]
    answer = await ask(client, messages=[{"role": "user", "content": parts}])
    assert answer["choices"][0]["message"]["content"] == "ab"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_ends_with_length(client: httpx.AsyncClient, name: str) -> None:
    chunks = await stream_chunks(client, body("count 50", stream_options={"include_usage": True}, **{name: 7}))
    assert "".join(deltas(chunks)) == "1 2 3 4 5 6 7"
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["usage"]["completion_tokens"] == 7


async def test_reasoning_counts_against_the_limit(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "hello", "demo-reasoning", max_tokens=5)
    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5


@pytest.mark.parametrize("stop", ["5", ["9", " 5", ""]])
async def test_stop_strings_end_the_text_before_them(client: httpx.AsyncClient, stop: Any) -> None:
    answer = await ask(client, "count 50", stop=stop)
    assert answer["choices"][0]["message"]["content"].strip() == "1 2 3 4"
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_slow_sends_keep_alives_before_the_first_token(client: httpx.AsyncClient) -> None:
    lines = await stream_lines(client, body(model="demo-slow"))
    assert lines[:2] == [": keep-alive", ": keep-alive"]
    assert '"role":"assistant"' in lines[2]
    assert not any(line.startswith(":") for line in lines[2:])


async def test_reasoning_thinks_first_and_counts_it(server: DemoServer, client: httpx.AsyncClient) -> None:
    chunks = await stream_chunks(client, body("hello", "demo-reasoning", stream_options={"include_usage": True}))
    kinds = [key for chunk in chunks[1:-2] for key in chunk["choices"][0]["delta"]]
    thoughts = kinds.count("reasoning_content")
    assert kinds == ["reasoning_content"] * thoughts + ["content"] * (len(kinds) - thoughts)
    assert thoughts > 20
    usage = chunks[-1]["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == thoughts
    assert usage["completion_tokens"] == len(kinds) == server.log[-1].tokens_sent
    assert server.log[-1].reasoning_sent == "".join(deltas(chunks, "reasoning_content"))


async def test_flaky_refuses_twice_for_each_conversation(client: httpx.AsyncClient) -> None:
    async def status(text: str) -> httpx.Response:
        return await client.post("/chat/completions", json=body(text, "demo-flaky"))

    responses = [await status(text) for text in ("echo a", "echo b", "echo a", "echo a", "echo b", "echo a")]
    assert [response.status_code for response in responses] == [429, 429, 503, 200, 503, 429]
    assert responses[0].headers["retry-after"] == "1"
    assert responses[0].json()["error"]["code"] == "rate_limit_exceeded"
    assert responses[2].json()["error"]["type"] == "server_error"
    assert responses[3].json()["choices"][0]["message"]["content"] == "a"


async def dropped_text(client: httpx.AsyncClient, request: dict[str, Any]) -> str:
    """The text that came before the connection broke."""
    received = b""

    async def read() -> None:
        nonlocal received
        async with client.stream("POST", "/chat/completions", json={"stream": True, **request}) as response:
            async for data in response.aiter_raw():
                received += data

    with pytest.raises(httpx.ReadError):
        await read()
    lines = [line.removeprefix("data: ") for line in received.decode().split("\n") if line]
    assert "[DONE]" not in lines
    chunks = [json.loads(line) for line in lines]
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)
    return "".join(deltas(chunks))


async def test_drop_resets_in_the_middle_of_a_word_each_time(server: DemoServer, client: httpx.AsyncClient) -> None:
    texts = [await dropped_text(client, body("hello", "demo-drop")) for _ in range(2)]
    assert texts[0] == texts[1]
    assert texts[0][-1].isalpha()
    assert server.log[-1].tokens_sent >= 40
    assert server.log[-1].text_sent == texts[0]
    assert not server.log[-1].aborted
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": texts[0]}]
    rest = (await ask(client, model="demo-drop", messages=messages))["choices"][0]["message"]["content"]
    assert rest[0].isalpha()


async def test_drop_refuses_to_go_on_unasked(client: httpx.AsyncClient) -> None:
    refused = await client.post("/chat/completions", json=body("hello", "demo-drop", continue_final_message=True))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "continue_final_message")


async def test_drop_resets_a_whole_answer_too(client: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadError):
        await ask(client, "hello", "demo-drop")


@pytest.mark.parametrize("streamed", [True, False])
async def test_stall_sends_nothing_but_keep_alives(
    server: DemoServer, client: httpx.AsyncClient, streamed: bool
) -> None:
    received = b""
    nothing = b": keep-alive\n\n" if streamed else b"\n"
    async with client.stream(
        "POST", "/chat/completions", json=body("hello", "demo-stall", stream=streamed)
    ) as response:
        async for data in response.aiter_raw():
            received += data
            if received.endswith(nothing * 4):
                break
    await eventually(lambda: server.log[-1].ended is not None)
    assert server.log[-1].aborted
    assert received.count(b'"content":"') == (31 if streamed else 0)
    assert server.log[-1].tokens_sent == (30 if streamed else 0)


async def test_garbage_arrives_as_it_was_meant(client: httpx.AsyncClient) -> None:
    lines = await stream_lines(client, body("hello", "demo-garbage"))
    assert lines[-1] == "data: [DONE]"
    events = [line.removeprefix("data: ") for line in lines[:-1]]
    broken = [data in MALFORMED for data in events]
    assert broken.count(True) >= len(MALFORMED)
    assert not any(a and b for a, b in pairwise(broken))
    for data in MALFORMED:
        assert data in events
        with pytest.raises(json.JSONDecodeError):
            json.loads(data)
    tokens = deltas([json.loads(data) for data in events if data not in MALFORMED])
    for _, sample in HOSTILE:
        assert sample in tokens
    text = "".join(tokens)
    for control in ("\x1b]52;", "\x1b\\", "\x07", "\x1b[2J", "\x1b]0;", "\x1bc", "\u009b", "\u009d", "\x7f", "\u202e"):
        assert control in text
    assert "[/foo]" in text
    assert "[@click=app.quit]x[/]" in text
    assert "this sentence is harmless" in text


async def test_the_rate_is_kept_on_average() -> None:
    async with DemoServer(speed=4) as server, client_of(server) as client:
        began = time.monotonic()
        await stream_chunks(client, body("count 120"))
        took = time.monotonic() - began
    assert took >= (120 / 120 + 0.2) / 4 * 0.95


async def test_speed_must_not_be_negative() -> None:
    for speed in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="speed"):
            DemoServer(speed=speed)


async def test_a_connection_is_reused(server: DemoServer, client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await stream_chunks(client, body())
        await ask(client)
        assert (await client.get("/nowhere")).status_code == 404
    assert server.connections == 1


async def test_requests_that_are_sent_ahead_are_answered_in_order(server: DemoServer) -> None:
    data = json.dumps(body("echo first", stream=True)).encode()
    ahead = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)
    async with raw_connection(server) as (reader, writer):
        writer.write(ahead + b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = await reader.read()
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.index(b"[DONE]") < received.index(b'"object":"list"')
    assert received.count(b"Connection: close") == 1


async def test_a_client_that_leaves_stops_the_generation() -> None:
    async with DemoServer(speed=1) as server, client_of(server) as client:
        async with client.stream("POST", "/chat/completions", json=body("count 5000", stream=True)) as response:
            async for line in response.aiter_lines():
                if '"content":"1' in line:
                    break
        await eventually(lambda: server.log[-1].ended is not None)
        assert server.log[-1].aborted
        assert 0 < server.log[-1].tokens_sent < 5000
        await eventually(lambda: server.connections == 0)


async def test_a_client_that_leaves_during_the_wait_is_noticed() -> None:
    async with DemoServer(speed=0.001) as server:
        async with client_of(server) as client:
            request = asyncio.create_task(ask(client, model="demo-slow"))
            await eventually(lambda: server.log and server.log[-1].model)
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
        await eventually(lambda: server.log[-1].ended is not None)
        assert server.log[-1].aborted
        assert server.log[-1].status is None


async def test_close_ends_streams_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    server = DemoServer(speed=1)
    await server.start()
    async with client_of(server) as client, raw_connection(server):
        reading = asyncio.create_task(stream_lines(client, body("count 5000")))
        await eventually(lambda: server.log and server.log[-1].tokens_sent > 3)
        assert server.connections == 2
        await server.close()
        assert server.connections == 0
        assert asyncio.all_tasks() - before == {reading}
        with pytest.raises(httpx.TransportError):
            await reading
        assert server.log[-1].aborted
        assert server.log[-1].ended is not None
        with pytest.raises(httpx.ConnectError):
            await client.get("/models")
    await server.close()
    assert asyncio.all_tasks() == before


async def test_close_breaks_connections_that_have_just_been_made() -> None:
    for ticks in range(8):
        server = DemoServer(speed=0)
        await server.start()
        async with raw_connection(server) as (reader, _):
            for _ in range(ticks):
                await asyncio.sleep(0)
            await server.close()
            async with asyncio.timeout(10):
                try:
                    assert await reader.read() == b""
                except ConnectionError:
                    pass


async def test_a_server_can_be_started_again_on_its_port() -> None:
    server = DemoServer(speed=0)
    with pytest.raises(RuntimeError):
        _ = server.port
    await server.start()
    with pytest.raises(RuntimeError):
        await server.start()
    port = server.port
    await server.close()
    await server.start(port)
    assert server.port == port
    other = DemoServer()
    with pytest.raises(OSError):
        await other.start(port)
    await server.close()


async def test_a_chunked_body_is_read(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        data = json.dumps(body("echo in parts")).encode()
        for i in range(0, len(data), 10):
            yield data[i : i + 10]

    response = await client.post("/chat/completions", content=parts())
    assert response.json()["choices"][0]["message"]["content"] == "in parts"


async def test_expect_continue_is_answered_before_the_body(server: DemoServer) -> None:
    data = json.dumps(body()).encode()
    async with raw_connection(server) as (reader, writer):
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
            % len(data)
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(data)
        status, headers, answer = await raw_response(reader)
    assert status == 200
    assert headers["connection"] == "keep-alive"
    assert json.loads(answer)["choices"][0]["message"]["content"] == "one two"


async def test_http_1_0_gets_a_stream_that_ends_with_the_connection(server: DemoServer) -> None:
    data = json.dumps(body(stream=True)).encode()
    async with raw_connection(server) as (reader, writer):
        writer.write(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))
        received = await reader.read()
    assert b"Transfer-Encoding" not in received
    assert received.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"\xff\xfe", None),
        (b'{"model": "demo-fast", "messages": [{"role": "user", "content": "\xff"}]}', None),
        (b"[]", None),
        (b'{"x": ' + b"[" * 200_000, None),
        (b'{"model": "demo-fast"}', "messages"),
        (b'{"model": "demo-fast", "messages": []}', "messages"),
        (b'{"model": "demo-fast", "messages": [{"role": "user", "content": 5}]}', "messages[0].content"),
        (b'{"model": "demo-fast", "messages": [{"role": "user"}], "temperature": 3}', "temperature"),
        (b'{"model": "demo-fast", "messages": [{"role": "user"}], "max_tokens": 0}', "max_tokens"),
        (b'{"model": "demo-fast", "messages": [{"role": "user"}], "stream": "yes"}', "stream"),
    ],
)
async def test_a_bad_request_is_explained(client: httpx.AsyncClient, content: bytes, param: str | None) -> None:
    response = await client.post("/chat/completions", content=content)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    await ask(client)


async def test_null_and_unknown_fields_are_accepted(client: httpx.AsyncClient) -> None:
    await ask(client, max_tokens=None, temperature=None, seed=None, stop=None, stream=None, top_p=1, user="me")


async def test_an_unknown_model_is_not_found(server: DemoServer, client: httpx.AsyncClient) -> None:
    response = await client.post("/chat/completions", json=body(model="gpt-x"))
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "`gpt-x`" in response.json()["error"]["message"]
    assert (server.log[-1].model, server.log[-1].status) == ("gpt-x", 404)


async def test_a_prompt_beyond_the_context_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/chat/completions", json=body("word " * 40_000, "demo-slow"))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


async def test_unknown_paths_and_wrong_methods(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).status_code == 404
    wrong = await client.get("/chat/completions")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"
    assert wrong.json()["error"]["type"] == "invalid_request_error"
    assert (await client.post("/models", json={})).status_code == 405
    assert (await client.head("/models")).status_code == 405


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_the_limit_is_refused(server: DemoServer, client: httpx.AsyncClient, chunked: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(BODY_LIMIT // 1_048_576 + 1):
            yield b" " * 1_048_576

    content = parts() if chunked else b" " * (BODY_LIMIT + 1)
    response = await client.post("/chat/completions", content=content)
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert server.log[-1].status == 413
    await ask(client)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /v1/models HTTP/2.0\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nbad name: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /v1/models HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ],
)
async def test_broken_framing_is_refused_and_closed(server: DemoServer, request_bytes: bytes) -> None:
    async with raw_connection(server) as (reader, writer):
        writer.write(request_bytes)
        status, headers, answer = await raw_response(reader)
        assert status == 400
        assert headers["connection"] == "close"
        assert json.loads(answer)["error"]["message"]
        assert await reader.read() == b""


async def test_headers_over_the_limit_are_refused(server: DemoServer) -> None:
    async with raw_connection(server) as (reader, writer):
        writer.write(b"GET /v1/models HTTP/1.1\r\nX: " + b"x" * 200_000)
        status, _, _ = await raw_response(reader)
    assert status == 431


async def test_a_client_that_leaves_in_the_middle_of_a_body_is_logged(server: DemoServer) -> None:
    async with raw_connection(server) as (_, writer):
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        await eventually(lambda: server.log)
    await eventually(lambda: server.log[-1].ended is not None)
    assert server.log[-1].aborted
    assert server.connections == 0


async def test_the_log_keeps_headers_but_no_secret(server: DemoServer, client: httpx.AsyncClient) -> None:
    await client.post("/chat/completions", json=body(), headers={"Authorization": "Bearer sk-secret", "X-Team": "a"})
    entry = server.log[-1]
    assert (entry.method, entry.path, entry.model, entry.status) == ("POST", "/v1/chat/completions", "demo-fast", 200)
    assert entry.headers["authorization"] == "present"
    assert entry.headers["x-team"] == "a"
    assert "sk-secret" not in repr(entry)
    assert entry.ended is not None
    assert entry.ended >= entry.started
    assert not entry.aborted
    assert entry.text_sent == "one two"
    await client.get("/models")
    assert "authorization" not in server.log[-1].headers


async def test_the_log_is_bounded(server: DemoServer) -> None:
    request = b"GET /nowhere HTTP/1.1\r\n\r\n"
    async with raw_connection(server) as (reader, writer):
        for _ in range(LOG_LIMIT + 5):
            writer.write(request)
            await raw_response(reader)
    assert len(server.log) == LOG_LIMIT
