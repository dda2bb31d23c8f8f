"""Which endpoint, model and settings are chosen, by options before and after the command and by the files."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.kit.program import Program
from tui_chat.demo.server import DemoServer

Asks = Callable[..., tuple[str, str]]

CONFIG = """
endpoint = "one"
model = "demo-fast"

[endpoints.one]
base_url = "{url}"

[endpoints.two]
base_url = "{url}"
default_model = "demo-reasoning"

[profiles.other]
endpoint = "two"
model = "demo-slow"

[profiles.capped]
max_tokens = 2
"""


@pytest.fixture
def configured(program: Program, demo: DemoServer) -> Program:
    """Endpoints `one`, the default, and `two`; the environment's own beside them."""
    program.configure(CONFIG.replace("{url}", demo.base_url))
    return program


@pytest.fixture
def asked(configured: Program) -> Asks:
    """Run ask with these options; (endpoint, model) that were asked."""

    def ask(*args: str) -> tuple[str, str]:
        done = configured.run(*args, *([] if "ask" in args else ["ask"]), "--json", "echo hi")
        assert done.code == 0, done.err
        value = json.loads(done.out)
        return value["endpoint"], value["model"]

    return ask


def last_used(program: Program, endpoint: str, model: str) -> None:
    program.data.mkdir(parents=True, exist_ok=True)
    (program.data / "state.toml").write_text(f'[last]\nendpoint = "{endpoint}"\nmodel = "{model}"\n')


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], ("one", "demo-fast")),
        (["-e", "two"], ("two", "demo-reasoning")),
        (["ask", "-e", "two"], ("two", "demo-reasoning")),
        (["-e", "openai", "-m", "demo-garbage", "ask", "-e", "two", "-m", "demo-flaky"], ("two", "demo-flaky")),
        (["-m", "demo-slow", "ask", "-e", "two"], ("two", "demo-slow")),
        (["-m", "two/demo-fast"], ("two", "demo-fast")),
        (["ask", "-m", "openai/demo-fast"], ("openai", "demo-fast")),
        (["-p", "other"], ("two", "demo-slow")),
        (["ask", "-p", "other"], ("two", "demo-slow")),
        (["-p", "other", "ask", "-m", "demo-fast"], ("two", "demo-fast")),
        (["-p", "other", "-e", "one"], ("one", "demo-fast")),
        (["-p", "capped"], ("one", "demo-fast")),
        (["--demo"], ("demo", "demo-fast")),
        (["ask", "--demo"], ("demo", "demo-fast")),
        (["--demo", "-m", "demo-reasoning"], ("demo", "demo-reasoning")),
        (["--demo", "-e", "one"], ("one", "demo-fast")),
    ],
)
def test_flags_and_files_choose(asked: Asks, options: list[str], chosen: tuple[str, str]) -> None:
    assert asked(*options) == chosen


def test_a_profile_brings_its_settings(configured: Program) -> None:
    done = configured.run("-p", "capped", "ask", "count 9", "--json")
    value = json.loads(done.out)
    assert (value["finish_reason"], value["usage"]["output"]) == ("length", 2)
    flag_wins = configured.run("-p", "capped", "ask", "echo a b c", "--max-tokens", "50")
    assert flag_wins.out == "a b c\n"


def test_a_profile_that_leads_away_from_the_demo_is_told(configured: Program) -> None:
    told = "tui-chat: Profile other goes to two, not to the demo.\n"
    asked = configured.run("--demo", "ask", "echo hi", "-p", "other")
    assert (asked.code, asked.out, asked.err) == (0, "hi\n", told)
    assert configured.run("--demo", "doctor", "-p", "other").err == told
    for options in (["-p", "capped"], ["-p", "other", "-e", "one"], ["-p", "other", "-m", "demo/demo-fast"]):
        assert "Profile" not in configured.run("--demo", "ask", "echo hi", *options).err


def test_the_last_one_used_comes_before_the_default(configured: Program, asked: Asks) -> None:
    last_used(configured, "two", "demo-flaky")
    assert asked("-m", "demo-slow") == ("two", "demo-slow")
    assert asked("-e", "one") == ("one", "demo-fast")
    assert asked("-p", "other") == ("two", "demo-slow")
    last_used(configured, "two", "demo-garbage")
    assert asked() == ("two", "demo-garbage")


