"""Answers of Anthropic's Messages API, byte by byte, and the events they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.events import StreamEvent

KEY_SOURCE = "ANTHROPIC_API_KEY"
"""The key source of the endpoint that the fixtures are decoded for: hints name it."""


def event(kind: str, fields: str = "") -> bytes:
    return f'event: {kind}\ndata: {{"type":"{kind}"{fields and ","}{fields}}}\n\n'.encode()


def start(usage: str = "") -> bytes:
    told = f',"usage":{{{usage}}}' if usage else ""
    return event(
        "message_start",
        f'"message":{{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null{told}}}',
    )


def block(fields: str = '"type":"text","text":""', index: int = 0) -> bytes:
    return event("content_block_start", f'"index":{index},"content_block":{{{fields}}}')


def delta(fields: str, index: int = 0) -> bytes:
    return event("content_block_delta", f'"index":{index},"delta":{{{fields}}}')


def say_text(text: str, index: int = 0) -> bytes:
    return delta(f'"type":"text_delta","text":"{text}"', index)


def think(text: str, index: int = 0) -> bytes:
    return delta(f'"type":"thinking_delta","thinking":"{text}"', index)


def close(index: int = 0) -> bytes:
    return event("content_block_stop", f'"index":{index}')


def stop(reason: str = "end_turn", usage: str = "") -> bytes:
    told = f',"usage":{{{usage}}}' if usage else ""
    return event("message_delta", f'"delta":{{"stop_reason":"{reason}","stop_sequence":null}}{told}')


def error(kind: str, message: str) -> bytes:
    return event("error", f'"error":{{"type":"{kind}","message":"{message}"}}')


def fault(kind: Kind, message: str) -> Faulted:
    return Faulted(failure(kind, message, source=KEY_SOURCE))


def skipped(sample: str) -> Skipped:
    """The reason is the JSON parser's own and not compared."""
    return Skipped("", sample)


PING = event("ping")
END = event("message_stop")
HALF, OTHER_HALF = r"\ud83d", r"\ude42"
HELLO = b'{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hello"}]'

