"""`doctor`: its findings as lines and as the contract's JSON, and its exit codes."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.conftest import KEY, point_to
from tests.cli.test_commands import HOSTILE_NAME, offers
from tests.kit.program import COMMAND, Done, Program
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.terminal import Terminal, tokens
from tui_chat.demo.server import DemoServer
from tui_chat.domain.checkup import ENDPOINT_CHECKS

CLOSED = "http://127.0.0.1:9/v1"
MARKS = {True: "+", False: "-", None: "."}


def marks(value: dict[str, Any]) -> str:
    """`+` fine, `-` failed, `.` neither, in the order of the contract; the shape is checked on the way."""
    assert list(value) == ["endpoint", "ok", "checks"]
    assert [check["name"] for check in value["checks"]] == [*ENDPOINT_CHECKS]
    for check in value["checks"]:
        assert list(check) == ["name", "ok", "ms", "detail", "hint"]
        assert check["ms"] is None or check["ms"] >= 0
        assert check["detail"]
        assert check["hint"] is None or check["hint"]
        assert check["ok"] is not False or check["hint"]
    found = "".join(MARKS[check["ok"]] for check in value["checks"])
    assert value["ok"] is ("-" not in found)
    return found


def details(done: Done) -> dict[str, str]:
    return {check["name"]: check["detail"] for check in json.loads(done.out)["checks"]}


def test_the_demo_is_in_good_health(program: Program) -> None:
    done = program.run("--demo", "doctor", "--json")
    value = json.loads(done.out)
    assert (done.code, done.err, value["endpoint"], value["ok"]) == (0, "", "demo", True)
    assert marks(value)[:-1] == "..+..++"
    by_name = {check["name"]: check for check in value["checks"]}
    assert by_name["tcp"]["ms"] is not None
    assert "demo-fast: first token after" in by_name["stream"]["detail"]
    assert "one request, for 1 token" in by_name["stream"]["detail"]


def test_lines_for_people(program: Program, demo: DemoServer) -> None:
    done = program.run("doctor", "openai", "-m", "demo-fast")
    assert (done.code, done.err) == (0, "")
    heading, *lines = done.out.splitlines()
    assert heading == f"openai {demo.base_url}"
    assert lines[0].split()[:2] == ["✓", "key"]
    assert [line.split()[1] for line in lines] == [*ENDPOINT_CHECKS]
    assert {line.split()[0] for line in lines} <= {"✓", "–"}
    leads = [re.match(r"  . \w+ +(?:[\d.]+ m?s)? *", line) for line in lines]
    assert len({lead and lead.end() for lead in leads}) == 1, "the details begin in one column"
    assert "found in OPENAI_API_KEY" in lines[0]
    assert [entry.path for entry in demo.log] == ["/v1/models", "/v1/chat/completions"]


@pytest.mark.parametrize(("status", "shown"), [(401, "+.+..-.+"), (403, "+.+..--+")])
def test_a_refused_key(program: Program, status: int, shown: str) -> None:
    body = json.dumps({"error": {"message": f"Key {KEY} refused.", "code": "nope"}}).encode()
    with canned_server(lambda _: Canned(body, status)) as server:
        point_to(program, server.base_url)
        done = program.run("doctor", "-e", "openai", "-m", "x", "--json")
        lines = program.run("doctor", "openai", "-m", "x")
    assert (done.code, lines.code, done.err) == (3, 3, "")
    assert marks(json.loads(done.out)) == shown
    assert details(done)["models"] == f"{status}: Key … refused."
    assert f"{status}: Key … refused." in lines.out
    assert ("OPENAI_API_KEY; `tui-chat models` tests it." in lines.out) is (status == 401)


@pytest.mark.parametrize("key", [None, "sk-..."])
def test_a_key_that_is_none_is_not_sent(program: Program, demo: DemoServer, key: str | None) -> None:
    program.configure(
        '[endpoints.work]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "WORK_KEY"\n'
        '[endpoints.far]\nbase_url = "https://gateway.invalid/v1"\napi_key_env = "WORK_KEY"\n'
    )
    done = program.run("doctor", "far", "--json", **({"WORK_KEY": key} if key else {}))
    assert done.code == 3
    assert marks(json.loads(done.out)) == "--......"
    assert "WORK_KEY" in details(done)["key"]


def test_a_key_command_that_fails_is_a_finding(program: Program, demo: DemoServer) -> None:
    program.configure(f'[endpoints.work]\nbase_url = "{demo.base_url}"\napi_key_command = ["false"]\n')
    done = program.run("doctor", "work", "--json")
    assert (done.code, marks(json.loads(done.out))) == (3, "-.+.....")
    assert "api_key_command of endpoints.work failed" in details(done)["key"]
    assert demo.log == []


def test_nobody_there(program: Program) -> None:
    point_to(program, CLOSED)
    done = program.run("doctor", "openai", "--json")
    assert (done.code, marks(json.loads(done.out))) == (1, "+.-.....")
    assert details(done)["tcp"] == "No connection to http://127.0.0.1:9: Connection refused."
    assert details(done)["models"] == "not tried: tcp failed"
    point_to(program, "https://nowhere.invalid/v1")
    done = program.run("doctor", "openai", "--json")
    assert (done.code, marks(json.loads(done.out))) == (1, "+-......")


def test_a_proxy_out_of_reach(program: Program) -> None:
    point_to(program, "https://gateway.example/v1")
    done = program.run("doctor", "openai", "--json", HTTPS_PROXY="http://me:hidden@127.0.0.1:9")
    assert (done.code, marks(json.loads(done.out))) == (1, "+...-...")
    assert "http://127.0.0.1:9" in details(done)["proxy"]
    assert "hidden" not in done.out


def test_a_web_page_is_no_api(program: Program) -> None:
    with canned_server(lambda _: Canned(b"<!doctype html><title>Router</title>", content_type="text/html")) as server:
        point_to(program, server.base_url)
        done = program.run("doctor", "openai", "-m", "x", "--json")
    assert (done.code, marks(json.loads(done.out))) == (1, "+.+..-.+")
    assert "Router" in details(done)["models"]
    assert "/v1" in json.loads(done.out)["checks"][5]["hint"]


def test_several_endpoints_are_an_array_in_order(program: Program, demo: DemoServer) -> None:
    program.configure(
        f'[endpoints.there]\nbase_url = "{demo.base_url}"\ndefault_model = "demo-fast"\n'
        f'[endpoints.gone]\nbase_url = "{CLOSED}"\n'
    )
    done = program.run("doctor", "--json")
    values = json.loads(done.out)
    assert (done.code, [value["endpoint"] for value in values]) == (1, ["there", "gone", "openai"])
    assert [marks(value)[5] for value in values] == ["+", ".", "+"]
    lines = program.run("doctor").out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["there", "gone", "openai"]
    alone = json.loads(program.run("doctor", "--json", "-m", "gone/x").out)
    assert alone["endpoint"] == "gone"


def test_no_endpoint_to_examine(program: Program) -> None:
    done = program.run("doctor", "--json")
    assert (done.code, done.out) == (3, "[]\n")
    assert "OPENAI_API_KEY" in done.err
    assert program.run("doctor").out == ""


@pytest.mark.parametrize("arguments", [["nowhere"], ["--nonsense"], ["a", "b"], ["ollama", "--terminal"]])
def test_mistakes(program: Program, arguments: list[str]) -> None:
    done = program.run("doctor", *arguments, "--json")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("tui-chat: ")


def test_a_clock_that_is_wrong_is_a_warning(program: Program) -> None:
    with adrift(3600) as url:
        program.configure(f'[endpoints.odd]\nbase_url = "{url}"\n')
        done = program.run("doctor", "odd", "--json")
    check = json.loads(done.out)["checks"][7]
    assert check["ok"] is True
    assert "behind" in check["detail"]
    assert "NTP" in check["hint"]


@contextmanager
def raw_server(answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Gives each connection to `answer`, one after the other; the port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]

        def serve() -> None:
            with suppress(OSError):
                while True:
                    wire, _ = listening.accept()
                    threading.Thread(target=one, args=(wire,), daemon=True).start()

        def one(wire: socket.socket) -> None:
            with suppress(OSError):
                answer(tls.wrap_socket(wire, server_side=True) if tls else wire)
            wire.close()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield port
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


@contextmanager
def adrift(skew: float) -> Iterator[str]:
    """A server whose clock is `skew` seconds ahead; its base URL."""

    def answer(wire: socket.socket) -> None:
        wire.recv(65536)
        body = offers("x")
        date = formatdate(time.time() + skew, usegmt=True)
        wire.sendall(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    with raw_server(answer) as port:
        yield f"http://127.0.0.1:{port}/v1"


def test_a_certificate_of_one_s_own(program: Program, tmp_path: Path) -> None:
    authority = trustme.CA(organization_name="Example Trust")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def answer(wire: socket.socket) -> None:
        wire.recv(65536)
        body = offers("x")
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with raw_server(answer, context) as port:
        url = f'base_url = "https://127.0.0.1:{port}/v1"'
        program.configure(f'[endpoints.bare]\n{url}\n[endpoints.told]\n{url}\nca_file = "{tmp_path}/ca.pem"\n')
        bare = program.run("doctor", "bare", "--json")
        told = program.run("doctor", "told", "--json")
    assert (bare.code, marks(json.loads(bare.out))) == (1, "..+-....")
    assert "issuer certificate" in details(bare)["tls"]
    assert "ca_file" in json.loads(bare.out)["checks"][3]["hint"]
    assert marks(json.loads(told.out))[:6] == "..++.+"
    assert "Example Trust" in details(told)["tls"]


@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupt_leaves_what_was_found(program: Program, as_json: bool) -> None:
    asked = threading.Event()

    def answer(wire: socket.socket) -> None:
        if wire.recv(65536):
            asked.set()
            wire.recv(1)

    with raw_server(answer) as port:
        point_to(program, f"http://127.0.0.1:{port}/v1")
        with program.start("doctor", "openai", *(["--json"] if as_json else [])) as process:
            assert asked.wait(20)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")
    assert KEY.encode() not in out
    if as_json:
        value = json.loads(out)
        assert value["ok"] is None
        assert [check["ok"] for check in value["checks"]] == [True, None, True, *[None] * 5]
        assert value["checks"][-1]["detail"] == "not tried: interrupted"
    else:
        assert [line.split()[1] for line in out.decode().splitlines()[1:]] == [*ENDPOINT_CHECKS]


def test_hostile_answers_are_harmless(program: Program) -> None:
    def answer(asked: Asked) -> Canned:
        if asked.method == "GET":
            return Canned(offers(HOSTILE_NAME))
        return Canned(json.dumps({"error": {"message": HOSTILE_NAME + "\nx"}}).encode(), 400)

    with canned_server(answer) as server:
        point_to(program, server.base_url)
        with Terminal((*COMMAND, "doctor", "openai"), program.env, cwd=program.home) as terminal:
            assert terminal.wait_exit() == 1
            assert {bytes(token[0]) for token in tokens(terminal.raw) if not token["text"]} <= {b"\r", b"\n"}
            assert "evil␛]52;c;ZGVtbw==␇" in terminal.raw.decode()
