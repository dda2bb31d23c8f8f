"""/config: $EDITOR takes the terminal, gives it back, and what was written is in force."""

from __future__ import annotations

from pathlib import Path

from tests.kit.program import COMMAND, clean_environment
from tests.kit.terminal import Terminal


def test_the_editor_is_opened_on_the_file_and_its_words_count(tmp_path: Path) -> None:
    config, editor = tmp_path / "config.toml", tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "[profiles.young]\\nseed = 3\\n" >> "$1"\n')
    editor.chmod(0o700)
    env = clean_environment(tmp_path, TUI_CHAT_CONFIG=str(config), EDITOR=str(editor))
    with Terminal([*COMMAND, "--demo"], env, (120, 40), tmp_path) as terminal:
        terminal.wait("Ctrl+Q quit")
        terminal.send("/config")
        terminal.wait("/config")
        terminal.press("enter")
        terminal.wait("read again")
        terminal.send("/profile young")
        terminal.wait("/profile young")
        terminal.press("enter")
        terminal.wait("with profile young")
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
    text = config.read_text()
    assert text.startswith("#")
    assert text.endswith("seed = 3\n")
    assert config.stat().st_mode & 0o777 == 0o600
