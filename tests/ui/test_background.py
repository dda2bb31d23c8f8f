"""What the terminal answers about its background, among what is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.program import COMMAND, clean_environment
from tests.kit.screen import environment, opened
from tests.kit.serving import demo_server
from tests.kit.terminal import Terminal
from tui_chat.ui.background import PATIENCE_S, Background, BackgroundTold, of_environment

DARK = "\x1b]11;rgb:1414/1616/1f1f\x1b\\"
LIGHT = "\x1b]11;rgb:fb/fa/f7\x07"
IDENTITY = "\x1b[?62;22;52c"
STREAMS = {
    "dark, between keys": (f"a{DARK}b{IDENTITY}c", "abc", [False]),
    "light, alone": (f"{LIGHT}{IDENTITY}", "", [True]),
    "with an alpha": (f"\x1b]11;rgba:ffff/ffff/ffff/ffff\x1b\\{IDENTITY}x", "x", [True]),
    "no answer": (f"a{IDENTITY}b", "ab", []),
    "keys that begin alike": (f"\x1b]x\x1b[A\x1b[?1u\x1b{IDENTITY}", "\x1b]x\x1b[A\x1b[?1u\x1b", []),
    "a change later": (f"{DARK}{IDENTITY}a\x1b[?997;2nb\x1b[?997;1n", "ab", [False, True, False]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_answers_are_taken_out_however_they_are_cut(name: str) -> None:
    stream, typed, told = STREAMS[name]
    asked = stream.index(IDENTITY) + len(IDENTITY)
    for cut in range(len(stream) + 1):
        if cut > asked and stream[:cut].endswith(("\x1b", "\x1b[")):
            # It could be a key, which must not wait.
            continue
        background = Background()
        background.asked(0)
        first, one = background.feed(stream[:cut], 0.1)
        second, two = background.feed(stream[cut:], 0.2)
        rest = background.release()
        assert (first + second + rest, one + two) == (typed, told), cut


def test_nothing_is_held_back_unasked() -> None:
    background = Background()
    assert [background.feed(key, 0)[0] for key in ("\x1b", "\x1b]", "\x1b[1")] == ["\x1b", "\x1b]", "\x1b[1"]
    background.asked(0)
    assert background.feed("\x1b", PATIENCE_S + 1) == ("\x1b", [])


def test_a_key_that_was_held_comes_once_nothing_follows() -> None:
    background = Background()
    background.asked(0)
    assert background.feed("a\x1b", 0.1) == ("a", [])
    assert background.release() == "\x1b"
    assert background.release() == ""


def test_an_answer_is_owed_until_the_terminal_has_said_who_it_is() -> None:
    background = Background()
    assert not background.owed(0)
    background.asked(0)
    background.feed(DARK, 0.1)
    assert background.owed(0.1)
    background.feed(IDENTITY, 0.1)
    assert not background.owed(0.1)
    background.asked(1)
    assert not background.owed(1 + PATIENCE_S)


@pytest.mark.parametrize(
    ("value", "light"),
    [("15;0", False), ("0;15", True), ("0;default;15", True), ("12;8", False), ("", None), ("x", None)],
)
def test_what_the_environment_says(value: str, light: bool | None) -> None:
    assert of_environment({"COLORFGBG": value}) is light


async def test_the_theme_follows_the_terminal_until_one_is_chosen(tmp_path: Path) -> None:
    with demo_server() as server:
        env = environment(tmp_path, server)
        async with opened({**env, "COLORFGBG": "0;15"}, "demo-fast") as chat:
            assert chat.app.theme == "paper"
            for light, theme in ((False, "night"), (True, "paper")):
                chat.app.post_message(BackgroundTold(light=light))
                await chat.settle()
                assert chat.app.theme == theme
            await chat.send("/theme ember")
            chat.app.post_message(BackgroundTold(light=False))
            await chat.settle()
            assert chat.app.theme == "ember"
        async with opened(env, "demo-fast") as chat:
            assert not chat.app.follows_background
        (tmp_path / "data" / "state.toml").unlink()
        (tmp_path / "config.toml").write_text('[ui]\ntheme = "clear"\n')
        async with opened(env, "demo-fast") as chat:
            assert (chat.app.theme, chat.app.follows_background) == ("clear", False)


@pytest.mark.parametrize(
    ("background", "ground"),
    [(b"ffff/ffff/ffff", b"48;2;251;250;247"), (b"0000/0000/0000", b"48;2;20;22;31"), (b"", b"48;2;20;22;31")],
)
def test_a_terminal_is_asked_and_its_answer_is_typed_nowhere(tmp_path: Path, background: bytes, ground: bytes) -> None:
    with Terminal([*COMMAND, "--demo"], clean_environment(tmp_path), (80, 24), tmp_path) as terminal:
        terminal.background = background
        terminal.wait("Ctrl+Q quit")
        terminal.wait(lambda: "Message demo-fast" in terminal.text)
        terminal.wait(lambda: ground in terminal.raw, 10)
        terminal.raw.clear()
        terminal.send("x")
        terminal.wait(lambda: terminal.lines[-2].strip() == "x")
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0
        assert b"\x1b[?2031l" in terminal.raw
