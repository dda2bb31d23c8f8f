"""The screen as cells, and what a terminal has to be sent to get from one picture to the next."""

from __future__ import annotations

from functools import lru_cache
from operator import is_not, ne
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field
from rich.cells import cell_len, get_character_cell_size
from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.style import Style
    from textual.geometry import Region

GAP = 5
"""Equal cells between two changes that are written again, for a jump of the cursor is no shorter."""
BLANKS = 10
"""Blank cells from which erasing them is shorter than writing them."""
JUMP = 8
"""About how many bytes take the cursor to another line."""
OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28", "9": "29"} | {
    "21": "24",
    "51": "54",
    "52": "54",
    "53": "55",
}
"""What turns an attribute of SGR off."""


class Pen(NamedTuple):
    """How cells are drawn, in the parameters of SGR."""

    attributes: tuple[str, ...] = ()
    foreground: str = ""
    background: str = ""
    link: str = ""
    """What opens a hyperlink."""

    @property
    def plain(self) -> bool:
        """A space drawn with it shows its background and nothing else."""
        return not self.attributes and not self.link


PLAIN = Pen()


@lru_cache(4096)
def pen_of(style: Style | None, system: ColorSystem) -> Pen:
    """The pen that draws what Textual would draw in this style."""
    if style is None:
        return PLAIN
    attributes = Strip.render_ansi(style.without_color, system)
    front = style.color.downgrade(system).get_ansi_codes() if style.color else ()
    back = style.bgcolor.downgrade(system).get_ansi_codes(foreground=False) if style.bgcolor else ()
    link = f"\x1b]8;id={style.link_id};{style.link}\x1b\\" if style.link else ""
    return Pen(tuple(attributes.split(";")) if attributes else (), ";".join(front), ";".join(back), link)


@lru_cache(4096)
def _cells(text: str) -> tuple[str, ...] | None:
    """A text by cells, the second of a wide character empty; None where terminals may not agree on its width."""
    cells: list[str] = []
    for char in text:
        width = get_character_cell_size(char)
        if width < 1 or "\U0001f1e6" <= char <= "\U0001f1ff" or "\U0001f3fb" <= char <= "\U0001f3ff":
            return None
        cells.append(char)
        if width == 2:
            cells.append("")
    return tuple(cells)


class Row:
    """One line of cells; a cell of which nothing is known holds None."""

    __slots__ = ("_may_doubt", "chars", "pens")

    def __init__(self, width: int) -> None:
        self.chars: list[str | None] = [None] * width
        self.pens: list[Pen] = [PLAIN] * width
        self._may_doubt = False
        """Doubtful text was put here once."""

    @property
    def doubtful(self) -> bool:
        """Holds text whose width terminals may not agree on: such a line is written whole or not at all."""
        self._may_doubt = self._may_doubt and any(char and len(char) > 1 for char in self.chars)
        return self._may_doubt

    def put(self, x: int, strip: Strip, system: ColorSystem) -> None:
        """Draw a strip, which must fit, from column x on."""
        for text, style, control in strip:
            if control or not text:
                continue
            cells: Sequence[str] | None = text if text.isascii() else _cells(text)
            if cells is None:
                self._may_doubt = True
                cells = (text, *[""] * (cell_len(text) - 1)) if cell_len(text) else ()
            end = x + len(cells)
            self.chars[x:end] = cells
            self.pens[x:end] = [pen_of(style, system)] * (end - x)
            x = end

    def copy(self) -> Row:
        row = Row(0)
        row.chars, row.pens, row._may_doubt = self.chars[:], self.pens[:], self._may_doubt
        return row

    def take(self, other: Row, left: int, right: int) -> None:
        """Show what another row shows in these columns."""
        self.chars[left:right] = other.chars[left:right]
        self.pens[left:right] = other.pens[left:right]
        self._may_doubt = self._may_doubt or other._may_doubt

    def distance(self, other: Row) -> int:
        """About how many cells have to be written to get from one to the other."""
        if self.chars == other.chars:
            return 0
        return GAP + sum(map(ne, self.chars, other.chars))


