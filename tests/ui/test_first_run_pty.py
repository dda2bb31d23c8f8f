"""From the command to the first streamed word with nothing set up, in a real terminal: at most three keys each way."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.program import COMMAND, clean_environment
from tests.kit.serving import Asked, Canned, canned_server
from tests.kit.terminal import Terminal
from tui_chat.demo.server import DemoServer
from tui_chat.wiring import House

KEY = "sk-proj-3fA9dQ7Lx2"
MOST_KEYS = 3
MOST_SECONDS = 20.0
"""Far more than it takes; a machine that tests in parallel is slow."""
STREAM = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "streamed-word"}}]}\n\n'
    b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)


class Hands:
    """Presses keys one after another, each once it is its turn, and counts them."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.began = time.monotonic()
        self.pressed: list[str] = []

    def see(self, text: str) -> None:
        self.terminal.wait(text)

    def press(self, key: str) -> None:
        self.pressed.append(key)
        self.terminal.press(key)

    def streamed(self, record: pytest.FixtureRequest) -> None:
        """The first word of the reply is here."""
        self.terminal.wait(self._word)
        seconds = time.monotonic() - self.began
        record.node.user_properties.append(("first word", f"{len(self.pressed)} keys, {seconds:.2f} s"))
        assert len(self.pressed) <= MOST_KEYS
        assert seconds < MOST_SECONDS

    def _word(self) -> bool:
        """Something stands below the heading of the reply, or it is long and that is out of sight."""
        lines = self.terminal.lines
        unanswered = len(lines) if any(line.startswith(" ❯") for line in lines) else 0
        heading = next((row for row, line in enumerate(lines) if line.startswith(" ◆")), unanswered)
        return any(line.strip() for line in lines[heading + 1 : -3])


@contextmanager
def hands(home: Path, **variables: str) -> Iterator[Hands]:
    with Terminal(COMMAND, clean_environment(home, **variables), (80, 24), home) as terminal:
        fingers = Hands(terminal)
        fingers.see("Paste an API key")
        yield fingers


@contextmanager
def local_server(home: Path) -> Iterator[str]:
    """A demo on a port on which a known server would be; gives the port's server's name."""
    server, loop = DemoServer(speed=0), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield _started(server, loop, House(clean_environment(home)))
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _started(server: DemoServer, loop: asyncio.AbstractEventLoop, house: House) -> str:
    for name in house.endpoints.local():
        port = int(house.config.endpoints[name].base_url.split(":")[2].split("/")[0])
        try:
            asyncio.run_coroutine_threadsafe(server.start(port), loop).result(10)
        except OSError:
            continue
        return name
    pytest.skip("every usual port is taken")


def test_the_demo(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with hands(tmp_path) as person:
        person.press("down")
        person.press("enter")
        person.see("Enter sends this question")
        person.press("enter")
        person.streamed(request)


def test_a_server_on_this_computer(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with local_server(tmp_path) as name, hands(tmp_path) as person:
        terminal = person.terminal
        person.press("enter")
        terminal.wait(lambda: "Which one" in terminal.text or f"{name}/demo-fast" in terminal.text)
        if "Which one" in terminal.text:
            person.press("enter")
        person.see("Enter sends this question")
        person.press("enter")
        person.streamed(request)


def answer(asked: Asked) -> Canned:
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        return Canned(b'{"error": {"message": "No such key."}}', 401)
    if asked.method == "POST":
        return Canned(STREAM, content_type="text/event-stream")
    return Canned(json.dumps({"data": [{"id": "gpt-4.1"}, {"id": "gpt-4.1-mini"}]}).encode())


def test_a_key(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Far servers are out of reach here: a proxy stands in for one."""
    with canned_server(answer) as server:
        config = tmp_path / "config.toml"
        config.write_text(
            '[endpoints.openai]\nbase_url = "http://gateway.example/v1"\ninsecure_http = true\n'
            f'proxy = "{server.base_url.removesuffix("/v1")}"\n'
        )
        with hands(tmp_path, TUI_CHAT_CONFIG=str(config)) as person:
            person.terminal.send(f"\x1b[200~{KEY}\x1b[201~")
            person.see("••••")
            person.press("enter")
            person.see("Choose a model of openai")
            person.see("gpt-4.1-mini")
            person.press("enter")
            person.see("openai/gpt-4.1")
            person.press("enter")
            person.streamed(request)
            person.see("streamed-word")
