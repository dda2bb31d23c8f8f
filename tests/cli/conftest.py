"""The program with an empty home, and servers for it to ask. Whatever it writes is searched for the key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.program import Program
from tests.kit.serving import demo_server
from tui_chat.demo.server import DemoServer

KEY = "sk-test-3fA9dQ7Lx2"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """tui-chat with nothing configured."""
    made = Program(tmp_path)
    yield made
    assert KEY.encode() not in b"".join(made.said)


@pytest.fixture(scope="module")
def shared_demo() -> Iterator[DemoServer]:
    with demo_server() as server:
        yield server


@pytest.fixture
def demo(program: Program, shared_demo: DemoServer) -> DemoServer:
    """The demo, without waits, as what OPENAI_BASE_URL names; its log begins empty."""
    shared_demo.log.clear()
    point_to(program, shared_demo.base_url)
    return shared_demo


def point_to(program: Program, base_url: str) -> None:
    program.env |= {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY}
