"""Inline Markdown as lines of runs: emphasis, code, links, formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.segment import Segment

from tui_chat.domain.hostile import visible, visible_line
from tui_chat.domain.words import say
from tui_chat.ui.rows.lines import GLUE, GLUED, unglued
from tui_chat.ui.rows.links import Link, Links, bare
from tui_chat.ui.rows.marks import decor
from tui_chat.ui.rows.parsing import spans
from tui_chat.ui.rows.runs import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        self.links = Links()
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
            return [
                self._addresses(unglued(line.strip(" ")), base, cut=line.endswith(GLUE)) for line in text.split("\n")
            ]
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
        links: list[tuple[int, int, int]] = []  # its token, and where its text begins
        for place, token in enumerate(tokens):
            match token.type:
                case "softbreak" | "hardbreak":
                    lines.append([])
                case "strong_open" | "em_open" | "s_open" | "link_open":
                    styles.append(styles[-1] + self._palette[_STYLES[token.type]])
                    if token.type == "link_open":
                        links.append((place, len(lines), len(lines[-1])))
                case "strong_close" | "em_close" | "s_close":
                    styles.pop()
                case "link_close":
                    styles.pop()
                    first, *start = links.pop()
                    self._end_link(lines, tokens[first:place], *start)
                case "image":
                    self._image(lines[-1], token, styles[-1])
                case _:
                    self._text(lines, token, styles[-1], linked=bool(links))
        return lines

    def _text(self, lines: list[Runs], token: Token, style: Style, *, linked: bool) -> None:
        if token.type in ("code_inline", "math"):
            style += self._palette["code"]
        # A character reference may stand for what `visible` has not seen.
        for place, line in enumerate(visible(unglued(token.content)).split("\n")):
            if place:
                lines.append([])
            if linked or token.type != "text":
                lines[-1] += [Segment(line, style)] if line else []
            else:
                lines[-1] += self._addresses(line, style, cut=token.content.endswith(GLUE))

    def _addresses(self, line: str, style: Style, *, cut: bool) -> Runs:
        """A line of text, the addresses in it with their numbers; of a line that was cut the last is not whole."""
        runs: Runs = []
        done = 0
        for start, end in bare(line):
            if not cut or end < len(line):
                target = line[start:end]
                runs += [Segment(line[done:end], style), self._number(Link(target, target))]
                done = end
        return [*runs, Segment(line[done:], style)] if line[done:] else runs

    def _number(self, link: Link) -> Segment:
        """No part of the text, and on the row on which the link ends, as far as that has room."""
        return Segment(f"\u00a0[{self.links.number(link)}]", decor(self._palette["dim"]))

    def _image(self, line: Runs, token: Token, style: Style) -> None:
        alt = visible_line(unglued(token.content), 80)
        line.append(Segment(f"[{visible_line(unglued(token.content)) or 'image'}]", style + self._palette["link"]))
        line.append(Segment(f" {_href(token, 'src')}", self._palette["dim"]))
        line.append(self._number(Link(alt or say("links.image"), _attribute(token, "src"))))

    def _end_link(self, lines: list[Runs], tokens: Sequence[Token], count: int, start: int) -> None:
        """A link shows its number, and where it goes unless its text does; `tokens` are those before its end."""
        target = _attribute(tokens[0], "href")
        said = visible_line(unglued("".join(token.content or " " for token in tokens[1:])), 80)
        shown = plain(lines[-1][start:]) if count == len(lines) else ""
        lines[-1].append(self._number(Link(said or target, target)))
        if shown != _href(tokens[0], "href"):
            lines[-1].append(Segment(f" ({_href(tokens[0], 'href')})", self._palette["dim"]))


def _attribute(token: Token, name: str) -> str:
    return unglued(str(token.attrs.get(name, "")))


def _href(token: Token, name: str) -> str:
    return visible_line(_attribute(token, name), TARGET)
