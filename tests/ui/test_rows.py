"""Turns laid out as rows: every element, wrapped by cells, and the same whether it streams in or stands whole."""

from __future__ import annotations

import gc
import random
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui_chat.demo.models import HOSTILE, hostile_content
from tui_chat.domain.hostile import is_control
from tui_chat.ui.cells import columns
from tui_chat.ui.rows import STYLES, Block, Head, Note, Turn, TurnRows
from tui_chat.ui.rows.blocks import Blocks
from tui_chat.ui.rows.inline import Inline
from tui_chat.ui.rows.lines import Lines
from tui_chat.ui.rows.marks import decor, no_line
from tui_chat.ui.rows.parsing import parse
from tui_chat.ui.rows.rest import Open
from tui_chat.ui.rows.runs import NARROW, clusters, fold, wrap
from tui_chat.ui.rows.runs import strip as row_of

PALETTE = {name: Style(color=f"color({16 + place})") for place, name in enumerate(STYLES)}
WIDTH = 40


def written(strip: Strip) -> str:
    return "".join(segment.text for segment in strip)


def texts(strips: list[Strip]) -> list[str]:
    return [written(strip).rstrip() for strip in strips]


def rows(text: str, width: int = WIDTH) -> list[Strip]:
    """A whole document."""
    frozen, tail = Block(PALETTE, width, text).rows()
    return [*frozen, *tail]


def drawn(text: str, width: int = WIDTH) -> list[str]:
    """The document's rows without the margin of two cells."""
    lines = texts(rows(text, width))
    assert all(line.startswith("  ") for line in lines if line)
    return [line[2:] for line in lines]


def style_of(text: str, part: str) -> Style | None:
    """The style of the segment that is `part`."""
    found = [s.style for strip in rows(text) for s in strip if s.text.strip() == part]
    assert len(found) == 1, (part, rows(text))
    return found[0]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("one\ntwo", ["one", "two"]),
        ("one  \ntwo\\\nthree", ["one", "two", "three"]),
        ("one\n\n\ntwo", ["one", "", "two"]),
        ("# Title\ntext", ["# Title", "", "text"]),
        ("### Third", ["### Third"]),
        ("Title\n=====", ["# Title"]),
        ("a **b** _c_ ~~d~~ `e`", ["a b c d e"]),
        ("- a\n- b\n  - c", ["• a", "• b", "  • c"]),
        ("- a\n\n- b", ["• a", "", "• b"]),
        ("9. a\n10. b", ["9. a", "10. b"]),
        ("- [ ] open\n- [x] done", ["• ☐ open", "• ☑ done"]),
        ("- a\n\n  more\n- b", ["• a", "", "  more", "• b"]),
        ("- a\n- b\n\n- c", ["• a", "• b", "", "• c"]),
        ("- a\n  ```\n  x\n  ```\n  b", ["• a", "   x", "  b"]),
        ("-", ["•"]),
        ("> a\n> b\n>> c", ["▎ a", "▎ b", "▎", "▎ ▎ c"]),
        ("> a\nlazy", ["▎ a", "▎ lazy"]),
        ("---", ["─" * WIDTH]),
        ("[text](https://x.test/y)", ["text\u00a0[1] (https://x.test/y)"]),
        ("<https://x.test/y>", ["https://x.test/y\u00a0[1]"]),
        ("![alt](https://x.test/p.png)", ["[alt] https://x.test/p.png\u00a0[1]"]),
        ("<b>html</b> &amp; &lt;", ["<b>html</b> & <"]),
        ("<script>\nx\n</script>", ["<script>", "x", "</script>"]),
        ("\\*no\\*", ["*no*"]),
        ("    code\n      more", [" code", "   more"]),
        ("```\na\n\nb\n```", [" a", "", " b"]),
        ("```py\ndef f():\n\treturn 1\n```", [" py", " def f():", "     return 1"]),
        ("```\nunfinished", [" unfinished"]),
        ("| a | b |\n|---|--:|\n| longer | 2 |", ["a      │ b", "───────┼──", "longer │ 2"]),
        ("| a | b |\n|---|---|\n| 1 |\n| 1 | 2 | 3 |", ["a │ b", "──┼──", "1 │", "1 │ 2"]),
        ("| h |\n|---|", ["h", "─"]),
    ],
)
def test_elements(text: str, lines: list[str]) -> None:
    assert drawn(text) == lines


