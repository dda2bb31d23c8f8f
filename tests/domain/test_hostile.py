"""Foreign text made safe for a terminal."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.hostile import MARKS, harmless, is_control, visible, visible_line

DANGEROUS = {
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    *map(chr, range(0xD800, 0xE000)),
}
KEPT = {"\n", "\t"}
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
NASTY = st.text(
    st.sampled_from("a\r\n\t\x1b[\x9b\u202e\u0301\u200d\u200b\u200f\ud800\udc00\U000e0041\U0001f3f4"), max_size=40
)

SHOWN: dict[str, tuple[str, str]] = {
    "escape sequence": ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
    "title": ("\x1b]0;pwned\x07", "␛]0;pwned␇"),
    "C1 introducer": ("\x9b31m", "\ufffd31m"),
    "next line": ("a\x85b", "a\ufffdb"),
    "NUL and DEL": ("\x00\x7f", "␀␡"),
    "backspace and form feed": ("a\x08\x0c\x0b", "a␈␌␋"),
    "carriage return overwrites": ("safe\rEVIL", "safe␍EVIL"),
    "line ends of Windows": ("a\r\nb\r\n", "a\nb\n"),
    "CR before CRLF": ("a\r\r\nb", "a␍\nb"),
    "newline and tab stay": ("a\n\tb", "a\n\tb"),
    "separators become lines": ("a\u2028b\u2029c", "a\nb\nc"),
    "bidi override": ("a\u202eb\u202c", "a\ufffdb\ufffd"),
    "bidi isolates": ("\u2066a\u2069", "\ufffda\ufffd"),
    "direction marks leave no trace": ("\u200fא\u200e \u061cب", "א ب"),
    "invisible characters leave no trace": ("a\u200bb\u00adc\ufeffd\u2060e\u180ef", "abcdef"),
    "hidden tags": ("a\U000e0001\U000e0041\U000e007fb", "ab"),
    "lone surrogates": ("a\ud800b\udfff", "a\ufffdb\ufffd"),
}
UNCHANGED = {
    "ASCII": "Hello, world! [/foo] {x} \\ `code`",
    "Vietnamese": "Tiếng Việt có dấu",
    "Vietnamese, decomposed": unicodedata.normalize("NFD", "Tiếng Việt có dấu, ổ ử ẵ"),
    "Chinese": "漢字，以及標點。",
    "Japanese": "日本語のテキスト、ガギグ",
    "Korean": "한국어 텍스트",
    "Korean, decomposed": unicodedata.normalize("NFD", "한국어"),
    "Arabic with vowels": "السَّلَامُ عَلَيْكُمْ",
    "Persian with ZWNJ": "می\u200cخواهم",
    "Hebrew with points": "בְּרֵאשִׁית בָּרָא אֱלֹהִים",
    "Devanagari": "क्षत्रिय हिन्दी",
    "Devanagari with ZWJ": "क्\u200dष",
    "Tamil": "தமிழ் மொழி",
    "Thai": "ภาษาไทย น้ำ ที่นี่",
    "Lao": "ພາສາລາວ ຢູ່",
    "Tibetan, stacked": "བསྒྲུབས་ཧྐྵྨླྺྼྻྂ",
    "Greek and Cyrillic": "Ἑλληνικά русский ѝ",
    "emoji": "🙂 👍🏽 1️⃣ ❤️",
    "emoji joined": "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👩🏽\u200d❤️\u200d💋\u200d👨🏻",
    "flags": "🇻🇳 🇩🇪",
    "flags of tags": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "ideographic variation": "葛\U000e0100",
    "mathematics": "x⃗ ≠ ∑ √2 e\u0302",
    "box drawing": "┌─┐ │█│ ░",
    "private use": "\ue0b0",
    "nothing": "",
}
STACKS = {
    "Latin": "\u0301",
    "enclosing": "\u20dd",
    "Hebrew": "\u05b0",
    "Arabic": "\u064e",
    "Thai": "\u0e47",
    "Lao": "\u0ec8",
    "variation selectors": "\ufe0f",
    "joiners": "\u200d",
    "marks with joiners among them": "\u0301\u200c\u0301\u200d",
    "marks with invisible characters among them": "\u0301\u200b",
    "marks with tags among them": "\u0301\U000e0041",
}


@pytest.mark.parametrize("name", SHOWN)
def test_controls_become_visible(name: str) -> None:
    text, shown = SHOWN[name]
    assert visible(text) == shown


@pytest.mark.parametrize("name", UNCHANGED)
def test_ordinary_text_is_unchanged(name: str) -> None:
    assert visible(UNCHANGED[name]) == UNCHANGED[name]
    assert harmless(UNCHANGED[name]) is UNCHANGED[name]


@pytest.mark.parametrize("name", STACKS)
def test_stacked_marks_are_capped(name: str) -> None:
    for text in (f"a{STACKS[name] * 500}b", STACKS[name] * 500):
        shown = visible(text)
        assert len(shown) <= MARKS + 2
        assert shown[:1] == text[:1]


@pytest.mark.parametrize("text", [ANY, NASTY], ids=["any text", "nasty text"])
def test_no_dangerous_character_survives(text: st.SearchStrategy[str]) -> None:
    @given(text)
    def check(text: str) -> None:
        shown = visible(text)
        assert not (set(shown) & DANGEROUS) - KEPT
        assert visible(shown) == shown, "twice is once"
        assert not set(harmless(text)) & DANGEROUS - {"\t"}
        assert harmless(harmless(text)) == harmless(text)
        shown.encode()

    check()


@given(ANY | NASTY, st.integers(2, 30))
def test_a_line_is_one_line_of_its_length(text: str, limit: int) -> None:
    line = visible_line(text, limit)
    assert len(line) <= limit
    assert not set(line) & DANGEROUS
    assert visible_line(line, limit) == line
    assert line == line.strip()


LINES: dict[str, tuple[str, int, str]] = {
    "folded": ("  a \n\n b\tc  ", 20, "a b c"),
    "as long as may be": ("abcde", 5, "abcde"),
    "too long": ("abcdef", 5, "abcd…"),
    "long behind white space": ("\n" * 1000 + "abc", 5, "abc"),
    "white space in between, cut": ("a" + " " * 1000 + "b", 5, "a…"),
    "white space at the end": ("abc" + " " * 1000, 5, "abc"),
    "nothing": ("", 5, ""),
    "markup is no markup": ("[red]x[/]", 20, "[red]x[/]"),
}


@pytest.mark.parametrize("name", LINES)
def test_visible_line(name: str) -> None:
    text, limit, line = LINES[name]
    assert visible_line(text, limit) == line


def test_harmless_drops_what_acts() -> None:
    assert harmless("a\x1b[2Jb\x9b\u202ec\nd\x7f") == "a[2Jbcd"


def test_is_control_names_what_harmless_drops() -> None:
    assert {c for c in map(chr, range(0x110000)) if is_control(c)} == DANGEROUS - {"\t"}


HUGE = {
    "plain": "a" * 4_000_000,
    "escapes": "\x1b[31m" * 500_000,
    "marks": "\u0301" * 2_000_000,
    "tags": "\U0001f3f4\U000e0061" * 500_000,
    "white space": " " * 4_000_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_time_is_linear(name: str) -> None:
    started = time.process_time()
    visible(HUGE[name])
    visible_line(HUGE[name])
    assert time.process_time() - started < 2
