"""`tui-chat batch` as a process: files in, files out, exit codes, and what is told."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import point_to
from tests.cli.test_ask import ask_object
from tests.kit.program import COMMAND, Done, Program
from tests.kit.serving import Asked, Canned, CannedServer, canned_server
from tui_chat.demo.server import DemoServer

PRICED = '[prices."m"]\ninput = 1\noutput = 1\n'


def answer_body(text: str = "fine", input: int = 3, output: int = 1) -> bytes:
    chunk = {
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": input, "completion_tokens": output},
    }
    return f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()


def prompt_of(asked: Asked) -> str:
    return json.loads(asked.body)["messages"][-1]["content"]


class Answering:
    """A server that says `fine`, and what was asked of it; `special` answers some prompts otherwise."""

    def __init__(self) -> None:
        self.special: dict[str, Callable[[], Canned]] = {}
        self.wait = 0.0
        self.output = 1
        self.busy = self.busiest = 0
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Canned:
        with self._lock:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        time.sleep(self.wait)
        with self._lock:
            self.busy -= 1
        special = self.special.get(prompt_of(asked))
        if special is not None:
            return special()
        return Canned(answer_body(output=self.output), content_type="text/event-stream")


class Bench:
    """A program, a server, and the files of a batch."""

    def __init__(self, program: Program, server: CannedServer, answering: Answering) -> None:
        self.program = program
        self.server = server
        self.answering = answering
        self.source = program.home / "in.jsonl"
        self.output = program.home / "out.jsonl"

    def write(self, *items: dict[str, Any]) -> None:
        self.source.write_text("".join(json.dumps(item) + "\n" for item in items))

    def prompts(self, count: int) -> None:
        self.write(*({"id": f"i{n}", "prompt": f"p{n}"} for n in range(count)))

    @property
    def command(self) -> tuple[str, ...]:
        return ("-m", "m", "batch", str(self.source), "-o", str(self.output))

    def run(self, *more: str, **variables: Any) -> Done:
        return self.program.run(*self.command, *more, **variables)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    @property
    def asked(self) -> list[str]:
        """The prompts that were sent since the last look."""
        sent = [prompt_of(asked) for asked in self.server.asked]
        self.server.asked.clear()
        return sorted(sent)


@pytest.fixture
def bench(program: Program) -> Iterator[Bench]:
    answering = Answering()
    with canned_server(answering) as server:
        point_to(program, server.base_url)
        program.configure(PRICED)
        yield Bench(program, server, answering)


def test_a_line_an_item_and_totals(bench: Bench) -> None:
    bench.prompts(7)
    done = bench.run("--concurrency", "3")
    assert done.code == 0, done.err
    assert {line["id"]: line["text"] for line in bench.lines} == {f"i{n}": "fine" for n in range(7)}
    first = bench.lines[0]
    keys = ask_object(
        Done(0, json.dumps({k: v for k, v in first.items() if k not in ("id", "hash")}).encode() + b"\n", b"")
    )
    assert keys["cost"]["usd"] == 0.000004
    assert bench.answering.busiest <= 3
    assert "requests  7 · 7 " in done.out
    assert "21 in · 7 out" in done.out
    assert "$0.000028" in done.out
    assert "p50" in done.out
    assert "mean" in done.out


def test_totals_as_json(bench: Bench) -> None:
    bench.prompts(4)
    bench.answering.special["p1"] = lambda: Canned(b'{"error": {"message": "no"}}', 400)
    done = bench.run("--json")
    value = json.loads(done.out)
    assert done.code == 1
    assert (value["items"], value["completed"], value["failed"]) == (4, 3, 1)
    assert value["failures"] == {"bad_request": 1}
    assert value["usage"] == {"input": 9, "output": 3, "exact": True}
    assert value["cost"]["usd"] == pytest.approx(0.000012)
    assert value["ttft_s"]["p50"] > 0
    assert value["ending"] == "done"


def test_settings_of_a_line_go_before_those_of_the_command(bench: Bench) -> None:
    bench.write(
        {"id": "a", "prompt": "a", "temperature": 0.25, "model": "other", "max_tokens": 5, "stop": "x"},
        {"id": "b", "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "b"}]},
    )
    bench.run("-t", "0.75", "-s", "command")
    sent = {prompt_of(asked): json.loads(asked.body) for asked in bench.server.asked}
    assert (sent["a"]["model"], sent["a"]["temperature"], sent["a"]["stop"]) == ("other", 0.25, ["x"])
    assert sent["a"]["messages"][0]["content"] == "command"
    assert (sent["b"]["model"], sent["b"]["temperature"]) == ("m", 0.75)
    assert sent["b"]["messages"][0] == {"role": "system", "content": "S"}


def test_only_what_has_no_line_is_run_again(bench: Bench) -> None:
    bench.prompts(5)
    bench.answering.special["p3"] = lambda: Canned(b'{"error": {"message": "no"}}', 400)
    assert bench.run().code == 1
    assert bench.asked == ["p0", "p1", "p2", "p3", "p4"]
    again = bench.run()
    assert bench.asked == []
    assert again.code == 1
    assert "--retry-failed" in again.err
    assert "1 failed before" in again.out
    estimate = bench.run("--estimate")
    assert "1 failed before" in estimate.out
    assert "--retry-failed" in estimate.err
    del bench.answering.special["p3"]
    bench.prompts(6)
    assert bench.run("--retry-failed").code == 0
    assert bench.asked == ["p3", "p5"]
    assert sorted(line["id"] for line in bench.lines) == [f"i{n}" for n in range(6)]
    assert all(line["state"] == "completed" for line in bench.lines)


def test_an_input_that_has_changed_is_run_again(bench: Bench) -> None:
    bench.prompts(3)
    bench.run()
    before = {line["id"]: line["hash"] for line in bench.lines}
    bench.write({"id": "i0", "prompt": "p0"}, {"id": "i1", "prompt": "new"}, {"id": "i2", "prompt": "p2", "seed": 1})
    assert bench.asked == ["p0", "p1", "p2"]
    done = bench.run()
    assert bench.asked == ["new", "p2"]
    assert "2 again" in done.out
    after = {line["id"]: line["hash"] for line in bench.lines}
    assert len(bench.lines) == 3
    assert {id for id in after if after[id] != before[id]} == {"i1", "i2"}


def test_items_without_an_id_are_called_by_their_content(bench: Bench) -> None:
    bench.write({"prompt": "a"}, {"prompt": "same"}, {"prompt": "same"}, {"prompt": "same"})
    bench.run()
    ids = sorted(line["id"] for line in bench.lines)
    assert bench.asked == ["a", "same", "same", "same"]
    assert len(set(ids)) == 4
    bench.write({"prompt": "new"}, {"prompt": "same"}, {"prompt": "a"}, {"prompt": "same"}, {"prompt": "same"})
    bench.run()
    assert bench.asked == ["new"]


def test_wrong_lines_are_told_with_their_place_and_the_rest_runs(bench: Bench) -> None:
    bench.source.write_text(
        '{"id": "a", "prompt": "a"}\n'
        "{broken\n"
        '{"id": "a", "prompt": "again"}\n'
        '{"id": "b", "prompt": "b", "temperature": "hot"}\n'
        '{"id": "c", "prompt": "c", "temprature": 1}\n'
        "\n"
        '["list"]\n'
        '{"id": "d"}\n'
        '{"id": "e", "prompt": " "}\n'
        '{"id": "f", "prompt": "f", "endpoint": "nowhere"}\n'
        '{"id": "z", "prompt": "z"}\n'
    )
    done = bench.run()
    assert done.code == 1
    assert bench.asked == ["a", "z"]
    told = done.err.splitlines()
    assert [line.partition("in.jsonl:")[2].partition(":")[0] for line in told] == [*"2345789", "10"]
    for line, part in zip(
        told, ["JSON", "“a”", "temperature", "did you mean", "", "prompt", "empty", "nowhere"], strict=True
    ):
        assert part in line
    assert "wrong lines: 8" in done.out


def test_many_lines_with_one_fault_are_summed_up(bench: Bench) -> None:
    bench.source.write_text("".join(f"{n}\n" for n in range(30)))
    for arguments in ((), ("--estimate",), ("--strict",)):
        done = bench.run(*arguments)
        *told, more, hint = done.err.splitlines()[:5]
        assert [line.partition("in.jsonl:")[2][:2] for line in told] == ["1:", "2:", "3:"]
        assert more == "tui-chat: More wrong lines: 27."
        assert hint.startswith(f"tui-chat: No line of {bench.source} is a JSON object. ")
        assert "--format text" in hint


def test_a_field_that_no_line_has_is_told_once(bench: Bench) -> None:
    bench.source.write_text('{"a": "1"}\n' * 9)
    told, more = bench.run("--template", "{nope}").err.splitlines()
    assert "in.jsonl:1: the template's field “nope” is not there; fields: a." in told
    assert more == "tui-chat: More wrong lines: 8."


def test_an_input_that_is_no_text_or_empty_is_told(bench: Bench) -> None:
    bench.source.write_bytes(b"\x00\xff\x89\n" * 9)
    assert "in.jsonl seems to be no text file" in bench.run().err.splitlines()[-1]
    bench.output.unlink()
    bench.source.write_bytes(b"")
    done = bench.run()
    assert (done.code, done.err) == (0, f"tui-chat: {bench.source} holds nothing to ask.\n")


def test_strict_sends_nothing(bench: Bench) -> None:
    bench.source.write_text('{"id": "a", "prompt": "a"}\n{broken\n')
    done = bench.run("--strict")
    assert (done.code, done.out, bench.asked) == (2, "", [])
    assert not bench.output.exists()
    assert ":2: " in done.err
    piped = bench.program.run(
        "-m", "m", "batch", "-", "-o", str(bench.output), "--strict", stdin=b'{"prompt": "a"}\n{broken\n'
    )
    assert (piped.code, bench.asked) == (2, [])
    fine = bench.program.run("-m", "m", "batch", "-", "-o", str(bench.output), "--strict", stdin=b'{"prompt": "a"}\n')
    assert (fine.code, bench.asked) == (0, ["a"])


def test_stdin_csv_text_and_templates(bench: Bench) -> None:
    output = ("-o", str(bench.output))
    assert bench.program.run("-m", "m", "batch", "-", *output, stdin=b'{"id": 5, "prompt": "piped"}').code == 0
    assert bench.lines[0]["id"] == 5
    csv = bench.program.home / "in.csv"
    csv.write_text('id,name,temperature\nx,"Ada, with\nlines",0.5\ny,Bob,\nz,Eve\n')
    done = bench.program.run("-m", "m", "batch", str(csv), *output, "--template", "Greet {name}!")
    assert done.code == 1
    assert "in.csv:5: 2 cells for 3 columns" in done.err
    text = bench.program.home / "in.txt"
    text.write_text("first\n\nsecond\n")
    assert bench.program.run("-m", "m", "batch", str(text), *output).code == 0
    rows = bench.program.home / "rows.jsonl"
    rows.write_text('{"id": "r", "word": "cat", "n": 3, "seed": 4}\n{"id": "q", "n": 1}\n')
    done = bench.program.run("-m", "m", "batch", str(rows), *output, "--template", "{{{word}}} {n}")
    assert "rows.jsonl:2: the template's field “word” is not there" in done.err
    assert json.loads(bench.server.asked[-1].body)["seed"] == 4
    assert bench.asked == ["Greet Ada, with\nlines!", "Greet Bob!", "first", "piped", "second", "{cat} 3"]
    for wrong in ("{", "{}"):
        done = bench.program.run("batch", str(rows), *output, "--template", wrong)
        assert (done.code, done.out) == (2, "")
        assert "write {name} for a field of the line, {{ and }} for braces." in done.err


def test_a_slow_pipe_is_read_as_it_comes(bench: Bench) -> None:
    command = [*COMMAND, "-m", "m", "batch", "-", "-o", str(bench.output)]
    with subprocess.Popen(
        command, env=bench.program.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b'{"id": "a", "prompt": "a"}\n')
        process.stdin.flush()
        until(lambda: bench.output.exists() and len(bench.lines) == 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "directory"),
        (lambda path: path.parent.chmod(0o500), "denied"),
        (lambda path: path.write_text('{"some": "file"}\nof another kind\n'), ":1 is no line of a batch"),
        (lambda path: path.symlink_to("/dev/full"), "no regular file"),
        (lambda path: path.parent.rmdir(), "there is no folder"),
    ],
    ids=["folder", "denied", "foreign", "device", "missing"],
)
def test_an_output_that_cannot_be_used(bench: Bench, make: Callable[[Path], object], words: str) -> None:
    bench.prompts(2)
    folder = bench.program.home / "there"
    folder.mkdir()
    bench.output = folder / "out.jsonl"
    if words == "denied" and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    make(bench.output)
    done = bench.run()
    assert (done.code, done.out, bench.asked) == (2, "", [])
    (line,) = done.err.splitlines()
    assert words in line


def test_a_disk_that_fills_up_leaves_whole_lines(bench: Bench) -> None:
    bench.prompts(30)
    done = subprocess.run(
        [*COMMAND, *bench.command, "--no-save"],
        env=bench.program.env,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "out.jsonl takes no more: File too large" in line
    assert bench.output.read_bytes().endswith(b"\n")
    kept = [line["id"] for line in bench.lines]
    assert 1 <= len(kept) < 30
    first = bench.asked
    assert len(first) < 30
    assert bench.run().code == 0
    assert len(bench.asked) == 30 - len(kept)
    assert sorted(line["id"] for line in bench.lines) == sorted(f"i{n}" for n in range(30))


def test_a_torn_last_line_is_mended(bench: Bench) -> None:
    bench.prompts(3)
    bench.run()
    whole = bench.output.read_bytes()
    torn = whole[:-40]
    bench.output.write_bytes(torn)
    lost = json.loads(whole.splitlines()[-1])["id"]
    assert bench.asked == ["p0", "p1", "p2"]
    done = bench.run()
    assert bench.asked == [lost.replace("i", "p")]
    assert "torn" in done.err
    assert sorted(line["id"] for line in bench.lines) == ["i0", "i1", "i2"]
    bench.output.write_bytes(bench.output.read_bytes()[:-1])
    assert bench.run().code == 0
    assert bench.asked == []
    assert len(bench.lines) == 3


def test_two_runs_on_one_output(bench: Bench) -> None:
    bench.prompts(3)
    bench.answering.wait = 5.0
    with bench.program.start(*bench.command) as process:
        until(lambda: len(bench.server.asked) == 3)
        second = bench.run()
        assert process.wait(20) == 0
    assert second.code == 2
    assert "Another run" in second.err
    assert len(bench.asked) == 3


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_once_finishes_twice_stops(bench: Bench, times: int) -> None:
    bench.prompts(20)
    bench.answering.wait = 1.5
    with bench.program.start(*bench.command, "--concurrency", "4", "--json") as process:
        until(lambda: len(bench.server.asked) == 4)
        began = time.monotonic()
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        out, err = process.communicate(timeout=20)
    took = time.monotonic() - began
    assert process.returncode == 130
    assert b"Ctrl+C again" in err
    value = json.loads(out)
    assert (value["ending"], value["completed"], value["cancelled"]) == (
        ("stopped", 4, 0) if times == 1 else ("stopped", 0, 4)
    )
    assert len(bench.lines) == (4 if times == 1 else 0)
    assert took > 1 or times == 2
    assert len(bench.asked) == 4
    bench.answering.wait = 0
    assert bench.run().code == 0
    assert len(bench.asked) == 20 - len(range(4)) * (times == 1)
    assert len({line["id"] for line in bench.lines}) == len(bench.lines) == 20


def test_the_cap_holds_and_a_higher_one_goes_on(bench: Bench) -> None:
    bench.answering.output = 100
    bench.write(*({"id": f"i{n}", "prompt": f"p{n}", "max_tokens": 100} for n in range(20)))
    done = bench.run("--max-cost", "0.0006", "--concurrency", "3")
    assert done.code == 4
    spent = sum(line["cost"]["usd"] for line in bench.lines)
    assert 0.0004 < spent <= 0.0006
    first = len(bench.lines)
    assert len(bench.asked) == first == 5
    again = bench.run("--max-cost", "0.0006")
    assert (again.code, bench.asked) == (4, [])
    assert "might cross a limit" in again.err
    assert bench.run("--max-cost", "1").code == 0
    assert len(bench.asked) == 20 - first


def test_a_cap_needs_prices(bench: Bench) -> None:
    bench.prompts(2)
    done = bench.program.run("-m", "dear", "batch", str(bench.source), "-o", str(bench.output), "--max-cost", "1")
    assert (done.code, done.out, bench.asked) == (2, "", [])
    assert '[prices."dear"]' in done.err


def test_an_estimate_sends_nothing(bench: Bench) -> None:
    bench.write(*({"id": f"i{n}", "prompt": "four words are here", "max_tokens": 50} for n in range(10)))
    done = bench.program.run("-m", "m", "batch", str(bench.source), "--estimate", "--json")
    value = json.loads(done.out)
    assert (done.code, value["items"], value["usage"]["output"]) == (0, 10, 500)
    assert 0.0005 < value["cost"]["usd"] < 0.0006
    text = bench.program.run("-m", "m", "batch", str(bench.source), "--estimate").out
    assert "~500 out" in text
    assert bench.asked == []
    bench.run()
    left = json.loads(bench.run("--estimate", "--json").out)
    assert (left["items"], left["done_before"]) == (0, 10)


def test_a_busy_server_slows_the_whole_batch(bench: Bench) -> None:
    bench.prompts(12)
    refusals = iter(range(6))

    def busy() -> Canned:
        if next(refusals, None) is None:
            return Canned(answer_body(), content_type="text/event-stream")
        return Canned(b'{"error": {"message": "slow down"}}', 429, headers={"Retry-After": "1"})

    bench.answering.special = {f"p{n}": busy for n in range(12)}
    done = bench.run("--concurrency", "6", "--json")
    assert done.code == 0, done.err
    assert "3 at a time" in done.err
    assert len(done.err.splitlines()) <= 3
    assert json.loads(done.out)["completed"] == 12
    assert len(bench.lines) == 12


def test_a_missing_key_is_3(program: Program, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"prompt": "a"}\n')
    done = program.run("batch", "in.jsonl", "-o", "out.jsonl")
    assert (done.code, done.out) == (3, "")
    program.configure('[endpoints.work]\nbase_url = "https://gateway.invalid/v1"\napi_key_env = "WORK_KEY"\n')
    done = program.run("-e", "work", "-m", "m", "batch", "in.jsonl", "-o", "out.jsonl")
    assert done.code == 3
    assert json.loads((tmp_path / "out.jsonl").read_text())["error"]["kind"] == "auth"


@pytest.mark.parametrize(
    "arguments",
    [
        ["batch"],
        ["batch", "in.jsonl"],
        ["batch", "gone.jsonl", "-o", "out.jsonl"],
        ["batch", "in.jsonl", "-o", "out.jsonl", "--shard", "0/3"],
        ["batch", "in.jsonl", "-o", "out.jsonl", "--concurrency", "0"],
        ["batch", "in.jsonl", "-o", "out.jsonl", "--save", "--no-save"],
    ],
)
def test_mistakes_on_the_command_line(bench: Bench, arguments: list[str]) -> None:
    bench.prompts(1)
    done = bench.program.run("-m", "m", *arguments)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1


def test_saved_items_are_conversations_and_others_are_not(bench: Bench) -> None:
    bench.prompts(2)
    assert bench.run().code == 0
    assert json.loads(bench.program.run("history", "list", "--json").out) == []
    bench.output.unlink()
    assert bench.run("--save").code == 0
    listed = json.loads(bench.program.run("history", "list", "--json").out)
    assert sorted(row["title"] for row in listed) == ["p0", "p1"]
    assert {row["state"] for row in listed} == {"completed"}
    assert all(row["cost_usd"] == 0.000004 for row in listed)


def test_progress_without_a_terminal_is_lines(bench: Bench) -> None:
    bench.prompts(4)
    bench.answering.wait = 3.2
    done = bench.run("--concurrency", "2")
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert line.startswith("tui-chat: 2 of 4 items · 2 running")
    assert line.endswith("left")


@pytest.mark.parametrize("columns", [60, 140])
def test_progress_on_a_terminal_is_one_live_line(bench: Bench, columns: int) -> None:
    bench.prompts(6)
    bench.source.write_text(bench.source.read_text() + '{"id": "\\u001b]0;title\\u0007", "prompt": 1}\n')
    bench.answering.wait = 0.7
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *bench.command, "--concurrency", "2"],
        env=bench.program.env | {"TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    # At the end of the program the terminal is closed, which Linux tells as an error.
    with suppress(OSError):
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.communicate(timeout=20)[0].startswith(b"requests  6 ")
    text = shown.decode()
    assert "of 7 items" in text
    assert "2 running" in text
    assert ("━" in text) == (columns == 140)
    assert "in.jsonl:7" in text.replace("\r\n", "")
    assert "\x1b]" not in text


SHARDS = 3


@pytest.mark.parametrize("runner", ["xargs", "parallel"])
def test_shards_are_merged_by_cat(bench: Bench, runner: str) -> None:
    if shutil.which(runner) is None:
        pytest.skip(f"{runner} is not installed")
    bench.prompts(40)
    with bench.source.open("a") as file:
        file.write("{broken\n")
    each = f"{' '.join(COMMAND)} -m m batch in.jsonl -o out.{{}}.jsonl --shard {{}}/{SHARDS}"
    spread = {
        "xargs": f"seq {SHARDS} | xargs -P {SHARDS} -I{{}} sh -c '{each}'",
        "parallel": f"parallel -j {SHARDS} {each} ::: $(seq {SHARDS})",
    }[runner]
    done = subprocess.run(
        ["sh", "-c", f"{spread}; cat out.*.jsonl > out.jsonl"],
        env=bench.program.env,
        cwd=bench.program.home,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.stderr.count(b"in.jsonl:41: ") == 1
    assert sorted(line["id"] for line in bench.lines) == sorted(f"i{n}" for n in range(40))
    parts = [len((bench.program.home / f"out.{n}.jsonl").read_text().splitlines()) for n in range(1, SHARDS + 1)]
    assert all(parts)
    assert len(bench.asked) == 40
    bench.prompts(40)
    assert bench.run().code == 0
    assert bench.asked == []


def test_the_demo_answers_a_batch(program: Program, demo: DemoServer) -> None:
    (program.home / "in.jsonl").write_text('{"id": "a", "prompt": "echo hi"}\n')
    assert program.run("-m", "demo-fast", "batch", "in.jsonl", "-o", "out.jsonl").code == 0
    assert json.loads((program.home / "out.jsonl").read_text())["text"] == "hi"


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it has not become true"
        time.sleep(0.01)
