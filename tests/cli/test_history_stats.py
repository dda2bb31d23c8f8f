"""`tui-chat history stats`."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.kit.keeping import library_of
from tests.kit.program import COMMAND, Program
from tests.kit.spending import NOON, spending, tried
from tests.kit.terminal import Terminal
from tui_chat.demo.server import DemoServer

DAY = 86400.0
HOSTILE = "\x1b[2Jmodel"


@pytest.fixture
def spent(program: Program) -> Program:
    with library_of(program) as library:
        library.add(
            spending(
                "aaaa",
                [tried(NOON, "dear", "0.5", input=1000, output=200, ttft_s=0.25, tok_per_s=40.0, cached=5)],
                [tried(NOON + 40 * DAY, "cheap", "0.125", endpoint="other", input=10, output=20)],
                [tried(NOON, "local", input=10, output=20, exact=False)],
            )
        )
    return program


def object_of(program: Program, *args: str) -> dict[str, Any]:
    done = program.run("history", "stats", *args, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out, parse_float=Decimal)


def test_the_object(spent: Program) -> None:
    told = object_of(spent)
    assert list(told) == ["by", "since", "until", "first", "last", "total", "rows"]
    assert told["rows"][0] == {
        "model": "dear",
        "replies": 1,
        "requests": 1,
        "failed": 0,
        "usage": {"input": 1000, "cached": 5, "cache_write": None, "reasoning": None, "output": 200, "exact": True},
        "cost": {"usd": Decimal("0.5"), "source": "computed", "unpriced": 0},
        "ttft_s": Decimal("0.25"),
        "tok_per_s": 40,
    }
    assert [row["model"] for row in told["rows"]] == ["dear", "cheap", "local"]
    assert told["rows"][2]["cost"] == {"usd": None, "source": "unknown", "unpriced": 1}
    assert told["total"]["cost"] == {"usd": Decimal("0.625"), "source": "computed", "unpriced": 1}


def test_by_endpoint_and_day_within_a_time(spent: Program) -> None:
    rows = object_of(spent, "--by", "endpoint")["rows"]
    assert [(row["endpoint"], row["replies"]) for row in rows] == [("work", 2), ("other", 1)]
    assert len(object_of(spent, "--by", "day")["rows"]) == 2
    assert object_of(spent, "--since", "2026-10-20")["total"]["replies"] == 1
    assert object_of(spent, "--until", "2026-09")["total"]["replies"] == 2
    assert object_of(spent, "-m", "dear")["total"]["replies"] == 1
    assert object_of(spent, "-e", "other")["total"]["replies"] == 1
    none = object_of(spent, "--until", "2020")
    assert (none["rows"], none["first"], none["until"]) == ([], None, "2021-01-01")


def test_csv(spent: Program) -> None:
    rows = list(csv.DictReader(io.StringIO(spent.run("history", "stats", "--format", "csv").out)))
    assert [row["model"] for row in rows] == ["dear", "cheap", "local"]
    assert [row["usd"] for row in rows] == ["0.5", "0.125", ""]
    assert (rows[0]["exact"], rows[2]["exact"], rows[2]["cost_source"]) == ("true", "false", "unknown")


def test_the_table_in_a_pipe_has_no_bars(spent: Program) -> None:
    done = spent.run("history", "stats")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[1].split() == ["dear", "$0.5000", "1", "1.00k", "200", "40.0", "250", "ms"]
    assert lines[3].split() == ["local", "price?", "1", "~10", "~20", "–", "–"]
    assert lines[4].split()[:3] == ["all", "$0.6250+?", "3"]
    assert "█" not in done.out
    assert lines[-1].startswith("+?: requests without a known price, which are not in the sum: 1.")


def test_bars_on_a_terminal_that_fit_it(spent: Program) -> None:
    with Terminal([*COMMAND, "history", "stats"], spent.env, (66, 20), spent.home) as terminal:
        terminal.wait("+?: requests without a known price, which are not in the sum: 1.")
        (dear,) = [line for line in terminal.lines if line.startswith("dear")]
    assert "██" in dear
    assert dear.rstrip().endswith("250 ms")


def test_amounts_in_both_currencies(spent: Program) -> None:
    spent.configure('[currency]\ncode = "VND"\nper_usd = 26000\n')
    assert "$0.5000 (13,000.00 VND)" in spent.run("history", "stats").out


def test_hostile_names_stay_text(program: Program) -> None:
    with library_of(program) as library:
        library.add(spending("aaaa", [tried(NOON, HOSTILE, output=1), tried(NOON, "=1+1", output=1, run="x")]))
    assert "\x1b" not in program.run("history", "stats").out
    rows = list(csv.DictReader(io.StringIO(program.run("history", "stats", "--format", "csv").out)))
    assert {row["model"] for row in rows} == {HOSTILE, "'=1+1"}


def test_nothing_yet(program: Program) -> None:
    assert program.run("history", "stats").out == "No request has been made.\n"
    assert program.run("history", "stats", "--since", "2026").out == "No such request has been made in that time.\n"
    assert object_of(program)["total"]["usage"]["input"] is None
    assert not program.data.exists() or not (program.data / "tui-chat.db").exists()


@pytest.mark.parametrize("args", [("--since", "soon"), ("--until", "2026-13"), ("--by", "hour"), ("--format", "xml")])
def test_what_makes_no_sense(program: Program, args: tuple[str, str]) -> None:
    done = program.run("history", "stats", *args)
    assert (done.code, done.out) == (2, "")


def test_a_reply_s_figures_are_those_of_the_sum(program: Program, demo: DemoServer) -> None:
    answer = json.loads(program.run("ask", "-m", "demo-reasoning", "hi", "--json").out, parse_float=Decimal)
    (row,) = object_of(program)["rows"]
    assert row["model"] == "demo-reasoning"
    assert row["usage"]["output"] == answer["usage"]["output"]
    assert row["cost"]["usd"] == answer["cost"]["usd"]
    assert (row["ttft_s"], row["tok_per_s"]) == (answer["timing"]["ttft_s"], answer["timing"]["tok_per_s"])