STREAMS: dict[str, tuple[bytes, list[StreamEvent]]] = {
    # the text
    "hello": (
        start('"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1')
        + block()
        + PING
        + say_text("Hel")
        + say_text("lo")
        + close()
        + stop(usage='"output_tokens":15')
        + END,
        [
            Usage(input=25, cached=0, cache_write=0),
            Text("Hel"),
            Text("lo"),
            Usage(input=25, cached=0, cache_write=0, output=15),
            Stopped("stop"),
        ],
    ),
    "text and emoji over many bytes": (say_text("Việt 漢字 🙂\u2028\u0085x"), [Text("Việt 漢字 🙂\u2028\u0085x")]),
    "empty blocks and empty deltas": (
        start() + block() + say_text("") + close() + block(index=1) + say_text("a", 1) + stop() + END,
        [Text("a"), Stopped("stop")],
    ),
    "several text blocks": (
        block() + say_text("a") + close() + block(index=1) + say_text("b", 1) + close(1) + stop() + END,
        [Text("a"), Text("b"), Stopped("stop")],
    ),
    "a block that begins with its text": (
        block('"type":"text","text":"a"') + say_text("b") + stop() + END,
        [Text("a"), Text("b"), Stopped("stop")],
    ),
    "no text at all": (start() + stop() + END, [Stopped("stop")]),
    "citations are no text": (
        block('"type":"text","text":"","citations":[]')
        + delta('"type":"citations_delta","citation":{"type":"char_location","cited_text":"no"}')
        + say_text("a"),
        [Text("a")],
    ),
    "calls of tools are no text": (
        block('"type":"tool_use","id":"t","name":"weather","input":{}')
        + delta('"type":"input_json_delta","partial_json":"{\\"a\\":"')
        + close()
        + block('"type":"web_search_tool_result","tool_use_id":"t","content":[{"type":"x","title":"no"}]', 1)
        + stop("tool_use")
        + END,
        [Stopped("tool_calls")],
    ),
    "CRLF, a BOM, comments": (
        b"\xef\xbb\xbf: hi\r\n\r\n" + (start() + PING + say_text("a") + stop() + END).replace(b"\n", b"\r\n"),
        [Text("a"), Stopped("stop")],
    ),
    "CR alone": ((say_text("a") + stop() + END).replace(b"\n", b"\r"), [Text("a"), Stopped("stop")]),
    "without event names, without spaces": (
        b'data:{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}\n\n'
        b'data:{"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\ndata:{"type":"message_stop"}\n\n',
        [Text("a"), Stopped("stop")],
    ),
    "half an emoji at a time": (
        say_text("a" + HALF) + say_text(OTHER_HALF + "b") + stop(),
        [Text("a"), Text("🙂b"), Stopped("stop")],
    ),
    "half an emoji at the end": (say_text("a" + HALF) + stop(), [Text("a"), Text("\ufffd"), Stopped("stop")]),
    "half an emoji in a cut stream": (think(HALF), [Thinking("\ufffd")]),
    # reasoning
    "thinking": (
        start()
        + block('"type":"thinking","thinking":"","signature":""')
        + think("hm")
        + delta('"type":"signature_delta","signature":"EqQBCg=="')
        + close()
        + block(index=1)
        + say_text("a", 1)
        + stop()
        + END,
        [Thinking("hm"), Text("a"), Stopped("stop")],
    ),
    "redacted thinking": (
        block('"type":"redacted_thinking","data":"EmwKAhgB"') + close() + say_text("a", 1),
        [Text("a")],
    ),
    "interleaved thinking": (
        think("p") + say_text("a", 1) + think("q", 2) + say_text("b", 3) + stop() + END,
        [Thinking("p"), Text("a"), Thinking("q"), Text("b"), Stopped("stop")],
    ),
    # what is not known
    "ping flood": (PING * 8 + say_text("a") + PING * 8, [Text("a")]),
    "unknown events, deltas and blocks": (
        event("content_block_rewind", '"index":0')
        + delta('"type":"hologram_delta","text":"no"')
        + block('"type":"hologram","text":"no"')
        + say_text("a"),
        [Text("a")],
    ),
    "unknown fields": (
        event("content_block_delta", '"index":0,"p":"abc","delta":{"type":"text_delta","text":"a","x":[1]}'),
        [Text("a")],
    ),
    "delta null and missing": (
        event("content_block_delta", '"index":0,"delta":null') + event("content_block_delta") + event("message_delta"),
        [],
    ),
    "message of the start null": (event("message_start", '"message":null') + say_text("a"), [Text("a")]),
    # the end
    "max_tokens": (say_text("a") + stop("max_tokens") + END, [Text("a"), Stopped("length")]),
    "stop_sequence": (say_text("a") + stop("stop_sequence") + END, [Text("a"), Stopped("stop")]),
    "refusal": (start() + stop("refusal") + END, [Stopped("refusal")]),
    "refusal after text": (say_text("a") + stop("refusal") + END, [Text("a"), Stopped("refusal")]),
    "pause_turn": (stop("pause_turn") + END, [Stopped("pause_turn")]),
    "context window": (
        say_text("a") + stop("model_context_window_exceeded") + END,
        [Text("a"), Stopped("model_context_window_exceeded")],
    ),
    "end mark without a stop reason": (say_text("a") + END, [Text("a"), Stopped(None)]),
    "stop reason without an end mark": (say_text("a") + stop(), [Text("a"), Stopped("stop")]),
    "neither": (start() + say_text("a"), [Text("a")]),
    "nothing at all": (b"", []),
    "stop reason null, then said": (
        event("message_delta", '"delta":{"stop_reason":null}') + stop() + stop("max_tokens") + END,
        [Stopped("stop")],
    ),
    "data after the end mark": (say_text("a") + END + say_text("b") + error("x", "late"), [Text("a"), Stopped(None)]),
    "end mark of another dialect": (say_text("a") + stop() + b"data: [DONE]\n\n", [Text("a"), Stopped("stop")]),
    "end mark without its blank line": (
        (say_text("a") + stop() + END).removesuffix(b"\n\n"),
        [Text("a"), Stopped("stop")],
    ),
    "event cut in the middle": (say_text("a") + say_text("b")[:-20], [Text("a")]),
    # usage
    "usage: cached tokens are told apart": (
        start('"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"output_tokens":1')
        + stop(usage='"output_tokens":7'),
        [
            Usage(input=3210, cached=3000, cache_write=200),
            Usage(input=3210, cached=3000, cache_write=200, output=7),
            Stopped("stop"),
        ],
    ),
    "usage: what is written for an hour is told apart": (
        start(
            '"input_tokens":10,"cache_creation_input_tokens":200,"output_tokens":1,'
            '"cache_creation":{"ephemeral_5m_input_tokens":50,"ephemeral_1h_input_tokens":150}'
        )
        + stop(usage='"output_tokens":7'),
        [
            Usage(input=210, cache_write=200, cache_write_1h=150),
            Usage(input=210, cache_write=200, output=7, cache_write_1h=150),
            Stopped("stop"),
        ],
    ),
    "usage: a gateway's own idea of cache_creation": (
        start('"input_tokens":10,"cache_creation":"none"') + stop(usage='"output_tokens":7,"cache_creation":[1]'),
        [Usage(input=10), Usage(input=10, output=7), Stopped("stop")],
    ),
    "usage: the last one is of the whole message": (
        start('"input_tokens":10,"output_tokens":1')
        + stop(usage='"input_tokens":12,"cache_read_input_tokens":5,"output_tokens":7,"server_tool_use":null'),
        [Usage(input=10), Usage(input=17, cached=5, output=7), Stopped("stop")],
    ),
    "usage: growing, and never back to nothing": (
        start('"input_tokens":10')
        + event("message_delta", '"delta":{},"usage":{"output_tokens":3}')
        + stop(usage='"input_tokens":0,"output_tokens":7'),
        [Usage(input=10), Usage(input=10, output=3), Usage(input=10, output=7), Stopped("stop")],
    ),
    "usage: told only at the end": (
        start('"input_tokens":0,"output_tokens":0') + stop(usage='"input_tokens":9,"output_tokens":2'),
        [Usage(input=0), Usage(input=9, output=2), Stopped("stop")],
    ),
    "usage null, empty, or of counts that cannot be": (
        event("message_delta", '"usage":null')
        + event("message_delta", '"usage":{}')
        + event("message_delta", '"usage":{"input_tokens":-1,"output_tokens":99999999999999999}'),
        [],
    ),
    "usage of the wrong type costs no stop reason": (
        event("message_delta", '"delta":{"stop_reason":"end_turn"},"usage":[1]'),
        [
            skipped('{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":[1]}'),
            Stopped("stop"),
        ],
    ),
    # what is not JSON, or not of this dialect
    "malformed event left out": (
        say_text("a") + b"data: {oops\n\n" + say_text("b"),
        [Text("a"), skipped("{oops"), Text("b")],
    ),
    "three malformed in a row": (
        b"data: {\n\n" * 3 + say_text("a"),
        [skipped("{")] * 3 + [fault(Kind.PROTOCOL, say("fail.malformed", count=3))],
    ),
    "the stream of another dialect": (
        b'data: {"choices":[]}\n\n' * 4,
        [skipped('{"choices":[]}')] * 3 + [fault(Kind.PROTOCOL, say("fail.malformed", count=3))],
    ),
    "text of the wrong type": (
        delta('"type":"text_delta","text":5') + say_text("a"),
        [
            skipped('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":5}}'),
            Text("a"),
        ],
    ),
    # errors inside
    "overloaded in mid-stream": (
        start() + say_text("a") + error("overloaded_error", "Overloaded") + say_text("b"),
        [Text("a"), fault(Kind.OVERLOADED, "Overloaded")],
    ),
    "error before message_start": (
        PING + error("rate_limit_error", "slow down"),
        [fault(Kind.RATE_LIMIT, "slow down")],
    ),
    "half an emoji before an error": (
        say_text(HALF) + error("api_error", "Internal server error"),
        [Text("\ufffd"), fault(Kind.SERVER, "Internal server error")],
    ),
    "api_error": (error("api_error", "Internal server error"), [fault(Kind.SERVER, "Internal server error")]),
    "timeout_error": (error("timeout_error", "Request timeout"), [fault(Kind.SERVER, "Request timeout")]),
    "invalid_request_error": (error("invalid_request_error", "no"), [fault(Kind.BAD_REQUEST, "no")]),
    "permission_error": (error("permission_error", "no"), [fault(Kind.PERMISSION, "no")]),
    "authentication_error": (error("authentication_error", "no"), [fault(Kind.AUTH, "no")]),
    "not_found_error": (error("not_found_error", "model: x"), [fault(Kind.NOT_FOUND, "model: x")]),
    "error of a new type": (error("gremlin_error", "boo"), [fault(Kind.SERVER, "boo")]),
    "error without its event name": (
        b'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        [fault(Kind.OVERLOADED, "Overloaded")],
    ),
    "error without a type": (b'data: {"error":{"message":"boom"}}\n\n', [fault(Kind.SERVER, "boom")]),
    "error without an object": (b'data: {"type":"error","message":"boom"}\n\n', [fault(Kind.SERVER, "boom")]),
    "error without data:": (
        say_text("a") + b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        [Text("a"), fault(Kind.OVERLOADED, "Overloaded")],
    ),
    "plain text of a proxy": (b"upstream connect error", [fault(Kind.SERVER, "upstream connect error")]),
    # whole answers, whatever the content type says
    "whole answer": (
        b'\n{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm",'
        b'"signature":"x"},{"type":"text","text":"Hel"},{"type":"text","text":"lo"}],"stop_reason":"end_turn",'
        b'"usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":2}}',
        [Thinking("hm"), Text("Hel"), Text("lo"), Usage(input=12, cached=7, output=2), Stopped("stop")],
    ),
    "whole answer without a stop reason": (HELLO + b"}", [Text("Hello"), Stopped(None)]),
    "whole answer, refused": (
        b'{"type":"message","content":[],"stop_reason":"refusal","usage":{"output_tokens":1}}',
        [Usage(output=1), Stopped("refusal")],
    ),
    "whole answer cut off": (HELLO, [fault(Kind.TRUNCATED, say("fail.truncated"))]),
    "some other JSON": (b'{"status":"ok"}', [fault(Kind.PROTOCOL, say("fail.no_message"))]),
    "error body under 200": (
        b'{"type":"error","error":{"type":"permission_error","message":"no"},"request_id":"req_1"}',
        [fault(Kind.PERMISSION, "no")],
    ),
    "web page under 200": (
        b"<!DOCTYPE html><title>Sign in</title>",
        [fault(Kind.PROTOCOL, say("fail.page", status=200, title="Sign in"))],
    ),
}
