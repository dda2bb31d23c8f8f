"""Answers of chat-completions servers, byte by byte, and the events they mean."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tui_chat.domain.events import Faulted, Skipped, Stopped, Text, Thinking, Timings, Usage
from tui_chat.domain.failure import Kind, failure
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.events import StreamEvent

KEY_SOURCE = "WORK_KEY"
"""The key source of the endpoint that the fixtures are decoded for: hints name it."""


def sse(*data: str) -> bytes:
    return "".join(f"data: {piece}\n\n" for piece in data).encode()


def delta(fields: str, rest: str = "") -> str:
    return f'{{"choices":[{{"index":0,"delta":{{{fields}}}{rest}}}]}}'


def say_text(text: str) -> str:
    return delta(f'"content":"{text}"')


def stop(reason: str = "stop") -> str:
    return delta("", f',"finish_reason":"{reason}"')


def usage(fields: str) -> str:
    return f'{{"choices":[],"usage":{{{fields}}}}}'


def fault(kind: Kind, message: str, parameter: str | None = None) -> Faulted:
    return Faulted(failure(kind, message, parameter=parameter, source=KEY_SOURCE))


def skipped(sample: str) -> Skipped:
    """The reason is the JSON parser's own and not compared."""
    return Skipped("", sample)


HALF, OTHER_HALF = r"\ud83d", r"\ude42"
DEEP = '{"choices":' + "[" * 5000 + "]" * 5000 + "}"
BROKEN = say("fail.finish", reason="error")
TITLE = "502 Bad Gateway"

