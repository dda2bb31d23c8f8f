"""`history`: what is listed, found, shown, taken out, taken in and deleted."""

from __future__ import annotations

import errno
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.kit.keeping import NOW, library_of, talk
from tests.kit.program import COMMAND, Done, Program
from tests.kit.terminal import Terminal, tokens
from tui_chat.demo.server import DemoServer
from tui_chat.store.instances import Instance
from tui_chat.wire.forms import ErrorForm
from tui_chat.wiring.chats import Chats

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\x9b31m\rback"
DAY = 86400.0
KEYS = ["id", "title", "created", "updated", "turns", "models", "cost_usd", "pinned", "state"]
NODE_KEYS = {"id", "parent", "role", "text", "reasoning", "state", "attempts"}


@pytest.fixture
def stored(program: Program) -> Program:
    """Four conversations: an old pinned one, one of yesterday, one that failed, and a hostile one of now."""
    refused = ErrorForm(kind="server", message="The server failed.")
    with library_of(program) as library:
        library.add(talk("oldone234567", "Pinned words", "Crème brûlée", at=NOW - 400 * DAY, pinned=True, cost="0.25"))
        library.add(talk("yesterday345", "How are pears?", "Pears are fine", at=NOW - DAY, model="pro", cost="0.001"))
        library.add(talk("failing45672", "Pears again", "Pea", at=NOW - 60, state="failed", error=refused))
        library.add(talk("hostile56723", f"{HOSTILE} pears", f"pears {HOSTILE}", at=NOW - 30, title=HOSTILE))
    return program


def listed(done: Done) -> list[dict[str, Any]]:
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("]\n")
    return json.loads(done.out, parse_float=Decimal)


def ids(done: Done) -> list[str]:
    return [row.get("id") or row["conversation"] for row in listed(done)]


def refused(done: Done, *parts: str) -> None:
    """Exit code 2, one line on stderr with `parts`, nothing on stdout."""
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    for part in parts:
        assert part in line


