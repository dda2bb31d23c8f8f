"""What is painted at each change of the chat: the same as if all of it were, and no more lines than have changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tests.kit.screen import opened
from tui_chat.ui import compositing
from tui_chat.ui.compositing import SparseCompositor, bands
from tui_chat.ui.pacing import ECHO_S, Pacer

CHANGED = {2: [(0, 10)], 3: [(0, 4), (20, 30)], 4: [(8, 9)], 7: [(0, 40)]}


def test_lines_next_to_each_other_are_one_band() -> None:
    assert list(bands(CHANGED, Region(0, 0, 40, 10))) == [(2, 5), (7, 8)]


def test_a_band_leaves_out_lines_in_which_the_region_stays_as_it_is() -> None:
    assert list(bands(CHANGED, Region(10, 0, 10, 10))) == [(7, 8)]
    assert list(bands(CHANGED, Region(20, 3, 10, 4))) == [(3, 4)]
    assert list(bands(CHANGED, Region(0, 5, 40, 2))) == []


@contextmanager
def rendered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """(widget, lines it was asked for) from now on."""
    asked: list[tuple[str, int]] = []
    before = Widget.render_lines

    def counted(self: Widget, crop: Region) -> list[Strip]:
        asked.append((self.id or type(self).__name__, crop.height))
        return before(self, crop)

    with monkeypatch.context() as patch:
        patch.setattr(Widget, "render_lines", counted)
        yield asked


async def test_a_change_asks_no_widget_for_more_than_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"TUI_CHAT_CONFIG": str(tmp_path / "config.toml"), "TUI_CHAT_DATA_DIR": str(tmp_path / "data")}
    async with opened(env, demo=True) as chat:
        compositor = chat.screen._compositor
        assert isinstance(compositor, SparseCompositor)
        await chat.settle()
        compositor.render_partial_update()
        chat.screen.query_one("#status").refresh()
        compositor.update_widgets({chat.screen.query_one("#status")})
        with rendered(monkeypatch) as asked:
            assert compositor.render_partial_update() is not None
        assert asked == [("status", 1)]


async def test_the_screen_is_the_same_as_when_all_of_it_is_painted(tmp_path: Path) -> None:
    env = {"TUI_CHAT_CONFIG": str(tmp_path / "config.toml"), "TUI_CHAT_DATA_DIR": str(tmp_path / "data")}
    async with opened(env, "demo-fast", demo=True) as chat:
        await chat.ask("hello")
        compositor = chat.screen._compositor
        everything = set(compositor.visible_widgets)
        for widget in everything:
            widget.refresh()
        compositor.update_widgets(everything)
        update = compositor.render_partial_update()
        assert update is not None
        sparse = [Strip.join([strip for strip in line.values() if strip]) for line in update.chops]
        assert [strip.text for strip in sparse] == [strip.text for strip in compositor.render_strips()]


@pytest.mark.parametrize("typed", [True, False])
async def test_what_is_typed_waits_for_no_tick_of_the_screen(
    typed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"TUI_CHAT_CONFIG": str(tmp_path / "config.toml"), "TUI_CHAT_DATA_DIR": str(tmp_path / "data")}
    async with opened(env, demo=True) as chat:
        await chat.settle()
        frames = SimpleNamespace(pacer=Pacer(time.monotonic))
        monkeypatch.setattr(compositing, "frames_of", lambda _: frames)
        # From now on the screen's own timer does not draw.
        monkeypatch.setattr(Timer, "resume", lambda _: None)
        if typed:
            frames.pacer.typed(key=True)
        with rendered(monkeypatch) as asked:
            await chat.pilot.press("a")
        assert ("composer" in dict(asked)) is typed


def test_a_mouse_that_moves_is_no_key() -> None:
    now = [100.0]
    pacer = Pacer(lambda: now[0])
    pacer.typed()
    assert not pacer.echoing
    pacer.typed(key=True)
    assert pacer.echoing
    now[0] += 2 * ECHO_S
    assert not pacer.echoing