class Picture:
    """A screen full of cells."""

    def __init__(self, width: int = 0, height: int = 0) -> None:
        self.width = width
        self.height = height
        self.rows = [Row(width) for _ in range(height)]

    def draw(self, update: ChopsUpdate | LayoutUpdate, system: ColorSystem) -> None:
        """Take over what Textual would write."""
        if isinstance(update, LayoutUpdate):
            for row, strips in zip(self.rows, update.strips, strict=False):
                row.put(0, Strip.join(strips).crop(0, self.width), system)
            return
        for y, first, last in update.spans:
            row = self.rows[y]
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is not None and x < last and end > first:
                    row.put(x, strip.crop(0, min(end, last, self.width) - x), system)

    def scroll(self, top: int, bottom: int, rows: int) -> None:
        """Move lines top up to bottom by `rows`, down where that is negative; nothing is known of those uncovered."""
        band = self.rows[top:bottom]
        fresh = [Row(self.width) for _ in range(abs(rows))]
        self.rows[top:bottom] = [*band[rows:], *fresh] if rows > 0 else [*fresh, *band[:rows]]

    def shift(self, region: Region, rows: int) -> None:
        """Move what stands in a region up by `rows`, down where that is negative; the lines uncovered stay."""
        left, right = region.column_span
        lines = range(region.y, region.bottom - rows) if rows > 0 else range(region.bottom - 1, region.y - rows - 1, -1)
        for y in lines:
            self.rows[y].take(self.rows[y + rows], left, right)

    def forget(self) -> None:
        """Of what is shown nothing is known any more."""
        self.rows = [Row(self.width) for _ in range(self.height)]


def size_of(update: ChopsUpdate | LayoutUpdate) -> tuple[int, int]:
    """(columns, lines) of the screen that an update is for."""
    if isinstance(update, LayoutUpdate):
        return update.region.width, update.region.height
    return update.chop_ends[0][-1], len(update.chop_ends)


class Piece(NamedTuple):
    """Cells side by side that are drawn with one pen."""

    line: int
    column: int
    pen: Pen
    text: str
    end: int
    """The column the cursor is in afterwards."""
    doubtful: bool
    """It may be wider in the terminal than here: what follows it in the line has to be written later."""