STREAMS: dict[str, tuple[bytes, list[StreamEvent]]] = {
    # the text
    "hello": (
        sse(delta('"role":"assistant","content":""'), say_text("Hel"), say_text("lo"), stop(), "[DONE]"),
        [Text("Hel"), Text("lo"), Stopped("stop")],
    ),
    "role only": (sse(delta('"role":"assistant"'), "[DONE]"), [Stopped(None)]),
    "content null": (sse(delta('"content":null'), say_text("a"), stop(), "[DONE]"), [Text("a"), Stopped("stop")]),
    "text in the chunk of the finish reason": (
        sse(delta('"content":"a"', ',"finish_reason":"stop"'), "[DONE]"),
        [Text("a"), Stopped("stop")],
    ),
    "text and emoji over many bytes": (sse(say_text("Việt 漢字 🙂\u2028\u0085x")), [Text("Việt 漢字 🙂\u2028\u0085x")]),
    "white space alone": (
        sse(say_text(" "), say_text("\\n"), stop(), "[DONE]"),
        [Text(" \n"), Stopped("stop")],
    ),
    "content as typed parts": (
        sse(delta('"content":[{"type":"text","text":"a"},"b",{"type":"image_url"},3]'), stop()),
        [Text("ab"), Stopped("stop")],
    ),
    "Mistral thinks in parts of parts": (
        sse(
            delta('"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]'),
            delta('"content":[{"type":"text","text":"a"}]'),
            stop(),
        ),
        [Thinking("hm"), Text("a"), Stopped("stop")],
    ),
    "second choice left out": (
        sse('{"choices":[{"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"a"}}]}', stop()),
        [Text("a"), Stopped("stop")],
    ),
    "index null or missing": (
        sse('{"choices":[{"index":null,"delta":{"content":"a"}}]}', '{"choices":[{"delta":{"content":"b"}}]}'),
        [Text("a"), Text("b")],
    ),
    "no choices, null choices, null delta": (
        sse("{}", '{"choices":[]}', '{"choices":null}', '{"choices":[{"index":0,"delta":null}]}', say_text("a")),
        [Text("a")],
    ),
    "Azure: first chunk without choices": (
        sse(
            '{"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}',
            '{"choices":[{"index":0,"content_filter_offsets":{"start_offset":0},"finish_reason":null}]}',
            say_text("a"),
            stop(),
            "[DONE]",
        ),
        [Text("a"), Stopped("stop")],
    ),
    "padding and unknown fields": (
        sse('{"id":"x","obfuscation":"aaaa","choices":[{"delta":{"content":"a","tool_calls":null},"logprobs":[]}]}'),
        [Text("a")],
    ),
    "CRLF, a BOM, comments, blank data and event names": (
        b"\xef\xbb\xbf: OPENROUTER PROCESSING\r\n\r\nevent: message\r\ndata:\r\n\r\ndata: "
        + say_text("a").encode()
        + b'\r\n\r\nevent: ping\r\ndata: {"type": "ping"}\r\n\r\ndata:[DONE]\r\n\r\n',
        [Text("a"), Stopped(None)],
    ),
    "bad UTF-8": (b'data: {"choices":[{"delta":{"content":"a\xffb"}}]}\n\n', [Text("a\ufffdb")]),
    # reasoning
    "reasoning_content": (
        sse(delta('"content":null,"reasoning_content":"hm"'), delta('"content":"a","reasoning_content":null'), stop()),
        [Thinking("hm"), Text("a"), Stopped("stop")],
    ),
    "reasoning": (
        sse(delta('"content":"","reasoning":"hm","reasoning_details":[{"text":"hm"}]'), say_text("a")),
        [Thinking("hm"), Text("a")],
    ),
    "reasoning under both names": (sse(delta('"reasoning_content":"hm","reasoning":"hm"')), [Thinking("hm")]),
    "reasoning and text in one chunk": (
        sse(delta('"content":"a","reasoning_content":"hm"')),
        [Thinking("hm"), Text("a")],
    ),
    "think block": (
        sse(say_text("<thi"), say_text("nk>\\nhm </th"), say_text("ink>\\n\\n"), say_text("a"), stop()),
        [Thinking("hm "), Text("a"), Stopped("stop")],
    ),
    "think block never closed": (
        sse(say_text("<think>hm</thi"), stop("length")),
        [Thinking("hm"), Thinking("</thi"), Stopped("length")],
    ),
    "held-back text at a finish reason": (sse(say_text("<thi"), stop()), [Text("<thi"), Stopped("stop")]),
    "held-back text at the end mark": (sse(say_text("<thi"), "[DONE]"), [Text("<thi"), Stopped(None)]),
    "held-back text in a cut stream": (sse(say_text("<thi")), [Text("<thi")]),
    "held-back text at an error": (
        sse(say_text("<thi"), '{"error":{"message":"boom"}}'),
        [Text("<thi"), fault(Kind.SERVER, "boom")],
    ),
    "held-back text at a failing finish reason": (
        sse(say_text("<thi"), stop("error")),
        [Text("<thi"), fault(Kind.SERVER, BROKEN)],
    ),
    "held-back text before garbage": (
        sse(say_text("<thi"), "{", "{", "{"),
        [
            skipped("{"),
            skipped("{"),
            skipped("{"),
            Text("<thi"),
            fault(Kind.PROTOCOL, say("fail.malformed", count=3)),
        ],
    ),
    "text is counted before the usage that counts it": (
        sse(delta('"content":"<"', ',"finish_reason":"stop"')[:-1] + ',"usage":{"completion_tokens":1}}'),
        [Text("<"), Usage(output=1), Stopped("stop")],
    ),
    # the end
    "end mark without a finish reason": (sse(say_text("a"), "[DONE]"), [Text("a"), Stopped(None)]),
    "finish reason without an end mark": (sse(say_text("a"), stop()), [Text("a"), Stopped("stop")]),
    "neither": (sse(say_text("a")), [Text("a")]),
    "nothing at all": (b"", []),
    "comments and nothing more": (b": keep-alive\n\n: keep-alive\n\n", []),
    "data after the end mark": (
        sse(say_text("a"), "[DONE]", say_text("b"), '{"error":{"message":"late"}}'),
        [Text("a"), Stopped(None)],
    ),
    "end mark without its blank line": (sse(say_text("a")) + b"data: [DONE]", [Text("a"), Stopped(None)]),
    "last chunk without its blank line": (
        (sse(say_text("a"), stop()).removesuffix(b"\n\n")),
        [Text("a"), Stopped("stop")],
    ),
    "chunk cut in the middle": (sse(say_text("a")) + b'data: {"choices":[{"delta":{"con', [Text("a")]),
    "usage between finish reason and end mark": (
        sse(say_text("a"), stop(), usage('"prompt_tokens":5,"completion_tokens":1,"total_tokens":6'), "[DONE]"),
        [Text("a"), Stopped("stop"), Usage(input=5, output=1)],
    ),
    "length": (sse(say_text("a"), stop("length"), "[DONE]"), [Text("a"), Stopped("length")]),
    "content_filter without text": (sse(stop("content_filter"), "[DONE]"), [Stopped("content_filter")]),
    "tool_calls": (sse(stop("tool_calls"), "[DONE]"), [Stopped("tool_calls")]),
    "finish reason empty or the word null until the last": (
        sse(
            delta('"content":"a"', ',"finish_reason":""'),
            delta('"content":"b"', ',"finish_reason":"null"'),
            stop(),
        ),
        [Text("a"), Text("b"), Stopped("stop")],
    ),
    "finish reason twice": (sse(stop(), stop("length")), [Stopped("stop")]),
    "refusal": (
        sse(delta('"refusal":"I can"'), delta('"refusal":"not."'), stop(), "[DONE]"),
        [Text("I can"), Text("not."), Stopped("refusal")],
    ),
    "refusal null": (sse(delta('"content":"a","refusal":null'), stop()), [Text("a"), Stopped("stop")]),
    # usage and timings
    "usage on every chunk, growing": (
        sse(
            say_text("a")[:-1] + ',"usage":{"prompt_tokens":5,"completion_tokens":1}}',
            say_text("b")[:-1] + ',"usage":{"prompt_tokens":5,"completion_tokens":2}}',
            stop(),
        ),
        [Text("a"), Usage(input=5, output=1), Text("b"), Usage(input=5, output=2), Stopped("stop")],
    ),
    "usage null and usage empty": (sse('{"choices":[],"usage":null}', usage("")), []),
    "usage in full (OpenAI)": (
        sse(
            usage(
                '"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":0},'
                '"completion_tokens_details":{"reasoning_tokens":30}'
            )
        ),
        [Usage(input=100, cached=64, reasoning=30, output=50)],
    ),
    "usage of DeepSeek": (
        sse(
            usage(
                '"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36'
            )
        ),
        [Usage(input=100, cached=64, output=5)],
    ),
    "usage of OpenRouter, cost exact": (
        sse(
            usage(
                '"prompt_tokens":10,"completion_tokens":2,"cost":0.000123456789012345678901,"is_byok":false,'
                '"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":4},"completion_tokens_details":null'
            )
        ),
        [Usage(input=10, cached=0, cache_write=4, output=2, cost=Decimal("0.000123456789012345678901"))],
    ),
    "usage of Perplexity, cost in parts": (
        sse(
            say_text("a")[:-1] + ',"usage":{"completion_tokens":1,"cost":{"input_tokens_cost":0.1,"total_cost":0.006}}}'
        ),
        [Text("a"), Usage(output=1, cost=Decimal("0.006"))],
    ),
    "usage of Groq beside the chunk": (
        sse('{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":4,"total_time":0.1}}}'),
        [Usage(input=3, output=4)],
    ),
    "counts as text and as floats": (
        sse(usage('"prompt_tokens":"5","completion_tokens":2.0,"cost":"0.10"')),
        [Usage(input=5, output=2, cost=Decimal("0.10"))],
    ),
    "counts that cannot be": (
        sse(usage('"prompt_tokens":-1,"completion_tokens":99999999999999999999,"cost":-1')),
        [],
    ),
    "cost NaN": (sse(usage('"completion_tokens":1,"cost":"NaN"')), [Usage(output=1)]),
    "cost out of all bounds": (sse(usage('"completion_tokens":1,"cost":1e999999')), [Usage(output=1)]),
    "usage of the wrong type costs no text": (
        sse(say_text("a")[:-1] + ',"usage":[1]}', stop()),
        [skipped(say_text("a")[:-1] + ',"usage":[1]}'), Text("a"), Stopped("stop")],
    ),
    "timings of llama.cpp": (
        sse(
            stop()[:-1] + ',"timings":{"cache_n":3,"prompt_n":7,"prompt_ms":120.5,"predicted_n":9,"predicted_ms":2000,'
            '"predicted_per_second":4.5}}'
        ),
        [Timings(prompt_s=0.1205, decode_s=2.0, tok_per_s=4.5), Stopped("stop")],
    ),
    "timings without a number": (
        sse('{"choices":[],"timings":{"prompt_ms":NaN,"predicted_ms":null,"predicted_per_second":Infinity}}'),
        [Timings()],
    ),
    # what is not JSON, or not quite
    "malformed chunk left out": (
        sse(say_text("a"), "{oops", say_text("b"), stop()),
        [Text("a"), skipped("{oops"), Text("b"), Stopped("stop")],
    ),
    "malformed, but not three in a row": (
        sse("{", "}", say_text("a"), "{", "}", say_text("b")),
        [skipped("{"), skipped("}"), Text("a"), skipped("{"), skipped("}"), Text("b")],
    ),
    "three malformed in a row": (
        sse("{", "}", "[", say_text("a")),
        [skipped("{"), skipped("}"), skipped("["), fault(Kind.PROTOCOL, say("fail.malformed", count=3))],
    ),
    "malformed after the finish reason": (
        sse(stop(), "{", "{", "{", "[DONE]"),
        [Stopped("stop"), skipped("{"), skipped("{"), skipped("{")],
    ),
    "blank data is a keep-alive": (sse("", " ", "", "", say_text("a")), [Text("a")]),
    "JSON that is no object": (sse("5", say_text("a"), '"x"'), [skipped("5"), Text("a"), skipped('"x"')]),
    "content of the wrong type": (
        sse(delta('"content":5'), say_text("a")),
        [skipped(delta('"content":5')), Text("a")],
    ),
    "choices of the wrong type": (
        sse('{"choices":{"a":1}}', say_text("a")),
        [skipped('{"choices":{"a":1}}'), Text("a")],
    ),
    "very deep": (sse(DEEP, say_text("a")), [skipped(DEEP[:200]), Text("a")]),
    "sample of a malformed chunk is short": (sse("{" * 1000), [skipped("{" * 200)]),
    "NaN beside the text": (sse('{"choices":[{"delta":{"content":"a"},"logprobs":-Infinity}]}'), [Text("a")]),
    "raw control character in a string": (sse(say_text("a\tb\x01")), [Text("a\tb\x01")]),
    "emoji cut between two chunks": (
        sse(say_text("a" + HALF), say_text(OTHER_HALF + "b"), stop()),
        [Text("a"), Text("🙂b"), Stopped("stop")],
    ),
    "emoji cut in the reasoning": (
        sse(delta(f'"reasoning":"{HALF}"'), delta(f'"reasoning":"{OTHER_HALF}"')),
        [Thinking("🙂")],
    ),
    "half an emoji at the end": (sse(say_text("a" + HALF), stop()), [Text("a"), Text("\ufffd"), Stopped("stop")]),
    "half an emoji in the middle": (sse(say_text("a" + HALF + "b" + OTHER_HALF)), [Text("a\ufffdb\ufffd")]),
    "half an emoji in a refusal": (sse(delta(f'"refusal":"{HALF}"')), [Text("\ufffd")]),
    # errors inside
    "error object": (
        sse(say_text("a"), '{"error":{"message":"Rate limit reached","type":"tokens","code":null}}', say_text("b")),
        [Text("a"), fault(Kind.RATE_LIMIT, "Rate limit reached")],
    ),
    "error with a numeric code": (
        sse('{"error":{"message":"nope","code":401}}'),
        [fault(Kind.AUTH, "nope")],
    ),
    "error with the code as text": (sse('{"error":{"message":"nope","code":"429"}}'), [fault(Kind.RATE_LIMIT, "nope")]),
    "error with a word for a code": (
        sse('{"error":{"message":"nope","code":"insufficient_quota"}}'),
        [fault(Kind.QUOTA, "nope")],
    ),
    "error with a code and no message": (
        sse('{"error":{"type":"overloaded_error"}}'),
        [fault(Kind.OVERLOADED, "overloaded_error")],
    ),
    "error as text": (sse('{"error":"boom"}'), [fault(Kind.SERVER, "boom")]),
    "error true beside a message": (sse('{"error":true,"message":"boom"}'), [fault(Kind.SERVER, "boom")]),
    "error null and false": (sse('{"error":null}', '{"error":false}', say_text("a")), [Text("a")]),
    "error in an event of that name": (
        b'event: error\ndata: {"code":503,"message":"Loading model"}\n\n',
        [fault(Kind.LOADING, "Loading model")],
    ),
    "error in a field of that name (older llama.cpp)": (
        b'error: {"code":500,"message":"out of slots","type":"server_error"}\n\n',
        [fault(Kind.SERVER, "out of slots")],
    ),
    "error object named so (vLLM)": (
        sse('{"object":"error","message":"bad","type":"BadRequestError","param":null,"code":400}'),
        [fault(Kind.BAD_REQUEST, "bad")],
    ),
    "detail": (sse('{"detail":"Not authenticated"}'), [fault(Kind.SERVER, "Not authenticated")]),
    "error without data: in mid-stream": (
        sse(say_text("a")) + b'{"error":{"message":"boom","code":500}}\n\n',
        [Text("a"), fault(Kind.SERVER, "boom")],
    ),
    "error of OpenRouter in the last chunk": (
        sse(
            delta('"content":"a"', ',"finish_reason":"error"')[:-1]
            + ',"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"over capacity"}}'
            ',"usage":{"completion_tokens":1}}',
            "[DONE]",
        ),
        [Text("a"), Usage(output=1), fault(Kind.OVERLOADED, "Provider returned error: over capacity")],
    ),
    "error inside a choice": (
        sse('{"choices":[{"delta":{"content":"a"},"error":{"code":500,"message":"boom"}}]}'),
        [Text("a"), fault(Kind.SERVER, "boom")],
    ),
    "error of Groq beside the chunk": (
        sse('{"choices":[],"x_groq":{"error":"over capacity"}}'),
        [fault(Kind.OVERLOADED, "over capacity")],
    ),
    "error that names a parameter": (
        sse('{"error":{"message":"Unsupported value: top_p","param":"top_p","code":400}}'),
        [fault(Kind.BAD_REQUEST, "Unsupported value: top_p", "top_p")],
    ),
    "finish reason error": (sse(say_text("a"), stop("error")), [Text("a"), fault(Kind.SERVER, BROKEN)]),
    "finish reason insufficient_system_resource": (
        sse(say_text("a"), stop("insufficient_system_resource"), "[DONE]"),
        [
            Text("a"),
            fault(Kind.OVERLOADED, say("fail.finish", reason="insufficient_system_resource")),
        ],
    ),
    "plain text of a proxy": (
        b"upstream connect error or disconnect/reset before headers",
        [fault(Kind.SERVER, "upstream connect error or disconnect/reset before headers")],
    ),
    "text before a stream": (b"hello\n\n" + sse(say_text("a"), stop()), [Text("a"), Stopped("stop")]),
    # whole answers, whatever the content type says
    "whole answer": (
        b'\n\n{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello","reasoning_content":"hm"},'
        b'"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}',
        [Thinking("hm"), Text("Hello"), Usage(input=5, output=2), Stopped("stop")],
    ),
    "whole answer, pretty-printed, with a BOM": (
        b'\xef\xbb\xbf{\n  "choices": [\n    {\n      "message": {"content": "<think>hm</think>\\n\\nHello"}\n'
        b"    }\n  ]\n}\n",
        [Thinking("hm"), Text("Hello"), Stopped(None)],
    ),
    "whole answer, blocked": (
        b'{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}',
        [Stopped("content_filter")],
    ),
    "whole answer, broken off": (
        b'{"choices":[{"message":{"content":"a"},"finish_reason":"error"}]}',
        [Text("a"), fault(Kind.SERVER, BROKEN)],
    ),
    "whole answer with half an emoji": (
        b'{"choices":[{"message":{"content":"a\\ud83d"},"finish_reason":"stop"}]}',
        [Text("a"), Text("\ufffd"), Stopped("stop")],
    ),
    "whole answer without choices": (b'{"choices":[],"usage":{"completion_tokens":0}}', [Usage(output=0)]),
    "whole answer cut off": (
        b'{"choices":[{"message":{"content":"Hel',
        [fault(Kind.TRUNCATED, say("fail.truncated"))],
    ),
    "error body under 200, pretty-printed": (
        b'{\n  "error": {\n    "message": "Incorrect API key provided",\n    "code": "invalid_api_key"\n  }\n}\n',
        [fault(Kind.AUTH, "Incorrect API key provided")],
    ),
    "error body under 200, in a list": (
        b'[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]',
        [fault(Kind.OVERLOADED, "The model is overloaded.")],
    ),
    "message body under 200": (b'{"message":"no such route","code":404}', [fault(Kind.NOT_FOUND, "no such route")]),
    "some other JSON under 200": (b'{"status":"ok"}', [fault(Kind.PROTOCOL, say("fail.no_choices"))]),
    "web page under 200": (
        b"<!DOCTYPE html>\n<html><head><title>Sign in &amp;\n continue</title></head><body>data: x</body></html>",
        [fault(Kind.PROTOCOL, say("fail.page", status=200, title="Sign in & continue"))],
    ),
    "web page without a title": (b"<html>x", [fault(Kind.PROTOCOL, say("fail.page", status=200, title="?"))]),
}
