"""Search in a store of a million messages: size, speed of each kind of query, cost of one message in and out.

    python tests/bench/bench_search.py [MESSAGES]

The messages are made up: English, code, Vietnamese, Chinese and Japanese, their words distributed after Zipf. Each
query asks for the newest 50; the goal is a median under 50 ms. Times are the processor's, so that what else runs on
the machine does not count; the worst is by the wall. Takes some minutes and 1 GB of temporary space.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tui_chat.domain.folding import facet, indexed, match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TABLE = """CREATE VIRTUAL TABLE search USING fts5(
    words, facets, content='', columnsize=0, prefix='3 4', tokenize="ascii tokenchars '_'")"""
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-16384")
INSERT = "INSERT INTO search(rowid, words, facets) VALUES (?, ?, ?)"
DELETE = "INSERT INTO search(search, rowid, words, facets) VALUES ('delete', ?, ?, ?)"
NEWEST = "SELECT rowid FROM search WHERE search MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT 50"

BATCH = 10_000
ROUNDS = 7
GOAL_MS = 50.0
FIRST = 1_400_000_000
STEP = 180
"""Rowids are seconds since 1970, raised to be unique; so much lies between two messages in the mean."""
MODELS = tuple(f"maker-{n % 7}/model-{n}.{n % 3}:free" for n in range(30))
KINDS = ("english", "code", "vietnamese", "chinese", "japanese")
SHARES = (50, 20, 12, 10, 8)
COMMON = """
the of and to in is that it for was on are as with his they be at one have this from or had by but some what there we
can out other were all your when up use word how said an each she which do their time if will way about many then them
would write like so these her long make thing see him two has look more day could go come did my sound no most number
who over know water than call first people may down side been now find error model function return
"""
RARE = "zyxwvutron"

Row = tuple[int, str, str]


class Zipf:
    """Words, each as frequent as its rank is low."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(dict.fromkeys(words))
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(len(self._words))))

    def draw(self, chance: Random, count: int) -> list[str]:
        return chance.choices(self._words, cum_weights=self._weights, k=count)


def made_words(chance: Random, count: int, syllables: Sequence[str]) -> list[str]:
    return ["".join(chance.choices(syllables, k=chance.choice((1, 2, 2, 3, 3, 4)))) for _ in range(count)]


def syllables(onsets: str, rimes: str) -> list[str]:
    return [("" if onset == "-" else onset) + rime for onset in onsets.split() for rime in rimes.split()]


class Author:
    """Writes messages in five kinds of text, the same ones each time."""

    def __init__(self) -> None:
        self.chance = Random(1)
        latin = syllables(
            "b c d f g h j l m n p r s t v w st tr pr con de re in -", "a e i o u er an ing ed ion al ate"
        )
        viet = "a à á ạ ã ăn ắng ân ấy âu e ẹ ê ệt ên i ì inh o ó ọ ong ô ồ ộng ơ ở ời u ú ư ừ ước ương yên"
        ideograms = [chr(0x4E00 + n) for n in range(5000)]
        self.chance.shuffle(ideograms)
        kana = [chr(c) for c in range(0x3042, 0x3094)]
        self.english = Zipf(COMMON.split() + made_words(self.chance, 60_000, latin))
        self.vietnamese = Zipf(syllables("b c ch d đ g gi h kh l m n ng nh ph qu r s t th tr v x -", viet))
        self.chinese = Zipf(ideograms[:200] + made_words(self.chance, 30_000, ideograms[:2500]))
        self.japanese = Zipf(kana + made_words(self.chance, 20_000, [*kana, *ideograms[:1500]]))

    def message(self) -> str:
        kind = self.chance.choices(KINDS, SHARES)[0]
        return getattr(self, f"_{kind}")()

    def _english(self) -> str:
        return ". ".join(" ".join(self.english.draw(self.chance, 12)) for _ in range(self.chance.randint(3, 5)))

    def _code(self) -> str:
        words = self.english.draw(self.chance, 48)
        fours = zip(*[iter(words)] * 4, strict=True)
        lines = (f"    {a}_{b}.{c}({d}={self.chance.randrange(10**5)})" for a, b, c, d in fours)
        return "```python\n" + "\n".join(lines) + "\n```"

    def _vietnamese(self) -> str:
        return ", ".join(" ".join(self.vietnamese.draw(self.chance, 9)) for _ in range(self.chance.randint(5, 9)))

    def _chinese(self) -> str:
        return "，".join("".join(self.chinese.draw(self.chance, 8)) for _ in range(self.chance.randint(10, 20))) + "。"

    def _japanese(self) -> str:
        return "、".join("".join(self.japanese.draw(self.chance, 8)) for _ in range(self.chance.randint(8, 15))) + "。"

    def facets(self) -> list[str]:
        role = self.chance.choice(("user", "assistant"))
        model = MODELS[min(int(self.chance.expovariate(0.3)), len(MODELS) - 1)]
        errors = [facet("error", "yes")] if self.chance.random() < 0.02 else []
        return [facet("role", role), facet("endpoint", model[:7]), facet("model", model), *errors]


