"""The language of a run: by locale or `[ui] language`, and never in what programs read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit.program import COMMAND, ROOT, Program, clean_environment

VIETNAMESE: dict[str, Any] = {"LANG": "vi_VN.UTF-8"}
AT_IMPORT = """
import pkgutil, importlib
from tui_chat.domain import words
def refuse(key, /, **blanks): raise AssertionError(key)
words.say = refuse
import tui_chat
for module in pkgutil.walk_packages(tui_chat.__path__, "tui_chat."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def configured(program: Program, text: str) -> Path:
    file = program.home / ".config" / "tui-chat" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_the_locale_chooses(program: Program) -> None:
    assert "Không có gì để hỏi" in program.run("ask", **VIETNAMESE).err
    assert "Nothing to ask" in program.run("ask").err
    assert "Nothing to ask" in program.run("ask", LC_ALL="C.UTF-8", **VIETNAMESE).err


def test_the_configuration_chooses_before_the_locale(program: Program) -> None:
    file = configured(program, '[ui]\nlanguage = "vi"\nfps = 99\n')
    said = program.run("config", "check").out + program.run("config", "check").err
    assert f"{file}: ui.fps phải là số nguyên từ 1 tới 60, không phải 99." in said
    configured(program, '[ui]\nlanguage = "en"\nfps = 99\n')
    done = program.run("config", "check", **VIETNAMESE)
    assert "ui.fps must be a whole number" in done.out + done.err


def test_an_unknown_language_is_one_problem_that_names_what_there_is(program: Program) -> None:
    file = configured(program, '[ui]\nlanguage = "fr"\n')
    found = json.loads(program.run("config", "check", "--json").out)
    message = f"{file}: ui.language must be one of auto, en, vi."
    assert found == [{"file": str(file), "key": "ui.language", "message": message}]


def test_a_file_that_cannot_be_read_is_told_in_the_language_of_the_locale(program: Program) -> None:
    configured(program, "[ui\n")
    done = program.run("config", "check", **VIETNAMESE)
    assert "Chưa sửa thì không dùng gì trong file này." in done.out + done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "show", "--json"],
        ["cost", "--json", "-m", "deepseek-chat", "-m", "gpt-4o"],
        ["cost", "--format", "csv"],
        ["history", "list", "--json"],
        ["history", "stats", "--json"],
        ["--demo", "models", "--json"],
    ],
)
def test_what_programs_read_is_the_same_in_every_language(program: Program, arguments: list[str]) -> None:
    english, vietnamese = program.run(*arguments), program.run(*arguments, **VIETNAMESE)
    assert english.code == vietnamese.code == 0
    assert vietnamese.out == english.out != ""


def test_states_and_kinds_stay_as_they_are(program: Program) -> None:
    answer = json.loads(program.run("--demo", "ask", "--json", "--no-save", "echo hi", **VIETNAMESE).out)
    assert (answer["state"], answer["finish_reason"]) == ("completed", "stop")
    refused = json.loads(program.run("--demo", "-m", "no-such", "ask", "--json", "hi", **VIETNAMESE).out)
    assert (refused["state"], refused["error"]["kind"]) == ("failed", "not_found")


def test_only_those_who_read_a_language_load_it(program: Program) -> None:
    command = [COMMAND[0], "-X", "importtime", *COMMAND[1:], "ask"]
    for locale, loaded in (("C.UTF-8", False), ("vi_VN.UTF-8", True)):
        env = {**program.env, "LANG": locale}
        done = subprocess.run(
            command, env=env, cwd=program.home, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
        assert (b"tui_chat.domain.words_vi" in done.stderr) is loaded


def test_nothing_is_said_before_the_language_is_known(tmp_path: Path) -> None:
    command = [sys.executable, "-c", AT_IMPORT]
    subprocess.run(command, env=clean_environment(tmp_path), cwd=ROOT, check=True, timeout=60)
