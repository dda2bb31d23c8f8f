"""Hostile text, small and large, and what may reach a terminal however hostile a text is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.kit.terminal import tokens
from tui_chat.domain.hostile import is_control

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

C0 = "".join(chr(code) for code in range(0x20) if code not in (0x09, 0x0A))
C1 = "".join(map(chr, range(0x80, 0xA0)))

SAMPLES = {
    "C0": C0,
    "C1": C1,
    "DEL": "a\x7fb",
    "OSC 8": "\x1b]8;;https://evil.test/\x1b\\click\x1b]8;;\x1b\\",
    "OSC 8, BEL": "\x1b]8;id=1;https://evil.test/\x07click\x1b]8;;\x07",
    "OSC 52": "\x1b]52;c;ZGVtbw==\x1b\\",
    "OSC 52, BEL": "\x1b]52;c;ZGVtbw==\x07",
    "OSC 0": "\x1b]0;owned\x07",
    "OSC without an end": "\x1b]0;owned",
    "DCS": "\x1bP$qm\x1b\\",
    "DCS, tmux": "\x1bPtmux;\x1b\x1b]52;c;ZGVtbw==\x07\x1b\\",
    "CSI 2J": "\x1b[2J",
    "CSI, modes": "\x1b[?5h\x1b[?1049l\x1b[?1000h\x1b[?2026h\x1b[>25u",
    "CSI, question": "\x1b[6n\x1b[c\x1b[21t",
    "CSI, colour": "\x1b[8;31;5mhidden",
    "CSI, margins": "\x1b[3;4r\x1b[99S",
    "APC": "\x1b_Gf=100,a=T;AAAA\x1b\\",
    "PM and SOS": "\x1b^pm\x1b\\\x1bXsos\x1b\\",
    "reset": "\x1bc\x1b7\x1b(0\x1b#8",
    "C1 sequences": "\u009b2J\u009d0;owned\u009c\u0090q\u009c\u009f\u009c",
    "carriage returns": "seen\rhidden\b\b\b\x0b\x0c\x1c\x85",
    "bidi overrides": "\u202egnp.exe\u202c\u202aa\u202bb\u202dc",
    "bidi isolates": "\u2066a\u2067b\u2068c\u2069\u200e\u200f\u061c",
    "separators": "a\u2028b\u2029c",
    "zero width": "p\u200ba\u200cy\u200dp\u2060a\ufeffl\u00ad\u180e",
    "tags": "ok\U000e0001\U000e0068\U000e0069\U000e007f",
    "variation selectors": "a\ufe0f\ufe0eb" + "\ufe00" * 40 + "\U000e0100\U000e01ef",
    "zalgo": "Z" + "\u0301\u0327\u0489" * 40 + "a",
    "surrogates": "\ud800a\udfff\udc80\ud83d",
    "noncharacters": "\ufffe\uffff\U0010ffff\ufffc\ufff9",
    "closing tag": "[/foo] [/] [/bold]",
    "action": "[@click=app.quit]x[/]",
    "link": "[link=file:///etc/passwd]x[/link]",
    "markup": "[red]x[/red] [bold red on white] \\[ [[ ]] $text [$primary]",
    "braces": "{x} {0} %s %(x)s {{",
}
"""By what they are; none has a line feed."""

SPLIT = ("\x1b", "]52;c;", "ZGVtbw==", "\x1b", "\\", "\x1b[", "2", "J", "\x9b", "2J", "\r", "\n", "\ud83d", "\udca9")
"""Sequences, a line end and a pair of surrogates, torn apart."""

MARK = "Payload"
"""Stands before each of the small ones, so that they can be looked for."""
LINE = " ".join(f"{MARK} {text}" for text in SAMPLES.values())

DOCUMENT = "\n\n".join(
    [
        f"# {LINE}",
        *(f"- {name}: {text}" for name, text in SAMPLES.items()),
        *(
            f"| {name} | [{text}](https://x.test/{text}) |\n|---|---|\n| {text} | `{text}` |"
            for name, text in SAMPLES.items()
        ),
        f"> {LINE}",
        f"```{LINE}\n{LINE}\n```",
        f"![{LINE}](<https://x.test/{LINE}>) [x](https://x.test/%1b]52;c;%07) <https://x.test/\x1b]0;x\x07>",
        "&#27;]0;owned&#7; &#x9b;2J &#x202e;x &#127; &#x200b; &#xd800; &#0;",
        f"<b onclick='x'>{LINE}</b>",
        f"$${LINE}$$",
    ]
)
"""All of the small ones in every element of Markdown."""

LARGE = {
    "a line": "x" * 1_000_000,
    "a line of controls": "\x1b[2J" * 50_000,
    "a line of brackets": "[" * 20_000,
    "closing tags": "[/foo]" * 5_000,
    "quotes": "> " * 1_000 + "text\n" * 50,
    "items": "\n".join(" " * 2 * depth + "- x" for depth in range(500)),
    "items in a line": "- " * 1_000 + "x",
    "cells": "|" + " a |" * 10 + "\n|" + "---|" * 10 + "\n" + ("|" + " cell |" * 10 + "\n") * 300,
    "columns": "|" + " a |" * 300 + "\n|" + "---|" * 300 + "\n" + ("|" + " cell |" * 300 + "\n") * 10,
    "emphases": "*a_ " * 10_000,
    "marks": "a" + "\u0301" * 200_000,
    "tags": "\U000e0041" * 200_000,
    "joined": "👩\u200d" * 20_000,
    "wide": "漢" * 200_000,
    "right to left": "مرحبا " * 20_000,
}
"""Texts that are long, deep or dear, by what they are."""

_MARKDOWN = (
    "\n", "\n", "\n\n", " ", "- ", "1. ", "> ", "# ", "```py\n", "\n```\n", "`", "**", "*", "_", "~~", "| a | b |\n",
    "|---|---|\n", "| 1 | 2 |\n", "|", "[l](", ")", "](https://x.test/", "![", "<b>", "</b>", "---\n", "===\n", "    ",
    "\t", "\\", "$$", "&#27;", "&amp;", "[l]: https://x.test\n", "- [ ] ", "word ", "漢字 ", "👩‍👩‍👧 ", "مرحبا ",
    "x" * 150, "漢" * 70,
)  # fmt: skip


def mixture(rng: Random) -> list[str]:
    """A text of Markdown and hostile samples, in the pieces in which it arrives."""
    samples = list(SAMPLES.values())
    parts = [rng.choice(samples) if rng.random() < 0.4 else rng.choice(_MARKDOWN) for _ in range(rng.randint(20, 160))]
    if rng.random() < 0.3:
        parts += SPLIT
    text = "".join(parts)
    pieces, at = [], 0
    while at < len(text):
        end = at + rng.randint(1, 60)
        pieces.append(text[at:end])
        at = end
    return pieces


# what may reach a terminal

_SEQUENCES = re.compile(
    rb"""\x1b\[ (?:
        [0-9;]*H | [0-9]*[CX] | [0-9;]*r | 6n | c | >[0-9]+u | <u | 2[23];0t
      | \?(?:7|25|1000|1003|1004|1006|1015|1049|2004|2026|2031|2048)[hl] | \?(?:2026|2048)\$p
      | (?:[0-79]|2[1-79]|[34][0-79]|[34]8(?:;5;[0-9]+|;2(?:;[0-9]+){3})|9[0-7]|10[0-7])?
        (?:;(?:[0-79]|2[1-79]|[34][0-79]|[34]8(?:;5;[0-9]+|;2(?:;[0-9]+){3})|9[0-7]|10[0-7]))*m
    )""",
    re.VERBOSE,
)
"""What the screen is drawn with; concealed text (SGR 8) is not among it."""
_HIDDEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
_FLAG = re.compile("\U0001f3f4[\U000e0061-\U000e007a]{5}\U000e007f")


def foreign(text: str) -> list[str]:
    """Characters of shown text that act on a terminal, or hide something on it; flags of tags are none."""
    return [char for char in _FLAG.sub("", text) if is_control(char) or char == "\t" or _HIDDEN.match(char)]


def _titled(sequence: bytes) -> bool:
    """The terminal's title, in which nothing acts or hides."""
    found = re.fullmatch(rb"\x1b\]2;([^\x00-\x1f]*)\x07", sequence)
    return found is not None and foreign(found[1].decode()) == []


def assert_only_ours(raw: bytes) -> None:
    """Text without anything that acts or hides, and the sequences that the screen is drawn with, and nothing else."""
    for token in tokens(raw):
        if token["text"]:
            assert foreign(token[0].decode()) == [], token[0]
        elif token["csi"]:
            assert _SEQUENCES.fullmatch(token[0]), token[0]
        else:
            assert (
                token[0] in (b"\r", b"\n", b"\x1bM", b"\x1b]11;?\x1b\\")
                or re.fullmatch(rb"\x1b\]22;[\w-]*\x07", token[0])
                or _titled(token[0])
            ), token[0]


def assert_only_lines(raw: bytes, *, marked: Iterable[bytes] = ()) -> None:
    """What a command that draws no screen prints: text, line ends, and its own marks."""
    for token in tokens(raw):
        if token["text"]:
            assert foreign(token[0].decode()) == [], token[0]
        else:
            assert token[0] in (b"\r", b"\n", *marked), token[0]