def test_styles_come_from_the_palette() -> None:
    text = "plain **bold** `code` [link](https://x.t)"
    assert style_of(text, "plain") == PALETTE["prose"]
    assert style_of(text, "bold") == PALETTE["prose"] + PALETTE["strong"]
    assert style_of(text, "code") == PALETTE["prose"] + PALETTE["code"]
    assert style_of(text, "link") == PALETTE["prose"] + PALETTE["link"]
    assert style_of(text, "(https://x.t)") == PALETTE["dim"]
    assert style_of("# Title", "Title") == PALETTE["heading"]
    assert style_of("> quoted", "▎") == decor(PALETTE["quote"])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("aaa bbb ccc", ["aaa bbb", "ccc"]),
        ("aaaaaaaaaaaa", ["aaaaaaaaaa", "aa"]),
        ("漢字漢字漢字漢", ["漢字漢字漢", "字漢"]),
        ("a漢字漢字漢字", ["a漢字漢字", "漢字"]),
        ("🙂🙂🙂🙂🙂🙂", ["🙂🙂🙂🙂🙂", "🙂"]),
        ("- 漢字漢字漢字", ["• 漢字漢字", "  漢字"]),
        ("> aaa bbb ccc", ["▎ aaa bbb", "▎ ccc"]),
        ("```\nabcdefghijk\n漢字漢字漢\n```", [" abcdefgh", " ijk", " 漢字漢字", " 漢"]),
    ],
)
def test_wrapping_counts_cells(text: str, lines: list[str]) -> None:
    assert drawn(text, 10) == lines


WIDE_TEXTS = [
    "漢字" * 40,
    "wörter und 漢字 and 🙂👩‍👩‍👧🇻🇳 mixed " * 8,
    "é" * 60 + "e\u0301" * 60,
    "- " + "a long item " * 9 + "\n  1. " + "漢字 inside " * 9,
    "> > > " + "deep quotation " * 9,
    "```\n" + "漢a" * 50 + "\n\tx" + "y" * 70 + "\n```",
    "| name | " + "wide " * 12 + "|\n|---|---|\n| 漢字漢字漢字 | " + "🙂 " * 30 + "|",
    "|" + "c|" * 30 + "\n|" + "-|" * 30 + "\n|" + "value|" * 30,
    "[" + "t" * 50 + "](https://x.test/" + "u" * 90 + ")",
    "# " + "heading " * 12,
    "x" * 300,
    "\u0e01\u0e33" * 60 + " \u0627\u0644\u0639\u0631\u0628\u064a\u0629 " * 9,
]


@pytest.mark.parametrize("width", [12, 17, 40, 78])
def test_no_row_is_wider_than_the_column(width: int) -> None:
    for text in WIDE_TEXTS:
        for strip in rows(text, width):
            assert cell_len(written(strip)) <= width + 2, (text, written(strip))
            assert strip.cell_length == cell_len(written(strip))


def test_a_narrow_column_loses_no_letter() -> None:
    for text in ("aaa bbb " * 20, "漢字" * 33, "x" * 99, "```\n" + "y漢" * 40 + "\n```"):
        whole = "".join("".join(drawn(text, 12)).split())
        assert whole == "".join(text.replace("```", "").split())


def test_a_table_too_wide_is_narrowed_at_its_widest_column() -> None:
    lines = drawn("| key | text |\n|:-:|---|\n| a | one two three four five six seven eight nine |", 24)
    assert lines[0].startswith("key │ text")
    assert len({line.index("│") for line in lines if "│" in line}) == 1
    assert all(cell_len(line) <= 24 for line in lines)
    assert " ".join(line.split("│")[1].strip() for line in lines[2:]) == "one two three four five six seven eight nine"


