"""The stats pane: the figures of the newest reply, as they move."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui_chat.domain import figures as show
from tui_chat.domain.budget import Limit
from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import UNKNOWN
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.style import Style

    from tui_chat.domain.budget import Left
    from tui_chat.domain.conversation import Node, Result
    from tui_chat.domain.figures import Currency
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost
    from tui_chat.engine.reply import Reply

WIDTH = 28
UNIT = 6
"""Columns of a unit behind its number, so that numbers end in one column whatever they measure."""
OTHER_LINES = 4
"""Lines of the screen beside the pane: title, status, composer and keys."""
BAND_LINES = 3
BAND_GAP = 3
"""Columns between the columns of the band."""
BAND_FIGURE = 10
"""Columns that a figure of the band has at least, so that its neighbours stay where they are."""
GAUGE = 14
LEFT = tuple(f"stats.left.{limit}" for limit in Limit)
GAPS = ("stats.gap_p50", "stats.gap_p95", "stats.gap_max")
BAND = (
    ("stats.elapsed", "stats.ttft", "stats.attempt"),
    ("stats.now", "stats.decode", "stats.silence"),
    ("stats.input", "stats.output", "stats.context"),
    ("stats.reply_cost", "stats.session_cost", "stats.today"),
    (*LEFT, "stats.cached", "stats.reasoning"),
    GAPS,
    ("stats.ttft_answer", "stats.connect", "stats.wait"),
)
"""The columns of the band, by the keys of their labels."""


_console = Console(width=10_000, color_system=None, legacy_windows=False)
"""Wraps and renders text, and prints nothing."""


class Heading(str):
    """A row that names those below it; a plain string among the rows is a sentence."""

    __slots__ = ()


class Chart(str):
    """A row that is drawn as it stands."""

    __slots__ = ()


class Figure(Struct, frozen=True):
    label: str
    number: str
    unit: str = ""

    @property
    def text(self) -> str:
        return f"{self.number} {self.unit}".rstrip()


Row = Figure | str


class Shown(Struct, frozen=True):
    """What the pane shows of one reply, under way or ended."""

    model: str
    phase: Phase
    stats: Stats
    cost: Cost
    skipped: int
    window: int | None = None
    """Tokens that the model can take in."""
    tries: int | None = None
    """How many are allowed, while that matters."""


class Spending(Struct, frozen=True):
    """What the pane shows beside the reply."""

    session: Cost = UNKNOWN
    today: Cost = UNKNOWN
    left: Left | None = None
    """Of the limit that is nearest."""
    currency: Currency | None = None


def of_reply(reply: Reply, window: int | None = None) -> Shown:
    draft, target = reply.draft, reply.target
    tries = target.endpoint.retry.attempts
    return Shown(target.model, draft.phase, reply.stats(), reply.cost(), draft.skipped, window, tries)


def of_result(node: Node, result: Result, window: int | None = None) -> Shown:
    return Shown(node.model, result.phase, result.stats, result.cost, result.skipped, window)


class Figures(Widget):
    """Rows of a label and a right-aligned figure; only lines that have changed are drawn again.

    Over a slow line they are a band of full width, so that nothing stands beside the transcript where it scrolls.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"figures--heading", "figures--figure", "figures--chart"}

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: list[Row] = []
        self._lines: list[Text] = []

    def show(self, shown: Shown | None, spending: Spending) -> None:
        lines: list[Row] = [say("stats.none")] if shown is None else list(rows(shown, spending))
        if lines != self._shown:
            self._shown = lines
            if self._seen:
                self._draw()

    def render(self) -> Text:
        """All of it as one text."""
        return Text("\n").join(self._lines)

    def render_line(self, y: int) -> Strip:
        line = self._lines[y] if y < len(self._lines) else Text()
        strip = Strip([segment for segment in line.render(_console) if segment.text])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def _draw(self) -> None:
        slow = self.app.has_class("-slow")  # pyright: ignore[reportUnknownMemberType]  # Textual leaves its type open
        before, self._lines = self._lines, self._band(self._shown) if slow else self._table(self._shown)
        for y, (old, new) in enumerate(zip_longest(before, self._lines)):
            if old is None or new is None or (old.plain, old.spans) != (new.plain, new.spans):
                self.refresh(Region(0, y, self.size.width, 1))

    def _table(self, rows: list[Row]) -> list[Text]:
        """Labels at the left, numbers in one column, units behind them; sections apart where there is room for that."""
        lines = [(row, self._drawn(row)) for row in rows]
        out = [drawn for row, texts in lines for drawn in ([Text(), *texts] if isinstance(row, Heading) else texts)]
        # The height of the window, not of the pane: a message that grows must not move the figures.
        return (
            out[1:]
            if len(out) - 1 <= self.screen.size.height - OTHER_LINES
            else [drawn for _, texts in lines for drawn in texts]
        )

    def _drawn(self, row: Row) -> list[Text]:
        """The lines of one row."""
        if isinstance(row, Figure):
            end = WIDTH - UNIT
            room = max(0, (end if len(row.unit) < UNIT else WIDTH - 1 - len(row.unit)) - len(row.label))
            number = f"{row.number:>{room}} {row.unit:<{UNIT - 1}}"
            return [Text.assemble(row.label, (number, self._style("figure")))]
        name = "heading" if isinstance(row, Heading) else "chart" if isinstance(row, Chart) else ""
        if name:
            # As a span: rich leaves out the style of a whole text.
            return [Text.assemble((row, self._style(name)))]
        return [Text(), *Text(row).wrap(_console, max(1, self.size.width))]

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"figures--{name}", partial=True)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        # Textual says so before it sets the styles of components: the first time there are none, later the old ones.
        self.call_after_refresh(self._anew)

    def on_resize(self) -> None:
        self._anew()

    @property
    def _seen(self) -> bool:
        """The pane has room on the screen, and with it its styles; a narrow window has none for it."""
        return self.is_attached and self.size.width > 0

    def _anew(self) -> None:
        if self._shown and self._seen:
            self._draw()
            self.refresh()

    def _band(self, rows: list[Row]) -> list[Text]:
        """The same in columns of a few lines; what finds no room at the right is left out."""
        if isinstance(rows[0], str) and not isinstance(rows[0], Heading):
            return [Text(rows[0])]
        number = self._style("figure")
        out = [Text() for _ in range(BAND_LINES)]
        room = self.size.width
        for column in columns(rows):
            width = max(len(figure.label) + max(BAND_FIGURE, len(figure.text)) for figure in column) + 1
            room -= width
            if room < 0:
                break
            for line, figure in zip(out, [*column, *[Figure("", "")] * BAND_LINES], strict=False):
                line.append(f"{figure.label:<{width - len(figure.text)}}").append(figure.text, number)
                line.append(" " * BAND_GAP)
            room -= BAND_GAP
        return out


