"""Turns laid out as rows of the screen: Markdown in, strips of styled cells out.

A reply under way is laid out block by block: every finished top-level block is frozen, only the last one, which more
text may still change, is laid out again. Foreign text is made visible here, where it becomes content.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from tui_chat.domain.hostile import visible, visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui_chat.domain.ask import Role

STYLES = (
    "user", "assistant", "prose", "dim", "thinking", "heading", "strong", "emphasis", "strike", "code", "block",
    "language", "quote", "bullet", "link", "rule", "table", "good", "warning", "error",
)  # fmt: skip
"""Names of the styles a Palette holds; each is a component class `rows--NAME` of the transcript."""

Palette = dict[str, Style]

MARKER = 12
"""Characters in which an item's number is sure to have ended: nine digits, three spaces before them."""

_console = Console(width=10_000, color_system=None, legacy_windows=False)
"""Gives rich's wrapping the tab size and nothing else."""


@dataclass(frozen=True, slots=True)
class Note:
    """A line under a turn, such as how it ended; `style` names a style of the palette."""

    text: str
    style: str = "dim"


@dataclass(frozen=True, slots=True)
class Head:
    """The line above a turn."""

    name: str
    state: str = ""
    state_style: str = "dim"
    version: str = ""
    """Place among the turn's versions, such as 2/3."""


@dataclass(slots=True)
class Turn:
    """What the transcript shows of one node; the text is as received."""

    id: str
    role: Role
    head: Head
    text: str = ""
    thinking: str = ""
    notes: tuple[Note, ...] = ()


class Block:
    """Markdown that may still grow; `rows` costs what has changed since it was asked last."""

    def __init__(self, palette: Palette, width: int, text: str = "") -> None:
        self._palette = palette
        self._width = width
        self._frozen: list[Strip] = []
        self._tail = ""
        self._tail_rows: list[Strip] | None = []
        self._raw: list[str] = []
        if text:
            self.append(text)

    def append(self, text: str) -> None:
        self._raw.append(text)
        self._tail_rows = None

    def rows(self) -> tuple[list[Strip], list[Strip]]:
        """(rows that stay as they are, rows of the open block)."""
        if self._tail_rows is None:
            self._advance()
        return self._frozen, self._tail_rows or []

    def _advance(self) -> None:
        raw = self._tail + "".join(self._raw)
        held = raw[-1:] == "\r"
        self._raw = ["\r"] if held else []
        self._tail = visible(raw[:-1] if held else raw)
        layout = MarkdownLayout(self._palette, self._width)
        blocks = parse(self._tail)
        opened = self._first_open(blocks)
        if opened > 0:
            self._frozen += self._stacked(layout, blocks[:opened])
            self._tail = "\n".join(self._tail.split("\n")[block_start(blocks[opened]) :])
            blocks = parse(self._tail)
        self._tail_rows = self._stacked(layout, blocks)

    def _first_open(self, blocks: Sequence[SyntaxTreeNode]) -> int:
        """Place of the first block that more text may still change.

        That is the last one, or the one above it while the last line is not whole: `2` may become an item of the list
        above, and three backticks the beginning of a line of text.
        """
        last = len(blocks) - 1
        *above, line = self._tail.split("\n")
        if last > 0 and block_start(blocks[last]) == len(above) and (above[-1].strip() or len(line) <= MARKER):
            return last - 1
        return last

    def _stacked(self, layout: MarkdownLayout, blocks: Sequence[SyntaxTreeNode]) -> list[Strip]:
        """The rows of these blocks, each set off from the block above."""
        rows: list[Strip] = []
        for block in blocks:
            drawn = layout.block(block)
            if drawn and (rows or self._frozen):
                rows.append(Strip.blank(0))
            rows += drawn
        return rows


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def parse(text: str) -> list[SyntaxTreeNode]:
    """The top-level blocks of a document."""
    return list(SyntaxTreeNode(_markdown().parse(text)).children)


def block_start(block: SyntaxTreeNode) -> int:
    """The line on which a top-level block begins."""
    return block.map[0] if block.map else 0