def test_hostile_text_becomes_symbols_everywhere() -> None:
    payload = "\x1b]52;c;eA==\x07\u009b2J\u202eX\x7f"
    documents = [
        payload,
        f"# {payload}",
        f"- {payload}",
        f"> {payload}",
        f"`{payload}`",
        f"```{payload}\n{payload}\n```",
        f"| {payload} |\n|---|\n| {payload} |",
        f"[{payload}](https://x.test/{payload})",
        f"[x](<https://x.test/{payload}>)",
        "[x](https://x.test/%1b]52;c;%07)",
        f"![{payload}](<{payload}>)",
        "&#27;]0;owned&#7; &#x9b;2J &#x202e;x &#127;",
        "[x](https://x.test/&#27;]0;owned&#7;)",
        "`a`\x1b[2J\u2028b\u2029c\x0bd\x0ce\x85f",
        "".join(hostile_content()),
    ]
    for text in documents:
        for line in texts(rows(text)):
            assert not any(is_control(char) for char in line), (text, line)
    assert "␛]52;c;eA==␇�2J�X␡" in drawn(payload)[0]
    for name, sample in HOSTILE:
        assert drawn(f"{name}: {sample}", 200)


def test_markup_is_text() -> None:
    text = "[red]x[/] [/foo] [@click=app.quit]y[/] :smile: {x} \\[z]"
    assert drawn(text, 99) == ["[red]x[/] [/foo] [@click=app.quit]y[/] :smile: {x} [z]"]


DOCUMENTS = {
    "prose": "One line.\nAnother one.\n\nA second paragraph that is long enough to be wrapped at forty cells.",
    "headings": "# One\n\ntext\n\n## Two\ntext\n### Three\n\n#### Four",
    "tight list": "intro\n\n- one\n- two\n  - inner\n    - innermost\n- three\n\noutro",
    "loose list": "- one\n\n- two\n\n  more of two\n\n- three\n\nend",
    "loose numbers": "1. one:\n   - a\n   - b\n\n2. two\n\n10. ten\n\n2024 was a year\n\n2. again",
    "half a marker": "text\n#hashtag\ntext\n```code``` more\n\n- a\n\n--\n\n- b\n\n---\n\n* c\n\n**d**",
    "table and marker": "| a |\n|---|\n-x\n`y`\n\n1",
    "ordered": "8. eight\n9. nine\n10. ten\n    1. inner\n\nend\n\n3) three\n4) four",
    "list kinds": "- a\n- b\n\n* c\n* d\n\n1. e\n2. f",
    "list after text": "text\n- a\n- b\ntext",
    "tasks": "- [ ] open\n- [x] done\n- [X] DONE",
    "code in list": "1. step\n   ```sh\n   ls -l\n   ```\n2. next\n\n       indented\n\nend",
    "fence": "before\n```python\ndef f(x):\n    return x\n\n\n# end\n```\nafter",
    "fence in fence": "````md\n```py\nx\n```\n````\n\nend",
    "tilde fence": "~~~\n# no heading\n- no list\n~~~\ntext",
    "open fence": "text\n\n```js\nlet a = 1\n\nlet b = 2",
    "indented code": "text\n\n    code\n\n    more code\n\ntext",
    "table": "Look:\n\n| a | b | c |\n|:--|:-:|--:|\n| 1 | 漢字 | 3.5 |\n| longer | `x` | **y** |\n\nend",
    "table after text": "text\n| a | b |\n|---|---|\n| 1 | 2 |\ntext",
    "quotes": "> one\n> two\n>\n> - a\n> - b\n>\n> > inner\n\ntext\n\n> again\nlazy",
    "rules": "a\n\n---\n\nb\n***\nc\n\n___",
    "inline": "**bold *both* bold** `co``de` [l](https://x.test) <https://y.test> ![i](z.png) ~~gone~~ \\*",
    "unfinished inline": "a **bold that never ends\n\n`code that never\n\n[link](http",
    "html": "<div>\n\n<b>x</b>\n\n</div>\n\n<!-- c -->",
    "wide": "漢字 👩‍👩‍👧 é e\u0301 العربية\n\n- 漢字\n- 🙂🙂\n\n| 漢 | 🙂 |\n|---|---|\n| 字 | x |",
    "line ends": "one\r\ntwo\r\n\r\n- a\r\n- b\r\n\r\n```\r\nx\r\n```\r\nold\rmac",
    "separators": "a\u2028b\x0bc\x0cd\x85e\u2029f\n\n```\nx\x0cy\u2028z\n```\nafter",
    "blank lines": "\n\n\na\n\n\n\nb\n \n\t\nc\n\n",
    "hostile": "".join(hostile_content()),
    "zalgo": "a" + "\u0301" * 30 + "b\n\nc" + "\u0301" * 30,
}


