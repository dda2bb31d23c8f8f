"""`ask`: what is on stdout, what on stderr, and what is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit.program import COMMAND, Done, Program
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.terminal import Terminal, tokens
from tui_chat.demo.models import HOSTILE, hostile_content
from tui_chat.demo.server import DemoServer

NUMBER = (int, float)
ASK_OBJECT: dict[str, Any] = {
    "text": str,
    "reasoning": (str, type(None)),
    "endpoint": str,
    "model": str,
    "finish_reason": (str, type(None)),
    "state": str,
    "attempts": int,
    "usage": {
        **dict.fromkeys(("input", "cached", "cache_write", "reasoning", "output"), (int, type(None))),
        "exact": bool,
    },
    "timing": dict.fromkeys(
        ("ttft_s", "ttft_answer_s", "total_s", "wait_s", "tok_per_s", "gap_p50_s", "gap_p95_s", "gap_max_s"),
        (*NUMBER, type(None)),
    ),
    "cost": {"usd": (*NUMBER, type(None)), "source": str, "price_checked": (str, type(None))},
    "skipped": int,
    "run": (str, type(None)),
    "error": (dict, type(None)),
}
ERROR_OBJECT: dict[str, Any] = {
    "kind": str,
    "message": str,
    "hint": str,
    "status": (int, type(None)),
    "retryable": bool,
}


def assert_shape(value: dict[str, Any], shape: dict[str, Any]) -> None:
    assert list(value) == list(shape)
    for key, kind in shape.items():
        if isinstance(kind, dict):
            assert_shape(value[key], kind)
        else:
            assert isinstance(value[key], kind), (key, value[key])
            assert kind is bool or not isinstance(value[key], bool), key


def ask_object(done: Done) -> dict[str, Any]:
    """The object on stdout, which is all that is there, in the contract's shape."""
    value = json.loads(done.out)
    assert done.out.endswith("}\n")
    assert_shape(value, ASK_OBJECT)
    if value["error"] is not None:
        assert_shape(value["error"], ERROR_OBJECT)
    return value


def sent(demo: DemoServer) -> list[str]:
    """The texts that the server sent for each chat request."""
    return [entry.text_sent for entry in demo.log if entry.method == "POST"]


