"""`tui-chat compare`: several lanes, one table."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.kit.program import Program
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.sockets import LAST_CHUNK, STREAM_HEAD, SocketServer, Wire, chunk
from tests.kit.wire import DONE, said, stopped, used
from tui_chat.demo.server import DemoServer

FAST, SLOW, DROP = "openai/demo-fast", "openai/demo-slow", "openai/demo-drop"
ASK_KEYS = {
    *("text", "reasoning", "endpoint", "model", "finish_reason", "state", "attempts", "usage", "timing", "cost"),
    *("skipped", "run", "error"),
}
HEADER = (
    "lane,endpoint,model,settings,repeat,state,finish_reason,ttft_s,tok_per_s,total_s,input,cached,reasoning,output,"
    "usd,cost_source,error_kind,text"
)


def test_json_is_the_contract_s(program: Program, demo: DemoServer) -> None:
    lanes = ("--lane", f"{FAST} temperature=0", "--lane", f"{SLOW} temperature=1 'system=Be brief.'")
    done = program.run("compare", "echo one two three", *lanes, "--repeat", "3", "--format", "json")
    assert done.code == 0
    found = json.loads(done.out)
    assert set(found) == {"prompt", "lanes", "best"}
    assert found["prompt"] == "echo one two three"
    a, b = found["lanes"]
    assert (a["lane"], a["endpoint"], a["model"], a["settings"]) == ("A", "openai", "demo-fast", {"temperature": 0.0})
    assert b["settings"] == {"system": "Be brief.", "temperature": 1.0}
    for lane in (a, b):
        assert [run["repeat"] for run in lane["runs"]] == [1, 2, 3]
        assert all(set(run) >= ASK_KEYS for run in lane["runs"])
        assert {run["text"].strip() for run in lane["runs"]} == {"one two three"}
        assert {run["state"] for run in lane["runs"]} == {"completed"}
        assert (lane["summary"]["completed"], lane["summary"]["failed"]) == (3, 0)
        times = sorted(run["timing"]["ttft_s"] for run in lane["runs"])
        assert lane["summary"]["ttft_s"] == {"median": times[1], "min": times[0], "max": times[2]}
        totals = sorted(run["timing"]["total_s"] for run in lane["runs"])
        assert lane["summary"]["total_s"]["median"] == totals[1]
    assert set(found["best"]) == {"ttft", "speed", "cost"}
    assert found["best"]["ttft"] in ("A", "B")


def test_every_result_is_printed_where_one_fails(program: Program, demo: DemoServer) -> None:
    lanes = ("--lane", FAST, "--lane", DROP, "--lane", "openai/nothing-such")
    done = program.run("compare", "write a poem of many lines", *lanes, "--json")
    assert done.code == 1
    good, dropped, unknown = json.loads(done.out)["lanes"]
    assert good["runs"][0]["state"] == "completed"
    assert dropped["runs"][0]["state"] == "failed"
    assert dropped["runs"][0]["text"], "what came before the failure"
    assert dropped["summary"] | {"failed": 1, "completed": 0, "ttft_s": None, "usd": None} == dropped["summary"]
    assert unknown["runs"][0]["error"]["kind"] == "not_found"


def test_csv_has_a_row_for_each_run(program: Program, demo: DemoServer) -> None:
    lanes = ("--lane", f'{FAST} stop=\'["x", "y"]\'', "--lane", "openai/nothing-such")
    done = program.run("compare", 'echo =1+1, "two"', *lanes, "--repeat", "2", "--format", "csv")
    assert done.code == 1
    assert done.out.splitlines()[0] == HEADER
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [(row["lane"], row["repeat"], row["state"]) for row in rows] == [
        ("A", "1", "completed"),
        ("A", "2", "completed"),
        ("B", "1", "failed"),
        ("B", "2", "failed"),
    ]
    assert rows[0]["settings"] == """'stop=["x", "y"]'"""
    assert rows[0]["text"].startswith("'="), "no formula for a spreadsheet"
    assert (rows[2]["error_kind"], rows[2]["usd"], rows[2]["ttft_s"]) == ("not_found", "", "")


def test_markdown_holds_the_figures_and_the_answers(program: Program, demo: DemoServer) -> None:
    done = program.run("compare", "echo ## heading", "--lane", FAST, "--lane", f"{SLOW} seed=1", "--format", "md")
    assert done.code == 0
    assert done.out.startswith("# Comparison\n\necho ## heading\n\n| lane | model |")
    assert "\n## ▸ A · openai/demo-fast\n" in done.out
    assert "\n## ▸ B · openai/demo-slow · seed=1\n" in done.out


def test_the_table_shows_answers_and_marks_the_best(program: Program, demo: DemoServer) -> None:
    done = program.run("compare", "echo hello", "--lane", FAST, "--lane", SLOW)
    assert done.code == 0
    lines = done.out.splitlines()
    assert "── A · openai/demo-fast" in lines
    assert lines.count("hello") == 2
    head = next(place for place, line in enumerate(lines) if line.startswith("lane  model"))
    assert lines[head + 1].startswith("A     openai/demo-fast")
    assert any("*" in line for line in lines[head + 1 : head + 3])
    assert "tui-chat: A: openai/demo-fast · done" in done.err


def test_a_set_from_the_configuration(program: Program, demo: DemoServer) -> None:
    file = program.home / "config.toml"
    file.write_text(
        '[profiles.fast]\nendpoint = "openai"\nmodel = "demo-fast"\nmax_tokens = 9\n'
        '[compare.temps]\nlanes = [{ profile = "fast", temperature = 0.0, label = "cold" }, { profile = "fast" }]\n'
        "[compare.bad]\nlanes = [{ temprature = 1 }]\n"
    )
    program.env["TUI_CHAT_CONFIG"] = str(file)
    done = program.run("compare", "echo hi", "--set", "temps", "-t", "0.5", "--json")
    assert done.code == 0
    assert "compare.bad.lanes.1.temprature is unknown" in done.err, "the rest runs"
    cold, warm = json.loads(done.out)["lanes"]
    assert (cold["lane"], cold["settings"]) == ("cold", {"temperature": 0.0, "max_tokens": 9})
    assert (warm["lane"], warm["settings"]) == ("B", {"temperature": 0.5, "max_tokens": 9})
    bad = program.run("compare", "echo hi", "--set", "bad")
    assert (bad.code, bad.out) == (2, "")
    unknown = program.run("compare", "echo hi", "--set", "tmps")
    assert unknown.code == 2
    assert "did you mean “temps”?" in unknown.err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("hi",), "Name the lanes"),
        (("hi", "--lane", FAST, "--set", "x"), "Name the lanes"),
        (("hi", "--lane", FAST), "2 to 6 lanes"),
        (("hi", *["--lane", FAST] * 7), "2 to 6 lanes"),
        (("hi", "--lane", FAST, "--lane", "m temprature=1"), "lane B: temprature is unknown; did you mean"),
        (("hi", "--lane", f"{FAST} label=B", "--lane", FAST), "Two lanes are called B"),
        (("hi", "--lane", "profile=nope", "--lane", FAST), "profile “nope”"),
        (("--lane", FAST, "--lane", SLOW), "Nothing to ask"),
        (("hi", "--lane", "openai/free-model", "--lane", FAST, "--max-cost", "1"), "free-model"),
        (("hi", "--lane", FAST, "--lane", SLOW, "--max-cost", "x"), "--max-cost"),
    ],
)
def test_mistakes_are_one_line_and_leave_stdout_empty(
    program: Program, demo: DemoServer, args: tuple[str, ...], told: str
) -> None:
    done = program.run("compare", *args)
    assert (done.code, done.out) == (2, "")
    assert told in done.err.splitlines()[-1]


def test_what_is_piped_in_is_joined(program: Program, demo: DemoServer) -> None:
    lanes = ("--lane", FAST, "--repeat", "2", "--json")
    done = program.run("compare", "echo this:", *lanes, stdin=b"piped text\n")
    assert json.loads(done.out)["prompt"] == "echo this:\n\npiped text"


def test_without_a_key_the_code_is_3_and_an_object_is_printed(program: Program) -> None:
    done = program.run("compare", "hi", "--lane", "m1", "--lane", "m2", "--json")
    assert done.code == 3
    assert [lane["runs"][0]["error"]["kind"] for lane in json.loads(done.out)["lanes"]] == ["auth", "auth"]


def test_one_lane_without_a_key_is_a_failure_like_others(program: Program, demo: DemoServer) -> None:
    done = program.run("compare", "echo hi", "--lane", FAST, "--lane", "groq/m", "--json")
    assert done.code == 1
    good, keyless = json.loads(done.out)["lanes"]
    assert (good["runs"][0]["state"], keyless["runs"][0]["error"]["kind"]) == ("completed", "auth")


def test_the_cap_is_for_all_lanes_together(program: Program, demo: DemoServer) -> None:
    lanes = ("--demo", "--lane", "demo/demo-fast", "--lane", "demo/demo-fast seed=1")
    done = program.run("compare", "echo " + "word " * 400, *lanes, "--max-cost", "0.001", "--json")
    assert done.code == 4
    lanes_found = json.loads(done.out)["lanes"]
    assert {lane["runs"][0]["error"]["kind"] for lane in lanes_found} == {"budget"}
    assert all(lane["runs"][0]["text"] for lane in lanes_found)


def test_a_round_that_would_likely_cross_a_limit_is_not_sent(program: Program, demo: DemoServer) -> None:
    path = Path(program.run("config", "path").out.strip())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('[prices."demo-fast"]\ninput = 1000\noutput = 1000\n[budget]\nper_conversation = 1.5\n')
    lanes = ("--lane", FAST, "--lane", f"{FAST} seed=1")
    done = program.run("compare", "echo hi", *lanes, "--json")
    assert done.code == 4
    assert "per_conversation" in done.err
    assert {lane["runs"][0]["error"]["kind"] for lane in json.loads(done.out)["lanes"]} == {"budget"}
    assert demo.log == []
    path.write_text(path.read_text().replace("1.5", "2.5"))
    assert program.run("compare", "echo hi", *lanes, "--json").code == 0


def test_it_is_saved_like_a_chat(program: Program, demo: DemoServer) -> None:
    done = program.run("compare", "echo kept", "--lane", FAST, "--lane", SLOW, "--json")
    runs = [lane["runs"][0]["run"] for lane in json.loads(done.out)["lanes"]]
    assert all(runs)
    (listed,) = json.loads(program.run("history", "list", "--json").out)
    shown = json.loads(program.run("history", "show", listed["id"], "--json").out)
    assert [node["role"] for node in shown["nodes"]] == ["user", "assistant", "assistant"]
    assert {attempt["run"] for node in shown["nodes"] for attempt in node["attempts"]} == set(runs)
    assert len(shown["in_chat"]) == 2
    unsaved = program.run("compare", "echo gone", "--lane", FAST, "--lane", SLOW, "--json", "--no-save")
    assert [lane["runs"][0]["run"] for lane in json.loads(unsaved.out)["lanes"]] == [None, None]
    assert len(json.loads(program.run("history", "list", "--json").out)) == 1


def test_foreign_text_is_no_control_on_stderr(program: Program, demo: DemoServer) -> None:
    done = program.run("compare", "hi", "--lane", "'openai/evil\x1b]0;x\x07'", "--lane", "openai/demo-garbage")
    assert b"\x1b" not in done.stderr


def test_interrupted_what_there_is_is_printed(program: Program) -> None:
    process = program.start(
        "compare", "echo " + "word " * 900, "--demo", "--lane", "demo/demo-fast", "--lane", "demo/demo-slow", "--json"
    )
    time.sleep(3.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    lanes = json.loads(out)["lanes"]
    assert [lane["runs"][0]["state"] for lane in lanes] == ["cancelled", "cancelled"]
    assert "word" in lanes[0]["runs"][0]["text"]


@contextmanager
def paced_server(first_s: float, gap_s: float) -> Iterator[str]:
    """A real server on loopback that waits, and then sends a piece every `gap_s` seconds; its base URL."""

    async def answer(wire: Wire) -> None:
        while True:
            await wire.request()
            await asyncio.sleep(first_s)
            await wire.send(STREAM_HEAD)
            for n in range(12):
                await wire.send(chunk(said(f"word{n} ")))
                await asyncio.sleep(gap_s)
            await wire.send(chunk(stopped()), chunk(used(5, 24)), chunk(DONE), LAST_CHUNK)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = SocketServer(answer)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    try:
        yield server.base_url
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_a_slow_and_a_fast_server_are_told_apart_each_time(program: Program) -> None:
    with paced_server(0.30, 0.03) as slow, paced_server(0.05, 0.01) as fast:
        file = program.home / "config.toml"
        file.write_text(
            f'[endpoints.slow]\nbase_url = "{slow}"\n[endpoints.fast]\nbase_url = "{fast}"\n'
            "[prices.m]\ninput = 1\noutput = 2\n"
        )
        program.env["TUI_CHAT_CONFIG"] = str(file)
        lanes = ("--lane", "slow/m label=slow", "--lane", "fast/m label=fast", "--no-save", "--json")
        found = [json.loads(program.run("compare", "hi", *lanes).out) for _ in range(10)]
    assert [one["best"]["ttft"] for one in found] == ["fast"] * 10
    assert [one["best"]["speed"] for one in found] == ["fast"] * 10
    for one in found:
        figures = {lane["lane"]: lane["summary"] for lane in one["lanes"]}
        assert figures["fast"]["total_s"]["median"] < figures["slow"]["total_s"]["median"]
        assert figures["slow"]["ttft_s"]["median"] >= 0.29


def test_warmed_connections_are_used(program: Program) -> None:
    def answer(asked: Asked) -> Canned:
        if asked.method == "GET":
            return Canned(b'{"data": [{"id": "m"}]}')
        body: dict[str, Any] = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
        return Canned(json.dumps(body).encode())

    with canned_server(answer) as server:
        program.env |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-none"}
        lanes = ("--lane", "openai/m", "--lane", "openai/m seed=1", "--json")
        cold = json.loads(program.run("compare", "hi", *lanes).out)["lanes"]
        warm = json.loads(program.run("compare", "hi", *lanes, "--warm").out)["lanes"]
    assert [lane["runs"][0]["warm"] for lane in cold] == [False, False]
    assert [lane["runs"][0]["warm"] for lane in warm] == [True, True]
