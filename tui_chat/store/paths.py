"""Where tui-chat keeps things. Every function takes the environment; none creates anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "tui-chat"
PACKAGE = Path(__file__).resolve().parents[1]


def config_file(env: Mapping[str, str]) -> Path:
    """`$TUI_CHAT_CONFIG`, else `<user config>/tui-chat/config.toml`."""
    if chosen := env.get("TUI_CHAT_CONFIG", "").strip():
        return Path(chosen).expanduser()
    return platformdirs.user_config_path(NAME, appauthor=False) / "config.toml"


def config_folder(env: Mapping[str, str]) -> Path:
    return config_file(env).parent


def data_folder(env: Mapping[str, str]) -> Path:
    """`$TUI_CHAT_DATA_DIR`, else `<user data>/tui-chat`."""
    if chosen := env.get("TUI_CHAT_DATA_DIR", "").strip():
        return Path(chosen).expanduser()
    return platformdirs.user_data_path(NAME, appauthor=False)


def state_file(env: Mapping[str, str]) -> Path:
    return data_folder(env) / "state.toml"


def keys_file(env: Mapping[str, str]) -> Path:
    return data_folder(env) / "keys.toml"


def prices_file(env: Mapping[str, str]) -> Path:
    """Imported prices."""
    return data_folder(env) / "prices.json"


def prompts_file(env: Mapping[str, str]) -> Path:
    """The lines typed at the prompt of `--plain`."""
    return data_folder(env) / "prompts"


def database_file(env: Mapping[str, str]) -> Path:
    return data_folder(env) / "tui-chat.db"


def instances_folder(env: Mapping[str, str]) -> Path:
    """Where each program at work holds a lock."""
    return data_folder(env) / "instances"


def log_file(env: Mapping[str, str]) -> Path:
    return data_folder(env) / "tui-chat.log"


def user_themes(env: Mapping[str, str]) -> Path:
    return config_folder(env) / "themes"


def user_snippets(env: Mapping[str, str]) -> Path:
    return config_folder(env) / "snippets"


def shipped_themes(package: Path = PACKAGE) -> Path:
    """The themes inside the installed package, else those of the checkout that holds `package`."""
    installed = package / "themes"
    return installed if installed.is_dir() else package.parent / "themes"