def messages(count: int) -> Iterator[tuple[int, str, list[str]]]:
    """Rowid, text and facets, oldest first; one in 50 000 holds the rare word."""
    author = Author()
    rowid = FIRST
    for n in range(count):
        rowid += 1 + int(author.chance.expovariate(1 / STEP))
        rare = f" {RARE}" if n % 50_000 == 25_000 else ""
        yield rowid, author.message() + rare, author.facets()


@dataclass(slots=True)
class Built:
    text_bytes: int = 0
    fold_s: float = 0.0
    index_s: float = 0.0
    last: int = 0


def build(store: sqlite3.Connection, count: int) -> Built:
    """Index `count` messages, a transaction for each 10 000."""
    built = Built()
    source = messages(count)
    while batch := list(islice(source, BATCH)):
        began = time.perf_counter()
        rows: list[Row] = [(rowid, indexed(text), " ".join(facets)) for rowid, text, facets in batch]
        folded = time.perf_counter()
        with store:
            store.executemany(INSERT, rows)
        built.fold_s += folded - began
        built.index_s += time.perf_counter() - folded
        built.text_bytes += sum(len(text.encode()) for _, text, _ in batch)
        built.last = rows[-1][0]
    return built


def queries(last: int) -> dict[str, list[tuple[str, list[str], int, int]]]:
    """Kind of query to queries: text, facets, first and last rowid."""
    user, model, error = facet("role", "user"), facet("model", MODELS[2]), facet("error", "yes")
    month = last - 30 * 86_400
    early = (FIRST, FIRST + (last - FIRST) // 5)

    def asked(
        *texts: str, facets: Sequence[str] = (), since: int = 0, until: int = last
    ) -> list[tuple[str, list[str], int, int]]:
        return [(text, list(facets), since, until) for text in texts]

    return {
        "rare word": asked(RARE),
        "very common word": asked("the", "and", "that", "with", "was"),
        "two words": asked("water people", "error model", "many number"),
        "three words, one rare": asked(f"the of {RARE}"),
        "three words, one common": asked("the coning deration", "and reing stal", "of trate preral"),
        "1 letter": asked("c", "t", "e"),
        "2 letters": asked("co", "de", "in", "du"),
        "3 letters": asked("con", "der", "pra", "duo"),
        "4 letters": asked("that", "with", "they", "erro", "conc", "duon"),
        "5 letters": asked("there", "their", "which", "error", "peopl", "derin"),
        "6 letters and more": asked("number", "people", "function", "return", "reingal"),
        "two words as typed": asked("error mod", "water peo", "the co", "function re"),
        "phrase": asked('"the of and"', '"error model"', '"of the people"'),
        "identifier": asked("the_of", "error_model.return", "to_the.of(is="),
        "Vietnamese": asked("duong", "đường phước", "nguoi"),
        "CJK, one character": asked(chr(0x4E2D), "の", "一"),
        "CJK, two characters": asked("のは", "ある", "".join(Author().chinese.draw(Random(4), 2))[:2]),
        "CJK, three characters": asked("のはあ", "".join(Author().chinese.draw(Random(5), 4))[:3]),
        "with facets": asked("the", "error model", "con", facets=[user, model]),
        "with a rare facet": asked("the", "error", "con", facets=[user, error]),
        "facets alone": asked("", facets=[user, error]),
        "last month": asked("the", "error model", "con", since=month),
        "years ago": [(text, [user], *early) for text in ("the", "error model", "con", RARE)],
        "worst: common words, rarely a phrase": asked('"there their there"', '"if if if"'),
        "worst: nothing found": asked("the error のは", "water people function return find 5"),
    }


def milliseconds(action: Callable[[], object]) -> tuple[float, float]:
    """Of the processor, and by the wall."""
    began, spent = time.perf_counter(), time.process_time()
    action()
    return (time.process_time() - spent) * 1000, (time.perf_counter() - began) * 1000


def measure_queries(store: sqlite3.Connection, last: int) -> None:
    """The median and the worst time of the slowest query of each kind, and how many messages each query found."""
    print(f"\n{'query':38} {'median':>9} {'worst':>9}   found")
    for kind, asked in queries(last).items():
        found: list[int] = []
        slowest: tuple[float, float, str] = (0.0, 0.0, "")
        for text, facets, since, until in asked:
            bound = (match(text, facets), since, until)
            found.append(len(store.execute(NEWEST, bound).fetchall()))
            took = [milliseconds(lambda bound=bound: store.execute(NEWEST, bound).fetchall()) for _ in range(ROUNDS)]
            spent, waited = zip(*took, strict=True)
            slowest = max(slowest, (statistics.median(spent), max(waited), text))
        median, worst, text = slowest
        verdict = "" if median < GOAL_MS else f"   OVER THE GOAL: {text}"
        print(f"{kind:38} {median:6.1f} ms {worst:6.1f} ms   {found}{verdict}")


def measure_writes(store: sqlite3.Connection, last: int, count: int = 1000) -> None:
    """Processor time of single messages in and out again, a transaction each."""
    author = Author()
    rows: list[Row] = [(last + n + 1, indexed(author.message()), " ".join(author.facets())) for n in range(count)]

    def write(sql: str, row: Row) -> None:
        with store:
            store.execute(sql, row)

    for title, sql in (("insert", INSERT), ("delete", DELETE)):
        took = sorted(milliseconds(lambda row=row, sql=sql: write(sql, row))[0] for row in rows)
        print(
            f"{title} one message: median {took[count // 2]:.2f} ms, p99 {took[count * 99 // 100]:.2f} ms, "
            f"worst {took[-1]:.1f} ms, mean {statistics.mean(took):.2f} ms"
        )


def size(store: sqlite3.Connection) -> int:
    """Bytes in use."""
    (pages,) = store.execute("PRAGMA page_count").fetchone()
    (free,) = store.execute("PRAGMA freelist_count").fetchone()
    (page,) = store.execute("PRAGMA page_size").fetchone()
    return (pages - free) * page


def segments(store: sqlite3.Connection) -> int:
    return len(store.execute("SELECT DISTINCT segid FROM search_idx").fetchall())


def connect(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path)
    for pragma in PRAGMAS:
        store.execute(f"PRAGMA {pragma}")
    return store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="?", default=1_000_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        store = connect(Path(folder) / "search.db")
        store.execute(TABLE)
        store.execute("INSERT INTO search(search, rank) VALUES ('automerge', 8)")
        built = build(store, count)
        print(
            f"{count:,} messages, {built.text_bytes / 1e6:.0f} MB of text; folded in {built.fold_s:.0f} s, "
            f"indexed in {built.index_s:.0f} s; index {size(store) / 1e6:.0f} MB "
            f"({size(store) / built.text_bytes:.0%} of the text), {segments(store)} segments"
        )
        measure_queries(store, built.last)
        measure_writes(store, built.last)
        store.close()


if __name__ == "__main__":
    main()
