"""Two texts word by word."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.diff import Piece, word_diff, words

TEXTS = st.lists(
    st.sampled_from(["the ", "cat ", "sat", ", ", "\n", "на ", "猫", "が", "don't ", "\r\n", "é", " "])
).map("".join)


def sides(left: str, right: str) -> list[tuple[str, str]]:
    return [(piece.side, piece.text) for piece in word_diff(left, right)]


def test_what_differs_is_a_word() -> None:
    assert sides("The cat sat.", "The dog sat.") == [
        ("both", "The "),
        ("left", "cat "),
        ("right", "dog "),
        ("both", "sat."),
    ]


def test_an_apostrophe_is_within_a_word() -> None:
    assert words("I don't, l’été") == ["I ", "don't", ", ", "l’été"]


def test_scripts_without_spaces_are_compared_by_characters() -> None:
    assert sides("猫が好き", "犬が好き") == [("left", "猫"), ("right", "犬"), ("both", "が好き")]


def test_equal_and_empty() -> None:
    assert sides("same", "same") == [("both", "same")]
    assert sides("", "") == []
    assert sides("", "new") == [("right", "new")]
    assert sides("old", "") == [("left", "old")]


@given(TEXTS | st.text(), TEXTS | st.text())
def test_both_texts_can_be_put_together_again(left: str, right: str) -> None:
    pieces = word_diff(left, right)
    assert "".join(piece.text for piece in pieces if piece.side != "right") == left
    assert "".join(piece.text for piece in pieces if piece.side != "left") == right
    assert all(one.side != other.side for one, other in pairwise(pieces))
    assert Piece("both", "") not in pieces


@pytest.mark.parametrize("size", [10_000, 100_000, 1_000_000])
def test_the_time_is_bounded_where_everything_differs_but_the_marks(size: int) -> None:
    count = size // 12
    left = " ".join(f"a{n}, c{n % 101}" for n in range(count))
    right = " ".join(f"b{n}, c{n % 101}" for n in range(count))
    # The best of some, for another program that has the cores meanwhile makes each step dearer.
    bound = 0.5 if size == 10_000 else 8
    assert any(spent_s(left, right) < bound for _ in range(10 if size == 10_000 else 3))


def spent_s(left: str, right: str) -> float:
    began = time.process_time()
    word_diff(left, right)
    return time.process_time() - began


def test_lines_come_first_where_words_are_too_many() -> None:
    lines = [f"line {n} of a long text that goes on" for n in range(20_000)]
    other = [line.replace("long", "short") if n == 7_000 else line for n, line in enumerate(lines)]
    other[15_000:15_000] = ["new line"]
    found = [piece for piece in word_diff("\n".join(lines), "\n".join(other)) if piece.side != "both"]
    assert [(piece.side, piece.text.strip()) for piece in found] == [
        ("left", "long"),
        ("right", "short"),
        ("right", "new line"),
    ]
