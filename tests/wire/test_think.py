"""<think> blocks and surrogate halves, however the text is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.events import Text, Thinking
from tui_chat.wire.surrogates import PairJoiner, well_formed
from tui_chat.wire.think import ThinkSplitter

if TYPE_CHECKING:
    from collections.abc import Iterable


def split(pieces: Iterable[str]) -> tuple[str, str]:
    """(reasoning, answer)"""
    splitter = ThinkSplitter()
    events = [event for piece in pieces for event in splitter.feed(piece)] + splitter.finish()
    assert all(event.text for event in events)
    return (
        "".join(e.text for e in events if isinstance(e, Thinking)),
        "".join(e.text for e in events if isinstance(e, Text)),
    )


CASES: dict[str, tuple[str, str, str]] = {
    "no block": ("Hello", "", "Hello"),
    "a block and an answer": ("<think>hm</think>Hello", "hm", "Hello"),
    "line ends around the tags": ("\n<think>\n\nhm\n</think>\n\nHello\n", "hm\n", "Hello\n"),
    "an empty block": ("<think>\n\n</think>\n\nHello", "", "Hello"),
    "a block and nothing else": ("<think>hm</think>", "hm", ""),
    "a block and white space": ("<think>hm</think> \n ", "hm", ""),
    "never closed": ("<think>hm, and then", "hm, and then", ""),
    "cut in the closing tag": ("<think>hm</thin", "hm</thin", ""),
    "cut in the opening tag": ("<thin", "", "<thin"),
    "like a tag": ("<thinker>Rodin</thinker>", "", "<thinker>Rodin</thinker>"),
    "like a closing tag": ("<think>a </b> </thinks> < </ </think>b", "a </b> </thinks> < </ ", "b"),
    "later in the answer": ("Use <think>x</think>.", "", "Use <think>x</think>."),
    "a second block is text": ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
    "a block in a block": ("<think>a<think>b</think>c", "a<think>b", "c"),
    "white space before text": ("  Hello", "", "  Hello"),
    "white space alone": (" \n", "", " \n"),
    "spaces after the opening tag stay": ("<think>  hm</think>x", "  hm", "x"),
    "twice the first letter": ("<<think>", "", "<<think>"),
    "closing tag begun twice": ("<think>a<</think>b", "a<", "b"),
}


@pytest.mark.parametrize("name", CASES)
def test_think_blocks_cut_at_every_place(name: str) -> None:
    text, reasoning, answer = CASES[name]
    assert split([text]) == (reasoning, answer)
    assert split(text) == (reasoning, answer)
    for at in range(1, len(text)):
        assert split([text[:at], text[at:]]) == (reasoning, answer), f"cut at {at}"


PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<th", "ink>", "</thi", "nk>", "<", ">", "/", "\n", " ", "a", "b"]),
    max_size=12,
)


@given(PIECES)
def test_any_cut_gives_the_same_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert split(pieces) == split([text] if text else []) == split(text)


@given(st.text(max_size=30))
def test_ordinary_text_passes(text: str) -> None:
    answer = f"a{text}"
    assert split(answer) == ("", answer)


PAIRS: dict[str, tuple[list[str], str]] = {
    "plain": (["a", "b"], "ab"),
    "halves": (["a\ud83d", "\ude42b"], "a🙂b"),
    "halves alone": (["\ud83d", "\ude42"], "🙂"),
    "halves in one piece": (["\ud83d\ude42"], "🙂"),
    "first half at the end": (["a\ud83d"], "a\ufffd"),
    "first half, then text": (["\ud83d", "a"], "\ufffda"),
    "two first halves": (["\ud83d", "\ud83d", "\ude42"], "\ufffd🙂"),
    "second half alone": (["a\ude42b"], "a\ufffdb"),
    "beside a whole emoji": (["🙂\ud83d", "\ude42🙂"], "🙂🙂🙂"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_halves_of_a_pair_are_joined(name: str) -> None:
    pieces, text = PAIRS[name]
    joiner = PairJoiner()
    assert "".join(map(joiner.feed, pieces)) + joiner.finish() == text
    assert joiner.finish() == ""


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()), max_size=4), max_size=6))
def test_joined_text_is_valid_and_the_same_for_any_cut(pieces: list[str]) -> None:
    joiner, letters = PairJoiner(), PairJoiner()
    text = "".join(map(joiner.feed, pieces)) + joiner.finish()
    assert text == "".join(map(letters.feed, "".join(pieces))) + letters.finish() == well_formed("".join(pieces))
    text.encode()