class Brush(Struct):
    """Writes cells; knows which pen the terminal holds."""

    erases: bool
    """The terminal erases with the background that is set."""
    pen: Pen = PLAIN
    parts: list[str] = field(default_factory=list)
    """What to send, in pieces of which each leaves the terminal in order."""
    _pieces: list[Piece] = field(default_factory=list)

    def row(self, y: int, old: Row, new: Row) -> bool:
        """Have what of a line is not shown yet written; False when all of it is."""
        runs = list(_runs(old, new))
        for start, end in runs:
            self._pieces += self._cut(y, new, start, end)
        return bool(runs)

    def rest(self) -> None:
        """Write, and put the pen down."""
        cursor = (-1, -1)
        for piece in _in_order(self._pieces):
            begin = piece.line, piece.column
            jump = "" if begin == cursor else f"\x1b[{piece.line + 1};{piece.column + 1}H"
            self.parts.append(jump + self._to(piece.pen) + piece.text)
            cursor = piece.line, piece.end
        self._pieces.clear()
        if self.pen != PLAIN:
            self.parts.append("\x1b]8;;\x1b\\\x1b[m" if self.pen.link else "\x1b[m")
            self.pen = PLAIN

    def _cut(self, y: int, row: Row, start: int, end: int) -> Iterator[Piece]:
        """A stretch of cells in pieces; blanks go with their neighbours."""
        chars, pens, doubtful = row.chars, row.pens, row.doubtful
        text: list[str] = []
        first, cursor, pen, blank = start, start, pens[start], True
        while start < end:
            char, wanted = chars[start], pens[start]
            if wanted is not pen and not _alike(char, wanted, pen):
                if not (blank and _alike(" ", wanted, pen)):
                    yield Piece(y, first, pen, "".join(text), cursor, doubtful)
                    first, text, blank = start, [], True
                pen = wanted
            blank = blank and char == " "
            erased = self._blanks(row, start, end) if char == " " and self.erases else 0
            if erased >= BLANKS:
                cursor, start = start, start + erased
                text.append(f"\x1b[{erased}X")
                if start < end:
                    text.append(f"\x1b[{erased}C")
                    cursor = start
                continue
            if char is not None and len(char) > 1:
                after = next((x for x in range(start + 1, end) if chars[x] != ""), end)
                text.append(self._doubtful(y, start, after, char))
                start = after
            else:
                start += 1
                text.append(" " if char is None else char)
            cursor = start
        yield Piece(y, first, pen, "".join(text), cursor, doubtful)

    def _doubtful(self, y: int, start: int, after: int, text: str) -> str:
        """Text of which the terminal may hold another width: nothing else stands where it may not reach to, and what
        follows goes where it belongs.
        """
        cells = after - start
        clear = f"\x1b[{cells}X" if self.erases else f"{' ' * cells}\x1b[{y + 1};{start + 1}H"
        return f"{clear}{text}\x1b[{y + 1};{after + 1}H"

    @staticmethod
    def _blanks(row: Row, start: int, end: int) -> int:
        """How many cells from `start` on show nothing but one background."""
        chars, pens = row.chars, row.pens
        at = start
        while at < end and chars[at] == " " and pens[at].plain and pens[at].background == pens[start].background:
            at += 1
        return at - start

    def _to(self, pen: Pen) -> str:
        """What makes the terminal take another pen."""
        was, self.pen = self.pen, pen
        if was is pen or was == pen:
            return ""
        codes: list[str] = []
        kept = was.attributes
        if gone := {OFF[a] for a in was.attributes if a not in pen.attributes}:
            codes += sorted(gone)
            kept = tuple(a for a in was.attributes if OFF[a] not in gone)
        codes += [a for a in pen.attributes if a not in kept]
        if was.foreground != pen.foreground:
            codes.append(pen.foreground or "39")
        if was.background != pen.background:
            codes.append(pen.background or "49")
        link = "" if was.link == pen.link else pen.link or "\x1b]8;;\x1b\\"
        return link + (f"\x1b[{';'.join(codes)}m" if codes else "")


def _in_order(pieces: list[Piece]) -> list[Piece]:
    """Pieces of one colour after another where that is shorter than to change colours within a line."""
    if all(max(len(piece.pen.foreground), len(piece.pen.background)) < JUMP for piece in pieces):
        return pieces
    places: dict[tuple[str, str, str], int] = {}
    for piece in pieces:
        if not piece.doubtful:
            places.setdefault(piece.pen[1:], len(places))
    return sorted(pieces, key=lambda piece: -1 if piece.doubtful else places[piece.pen[1:]])


def _runs(old: Row, new: Row) -> Iterator[tuple[int, int]]:
    """(first, end) of the stretches of cells that differ."""
    if old.chars == new.chars and old.pens == new.pens:
        return
    if old.doubtful or new.doubtful:
        yield 0, len(new.chars)
        return
    start = end = -1
    for x in _unlike(old, new):
        char = new.chars[x]
        if char is None or (old.chars[x] == char and _alike(char, old.pens[x], new.pens[x])):
            continue
        if start >= 0 and x - end > GAP:
            yield _whole(new, start, end)
            start = x
        elif start < 0:
            start = x
        end = x + 1
    if start >= 0:
        yield _whole(new, start, end)


def _unlike(old: Row, new: Row) -> Iterator[int]:
    """The cells that are not the very same."""
    chars, pens = map(ne, old.chars, new.chars), map(is_not, old.pens, new.pens)
    return (x for x, differ in enumerate(zip(chars, pens, strict=True)) if True in differ)


def _alike(char: str | None, one: Pen, other: Pen) -> bool:
    """True when a cell looks the same with either pen."""
    if char == " " and one.plain and other.plain:
        return one.background == other.background
    return one == other


def _whole(row: Row, start: int, end: int) -> tuple[int, int]:
    """A stretch that cuts no wide character in half."""
    while start > 0 and row.chars[start] == "":
        start -= 1
    while end < len(row.chars) and row.chars[end] == "":
        end += 1
    return start, end
