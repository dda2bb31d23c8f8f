"""Folding of texts and queries, what FTS5 then finds, and where in the text."""

from __future__ import annotations

import re
import sqlite3
import time
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tui_chat.domain.folding import MOST_QUERY, facet, find_all, fold, indexed, match, snippet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TABLE = """CREATE VIRTUAL TABLE search USING fts5(
    words, facets, content='', columnsize=0, prefix='3 4', tokenize="ascii tokenchars '_'")"""

FOLDED: dict[str, tuple[str, str]] = {
    "case": ("Hello WORLD", "hello world"),
    "signs part words": ("foo.bar(), max_tokens=1; don't", "foo bar max tokens 1 don t"),
    "Vietnamese": ("Đường Trần Hưng Đạo, ổ ử ẵ", "duong tran hung dao o u a"),
    "Vietnamese, decomposed": (unicodedata.normalize("NFD", "Đường Việt"), "duong viet"),
    "German": ("Straße STRASSE ẞ Äpfel", "strasse strasse ss apfel"),
    "Turkish": ("İstanbul ISPARTA ığdır", "istanbul isparta igdir"),
    "Polish": ("Łódź żółw", "lodz zolw"),
    "Nordic": ("Ærø Åse Þór smørrebrød", "aero ase thor smorrebrod"),
    "French": ("l'œuvre À ÇA", "l oeuvre a ca"),
    "Greek": ("Ὀδυσσεύς ΛΌΓΟΣ", "οδυσσευσ λογοσ"),
    "Russian": ("Ёлка Йод", "елка иод"),
    "Ukrainian apostrophes": ("п'ять пʼять п’ять", "п ять п ять п ять"),
    "Hebrew with points": ("בְּרֵאשִׁית", "בראשית"),
    "Arabic with vowels": ("السَّلَامُ أحمد كـــتاب", "السلام احمد كتاب"),
    "Persian": ("کتاب\u200cها", "كتاب ها"),
    "digits of other scripts": ("٣٤ ३४ ３４", "34 34 34"),
    "Hindi keeps its vowel signs": ("हिन्दी क़लम", "हिन्दी कलम"),
    "Chinese": ("中文字，好", "中文 文字 字 好"),
    "Chinese with words": ("用Python写3行", "用 python 写 3 行"),
    "Japanese": ("がぎ カー", "がぎ ぎ カー ー"),
    "Japanese, decomposed": (unicodedata.normalize("NFD", "がぎ"), "がぎ ぎ"),
    "Japanese, half width": ("ｶﾞｷﾞ", "ガギ ギ"),
    "Korean": ("한국어", "한국 국어 어"),
    "Korean, decomposed": (unicodedata.normalize("NFD", "한국어"), "한국 국어 어"),
    "Thai": ("ไทย", "ไท ทย ย"),
    "rare ideographs": ("\U00020000\U0002a6d6", "\U00020000\U0002a6d6 \U0002a6d6"),
    "compatibility forms": ("ﬁne ① ½ x² ㍿", "fine 1 1 2 x2 株式 式会 会社 社"),
    "full width": ("ＡＢＣ　ｄ", "abc d"),
    "invisible characters": ("so\u00adft \ufeffx\u200dy a\u200bb", "soft xy a b"),
    "emoji": ("a👩\u200d👩b 1️⃣", "a b 1"),
    "surrogates and controls": ("a\ud800b\x00c\x1b[31m", "a b c 31m"),
    "zalgo": ("z\u0301\u0302\u0303\u0489a\u20dd", "za"),
    "nothing": ("…— \n", ""),
}

