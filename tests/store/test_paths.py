"""Where things are, with and without the two variables."""

from pathlib import Path

import platformdirs
import pytest

from tui_chat.store import paths


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (paths.config_file, "/c/own.toml"),
        (paths.config_folder, "/c"),
        (paths.user_themes, "/c/themes"),
        (paths.data_folder, "/d"),
        (paths.state_file, "/d/state.toml"),
        (paths.keys_file, "/d/keys.toml"),
        (paths.log_file, "/d/tui-chat.log"),
    ],
)
def test_the_environment_decides(function, expected):
    assert function({"TUI_CHAT_CONFIG": "/c/own.toml", "TUI_CHAT_DATA_DIR": "/d"}) == Path(expected)


@pytest.mark.parametrize("unset", [{}, {"TUI_CHAT_CONFIG": "", "TUI_CHAT_DATA_DIR": " "}])
def test_else_the_users_own_folders(unset):
    assert paths.config_file(unset) == Path(platformdirs.user_config_dir("tui-chat")) / "config.toml"
    assert paths.data_folder(unset) == Path(platformdirs.user_data_dir("tui-chat"))


def test_a_tilde_is_the_home():
    assert paths.config_file({"TUI_CHAT_CONFIG": "~/x.toml"}) == Path.home() / "x.toml"


def test_shipped_themes_of_an_installation_come_before_those_of_a_checkout(tmp_path: Path):
    package = tmp_path / "tui_chat"
    package.mkdir()
    assert paths.shipped_themes(package) == tmp_path / "themes"
    (package / "themes").mkdir()
    assert paths.shipped_themes(package) == package / "themes"


def test_shipped_themes_exist_here():
    assert paths.shipped_themes().is_dir()