def test_a_last_one_that_is_gone_is_passed_over(configured: Program, asked: Asks) -> None:
    last_used(configured, "vanished", "x")
    assert asked() == ("one", "demo-fast")


def test_without_a_choice_the_first_key_that_is_set_decides(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "echo hi", "-m", "demo-fast", "--json", GROQ_API_KEY="g", MISTRAL_API_KEY="m")
    assert json.loads(done.out)["endpoint"] == "openai"


def test_a_model_name_with_a_slash_is_no_endpoint_unless_it_is_known(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "-m", "vendor/model", "hi", "--json")
    assert json.loads(done.out)["model"] == "vendor/model"
    done = program.run("ask", "-e", "openai", "-m", "openai/model", "hi", "--json")
    assert json.loads(done.out)["model"] == "openai/model"
    assert {entry.model for entry in demo.log if entry.model} == {"vendor/model", "openai/model"}


def test_a_model_is_taken_from_the_list_where_nothing_names_one(program: Program, demo: DemoServer) -> None:
    done = program.run("ask", "echo hi", "--json")
    assert json.loads(done.out)["model"] == "demo-fast"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["-e", "nowhere"], "nowhere"),
        (["-p", "nothing"], "nothing"),
        (["-p", "otehr"], "other"),
        (["-e", "tow"], "two"),
    ],
)
def test_an_unknown_name_is_refused_and_a_near_one_offered(configured: Program, options: list[str], named: str) -> None:
    done = configured.run(*options, "ask", "hi", "--json")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("tui-chat: ")
    assert named in line


def test_mistakes_in_the_files_are_told_and_spare_the_rest(program: Program, demo: DemoServer) -> None:
    file = program.configure(
        f'model = 5\ncolour = "red"\n[endpoints.good]\nbase_url = "{demo.base_url}"\ntimeouts = {{ idle = "x" }}\n'
        f'[endpoints.fine]\nbase_url = "{demo.base_url}"\n[ui]\nfps = 900\n'
    )
    program.data.mkdir(parents=True)
    (program.data / "state.toml").write_text("[last")
    done = program.run("-e", "fine", "ask", "-m", "demo-fast", "echo hi")
    assert (done.code, done.out) == (0, "hi\n")
    lines = done.err.splitlines()
    assert all(line.startswith("tui-chat: ") for line in lines)
    assert sorted(line.split()[2] for line in lines if line.startswith(f"tui-chat: {file}: ")) == [
        "colour", "endpoints.good.timeouts.idle", "model", "ui.fps",
    ]  # fmt: skip
    assert len(lines) == 5
    assert "state.toml, at its end" in lines[-1]
    spoilt = program.run("-e", "good", "ask", "-m", "demo-fast", "echo hi")
    assert (spoilt.code, spoilt.out) == (2, "")
    assert "idle" in spoilt.err.splitlines()[-1]


def test_a_file_that_is_no_toml_is_told_and_nothing_guessed(program: Program, demo: DemoServer) -> None:
    file = program.configure("[endpoints\n")
    for command in (["ask", "-m", "demo-fast", "hi"], ["models"], ["--demo", "ask", "hi", "--json"]):
        done = program.run(*command)
        assert (done.code, done.out) == (2, "")
        (line,) = done.err.splitlines()
        assert line.startswith(f"tui-chat: {file}, line 1: ")
    assert demo.log == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ask", "-t", "abc", "hi"], "--temperature takes a number, 0 or more."),
        (["ask", "-t", "-1", "hi"], "--temperature takes a number, 0 or more."),
        (["demo-server", "--port", "x"], "--port takes a whole number from 0 to 65535."),
        (["ask", "hi", "there"], "PROMPT is one argument; put it in quotes: tui-chat ask 'two words'"),
        (["ask", "hi", "--temp", "1"], "There is no option --temp; did you mean --temperature?"),
        (["ask", "hi", "-p", "nope"], "The profile “nope” is unknown; none has been made yet."),
    ],
)
def test_what_is_mistyped_is_told_by_what_would_be_right(program: Program, arguments: list[str], line: str) -> None:
    done = program.run("--demo", *arguments)
    assert (done.code, done.out, done.err) == (2, "", f"tui-chat: {line}\n")
