"""`models`, `demo-server`, `--version` and `--help`."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request

import pytest

from tests.cli.conftest import KEY, point_to
from tests.kit.program import COMMAND, Program
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.terminal import Terminal, tokens
from tui_chat import __version__
from tui_chat.demo.models import MODELS
from tui_chat.demo.server import DemoServer

HOSTILE_NAME = "evil\x1b]52;c;ZGVtbw==\x07\u009b2J\u202e[/foo]"


def offers(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


def test_models_lists_what_the_endpoint_offers(program: Program, demo: DemoServer) -> None:
    done = program.run("models")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == [f"openai/{model.id}" for model in MODELS]
    assert all("price?" in line for line in done.out.splitlines())
    assert demo.log[-1].headers["authorization"] == "present"


def test_models_as_json(program: Program) -> None:
    done = program.run("--demo", "models", "--json")
    rows = json.loads(done.out)
    assert [row["id"] for row in rows] == [model.id for model in MODELS]
    for row in rows:
        assert list(row) == ["endpoint", "id", "name", "context", "price"]
        assert list(row["price"]) == ["input", "cached", "output", "checked"]
        assert (row["endpoint"], row["price"]["output"]) == ("demo", 2)


def test_unknown_is_null(program: Program) -> None:
    with canned_server(lambda _: Canned(offers("plain"))) as server:
        point_to(program, server.base_url)
        rows = json.loads(program.run("models", "openai", "--json").out)
    assert rows == [{"endpoint": "openai", "id": "plain", "name": None, "context": None, "price": None}]
    assert [asked.path for asked in server.asked] == ["/v1/models"]


def test_an_endpoint_that_fails_spares_the_others(program: Program, demo: DemoServer) -> None:
    program.configure(
        '[endpoints.gone]\nbase_url = "http://127.0.0.1:9/v1"\n'
        f'[endpoints.mute]\nbase_url = "{demo.base_url}"\napi_key_command = ["false"]\n'
        f'[endpoints.there]\nbase_url = "{demo.base_url}"\n'
    )
    done = program.run("models", "--json")
    assert done.code == 1
    assert {row["endpoint"] for row in json.loads(done.out)} == {"there", "openai"}
    assert sorted(line.split()[1] for line in done.err.splitlines()) == ["api_key_command", "gone:"]
    alone = program.run("models", "mute", "--json")
    assert (alone.code, alone.out) == (2, "")


def test_no_endpoint_to_list(program: Program) -> None:
    done = program.run("models", "--json")
    assert (done.code, done.out) == (3, "[]\n")
    assert "OPENAI_API_KEY" in done.err


@pytest.mark.parametrize("name", ["nowhere", "demo"])
def test_an_unknown_endpoint(program: Program, demo: DemoServer, name: str) -> None:
    done = program.run("models", name, "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"tui-chat: The endpoint “{name}” is unknown")


def hostile_models(_: Asked) -> Canned:
    return Canned(offers(HOSTILE_NAME, HOSTILE_NAME))


def test_hostile_names_are_harmless_on_a_terminal_and_unchanged_in_a_pipe(program: Program) -> None:
    with canned_server(hostile_models) as server:
        point_to(program, server.base_url)
        piped = program.run("models")
        command = (*COMMAND, "models")
        with Terminal(command, program.env, cwd=program.home) as terminal:
            assert terminal.wait_exit() == 0
            assert {bytes(token[0]) for token in tokens(terminal.raw) if not token["text"]} <= {b"\r", b"\n"}
            assert "evil␛]52;c;ZGVtbw==␇" in terminal.raw.decode()
            assert not any("\x80" <= char <= "\x9f" or char == "\u202e" for char in terminal.raw.decode())
    assert f"openai/{HOSTILE_NAME}" in piped.out


def test_demo_server_serves_until_ctrl_c(program: Program) -> None:
    with program.start("demo-server") as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().decode().strip()
        assert base_url.startswith("http://127.0.0.1:")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{base_url}/models", timeout=10) as answer:
            assert json.load(answer)["data"][0]["id"] == "demo-fast"
        asked = program.run("ask", "-m", "demo-fast", "echo through it", OPENAI_BASE_URL=base_url, OPENAI_API_KEY=KEY)
        assert asked.out == "through it\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, b"")
    (line,) = err.decode().splitlines()
    assert line.startswith("tui-chat: ")
    assert base_url in line


def test_demo_server_on_a_port_of_choice(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = program.run("demo-server", "--port", str(port))
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"tui-chat: Port {port} cannot be used")
    with program.start("demo-server", "--port", str(port)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().decode() == f"http://127.0.0.1:{port}/v1\n"
        process.terminate()
        assert process.wait(20) == 143


def test_version_and_help(program: Program) -> None:
    version = program.run("--version")
    assert (version.code, version.err) == (0, "")
    assert __version__ in version.out
    for command in ([], ["ask"], ["models"], ["doctor"], ["demo-server"]):
        done = program.run(*command, "--help")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"Usage: {' '.join(['tui-chat', *command])} ")
        for option in ("--demo", "-e, --endpoint", "-m, --model", "-p, --profile"):
            assert option in done.out


def test_the_screen_needs_a_terminal(program: Program) -> None:
    done = program.run("--demo")
    assert (done.code, done.out) == (2, "")
    assert "tui-chat ask" in done.err


def test_the_folders_made_are_private(program: Program, demo: DemoServer) -> None:
    program.run("ask", "-m", "demo-fast", "echo hi")
    made = [path for path in program.home.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in made} <= {0o600}
    assert program.data.stat().st_mode & 0o777 == 0o700


def test_without_a_folder_to_write_to_the_answer_comes_all_the_same(program: Program, demo: DemoServer) -> None:
    (program.home / ".local").write_text("in the way")
    done = program.run("ask", "-m", "demo-fast", "echo hi")
    assert (done.code, done.out) == (0, "hi\n")
    assert all(line.startswith("tui-chat: ") for line in done.err.splitlines())