def instant(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# list


def test_list_has_the_keys_of_the_contract(stored: Program) -> None:
    rows = listed(stored.run("history", "list", "--json"))
    assert [list(row) for row in rows] == [KEYS] * 4
    assert rows[0] == {
        "id": "oldone234567",
        "title": "Pinned words",
        "created": instant(NOW - 400 * DAY),
        "updated": instant(NOW - 400 * DAY),
        "turns": 2,
        "models": ["m"],
        "cost_usd": Decimal("0.25"),
        "pinned": True,
        "state": "completed",
    }
    assert [row["id"] for row in rows] == ["oldone234567", "hostile56723", "failing45672", "yesterday345"]
    assert [(row["state"], row["cost_usd"]) for row in rows[1:3]] == [("completed", None), ("failed", None)]
    assert rows[1]["title"] == HOSTILE


def test_list_for_people_goes_into_a_pipe_whole(stored: Program) -> None:
    done = stored.run("history", "list")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["oldone234567", "hostile56723", "failing45672", "yesterday345"]
    assert lines[0].endswith("* Pinned words")
    assert instant(NOW - 400 * DAY)[:4] in lines[0]
    assert "failed" in lines[2]
    assert "\x1b" not in done.out
    assert "$0.0010" in lines[3]


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_list_fits_the_terminal_and_is_safe_on_it(stored: Program, columns: int) -> None:
    with library_of(stored) as library:
        library.add(talk("wide56723abc", "漢字と" * 30, "x"))
    with Terminal([*COMMAND, "history", "list"], stored.env, (columns, 30), stored.home) as terminal:
        assert terminal.wait_exit() == 0
        assert {bytes(token[0]) for token in tokens(terminal.raw) if not token["text"]} == {b"\r", b"\n"}
        lines = [line for line in terminal.lines if line.strip()]
    assert len(lines) == 5, "a line that is too long would have wrapped"
    if columns >= 80:
        assert any("␛]0;owned␇␛[2J" in line for line in lines)


def test_list_stops_at_a_screenful_only_on_a_terminal(program: Program) -> None:
    with library_of(program) as library:
        for n in range(53):
            library.add(talk(f"many{n:08}", f"question {n}", "answer", at=NOW - n))
    assert len(listed(program.run("history", "list", "--json"))) == 53
    assert len(program.run("history", "list").out.splitlines()) == 53
    assert ids(program.run("history", "list", "--json", "--limit", "2")) == ["many00000000", "many00000001"]
    with Terminal([*COMMAND, "history", "list"], program.env, (100, 60), program.home) as terminal:
        assert terminal.wait_exit() == 0
        assert sum("question" in line for line in terminal.lines) == 50
        assert "There are more than these 50; --limit shows others." in terminal.text


def test_a_long_list_is_whole_and_its_reader_may_leave(program: Program) -> None:
    with library_of(program) as library:
        library.add(talk("first2345672", "x", "y", at=NOW - 1))
    with closing(sqlite3.connect(program.data / "tui-chat.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO conversations (uid, title, created, updated, turns) VALUES (?, ?, ?, ?, 2)",
            [(f"u{n:011}", "t" * 200, NOW + n, NOW + n) for n in range(2500)],
        )
    found = ids(program.run("history", "list", "--json"))
    assert found == [f"u{n:011}" for n in reversed(range(2500))] + ["first2345672"]
    with program.start("history", "list", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read1(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(
    "command",
    [
        ["history", "list", "--json"],
        ["history", "list"],
        ["history", "search", "x", "--json"],
        ["history", "show", "abcdefgh"],
        ["history", "delete", "abcdefgh"],
        ["history", "delete", "--undo", "abcdefgh"],
        ["history", "export", "abcdefgh", "x.json"],
    ],
)
def test_looking_for_what_is_not_there_makes_nothing(program: Program, command: list[str]) -> None:
    done = program.run(*command)
    if done.code == 0:
        assert (done.out, done.err) == ("[]\n" if "--json" in command else "", "")
    else:
        refused(done, "abcdefgh")
    assert not program.data.exists()


def test_a_run_in_another_program_and_what_it_left(program: Program) -> None:
    with program.start("--demo", "ask", "-m", "demo-slow", "count 500") as process:
        assert process.stdout is not None
        process.stdout.read1(4)
        (row,) = listed(program.run("history", "list", "--json"))
        assert (row["state"], row["turns"]) == (None, 2)
        process.kill()
    (row,) = listed(program.run("history", "list", "--json"))
    assert (row["state"], row["turns"]) == ("interrupted", 2)
    shown = program.run("history", "show", row["id"])
    assert "interrupted" in shown.out
    assert "Go on with it: tui-chat ask --resume " in shown.out


# search


def test_search_has_the_keys_of_the_contract_newest_first(stored: Program) -> None:
    rows = listed(stored.run("history", "search", "PÉARS", "--json"))
    assert {tuple(row) for row in rows} == {("conversation", "node", "role", "title", "snippet", "at")}
    assert [row["node"] for row in rows] == [
        "hostile56723a",
        "hostile56723q",
        "failing45672q",
        "yesterday345a",
        "yesterday345q",
    ]
    assert rows[3] == {
        "conversation": "yesterday345",
        "node": "yesterday345a",
        "role": "assistant",
        "title": "How are pears?",
        "snippet": "Pears are fine",
        "at": instant(NOW - DAY),
    }


YESTERDAY = (datetime.now() - timedelta(days=1)).strftime("%Y-%m-%d")


@pytest.mark.parametrize(
    ("arguments", "nodes"),
    [
        (["pears", "fine"], {"yesterday345a"}),
        (['"fine pears"'], set()),
        (["brulee"], {"oldone234567a"}),
        (["pears model:pro"], {"yesterday345a"}),
        (["pears", "-m", "pro"], {"yesterday345a"}),
        (["pears", "-m", "other"], set()),
        (["-e", "work", "pears"], {"yesterday345a", "hostile56723a"}),
        (["error:yes"], {"failing45672a"}),
        (["--error"], {"failing45672a"}),
        (["pears role:you", "--until", YESTERDAY], {"yesterday345q"}),
        (["pears role:model", "--since", YESTERDAY], {"yesterday345a", "hostile56723a"}),
        (["since:2001 until:2002"], set()),
        (["!!!"], set()),
    ],
)
def test_words_and_filters(stored: Program, arguments: list[str], nodes: set[str]) -> None:
    rows = listed(stored.run("history", "search", "--json", *arguments))
    assert {row["node"] for row in rows} == nodes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Nothing to search for"),
        (["  "], "Nothing to search for"),
        (["pears since:soon"], "since:soon"),
        (["pears", "--since", "2026-13-01"], "--since 2026-13-01"),
        (["pears", "--until", "2026 x"], "--until 2026 x"),
        (["role:king"], "role:king"),
        (["error:no"], "error:no"),
        (["pears", "--limit", "0"], "--limit"),
    ],
)
def test_a_search_that_makes_no_sense(stored: Program, arguments: list[str], said: str) -> None:
    refused(stored.run("history", "search", *arguments, "--json"), said)


def test_a_search_finds_everything_once(program: Program) -> None:
    with library_of(program) as library:
        for n in range(230):
            library.add(talk(f"many{n:08}", f"needle {n}", "answer", at=NOW - n))
    found = ids(program.run("history", "search", "needle", "--json"))
    assert found == [f"many{n:08}" for n in range(230)]
    assert ids(program.run("history", "search", "needle", "--json", "--limit", "3")) == found[:3]


def test_hits_are_marked_on_a_terminal_alone(stored: Program) -> None:
    plain = stored.run("history", "search", "pears")
    assert "Pears are fine" in plain.out
    command = [*COMMAND, "history", "search", "pears"]
    with Terminal(command, stored.env, (100, 40), stored.home) as terminal:
        assert terminal.wait_exit() == 0
        raw = bytes(terminal.raw)
    assert b"\x1b[1;4mPears\x1b[22;24m are fine" in raw
    controls = {bytes(token[0]) for token in tokens(raw) if not token["text"]}
    assert controls == {b"\r", b"\n", b"\x1b[1;4m", b"\x1b[22;24m"}
    text = raw.decode()
    assert not any("\x80" <= char <= "\x9f" or "\u202a" <= char <= "\u202e" for char in text)


# show


def test_show_prints_what_is_in_chat(stored: Program) -> None:
    done = stored.run("history", "show", "yest")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "How are pears?"
    assert lines[1].startswith("yesterday345 · 2 turns · $0.0010")
    assert lines[4] == "How are pears?"
    assert lines[6].startswith("── work/pro · ")
    assert lines[7] == "Pears are fine"


def test_show_tells_what_went_wrong(stored: Program) -> None:
    assert "   The server failed." in stored.run("history", "show", "failing45672").out.splitlines()


def test_show_is_safe_on_a_terminal_and_unchanged_in_a_pipe(stored: Program) -> None:
    assert HOSTILE.encode() in stored.run("history", "show", "hostile56723").stdout
    with Terminal([*COMMAND, "history", "show", "hostile56723"], stored.env, cwd=stored.home) as terminal:
        assert terminal.wait_exit() == 0
        assert {bytes(token[0]) for token in tokens(terminal.raw) if not token["text"]} == {b"\r", b"\n"}
        assert "␛]0;owned␇" in terminal.text


def test_show_as_json_is_one_conversation_of_an_export(program: Program, demo: DemoServer) -> None:
    program.run("ask", "-m", "demo-fast", "echo one", "-s", "be brief")
    (row,) = listed(program.run("history", "list", "--json"))
    done = program.run("history", "show", row["id"], "--json")
    value = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert value.keys() >= {"id", "title", "in_chat", "nodes"}
    question, answer = value["nodes"]
    assert question.keys() >= NODE_KEYS
    assert (question["role"], question["parent"], question["text"]) == ("user", None, "echo one")
    assert (answer["role"], answer["parent"], answer["text"]) == ("assistant", question["id"], "one")
    assert (answer["state"], value["in_chat"]) == ("completed", [question["id"], answer["id"]])
    (attempt,) = answer["attempts"]
    assert attempt["settings"] == {"system": "be brief"}
    assert f"run {attempt['run']}" in program.run("history", "show", row["id"]).out


def test_an_id_must_mean_one_conversation(stored: Program) -> None:
    with library_of(stored) as library:
        library.add(talk("yesterday999", "a", "b"))
    refused(stored.run("history", "show", "yesterday"), "Several", "yesterday")
    refused(stored.run("history", "show", "yes"), "no conversation yes")
    refused(stored.run("history", "show", "nothere"), "nothere", "history list")
    assert stored.run("history", "show", "yesterday3").code == 0


# export and import


@pytest.mark.parametrize("suffix", ["md", "json", "html"])
def test_export_goes_by_the_name_of_the_file(stored: Program, suffix: str) -> None:
    file = stored.home / f"out.{suffix}"
    done = stored.run("history", "export", "yest", str(file))
    assert (done.code, done.out) == (0, "")
    assert done.err == f"tui-chat: Conversations written to {file}: 1.\n"
    text = file.read_text()
    assert "Pears are fine" in text
    assert text.lstrip().lower().startswith({"md": ("---", "#"), "json": "{", "html": "<!doctype html"}[suffix])
    assert "Pears are fine" in stored.run("history", "export", "yest", "-", "--format", suffix).out


def test_an_export_whose_name_says_no_format_says_that_it_is_json(stored: Program) -> None:
    file = stored.home / "out.pdf"
    done = stored.run("history", "export", "yest", str(file))
    assert done.code == 0
    assert done.err.splitlines()[1:] == [
        f"tui-chat: {file} holds JSON; .md and .html, or --format, make it Markdown or HTML."
    ]
    for arguments in (("--format", "json"), ("--format", "md"), ("--json",)):
        assert len(stored.run("history", "export", "yest", str(file), *arguments).err.splitlines()) == 1


def test_a_filter_that_is_mistyped_is_told_and_searched_for(stored: Program) -> None:
    done = stored.run("history", "search", "modle:demo https://x.invalid")
    assert (done.code, done.err) == (
        0,
        "tui-chat: There is no filter “modle:”, so it was searched for as text; did you mean “model:”?\n",
    )


def test_export_to_stdout_is_json_unless_told(stored: Program) -> None:
    done = stored.run("history", "export", "yest", "failing45672", "-")
    value = json.loads(done.out)
    assert (value["format"], value["version"], done.err) == ("tui-chat", 1, "")
    assert [one["id"] for one in value["conversations"]] == ["yesterday345", "failing45672"]
    shown = json.loads(stored.run("history", "show", "yest", "--json").out)
    assert value["conversations"][0] == shown
    again = json.loads(stored.run("history", "export", "--json", "yest", "failing45672", "-").out)
    assert again["conversations"] == value["conversations"]


def test_everything_goes_out_and_comes_in_elsewhere(stored: Program, tmp_path: Path) -> None:
    file = stored.home / "all.backup"
    assert stored.run("history", "export", "--all", str(file)).code == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert (lines[0]["format"], lines[0]["version"]) == ("tui-chat", 1)
    assert [line["id"] for line in lines[1:]] == ["oldone234567", "yesterday345", "failing45672", "hostile56723"]
    stored.run("history", "delete", "yest")
    elsewhere = {"TUI_CHAT_DATA_DIR": str(tmp_path / "elsewhere")}
    first = stored.run("history", "import", str(file), "--json", **elsewhere)
    assert (first.code, first.err) == (0, "")
    assert json.loads(first.out) == {
        "new": 4,
        "updated": 0,
        "unchanged": 0,
        "turns": 8,
        "skipped": [],
        "skipped_count": 0,
    }
    again = stored.run("history", "import", str(file), **elsewhere)
    assert again.out == "new: 0 · with new turns: 0 · known already: 4 · turns added: 0\n"
    both = [stored.run("history", "export", "--all", "-", **env) for env in ({}, elsewhere)]
    assert [json.loads(line) for line in both[1].out.splitlines()][1:] == lines[1:]
    assert len(both[0].out.splitlines()) == len(lines) - 1, "what is deleted does not go out"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name the conversations"),
        (["out.json"], "Name the conversations"),
        (["--all"], "Name the conversations"),
        (["--all", "yest", "out.json"], "Name the conversations"),
        (["--all", "out.md"], "JSON lines"),
        (["--all", "out.json", "--format", "html"], "JSON lines"),
        (["yest", "failing45672"], "failing45672 does not say"),
        (["yest", "out.json", "--format", "pdf"], "pdf"),
        (["yest", "nothere", "out.json"], "nothere"),
    ],
)
def test_an_export_that_makes_no_sense_writes_nothing(stored: Program, arguments: list[str], said: str) -> None:
    before = sorted(stored.home.iterdir())
    refused(stored.run("history", "export", *arguments), said)
    assert sorted(stored.home.iterdir()) == before


