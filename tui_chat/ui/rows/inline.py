"""Inline Markdown as lines of runs: emphasis, code, links, formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.segment import Segment

from tui_chat.domain.hostile import visible, visible_line
from tui_chat.ui.rows.lines import GLUE, GLUED, unglued
from tui_chat.ui.rows.parsing import spans
from tui_chat.ui.rows.runs import plain

if TYPE_CHECKING:
    from markdown_it.token import Token
    from rich.style import Style

    from tui_chat.ui.rows.model import Palette
    from tui_chat.ui.rows.parsing import References
    from tui_chat.ui.rows.runs import Runs

TARGET = 200
"""Characters shown of where a link goes."""

_JOINT = re.compile(f"{GLUE}\n *{GLUED}")
_LABEL = re.compile(r"\[([^\[\]]{1,200})\]")
_STYLES = {"strong_open": "strong", "em_open": "emphasis", "s_open": "strike", "link_open": "link"}


class Inline:
    """Draws inline text with the link definitions known so far."""

    def __init__(self, palette: Palette) -> None:
        self._palette = palette
        self.references: References = {}
        self.noted: dict[str, str | None] | None = None
        """While set: for each label that may name a definition, where it went when it was first drawn."""

    def lines(self, text: str, style: str) -> list[Runs]:
        """The text's lines; a newline in the source stays one."""
        if GLUE in text:
            text = _JOINT.sub("", text)
        base = self._palette[style]
        if "[" in text:
            self._note(text)
        tokens = spans(text, self.references)
        if tokens is None:
            return [[Segment(line, base)] if line else [] for line in map(_bare, text.split("\n"))]
        return self._drawn(tokens, base)

    def target(self, label: str) -> str | None:
        found = self.references.get(label)
        return found["href"] if found else None

    def _note(self, text: str) -> None:
        if self.noted is not None:
            from markdown_it.common.utils import normalizeReference

            for label in map(normalizeReference, _LABEL.findall(text)):
                self.noted.setdefault(label, self.target(label))

    def _drawn(self, tokens: list[Token], base: Style) -> list[Runs]:
        lines: list[Runs] = [[]]
        styles = [base]
        links: list[tuple[str, int, int]] = []  # target, and where its text begins
        for token in tokens:
            match token.type:
                case "softbreak" | "hardbreak":
                    lines.append([])
                case "strong_open" | "em_open" | "s_open" | "link_open":
                    styles.append(styles[-1] + self._palette[_STYLES[token.type]])
                    if token.type == "link_open":
                        links.append((_href(token, "href"), len(lines), len(lines[-1])))
                case "strong_close" | "em_close" | "s_close":
                    styles.pop()
                case "link_close":
                    styles.pop()
                    self._end_link(lines, *links.pop())
                case "image":
                    alt = visible_line(unglued(token.content)) or "image"
                    lines[-1].append(Segment(f"[{alt}]", styles[-1] + self._palette["link"]))
                    lines[-1].append(Segment(f" {_href(token, 'src')}", self._palette["dim"]))
                case _:
                    self._text(lines, token, styles[-1])
        return lines

    def _text(self, lines: list[Runs], token: Token, style: Style) -> None:
        if token.type in ("code_inline", "math"):
            style += self._palette["code"]
        # A character reference may stand for what `visible` has not seen.
        for place, line in enumerate(visible(unglued(token.content)).split("\n")):
            if place:
                lines.append([])
            if line:
                lines[-1].append(Segment(line, style))

    def _end_link(self, lines: list[Runs], target: str, count: int, start: int) -> None:
        """A link shows where it goes, unless its text does."""
        shown = plain(lines[-1][start:]) if count == len(lines) else ""
        if shown != target:
            lines[-1].append(Segment(f" ({target})", self._palette["dim"]))


def _href(token: Token, name: str) -> str:
    return visible_line(unglued(str(token.attrs.get(name, ""))), TARGET)


def _bare(line: str) -> str:
    return unglued(line.strip(" "))
