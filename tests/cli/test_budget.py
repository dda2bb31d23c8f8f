"""Budgets on the command line: exit code 4, one line, and a JSON object in every case."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.cli.test_ask import ask_object
from tests.cli.test_exits import one_line
from tests.kit.program import Program
from tui_chat.demo.server import DemoServer

PRICE = '[prices."demo-fast"]\ninput = 1_000\noutput = 1_000\n'
"""A dollar for a thousand tokens."""


def limited(program: Program, limit: str) -> None:
    program.configure(f"{PRICE}[budget]\n{limit}\n")


@pytest.mark.parametrize("limit", ["per_reply", "per_conversation", "per_day"])
def test_what_would_likely_go_over_is_not_sent(program: Program, demo: DemoServer, limit: str) -> None:
    limited(program, f"{limit} = 0.9")
    done = program.run("ask", "-m", "demo-fast", "hi")
    assert (done.code, done.out) == (4, "")
    one_line(done, "Not sent", "$0.9000", limit, "likely ~$1.00", "about 1,000 out")
    assert demo.log == []
    listed = program.run("history", "list", "--json")
    assert json.loads(listed.out) == [], "nothing was said"


def test_what_is_not_sent_has_its_object(program: Program, demo: DemoServer) -> None:
    limited(program, "per_reply = 0.9")
    done = program.run("ask", "-m", "demo-fast", "hi", "--json")
    value = ask_object(done)
    assert done.code == 4
    assert (value["state"], value["error"]["kind"], value["attempts"], value["text"]) == ("failed", "budget", 0, "")
    assert (value["endpoint"], value["model"]) == ("openai", "demo-fast")
    assert "$0.9000" in value["error"]["message"]


def test_a_limit_of_tokens_makes_the_estimate(program: Program, demo: DemoServer) -> None:
    limited(program, "per_reply = 0.9")
    done = program.run("ask", "-m", "demo-fast", "echo one", "--max-tokens", "100")
    assert (done.code, done.out) == (0, "one\n")


def test_a_reply_that_goes_over_in_the_middle_is_stopped(program: Program, demo: DemoServer) -> None:
    limited(program, "per_reply = 0.05")
    short = program.run("ask", "-m", "demo-fast", "echo one", "--max-tokens", "20")
    assert short.code == 0, "from now on answers are taken to be short"
    done = program.run("ask", "-m", "demo-fast", "count 2000", "--json")
    value = ask_object(done)
    assert done.code == 4
    assert (value["state"], value["error"]["kind"]) == ("failed", "budget")
    assert value["text"].startswith("1 2 3")
    assert value["cost"]["usd"] > 0.05
    one_line(done, "Stopped at the budget", "$0.0500", "per_reply")


def test_an_input_that_is_dearer_than_the_cap_is_not_sent(program: Program, demo: DemoServer) -> None:
    program.configure(PRICE)
    done = program.run("ask", "-m", "demo-fast", "word " * 400, "--max-cost", "0.1")
    assert (done.code, done.out) == (4, "")
    one_line(done, "Not sent", "--max-cost", "$0.1000")
    assert demo.log == []


def test_the_cap_does_not_go_by_what_an_answer_may_cost(program: Program, demo: DemoServer) -> None:
    program.configure(PRICE)
    done = program.run("ask", "-m", "demo-fast", "echo one", "--max-cost", "0.5")
    assert (done.code, done.out) == (0, "one\n")


def test_the_day_adds_up_over_programs_at_the_same_time(program: Program, demo: DemoServer) -> None:
    limited(program, "per_day = 5")
    with ThreadPoolExecutor(2) as pool:
        asks = [("ask", "-m", "demo-fast", f"count {n}", "--json", "--max-tokens", "100") for n in (40, 45)]
        costs = [
            json.loads(done.out, parse_float=Decimal)["cost"]["usd"]
            for done in pool.map(lambda a: program.run(*a), asks)
        ]
    spent = sum(costs, Decimal(0))
    assert 0 < spent < 1
    limited(program, f"per_day = {spent + Decimal('0.05')}")
    done = program.run("ask", "-m", "demo-fast", "hi", "--max-tokens", "100")
    assert done.code == 4
    one_line(done, "per_day")
    limited(program, f"per_day = {spent + Decimal('0.2')}")
    assert program.run("ask", "-m", "demo-fast", "hi", "--max-tokens", "100").code == 0


def test_the_day_is_seen_and_not_written_without_saving(program: Program, demo: DemoServer) -> None:
    limited(program, "per_day = 0.3")
    unsaved = ("ask", "-m", "demo-fast", "echo one", "--max-tokens", "200", "--no-save")
    assert program.run(*unsaved).code == 0
    assert not program.data.exists() or not list(program.data.glob("*.db"))
    assert program.run("ask", "-m", "demo-fast", "count 120", "--max-tokens", "200").code == 0
    done = program.run(*unsaved)
    assert done.code == 4
    one_line(done, "per_day")


def test_a_conversation_that_goes_on_has_spent_what_it_had(program: Program, demo: DemoServer) -> None:
    limited(program, "per_conversation = 0.3")
    asked = ("ask", "-m", "demo-fast", "--max-tokens", "200")
    assert program.run(*asked, "count 60").code == 0
    done = program.run(*asked, "-c", "", "echo two")
    assert done.code == 4
    one_line(done, "per_conversation")
    assert program.run(*asked, "echo two").code == 0, "another conversation has its own"


def test_a_model_without_a_price_is_not_watched(program: Program, demo: DemoServer) -> None:
    program.configure("[budget]\nper_day = 0\n")
    done = program.run("ask", "-e", "openai", "-m", "demo-fast", "echo one")
    assert (done.code, done.out) == (0, "one\n")


@pytest.mark.parametrize(
    ("limit", "parts"),
    [
        ("per_day = -1", ("budget.per_day", "from 0 to 1000000 USD")),
        ('per_day = "5"', ("budget.per_day", "amount")),
        ("per_day = nan", ("budget.per_day",)),
        ("per_week = 5", ("per_week", "unknown")),
    ],
)
def test_a_limit_that_makes_no_sense_is_told_in_one_line(
    program: Program, demo: DemoServer, limit: str, parts: tuple[str, ...]
) -> None:
    limited(program, limit)
    done = program.run("ask", "-m", "demo-fast", "echo one")
    assert (done.code, done.out) == (0, "one\n")
    one_line(done, "config.toml", *parts)
