"""The start: what the first screen needs, and what is typed before it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.program import COMMAND, clean_environment
from tests.kit.terminal import Terminal

FIRST_PAINT = """
import json, os, sys
from tui_chat.ui.app import TuiChat
from tui_chat.wiring import Choice, House

def stand(app):
    global loaded
    loaded = sorted(sys.modules)
    app.exit()

TuiChat._stand = stand
house = House(os.environ)
house.open_store()
TuiChat(house, Choice(), demo=True).run(headless=True, size=(120, 40))
print(json.dumps(loaded))
"""
LATER = {
    "httpx",
    "markdown_it",
    "pygments",
    "tui_chat.cli.ask",
    "tui_chat.demo.server",
    "tui_chat.domain.folding",
    "tui_chat.engine.doctor",
    "tui_chat.engine.lanes",
    "tui_chat.engine.replay",
    "tui_chat.net.transport",
    "tui_chat.store.export",
    "tui_chat.store.imports",
    "tui_chat.store.salvage",
    "tui_chat.ui.rows.parsing",
    "tui_chat.ui.rows.turn",
    "tui_chat.ui.screens.first_run",
    "tui_chat.ui.screens.history",
    "tui_chat.ui.screens.models",
    "tui_chat.ui.screens.tree",
    "tui_chat.ui.widgets.cursor_list",
    "tui_chat.wire.anthropic",
    "tui_chat.wire.gemini",
    "tui_chat.wire.openai_chat",
    "tui_chat.wire.openai_responses",
}
"""What the first screen stands without."""
OWN_MODULES = 120


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What is imported when the first screen is painted."""
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PAINT], env=clean_environment(home), cwd=home, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return set(json.loads(done.stdout))


def test_the_first_screen_needs_nothing_of_what_comes_later(loaded: set[str]) -> None:
    assert loaded & LATER == set()


def test_no_more_of_our_own_is_imported_than_it_was(loaded: set[str]) -> None:
    own = [name for name in loaded if name.startswith("tui_chat")]
    assert len(own) <= OWN_MODULES, sorted(own)


def test_what_is_imported_later_exists(loaded: set[str]) -> None:
    assert loaded
    for name in LATER:
        __import__(name)


def test_what_is_typed_at_once_stands_in_the_composer(tmp_path: Path) -> None:
    with Terminal([*COMMAND, "--demo"], clean_environment(tmp_path), (120, 40), tmp_path) as terminal:
        terminal.send("typed before ")
        terminal.wait(lambda: b"\x1b[?2004h" in terminal.raw)
        terminal.send("anything stood")
        terminal.wait("typed before anything stood")


def test_what_is_sent_at_once_is_answered(tmp_path: Path) -> None:
    """The built-in endpoint takes calls before it can answer them."""
    with Terminal(
        [*COMMAND, "--demo", "-m", "demo-fast"], clean_environment(tmp_path), (120, 40), tmp_path
    ) as terminal:
        terminal.wait("Message demo-fast")
        terminal.send("echo at once\r")
        terminal.wait(lambda: terminal.text.count("at once") >= 2)