FOUND: dict[str, tuple[str, str, list[str]]] = {
    "case": ("Hello World", "WORLD hello", ["Hello", "World"]),
    "prefix": ("conversation", "conv", ["conv"]),
    "two letters": ("a debugger", "de", ["de"]),
    "one letter is a word": ("cat c at", "c", ["c"]),
    "Vietnamese without accents": ("những con đường dài", "duong", ["đường"]),
    "Vietnamese with accents": ("nhung con duong", "đường", ["duong"]),
    "Vietnamese, decomposed": (
        unicodedata.normalize("NFD", "một đường"),
        "duong",
        [unicodedata.normalize("NFD", "đường")],
    ),
    "marks belong to their letter": ("cafe\u0301\u0323s", "cafe", ["cafe\u0301\u0323"]),
    "German, longer folded": ("Die Straße", "strasse", ["Straße"]),
    "German, half a letter": ("Die Straße", "stras", ["Straß"]),
    "German, shorter folded": ("die Strasse", "straße", ["Strasse"]),
    "Turkish": ("İstanbul'da ISPARTA", "istanbul ısparta", ["İstanbul", "ISPARTA"]),
    "Greek final sigma": ("ὁ λόγος", "ΛΟΓΟΣ", ["λόγος"]),
    "Chinese, two characters": ("今天天气很好", "天气", ["天气"]),
    "Chinese, one character": ("今天天气好", "天", ["天", "天"]),
    "Chinese, the last character": ("今天天气好", "好", ["好"]),
    "Chinese, four characters": ("我们去公园散步吧", "公园散步", ["公园散步"]),
    "Chinese beside Latin": ("我用Python写程序", "用python写", ["用Python写"]),
    "Chinese before Latin": ("我使用Python", "使用 python", ["使用", "Python"]),
    "Japanese": ("データベースの検索", "検索 データ", ["データ", "検索"]),
    "Japanese, half width": ("ﾃﾞｰﾀ", "データ", ["ﾃﾞｰﾀ"]),
    "Japanese, decomposed": ("か\u3099くせい", "がく", ["か\u3099く"]),
    "Korean without its particle": ("한국어를 배우다", "한국어", ["한국어"]),
    "Korean, decomposed": (unicodedata.normalize("NFD", "한국어"), "국어", [unicodedata.normalize("NFD", "국어")]),
    "Thai without spaces": ("ภาษาไทยง่าย", "ไทย", ["ไทย"]),
    "Hindi": ("हिन्दी भाषा", "हिन्दी", ["हिन्दी"]),
    "identifier": ("set max_tokens=5", "max_tokens", ["max_tokens"]),
    "identifier, begun": ("set max_tokens=5", "max_to", ["max_to"]),
    "identifier and its part": ("set max_tokens=5", "max max_tokens", ["max_tokens"]),
    "identifier by a part": ("set max_tokens=5", "tokens", ["tokens"]),
    "model": ("we use gpt-4.1 here", "gpt-4.1", ["gpt-4.1"]),
    "call": ("call foo.bar() now", "foo.bar()", ["foo.bar"]),
    "path": ("see /usr/local/lib/x.py", "/usr/local/lib", ["usr/local/lib"]),
    "number": ("pi is 3.14159", "3.14", ["3.14"]),
    "phrase": ("the quick brown fox, quick the", '"quick brown"', ["quick brown"]),
    "phrase across signs": ("one -- two", '"one two"', ["one -- two"]),
    "phrase still open": ("the quick brown fox", '"quick bro', ["quick bro"]),
    "phrase of one letter": ("vitamin C and D", '"vitamin c"', ["vitamin C"]),
    "syntax is text": ("a AND b NOT c NEAR", "AND* NOT NEAR", ["AND", "NOT", "NEAR"]),
    "more syntax": ("x words : y", '{words} : "x"* ^', ["x", "words"]),
    "marks of the index are text": ("_the __role", "__role_75", []),
}

NOT_FOUND: dict[str, tuple[str, str]] = {
    "within a word": ("maxtokens", "tokens"),
    "a word of two is missing": ("alpha beta", "alpha gamma"),
    "order of a phrase": ("brown quick", '"quick brown"'),
    "a closed phrase is whole": ("the quick browner", '"quick brown"'),
    "identifier apart": ("max and tokens", "max_tokens"),
    "characters apart": ("中间文字", "中文"),
    "characters across a comma": ("天，气", "天气"),
    "longer than the run": ("天气", "天气很"),
    "voiced is another letter": ("かき", "がき"),
}

ALPHABET = (
    "aAbsßİıđĐéæﬁﬃ中文字かが\u3099ｶﾞ\uff9e한어\u1112\u1161\u11abไท\u0e48हि्\u0301\u0323\u200d\u200b\ufe0f0٣½㍿\ud800😀\U00020000"
    " _-.,\n\t\"'*"
)
MIXED = st.text(st.sampled_from(ALPHABET), max_size=40)
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
LOOSE_JAMO = re.compile("[\u1100-\u11ff]")
"""Make a syllable only where nothing stands between them, which folding may leave out."""
TEXTS = st.one_of(MIXED, ANY)