@pytest.mark.parametrize("content", [None, b"", b'{"format": "tui-chat", "version": 1, "conv', b"\x00\xff", b"hello\n"])
def test_a_malformed_file_changes_nothing(stored: Program, content: bytes | None) -> None:
    file = stored.home / "in.json"
    if content is not None:
        file.write_bytes(content)
    before = stored.run("history", "export", "--all", "-").out.splitlines()[1:]
    refused(stored.run("history", "import", str(file), "--json"), str(file))
    assert stored.run("history", "export", "--all", "-").out.splitlines()[1:] == before


# delete


def test_delete_can_be_undone(stored: Program) -> None:
    done = stored.run("history", "delete", "yest", "failing45672")
    assert (done.code, done.out) == (0, "")
    first, _ = done.err.splitlines()
    assert "How are pears?" in first
    assert first.endswith("For a week this brings it back: tui-chat history delete --undo yesterday345")
    assert ids(stored.run("history", "list", "--json")) == ["oldone234567", "hostile56723"]
    assert set(ids(stored.run("history", "search", "pears", "--json"))) == {"hostile56723"}
    assert set(ids(stored.run("history", "list", "--deleted", "--json"))) == {"yesterday345", "failing45672"}
    refused(stored.run("history", "show", "yesterday345"), "yesterday345")
    refused(stored.run("history", "delete", "yesterday345"), "yesterday345")
    back = stored.run("history", "delete", "--undo", "yest", "--json")
    assert json.loads(back.out) == [{"id": "yesterday345", "title": "How are pears?", "deleted": False}]
    assert "yesterday345" in ids(stored.run("history", "search", "pears", "--json"))
    refused(stored.run("history", "delete", "--undo", "yesterday345"), "brought back")


