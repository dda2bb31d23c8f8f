"""The screen on a demo server of its own, with an empty home."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tests.kit.screen import Chat, environment, opened
from tests.kit.serving import demo_server
from tui_chat.demo.server import DemoServer


@pytest.fixture(scope="session", autouse=True)
def css_parsed_once() -> Iterator[None]:
    """Each app would parse the same rules again, which is a tenth of what a test of a screen costs."""
    known: dict[tuple[object, ...], list[RuleSet]] = {}
    parse = Stylesheet._parse_rules

    def parse_once(self: Stylesheet, *args: Any, **kwargs: Any) -> list[RuleSet]:
        key = (args, tuple(sorted(kwargs.items())), tuple(sorted(self._variables.items())))
        if key not in known:
            known[key] = parse(self, *args, **kwargs)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


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
