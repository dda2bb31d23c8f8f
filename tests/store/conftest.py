"""An environment of its own for each test: a config file and a data folder that nobody else sees."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.desk import Desk
from tui_chat.store.config import Config, load

Env = dict[str, str]


@pytest.fixture
def env(tmp_path: Path) -> Env:
    file = tmp_path / "config" / "config.toml"
    file.parent.mkdir()
    file.touch(0o600)
    return {
        "TUI_CHAT_CONFIG": str(file),
        "TUI_CHAT_DATA_DIR": str(tmp_path / "data"),
        "PATH": os.environ["PATH"],
    }


@pytest.fixture
def configured(env: Env) -> Callable[..., Config]:
    """Write a config.toml and load it, with more variables as keyword arguments."""

    def write_and_load(toml: str | bytes, mode: int = 0o600, **variables: str) -> Config:
        file = Path(env["TUI_CHAT_CONFIG"])
        file.write_bytes(toml if isinstance(toml, bytes) else toml.encode())
        file.chmod(mode)
        env.update(variables)
        return load(env)

    return write_and_load


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A store in a folder of its own."""
    made = Desk(tmp_path / "data").open()
    yield made
    made.close()
