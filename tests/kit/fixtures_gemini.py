"""Answers of the Gemini API, byte by byte, and the events they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.events import StreamEvent

KEY_SOURCE = "GEMINI_API_KEY"
"""The key source of the endpoint that the fixtures are decoded for: hints name it."""


def sse(*data: str) -> bytes:
    return "".join(f"data: {piece}\r\n\r\n" for piece in data).encode()


def parts(*inner: str, reason: str = "", rest: str = "") -> str:
    finish = f',"finishReason":"{reason}"' if reason else ""
    listed = ",".join(f"{{{part}}}" for part in inner)
    return f'{{"candidates":[{{"content":{{"parts":[{listed}],"role":"model"}}{finish},"index":0}}]{rest}}}'


def say_text(text: str, reason: str = "", rest: str = "") -> str:
    return parts(f'"text":"{text}"', reason=reason, rest=rest)


def think(text: str) -> str:
    return parts(f'"text":"{text}","thought":true')


def stop(reason: str = "STOP", rest: str = "") -> str:
    return f'{{"candidates":[{{"finishReason":"{reason}","index":0}}]{rest}}}'


def usage(fields: str) -> str:
    return f',"usageMetadata":{{{fields}}}'


def error(code: int, message: str, status: str, details: str = "") -> str:
    told = f',"details":[{details}]' if details else ""
    return f'{{"error":{{"code":{code},"message":"{message}","status":"{status}"{told}}}}}'


def pretty(code: int, message: str, status: str) -> bytes:
    lines = ("{", '  "error": {', f'    "code": {code},', f'    "message": "{message}",', f'    "status": "{status}"')
    return "\n".join((*lines, "  }", "}", "")).encode()


def fault(kind: Kind, message: str, retry_after: float | None = None) -> Faulted:
    return Faulted(replace(failure(kind, message, source=KEY_SOURCE), retry_after=retry_after))


def skipped(sample: str) -> Skipped:
    """The reason is the JSON parser's own and not compared."""
    return Skipped("", sample)


RETRY_12 = '{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"12s"}'
OVERLOADED = "The model is overloaded. Please try again later."
QUOTA = "You exceeded your current quota, please check your plan and billing details."
HALF, OTHER_HALF = r"\ud83d", r"\ude42"

