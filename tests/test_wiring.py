"""The house, where more than one command or screen leans on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.kit import Script, Stage, models, refusal
from tests.kit.program import clean_environment
from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import Kind
from tui_chat.wiring import House
from tui_chat.wiring.offers import usual_models

if TYPE_CHECKING:
    from pathlib import Path


class Checked:
    """A house whose engine asks a script."""

    def __init__(self, home: Path, *scripts: Script, **changes: object) -> None:
        self.stage = Stage(*scripts, **{"base_url": "https://far.example/v1", "key": Secret("sk-1234567"), **changes})
        self.house = House(clean_environment(home))
        self.house.engine = self.stage.engine

    async def check(self, **changes: object) -> Kind | None:
        endpoint = replace(self.stage.endpoint, **changes)
        found = await self.stage.clock.finish(self.house.endpoints.check_key(endpoint))
        return found and found.kind


async def test_a_key_is_checked_once(tmp_path: Path) -> None:
    checked = Checked(tmp_path, models("m"), models("m"))
    for _ in range(3):
        assert await checked.check() is None
    assert len(checked.stage.transport.requests) == 1
    assert await checked.check(key=Secret("sk-another")) is None
    assert len(checked.stage.transport.requests) == 2


@pytest.mark.parametrize(("status", "kind"), [(401, Kind.AUTH), (403, Kind.PERMISSION)])
async def test_a_refused_key_is_checked_again(tmp_path: Path, status: int, kind: Kind) -> None:
    checked = Checked(tmp_path, refusal(status), models("m"))
    assert await checked.check() is kind
    assert await checked.check() is None


async def test_this_computer_is_not_asked(tmp_path: Path) -> None:
    checked = Checked(tmp_path, base_url="http://127.0.0.1:9/v1")
    assert await checked.check() is None
    assert checked.stage.transport.requests == []


def test_a_model_that_was_asked_is_not_listed_again_without_its_endpoint(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        'model = "demo-reasoning"\n[profiles.p]\nmodel = "o3"\n[prices."openai/o3"]\ninput = 1\noutput = 2\n'
    )
    config = House({**clean_environment(tmp_path), "TUI_CHAT_CONFIG": str(file)}).config
    every = usual_models(config)
    assert every[-3:] == ["demo-reasoning", "o3", "openai/o3"]
    assert usual_models(config, ["demo/demo-reasoning"]) == [name for name in every if name != "demo-reasoning"]
    assert usual_models(config, ["openai/o3"]) == every
    assert usual_models(config, ["nobody/demo-reasoning"]) == every
    assert "gpt-4.1" not in usual_models(config, ["openai/gpt-4.1"])
