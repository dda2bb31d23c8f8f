"""The sentences in Vietnamese against those in English: none missing, the same blanks, and as much room as there is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from string import Formatter

import pytest

from tui_chat.domain import words, words_vi
from tui_chat.domain.actions import BY_NAME
from tui_chat.domain.keymap import show_key
from tui_chat.domain.words import ENGLISH, for_programs, locale_language, say, use_language
from tui_chat.domain.words_vi import VIETNAMESE

BOTH = sorted(ENGLISH.keys() & VIETNAMESE.keys())
ROWS = [key for key in ENGLISH if ENGLISH[key].count(" | ") > 1]
COUNTED = {"history.months": 12, "cost.weekdays": 7}
"""Names that are taken by their place."""
FIGURE_ROOM = 15
"""Columns of a label in the figures' pane, beside a number and its unit."""
SENTENCES = ("stats.none", "stats.price_help")
NAMES = frozenset(("history.filters", "batch.row.speed"))
"""Several words that are the same in every language."""


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    use_language("en", {})


def blanks(sentence: str) -> list[tuple[str, str | None, str | None]]:
    """Name, format and conversion of each field."""
    return sorted((name, form, kind) for _, name, form, kind in Formatter().parse(sentence) if name is not None)


def test_no_sentence_is_missing_and_none_too_many() -> None:
    assert sorted(ENGLISH.keys() - VIETNAMESE.keys()) == []
    assert sorted(VIETNAMESE.keys() - ENGLISH.keys()) == []


def test_the_order_is_that_of_english() -> None:
    assert [key for key in VIETNAMESE if key in ENGLISH] == [key for key in ENGLISH if key in VIETNAMESE]


@pytest.mark.parametrize("key", BOTH)
def test_a_sentence_has_the_blanks_of_the_english_one(key: str) -> None:
    assert set(blanks(VIETNAMESE[key])) == set(blanks(ENGLISH[key]))
    assert len(blanks(VIETNAMESE[key])) == len(blanks(ENGLISH[key]))


@pytest.mark.parametrize("key", BOTH)
def test_a_sentence_can_be_shown(key: str) -> None:
    sentence = VIETNAMESE[key]
    assert sentence == sentence.strip() != ""
    assert unicodedata.is_normalized("NFC", sentence)
    assert not [c for c in sentence if unicodedata.category(c).startswith("C") and c != "\n"]
    assert sentence.count("\n") == ENGLISH[key].count("\n")
    assert "  " not in sentence or "  " in ENGLISH[key]
    assert "{{" not in sentence


def test_every_sentence_is_translated() -> None:
    left = {key for key in BOTH if VIETNAMESE[key] == ENGLISH[key] and len(re.findall(r"[a-z]{3,}", plain(key))) > 2}
    assert left <= NAMES


def plain(key: str) -> str:
    """A sentence without its blanks."""
    return re.sub(r"\{[^}]*\}", "", ENGLISH[key])


@pytest.mark.parametrize("key", ROWS)
def test_a_row_of_headings_has_as_many(key: str) -> None:
    assert VIETNAMESE[key].count(" | ") == ENGLISH[key].count(" | ")


@pytest.mark.parametrize(("key", "count"), COUNTED.items())
def test_names_are_found_by_their_place(key: str, count: int) -> None:
    assert len(VIETNAMESE[key].split()) == len(ENGLISH[key].split()) == count


@pytest.mark.parametrize("language", [ENGLISH, VIETNAMESE])
def test_the_figures_have_labels_of_their_own_that_fit(language: dict[str, str]) -> None:
    labels = {key: text for key, text in language.items() if key.startswith("stats.") and key not in SENTENCES}
    assert [text for text in labels.values() if len(text) > FIGURE_ROOM] == []
    own = [text for key, text in labels.items() if key not in ("stats.warm", "stats.speed", "stats.cost")]
    assert sorted(own) == sorted(set(own))


def test_no_sentence_names_a_key_that_can_be_given_away() -> None:
    shown = {show_key(key) for action in BY_NAME.values() for key in action.default if "f" in key or "+" in key}
    told = re.compile("|".join(rf"\b{re.escape(key)}\b" for key in sorted(shown, key=len, reverse=True)))
    also = {key for key, text in ENGLISH.items() if told.search(text)}
    assert {key for key, text in VIETNAMESE.items() if told.search(text)} <= also


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ({}, "en"),
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi"}, "vi"),
        ({"LANG": "vi.UTF-8"}, "vi"),
        ({"LANG": "VI_VN"}, "vi"),
        ({"LANG": "vi@latin"}, "vi"),
        ({"LANG": "vie_VN"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "vi_VN", "LANG": "C"}, "vi"),
        ({"LC_ALL": "C.UTF-8", "LANG": "vi_VN.UTF-8"}, "en"),
        ({"LC_CTYPE": "vi_VN.UTF-8", "LANG": "C"}, "en"),
    ],
)
def test_the_locale_names_the_language(locale: dict[str, str], language: str) -> None:
    assert locale_language(locale) == language
    use_language("auto", locale)
    assert say("state.idle") == {"en": "ready", "vi": "sẵn sàng"}[language]


def test_a_language_that_is_named_counts_more_than_the_locale() -> None:
    use_language("vi", {"LANG": "C"})
    assert say("state.idle") == "sẵn sàng"
    use_language("en", {"LANG": "vi_VN.UTF-8"})
    assert say("state.idle") == "ready"


def test_keys_are_filled_in_and_labels_follow() -> None:
    use_language("vi", {})
    assert say("status.quit") == "Ctrl+Q để thoát."
    assert BY_NAME["quit"].label == "thoát"


def test_what_is_not_translated_is_said_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {key: sentence for key, sentence in VIETNAMESE.items() if key != "state.idle"}
    monkeypatch.setattr(words_vi, "VIETNAMESE", without)
    use_language("vi", {})
    assert say("state.idle") == "ready"
    assert say("state.failed") == "lỗi"


def test_programs_read_english() -> None:
    use_language("vi", {})
    with for_programs():
        assert say("state.idle") == "ready"
    with for_programs(reads=False):
        assert say("state.idle") == "sẵn sàng"
    assert words.say("state.idle") == "sẵn sàng"
