"""What sets the servers of the openai-chat dialect apart: figures, errors, tool calls, refusals, ways of going on."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.kit.fixtures_openai import KEY_SOURCE, delta, fault, say_text, skipped, sse, stop, usage
from tui_chat.domain.ask import Ask, Continuation, Message, Settings, Way
from tui_chat.domain.endpoint import Endpoint
from tui_chat.domain.events import Progress, Skipped, Stopped, Text, Thinking, Timings, Usage
from tui_chat.domain.failure import Kind
from tui_chat.wire.errors import read_body
from tui_chat.wire.openai_chat import PARAMETERS, OpenAIChat
from tui_chat.wire.refusals import refused_parameter
from tui_chat.wire.resume import GO_ON
from tui_chat.wire.tools import ToolCalls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.events import StreamEvent

CODEC = OpenAIChat()
ENDPOINT = Endpoint("work", "https://gateway.example/v1", key_source=KEY_SOURCE)
DEEPSEEK = replace(ENDPOINT, base_url="https://api.deepseek.com")
MISTRAL = replace(ENDPOINT, base_url="https://api.mistral.ai/v1")
ASK = Ask(ENDPOINT, "m", (Message("user", "a"),))
ASKED = [{"role": "user", "content": "a"}]


def call(index: int | None = None, id: str | None = None, name: str | None = None, arguments: Any = None) -> str:
    """A chunk with one piece of a tool call; what is None is missing."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    piece = {"index": index, "id": id, "type": "function", "function": function}
    said = {key: value for key, value in piece.items() if value is not None}
    return delta(f'"content":null,"tool_calls":[{json.dumps(said)}]')


NOW, SUM = "[tool call] now({})", '[tool call] sum({"a": 1})'
BAD_METRICS = say_text("a")[:-1] + ',"metrics":"none","usage":{"completion_tokens":1}}'

