"""`--record` and `replay`: what a run was, without the server that made it."""

from __future__ import annotations

import json
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import KEY, point_to
from tests.kit.program import COMMAND, ROOT, Done, Program
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.terminal import Terminal
from tui_chat.demo.server import DemoServer

KNOWN = str(ROOT / "tests" / "fixtures" / "known.rec")
SAME = ("text", "reasoning", "endpoint", "model", "finish_reason", "state", "attempts", "usage", "skipped", "error")


@pytest.fixture
def file(program: Program) -> Path:
    return program.home / "some.rec"


def replayed(program: Program, file: Path, *args: str) -> Done:
    return program.run("replay", str(file), "--speed", "0", *args)


def assert_same(first: Done, second: Done) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both runs printed the same, apart from the times."""
    one, other = json.loads(first.out), json.loads(second.out)
    assert {key: one[key] for key in SAME} == {key: other[key] for key in SAME}
    assert list(one) == list(other)
    assert first.code == second.code
    return one, other


def test_what_was_recorded_on_the_demo_plays_without_it(program: Program, file: Path) -> None:
    first = program.run("--demo", "--record", str(file), "ask", "echo hi there", "--json")
    second = replayed(program, file, "--json")
    one, other = assert_same(first, second)
    assert (one["text"], first.code, second.err) == ("hi there", 0, "")
    for name in ("ttft_s", "ttft_answer_s", "total_s", "wait_s", "gap_max_s"):
        assert other["timing"][name] == pytest.approx(one["timing"][name], abs=0.25), name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("model", ["demo-reasoning", "demo-garbage"])
def test_other_models_play_as_they_were(program: Program, demo: DemoServer, file: Path, model: str) -> None:
    first = program.run("ask", "hi", "-m", model, "--json", "--record", str(file))
    assert_same(first, replayed(program, file, "--json"))
    assert replayed(program, file).stdout.rstrip(b"\n") == json.loads(first.out)["text"].encode().rstrip(b"\n")


def test_every_attempt_is_played(program: Program, demo: DemoServer, file: Path) -> None:
    first = program.run("ask", "hi", "-m", "demo-flaky", "--json", "--record", str(file))
    second = replayed(program, file, "--json")
    one, other = assert_same(first, second)
    assert one["attempts"] == 3
    assert other["timing"]["wait_s"] == pytest.approx(one["timing"]["wait_s"], abs=0.25)
    assert second.err == first.err


def test_a_broken_answer_breaks_again(program: Program, demo: DemoServer, file: Path) -> None:
    first = program.run("ask", "hi", "-m", "demo-drop", "--json", "--record", str(file))
    second = replayed(program, file, "--json")
    one, _ = assert_same(first, second)
    assert (second.code, one["state"], one["error"]["kind"]) == (1, "failed", "reset")
    assert len(one["text"]) > 20
    plain = replayed(program, file)
    assert (plain.code, plain.out) == (1, one["text"] + "\n")
    assert "cut" in plain.err


def test_a_refused_key_is_refused_again(program: Program, file: Path) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()
    with canned_server(lambda _: Canned(body, 401)) as server:
        point_to(program, server.base_url)
        first = program.run("ask", "hi", "-m", "m", "--record", str(file))
        asked = len(server.asked)
        second = replayed(program, file)
        assert len(server.asked) == asked
    program.said.clear()  # here the server itself told the key
    assert (first.code, second.code) == (3, 3)
    assert KEY.encode() not in file.read_bytes()
    assert b"\xe2\x80\xa6" in file.read_bytes()


def test_the_key_is_nowhere_in_the_file(program: Program, demo: DemoServer, file: Path) -> None:
    program.run("ask", f"echo {KEY}", "-m", "demo-fast", "--record", str(file))
    program.said.clear()  # it was the question
    data = file.read_bytes()
    assert KEY.encode() not in data
    assert b'"Authorization":"\xe2\x80\xa6"' in data
    assert b'"kind":"ended"' in data


def test_a_cancelled_answer_is_cancelled_again(program: Program, file: Path) -> None:
    process = program.start("--demo", "--record", str(file), "ask", "hi", "-m", "demo-slow", "--json")
    wait_for(lambda: file.exists() and file.read_bytes().count(b'"kind":"chunk"') > 8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    first = Done(process.returncode, out, err)
    one, _ = assert_same(first, replayed(program, file, "--json"))
    assert (first.code, one["state"]) == (130, "cancelled")


def test_a_killed_recording_plays_as_far_as_it_goes(program: Program, file: Path) -> None:
    process = program.start("--demo", "--record", str(file), "ask", "hi", "-m", "demo-slow")
    wait_for(lambda: file.exists() and file.read_bytes().count(b'"kind":"chunk"') > 8)
    process.kill()
    process.communicate(timeout=20)
    done = replayed(program, file, "--json")
    value = json.loads(done.out)
    assert (done.code, value["state"], value["error"]["kind"]) == (1, "failed", "truncated")
    assert len(value["text"]) > 5
    assert "is played up to there" in done.err
    assert "Traceback" not in done.err


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("size", [3000, 5000])
def test_a_truncated_file_names_the_line(program: Program, demo: DemoServer, file: Path, size: int) -> None:
    program.run("ask", "hi", "-m", "demo-fast", "--record", str(file))
    file.write_bytes(file.read_bytes()[:size])
    done = replayed(program, file)
    assert done.code == 1
    assert done.out
    lines = file.read_bytes().split(b"\n")
    assert f"some.rec is cut off in line {len(lines)};" in done.err
    assert "Record it again" in done.err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"hello\n", "is no recording"),
        (b"\x00\xff\xfe\x80", "is no recording"),
        (b'{"format":"tui-chat-recording","version":1,"at"', "is no recording"),
        (b'{"format":"tui-chat-recording","version":99}\n', "Update tui-chat"),
        (b'{"format":"tui-chat-recording","version":1,"at":"2025-01-01T00:00:00Z","program":"1"}\n', "no question"),
        (Path(KNOWN).read_bytes().replace(b'"at":0.25', b'"at":"x"'), "line 9"),
        (Path(KNOWN).read_bytes().replace(b"openai-chat", b"telepathy"), "“telepathy”"),
    ],
    ids=["none", "empty", "text", "bytes", "cut", "newer", "no question", "damaged", "dialect"],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_file_that_cannot_be_played(
    program: Program, file: Path, data: bytes | None, said: str, as_json: bool
) -> None:
    if data is not None:
        file.write_bytes(data)
    done = replayed(program, file, *["--json"] * as_json)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "some.rec" in done.err
    assert done.err.count("\n") == 1


def test_the_known_recording_has_its_figures(program: Program) -> None:
    """The times of tests/fixtures/known.rec, computed by hand in tests/engine/test_recorder.py."""
    value = json.loads(program.run("replay", KNOWN, "--json", "--speed", "0").out)
    assert value["timing"] == {
        "ttft_s": 0.3,
        "ttft_answer_s": 0.4,
        "total_s": 3.22,
        "wait_s": 2.0,
        "tok_per_s": 28.571429,
        "gap_p50_s": 0.1,
        "gap_p95_s": 0.3,
        "gap_max_s": 0.3,
    }
    assert (value["text"], value["attempts"], value["usage"]["cached"]) == ("Hello, wörld!", 2, 4)


def test_a_price_of_today_is_put_on_it(program: Program) -> None:
    program.configure('[prices."known-model"]\ninput = 1.0\ncached = 0.5\noutput = 10.0\n')
    value = json.loads(program.run("replay", KNOWN, "--json", "--speed", "0").out)
    assert value["cost"]["usd"] == pytest.approx((5 * 1.0 + 4 * 0.5 + 21 * 10.0) / 1e6)
    assert value["cost"]["source"] == "computed"


@pytest.mark.parametrize("speed", ["-1", "nan", "inf", "fast"])
def test_a_speed_that_is_none(program: Program, speed: str) -> None:
    done = program.run("replay", KNOWN, "--speed", speed)
    assert (done.code, done.out) == (2, "")
    assert "speed" in done.err


def test_what_is_played_is_not_recorded(program: Program, file: Path) -> None:
    done = program.run("--record", str(file), "replay", KNOWN)
    assert (done.code, done.out) == (2, "")
    assert not file.exists()


def test_a_recording_takes_the_place_of_no_other_file(program: Program, demo: DemoServer, file: Path) -> None:
    file.write_text("my notes")
    done = program.run("--record", str(file), "ask", "hi", "-m", "demo-fast")
    assert (done.code, done.out, file.read_text()) == (2, "", "my notes")
    assert demo.log == []


@pytest.mark.parametrize(("path", "fault"), [("no/such/file", "there is no folder no/such"), (".", "Is a directory")])
@pytest.mark.parametrize("command", [["ask", "echo hi", "-m", "demo-fast"], ["models"]])
def test_a_recording_that_cannot_be_opened_is_refused_before_anything_is_sent(
    program: Program, demo: DemoServer, command: list[str], path: str, fault: str
) -> None:
    done = program.run(*command, "--record", path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"tui-chat: {path} cannot be written: {fault}.\n"
    assert demo.log == []


def test_the_screen_does_not_open_without_its_recording(program: Program) -> None:
    with Terminal([*COMMAND, "--demo", "--record", "no/such/file"], program.env, cwd=program.home) as terminal:
        assert terminal.wait_exit() == 2
        assert terminal.raw.decode() == "tui-chat: no/such/file cannot be written: there is no folder no/such.\r\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_stops_nothing(program: Program, demo: DemoServer) -> None:
    done = program.run("--record", "/dev/full", "ask", "echo hi", "-m", "demo-fast")
    assert (done.code, done.out) == (0, "hi\n")
    assert done.err.count("\n") == 1
    assert "No space left" in done.err


def test_a_model_list_is_recorded_and_holds_no_question(program: Program, file: Path) -> None:
    def answer(asked: Asked) -> Canned:
        return Canned(json.dumps({"data": [{"id": "one"}]}).encode())

    with canned_server(answer) as server:
        point_to(program, server.base_url)
        done = program.run("models", "openai", "--record", str(file))
    assert "openai/one" in done.out
    assert KEY.encode() not in file.read_bytes()
    played = replayed(program, file)
    assert played.code == 2
    assert "no question to play. Other requests in it: 1." in played.err