def test_delete_of_one_that_is_not_there_deletes_none(stored: Program) -> None:
    refused(stored.run("history", "delete", "yest", "nothere"), "nothere")
    refused(stored.run("history", "delete"), "ID")
    assert len(ids(stored.run("history", "list", "--json"))) == 4


# everywhere


@pytest.mark.parametrize(
    "command",
    [
        ["history", "list", "--json"],
        ["history", "search", "pears", "--json"],
        ["history", "show", "yest", "--json"],
        ["history", "export", "--all", "-"],
        ["history", "import", "in.json", "--json"],
        ["history", "delete", "yest", "--json"],
        ["--demo", "ask", "hi", "--json"],
        ["--demo", "ask", "-c", "hi", "--json"],
    ],
)
def test_a_newer_store_is_left_alone(stored: Program, command: list[str]) -> None:
    (stored.home / "in.json").write_text('{"format": "tui-chat", "version": 1, "conversations": []}')
    file = stored.data / "tui-chat.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA user_version = 999")
        connection.commit()
    before = file.read_bytes()
    refused(stored.run(*command), str(file), "newer tui-chat", "TUI_CHAT_DATA_DIR")
    assert file.read_bytes() == before
    assert not list(stored.data.glob("*-wal"))


def test_history_alone_and_a_slip_of_the_pen(program: Program) -> None:
    refused(program.run("history"), "list, search, show, export, import, stats, delete")
    refused(program.run("history", "lst"), "“lst”", "tui-chat history --help")
    help = program.run("history", "--help")
    assert help.code == 0
    for name in ("list", "search", "show", "export", "import", "delete"):
        assert re.search(rf"^  {name} +\S", help.out, re.MULTILINE)


def test_a_broken_config_does_not_hide_the_history(stored: Program) -> None:
    stored.configure("this is no toml")
    done = stored.run("history", "list", "--json")
    assert done.code == 0
    assert len(json.loads(done.out)) == 4
    assert "config.toml" in done.err


def test_what_cannot_be_written_can_be_read(stored: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Instance) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Instance, "register", full)
    chats = Chats({"TUI_CHAT_DATA_DIR": str(stored.data)}, ())
    try:
        told = chats.look({})
        assert told == f"Nothing can be written in {stored.data} now; what is there can be read."
        assert chats.library.find("yest") == "yesterday345"
    finally:
        chats.shut()


def test_a_date_that_no_calendar_holds(program: Program) -> None:
    with library_of(program) as library:
        library.add(talk("strange23456", "when", "never"))
    with closing(sqlite3.connect(program.data / "tui-chat.db")) as connection, connection:
        connection.execute("UPDATE conversations SET created = 1e300, updated = -1e300")
    (row,) = listed(program.run("history", "list", "--json"))
    assert (row["created"], row["updated"]) == (None, None)
    assert program.run("history", "list").out.split()[1] == "–"