STREAMS: dict[str, tuple[bytes, list[StreamEvent]]] = {
    # OpenRouter
    "OpenRouter: comments, then an error in mid-stream": (
        b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n"
        + sse(
            say_text("a"),
            '{"id":"gen-1","error":{"code":"server_error","message":"Provider disconnected unexpectedly"},'
            '"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}',
        ),
        [Text("a"), fault(Kind.SERVER, "Provider disconnected unexpectedly")],
    ),
    "OpenRouter: cost in the last chunk, with its choices": (
        sse(
            delta('"content":"a"', ',"finish_reason":"stop","native_finish_reason":"STOP"'),
            delta('"role":"assistant","content":""')[:-1]
            + ',"usage":{"prompt_tokens":3,"completion_tokens":1,"cost":0.00014,"is_byok":false,"cost_details":{}}}',
            "[DONE]",
        ),
        [Text("a"), Stopped("stop"), Usage(input=3, output=1, cost=Decimal("0.00014"))],
    ),
    # Azure
    "Azure: filtered": (
        sse(
            '{"choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}',
            delta("", ',"finish_reason":"content_filter","content_filter_results":{"hate":{"filtered":true}}'),
            "[DONE]",
        ),
        [Stopped("content_filter")],
    ),
    "Azure: a filter that did not work is no error of the answer": (
        sse(
            delta('"content":"a"', ',"content_filter_result":{"error":{"code":"content_filter_error","message":"x"}}'),
            stop(),
        ),
        [Text("a"), Stopped("stop")],
    ),
    # Groq
    "Groq: x_groq first and last": (
        sse(
            delta('"role":"assistant","content":""')[:-1] + ',"x_groq":{"id":"req_1","seed":7}}',
            say_text("a"),
            stop()[:-1] + ',"x_groq":{"id":"req_1","usage":{"queue_time":0.01,"prompt_tokens":3,"prompt_time":0.25,'
            '"completion_tokens":4,"completion_time":0.5,"total_tokens":7,"total_time":0.75}}}',
            "[DONE]",
        ),
        [Text("a"), Usage(input=3, output=4), Timings(0.25, 0.5, 8.0), Stopped("stop")],
    ),
    "Groq: nothing counted yet, in no time": (
        sse(usage('"completion_tokens":0,"completion_time":0')),
        [Usage(output=0), Timings(None, 0.0, None)],
    ),
    "Groq: an error that is an object": (
        sse('{"choices":[],"x_groq":{"error":{"message":"over capacity"}}}'),
        [fault(Kind.OVERLOADED, "over capacity")],
    ),
    # Mistral
    "Mistral: thinks in lists, then answers in text": (
        sse(
            delta(
                '"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]},'
                '{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]}]'
            ),
            say_text("b"),
            stop(),
        ),
        [Thinking("hm"), Text("a"), Text("b"), Stopped("stop")],
    ),
    # vLLM
    "vLLM: usage on every chunk, metrics on the last": (
        sse(
            say_text("ab")[:-1] + ',"usage":{"prompt_tokens":5,"completion_tokens":2}}',
            stop()[:-1] + ',"usage":{"prompt_tokens":5,"completion_tokens":3},"metrics":{"time_to_first_token_ms":375,'
            '"queue_time_ms":125,"generation_time_ms":1500,"mean_itl_ms":20,"tokens_per_second":50.5}}',
            "[DONE]",
        ),
        [
            Text("ab"),
            Usage(input=5, output=2),
            Usage(input=5, output=3),
            Timings(prompt_s=0.25, decode_s=1.5, tok_per_s=50.5),
            Stopped("stop"),
        ],
    ),
    "vLLM: metrics without a queue, or with nothing": (
        sse('{"choices":[],"metrics":{"time_to_first_token_ms":250}}', '{"choices":[],"metrics":{}}'),
        [Timings(prompt_s=0.25), Timings()],
    ),
    "metrics of the wrong type cost no text": (
        sse(BAD_METRICS, stop()),
        [skipped(BAD_METRICS), Text("a"), Stopped("stop")],
    ),
    # llama.cpp and LM Studio
    "llama.cpp: progress of the prompt, then timings": (
        sse(
            '{"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}],'
            '"prompt_progress":{"total":900,"cache":100,"processed":512,"time_ms":80}}',
            say_text("a"),
            stop()[:-1] + ',"timings":{"prompt_ms":160,"predicted_ms":500,"predicted_per_second":2.0}}',
        ),
        [Progress("prompt", 512, 900), Text("a"), Timings(0.16, 0.5, 2.0), Stopped("stop")],
    ),
    "llama.cpp: loading, under a 200": (
        sse('{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'),
        [fault(Kind.LOADING, "Loading model")],
    ),
    "LM Studio: stats": (
        sse(
            say_text("a"),
            stop()[:-1] + ',"stats":{"tokens_per_second":51.5,"time_to_first_token":0.125,"generation_time":0.5}}',
        ),
        [Text("a"), Timings(0.125, 0.5, 51.5), Stopped("stop")],
    ),
    "LM Studio: an error in an event of that name": (
        b'event: error\ndata: {"error":{"message":"Model unloaded."}}\n\n',
        [fault(Kind.SERVER, "Model unloaded.")],
    ),
    # LiteLLM
    "LiteLLM: usage beside choices, cost in it": (
        sse(stop(), delta("")[:-1] + ',"usage":{"completion_tokens":1,"cost":0.5}}', "[DONE]"),
        [Stopped("stop"), Usage(output=1, cost=Decimal("0.5"))],
    ),
    "LiteLLM: response_cost in the usage, and beside it": (
        sse(
            usage('"completion_tokens":1,"response_cost":0.25'),
            usage('"completion_tokens":2')[:-1] + ',"response_cost":"0.125"}',
        ),
        [Usage(output=1, cost=Decimal("0.25")), Usage(output=2, cost=Decimal("0.125"))],
    ),
    # DeepSeek
    "DeepSeek: comments, cache counters, no resources": (
        b": keep-alive\n\n"
        + sse(
            delta('"content":null,"reasoning_content":"hm"'),
            stop("insufficient_system_resource")[:-1]
            + ',"usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":4,'
            '"prompt_cache_miss_tokens":5}}',
        ),
        [
            Thinking("hm"),
            Usage(input=9, cached=4, output=1),
            fault(Kind.OVERLOADED, "The provider broke the answer off (finish_reason insufficient_system_resource)."),
        ],
    ),
    # tool calls (row 35)
    "tool call in pieces": (
        sse(
            call(0, "c1", "sum", ""),
            call(0, None, None, '{"a"'),
            call(0, None, None, ": 1}"),
            stop("tool_calls"),
            "[DONE]",
        ),
        [Text(SUM), Stopped("tool_calls")],
    ),
    "two calls, told apart by index": (
        sse(
            call(0, "c1", "sum", '{"a"'),
            call(1, "c2", "now", "{"),
            call(0, None, None, ": 1}"),
            call(1, None, None, "}"),
        ),
        [Text(f"{SUM}\n{NOW}")],
    ),
    "two calls, index always 0, told apart by id (Ollama)": (
        sse(call(0, "c1", "sum", '{"a": 1}'), call(0, "c2", "now", "{}"), stop("tool_calls")),
        [Text(f"{SUM}\n{NOW}"), Stopped("tool_calls")],
    ),
    "two calls without index, told apart by id": (
        sse(call(None, "c1", "sum", '{"a"'), call(None, "c2", "now", "{}"), call(None, "c1", None, ": 1}")),
        [Text(f"{SUM}\n{NOW}")],
    ),
    "two calls without index and id, told apart by name": (
        sse(call(name="sum", arguments='{"a"'), call(arguments=": 1}"), call(name="now", arguments="{}")),
        [Text(f"{SUM}\n{NOW}")],
    ),
    "two calls of one name, the first complete": (
        sse(call(0, None, "now", "{}"), call(0, None, "now", "{}")),
        [Text(f"{NOW}\n{NOW}")],
    ),
    "one call, its name and id in every piece": (
        sse(call(0, "c1", "sum", '{"a"'), call(0, "c1", "sum", ": 1}")),
        [Text(SUM)],
    ),
    "one call, a new id in every piece": (
        sse(call(0, "c1", "sum", '{"a"'), call(0, "c2", None, ": 1}")),
        [Text(SUM)],
    ),
    "one call, empty ids": (sse(call(0, "c1", "sum", '{"a"'), call(0, "", "", ": 1}")), [Text(SUM)]),
    "arguments as an object": (sse(call(0, "c1", "sum", {"a": 1})), [Text(SUM)]),
    "call after text": (
        sse(say_text("a"), call(0, "c", "now", "{}"), stop("tool_calls")),
        [Text("a"), Text(f"\n\n{NOW}"), Stopped("tool_calls")],
    ),
    "call cut off is shown as far as it came": (sse(call(0, "c", "sum", '{"a"')), [Text('[tool call] sum({"a")')]),
    "the older function_call": (
        sse(
            delta('"content":null,"function_call":{"name":"sum","arguments":""}'),
            delta('"function_call":{"arguments":"{\\"a\\": 1}"}'),
            stop("function_call"),
        ),
        [Text(SUM), Stopped("function_call")],
    ),
    "odd calls": (
        sse(
            delta('"tool_calls":[5,null,{"function":null},{"index":"x","id":3,"function":{"name":4}}]'),
            delta('"tool_calls":"x"'),
            delta('"tool_calls":{}'),
        ),
        [Text("[tool call] ?()")],
    ),
    "calls in a whole answer": (
        b'{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c1","function":{"name":"now","arguments":"{}"}},'
        b'{"id":"c2","function":{"name":"sum","arguments":"{\\"a\\": 1}"}}]},"finish_reason":"tool_calls"}]}',
        [Text(f"{NOW}\n{SUM}"), Stopped("tool_calls")],
    ),
    # a parameter refused in the stream
    "a parameter refused under a 200": (
        sse('{"error":{"message":"Unsupported parameter: \'seed\'","param":"seed","code":"unsupported_parameter"}}'),
        [fault(Kind.BAD_REQUEST, "Unsupported parameter: 'seed'", "seed")],
    ),
    "a wrong request under a 200": (
        sse('{"error":{"message":"bad","type":"invalid_request_error","code":null}}'),
        [fault(Kind.BAD_REQUEST, "bad")],
    ),
    "a wrong request under a 200, with a status of its own": (
        sse('{"error":{"message":"no","type":"invalid_request_error","code":401}}'),
        [fault(Kind.AUTH, "no")],
    ),
    "a value refused under a 200": (
        sse('{"error":{"message":"top_p must be in (0, 1]","param":"top_p","code":400}}'),
        [fault(Kind.BAD_REQUEST, "top_p must be in (0, 1]")],
    ),
}