def columns(rows: list[Row]) -> Iterator[list[Figure]]:
    """The figures in columns of a few lines, those first that one wants to see in a narrow window too."""
    named = {row.label: row for row in rows if isinstance(row, Figure) and row.label}
    gaps = say("stats.gaps")
    for keys in BAND:
        labels = [say(key) for key in keys]
        found = [named[label] for label in labels if label in named]
        if found:
            yield [replace(figure, label=f"{gaps} {figure.label}") for figure in found] if keys is GAPS else found


def rows(shown: Shown, spending: Spending) -> Iterator[Row]:
    """The pane's rows. Which they are changes as little as can be while a reply streams, so that none of them moves."""
    stats = shown.stats
    yield Heading(say(f"state.{shown.phase}"))
    yield Figure(say("stats.attempt"), f"{stats.attempts}/{shown.tries}" if shown.tries else str(stats.attempts))
    yield _time("stats.elapsed", stats.elapsed_s)
    yield Figure(say("stats.connect"), say("stats.warm")) if stats.warm else _time("stats.connect", stats.connect_s)
    yield _time("stats.ttft", stats.ttft_s)
    yield _time("stats.ttft_answer", stats.ttft_answer_s)
    yield _time("stats.wait", stats.wait_s)
    yield from _tokens(shown)
    yield from _speed(shown)
    yield from _costs(shown, spending)
    yield Heading(say("stats.gaps"))
    yield _time("stats.gap_p50", stats.gap_p50_s)
    yield _time("stats.gap_p95", stats.gap_p95_s)
    yield _time("stats.gap_max", stats.gap_max_s)
    flows = shown.phase in (Phase.STREAMING, Phase.THINKING, Phase.PROCESSING)
    yield _time("stats.silence", stats.silence_s if flows else None)
    if shown.skipped:
        yield Figure(say("stats.skipped"), str(shown.skipped))
    yield from _remarks(shown)


