"""`-c`, `--resume` and `--no-save`: conversations that go on, and those that leave nothing."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.cli.conftest import KEY, point_to
from tests.cli.test_ask import ask_object
from tests.kit.keeping import NOW, library_of, talk
from tests.kit.program import COMMAND, Done, Program
from tests.kit.serving import Asked, Canned, CannedServer, canned_server
from tests.kit.terminal import Terminal
from tui_chat.demo.server import DemoServer

LONG = "echo " + " ".join(f"word{n}" for n in range(90))
"""The demo that drops breaks this off."""


@contextmanager
def echoing() -> Iterator[CannedServer]:
    """A server that answers with the last question in capitals, and notes what it was asked."""

    def answer(asked: Asked) -> Canned:
        said = json.loads(asked.body)["messages"][-1]["content"].upper()
        chunk = {"choices": [{"index": 0, "delta": {"content": said}, "finish_reason": "stop"}]}
        return Canned(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode(), content_type="text/event-stream")

    with canned_server(answer) as server:
        yield server


@pytest.fixture
def echo(program: Program) -> Iterator[CannedServer]:
    """Such a server, as the only endpoint: `openai`."""
    with echoing() as server:
        point_to(program, server.base_url)
        yield server


def asked_for(server: CannedServer) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in server.asked]


def said(body: dict[str, Any]) -> list[str]:
    """The messages of a request, without the system prompt."""
    return [message["content"] for message in body["messages"] if message["role"] != "system"]


def refused(done: Done, *parts: str) -> None:
    """Exit code 2, one line on stderr with `parts`, nothing on stdout."""
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    for part in parts:
        assert part in line


def listed(program: Program) -> list[dict[str, Any]]:
    return json.loads(program.run("history", "list", "--json").out)


def shown(program: Program, id: str) -> dict[str, Any]:
    return json.loads(program.run("history", "show", id, "--json").out)


# going on


def test_the_last_conversation_goes_on(program: Program, echo: CannedServer) -> None:
    assert program.run("ask", "-m", "x", "one").out == "ONE\n"
    assert program.run("ask", "-c", "two").out == "TWO\n"
    done = program.run("ask", "three", "--continue")
    assert (done.code, done.out, done.err) == (0, "THREE\n", "")
    bodies = asked_for(echo)
    assert said(bodies[-1]) == ["one", "ONE", "two", "TWO", "three"]
    assert {body["model"] for body in bodies} == {"x"}
    (row,) = listed(program)
    assert (row["turns"], row["title"], row["models"]) == (6, "one", ["x"])


def test_an_older_conversation_goes_on_by_its_id(program: Program, echo: CannedServer) -> None:
    program.run("ask", "-m", "x", "one")
    (first,) = listed(program)
    program.run("ask", "-m", "y", "other")
    done = program.run("ask", "-c", first["id"][:6], "two")
    assert (done.code, done.out, done.err) == (0, "TWO\n", "")
    assert (said(asked_for(echo)[-1]), asked_for(echo)[-1]["model"]) == (["one", "ONE", "two"], "x")
    assert program.run("ask", "-c", "three").out == "THREE\n"
    assert said(asked_for(echo)[-1])[0] == "one", "the one that was used last"


@pytest.mark.parametrize(
    ("arguments", "stdin", "question"),
    [
        (["-c", "and then?"], b"", "and then?"),
        (["-c", "then"], b"\n", "then"),
        (["-c", "and then?"], b"piped\n", "and then?\n\npiped"),
        (["and then?", "-c"], b"piped", "and then?\n\npiped"),
        (["-c"], b"piped", "piped"),
        (["-c", "onlyoneofit2"], b"piped", "piped"),
        (["-c", "only"], b"piped", "piped"),
        (["--continue=only", "then"], b"piped", "then\n\npiped"),
    ],
)
def test_what_is_piped_in_joins_the_question(
    program: Program, echo: CannedServer, arguments: list[str], stdin: bytes, question: str
) -> None:
    with library_of(program) as library:
        library.add(talk("onlyoneofit2", "one", "ONE"))
    done = program.run("ask", *arguments, "-e", "openai", "-m", "x", stdin=stdin)
    assert (done.code, done.out) == (0, f"{question.upper()}\n")
    assert said(asked_for(echo)[-1]) == ["one", "ONE", question]


def test_settings_are_carried_on_until_others_are_given(program: Program, echo: CannedServer) -> None:
    program.configure('[profiles.warm]\ntemperature = 1.5\nsystem = "be warm"\n')
    program.run("ask", "-m", "x", "one", "-s", "be brief", "-t", "0.5")
    program.run("ask", "-c", "two")
    program.run("ask", "-c", "three", "-t", "0")
    program.run("ask", "-c", "four", "-p", "warm", "-t", "0.1")
    program.run("ask", "-c", "five", "-m", "y")
    program.run("ask", "-c", "six")
    got = [(body["model"], body["messages"][0]["content"], body["temperature"]) for body in asked_for(echo)]
    assert got == [
        ("x", "be brief", 0.5),
        ("x", "be brief", 0.5),
        ("x", "be brief", 0),
        ("x", "be warm", 0.1),
        ("y", "be warm", 0.1),
        ("y", "be warm", 0.1),
    ]


def test_another_model_is_asked_where_the_conversation_was_held(program: Program) -> None:
    with echoing() as first, echoing() as second:
        program.configure(
            f'endpoint = "a"\n[endpoints.a]\nbase_url = "{first.base_url}"\n'
            f'[endpoints.b]\nbase_url = "{second.base_url}"\n'
            '[profiles.brief]\nsystem = "be brief"\n[profiles.home]\nendpoint = "a"\nmodel = "h"\n'
        )
        program.run("ask", "-m", "b/x", "one")
        program.run("ask", "-c", "two", "-m", "y")
        program.run("ask", "-c", "three", "-p", "brief")
        program.run("ask", "-c", "four", "-p", "home")
        program.run("ask", "-c", "five", "-e", "b", "-m", "z")
    assert [body["model"] for body in asked_for(second)] == ["x", "y", "y", "z"]
    assert [body["model"] for body in asked_for(first)] == ["h"]
    assert said(asked_for(first)[0]) == ["one", "ONE", "two", "TWO", "three", "THREE", "four"]


def test_nothing_is_sent_elsewhere_when_the_endpoint_is_gone(program: Program, echo: CannedServer) -> None:
    with echoing() as old:
        program.configure(f'[endpoints.old]\nbase_url = "{old.base_url}"\n')
        program.run("ask", "-e", "old", "-m", "x", "one")
    program.configure("")
    done = program.run("ask", "-c", "two", "--json")
    value = json.loads(done.out)
    assert (done.code, value["state"], value["run"]) == (3, "failed", None)
    assert "old, which is not set up now" in done.err
    assert echo.asked == []
    done = program.run("ask", "-c", "two", "-e", "openai", "-m", "y")
    assert (done.code, done.out) == (0, "TWO\n")
    assert said(asked_for(echo)[-1]) == ["one", "ONE", "two"]


def test_the_demo_does_not_take_over_a_conversation(program: Program, echo: CannedServer) -> None:
    program.run("ask", "-m", "x", "one")
    done = program.run("--demo", "ask", "-c", "two")
    assert (done.code, done.out) == (0, "TWO\n")
    assert "goes on with openai, not with the demo" in done.err
    done = program.run("--demo", "ask", "-c", "echo three", "-e", "demo")
    assert (done.code, done.out, done.err) == (0, "three\n", "")


def test_there_must_be_one_to_go_on_with(program: Program, echo: CannedServer) -> None:
    refused(program.run("ask", "-m", "x", "-c", "hello"), "no conversation yet")
    refused(program.run("ask", "-c", "abcdefgh", "hello", "--json"), "abcdefgh", "history list")
    refused(program.run("ask", "--resume", "abcdefgh"), "no run abcdefgh")
    refused(program.run("ask", "-c"), "Nothing to ask")
    with library_of(program) as library:
        library.add(talk("twins2345672", "a", "b"))
        library.add(talk("twins6723452", "a", "b"))
    refused(program.run("ask", "-c", "twins", "hello"), "Several", "twins")
    refused(program.run("ask", "-c", "abcdefgh", stdin=b"piped"), "abcdefgh")
    program.run("history", "delete", "twins2345672")
    refused(program.run("ask", "-c", "twins2345672", "hello"), "twins2345672")
    assert echo.asked == []


def test_before_the_command_continue_is_refused(program: Program) -> None:
    refused(program.run("-c", "ask", "hello"), "--continue goes behind the command")
    refused(program.run("-c", "abcdefgh", "ask", "hello"), "--continue goes behind the command")


# taking up again


def broken(program: Program, *arguments: str) -> dict[str, Any]:
    """What `ask --json` printed of an answer that broke off."""
    done = program.run("ask", "-m", "demo-drop", LONG, "--json", *arguments)
    value = ask_object(done)
    assert (done.code, value["state"], value["error"]["kind"]) == (1, "failed", "reset")
    return value


def test_an_answer_is_taken_up_again(program: Program, demo: DemoServer) -> None:
    first = broken(program)
    done = program.run("ask", "--resume", first["run"])
    assert (done.code, done.err) == (0, "tui-chat: going on with the answer\n")
    whole = LONG.removeprefix("echo ")
    assert first["text"] + done.out == f"{whole}\n"
    (row,) = listed(program)
    assert (row["turns"], row["state"]) == (2, "completed")
    reply = shown(program, row["id"])["nodes"][1]
    assert (reply["text"], reply["state"]) == (whole, "completed")
    assert len({attempt["run"] for attempt in reply["attempts"]}) == 2
    for run in {attempt["run"] for attempt in reply["attempts"]}:
        refused(program.run("ask", "--resume", run, "--json"), run, "is whole")


def test_taken_up_with_json_the_whole_is_printed(program: Program, demo: DemoServer) -> None:
    first = broken(program, "-s", "be brief")
    value = ask_object(program.run("ask", "--resume", first["run"], "--json"))
    assert (value["state"], value["text"], value["model"]) == ("completed", LONG.removeprefix("echo "), "demo-drop")
    assert value["run"] not in (None, first["run"])
    assert value["attempts"] > first["attempts"]


def test_an_answer_is_taken_up_in_its_place(program: Program, demo: DemoServer) -> None:
    """Also where more was said after it, and where that broke off too."""
    first = broken(program)
    second = broken(program, "-c")
    value = ask_object(program.run("ask", "--resume", first["run"], "--json"))
    assert value["text"] == LONG.removeprefix("echo ")
    (row,) = listed(program)
    conversation = shown(program, row["id"])
    texts = {node["id"]: node["text"] for node in conversation["nodes"]}
    assert [texts[node] for node in conversation["in_chat"]] == [LONG, value["text"], LONG, second["text"]]
    assert ask_object(program.run("ask", "--resume", second["run"], "--json"))["text"] == value["text"]


def test_another_model_may_finish_it(program: Program, demo: DemoServer) -> None:
    first = broken(program)
    value = ask_object(program.run("ask", "--resume", first["run"], "--json", "-m", "demo-fast"))
    assert (value["state"], value["model"], value["text"]) == ("completed", "demo-fast", LONG.removeprefix("echo "))


def test_what_broke_off_names_the_command_that_goes_on(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "demo-drop", LONG)
    assert done.code == 1
    line = done.err.splitlines()[-1]
    assert line.startswith("tui-chat: Go on with it: tui-chat ask --resume ")
    rest = program.run("ask", *line.partition("tui-chat ask ")[2].split())
    assert (rest.code, done.out.rstrip("\n") + rest.out) == (0, LONG.removeprefix("echo ") + "\n")
    assert "--resume" not in rest.err


def test_with_the_demo_the_command_has_it_too(program: Program) -> None:
    started = program.start("--demo", "ask", "-m", "demo-slow", "count 90")
    assert started.stdout is not None
    started.stdout.read(1)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=20)
    assert started.returncode == 130
    line = err.decode().splitlines()[-1]
    assert line.startswith("tui-chat: Go on with it: tui-chat ask --resume ")
    command = line.partition("tui-chat ask ")[2].split()
    assert program.run("ask", *command, "-m", "demo-fast").code == 0


def test_what_cannot_be_gone_on_with_names_no_command(program: Program, demo: DemoServer) -> None:
    assert "--resume" not in program.run("ask", "-m", "demo-drop", LONG, "--no-save").err
    with canned_server(lambda _: Canned(b'{"error": {"message": "no"}}', 400)) as server:
        point_to(program, server.base_url)
        assert "--resume" not in program.run("ask", "-m", "x", "hi").err


def test_of_nothing_nothing_is_taken_up(program: Program) -> None:
    with canned_server(lambda _: Canned(b'{"error": {"message": "no"}}', 400)) as server:
        point_to(program, server.base_url)
        value = ask_object(program.run("ask", "-m", "x", "hi", "--json"))
        assert value["error"]["kind"] == "bad_request"
        refused(program.run("ask", "--resume", value["run"]), "Nothing came", value["run"])
        assert len(server.asked) == 1


def test_resume_stands_alone(program: Program) -> None:
    refused(program.run("ask", "--resume", "abcdefgh", "hello"), "--resume")
    refused(program.run("ask", "--resume", "abcdefgh", "-c"), "--resume")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_cut_short_is_kept_and_taken_up(program: Program, number: signal.Signals) -> None:
    with program.start("--demo", "ask", "count 60", "-m", "demo-slow") as process:
        assert process.stdout is not None
        begun = process.stdout.read1(2)
        if number is signal.SIGKILL:
            (row,) = listed(program)
            run = running_run(program)
            refused(program.run("--demo", "ask", "--resume", run), run, "still under way")
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    (row,) = listed(program)
    assert row["state"] == ("cancelled" if number is signal.SIGINT else "interrupted")
    reply = shown(program, row["id"])["nodes"][1]
    assert reply["text"]
    assert (begun + out).decode().rstrip("\n").startswith(reply["text"].rstrip())
    done = program.run("--demo", "ask", "--resume", reply["attempts"][-1]["run"], "-m", "demo-fast")
    assert done.code == 0
    numbers = (reply["text"] + done.out).split()
    assert numbers == [str(n) for n in range(1, 61)]


def running_run(program: Program) -> str:
    with closing(sqlite3.connect(program.data / "tui-chat.db")) as connection:
        (run,) = connection.execute("SELECT uid FROM runs").fetchone()
    return run


# leaving nothing


def test_no_save_leaves_nothing(program: Program, demo: DemoServer) -> None:
    for arguments in (
        ["--no-save", "ask", "-m", "demo-fast", "hi"],
        ["ask", "-m", "demo-drop", "hi", "--no-save"],
        ["ask", "-m", "demo-flaky", "hi", "--no-save"],
        ["ask", "-e", "openai", "-m", "demo-fast", "-c", "hi", "--no-save"],
        ["ask", "--resume", "abcdefgh", "--no-save"],
    ):
        program.run(*arguments)
    assert len(demo.log) >= 3
    assert not program.data.exists()


def test_what_is_not_saved_has_no_name(program: Program, demo: DemoServer) -> None:
    assert ask_object(program.run("ask", "-m", "demo-fast", "hi", "--json", "--no-save"))["run"] is None
    assert ask_object(program.run("ask", "-m", "demo-fast", "hi", "--json"))["run"]


def test_a_conversation_goes_on_without_being_changed(program: Program, echo: CannedServer) -> None:
    program.run("ask", "-m", "x", "one")
    (row,) = listed(program)
    before = shown(program, row["id"])
    done = program.run("ask", "-c", "two", "--no-save")
    assert (done.code, done.out) == (0, "TWO\n")
    assert said(asked_for(echo)[-1]) == ["one", "ONE", "two"]
    assert shown(program, row["id"]) == before


def test_no_key_is_ever_stored(program: Program) -> None:
    """Not even one that the server tells, or that stands in a setting."""

    def answer(asked: Asked) -> Canned:
        message = f"Incorrect API key provided: {asked.headers.get('authorization', '')}"
        headers = {"x-request-id": KEY}
        return Canned(json.dumps({"error": {"message": message}}).encode(), 400, headers=headers)

    with canned_server(answer) as server:
        program.configure(
            f'[endpoints.leaky]\nbase_url = "{server.base_url}"\napi_key_env = "LEAKY"\n'
            f'[profiles.p]\nendpoint = "leaky"\nmodel = "x"\nextra_body = {{ auth = "{KEY}", note = "n" }}\n'
        )
        done = program.run("ask", "-p", "p", "hi", "-s", f"the key is {KEY}", "--json", LEAKY=KEY)
    assert done.code in (1, 3)
    assert KEY in server.asked[0].body.decode()
    for file in program.data.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file
    (row,) = listed(program)
    stored = shown(program, row["id"])["nodes"][1]["attempts"][0]
    assert stored["settings"]["extra_body"]["note"] == "n"


# side by side


def test_several_asks_at_once_on_a_new_data_folder(program: Program, demo: DemoServer) -> None:
    command = [*COMMAND, "ask", "-m", "demo-fast"]
    running = [
        subprocess.Popen(
            [*command, f"echo number {n}"],
            env=program.env,
            cwd=program.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for n in range(4)
    ]
    ended = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert ended == [(f"number {n}\n".encode(), b"") for n in range(4)]
    rows = listed(program)
    assert sorted(row["title"] for row in rows) == [f"echo number {n}" for n in range(4)]
    assert {(row["state"], row["turns"]) for row in rows} == {("completed", 2)}


def test_two_go_on_with_the_same_conversation(program: Program, demo: DemoServer) -> None:
    program.run("ask", "-m", "demo-fast", "echo one")
    with program.start("ask", "-c", "echo two") as first, program.start("ask", "-c", "echo three") as second:
        outs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert outs == [b"two\n", b"three\n"]
    (row,) = listed(program)
    nodes = shown(program, row["id"])["nodes"]
    assert sorted(node["text"] for node in nodes if node["role"] == "assistant") == ["one", "three", "two"]


# the screen


def test_the_screen_goes_on_too(program: Program) -> None:
    with library_of(program) as library:
        library.add(talk("older2345672", "an older question", "an older answer", at=NOW - 60))
        library.add(talk("newer2345672", "a newer question", "a newer answer"))
    for arguments, text in (["-c"], "a newer answer"), (["--continue", "older"], "an older answer"):
        with Terminal([*COMMAND, "--demo", *arguments], program.env, cwd=program.home) as terminal:
            terminal.wait(text)
            terminal.press("ctrl+q")
            assert terminal.wait_exit() == 0
    with Terminal([*COMMAND, "--demo", "-c", "nothere"], program.env, cwd=program.home) as terminal:
        assert terminal.wait_exit() == 2
        assert "There is no conversation nothere" in terminal.text
        assert b"\x1b[?1049h" not in terminal.raw