def decode(feeds: Iterable[bytes]) -> list[StreamEvent]:
    decoder = CODEC.decoder(ENDPOINT, "text/event-stream")
    events = [event for data in feeds for event in decoder.feed(data)]
    events += decoder.finish()
    assert decoder.place is None, "no such server keeps its streams"
    return [replace(event, reason="") if isinstance(event, Skipped) else event for event in events]


@pytest.mark.parametrize("name", STREAMS)
def test_events_of_a_stream(name: str) -> None:
    data, events = STREAMS[name]
    assert decode([data]) == events


@pytest.mark.parametrize("name", STREAMS)
def test_the_cut_changes_nothing(name: str) -> None:
    data, events = STREAMS[name]
    for at in range(len(data) + 1):
        assert decode([data[:at], data[at:]]) == events, f"cut at {at}"
    assert decode(data[i : i + 1] for i in range(len(data))) == events


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["function", "id", "index", "name", "arguments"]), inner, max_size=4)
    ),
)


@given(st.lists(JSON, max_size=4))
def test_any_pieces_of_calls_are_read(pieces: list[object]) -> None:
    calls = ToolCalls()
    for piece in pieces:
        calls.feed(piece)
    assert all("[tool call]" in line for line in calls.finish())
    assert calls.finish() == []