def streamed(text: str, pieces: list[str]) -> list[str]:
    """The rows after the document came in these pieces, drawn after each."""
    block = Block(PALETTE, WIDTH)
    for piece in pieces:
        block.append(piece)
        block.rows()
    assert "".join(pieces) == text
    frozen, tail = block.rows()
    return [repr(list(strip)) for strip in (*frozen, *tail)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_streamed_and_whole_are_drawn_alike(name: str) -> None:
    text = DOCUMENTS[name]
    whole = [repr(list(strip)) for strip in rows(text)]
    assert whole
    assert streamed(text, list(text)) == whole
    assert streamed(text, text.splitlines(keepends=True)) == whole
    rng = random.Random(name)
    for _ in range(20):
        pieces, at = [], 0
        while at < len(text):
            end = at + rng.randint(1, 25)
            pieces.append(text[at:end])
            at = end
        assert streamed(text, pieces) == whole


LINES = (
    "text", "", "", "", "- a", "  - b", "    more", "* c", "-", "--", "---", "===", "1. x", "2. y", "12)", "2024 y",
    "> q", ">", "```", "```py", "```i``` x", "~~~", "# h", "#x", "| a | b |", "|---|---|", "| 1 | 2 |", "    code",
    "\tt", "**b**",
)  # fmt: skip


def test_any_mix_of_lines_is_drawn_alike() -> None:
    rng = random.Random(1)
    for _ in range(200):
        text = "\n".join(rng.choice(LINES) for _ in range(rng.randint(2, 7)))
        whole = [repr(list(strip)) for strip in rows(text)]
        assert streamed(text, list(text)) == whole, text
        assert streamed(text, text.splitlines(keepends=True)) == whole, text


PREFIXES = ("", "", "", "  ", "   ", "    ", "      ", "> ", ">", "> > ", "- ", "  - ", "1. ", "   1. ", "- - ", "> - ")
CONTENTS = (
    *LINES,
    "[l]",
    "[l]: https://x.test/l",
    "[m]:",
    "'title'",
    "[m] and [l]",
    "x" * 50,
    "a | b",
    "|---",
    "y" * 2100,
)

documents = st.lists(
    st.tuples(st.sampled_from(PREFIXES), st.sampled_from(CONTENTS)).map("".join), min_size=1, max_size=14
).map("\n".join)
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=20)


def unfrozen(text: str) -> list[str]:
    """The document's rows without a thought of streaming: read once, nothing of it given out before the rest."""
    lines = Lines()
    lines.feed(text)
    whole = [*lines.take(len(text) + 1), *filter(None, [lines.rest])]
    blocks, references = parse(whole)
    inline = Inline(PALETTE)
    inline.references = references
    drawn = Blocks(PALETTE, inline, whole).sequence(blocks, [Open("root")], WIDTH)
    return [repr(list(row_of(part))) for row in drawn for part in fold(row, WIDTH)]