def test_stdout_is_the_text_and_stderr_is_silent(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-fast", "echo one  two\n\nthree")
    assert (done.code, done.out, done.err) == (0, "one  two\n\nthree\n", "")


def test_a_text_that_ends_its_line_gets_no_other_newline(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-fast", "hello")
    assert done.out == sent(demo)[0]
    assert done.out.endswith("\n")


def test_stats_go_to_stderr(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-fast", "echo one two", "--stats")
    assert done.out == "one two\n"
    (line,) = done.err.splitlines()
    assert line.startswith("tui-chat: openai/demo-fast · done · ")
    assert "tok/s" in line
    assert "price?" in line


def test_json_has_the_keys_of_the_contract(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-reasoning", "why", "--json")
    value = ask_object(done)
    assert (done.code, done.err) == (0, "")
    assert value["text"] == sent(demo)[0].removeprefix(value["reasoning"])
    assert value["reasoning"]
    assert (value["endpoint"], value["model"]) == ("openai", "demo-reasoning")
    assert (value["state"], value["finish_reason"], value["attempts"]) == ("completed", "stop", 1)
    assert value["usage"]["exact"] is True
    assert value["usage"]["output"] > value["usage"]["reasoning"] > 0
    assert value["timing"]["ttft_s"] <= value["timing"]["ttft_answer_s"] <= value["timing"]["total_s"]
    assert value["cost"] == {"usd": None, "source": "unknown", "price_checked": None}
    assert value["error"] is None


def test_a_known_price_is_an_exact_number(program: Program) -> None:
    value = ask_object(program.run("--demo", "ask", "echo one two", "--json"))
    usage = value["usage"]
    assert value["cost"]["source"] == "computed"
    assert value["cost"]["price_checked"] == "2026-11-22"
    cached = usage["cached"] or 0
    expected = (usage["input"] - cached) * 0.5 + cached * 0.05 + usage["output"] * 2
    assert value["cost"]["usd"] == pytest.approx(expected / 1e6)


def test_no_stream_asks_for_the_whole(program: Program) -> None:
    whole = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "whole"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
    with canned_server(lambda _: Canned(json.dumps(whole).encode())) as server:
        program.env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k"}
        plain = program.run("ask", "-m", "x", "hi", "--no-stream")
        value = ask_object(program.run("ask", "-m", "x", "hi", "--json"))
    assert (plain.code, plain.out) == (0, "whole\n")
    assert (value["text"], value["usage"]["output"], value["usage"]["exact"]) == ("whole", 1, True)
    streams = [json.loads(asked.body).get("stream", False) for asked in server.asked]
    assert streams == [False, True]


def test_the_settings_are_sent(program: Program, demo: DemoServer) -> None:
    answer = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    with canned_server(lambda _: Canned(answer, content_type="text/event-stream")) as server:
        done = program.run(
            *("ask", "-m", "x", "hi", "-s", "be brief", "-t", "0.25", "--max-tokens", "7"),
            OPENAI_BASE_URL=server.base_url,
        )
    assert (done.code, done.out) == (0, "x\n")
    (asked,) = server.asked
    body = json.loads(asked.body)
    assert asked.path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    assert body["temperature"] == 0.25
    assert 7 in (body.get("max_tokens"), body.get("max_completion_tokens"))


@pytest.mark.parametrize(
    ("prompt", "piped", "question"),
    [
        (["echo first"], b"second\n", "first\n\nsecond\n"),
        ([], b"echo only this\n\n", "only this\n"),
        (["echo first"], b"", "first\n"),
        (["echo first"], b" \n\n", "first\n"),
        ([], b"\xef\xbb\xbfecho no mark", "no mark\n"),
        (["echo not UTF-8:"], b"\xff\xfe", "not UTF-8:\n\n\ufffd\ufffd\n"),
    ],
)
def test_what_is_piped_in_is_joined(
    program: Program, demo: DemoServer, prompt: list[str], piped: bytes, question: str
) -> None:
    done = program.run("ask", "-m", "demo-fast", *prompt, stdin=piped)
    assert (done.code, done.out) == (0, question)


def test_a_regular_file_as_stdin_is_read(program: Program, demo: DemoServer) -> None:
    file = program.home / "question.txt"
    file.write_text("from a file\n")
    with file.open("rb") as stdin:
        done = program.run("ask", "-m", "demo-fast", "echo look:", stdin=stdin)
    assert (done.code, done.out) == (0, "look:\n\nfrom a file\n")


@pytest.mark.parametrize("arguments", [["ask"], ["ask", ""], ["ask", " \n"], ["ask", "--json"]])
def test_nothing_to_ask_is_a_usage_error(program: Program, demo: DemoServer, arguments: list[str]) -> None:
    done = program.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("tui-chat: ")
    assert demo.log == []


def test_hostile_bytes_pass_a_pipe_unchanged(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-garbage", "hi")
    assert done.code == 0
    assert done.out == "".join(hostile_content()) + "\n"
    assert ask_object(program.run("ask", "-m", "demo-garbage", "hi", "--json"))["skipped"] > 0


def test_hostile_bytes_are_shown_as_symbols_on_a_terminal(program: Program, demo: DemoServer) -> None:
    command = (*COMMAND, "ask", "-m", "demo-garbage", "hi", "--stats")
    with Terminal(command, program.env, cwd=program.home) as terminal:
        assert terminal.wait_exit() == 0
        assert {bytes(token[0]) for token in tokens(terminal.raw) if not token["text"]} == {b"\r", b"\n"}
        text = terminal.raw.decode()
    for _, payload in HOSTILE:
        assert payload not in text or payload.isprintable()
    assert "␛]52;c;ZGVtbw==␇" in text
    assert "OSC 52 in five tokens: ␛]52;c;ZGVtbw==␛\\" in text
    assert not any("\x80" <= char <= "\x9f" or "\u202a" <= char <= "\u202e" for char in text)


def test_output_is_utf_8_whatever_the_locale_says(program: Program, demo: DemoServer) -> None:
    variables = {"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = program.run("ask", "-m", "demo-fast", stdin="echo grün 漢字".encode(), **variables)
    assert (done.code, done.out) == (0, "grün 漢字\n")


def hostile_error(_: Asked) -> Canned:
    text = "no \x1b]0;owned\x07 \u009b2J \u202egnp [/foo] [red]x"
    return Canned(json.dumps({"error": {"message": text, "code": "odd"}}).encode(), 400)


def test_a_hostile_error_message_is_one_harmless_line(program: Program) -> None:
    with canned_server(hostile_error) as server:
        program.env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k"}
        done = program.run("ask", "-m", "x", "hi")
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert "␛]0;owned␇" in line
    assert "[/foo] [red]x" in line
    assert line.isprintable()
