"""Every way in which `ask` ends: its exit code, its one line, and its JSON."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.cli.conftest import KEY, point_to
from tests.cli.test_ask import ask_object
from tests.kit.program import COMMAND, Done, Program
from tests.kit.serving import Asked, Canned, canned_server, demo_server
from tui_chat.demo.server import DemoServer

CLOSED_PORT = "http://127.0.0.1:9/v1"
ONCE = 'retry = { attempts = 1 }\n[prices."demo-fast"]\ninput = 1\noutput = 1\n'


def one_line(done: Done, *parts: str) -> None:
    """stderr is one line of ours and says all of this."""
    (line,) = done.err.splitlines()
    assert line.startswith("tui-chat: ")
    for part in parts:
        assert part in line


def test_cut_at_the_limit_is_done(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-fast", "count 9", "--max-tokens", "3", "--json")
    value = ask_object(done)
    assert done.code == 0
    assert (value["state"], value["finish_reason"]) == ("completed", "length")
    one_line(done, "length")


def test_a_broken_stream_keeps_its_text_and_fails(program: Program) -> None:
    body = b'data: {"choices":[{"index":0,"delta":{"content":"half an "}}]}\n\n'

    def once(asked: Asked) -> Canned:
        """Breaks off, and refuses to go on from there."""
        if json.loads(asked.body)["messages"][-1]["role"] == "assistant":
            return Canned(b'{"error": {"message": "The last message must be the user\'s."}}', 400)
        return Canned(body, content_type="text/event-stream")

    with canned_server(once) as server:
        point_to(program, server.base_url)
        done = program.run("ask", "-m", "x", "hi")
        value = ask_object(program.run("ask", "-m", "x", "hi", "--json"))
    assert (done.code, done.out) == (1, "half an \n")
    assert all(line.startswith("tui-chat: ") for line in done.err.splitlines())
    assert (value["state"], value["text"]) == ("failed", "half an ")
    assert value["error"]["kind"] in ("truncated", "bad_request")
    assert value["usage"]["exact"] is False


def test_a_reset_is_failed_or_gone_on_from(program: Program, demo: DemoServer) -> None:
    value = ask_object(program.run("ask", "-m", "demo-drop", "echo " + "word " * 90, "--json"))
    if value["state"] == "failed":
        assert value["error"]["kind"] in ("reset", "truncated")
    else:
        assert value["text"].split() == ["word"] * 90


def test_refusals_are_waited_out(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-flaky", "echo at last", "--json")
    value = ask_object(done)
    assert done.code == 0
    assert (value["text"], value["attempts"], value["state"]) == ("at last", 3, "completed")
    assert value["timing"]["wait_s"] > 1
    assert len(done.err.splitlines()) == 2


def test_going_on_with_an_answer_is_told(program: Program) -> None:
    head = b'data: {"choices":[{"index":0,"delta":{"content":"half an "}}]}\n\n'
    rest = b'data: {"choices":[{"index":0,"delta":{"content":"answer"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

    def answer(asked: Asked) -> Canned:
        going_on = json.loads(asked.body)["messages"][-1]["role"] == "assistant"
        return Canned(rest if going_on else head, content_type="text/event-stream")

    with canned_server(answer) as server:
        program.configure(f'[endpoints.vllm]\nbase_url = "{server.base_url}"\n')
        done = program.run("ask", "-e", "vllm", "-m", "x", "hi")
    assert (done.code, done.out) == (0, "half an answer\n")
    waiting, resumed = done.err.splitlines()
    assert "trying to go on in" in waiting
    assert resumed == "tui-chat: going on with the answer"


def test_blocked_by_the_provider(program: Program) -> None:
    body = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}\n\ndata: [DONE]\n\n'
    with canned_server(lambda _: Canned(body, content_type="text/event-stream")) as server:
        point_to(program, server.base_url)
        done = program.run("ask", "-m", "x", "hi", "--json")
    value = ask_object(done)
    assert done.code == 1
    assert (value["state"], value["error"]["kind"]) == ("failed", "blocked")


def test_no_endpoint_names_the_variables(program: Program) -> None:
    done = program.run("ask", "hi")
    assert (done.code, done.out) == (3, "")
    one_line(done, "OPENAI_API_KEY", "HOLYSHEEP_API_KEY", "config.toml", "--demo")
    value = json.loads(program.run("ask", "hi", "--json").out)
    assert (value["state"], value["error"]["kind"], value["attempts"]) == ("failed", "auth", 0)
    assert value["endpoint"] is value["model"] is value["usage"]["input"] is value["timing"]["total_s"] is None


def test_a_missing_key_is_named(program: Program) -> None:
    program.configure('[endpoints.work]\nbase_url = "https://gateway.invalid/v1"\napi_key_env = "WORK_KEY"\n')
    done = program.run("ask", "-e", "work", "-m", "demo-fast", "hi", "--json")
    assert done.code == 3
    one_line(done, "WORK_KEY", "work")
    assert ask_object(done)["error"]["kind"] == "auth"


@pytest.mark.parametrize("key", ["YOUR_HOLYSHEEP_API_KEY", "sk-...", "your-api-key"])
def test_a_placeholder_is_refused_by_name_before_anything_is_sent(program: Program, demo: DemoServer, key: str) -> None:
    for command in (("ask", "-m", "demo-fast", "hi"), ("ask", "hi"), ("models", "openai")):
        done = program.run(*command, OPENAI_API_KEY=key)
        assert (done.code, done.out) == (3, "")
        one_line(done, "OPENAI_API_KEY", f"“{key}”")
    assert demo.log == []


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (403, "permission")])
def test_a_refused_key(program: Program, status: int, kind: str) -> None:
    body = json.dumps({"error": {"message": "Key refused.", "code": "nope"}}).encode()
    with canned_server(lambda _: Canned(body, status)) as server:
        point_to(program, server.base_url)
        done = program.run("ask", "-m", "x", "hi", "--json")
        listed = program.run("models", "openai")
    value = ask_object(done)
    assert (done.code, listed.code) == (3, 3)
    one_line(done, "Key refused.", *(["OPENAI_API_KEY"] if status == 401 else []))
    one_line(listed, "openai: Key refused.")
    assert (value["error"]["kind"], value["error"]["status"], value["attempts"]) == (kind, status, 1)
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_cap_stops_the_reply(program: Program) -> None:
    done = program.run("--demo", "ask", "count 2000", "--max-cost", "0.0001", "--json")
    value = ask_object(done)
    assert done.code == 4
    assert (value["state"], value["error"]["kind"]) == ("failed", "budget")
    assert value["text"].startswith("1 2 3")
    assert 0.0001 < value["cost"]["usd"] < 0.0004
    one_line(done, "$0.0001")


@pytest.mark.parametrize("amount", ["0", "-1", "much", "nan", "inf"])
def test_a_cap_that_is_no_amount(program: Program, amount: str) -> None:
    done = program.run("--demo", "ask", "hi", "--max-cost", amount)
    assert (done.code, done.out) == (2, "")
    one_line(done, "--max-cost")


def test_a_cap_needs_a_price(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-fast", "hi", "--max-cost", "1", "--json")
    assert (done.code, done.out) == (2, "")
    one_line(done, '[prices."demo-fast"]')
    assert demo.log == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "hi", "--nonsense"],
        ["nonsense"],
        ["ask", "one", "two"],
        ["ask", "hi", "-t", "warm"],
        ["ask", "hi", "--max-tokens", "0"],
        ["demo-server", "--port", "70000"],
        ["--demo", "-e"],
        [],
    ],
)
def test_mistakes_on_the_command_line(program: Program, arguments: list[str]) -> None:
    done = program.run(*arguments)
    assert (done.code, done.out) == (2, "")
    one_line(done)


@pytest.mark.parametrize("arguments", [["nope"], ["--demo", "nope", "--json"]])
def test_an_unknown_command_is_pointed_to_the_help(program: Program, arguments: list[str]) -> None:
    one_line(program.run(*arguments), "“nope”", "`tui-chat --help`")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_a_signal_leaves_what_came_on_stdout(program: Program, number: signal.Signals, code: int) -> None:
    with program.start("--demo", "ask", "count 5000") as process:
        assert process.stdout is not None
        begun = process.stdout.read1(10)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert b"Traceback" not in err
    text = (begun + out).decode()
    assert text.endswith("\n")
    assert text.split() == [str(n) for n in range(1, len(text.split()) + 1)]


def test_an_interrupted_json_is_whole(program: Program) -> None:
    with demo_server(speed=1) as server:
        point_to(program, server.base_url)
        with program.start("ask", "-m", "demo-fast", "count 5000", "--json") as process:
            eventually(lambda: bool(server.log) and server.log[-1].tokens_sent > 3)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        eventually(lambda: server.log[-1].aborted)
    value = ask_object(Done(process.returncode, out, err))
    assert (process.returncode, err) == (130, b"")
    assert (value["state"], value["error"], value["finish_reason"]) == ("cancelled", None, None)
    assert value["text"].startswith("1 2 3")
    assert value["usage"]["exact"] is False


def test_interrupted_before_the_question_was_sent(program: Program) -> None:
    with demo_server(speed=0.01) as server:
        point_to(program, server.base_url)
        with program.start("ask", "-m", "demo-fast", "hi", "--json") as process:
            eventually(lambda: bool(server.log) and server.log[-1].model is not None)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    value = ask_object(Done(process.returncode, out, err))
    assert process.returncode == 130
    assert (value["state"], value["text"], value["timing"]["ttft_s"]) == ("cancelled", "", None)


def test_a_reader_that_leaves_is_no_fault(program: Program, demo: DemoServer) -> None:
    with program.start("ask", "-m", "demo-fast", "count 50000") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(8) == b"1 2 3 4 "
        process.stdout.close()
        assert process.wait(20) == 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", [["ask", "-m", "demo-fast", "count 99"], ["models", "--json"]])
def test_a_full_disk_is_told(program: Program, demo: DemoServer, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=program.env,
            cwd=program.home,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    one_line(Done(done.returncode, b"", done.stderr), "No space left")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_survived(program: Program, demo: DemoServer, closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, "ask", "-m", "demo-fast", "echo hi", "--stats"],
        env=program.env,
        cwd=program.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout == (b"" if ">&- 2" in closed or closed == ">&-" else b"hi\n")
    assert b"Traceback" not in done.stderr
    assert demo.log[-1].text_sent == "hi"


def test_an_unknown_model_gets_the_nearest_names(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-fats", "hi", "--json")
    value = ask_object(done)
    assert done.code == 1
    assert value["error"]["kind"] == "not_found"
    one_line(done, "`demo-fats` does not exist", "demo-fast")
    assert len(set(re.findall(r"demo-(?:fast|slow|reasoning|flaky|drop|stall|garbage)", done.err))) == 3
    assert [entry.path for entry in demo.log] == ["/v1/chat/completions", "/v1/models"]


@pytest.mark.parametrize(
    ("base_url", "kind", "parts"),
    [
        (CLOSED_PORT, "refused", ["127.0.0.1:9", "Nothing listens there"]),
        ("http://nowhere.invalid/v1", "dns", ["nowhere.invalid"]),
    ],
)
def test_an_unreachable_host(program: Program, base_url: str, kind: str, parts: list[str]) -> None:
    program.configure(f'[endpoints.gone]\nbase_url = "{base_url}"\n{ONCE}')
    done = program.run("ask", "-e", "gone", "-m", "demo-fast", "hi", "--json")
    value = ask_object(done)
    assert (done.code, value["error"]["kind"], value["attempts"]) == (1, kind, 1)
    one_line(done, *parts)
    listed = program.run("models", "gone", "--json")
    assert (listed.code, listed.out) == (1, "[]\n")
    one_line(listed, "gone: ", *parts)


def test_a_server_without_tls(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "x", "hi", "--json", OPENAI_BASE_URL=demo.base_url.replace("http:", "https:"))
    value = ask_object(done)
    assert (done.code, value["error"]["kind"], value["attempts"]) == (1, "tls", 1)
    one_line(done, "127.0.0.1", "base_url")


@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_web_page_instead_of_an_answer(program: Program, status: int) -> None:
    page = b"<!doctype html><html><head><title>Sign in \x1b[2J</title></head><body>hello</body></html>"
    with canned_server(lambda _: Canned(page, status, "text/html")) as server:
        program.configure(f'[endpoints.page]\nbase_url = "{server.base_url}"\n{ONCE}')
        done = program.run("ask", "-e", "page", "-m", "x", "hi", "--json")
    value = ask_object(done)
    assert done.code == 1
    assert value["error"]["kind"] in ("protocol", "server")
    one_line(done, "web page", "“Sign in ␛[2J”")


def test_a_fault_of_our_own_is_one_line_and_a_log(program: Program) -> None:
    script = program.home / "faulty.py"
    script.write_text(
        "import sys\n"
        "from tui_chat.cli import main, ask\n"
        "from tui_chat.wiring.targets import Targets\n"
        "def broken(self, choice):\n"
        f"    secret = '{KEY}'\n"
        "    raise KeyError('broken on purpose')\n"
        "Targets.choose = broken\n"
        "sys.argv = ['tui-chat', '--demo', 'ask', 'hi']\n"
        "main.main()\n"
    )
    done = subprocess.run(
        [COMMAND[0], str(script)],
        env=program.env,
        cwd=program.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    log = program.data / "tui-chat.log"
    one_line(Done(1, b"", done.stderr), "KeyError", str(log))
    written = log.read_text()
    assert "broken on purpose" in written
    assert KEY not in done.stderr.decode()
    assert "secret" not in written.replace("secret = ", "")


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