PARTIAL = {"role": "assistant", "content": "half"}
WAYS: dict[str, tuple[Endpoint, Continuation, list[dict[str, Any]], dict[str, Any]]] = {
    "prefix": (MISTRAL, Continuation("half", "hm", way=Way.PREFIX), [PARTIAL | {"prefix": True}], {}),
    "prefix with its reasoning": (
        DEEPSEEK,
        Continuation("half", "hm", way=Way.PREFIX),
        [PARTIAL | {"prefix": True, "reasoning_content": "hm"}],
        {},
    ),
    "prefix that is reasoning alone": (
        DEEPSEEK,
        Continuation("", "hm", way=Way.PREFIX),
        [{"role": "assistant", "content": "", "prefix": True, "reasoning_content": "hm"}],
        {},
    ),
    "continue_final_message": (
        ENDPOINT,
        Continuation("half", way=Way.CONTINUE),
        [PARTIAL],
        {"continue_final_message": True, "add_generation_prompt": False},
    ),
    "trailing": (ENDPOINT, Continuation("half", way=Way.TRAILING), [PARTIAL], {}),
    "ask": (ENDPOINT, Continuation("half", way=Way.ASK), [PARTIAL, {"role": "user", "content": GO_ON}], {}),
    "nothing to go on from": (ENDPOINT, Continuation("", "hm", way=Way.CONTINUE), [], {}),
}


@pytest.mark.parametrize("name", WAYS)
def test_going_on(name: str) -> None:
    endpoint, going_on, added, fields = WAYS[name]
    request = CODEC.encode(replace(ASK, endpoint=endpoint, continuation=going_on), frozenset())
    sent = json.loads(request.body)
    assert sent.pop("messages") == ASKED + added
    assert sent == {"model": "m", "stream": True, "stream_options": {"include_usage": True}} | fields


URLS = {
    "https://api.deepseek.com": "https://api.deepseek.com/beta/chat/completions",
    "https://api.deepseek.com/v1": "https://api.deepseek.com/beta/chat/completions",
    "https://api.mistral.ai/v1": "https://api.mistral.ai/v1/chat/completions",
}


@pytest.mark.parametrize("base", URLS)
def test_where_a_prefix_is_taken_up(base: str) -> None:
    ask = replace(ASK, endpoint=replace(ENDPOINT, base_url=base), continuation=Continuation("half", way=Way.PREFIX))
    assert CODEC.encode(ask, frozenset()).url == URLS[base]
    asking = replace(ask, continuation=Continuation("half", way=Way.ASK))
    assert CODEC.encode(asking, frozenset()).url == f"{base}/chat/completions"


def test_ways_that_may_be_turned_down_can_be_learned() -> None:
    for endpoint in (ENDPOINT, DEEPSEEK, MISTRAL):
        ways = CODEC.ways(replace(ASK, endpoint=endpoint))
        assert ways[-1] is Way.ASK
        assert set(ways[:-1]) <= set(CODEC.optional)


SAMPLING: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.5},
    "seed": {"seed": 1},
    "stop": {"stop": ["x"]},
    "reasoning_effort": {"reasoning_effort": "low"},
}


@pytest.mark.parametrize("name", SAMPLING)
def test_a_refused_parameter_is_left_out(name: str) -> None:
    ask = replace(
        ASK, settings=Settings(temperature=0.5, top_p=0.5, seed=1, stop=("x",), reasoning_effort="low", max_tokens=5)
    )
    every = json.loads(CODEC.encode(ask, frozenset()).body)
    left = json.loads(CODEC.encode(ask, frozenset({name})).body)
    assert left | SAMPLING[name] == every
    assert name not in left
    assert name in CODEC.optional


