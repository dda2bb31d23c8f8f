"""Estimates of tokens, against hand-counted bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.tokens import LEAST_BYTES, MEMORY, STARTING, Lesson, Ratios, TextClass, TokenCounter, count

CLASSES = {
    "plain words": {TextClass.LATIN: 11},
    "été": {TextClass.LATIN: 5},
    "中文字": {TextClass.CJK: 9},
    "한국어": {TextClass.CJK: 9},
    "привет": {TextClass.CYRILLIC: 12},
    "שלום": {TextClass.OTHER: 8},
    "a中b": {TextClass.CJK: 3, TextClass.LATIN: 2},
    '{"a": 1}': {TextClass.JSON: 8},
    "\n [1, 2]": {TextClass.JSON: 8},
    "x\n```py\ny = 1\n```\nz": {TextClass.LATIN: 9, TextClass.CODE: 10},
    "x\n```json\n{}\n```\nz": {TextClass.LATIN: 11, TextClass.JSON: 7},
    "in `line` code": {TextClass.LATIN: 14},
}


@pytest.mark.parametrize("text", CLASSES)
def test_bytes_by_class(text: str) -> None:
    counter = TokenCounter()
    counter.feed(text)
    assert counter.sizes == CLASSES[text]
    if not {TextClass.CODE, TextClass.JSON} & counter.sizes.keys():
        assert counter.tokens == pytest.approx(sum(size / STARTING[kind] for kind, size in CLASSES[text].items()))


WEIGHTS = {'{"a": 1}': 8 - 1 + 5 * 1.5 + 0.7, "[\n    [], 12\n]": 14 - 7 + 5 * 1.5 + 2 * 0.7, '{"é_"}': 7 + 5 * 1.5}
"""Bytes, less white space, and more for marks and digits."""


@pytest.mark.parametrize("text", WEIGHTS)
def test_marks_of_code_weigh_much_and_spaces_nothing(text: str) -> None:
    whole, cut = TokenCounter(), TokenCounter()
    whole.feed(text)
    for char in text:
        cut.feed(char)
    assert whole.tokens == pytest.approx(cut.tokens) == pytest.approx(WEIGHTS[text] / STARTING[TextClass.JSON])


@given(st.lists(st.text("a`\n{}json中 ", max_size=12)))
def test_the_way_a_text_is_cut_changes_little(pieces: list[str]) -> None:
    """A fence is known at the end of its line, so only the line in which a piece ends may go to another class."""
    whole, cut = TokenCounter(), TokenCounter()
    whole.feed("".join(pieces))
    for piece in pieces:
        cut.feed(piece)
    assert cut.size == whole.size == len("".join(pieces).encode())


@given(st.lists(st.sampled_from(["word ", "```py\n", "x = 1\n", "```\n", "\n", "中文\n"])))
def test_whole_lines_are_classed_alike_however_they_come(lines: list[str]) -> None:
    whole, cut = TokenCounter(), TokenCounter()
    whole.feed("".join(lines))
    for line in lines:
        cut.feed(line)
    assert cut.sizes == whole.sizes
    assert cut.tokens == pytest.approx(whole.tokens)


def test_a_learned_ratio_takes_the_place_of_the_first() -> None:
    assert count("word" * 10, Ratios({TextClass.LATIN: 5.0})) == 8
    assert count("привет", Ratios({TextClass.LATIN: 5.0})) == 12 / STARTING[TextClass.CYRILLIC]


@pytest.mark.parametrize(
    ("text", "tokens", "ratio"),
    [
        ("x" * (LEAST_BYTES + 100), 100, 5.0),
        ("x" * LEAST_BYTES, 80, None),
        ("x" * 1000, 0, None),
        ("x" * 600 + "ж" * 200, 100, None),
        ("ж" * 500, 125, 8.0),
    ],
)
def test_what_a_reply_teaches(text: str, tokens: int, ratio: float | None) -> None:
    counter = TokenCounter()
    counter.feed(text)
    lesson = counter.lesson(tokens)
    assert (lesson and lesson.ratio) == ratio


def test_lessons_add_up_and_fade() -> None:
    first = Lesson(TextClass.LATIN, 1000, 250)
    both = Lesson(TextClass.LATIN, 1000, 200).after(first)
    assert (both.size, both.tokens) == (2000, 450)
    old = Lesson(TextClass.LATIN, 10 * MEMORY, 10 * MEMORY / 4)
    now = Lesson(TextClass.LATIN, MEMORY, MEMORY / 5).after(old)
    assert now.ratio == pytest.approx(2 * MEMORY / (MEMORY / 4 + MEMORY / 5))