@pytest.fixture(scope="module")
def store() -> Iterator[sqlite3.Connection]:
    """An empty index; each test leaves it empty."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(TABLE)
    yield connection
    connection.close()


def found(
    store: sqlite3.Connection, text: str, query: str, held: Iterable[str] = (), asked: Iterable[str] = ()
) -> bool:
    """Whether FTS5 finds `text`, held with some facets, by `query` and the facets asked for."""
    row = (7, indexed(text), " ".join(held))
    store.execute("INSERT INTO search(rowid, words, facets) VALUES (?, ?, ?)", row)
    try:
        return store.execute("SELECT rowid FROM search WHERE search MATCH ?", (match(query, asked),)).fetchall() == [
            (7,)
        ]
    finally:
        store.execute("INSERT INTO search(search, rowid, words, facets) VALUES ('delete', ?, ?, ?)", row)


@pytest.mark.parametrize(("text", "folded"), FOLDED.values(), ids=FOLDED)
def test_folds(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(("text", "query", "hits"), FOUND.values(), ids=FOUND)
def test_finds_and_marks(store: sqlite3.Connection, text: str, query: str, hits: list[str]) -> None:
    assert found(store, text, query) is bool(hits)
    assert [text[start:end] for start, end in find_all(text, query)] == hits
    assert [piece for piece, is_hit in snippet(text, query, 80) if is_hit] == hits


@pytest.mark.parametrize(("text", "query"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_does_not_find(store: sqlite3.Connection, text: str, query: str) -> None:
    assert not found(store, text, query)


@pytest.mark.parametrize("query", ["", " \n", '"', '""', "*", "()", "…", "\x00", "\ud800", "👍", "-- ^ : {}"])
def test_nothing_to_search_for(query: str) -> None:
    assert match(query) is None
    assert find_all("some text", query) == []
    assert snippet("some text", query, 80) == [("some text", False)]


def test_facets_narrow_a_search(store: sqlite3.Connection) -> None:
    held = [facet("model", "maker/x-4.1:free"), facet("role", "user")]
    assert found(store, "some text", "text", held, held)
    assert found(store, "some text", "", held, held[:1])
    assert not found(store, "some text", "text", held, [facet("model", "maker/x-4.1")])
    assert not found(store, "some text", "text", held, [facet("role", "maker/x-4.1:free")])
    assert not found(store, "some text", "other", held, held)


def test_facets_are_no_words(store: sqlite3.Connection) -> None:
    token = facet("role", "user")
    assert not found(store, f"text {token} role user", "text", asked=[token])
    assert not found(store, "text", "role", held=[token])
    assert not found(store, "text", token, held=[token])


@given(st.text(), st.text())
def test_facets_differ_as_their_values_do(one: str, other: str) -> None:
    assert (facet("model", one) == facet("model", other)) == (one == other)


@pytest.mark.parametrize("value", ["", "\ud800", "a b", "MODEL", "ø"])
def test_any_value_makes_a_facet(store: sqlite3.Connection, value: str) -> None:
    assert found(store, "", "", [facet("model", value)], [facet("model", value)])


@given(TEXTS)
@example("\u3099")
@example("か\u0301\u3099")
def test_folded_text_is_words_and_spaces(text: str) -> None:
    folded = fold(text)
    assert folded == " ".join(folded.split())
    assert {unicodedata.category(char)[0] for char in folded if char != " "} <= set("LNM")
    folded.encode()


def test_each_character_folds_to_what_stays_as_it_is() -> None:
    for char in map(chr, range(0x20000)):
        assert all(word in fold(word).split() for word in fold(char).split()), hex(ord(char))


@given(TEXTS)
@example("か\uff9e")
@example("か\u0301\u3099")
def test_folding_again_changes_no_word(text: str) -> None:
    assume(not LOOSE_JAMO.search(fold(text)))
    for word in fold(text).split():
        assert word in fold(word).split()


@given(TEXTS, TEXTS)
def test_texts_fold_apart(one: str, other: str) -> None:
    assert fold(f"{one}\n{other}") == f"{fold(one)} {fold(other)}".strip()


@given(TEXTS)
@example("ab-c ab")
@example("用a 用")
def test_every_word_of_a_text_finds_it(store: sqlite3.Connection, text: str) -> None:
    words = [word for word in text.replace('"', " ").split() if fold(word)]
    assume(words)
    for word in words:
        assert found(store, text, word)
        assert found(store, text, f'"{word}"')
        assert find_all(text, word)
    assert found(store, text, " ".join(words)[:MOST_QUERY])


@given(TEXTS)
def test_every_run_of_words_is_a_phrase(store: sqlite3.Connection, text: str) -> None:
    line = text.replace('"', " ")
    assume(fold(line))
    assert found(store, line, f'"{line}"')
    assert found(store, line, f'"{line}')
    assert len(find_all(line, f'"{line}"')) == 1


@given(TEXTS, TEXTS)
@example("中文", "文")
@example("ab 文b", '"b 文')
@example("ßa s", "s")
def test_marks_are_where_the_index_finds(store: sqlite3.Connection, text: str, query: str) -> None:
    parts = [part for part in query.replace('"', " ").split() if match(part)]
    for part in [*parts, f'"{query.replace(chr(34), " ")}"']:
        if match(part):
            assert found(store, text, part) == bool(find_all(text, part)), part


@given(TEXTS, MIXED)
def test_marks_fold_to_what_was_asked(text: str, query: str) -> None:
    wanted = "".join(fold(query.replace('"', " ")).split()).replace(" ", "")
    end = 0
    for start, stop in find_all(text, query):
        assert end <= start < stop <= len(text)
        assert set("".join(fold(text[start:stop]).split())) & set(wanted)
        end = stop


@given(TEXTS, MIXED, st.integers(1, 60))
def test_snippet_is_a_part_of_the_text(text: str, query: str, width: int) -> None:
    pieces = snippet(text, query, width)
    line = "".join(piece for piece, _ in pieces)
    assert len(line) <= width
    assert all(piece for piece, _ in pieces)
    shown = line.removeprefix("…").removesuffix("…")
    assert shown.strip() in " ".join(text.split())
    assert not set(line) & set("\n\t\r\x0b\x0c\x85\u2028")


@given(MIXED, st.integers(20, 60))
def test_snippet_shows_a_hit(text: str, width: int) -> None:
    words = [word for word in text.replace('"', " ").split() if fold(word)]
    assume(words)
    pieces = snippet(f"{text} " * 3, words[-1], width)
    assert any(is_hit for _, is_hit in pieces)


def test_snippet_is_taken_where_most_is_found() -> None:
    text = "alpha " + "x " * 300 + "here alpha meets beta, " + "y " * 300 + "beta"
    line = snippet(text, "beta alpha", 40)
    assert [piece for piece, is_hit in line if is_hit] == ["alpha", "beta"]
    assert "".join(piece for piece, _ in line) == "…x x x here alpha meets beta, y y y y y…"


def test_snippet_begins_with_a_word() -> None:
    assert snippet("extraordinarily\n\n  long words before it", "before", 21) == [
        ("…words ", False),
        ("before", True),
        (" it", False),
    ]


def test_snippet_without_a_hit_is_the_beginning() -> None:
    assert snippet("  one two three", "four", 8) == [("one two", False), ("…", False)]


def test_a_hit_far_into_a_long_text_is_shown() -> None:
    text = "word " * 60_000 + "đích " + "word " * 60_000
    assert ("đích", True) in snippet(text, "dich", 60)
    assert find_all(text, "dich") == [(300_000, 300_004)]


@pytest.mark.parametrize("shift", range(4))
def test_long_texts_are_traced_through(shift: int) -> None:
    text = "x" * shift + "か\u3099ß " * 2000
    assert find_all(text, "が") == [(start, start + 2) for start in range(shift, len(text), 4)]
    assert find_all(text, "ss") == [(start, start + 1) for start in range(shift + 2, len(text), 4)]


def test_a_word_cut_by_the_first_look_is_no_hit() -> None:
    assert snippet("x" * 49_998 + " cat c", "c", 12) == [("…cat ", False), ("c", True)]


def test_snippet_tells_of_what_stands_beyond_much_space() -> None:
    assert snippet("a" + " " * 1000 + "b", "b", 20) == [("… ", False), ("b", True)]


def test_a_long_query_is_cut(store: sqlite3.Connection) -> None:
    assert found(store, "word " * 3, "word " * 100_000)
    assert len(match("a b " * 100_000) or "") < 10 * MOST_QUERY


HOSTILE = {
    "one word": "a" * 1_000_000,
    "zalgo": ("e" + "\u0301\u0323" * 50) * 4000,
    "marks": "\u0301\u0323" * 200_000,
    "voice marks": "か" + "\u3099" * 200_000,
    "vowels": "\u1161" * 200_000,
    "surrogates": "\ud800" * 400_000,
    "ideographs": "中" * 200_000,
    "long letters": "ﷺ" * 20_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_costs_as_much_as_it_is_long(text: str) -> None:
    def cost(part: str) -> float:
        began = time.process_time()
        indexed(part)
        find_all(part, "a 中 e か zz")
        snippet(part, '"e e" 中', 80)
        return time.process_time() - began

    cost(text[:1000])
    eighth = min(cost(text[: len(text) // 8]) for _ in range(3))
    assert cost(text) < 8 * 4 * max(eighth, 0.005)
