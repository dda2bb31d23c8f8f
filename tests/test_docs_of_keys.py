"""What docs/keys.md and docs/themes.md tell."""

from __future__ import annotations

from pathlib import Path

from tui_chat.domain.actions import BY_NAME
from tui_chat.domain.keymap import PRESETS, preset, show_key
from tui_chat.store.paths import shipped_themes

DOCS = Path(__file__).parents[1] / "docs"


def cells() -> dict[str, list[str]]:
    rows = [line.strip("| ").split("|") for line in (DOCS / "keys.md").read_text("utf-8").splitlines() if "| `" in line]
    return {name.strip(" `"): [cell.strip() for cell in rest] for name, *rest in rows}


def test_every_action_is_listed_with_its_keys() -> None:
    listed = cells()
    assert set(listed) == set(BY_NAME)
    for name, action in BY_NAME.items():
        assert not action.default or listed[name][0].startswith(show_key(action.default[0])), name
        for column, chosen in ((1, "no-f-keys"), (2, "multiplexer")):
            shown = ", ".join(map(show_key, preset(chosen).of(name)))
            assert listed[name][column] == (shown if name in PRESETS[chosen] else ""), name


def test_every_theme_is_listed() -> None:
    text = (DOCS / "themes.md").read_text("utf-8")
    assert not [path.stem for path in shipped_themes().glob("*.toml") if f"`{path.stem}`" not in text]