@settings(max_examples=300, deadline=None)
@given(documents, cuts)
def test_any_document_in_any_pieces_is_drawn_alike(text: str, sizes: list[int]) -> None:
    whole = unfrozen(text)
    assert [repr(list(strip)) for strip in rows(text)] == whole
    pieces, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[at : at + size])
        at, turn = at + size, turn + 1
    assert streamed(text, pieces) == whole
    assert streamed(text, text.splitlines(keepends=True)) == whole


def test_what_is_frozen_stays() -> None:
    """Rows that were given out as final are never drawn again, so that a long reply costs no more than a short one."""
    block = Block(PALETTE, WIDTH)
    before: list[Strip] = []
    for piece in DOCUMENTS["quotes"] + "\n\n" + DOCUMENTS["table"]:
        block.append(piece)
        frozen, _ = block.rows()
        assert frozen[: len(before)] == before
        assert all(old is new for old, new in zip(before, frozen, strict=False))
        before = list(frozen)
    assert len(before) > 10


def test_a_link_definition_that_comes_late_is_brought_in() -> None:
    text = "see [it]\n\nbetween\n\n[it]: https://x.test\n\nend"
    block = Block(PALETTE, WIDTH)
    for piece in text:
        block.append(piece)
        block.advance()
    assert texts([*block.frozen, *block.tail]) == ["  see [it]", "", "  between", "", "  end"]
    while not block.settle():
        pass
    assert texts([*block.frozen, *block.tail]) == ["  see it\u00a0[1] (https://x.test)", "", "  between", "", "  end"]


