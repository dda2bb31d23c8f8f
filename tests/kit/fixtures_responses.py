"""Answers of Responses servers, byte by byte, and the events they mean."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.kit.fixtures_openai import fault, skipped, sse
from tui_chat.domain.events import Progress, Stopped, Text, Thinking, Usage
from tui_chat.domain.failure import Kind
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.events import StreamEvent

ID = "resp_1"


def event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


def named(*events: str) -> bytes:
    """Events with their type in the `event:` field too, as OpenAI sends them."""
    return "".join(f"event: {json.loads(e)['type']}\ndata: {e}\n\n" for e in events).encode()


def said(text: str, **fields: Any) -> str:
    return event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=text, **fields)


def thought(text: str, **fields: Any) -> str:
    return event("response.reasoning_summary_text.delta", item_id="rs_1", summary_index=0, delta=text, **fields)


def refused(text: str) -> str:
    return event("response.refusal.delta", item_id="msg_1", delta=text)


def part(index: int) -> str:
    return event(
        "response.reasoning_summary_part.added", summary_index=index, part={"type": "summary_text", "text": ""}
    )


def response(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": ID, "object": "response", "status": status, "error": None, "output": [], **fields}


def created(**fields: Any) -> str:
    return event("response.created", response=response("in_progress", **fields), sequence_number=0)


def ended(status: str, **fields: Any) -> str:
    return event(f"response.{status}", response=response(status, **fields))


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "status": "completed", "content": list(parts)}


def text(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def whole(status: str, **fields: Any) -> bytes:
    return json.dumps(response(status, **fields)).encode()


CALL = {"type": "function_call", "call_id": "c", "name": "now", "arguments": '{"zone":"UTC"}'}
CALLED = '[tool call] now({"zone":"UTC"})'
REASONING = {
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "hm"}, {"type": "summary_text", "text": "so"}],
    "content": None,
}
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 30},
    "total_tokens": 150,
}
USED = Usage(input=100, cached=64, reasoning=30, output=50)
BAD_USAGE = json.dumps({"type": "response.completed", "response": response("completed", usage=[1])})
HALF, OTHER_HALF = "\ud83d", "\ude42"

STREAMS: dict[str, tuple[bytes, list[StreamEvent]]] = {
    # the text
    "hello": (
        named(
            created(background=False),
            event("response.in_progress", response=response("in_progress")),
            event("response.output_item.added", item={"type": "message", "content": []}),
            event("response.content_part.added", part=text("")),
            said("Hel", logprobs=[], obfuscation="xxxx"),
            said("lo"),
            event("response.output_text.done", text="Hello"),
            event("response.content_part.done", part=text("Hello")),
            event("response.output_item.done", item=message(text("Hello"))),
            ended("completed", output=[message(text("Hello"))], usage=USAGE),
        ),
        [Text("Hel"), Text("lo"), USED, Stopped("stop")],
    ),
    "without event names, with [DONE]": (
        sse(created(), said("a"), ended("completed"), "[DONE]"),
        [Text("a"), Stopped("stop")],
    ),
    "events from the middle on": (sse(said("a"), ended("completed")), [Text("a"), Stopped("stop")]),
    "unknown and odd events": (
        sse(
            created(),
            event("response.web_search_call.searching", item_id="w"),
            event("response.audio.delta", delta={"a": 1}),
            event("response.function_call_arguments.delta", delta='{"zo'),
            '{"x":1}',
            "{}",
            said("a"),
            ended("completed"),
        ),
        [Text("a"), Stopped("stop")],
    ),
    "empty deltas": (sse(created(), said(""), thought(""), refused(""), ended("completed")), [Stopped("refusal")]),
    "delta null": (
        sse(created(), event("response.output_text.delta", delta=None), said("a"), ended("completed")),
        [Text("a"), Stopped("stop")],
    ),
    "emoji cut between two deltas": (
        sse(created(), said("a" + HALF), said(OTHER_HALF + "b"), ended("completed")),
        [Text("a"), Text("🙂b"), Stopped("stop")],
    ),
    "half an emoji at the end": (
        sse(created(), said(HALF), thought(HALF), ended("completed")),
        [Thinking("\ufffd"), Text("\ufffd"), Stopped("stop")],
    ),
    "a gateway that sends the response alone": (
        sse(created(), ended("completed", output=[REASONING, message(text("a"))], usage=USAGE)),
        [Thinking("hm"), Thinking("\n\n"), Thinking("so"), Text("a"), USED, Stopped("stop")],
    ),
    "a stream taken up after its last text": (
        sse(ended("completed", output=[message(text("Hello"))], usage=USAGE)),
        [USED, Stopped("stop")],
    ),
    # reasoning
    "reasoning in parts": (
        sse(created(), part(0), thought("hm"), thought(" hm"), part(1), thought("so"), said("a"), ended("completed")),
        [Thinking("hm"), Thinking(" hm"), Thinking("\n\n"), Thinking("so"), Text("a"), Stopped("stop")],
    ),
    "reasoning in the open": (
        sse(created(), event("response.reasoning_text.delta", delta="hm"), said("a"), ended("completed")),
        [Thinking("hm"), Text("a"), Stopped("stop")],
    ),
    "think block": (
        sse(created(), said("<thi"), said("nk>hm</think>\n\na"), ended("completed")),
        [Thinking("hm"), Text("a"), Stopped("stop")],
    ),
    "think block never opened": (sse(created(), said("<thi"), ended("completed")), [Text("<thi"), Stopped("stop")]),
    "a kept stream holds nothing back": (
        sse(created(background=True), said("<thi"), said("nk>")),
        [Text("<thi"), Text("nk>")],
    ),
    # the end
    "refusal": (
        sse(created(), refused("I can"), refused("not."), ended("completed", usage=USAGE)),
        [Text("I can"), Text("not."), USED, Stopped("refusal")],
    ),
    "incomplete: length": (
        sse(created(), said("a"), ended("incomplete", incomplete_details={"reason": "max_output_tokens"}, usage=USAGE)),
        [Text("a"), USED, Stopped("length")],
    ),
    "incomplete: content_filter": (
        sse(created(), ended("incomplete", incomplete_details={"reason": "content_filter"})),
        [Stopped("content_filter")],
    ),
    "incomplete: something else": (
        sse(created(), ended("incomplete", incomplete_details={"reason": "max_steps"})),
        [Stopped("max_steps")],
    ),
    "incomplete: no reason": (sse(created(), ended("incomplete", incomplete_details=None)), [Stopped("incomplete")]),
    "tool call": (
        sse(created(), event("response.output_item.done", item=CALL), ended("completed", output=[CALL])),
        [Text(CALLED), Stopped("tool_calls")],
    ),
    "tool call after text": (
        sse(created(), said("a"), event("response.output_item.done", item=CALL), ended("completed")),
        [Text("a"), Text("\n\n" + CALLED), Stopped("tool_calls")],
    ),
    "tool call in the response alone": (
        sse(created(), ended("completed", output=[CALL])),
        [Text(CALLED), Stopped("tool_calls")],
    ),
    "done, as OpenRouter says it": (
        sse(created(), said("a"), event("response.done", response=response("completed", usage=USAGE))),
        [Text("a"), USED, Stopped("stop")],
    ),
    "done, and incomplete": (
        sse(
            created(),
            event("response.done", response=response("incomplete", incomplete_details={"reason": "max_output_tokens"})),
        ),
        [Stopped("length")],
    ),
    "completed without the response": (
        sse(created(), said("a"), event("response.completed")),
        [Text("a"), Stopped("stop")],
    ),
    "only [DONE]": (sse(created(), said("a"), "[DONE]"), [Text("a"), Stopped(None)]),
    "no end": (sse(created(), said("a")), [Text("a")]),
    "nothing at all": (b"", []),
    "last event without its blank line": (
        sse(created(), said("a"), ended("completed")).removesuffix(b"\n\n"),
        [Text("a"), Stopped("stop")],
    ),
    "event cut in the middle": (sse(created(), said("a")) + b'data: {"type":"response.outp', [Text("a")]),
    "text after the end": (sse(created(), ended("completed"), said("late")), [Stopped("stop")]),
    "queued": (
        sse(
            created(background=True),
            event("response.queued", response=response("queued", background=True)),
            said("a"),
            ended("completed"),
        ),
        [Progress("queued"), Text("a"), Stopped("stop")],
    ),
    # figures
    "cost exact, cache writes": (
        sse(
            '{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":'
            '{"input_tokens":10,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":4},"output_tokens":2,'
            '"cost":0.000123456789012345678901}}}'
        ),
        [
            Usage(input=10, cached=0, cache_write=4, output=2, cost=Decimal("0.000123456789012345678901")),
            Stopped("stop"),
        ],
    ),
    "usage null, usage empty, details null": (
        sse(ended("completed", usage={"input_tokens": 1, "input_tokens_details": None, "output_tokens_details": None})),
        [Usage(input=1), Stopped("stop")],
    ),
    "usage empty": (sse(ended("completed", usage={})), [Stopped("stop")]),
    "counts that cannot be": (
        sse(ended("completed", usage={"input_tokens": -1, "output_tokens": 10**20})),
        [Stopped("stop")],
    ),
    "usage of the wrong type costs no end": (sse(BAD_USAGE), [skipped(BAD_USAGE[:200]), Stopped("stop")]),
    # what is not JSON, or not quite
    "malformed event left out": (
        sse(created(), said("a"), "{oops", said("b"), ended("completed")),
        [Text("a"), skipped("{oops"), Text("b"), Stopped("stop")],
    ),
    "three malformed in a row": (
        sse(said("a"), "{", "}", "["),
        [
            Text("a"),
            skipped("{"),
            skipped("}"),
            skipped("["),
            fault(Kind.PROTOCOL, say("fail.malformed", count=3)),
        ],
    ),
    "delta of the wrong type": (
        sse(event("response.output_text.delta", delta=[1]), said("a")),
        [skipped('{"type": "response.output_text.delta", "delta": [1]}'), Text("a")],
    ),
    "response of the wrong type": (
        sse('{"type":"response.created","response":"x"}', said("a")),
        [skipped('{"type":"response.created","response":"x"}'), Text("a")],
    ),
    # errors inside
    "failed": (
        sse(created(), said("a"), ended("failed", error={"code": "server_error", "message": "boom"}, usage=USAGE)),
        [Text("a"), USED, fault(Kind.SERVER, "boom")],
    ),
    "failed: rate limit": (
        sse(ended("failed", error={"code": "rate_limit_exceeded", "message": "slow down"})),
        [fault(Kind.RATE_LIMIT, "slow down")],
    ),
    "failed: prompt": (
        sse(ended("failed", error={"code": "invalid_prompt", "message": "no"})),
        [fault(Kind.BAD_REQUEST, "no")],
    ),
    "failed, the error beside the response (Perplexity)": (
        sse(event("response.failed", error={"message": "boom", "code": "server_error"})),
        [fault(Kind.SERVER, "boom")],
    ),
    "failed without an error": (
        sse(ended("failed")),
        [fault(Kind.SERVER, say("fail.finish", reason="failed"))],
    ),
    "cancelled from elsewhere": (
        sse(created(), said("a"), ended("cancelled")),
        [Text("a"), fault(Kind.SERVER, say("fail.finish", reason="cancelled"))],
    ),
    "error event": (
        sse(created(), said("a"), event("error", code="rate_limit_exceeded", message="slow", param=None), said("b")),
        [Text("a"), fault(Kind.RATE_LIMIT, "slow")],
    ),
    "error event with its name": (
        named(said("a"), event("error", code="server_error", message="boom", param=None, sequence_number=2)),
        [Text("a"), fault(Kind.SERVER, "boom")],
    ),
    "error event, nested": (
        named(
            event("error", error={"type": "invalid_request_error", "code": "context_length_exceeded", "message": "x"})
        ),
        [fault(Kind.CONTEXT_LENGTH, "x")],
    ),
    "error event of a wrong request": (
        sse(event("error", error={"type": "invalid_request_error", "code": None, "message": "x"})),
        [fault(Kind.BAD_REQUEST, "x")],
    ),
    "error event that refuses a parameter": (
        sse(event("error", code=None, message="Unsupported parameter: 'temperature'", param="temperature")),
        [fault(Kind.SERVER, "Unsupported parameter: 'temperature'", "temperature")],
    ),
    "error without a type": (sse('{"error":{"message":"boom","code":429}}'), [fault(Kind.RATE_LIMIT, "boom")]),
    "error without data:": (
        sse(said("a")) + b'{"error":{"message":"boom","code":500}}\n\n',
        [Text("a"), fault(Kind.SERVER, "boom")],
    ),
    # whole answers
    "whole answer": (
        whole("completed", output=[REASONING, message(text("Hello"))], usage=USAGE),
        [Thinking("hm"), Thinking("\n\n"), Thinking("so"), Text("Hello"), USED, Stopped("stop")],
    ),
    "whole answer with reasoning in the open and a think block": (
        whole(
            "completed",
            output=[
                {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}, 5]},
                message(text("<think>so</think>a"), {"type": "output_audio"}),
            ],
        ),
        [Thinking("hm"), Thinking("so"), Text("a"), Stopped("stop")],
    ),
    "whole answer, refused": (
        whole("completed", output=[message({"type": "refusal", "refusal": "No."})]),
        [Text("No."), Stopped("refusal")],
    ),
    "whole answer, a tool call": (
        whole("completed", output=[message(text("a")), CALL]),
        [Text("a"), Text("\n\n" + CALLED), Stopped("tool_calls")],
    ),
    "whole answer, cut by length": (
        whole("incomplete", output=[message(text("a"))], incomplete_details={"reason": "max_output_tokens"}),
        [Text("a"), Stopped("length")],
    ),
    "whole answer, failed": (
        whole("failed", error={"code": "server_error", "message": "boom"}),
        [fault(Kind.SERVER, "boom")],
    ),
    "whole answer, still queued": (whole("queued"), []),
    "whole answer without a status": (
        json.dumps({"output": [message(text("a"))], "usage": [1]}).encode(),
        [skipped(json.dumps({"output": [message(text("a"))], "usage": [1]})[:200]), Text("a"), Stopped("stop")],
    ),
    "error body under 200": (
        b'{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}',
        [fault(Kind.AUTH, "Incorrect API key provided")],
    ),
    "some other JSON under 200": (b'{"choices":[]}', [fault(Kind.PROTOCOL, say("fail.no_response"))]),
    "web page under 200": (
        b"<html><head><title>Sign in</title></head></html>",
        [fault(Kind.PROTOCOL, say("fail.page", status=200, title="Sign in"))],
    ),
}