class MarkdownLayout:
    """Markdown blocks -> rows of at most `width` cells."""

    def __init__(self, palette: Palette, width: int) -> None:
        self._palette = palette
        self._width = max(8, width)

    def block(self, node: SyntaxTreeNode) -> list[Strip]:
        """The block's rows, set in by the margin of a turn's body."""
        lines = self._lines(node, self._width)
        return [_indent(strip(part)) for line in lines for part in wrap(line, self._width, fold=True)]

    def _lines(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        match node.type:
            case "heading":
                text = self._inline(node, "heading")
                text = Text("#" * int(node.tag[1:]) + " ", self._palette["dim"]) + text
                return wrap(text, width)
            case "paragraph":
                return wrap(self._inline(node, "prose"), width)
            case "bullet_list" | "ordered_list":
                return self._list(node, width)
            case "blockquote":
                bar = Text("▎ ", self._palette["quote"])
                return [bar + line for line in self._stack(node.children, width - 2)]
            case "fence" | "code_block":
                return self._code(node, width)
            case "hr":
                return [Text("─" * width, self._palette["rule"])]
            case "table":
                return self._table(node, width)
            case _:
                return wrap(Text(node.content, self._palette["prose"]), width)

    def _stack(self, nodes: Sequence[SyntaxTreeNode], width: int, *, tight: bool = False) -> list[Text]:
        """Blocks below one another, an empty line between them unless the list is tight."""
        lines: list[Text] = []
        for node in nodes:
            if lines and not tight:
                lines.append(Text())
            lines += self._lines(node, max(8, width))
        return lines

    def _list(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        lines: list[Text] = []
        start = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        tight = all(p.hidden for item in node.children for p in item.children if p.type == "paragraph")
        for place, item in enumerate(node.children):
            mark = "• " if start is None else f"{start + place}. "
            if lines and not tight:
                lines.append(Text())
            inner = self._stack(item.children, width - len(mark), tight=tight) or [Text()]
            lines += [
                Text(" " * len(mark) if i else mark, self._palette["bullet"]) + _task(line, i)
                for i, line in enumerate(inner)
            ]
        return lines

    def _code(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        """Code keeps its lines; those too wide are folded. The block is drawn as wide as the text column."""
        block = self._palette["block"]
        lines: list[Text] = []
        language = visible_line(node.info.split()[0], 24) if node.info.split() else ""
        if language:
            lines.append(_padded(Text(f" {language}", block + self._palette["language"]), width, block))
        for source in node.content.removesuffix("\n").split("\n"):
            folded = wrap(Text(source.expandtabs(4), block), width - 2, fold=True)
            lines += [_padded(Text(" ", block) + line, width, block) for line in folded]
        return lines

    def _table(self, node: SyntaxTreeNode, width: int) -> list[Text]:
        rows = [
            [self._inline(cell, "strong" if cell.type == "th" else "prose") for cell in row.children]
            for part in node.children
            for row in part.children
        ]
        columns = max(len(row) for row in rows)
        widths = _fit([max((_widest(r[c]) for r in rows if c < len(r)), default=1) for c in range(columns)], width)
        aligns = [str(cell.attrs.get("style", "")).rpartition(":")[2] for cell in node.children[0].children[0].children]
        rule = Text("─┼─".join("─" * w for w in widths), self._palette["table"])
        drawn = [self._table_row(row, widths, aligns) for row in rows]
        lines = [*drawn[0], rule, *(line for row in drawn[1:] for line in row)]
        return [line for source in lines for line in wrap(source, width, fold=True)]

    def _table_row(self, row: list[Text], widths: list[int], aligns: list[str]) -> list[Text]:
        cells = [wrap(cell, width) for cell, width in zip(row, widths, strict=False)]
        lines: list[Text] = []
        for y in range(max(map(len, cells), default=0)):
            line = Text()
            for x, width in enumerate(widths):
                cell = cells[x][y] if x < len(cells) and y < len(cells[x]) else Text()
                if x:
                    line += Text(" │ ", self._palette["table"])
                line += _aligned(cell, width, aligns[x] if x < len(aligns) else "")
            lines.append(line)
        return lines

    def _inline(self, node: SyntaxTreeNode, style: str) -> Text:
        text = Text(end="")
        for child in node.children:
            for span in child.children if child.type == "inline" else [child]:
                self._span(span, self._palette[style], text)
        return text

    def _span(self, node: SyntaxTreeNode, style: Style, out: Text) -> None:
        palette = self._palette
        match node.type:
            case "text" | "text_special" | "html_inline":
                # A character reference may stand for what `visible` has not seen.
                out.append(visible(node.content), style)
            case "softbreak" | "hardbreak":
                out.append("\n", style)
            case "code_inline":
                out.append(node.content, style + palette["code"])
            case "strong" | "em" | "s":
                inner = style + palette[{"strong": "strong", "em": "emphasis", "s": "strike"}[node.type]]
                for child in node.children:
                    self._span(child, inner, out)
            case "link":
                self._link(node, style, out)
            case "image":
                out.append(f"[{visible(node.content) or 'image'}]", style + palette["link"])
                out.append(f" {visible_line(str(node.attrs.get('src', '')), 200)}", palette["dim"])
            case _:
                out.append(node.content, style)

    def _link(self, node: SyntaxTreeNode, style: Style, out: Text) -> None:
        """A link shows where it goes, unless its text does."""
        start = len(out)
        for child in node.children:
            self._span(child, style + self._palette["link"], out)
        target = visible_line(str(node.attrs.get("href", "")), 200)
        if out.plain[start:] != target:
            out.append(f" ({target})", self._palette["dim"])


def wrap(text: Text, width: int, *, fold: bool = False) -> list[Text]:
    """Lines of at most `width` cells, broken between words where possible; `fold` breaks anywhere."""
    width = max(1, width)
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True) or [text]:
        if cell_len(line.plain) <= width:
            lines.append(line)
        elif fold:
            lines += _folded(line, width)
        else:
            wrapped = line.wrap(_console, width, tab_size=4, overflow="fold")
            for part in wrapped:
                part.rstrip()
            lines += wrapped
    return lines


def _folded(line: Text, width: int) -> list[Text]:
    cuts: list[int] = []
    used = 0
    for place, char in enumerate(line.plain):
        size = cell_len(char)
        if used + size > width:
            cuts.append(place)
            used = 0
        used += size
    return list(line.divide(cuts))


def strip(line: Text) -> Strip:
    """One line of text as a strip."""
    if not line.spans:
        # rich leaves the style of a text without spans to the caller.
        return Strip([Segment(line.plain, _console.get_style(line.style))] if line.plain else [])
    return Strip([s for s in line.render(_console) if s.text])


def _task(line: Text, number: int) -> Text:
    """The first line of a task list's item with its box drawn."""
    for mark, box in (("[ ] ", "☐ "), ("[x] ", "☑ "), ("[X] ", "☑ ")):
        if number == 0 and line.plain.startswith(mark):
            return Text(box) + line[len(mark) :]
    return line


def _widest(text: Text) -> int:
    return max((cell_len(line) for line in text.plain.split("\n")), default=1) or 1


def _fit(widths: list[int], room: int) -> list[int]:
    """Column widths that fit into `room`: the widest give way first, down to a few cells."""
    widths = list(widths)
    spare = room - 3 * (len(widths) - 1)
    while sum(widths) > spare and max(widths) > 4:
        widest = max(widths)
        second = max((w for w in widths if w < widest), default=4)
        many = widths.count(widest)
        over = sum(widths) - spare
        cut = max(1, min(widest - max(second, 4), -(-over // many)))
        widths = [w - cut if w == widest else w for w in widths]
    return widths


def _padded(line: Text, width: int, style: Style) -> Text:
    missing = width - cell_len(line.plain)
    if missing > 0:
        line.append(" " * missing, style)
    return line


def _aligned(cell: Text, width: int, align: str) -> Text:
    missing = max(0, width - cell_len(cell.plain))
    left = {"right": missing, "center": missing // 2}.get(align, 0)
    return Text(" " * left) + cell + Text(" " * (missing - left))


class TurnRows:
    """The rows of one turn at one width: head, reasoning, text, notes, and an empty row."""

    def __init__(self, turn: Turn, palette: Palette, width: int) -> None:
        self.turn = turn
        self._palette = palette
        self._width = width
        self._thinking = turn.thinking
        self._thinking_rows: list[Strip] | None = None
        self._block = Block(palette, width - 2, turn.text) if turn.role == "assistant" else None
        self._plain = self._plain_rows() if self._block is None else []
        self._cached: list[Strip] | None = None

    def append(self, text: str, thinking: str) -> None:
        """More of the reply has come."""
        if thinking:
            self.turn.thinking += thinking
            self._thinking_rows = None
        if text and self._block is not None:
            self.turn.text += text
            self._block.append(text)
        self._cached = None

    def dress(self, head: Head, notes: tuple[Note, ...]) -> bool:
        """Change what stands above and below; False when that is what stood there."""
        if (self.turn.head, self.turn.notes) == (head, notes):
            return False
        self.turn.head, self.turn.notes = head, notes
        self._cached = None
        return True

    def rows(self) -> list[Strip]:
        if self._cached is None:
            self._cached = [self._head_row(), *self._body(), *self._note_rows(), Strip.blank(0)]
        return self._cached

    def _body(self) -> Iterable[Strip]:
        if self._thinking_rows is None:
            self._thinking_rows = self._thought_rows()
        yield from self._thinking_rows
        if self._block is None:
            yield from self._plain
        else:
            frozen, tail = self._block.rows()
            yield from frozen
            yield from tail

    def _head_row(self) -> Strip:
        head, palette = self.turn.head, self._palette
        mark, style = ("❯ ", "user") if self.turn.role == "user" else ("◆ ", "assistant")
        line = Text().append(mark + visible_line(head.name, 60), palette[style])
        if head.version:
            line.append(f"  {head.version}", palette["dim"])
        if head.state:
            line.append("  " + head.state, palette[head.state_style])
        line.truncate(self._width, overflow="ellipsis")
        return strip(line)

    def _plain_rows(self) -> list[Strip]:
        """A user's words stand as they were typed."""
        text = Text(visible(self.turn.text).expandtabs(4), self._palette["prose"])
        return [_indent(strip(line)) for line in wrap(text, self._width - 2)]

    def _thought_rows(self) -> list[Strip]:
        thought = visible(self.turn.thinking).strip("\n")
        if not thought:
            return []
        style = self._palette["thinking"]
        bar = Text("┊ ", self._palette["dim"])
        lines = wrap(Text(thought.expandtabs(4), style), self._width - 4)
        return [*(_indent(strip(bar + line)) for line in lines), Strip.blank(0)]

    def _note_rows(self) -> Iterable[Strip]:
        for note in self.turn.notes:
            for line in wrap(Text(visible(note.text), self._palette[note.style]), self._width - 2):
                yield _indent(strip(line))


_INDENT = Segment("  ")


def _indent(row: Strip) -> Strip:
    return Strip([_INDENT, *row]) if row else row