def told(message: str, **fields: Any) -> str:
    return json.dumps({"error": {"message": message, **fields}})


REFUSALS: dict[str, tuple[str, str | None]] = {
    "OpenAI: parameter": (
        told(
            "Unsupported parameter: 'top_p' is not supported with this model.",
            param="top_p",
            code="unsupported_parameter",
        ),
        "top_p",
    ),
    "OpenAI: value": (
        told(
            "Unsupported value: 'temperature' does not support 0.1 with this model."
            " Only the default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        ),
        "temperature",
    ),
    "OpenAI: code alone": (told("Sorry.", param="stop", code="unsupported_parameter"), "stop"),
    "OpenAI: an effort that another would do for": (
        told(
            "Unsupported value: 'xhigh'. Supported values are: 'low', 'high'.",
            param="reasoning_effort",
            code="unsupported_value",
        ),
        None,
    ),
    "words alone": (told("This model does not support temperature."), "temperature"),
    "as a detail": ('{"detail":"Unsupported parameter: temperature"}', "temperature"),
    "xAI": (told("Model grok-4 does not support parameter reasoningEffort."), "reasoning_effort"),
    "xAI: stop": (told("Argument not supported on this model: stop"), "stop"),
    "Groq": (told("`reasoning_effort` is not supported with this model"), "reasoning_effort"),
    "Azure": (told("Unrecognized request argument supplied: seed"), "seed"),
    "LiteLLM": (told("anthropic does not support parameters: {'seed': 12345}, for model=claude"), "seed"),
    "Mistral": (
        '{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}',
        "seed",
    ),
    "a value out of range": (told("temperature must be between 0 and 2", param="temperature"), None),
    "a value out of range, in the words of a refusal": (
        told("Unsupported value: temperature must be at most 1", param="temperature"),
        None,
    ),
    "a word of everyday speech": (told("Images are not supported; stop sending them."), None),
    "another parameter": (told("Unsupported parameter: 'logprobs'", param="logprobs"), None),
    "a parameter before a way": (told("stream_options: not with a prefix"), "stream_options"),
    "way: continue": (told("Unrecognized request argument supplied: continue_final_message"), Way.CONTINUE),
    "way: prefix": (told("prefix is only available when using beta api"), Way.PREFIX),
    "way: trailing": (
        told("This model does not support assistant message prefill. The conversation must end with a user message."),
        Way.TRAILING,
    ),
}


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("name", REFUSALS)
def test_what_an_error_turns_down(name: str, status: int) -> None:
    body, parameter = REFUSALS[name]
    found = CODEC.error(ENDPOINT, status, {}, body.encode())
    assert found.parameter == parameter
    assert parameter is None or parameter in CODEC.optional


def test_other_errors_turn_nothing_down() -> None:
    for status in (401, 403, 404, 429, 503):
        body = told("The parameter 'temperature' is not supported", param="temperature").encode()
        assert CODEC.error(ENDPOINT, status, {}, body).parameter is None


@given(st.text(max_size=40), st.sampled_from([p.name for p in PARAMETERS]))
def test_any_words_can_be_looked_at(words: str, name: str) -> None:
    found = refused_parameter(read_body(told(words, param=name)), PARAMETERS)
    assert found is None or found in CODEC.optional


ANSWERS: dict[str, tuple[int, str, Kind]] = {
    "llama.cpp loads": (
        503,
        '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}',
        Kind.LOADING,
    ),
    "Azure blocks": (
        400,
        told("The response was filtered.", code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        Kind.BLOCKED,
    ),
    "OpenRouter has no credit left": (402, told("Insufficient credits", code=402), Kind.QUOTA),
    "DeepSeek has no balance": (402, told("Insufficient Balance"), Kind.QUOTA),
    "LM Studio has no model": (404, told("No models loaded. Please load a model."), Kind.NOT_FOUND),
    "LiteLLM wraps": (
        429,
        told("litellm.RateLimitError: slow down", type="throttling_error", code="429"),
        Kind.RATE_LIMIT,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_kinds_of_errors(name: str) -> None:
    status, body, kind = ANSWERS[name]
    assert CODEC.error(ENDPOINT, status, {}, body.encode()).kind is kind
