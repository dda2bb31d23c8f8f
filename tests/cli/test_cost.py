"""`tui-chat cost` and `cost import`."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.kit.keeping import library_of
from tests.kit.program import Program
from tests.kit.spending import spending, tried

FOUR = ["claude-sonnet-4-5", "gpt-4.1", "gemini-2.5-flash", "deepseek-v3.2"]
MONTH = ("--tokens", "10M")


def object_of(program: Program, *args: str) -> dict[str, Any]:
    done = program.run("cost", *args, "--json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out, parse_float=Decimal, parse_int=Decimal)


def test_the_article_s_month(program: Program) -> None:
    told = object_of(program, *MONTH)
    assert told["tokens"] == {"input": 0, "output": 10_000_000}
    assert (told["currency"], told["per_usd"]) == ("USD", 1)
    assert [(row["model"], row["usd"]) for row in told["rows"]] == list(
        zip(FOUR, [150, 80, 25, Decimal("4.2")], strict=True)
    )
    for row in told["rows"]:
        assert list(row)[:7] == ["model", "provider", "usd", "ratio", "saving_pct", "checked", "source"]
        assert row["checked"]
        assert row["source"].startswith("https://")
    assert told["rows"][-1]["saving_pct"] == Decimal("97.2")
    assert told["cheapest"]["model"] == "deepseek-v3.2"
    assert told["cheapest"]["saves_pct"] == {
        "claude-sonnet-4-5": Decimal("97.2"),
        "gpt-4.1": Decimal("94.75"),
        "gemini-2.5-flash": Decimal("83.2"),
    }


def test_the_table(program: Program) -> None:
    done = program.run("cost", *MONTH)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "0 tokens in, 10,000,000 tokens out"
    assert [line.split()[0] for line in lines[2:6]] == FOUR
    for amount in ("$150.00", "$80.00", "$25.00", "$4.20"):
        assert amount in done.out
    ends = {line.index("$") + len(line[line.index("$") :].split()[0]) for line in lines[2:6]}
    assert len(ends) == 1
    assert "deepseek-v3.2 costs 94.75 % less than gpt-4.1" in lines


def test_csv(program: Program) -> None:
    done = program.run("cost", *MONTH, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["model"] for row in rows] == FOUR
    assert [Decimal(row["usd"]) for row in rows] == [150, 80, 25, Decimal("4.2")]
    assert "\r" not in done.out


@pytest.mark.parametrize(("text", "count"), [("10M", 10**7), ("2.5m", 2_500_000), ("500k", 500_000), ("1,234", 1234)])
def test_numbers_of_tokens(program: Program, text: str, count: int) -> None:
    assert object_of(program, "--tokens", text)["tokens"]["output"] == count


@pytest.mark.parametrize("text", ["", "ten", "-5", "1.5", "1e6", "0x10", "9999999999999999999G", "1M1"])
def test_what_is_no_number_of_tokens(program: Program, text: str) -> None:
    done = program.run("cost", "--tokens", text)
    assert (done.code, done.out) == (2, "")
    assert "--tokens takes a number of tokens" in done.err


def test_models_of_one_s_choice(program: Program) -> None:
    told = object_of(program, "-m", "gpt-4.1", "--model", "unheard-of", "-m", "ollama/llama3", "--input-tokens", "1M")
    assert [(row["model"], row["usd"]) for row in told["rows"]] == [
        ("gpt-4.1", 82),
        ("ollama/llama3", 0),
        ("unheard-of", None),
    ]
    assert told["rows"][1]["note"] == "runs on this computer: nothing is billed"
    assert told["rows"][2]["ratio"] is None
    assert "price?" in program.run("cost", "-m", "unheard-of").out


def test_a_model_named_before_the_command(program: Program) -> None:
    done = program.run("-m", "gpt-5", "cost", "--json")
    assert [row["model"] for row in json.loads(done.out)["rows"]] == ["gpt-5"]


def test_many_tokens_are_many_requests(program: Program) -> None:
    told = object_of(program, "-m", "gpt-5.4", "--tokens", "0", "--input-tokens", "10M")
    assert told["rows"][0]["usd"] == 25


def test_against_a_model(program: Program) -> None:
    rows = object_of(program, *MONTH, "--against", "gpt-4.1")["rows"]
    assert [row["saving_pct"] for row in rows] == [Decimal("-87.5"), 0, Decimal("68.75"), Decimal("94.75")]


def test_a_price_that_changes_with_the_hour_has_two_rows(program: Program) -> None:
    rows = object_of(program, *MONTH, "-m", "deepseek-flash")["rows"]
    assert [(row["usd"], row["when"]) for row in rows] == [
        (12, "01:00-04:00 UTC Mon-Fri, 06:00-10:00 UTC Mon-Fri"),
        (6, "otherwise"),
    ]


def test_the_models_in_use_are_compared_too(program: Program) -> None:
    program.configure(
        'endpoint = "work"\nmodel = "gpt-5"\n[endpoints.work]\nbase_url = "http://127.0.0.1:9/v1"\n'
        '[profiles.p]\nmodel = "o3"\n[prices.own]\ninput = 0.1\noutput = 0.2\n'
    )
    rows = object_of(program, *MONTH)["rows"]
    assert {row["model"] for row in rows} == {*FOUR, "gpt-5", "o3", "own"}
    assert next(row for row in rows if row["model"] == "own")["source"] == "config.toml"


def test_the_whole_catalog(program: Program) -> None:
    rows = object_of(program, "--all")["rows"]
    assert len(rows) > 60
    assert len({row["provider"] for row in rows}) >= 10
    assert not any(row["model"].startswith("demo/") or row["model"].endswith("*") for row in rows)


def test_amounts_in_both_currencies(program: Program) -> None:
    program.configure('[currency]\ncode = "VND"\nper_usd = 26350.5\n')
    told = object_of(program, *MONTH)
    assert (told["currency"], told["per_usd"]) == ("VND", Decimal("26350.5"))
    assert told["rows"][-1]["amount"] == Decimal("110672.1")
    assert "$4.20 (110,672.10 VND)" in program.run("cost", *MONTH).out
    rows = list(csv.DictReader(io.StringIO(program.run("cost", *MONTH, "--format", "csv").out)))
    assert Decimal(rows[-1]["vnd"]) == Decimal("110672.1")


def test_a_formula_stays_text_in_a_spreadsheet(program: Program) -> None:
    program.configure('[prices."=1+1"]\ninput = 1\noutput = 1\n')
    rows = list(csv.DictReader(io.StringIO(program.run("cost", "-m", "=1+1", "--format", "csv").out)))
    assert rows[0]["model"] == "'=1+1"


def test_an_unreadable_configuration_is_told(program: Program) -> None:
    program.configure("[")
    done = program.run("cost")
    assert (done.code, done.out) == (2, "")


def test_import_and_use(program: Program) -> None:
    file = program.home / "models.json"
    file.write_text(
        json.dumps(
            {
                "data": [
                    {"id": "x/m", "pricing": {"prompt": "0.000001", "completion": "0.000004"}},
                    {"id": "x/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
                ]
            }
        )
    )
    done = program.run("cost", "import", str(file))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith("Prices taken from OpenRouter into ")
    assert done.out.splitlines()[0].endswith(": 1.")
    assert done.out.splitlines()[1] == "1 left out: no price per token"
    assert object_of(program, *MONTH, "-m", "openrouter/x/m")["rows"][0]["usd"] == 40
    again = json.loads(program.run("cost", "import", str(file), "--json").out)
    assert (again["list"], again["taken"], again["skipped"]) == ("OpenRouter", 1, {"no price per token": 1})


def test_import_of_something_else(program: Program) -> None:
    file = program.home / "odd.json"
    file.write_text("[1]")
    done = program.run("cost", "import", str(file))
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert not (program.home / ".local/share/tui-chat/prices.json").exists()


SATURDAY, MONDAY = 1_795_228_200.0, 1_795_228_200.0 + 2 * 86_400
"""At 02:30 UTC: the price of the second falls into a window of Monday to Friday."""


@pytest.fixture
def spent(program: Program) -> Program:
    program.configure(
        "[prices.mine]\ninput = 1\noutput = 2\n"
        "[prices.hourly]\ninput = 1\noutput = 1\n"
        '[[prices.hourly.windows]]\ninput = 5\noutput = 5\nutc = ["01:00-04:00"]\ndays = ["mon"]\n'
    )
    with library_of(program) as library:
        million = {"input": 0, "output": 1_000_000}
        library.add(
            spending("aaaa", [tried(SATURDAY, "mine", "2", **million)], [tried(MONDAY, "mine", "2", **million)])
        )
        library.add(spending("bbbb", [tried(MONDAY + 60, "other", input=5, output=1_000_000)]))
    return program


def test_the_requests_of_a_conversation_at_their_times(spent: Program) -> None:
    told = object_of(spent, "--conversation", "aaaa")
    assert (told["requests"], told["tokens"]) == (2, {"input": 0, "output": 2_000_000})
    assert told["paid"] == {"usd": 4, "source": "computed", "unpriced": 0, "month_usd": None}
    usd = {row["model"]: (row["usd"], row["ratio"]) for row in told["rows"]}
    assert (usd["hourly"], usd["mine"], usd["work/mine"]) == ((6, Decimal("1.5")), (4, 1), (4, 1))
    assert usd["deepseek-v3.2"] == (Decimal("0.84"), Decimal("0.21"))
    assert (told["against"], told["days"]) == ("paid", None)


def test_the_history_with_a_month_of_it(spent: Program) -> None:
    told = object_of(spent, "--history", "-m", "mine", "-m", "hourly")
    assert (told["requests"], told["paid"]["usd"], told["paid"]["unpriced"]) == (3, 4, 1)
    assert [(row["model"], row["usd"]) for row in told["rows"]] == [
        ("hourly", Decimal("11.000025")),
        ("mine", Decimal("6.000005")),
    ]
    assert told["against"] == "hourly"
    month = told["rows"][1]["usd"] * 30 / told["days"]
    assert abs(told["rows"][1]["month_usd"] / month - 1) < Decimal("0.001")
    assert object_of(spent, "--history", "--since", "2026-11-22")["requests"] == 2
    assert object_of(spent, "--history", "--until", "2026-11-21", "--against", "mine")["requests"] == 1


def test_the_history_as_table_and_csv(spent: Program) -> None:
    done = spent.run("cost", "--history", "-m", "mine")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "Requests: 3 · tokens in: 5 · tokens out: 3,000,000"
    assert lines[2].split()[:3] == ["mine", "–", "$6.00"]
    assert "As it was: $4.00" in lines
    rows = list(csv.DictReader(io.StringIO(spent.run("cost", "--history", "-m", "mine", "--format", "csv").out)))
    assert [(row["model"], row["usd"]) for row in rows] == [("mine", "6.000005")]
    assert Decimal(rows[0]["month_usd"]) > 0


@pytest.mark.parametrize(
    "args", [("--history", "--tokens", "5"), ("--conversation", "zzzz"), ("--history", "--since", "soon")]
)
def test_measured_traffic_that_cannot_be(spent: Program, args: tuple[str, ...]) -> None:
    done = spent.run("cost", *args)
    assert (done.code, done.out) == (2, "")


def test_no_traffic_yet(program: Program) -> None:
    assert program.run("cost", "--history").out == "No such request has been made in that time.\n"
    told = object_of(program, "--history")
    assert (told["requests"], told["paid"]["usd"], told["days"]) == (0, None, None)


def test_a_name_without_a_price_is_told_with_the_way_to_give_one(program: Program) -> None:
    for arguments in (("-m", "nope"), ("--against", "nope"), ("--history", "-m", "nope")):
        done = program.run("cost", *arguments)
        assert (done.code, done.err) == (
            0,
            'tui-chat: No price is known for nope; add [prices."nope"] to config.toml.\n',
        )
    near = program.run("cost", "-m", "gpt-4.11").err
    assert near.startswith("tui-chat: No price is known for gpt-4.11; did you mean gpt-4.1? ")
    assert program.run("cost", "-m", "nope", "--json").err == ""


def test_with_the_demo_its_models_need_no_endpoint(program: Program) -> None:
    assert program.run("--demo", "cost", "-m", "demo-fast").out == program.run("cost", "-m", "demo/demo-fast").out
    assert "nope" in program.run("--demo", "cost", "-m", "nope").err
