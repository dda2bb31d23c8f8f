"""What a bracketed paste may hold without becoming keys."""

from __future__ import annotations

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key

from tui_chat.ui.terminal import PasteGuard

PASTES = {
    "typed": ("abc\x1b[A\r", "abc\x1b[A\r"),
    "a lone escape": ("\x1b", "\x1b"),
    "pasted": ("\x1b[200~a\r\nb\x1b[201~c", "\x1b[200~a\r\nb\x1b[201~c"),
    "escape inside": ("\x1b[200~a\x1b[31mred\r\x1b[201~\x1b[B", "\x1b[200~a␛[31mred\r\x1b[201~\x1b[B"),
    "an end mark that is none": ("\x1b[200~\x1b[20x\x1b[201~", "\x1b[200~␛[20x\x1b[201~"),
    "two pastes": ("\x1b[200~\x1b\x1b[201~-\x1b[200~\x1b\x1b[201~", "\x1b[200~␛\x1b[201~-\x1b[200~␛\x1b[201~"),
    "a start mark inside": ("\x1b[200~\x1b[200~x\x1b[201~", "\x1b[200~␛[200~x\x1b[201~"),
}


@pytest.mark.parametrize("name", PASTES)
def test_escape_characters_in_a_paste_are_visible_however_it_is_cut(name: str) -> None:
    text, expected = PASTES[name]
    for one in range(len(text) + 1):
        for two in range(one, len(text) + 1):
            guard = PasteGuard()
            assert "".join(map(guard.feed, (text[:one], text[one:two], text[two:]))) == expected
    guard = PasteGuard()
    assert "".join(map(guard.feed, text)) == expected


def test_what_is_typed_is_never_held_back() -> None:
    guard = PasteGuard()
    assert [guard.feed(piece) for piece in ("\x1b", "[20", "x", "\x1b")] == ["\x1b", "[20", "x", "\x1b"]


@pytest.mark.parametrize("after", ["", "\x1b[39;2R", "\x1b[<35;1;1M", "x"])
def test_alt_is_alt_whatever_comes_right_after_it(after: str) -> None:
    found = XTermParser(False).feed(PasteGuard().feed(f"\x1bh{after}"))
    assert [event.key for event in found if isinstance(event, Key)] == ["alt+h", *after[:1].strip("\x1b")]