STREAMS: dict[str, tuple[bytes, list[StreamEvent]]] = {
    # the text
    "hello": (
        sse(
            say_text("Hel", rest=usage('"promptTokenCount":4,"totalTokenCount":4')),
            say_text("lo", "STOP", usage('"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":6')),
        ),
        [Text("Hel"), Usage(input=4), Text("lo"), Usage(input=4, output=2), Stopped("stop")],
    ),
    "text and emoji over many bytes": (sse(say_text("Việt 漢字 🙂\u2028\u0085x")), [Text("Việt 漢字 🙂\u2028\u0085x")]),
    "several parts, some of them empty": (
        sse(parts('"text":"a"', '"text":""', '"text":"b"', reason="STOP")),
        [Text("a"), Text("b"), Stopped("stop")],
    ),
    "parts that are no text": (
        sse(
            parts(
                '"functionCall":{"name":"f","args":{"text":"no"}}',
                '"inlineData":{"mimeType":"image/png","data":"aaaa"}',
                '"executableCode":{"language":"PYTHON","code":"1"}',
                '"thoughtSignature":"abcd"',
                '"text":"a"',
            )
        ),
        [Text("a")],
    ),
    "LF, a BOM and comments": (
        b"\xef\xbb\xbf: hi\n\n" + sse(say_text("a"), stop()).replace(b"\r", b""),
        [Text("a"), Stopped("stop")],
    ),
    "CR alone": (sse(say_text("a"), stop()).replace(b"\n", b""), [Text("a"), Stopped("stop")]),
    "data without a space": (sse(say_text("a"), stop()).replace(b"data: ", b"data:"), [Text("a"), Stopped("stop")]),
    "no candidates, null, no content, no parts": (
        sse(
            "{}",
            '{"candidates":[]}',
            '{"candidates":null}',
            '{"candidates":[{"index":0}]}',
            '{"candidates":[{"content":null}]}',
            '{"candidates":[{"content":{"role":"model"}}]}',
            '{"candidates":[{"content":{"parts":null}}]}',
            '{"candidates":[{"content":{"parts":[{"text":null}]}}]}',
            say_text("a"),
        ),
        [Text("a")],
    ),
    "second candidate left out": (
        sse('{"candidates":[{"index":1,"content":{"parts":[{"text":"no"}]},"finishReason":"STOP"}]}', say_text("a")),
        [Text("a")],
    ),
    "a list in one event": (sse(f"[{say_text('a')},{stop()}]"), [Text("a"), Stopped("stop")]),
    "half an emoji at a time": (
        sse(say_text("a" + HALF), say_text(OTHER_HALF + "b"), stop()),
        [Text("a"), Text("🙂b"), Stopped("stop")],
    ),
    "half an emoji at the end": (
        sse(say_text("a" + HALF), stop()),
        [Text("a"), Text("\ufffd"), Stopped("stop")],
    ),
    # reasoning
    "thoughts": (
        sse(think("hm"), parts('"text":"so","thought":true', '"text":"a","thought":false'), stop()),
        [Thinking("hm"), Thinking("so"), Text("a"), Stopped("stop")],
    ),
    "interleaved thoughts": (
        sse(think("p"), say_text("a"), think("q"), say_text("b")),
        [Thinking("p"), Text("a"), Thinking("q"), Text("b")],
    ),
    # the end
    "last event without parts": (
        sse(say_text("a"), '{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}'),
        [Text("a"), Stopped("stop")],
    ),
    "no finish reason": (sse(say_text("a")), [Text("a")]),
    "finish reason unspecified": (sse(say_text("a", "FINISH_REASON_UNSPECIFIED")), [Text("a")]),
    "nothing at all": (b"", []),
    "MAX_TOKENS": (sse(say_text("a", "MAX_TOKENS")), [Text("a"), Stopped("length")]),
    "MAX_TOKENS before any text": (
        sse(stop("MAX_TOKENS", usage('"promptTokenCount":4,"thoughtsTokenCount":99'))),
        [Usage(input=4, reasoning=99, output=99), Stopped("length")],
    ),
    "SAFETY without text": (sse(stop("SAFETY")), [fault(Kind.BLOCKED, say("fail.blocked", reason="SAFETY"))]),
    "SAFETY after text": (sse(say_text("a"), stop("SAFETY")), [Text("a"), Stopped("content_filter")]),
    "RECITATION after thoughts alone": (
        sse(think("hm"), stop("RECITATION", usage('"promptTokenCount":4'))),
        [Thinking("hm"), Usage(input=4), fault(Kind.BLOCKED, say("fail.blocked", reason="RECITATION"))],
    ),
    "MALFORMED_FUNCTION_CALL": (sse(stop("MALFORMED_FUNCTION_CALL")), [Stopped("malformed_function_call")]),
    "OTHER": (sse(stop("OTHER")), [Stopped("other")]),
    "finish reason twice": (sse(stop(), stop("MAX_TOKENS")), [Stopped("stop")]),
    "usage after the finish reason": (
        sse(stop(), "{" + usage('"promptTokenCount":4,"candidatesTokenCount":1')[1:] + "}"),
        [Stopped("stop"), Usage(input=4, output=1)],
    ),
    "last event without its blank line": (
        sse(say_text("a"), stop()).removesuffix(b"\r\n\r\n"),
        [Text("a"), Stopped("stop")],
    ),
    "event cut in the middle": (sse(say_text("a"), say_text("b"))[:-20], [Text("a")]),
    "prompt blocked": (
        sse('{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4}}'),
        [Usage(input=4), fault(Kind.BLOCKED, say("fail.prompt_blocked", reason="PROHIBITED_CONTENT"))],
    ),
    "prompt blocked, and why": (
        sse('{"promptFeedback":{"blockReason":"MODEL_ARMOR","blockReasonMessage":"too odd"}}'),
        [fault(Kind.BLOCKED, say("fail.prompt_blocked", reason="MODEL_ARMOR: too odd"))],
    ),
    "prompt rated, not blocked": (
        sse('{"promptFeedback":{"safetyRatings":[]}}', say_text("a", "STOP")),
        [Text("a"), Stopped("stop")],
    ),
    # usage
    "usage in full": (
        sse(
            stop(
                rest=usage(
                    '"promptTokenCount":100,"cachedContentTokenCount":64,"toolUsePromptTokenCount":10,'
                    '"candidatesTokenCount":20,"thoughtsTokenCount":30,"totalTokenCount":160,'
                    '"promptTokensDetails":[{"modality":"TEXT","tokenCount":100}]'
                )
            )
        ),
        [Usage(input=110, cached=64, reasoning=30, output=50), Stopped("stop")],
    ),
    "usage null, empty, or of counts that cannot be": (
        sse('{"usageMetadata":null}', '{"usageMetadata":{}}', '{"usageMetadata":{"promptTokenCount":-1}}'),
        [],
    ),
    "usage of the wrong type costs no text": (
        sse('{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":5}'),
        [Text("a"), skipped('{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":5}')],
    ),
    # what is not JSON
    "malformed event left out": (
        sse(say_text("a"), "{oops", say_text("b")),
        [Text("a"), skipped("{oops"), Text("b")],
    ),
    "three malformed in a row": (
        sse("{", "{", "{", say_text("a")),
        [skipped("{")] * 3 + [fault(Kind.PROTOCOL, say("fail.malformed", count=3))],
    ),
    # errors inside
    "error in an event": (
        sse(say_text("a"), error(503, OVERLOADED, "UNAVAILABLE"), say_text("b")),
        [Text("a"), fault(Kind.OVERLOADED, OVERLOADED)],
    ),
    "error in an event, in a list": (sse(f"[{error(500, 'boom', 'INTERNAL')}]"), [fault(Kind.SERVER, "boom")]),
    "error with a status and no code": (
        sse('{"error":{"message":"boom","status":"PERMISSION_DENIED"}}'),
        [fault(Kind.PERMISSION, "boom")],
    ),
    "error without data:, the line still open": (
        sse(say_text("a")) + error(503, OVERLOADED, "UNAVAILABLE").encode() + b"\n" + sse(say_text("b")),
        [Text("a"), fault(Kind.OVERLOADED, OVERLOADED)],
    ),
    "error without data:, pretty-printed": (
        sse(say_text("a")) + pretty(503, OVERLOADED, "UNAVAILABLE") + sse(say_text("b")),
        [Text("a"), fault(Kind.OVERLOADED, OVERLOADED)],
    ),
    "error without data:, in a list": (
        sse(say_text("a")) + b"[" + pretty(503, OVERLOADED, "UNAVAILABLE") + b"]\n" + sse(say_text("b")),
        [Text("a"), fault(Kind.OVERLOADED, OVERLOADED)],
    ),
    "error without data:, after something else": (
        sse(say_text("a")) + b"oops\n" + error(500, "boom", "INTERNAL").encode() + b"\r\n" + sse(say_text("b")),
        [Text("a"), fault(Kind.SERVER, "boom")],
    ),
    "error without data: or a line end": (
        sse(say_text("a")) + error(500, "boom", "INTERNAL").encode(),
        [Text("a"), fault(Kind.SERVER, "boom")],
    ),
    "error without data:, cut off": (
        sse(say_text("a")) + b'{"error":{"code":500,\n',
        [Text("a"), fault(Kind.SERVER, '{"error":{"code":500,')],
    ),
    "error after the finish reason": (
        sse(say_text("a"), stop()) + pretty(500, "boom", "INTERNAL"),
        [Text("a"), Stopped("stop")],
    ),
    "half an emoji before an error": (
        sse(say_text(HALF)) + pretty(500, "boom", "INTERNAL"),
        [Text("\ufffd"), fault(Kind.SERVER, "boom")],
    ),
    "a limit of so many a minute": (
        sse(error(429, QUOTA, "RESOURCE_EXHAUSTED", RETRY_12)),
        [fault(Kind.RATE_LIMIT, QUOTA, 12.0)],
    ),
    # whole answers, whatever the content type says
    "whole answer": (
        say_text("Hello", "STOP", usage('"promptTokenCount":4,"candidatesTokenCount":2')).encode(),
        [Text("Hello"), Usage(input=4, output=2), Stopped("stop")],
    ),
    "whole answer without a finish reason": (say_text("Hello").encode(), [Text("Hello"), Stopped(None)]),
    "whole answer, blocked": (
        b'{"promptFeedback":{"blockReason":"SAFETY"}}',
        [fault(Kind.BLOCKED, say("fail.prompt_blocked", reason="SAFETY"))],
    ),
    "a list of responses, as without alt=sse": (
        f"[{say_text('Hel')}\n,\r\n{say_text('lo')},\n{stop()}]".encode(),
        [Text("Hel"), Text("lo"), Stopped("stop")],
    ),
    "a list of responses that ends in an error": (
        f"[{say_text('Hel')}\n,\n{error(503, OVERLOADED, 'UNAVAILABLE')}\n]".encode(),
        [Text("Hel"), fault(Kind.OVERLOADED, OVERLOADED)],
    ),
    "a list of responses cut off": (
        f"[{say_text('Hel')}\n,".encode(),
        [fault(Kind.TRUNCATED, say("fail.truncated"))],
    ),
    "error as the whole body": (pretty(503, OVERLOADED, "UNAVAILABLE"), [fault(Kind.OVERLOADED, OVERLOADED)]),
    "error as the whole body, in a list": (
        f"[{error(503, OVERLOADED, 'UNAVAILABLE')}]".encode(),
        [fault(Kind.OVERLOADED, OVERLOADED)],
    ),
    "error at first, then events": (
        pretty(500, "boom", "INTERNAL") + sse(say_text("a"), stop()),
        [fault(Kind.SERVER, "boom")],
    ),
    "some other JSON": (b'{"status":"ok"}', [fault(Kind.PROTOCOL, say("fail.no_message"))]),
    "empty list": (b"[]", [fault(Kind.PROTOCOL, say("fail.no_message"))]),
    "web page under 200": (
        b"<!DOCTYPE html><title>Sign in</title>",
        [fault(Kind.PROTOCOL, say("fail.page", status=200, title="Sign in"))],
    ),
}
