"""The fault table, row by row: what the server does, how the run ends, what is kept, and how often it is tried.

A row that concerns several dialects has a case in each. What needs a real socket is in test_faults_sockets.py, what
the user sees meanwhile in test_faults_shown.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit import (
    COMMENT,
    DONE,
    HANG,
    Head,
    Pause,
    Script,
    Stage,
    cut,
    delta,
    error_body,
    event,
    refusal,
    said,
    stopped,
    thought,
    used,
)
from tests.kit import fixtures_anthropic as claude
from tests.kit import fixtures_gemini as gemini
from tests.kit import fixtures_responses as responses
from tests.kit.fixtures_openai import sse
from tests.kit.tongues import CHAT, CLAUDE, GEMINI, RESPONSES, TONGUES, Tongue
from tui_chat.domain.ask import Continuation, Settings
from tui_chat.domain.endpoint import Secret, Timeouts
from tui_chat.domain.events import Attempt, Completed, Failed, Learned, Seam, Skipped, Usage, Waiting
from tui_chat.domain.failure import Kind

if TYPE_CHECKING:
    from tui_chat.domain.events import Outcome

DONE_WELL, CUT_AT_LIMIT, NO_REASON = Completed("stop"), Completed("length"), Completed(None)
KEY = "sk-secret-3fA9dQ7Lx2"
EXACT = {"base_url": "http://127.0.0.1:9/v1"}
"""A chat server that knows continue_final_message."""
DEEPSEEK = {"base_url": "https://api.deepseek.com"}
KEPT = {"extra_body": {"background": True}}
"""A Responses server that keeps its streams."""
LIMITS = Timeouts(first_token=60, idle=20, total=0)
BEGUN, REST, WHOLE = "The quick brown fox jum", "ps over the lazy dog.", "The quick brown fox jumps over the lazy dog."
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Case:
    row: int
    name: str
    server: list[Script]
    """One answer a request."""
    ends: Outcome | Kind
    text: str = ""
    thinking: str = ""
    tries: int = 1
    waits: list[float] | None = None
    """Seconds before each further try."""
    seams: int = 0
    """How often the answer was taken up again."""
    learned: list[str] = field(default_factory=list[str])
    says: str = ""
    """Words of the failure or of its hint."""
    skipped: int = 0
    usage: Usage | None = None
    seconds: float | None = None
    """How long the run takes."""
    at: dict[str, Any] = field(default_factory=dict[str, Any])
    asks: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def id(self) -> str:
        return f"fault-{self.row:02}-{self.name}"


def in_each(row: int, name: str, tongues: tuple[Tongue, ...] = TONGUES, /, **told: Any) -> list[Case]:
    """The case in several dialects; what is callable is made from the dialect."""
    return [
        Case(
            row=row,
            name=f"{name}-{tongue.name}",
            at=tongue.endpoint | told.get("at", {}),
            **{key: made(tongue) if callable(made) else made for key, made in told.items() if key != "at"},
        )
        for tongue in tongues
    ]


def google(code: int, status: str, message: str, *details: str) -> Script:
    return [
        Head(code, {"content-type": "application/json"}),
        gemini.error(code, message, status, ",".join(details)).encode(),
    ]


def page(status: int) -> Script:
    html = b"<!DOCTYPE html><html><head><title>Corporate gateway</title></head><body>no</body></html>"
    return [Head(status, {"content-type": "text/html"}), html]


def whole(body: bytes, content_type: str = "application/json") -> Script:
    return [Head(200, {"content-type": content_type}), body]


def usage_chunk(**counts: int) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": counts})


def bytewise(*pieces: bytes) -> Script:
    return [step for piece in pieces for i in range(len(piece)) for step in (piece[i : i + 1], Pause(0.001))]


def kept(number: int, text: str) -> bytes:
    return sse(responses.said(text, sequence_number=number))


PER_DAY = '{"@type":"x/google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerDay-FreeTier"}]}'
OK = CHAT.answer()
HELLO = {"ends": DONE_WELL, "text": "Hello"}
BROKEN_JSON = b'data: {"oops\n\n'
BACKGROUND = sse(responses.created(background=True))
QUEUED = sse(responses.event("response.queued", response=responses.response("queued", background=True)))
AZURE = event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}], "model": ""})
TOO_LONG = "This model's maximum context length is 8192 tokens; your messages have 9000."
NO_PREFILL = "This model does not support assistant message prefill. The conversation must end with a user message."
NO_OPTIONS = refusal(400, "Unrecognized request argument: stream_options", param="stream_options")
NO_CONTINUE = refusal(400, "Unrecognized request argument supplied: continue_final_message")
SO_FAR = {"continuation": Continuation("So far ")}
TIRED = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "insufficient_system_resource"}]})
GAVE_UP = event({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]})
BROKE = event({"id": "1", "error": {"code": 502, "message": "Provider disconnected"}, "choices": []})


def call(fields: dict[str, Any], name: str = "", arguments: str = "") -> bytes:
    function = ({"name": name} if name else {}) | {"arguments": arguments}
    return delta(tool_calls=[fields | {"function": function}])


CASES: list[Case] = [
    # 1: too many requests
    *in_each(
        1,
        "retry-after",
        server=lambda t: [refusal(429, headers={"retry-after": "7"}), t.answer()],
        tries=2,
        waits=[7.0],
        **HELLO,
    ),
    Case(
        row=1,
        name="retry-after-ms",
        server=[refusal(429, headers={"retry-after-ms": "1500"}), OK],
        tries=2,
        waits=[1.5],
        **HELLO,
    ),
    Case(
        row=1,
        name="delay-in-the-body-gemini",
        at=GEMINI.endpoint,
        server=[google(429, "RESOURCE_EXHAUSTED", "Slow down", gemini.RETRY_12), GEMINI.answer()],
        tries=2,
        waits=[12.0],
        **HELLO,
    ),
    Case(
        row=1,
        name="longer-than-the-cap",
        server=[refusal(429, "Slow down.", headers={"retry-after": "121"})],
        ends=Kind.RATE_LIMIT,
        waits=[],
        says="until 22:15:21 UTC",
    ),
    # 2: no credit left
    Case(
        row=2,
        name="quota",
        server=[refusal(429, "You exceeded your current quota", code="insufficient_quota")],
        ends=Kind.QUOTA,
        says="top it up",
    ),
    Case(
        row=2,
        name="balance",
        at=DEEPSEEK,
        server=[refusal(402, "Insufficient Balance")],
        ends=Kind.QUOTA,
        says="Insufficient Balance",
    ),
    Case(
        row=2,
        name="credits-anthropic",
        at=CLAUDE.endpoint,
        server=[refusal(400, "Your credit balance is too low; see billing")],
        ends=Kind.QUOTA,
    ),
    Case(
        row=2,
        name="per-day-gemini",
        at=GEMINI.endpoint,
        server=[google(429, "RESOURCE_EXHAUSTED", gemini.QUOTA, PER_DAY)],
        ends=Kind.QUOTA,
    ),
    # 3: the server fails before the first token
    *[
        Case(row=3, name=f"status-{status}", server=[refusal(status)] * 2 + [OK], tries=3, waits=[0.5, 1.0], **HELLO)
        for status in (500, 502, 503, 504, 529)
    ],
    *in_each(3, "for-good", server=[refusal(503)] * 4, ends=Kind.OVERLOADED, tries=4, waits=[0.5, 1.0, 2.0]),
    # 4: the model is being loaded
    Case(
        row=4,
        name="loading",
        at=EXACT,
        server=[refusal(503, "Loading model")] * 9 + [OK],
        tries=10,
        waits=[2.0] * 9,
        seconds=18,
        **HELLO,
    ),
    Case(
        row=4,
        name="loading-for-good",
        at=EXACT | {"timeouts": Timeouts(first_token=7)},
        server=[refusal(503, "Loading model")] * 5,
        ends=Kind.LOADING,
        tries=5,
        seconds=8,
    ),
    # 5: the key is refused
    *in_each(
        5,
        "key-refused",
        at={"key": Secret(KEY), "key_source": "WORK_KEY"},
        server=[refusal(401, f"Incorrect API key provided: {KEY}.")],
        ends=Kind.AUTH,
        says="WORK_KEY",
    ),
    *in_each(
        5,
        "key-not-allowed",
        at={"key": Secret(KEY)},
        server=[refusal(403, f"{KEY} may not")],
        ends=Kind.PERMISSION,
        says="… may not",
    ),
    Case(
        row=5,
        name="bad-key-gemini",
        at=GEMINI.endpoint,
        server=[google(400, "INVALID_ARGUMENT", "API key not valid.")],
        ends=Kind.AUTH,
    ),
    Case(
        row=5,
        name="in-the-stream",
        at={"key": Secret(KEY)},
        server=[[event({"error": {"message": f"bad key {KEY}", "code": 401}})]],
        ends=Kind.AUTH,
        says="bad key …",
    ),
    # 6: the request cannot be answered as it stands
    *in_each(
        6,
        "context",
        server=[refusal(400, TOO_LONG, code="context_length_exceeded")],
        ends=Kind.CONTEXT_LENGTH,
        says="shorten it",
    ),
    *in_each(
        6,
        "bad-parameter",
        server=[refusal(400, "temperature: must be at most 2")],
        ends=Kind.BAD_REQUEST,
        says="must be at most 2",
    ),
    # 7: the answer may not be gone on with by a trailing message
    Case(
        row=7,
        name="prefill-refused-chat",
        at=EXACT,
        server=[NO_CONTINUE, refusal(400, NO_PREFILL), OK],
        asks=SO_FAR,
        tries=3,
        seams=1,
        learned=["continue_final_message", "trailing"],
        **HELLO,
    ),
    Case(
        row=7,
        name="prefill-refused-anthropic",
        at=CLAUDE.endpoint,
        server=[refusal(400, NO_PREFILL), CLAUDE.answer()],
        asks=SO_FAR | {"model": "claude-sonnet-4-5"},
        tries=2,
        seams=1,
        learned=["trailing"],
        **HELLO,
    ),
    Case(
        row=7,
        name="prefill-refused-gemini",
        at=GEMINI.endpoint,
        server=[refusal(400, "Please ensure that the last turn is from the user, not model"), GEMINI.answer()],
        asks=SO_FAR | {"model": "gemini-2.5-flash"},
        tries=2,
        seams=1,
        learned=["trailing"],
        **HELLO,
    ),
    # 8: an error in JSON where a stream should be
    Case(row=8, name="json-error-502", server=[whole(error_body("bad gateway", code=502)), OK], tries=2, **HELLO),
    Case(
        row=8,
        name="json-error-401",
        server=[whole(error_body("no such key", code=401))],
        ends=Kind.AUTH,
        says="no such key",
    ),
    Case(
        row=8,
        name="json-error-anthropic",
        at=CLAUDE.endpoint,
        server=[whole(b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'), CLAUDE.answer()],
        tries=2,
        **HELLO,
    ),
    Case(
        row=8,
        name="json-error-gemini",
        at=GEMINI.endpoint,
        server=[whole(b"[" + gemini.error(403, "no", "PERMISSION_DENIED").encode() + b"]")],
        ends=Kind.PERMISSION,
    ),
    Case(
        row=8,
        name="json-error-responses",
        at=RESPONSES.endpoint,
        server=[whole(error_body("Rate limit reached", code="rate_limit_exceeded")), RESPONSES.answer()],
        tries=2,
        **HELLO,
    ),
    # 9: a web page
    *in_each(
        9,
        "page-200",
        server=[page(200)],
        ends=Kind.PROTOCOL,
        says="web page, not with an API answer: “Corporate gateway”",
    ),
    *in_each(9, "page-502", server=lambda t: [page(502), t.answer()], tries=2, **HELLO),
    # 10: an error in the middle of the stream
    Case(row=10, name="error-first", server=[[CHAT.begin, BROKE], OK], tries=2, **HELLO),
    Case(
        row=10,
        name="error-chunk",
        server=[[said("Hel"), BROKE]],
        ends=Kind.SERVER,
        text="Hel",
        says="Provider disconnected",
    ),
    Case(row=10, name="error-reason", server=[[said("Hel"), GAVE_UP]], ends=Kind.SERVER, text="Hel"),
    Case(
        row=10,
        name="error-exact-way",
        at=EXACT,
        server=[[said(BEGUN), BROKE], [said(REST), stopped(), DONE]],
        ends=DONE_WELL,
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    Case(
        row=10,
        name="failed-responses",
        at=RESPONSES.endpoint,
        server=[
            [RESPONSES.say("Hel"), sse(responses.ended("failed", error={"code": "server_error", "message": "broke"}))]
        ],
        ends=Kind.SERVER,
        text="Hel",
    ),
    # 11: overloaded under a 200
    *in_each(11, "overloaded-first", server=lambda t: [[t.begin, t.busy], t.answer()], tries=2, **HELLO),
    *in_each(11, "overloaded-later", server=lambda t: [[t.say("Hel"), t.busy]], ends=Kind.OVERLOADED, text="Hel"),
    # 12: the stream ends before the answer does
    *in_each(12, "no-token", server=lambda t: [[t.begin], t.answer()], tries=2, **HELLO),
    *in_each(
        12,
        "no-end",
        server=lambda t: [[t.begin, t.think("hm"), t.say("Hel")]],
        ends=Kind.TRUNCATED,
        text="Hel",
        thinking="hm",
        says="before the answer did",
    ),
    Case(
        row=12,
        name="no-end-exact-way",
        at=EXACT,
        server=[[said(BEGUN)], [said(REST), stopped(), DONE]],
        ends=DONE_WELL,
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    Case(
        row=12,
        name="no-end-three-times",
        at=EXACT,
        server=[[said(BEGUN)], [said("ps")], [said(" over")]],
        ends=Kind.TRUNCATED,
        text=BEGUN + "ps over",
        tries=3,
        seams=2,
    ),
    # 13, 14, 15: the two marks of an end, and the connection
    *in_each(13, "finish-reason-alone", server=lambda t: [[t.say("Hello"), t.stop("stop")]], **HELLO),
    Case(row=14, name="end-mark-alone-chat", server=[[said("Hello"), DONE]], ends=NO_REASON, text="Hello"),
    Case(
        row=14,
        name="end-mark-alone-anthropic",
        at=CLAUDE.endpoint,
        server=[[CLAUDE.say("Hello"), CLAUDE.end]],
        ends=NO_REASON,
        text="Hello",
    ),
    Case(
        row=14,
        name="end-mark-alone-responses",
        at=RESPONSES.endpoint,
        server=[[RESPONSES.say("Hello"), DONE]],
        ends=NO_REASON,
        text="Hello",
    ),
    *in_each(
        15, "left-open", server=lambda t: [[*t.answer(), HANG]], seconds=lambda t: 5.0 if t is GEMINI else 0.1, **HELLO
    ),
    Case(row=15, name="text-after-the-end-mark", server=[[*OK, said(" again"), HANG]], **HELLO),
    # 16: how a response ends
    Case(
        row=16,
        name="incomplete",
        at=RESPONSES.endpoint,
        server=[[*RESPONSES.answer(reason="length")]],
        ends=CUT_AT_LIMIT,
        text="Hello",
    ),
    Case(
        row=16,
        name="no-terminal",
        at=RESPONSES.endpoint,
        server=[[RESPONSES.begin, RESPONSES.say("Hel")]],
        ends=Kind.TRUNCATED,
        text="Hel",
    ),
    Case(
        row=16,
        name="resumed-by-id",
        at=RESPONSES.endpoint | KEPT,
        server=[[BACKGROUND, kept(1, "Hel")], [kept(2, "lo"), RESPONSES.stop("stop")]],
        tries=2,
        seams=1,
        **HELLO,
    ),
    # 17, 18: the line breaks (see also the sockets)
    *in_each(17, "reset-first", server=lambda t: [[t.begin, cut()], t.answer()], tries=2, **HELLO),
    *in_each(
        17,
        "reset-later",
        server=lambda t: [[t.think("hm"), t.say("Hel"), cut()]],
        ends=Kind.RESET,
        text="Hel",
        thinking="hm",
    ),
    Case(
        row=17,
        name="reset-prefix-way",
        at=DEEPSEEK,
        server=[[said(BEGUN), cut()], [said(REST), stopped(), DONE]],
        ends=DONE_WELL,
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    Case(
        row=17,
        name="reset-way-refused",
        at=EXACT,
        server=[[said(BEGUN), cut()], NO_CONTINUE],
        ends=Kind.RESET,
        text=BEGUN,
        tries=2,
        learned=["continue_final_message"],
    ),
    # 20, 21, 22: silence, keep-alives, a slow start
    *in_each(
        20,
        "silence-first",
        at={"timeouts": LIMITS},
        server=lambda t: [[t.begin, HANG]] * 2,
        ends=Kind.FIRST_TOKEN_TIMEOUT,
        tries=2,
        seconds=120.5,
    ),
    *in_each(
        20,
        "silence-later",
        at={"timeouts": LIMITS},
        server=lambda t: [[t.say("Hel"), HANG]],
        ends=Kind.IDLE_TIMEOUT,
        text="Hel",
        seconds=20,
    ),
    Case(
        row=20,
        name="silence-exact-way",
        at=EXACT | {"timeouts": LIMITS},
        server=[[said(BEGUN), HANG]],
        ends=Kind.IDLE_TIMEOUT,
        text=BEGUN,
        seconds=20,
    ),
    *in_each(
        21,
        "comments-first",
        at={"timeouts": LIMITS},
        server=lambda t: [[t.begin, *[COMMENT, Pause(5)] * 99]] * 2,
        ends=Kind.FIRST_TOKEN_TIMEOUT,
        tries=2,
        seconds=120.5,
    ),
    *in_each(
        21,
        "comments-later",
        at={"timeouts": LIMITS},
        server=lambda t: [[t.say("Hel"), *[Pause(5), COMMENT] * 99]],
        ends=Kind.IDLE_TIMEOUT,
        text="Hel",
        seconds=20,
    ),
    Case(
        row=21,
        name="pings-anthropic",
        at=CLAUDE.endpoint | {"timeouts": LIMITS},
        server=[[CLAUDE.say("Hel"), *[Pause(5), claude.PING] * 99]],
        ends=Kind.IDLE_TIMEOUT,
        text="Hel",
        seconds=20,
    ),
    Case(
        row=21,
        name="comments-then-text",
        at={"timeouts": LIMITS},
        server=[[*[COMMENT, Pause(5)] * 11, *OK]],
        seconds=55,
        **HELLO,
    ),
    *in_each(
        22,
        "slow-first-token",
        at={"timeouts": Timeouts(first_token=600, idle=20)},
        server=lambda t: [[t.begin, Pause(599), *t.answer()]],
        seconds=599,
        **HELLO,
    ),
    # 23 to 27: bytes
    Case(
        row=23,
        name="separators-in-json-chat",
        server=[[b'data: {"choices":[{"delta":{"content":"a\xe2\x80\xa8b\xc2\x85c"}}]}\n\n', stopped(), DONE]],
        ends=DONE_WELL,
        text="a\u2028b\x85c",
    ),
    Case(
        row=23,
        name="separators-in-json-anthropic",
        at=CLAUDE.endpoint,
        server=[[claude.say_text("a\u2028b\x85c"), CLAUDE.stop("stop")]],
        ends=DONE_WELL,
        text="a\u2028b\x85c",
    ),
    Case(
        row=23,
        name="separators-in-json-gemini",
        at=GEMINI.endpoint,
        server=[[gemini.sse(gemini.say_text("a\u2028b\x85c")), GEMINI.stop("stop")]],
        ends=DONE_WELL,
        text="a\u2028b\x85c",
    ),
    Case(
        row=24,
        name="cut-everywhere-chat",
        server=[
            bytewise(b'data: {"choices":[{"delta":{"content":"\xf0\x9f\x99\x82\xe6\xbc\xa2"}}]}\n\n', stopped(), DONE)
        ],
        ends=DONE_WELL,
        text="🙂漢",
    ),
    Case(
        row=24,
        name="cut-everywhere-anthropic",
        at=CLAUDE.endpoint,
        server=[bytewise(claude.say_text("🙂漢"), CLAUDE.stop("stop"))],
        ends=DONE_WELL,
        text="🙂漢",
    ),
    Case(
        row=24,
        name="cut-everywhere-gemini",
        at=GEMINI.endpoint,
        server=[bytewise(gemini.sse(gemini.say_text("🙂漢")), GEMINI.stop("stop"))],
        ends=DONE_WELL,
        text="🙂漢",
    ),
    *in_each(
        24,
        "cut-everywhere-escaped",
        server=lambda t: [bytewise(t.say("🙂漢"), t.stop("stop"))],
        ends=DONE_WELL,
        text="🙂漢",
    ),
    *in_each(
        25,
        "invalid-utf-8",
        server=lambda t: [[t.say("aZb").replace(b"Z", b"\xff"), t.stop("stop")]],
        ends=DONE_WELL,
        text="a\ufffdb",
    ),
    *in_each(
        26,
        "crlf-cut",
        server=lambda t: [bytewise(b"".join(t.answer()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))],
        **HELLO,
    ),
    *in_each(27, "bom", server=lambda t: [[b"\xef\xbb\xbf", *t.answer()]], **HELLO),
    # 28, 29: what is no event
    *in_each(
        28,
        "malformed-twice",
        server=lambda t: [[BROKEN_JSON, t.say("Hel"), BROKEN_JSON, BROKEN_JSON, t.say("lo"), t.stop("stop")]],
        skipped=3,
        **HELLO,
    ),
    *in_each(
        28,
        "malformed-for-good",
        server=lambda t: [[t.say("Hel"), *[BROKEN_JSON] * 3, HANG]],
        ends=Kind.PROTOCOL,
        text="Hel",
        skipped=3,
    ),
    *in_each(
        29,
        "endless-line",
        server=lambda t: [[t.say("Hel"), b"data: ", *[b"x" * MIB] * 17]],
        ends=Kind.PROTOCOL,
        text="Hel",
        says="16 MiB",
    ),
    # 30, 31: chunks without a word
    Case(
        row=30, name="no-choices", server=[[AZURE, *OK[:-1], used(3, 4), DONE]], usage=Usage(input=3, output=4), **HELLO
    ),
    Case(
        row=30,
        name="no-candidates-gemini",
        at=GEMINI.endpoint,
        server=[[gemini.sse('{"candidates":[]}', "{}"), *GEMINI.answer()]],
        **HELLO,
    ),
    Case(
        row=31,
        name="nothing-in-it-chat",
        server=[
            [
                *map(event, ({"choices": [{"delta": None}]}, {"choices": [{}]}, {"choices": None}, {})),
                *(delta(content=None), delta(role="assistant"), delta(content="")),
                *OK,
            ]
        ],
        **HELLO,
    ),
    Case(
        row=31,
        name="nothing-in-it-anthropic",
        at=CLAUDE.endpoint,
        server=[
            [claude.event("content_block_delta", '"delta":null'), claude.block(), CLAUDE.say(""), *CLAUDE.answer()]
        ],
        **HELLO,
    ),
    Case(
        row=31,
        name="nothing-in-it-gemini",
        at=GEMINI.endpoint,
        server=[[gemini.sse('{"candidates":[{"content":null}]}', gemini.parts()), GEMINI.say(""), *GEMINI.answer()]],
        **HELLO,
    ),
    Case(
        row=31,
        name="nothing-in-it-responses",
        at=RESPONSES.endpoint,
        server=[
            [sse(responses.event("response.output_text.delta", delta=None)), RESPONSES.say(""), *RESPONSES.answer()]
        ],
        **HELLO,
    ),
    # 32, 33: what was used
    Case(
        row=32,
        name="usage-always-chat",
        server=[[*[usage_chunk(prompt_tokens=9, completion_tokens=n) for n in (1, 2, 3)], stopped(), DONE]],
        ends=DONE_WELL,
        text="xxx",
        usage=Usage(input=9, output=3),
    ),
    Case(
        row=32,
        name="usage-always-anthropic",
        at=CLAUDE.endpoint,
        server=[
            [
                claude.start('"input_tokens":9'),
                CLAUDE.say("x"),
                claude.stop(usage='"output_tokens":2'),
                claude.stop(usage='"output_tokens":3'),
                claude.END,
            ]
        ],
        ends=DONE_WELL,
        text="x",
        usage=Usage(input=9, output=3),
    ),
    Case(
        row=32,
        name="usage-always-gemini",
        at=GEMINI.endpoint,
        server=[
            [
                gemini.sse(
                    *[
                        gemini.say_text("x", rest=gemini.usage(f'"promptTokenCount":9,"candidatesTokenCount":{n}'))
                        for n in (1, 2, 3)
                    ]
                ),
                GEMINI.stop("stop"),
            ]
        ],
        ends=DONE_WELL,
        text="xxx",
        usage=Usage(input=9, output=3),
    ),
    *in_each(33, "usage-never", (CHAT, CLAUDE, RESPONSES), server=lambda t: [t.answer()], usage=None, **HELLO),
    # 34: an optional parameter is refused
    Case(
        row=34, name="stream-options", server=[NO_OPTIONS, OK], tries=2, waits=[], learned=["stream_options"], **HELLO
    ),
    Case(
        row=34,
        name="refused-in-vain",
        server=[NO_OPTIONS, NO_OPTIONS],
        ends=Kind.BAD_REQUEST,
        tries=2,
        learned=["stream_options"],
    ),
    Case(
        row=34,
        name="temperature-anthropic",
        at=CLAUDE.endpoint,
        asks={"settings": Settings(temperature=0.5)},
        server=[refusal(400, "`temperature` is deprecated for this model."), CLAUDE.answer()],
        tries=2,
        waits=[],
        learned=["temperature"],
        **HELLO,
    ),
    Case(
        row=34,
        name="thinking-gemini",
        at=GEMINI.endpoint,
        asks={"model": "gemini-2.5-flash"},
        server=[refusal(400, "Thinking is not enabled for models/m"), GEMINI.answer()],
        tries=2,
        waits=[],
        learned=["thinkingConfig"],
        **HELLO,
    ),
    Case(
        row=34,
        name="store-responses",
        at=RESPONSES.endpoint,
        server=[refusal(400, "Unknown parameter: 'store'.", param="store"), RESPONSES.answer()],
        tries=2,
        waits=[],
        learned=["store"],
        **HELLO,
    ),
    # 35: calls of tools, shown as text
    Case(
        row=35,
        name="index-always-0",
        server=[
            [
                call({"index": 0, "id": "a"}, "f", "{}"),
                call({"index": 0, "id": "b"}, "g", "{}"),
                stopped("tool_calls"),
                DONE,
            ]
        ],
        ends=Completed("tool_calls"),
        text="[tool call] f({})\n[tool call] g({})",
    ),
    Case(
        row=35,
        name="index-missing",
        server=[
            [
                call({"id": "a"}, "f", '{"x":'),
                call({}, "", "1}"),
                call({"id": "b"}, "g", "{}"),
                stopped("tool_calls"),
                DONE,
            ]
        ],
        ends=Completed("tool_calls"),
        text='[tool call] f({"x":1})\n[tool call] g({})',
    ),
    # 36: reasoning, wherever it stands
    Case(row=36, name="reasoning", server=[[delta(reasoning="hm"), *OK]], thinking="hm", **HELLO),
    Case(row=36, name="reasoning-content", server=[[thought("hm"), *OK]], thinking="hm", **HELLO),
    Case(
        row=36, name="think-tags", server=[[said("<thi"), said("nk>hm</th"), said("ink>"), *OK]], thinking="hm", **HELLO
    ),
    *in_each(36, "thoughts", TONGUES[1:], server=lambda t: [[t.think("hm"), *t.answer()]], thinking="hm", **HELLO),
    # 37: blocked
    *in_each(
        37,
        "filtered-chat",
        (CHAT,),
        server=[[stopped("content_filter"), DONE]],
        ends=Kind.BLOCKED,
        says="content_filter",
    ),
    Case(
        row=37,
        name="refusal-anthropic",
        at=CLAUDE.endpoint,
        server=[[CLAUDE.begin, CLAUDE.stop("refusal"), CLAUDE.end]],
        ends=Kind.BLOCKED,
        says="refusal",
    ),
    Case(
        row=37,
        name="safety-gemini",
        at=GEMINI.endpoint,
        server=[[GEMINI.stop("SAFETY")]],
        ends=Kind.BLOCKED,
        says="SAFETY",
    ),
    Case(
        row=37,
        name="prompt-gemini",
        at=GEMINI.endpoint,
        server=[[gemini.sse('{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}')]],
        ends=Kind.BLOCKED,
        says="PROHIBITED_CONTENT",
    ),
    Case(
        row=37,
        name="filtered-responses",
        at=RESPONSES.endpoint,
        server=[
            [sse(responses.created(), responses.ended("incomplete", incomplete_details={"reason": "content_filter"}))]
        ],
        ends=Kind.BLOCKED,
        says="content_filter",
    ),
    Case(
        row=37,
        name="filtered-after-text",
        server=[[said("Hel"), stopped("content_filter"), DONE]],
        ends=Completed("content_filter"),
        text="Hel",
    ),
    # 38: cut at the limit
    *in_each(38, "length", server=lambda t: [t.answer(reason="length")], ends=CUT_AT_LIMIT, text="Hello"),
    # 39: DeepSeek has no resources left
    Case(row=39, name="no-resource-first", at=DEEPSEEK, server=[[TIRED], OK], tries=2, **HELLO),
    Case(
        row=39,
        name="no-resource-later",
        at=DEEPSEEK,
        server=[[said(BEGUN), TIRED], [said(REST), stopped(), DONE]],
        ends=DONE_WELL,
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    Case(
        row=39,
        name="no-resource-for-good",
        at=DEEPSEEK,
        server=[[said(BEGUN), TIRED], *[[TIRED]] * 3],
        ends=Kind.OVERLOADED,
        text=BEGUN,
        tries=4,
    ),
    # 40: how an answer of Gemini ends
    Case(
        row=40,
        name="reason-without-parts",
        at=GEMINI.endpoint,
        server=[[GEMINI.say("Hello"), gemini.sse('{"candidates":[{"finishReason":"STOP"}]}')]],
        **HELLO,
    ),
    Case(
        row=40,
        name="reason-beside-text",
        at=GEMINI.endpoint,
        server=[[gemini.sse(gemini.say_text("Hello", "STOP"))]],
        **HELLO,
    ),
    # 41, 42: an error without `data:`
    Case(
        row=41,
        name="pretty-error-gemini",
        at=GEMINI.endpoint,
        server=[[GEMINI.say("Hel"), gemini.pretty(500, "boom", "INTERNAL"), HANG]],
        ends=Kind.SERVER,
        text="Hel",
        says="boom",
    ),
    Case(
        row=41,
        name="error-first-gemini",
        at=GEMINI.endpoint,
        server=[[gemini.pretty(503, "busy", "UNAVAILABLE"), HANG], GEMINI.answer()],
        tries=2,
        **HELLO,
    ),
    Case(
        row=41,
        name="bad-key-gemini",
        at=GEMINI.endpoint,
        server=[[gemini.pretty(401, "no", "UNAUTHENTICATED")]],
        ends=Kind.AUTH,
    ),
    *in_each(
        42,
        "line-later",
        server=lambda t: [[t.say("Hel"), b'{"error":"the runner has crashed"}\n']],
        ends=Kind.SERVER,
        text="Hel",
        says="the runner has crashed",
    ),
    *in_each(
        42, "line-first", server=lambda t: [[b'{"error":"the runner has crashed"}\n'], t.answer()], tries=2, **HELLO
    ),
    # 45: the name of the host (see also the sockets)
    *in_each(45, "dns-for-good", server=[[cut(Kind.DNS)]] * 2, ends=Kind.DNS, tries=2, waits=[0.5], says="host name"),
    Case(row=45, name="dns-once", server=[[cut(Kind.DNS)], OK], tries=2, **HELLO),
    # 46: the certificate (see also the sockets)
    Case(row=46, name="tls-not-tried-again", server=[[cut(Kind.TLS)]], ends=Kind.TLS, says="SSL_CERT_FILE"),
    # 48: a proxy that holds everything back
    *in_each(48, "all-at-once", server=lambda t: [[Pause(30), Head(), b"".join(t.answer())]], seconds=30, **HELLO),
    # 49: nothing is said twice
    *in_each(49, "not-asked-again", server=lambda t: [[t.say(BEGUN), cut()]], ends=Kind.RESET, text=BEGUN),
    Case(
        row=49,
        name="repetition-left-out",
        at=EXACT,
        server=[[said(BEGUN), cut()], [said(WHOLE), stopped(), DONE]],
        ends=DONE_WELL,
        text=WHOLE,
        tries=2,
        seams=1,
    ),
    Case(
        row=49,
        name="another-answer-not-believed",
        at=EXACT,
        server=[[said(WHOLE[:-6]), cut()], [said("The quick brown fox jumps into the river."), stopped(), DONE]],
        ends=Kind.RESET,
        text=WHOLE[:-6],
        tries=2,
        learned=["continue_final_message"],
    ),
    # 50: a background response that stays queued
    Case(
        row=50,
        name="stuck-in-the-queue",
        at=RESPONSES.endpoint | KEPT | {"timeouts": LIMITS},
        server=[[BACKGROUND, QUEUED, cut()], [HANG]],
        ends=Kind.FIRST_TOKEN_TIMEOUT,
        tries=2,
    ),
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
async def test_row(case: Case) -> None:
    stage = Stage(*case.server, **case.at)
    outcome = await stage.play(**case.asks)
    heard = stage.recorder
    assert (outcome.failure.kind if isinstance(outcome, Failed) else outcome) == case.ends
    assert (heard.text, heard.thinking) == (case.text, case.thinking)
    assert [attempt.n for attempt in heard.of(Attempt)] == list(range(1, case.tries + 1))
    assert (len(stage.transport.requests), stage.transport.scripts) == (case.tries, [])
    assert len(heard.of(Seam)) == case.seams
    assert (
        [fact.refused for fact in heard.of(Learned)] == [fact.refused for fact in stage.facts.learned] == case.learned
    )
    assert len(heard.of(Skipped)) == case.skipped
    assert KEY not in repr(heard.events)
    if case.waits is not None:
        assert [waiting.seconds for waiting in heard.of(Waiting)] == case.waits
    if case.seconds is not None:
        assert stage.clock.now() == pytest.approx(case.seconds)
    if isinstance(outcome, Failed):
        assert case.says in f"{outcome.failure.message} {outcome.failure.hint}"
        assert outcome.failure.hint
    if case.usage is not None or case.row == 33:
        assert heard.draft.usage == case.usage
