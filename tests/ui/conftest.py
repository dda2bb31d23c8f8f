"""The screen on a demo server of its own, with an empty home."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.kit.screen import Chat, environment, opened
from tests.kit.serving import demo_server
from tui_chat.demo.server import DemoServer


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with demo_server() as running:
        yield running


@pytest.fixture
def env(tmp_path: Path, server: DemoServer) -> dict[str, str]:
    return environment(tmp_path, server)


@pytest.fixture
async def chat(env: dict[str, str]) -> AsyncIterator[Chat]:
    async with opened(env, "demo-fast") as running:
        yield running