LONG = {
    "one list": "".join(f"- item {n} with **some** words\n" for n in range(400)),
    "numbers": "".join(f"{n}. item\n\n   more\n" for n in range(1, 200)),
    "a list in an item": "- all of it:\n" + "".join(f"  - item {n}\n" for n in range(400)),
    "a list in a quote": "".join(f"> - item {n}\n" for n in range(400)),
    "one quote": "".join(f"> paragraph {n}\n>\n" for n in range(200)),
    "one table": "| a | b |\n|---|--:|\n" + "".join(f"| {'x' * (n % 30)} | {n} |\n" for n in range(300)),
    "one fence": "```py\n" + "def f(x):\n    return x  # more\n\n\n" * 100 + "```\n",
    "a fence in an item": "1. so:\n\n   ```c\n" + "   int x; /* a */\n" * 200 + "   ```\n2. end\n",
    "indented code": "    code\n\n    more\n" * 100,
    "one paragraph": "some *words* go on " * 800,
    "one paragraph of lines": "some *words* go on\n" * 600,
    "a paragraph in an item": "- " + "some *words* go on " * 800,
    "wide characters": "漢字かな、" * 2_000,
    "definitions": "".join(f"[l{n}]: https://x.test/{n}\n" for n in range(400)),
    "1,000 deep": "\n".join("  " * depth + "- x" for depth in range(200)) + "\n" + "> " * 900 + "y",
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_block_costs_as_much_at_its_end_as_at_its_beginning(name: str) -> None:
    text = LONG[name]
    block = Block(PALETTE, 78)
    counts: list[int] = []
    for at in range(0, len(text), 20):
        before = block.laid_out
        block.append(text[at : at + 20])
        block.advance()
        counts.append(block.laid_out - before)
    tenth = len(counts) // 10
    # A piece of code, some rows of a table or a few lines may be laid out again with each frame, but no more of them.
    assert max(counts) <= 120
    assert sum(counts[-tenth:]) <= max(2 * sum(counts[tenth : 2 * tenth]), 4 * tenth)
    assert [repr(list(strip)) for strip in (*block.frozen, *block.tail)] == [
        repr(list(strip)) for part in Block(PALETTE, 78, text).rows() for strip in part
    ]


HOSTILE_TEXTS = {
    "a line": "x" * 1_000_000,
    "words": "word " * 100_000,
    "quotes": "> " * 1_000 + "text\n" * 50,
    "items": "\n".join(" " * 2 * depth + "- x" for depth in range(500)),
    "items in a line": "- " * 1_000 + "x",
    "quotes and lists": "> - " * 500 + "x\n" * 200,
    "brackets": "[" * 20_000,
    "links": "[a](" * 5_000 + ")" * 5_000,
    "emphases": "*a_ " * 10_000,
    "backticks": " ".join("`" * (1 + n % 60) for n in range(2_000)),
    "cells": "|" + " a |" * 10 + "\n|" + "---|" * 10 + "\n" + ("|" + " cell |" * 10 + "\n") * 300,
    "columns": "|" + " a |" * 300 + "\n|" + "---|" * 300 + "\n" + ("|" + " cell |" * 300 + "\n") * 10,
    "empty lines": "a\n" + "\n" * 10_000 + "b",
    "definitions": "".join(f"see [l{n}]\n\n[l{n}]: https://x.test/{n}\n\n" for n in range(1_000)),
}


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_no_text_holds_up_the_screen(name: str) -> None:
    # 100 ms is what is wanted; a machine under test may be a third as fast, and halt for a moment.
    assert min(longest_step(HOSTILE_TEXTS[name]) for _ in range(3)) < 0.3


def longest_step(text: str) -> float:
    """Seconds of the processor that the longest step of laying out a text takes."""
    gc.collect()
    block = Block(PALETTE, 118)
    block.append(text)
    steps: list[float] = []
    over = False
    while not over:
        started = time.process_time()
        over = block.done and block.settle()
        if not block.done:
            block.advance()
        steps.append(time.process_time() - started)
    assert block.frozen or block.tail
    return max(steps)


def test_what_is_too_deep_is_shown_plain() -> None:
    assert "deep down" in " ".join(drawn("> " * 300 + "deep down\n", 200))
    assert "deep down" in " ".join(drawn("- " * 300 + "deep down", 200))
    assert drawn("*a_ " * 300)[0] == ("*a_ " * 10).strip()


def test_formulas_stand_as_written() -> None:
    assert drawn("\\(a_1 * b_1\\) and $x*y*z$ and $$\\frac{1}{2}$$", 99) == [
        "\\(a_1 * b_1\\) and $x*y*z$ and $$\\frac{1}{2}$$"
    ]
    assert drawn("\\[\na = b\n\\]") == ["\\[", "a = b", "\\]"]
    assert drawn("$5 and *10* $") == ["$5 and 10 $"]
    assert style_of("so $x*y*z$", "$x*y*z$") == PALETTE["prose"] + PALETTE["code"]


def code_styles(text: str) -> dict[str, Style | None]:
    return {s.text.strip(): s.style for strip in rows(text) for s in strip if s.text.strip()}


def test_code_has_the_colours_of_the_theme() -> None:
    styles = code_styles('```python\ndef name():\n    return "text"  # said\n```')
    block = PALETTE["block"]
    assert styles["python"] == no_line(block + PALETTE["language"])
    assert styles["def"] == styles["return"] == block + PALETTE["keyword"]
    assert styles["name"] == block + PALETTE["function"]
    assert styles['"text"'] == block + PALETTE["string"]
    assert styles["# said"] == block + PALETTE["comment"]
    # While the line is not whole too, and for languages that nobody knows not at all.
    assert code_styles("```python\nimport x\ndef na")["def"] == block + PALETTE["keyword"]
    assert code_styles("```nolanguage\ndef x\n```")["def x"] == block
    assert code_styles("```\ndef x\n```")["def x"] == block


def test_a_comment_over_several_lines_is_one_once_it_is_whole() -> None:
    assert code_styles("```c\n/* a\nb */ int\n```")["b */"] == PALETTE["block"] + PALETTE["comment"]


def test_wide_characters_break_anywhere_but_before_a_full_stop() -> None:
    assert drawn("abc 漢字漢字漢字", 10) == ["abc 漢字漢", "字漢字"]
    assert drawn("漢字漢字漢。漢字", 10) == ["漢字漢字", "漢。漢字"]


def test_what_belongs_together_is_not_torn_apart() -> None:
    assert clusters("e\u0301👩‍👩‍👧🇻🇳🇩🇪❤\ufe0fx") == ["e\u0301", "👩‍👩‍👧", "🇻🇳", "🇩🇪", "❤\ufe0f", "x"]


def test_what_counts_as_narrow_takes_one_cell_and_joins_nothing() -> None:
    narrow = [char for char in map(chr, range(0x20, 0x11000)) if NARROW.fullmatch(char)]
    assert all(columns(char) == 1 and not unicodedata.category(char).startswith("M") for char in narrow)
    assert clusters("".join(narrow)) == narrow


@settings(deadline=None)
@given(st.text("ab 漢。é\u0301🙂\u200d\ufe0f🇻", max_size=60), st.integers(4, 20))
def test_no_character_is_lost_in_wrapping(text: str, room: int) -> None:
    lines = wrap([Segment(text)], room)
    assert "".join("".join(s.text for s in line) for line in lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(written(Strip(line)).rstrip()) <= room for line in lines)
    folded = fold([Segment(text)], room)
    assert "".join("".join(s.text for s in line) for line in folded) == text


def test_column_widths_are_those_of_the_first_rows() -> None:
    """So that a long table is not drawn again; what comes later wraps."""
    lines = drawn("| a |\n|---|\n" + "| xxx |\n" * 16 + "| now longer |\n", 40)
    assert lines[1:3] == ["───", "xxx"]
    assert lines[-4:] == ["now", "lon", "ger"] or lines[-3:] == ["now", "lon", "ger"]


def assistant(text: str = "", thinking: str = "", notes: tuple[Note, ...] = ()) -> Turn:
    return Turn("n1", "assistant", Head("model", "done", "dim", "version 1/2"), text, thinking, notes)


def test_a_turn_has_head_reasoning_text_notes_and_a_gap() -> None:
    turn = TurnRows(assistant("the answer", "let me think", (Note("cut short", "warning"),)), PALETTE, WIDTH)
    assert texts(turn.rows()) == [
        "◆ model  version 1/2  done",
        "  ┊ let me think",
        "",
        "  the answer",
        "  cut short",
        "",
    ]


def test_a_user_turn_stands_as_typed() -> None:
    typed = "# no heading\n\n  - as *typed*\t[red]x[/]"
    turn = TurnRows(Turn("n1", "user", Head("You"), typed), PALETTE, WIDTH)
    assert texts(turn.rows()) == ["❯ You", "  # no heading", "", "    - as *typed*  [red]x[/]", ""]


def test_a_turn_grows_as_a_whole_one_is_drawn() -> None:
    growing = TurnRows(assistant(), PALETTE, WIDTH)
    for piece in ("Let me", " think.\nMore", "."):
        growing.append("", piece)
        growing.rows()
    for piece in ("# He", "llo\n\n- a\n", "- b"):
        growing.append(piece, "")
        growing.rows()
    whole = TurnRows(assistant("# Hello\n\n- a\n- b", "Let me think.\nMore."), PALETTE, WIDTH)
    assert texts(growing.rows()) == texts(whole.rows())
    assert not growing.dress(growing.turn.head, growing.turn.notes)
    assert growing.dress(Head("model", "failed", "error"), (Note("why"),))
    assert texts(growing.rows())[0] == "◆ model  failed"
    assert texts(growing.rows())[-2] == "  why"


def test_heads_and_notes_are_made_visible() -> None:
    turn = Turn("n1", "assistant", Head("evil\x1b[2J\nname", "sta\x07te"), "", "", (Note("no\x1bte\u202e"),))
    for strip in TurnRows(turn, PALETTE, WIDTH).rows():
        assert not any(is_control(char) for char in written(strip))
        assert strip.cell_length <= WIDTH


@pytest.mark.parametrize("width", [1, 2, 3, 9])
def test_any_width_can_be_drawn(width: int) -> None:
    for text in DOCUMENTS.values():
        assert TurnRows(assistant(text, "thoughts", (Note("note"),)), PALETTE, width).rows()