def _tokens(shown: Shown) -> Iterator[Row]:
    usage, exact = shown.stats.usage, shown.stats.exact
    yield Heading(say("stats.tokens"))
    yield Figure(say("stats.input"), show.tokens(usage.input, exact=exact))
    yield Figure(say("stats.cached"), show.tokens(usage.cached))
    yield Figure(say("stats.reasoning"), show.tokens(usage.reasoning, exact=exact))
    yield Figure(say("stats.output"), show.tokens(usage.output, exact=exact))
    used = None if usage.input is None else usage.input + (usage.output or 0)
    share = used / shown.window if used is not None and shown.window else None
    yield Figure(say("stats.context"), show.NONE if share is None else f"{show.mark(exact)}{share * 100:.1f}", "%")
    known = "?" if shown.window is None else show.short_count(shown.window)
    yield Chart(f"{show.gauge(share or 0.0, GAUGE)}{f'{show.short_count(used, exact=exact)}/{known}':>{WIDTH - GAUGE}}")


def _speed(shown: Shown) -> Iterator[Row]:
    stats = shown.stats
    yield Heading(say("stats.speed"))
    yield _rate("stats.now", stats.now_per_s, exact=False)
    yield _rate("stats.decode", stats.tok_per_s, exact=stats.exact)
    yield _rate("stats.total", stats.total_per_s, exact=stats.exact)
    if stats.timings is not None and stats.timings.tok_per_s is not None:
        yield _rate("stats.server", stats.timings.tok_per_s, exact=True)
    yield Chart(show.spark(stats.pace))


def _costs(shown: Shown, spending: Spending) -> Iterator[Row]:
    cost, currency = shown.cost, spending.currency
    yield Heading(say("stats.cost"))
    amounts = {"stats.reply_cost": cost, "stats.session_cost": spending.session, "stats.today": spending.today}
    for label, amount in amounts.items():
        yield from _money(say(label), show.money(amount), show.foreign(amount.usd, currency))
    if (left := spending.left) is not None:
        yield from _money(say(f"stats.left.{left.limit}"), show.usd(left.usd), show.foreign(left.usd, currency))


def _remarks(shown: Shown) -> Iterator[Row]:
    """What is to be said of the price; below all figures, of which a low window shows the first lines."""
    if shown.cost.note:
        yield visible_line(shown.cost.note, 200)
    if shown.cost.usd is None:
        yield f'{say("stats.price_help")}\n[prices."{visible_line(shown.model, 60)}"]\ninput = …\noutput = …'


def _money(label: str, usd: str, foreign: str) -> Iterator[Row]:
    """An amount, and below it the same in the currency of one's own."""
    yield Figure(label, usd)
    if foreign:
        yield Figure("", *foreign.split())


def _time(label: str, value: float | None) -> Figure:
    number, _, unit = show.seconds(value).partition(" ")
    return Figure(say(label), number, unit or "s")


def _rate(label: str, value: float | None, *, exact: bool) -> Figure:
    number, _, unit = show.rate(value, exact=exact).partition(" ")
    return Figure(say(label), number, unit)
