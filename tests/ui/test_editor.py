"""$EDITOR in the place of the screen: the text comes back, and what goes on meanwhile goes on."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.kit.terminal import Terminal
from tests.ui.test_pty import ask, assert_left_clean, ready, screen


def editor(folder: Path, script: str) -> dict[str, str]:
    """A program to name as $EDITOR, whose file is `$1`; temporary files are kept beside it."""
    file = folder / "the editor"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    (folder / "tmp").mkdir()
    return {"VISUAL": f"'{file}'", "TMPDIR": str(folder / "tmp")}


def left(folder: Path) -> list[str]:
    return os.listdir(folder / "tmp")


def quit_clean(terminal: Terminal) -> None:
    terminal.press("ctrl+q")
    assert terminal.wait_exit() == 0
    assert_left_clean(terminal)


def test_a_message_is_written_in_the_editor(tmp_path: Path) -> None:
    with screen(
        tmp_path, "--demo", **editor(tmp_path, 'ls -l "$1" | cut -c1-10 >mode; echo " two" >>"$1"')
    ) as terminal:
        ready(terminal)
        terminal.send("echo one")
        terminal.wait("echo one")
        terminal.send("\x07")
        terminal.wait(lambda: re.search(r"echo one *two", terminal.text) is not None)
        terminal.press("enter")
        terminal.wait("done ·")
        terminal.wait("one two")
        quit_clean(terminal)
    assert (tmp_path / "mode").read_text() == "-rw-------\n"
    assert left(tmp_path) == []


def test_a_reply_goes_on_behind_the_editor(tmp_path: Path) -> None:
    script = "until [ -e go ]; do sleep 0.05; done; echo written >$1"
    with screen(tmp_path, "--demo", **editor(tmp_path, script)) as terminal:
        ready(terminal)
        ask(terminal, "count 400")
        terminal.wait("1 2 3")
        before = len(terminal.raw)
        terminal.send("\x07")
        terminal.wait(lambda: b"\x1b[?1049l" in terminal.raw[before:])
        terminal.process.send_signal(2)
        (database,) = tmp_path.glob(".local/share/tui-chat/tui-chat.db")
        terminal.wait(lambda: b" 399 400" in database.read_bytes() + database.with_name("tui-chat.db-wal").read_bytes())
        assert b"\x1b[" not in terminal.raw[before:].partition(b"\x1b[?1004l")[2], "the editor has the terminal alone"
        (tmp_path / "go").touch()
        terminal.wait("written")
        terminal.wait("399 400")
        quit_clean(terminal)


def test_the_text_comes_back_from_an_editor_that_fails(tmp_path: Path) -> None:
    with screen(tmp_path, "--demo", **editor(tmp_path, "exit 3")) as terminal:
        ready(terminal)
        terminal.send("precious words")
        terminal.wait("precious words")
        terminal.send("\x07")
        terminal.wait("ended with code 3")
        assert "precious words" in terminal.text
        assert left(tmp_path) == []
        quit_clean(terminal)


def test_what_a_failing_editor_wrote_is_kept_aside(tmp_path: Path) -> None:
    with screen(tmp_path, "--demo", **editor(tmp_path, 'echo more >>"$1"; exit 1')) as terminal:
        ready(terminal)
        terminal.send("precious words")
        terminal.wait("precious words")
        terminal.send("\x07")
        terminal.wait("what was written")
        (file,) = left(tmp_path)
        assert (tmp_path / "tmp" / file).read_text() == "precious wordsmore\n"
        quit_clean(terminal)


def test_no_editor_is_a_notice(tmp_path: Path) -> None:
    with screen(tmp_path, "--demo", VISUAL="no-such-editor") as terminal:
        ready(terminal)
        terminal.send("precious words")
        terminal.wait("precious words")
        terminal.send("\x07")
        terminal.wait("No editor could be started")
        assert "precious words" in terminal.text
        quit_clean(terminal)


def test_it_can_be_suspended_from_within(tmp_path: Path) -> None:
    with screen(tmp_path, "--demo") as terminal:
        ready(terminal)
        ask(terminal, "/suspend")
        terminal.wait_stopped()
        assert_left_clean(terminal)
        terminal.process.send_signal(18)
        ask(terminal, "echo back again")
        terminal.wait("done ·")
        quit_clean(terminal)
