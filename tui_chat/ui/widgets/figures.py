"""The stats pane: the figures of the newest reply, as they move."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui_chat.domain import figures as show
from tui_chat.domain.draft import Phase
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui_chat.domain.conversation import Node, Result
    from tui_chat.domain.events import Timings
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost
    from tui_chat.engine.session import Reply

    Row = tuple[str, str]

WIDTH = 28
BAND_LINES = 3
BAND_GAP = 3
"""Columns between the columns of the band."""


_console = Console(width=10_000, color_system=None, legacy_windows=False)
"""Wraps and renders text, and prints nothing."""


class Heading(str):
    """A row that names those below it; a plain string among the rows is a sentence."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What the pane shows of one reply, under way or ended."""

    model: str
    phase: Phase
    stats: Stats
    cost: Cost
    skipped: int
    timings: Timings | None = None
    tries: int | None = None
    """How many are allowed, while that matters."""


def of_reply(reply: Reply) -> Shown:
    draft, tries = reply.draft, reply.target.endpoint.retry.attempts
    return Shown(reply.target.model, draft.phase, reply.stats(), reply.cost(), draft.skipped, draft.timings, tries)


def of_result(node: Node, result: Result) -> Shown:
    return Shown(node.model, result.phase, result.stats, result.cost, result.skipped)


class Figures(Widget):
    """Rows of a label and a right-aligned figure; only lines that have changed are drawn again.

    Over a slow line they are a band of full width, so that nothing stands beside the transcript where it scrolls.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"figures--heading", "figures--figure"}

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: list[Row | str] = []
        self._lines: list[Text] = []

    def show(self, shown: Shown | None, session_cost: Cost) -> None:
        lines: list[Row | str] = [say("stats.none")] if shown is None else list(rows(shown, session_cost))
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
        drawn = self._band(self._shown) if slow else self._table(self._shown)
        before, self._lines = self._lines, list(drawn.wrap(_console, max(1, self.size.width)))
        for y, (old, new) in enumerate(zip_longest(before, self._lines)):
            if old is None or new is None or (old.plain, old.spans) != (new.plain, new.spans):
                self.refresh(Region(0, y, self.size.width, 1))

    def _table(self, lines: list[Row | str]) -> Text:
        """Labels at the left, figures at the right edge; a heading or a sentence stands alone."""
        heading = self.get_component_rich_style("figures--heading", partial=True)
        number = self.get_component_rich_style("figures--figure", partial=True)
        out = Text()
        for line in lines:
            if isinstance(line, tuple):
                label, figure = line
                out.append(f"{label:<{WIDTH - len(figure) - 1}} ").append(f"{figure}\n", number)
            else:
                out.append(f"\n{line}\n" if out else f"{line}\n", heading if isinstance(line, Heading) else None)
        return out

    def notify_style_update(self) -> None:
        super().notify_style_update()
        # The colours of the new theme are known once the styles have been applied.
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

    def _band(self, lines: list[Row | str]) -> Text:
        """The same in columns of a few lines; what finds no room at the right is left out."""
        if isinstance(lines[0], str):
            return Text(lines[0])
        number = self.get_component_rich_style("figures--figure", partial=True)
        out = [Text() for _ in range(BAND_LINES)]
        room = self.size.width
        for column in columns(lines):
            width = max(len(label) + len(figure) for label, figure in column) + 1
            room -= width
            if room < 0:
                break
            for line, (label, figure) in zip(out, [*column, *[("", "")] * BAND_LINES], strict=False):
                line.append(f"{label:<{width - len(figure)}}").append(figure, number).append(" " * BAND_GAP)
            room -= BAND_GAP
        return Text("\n").join(out)


def columns(lines: list[Row | str]) -> Iterator[list[Row]]:
    """The figures in columns of a few lines, the cost of them first after how it goes; sentences are left out."""
    sections: list[list[Row]] = [[]]
    heading = ""
    for line in lines:
        if isinstance(line, Heading):
            heading = line if line in (say("stats.tokens"), say("stats.gaps")) else ""
            sections.append([])
        elif isinstance(line, tuple):
            sections[-1].append((f"{heading} {line[0]}".lstrip(), line[1]))
    for section in (sections[0], sections[-1], *sections[1:-1]) if len(sections) > 1 else sections:
        for start in range(0, len(section), BAND_LINES):
            yield section[start : start + BAND_LINES]


def rows(shown: Shown, session_cost: Cost) -> Iterator[Row | str]:
    """The pane's rows: (label, figure), a heading, or a sentence."""
    stats, cost = shown.stats, shown.cost
    usage, exact = stats.usage, stats.exact
    yield say("stats.state"), say(f"state.{shown.phase}")
    yield say("stats.attempt"), f"{stats.attempts} / {shown.tries}" if shown.tries else str(stats.attempts)
    yield say("stats.elapsed"), show.seconds(stats.elapsed_s)
    thinks = stats.ttft_s is not None and stats.ttft_s != stats.ttft_answer_s
    yield say("stats.ttft_thinking" if thinks else "stats.ttft"), show.seconds(stats.ttft_s)
    if thinks:
        yield say("stats.ttft_answer"), show.seconds(stats.ttft_answer_s)
    if stats.wait_s:
        yield say("stats.wait"), show.seconds(stats.wait_s)
    yield say("stats.connect"), say("stats.warm") if stats.warm else show.seconds(stats.connect_s)
    yield Heading(say("stats.tokens"))
    yield say("stats.input"), show.tokens(usage.input, exact=exact)
    if usage.cached is not None:
        yield say("stats.cached"), show.tokens(usage.cached)
    if usage.reasoning:
        yield say("stats.reasoning"), show.tokens(usage.reasoning, exact=exact)
    yield say("stats.output"), show.tokens(usage.output, exact=exact)
    yield Heading(say("stats.speed"))
    if not shown.phase.ended:
        yield say("stats.now"), show.rate(stats.now_per_s, exact=False)
    yield say("stats.decode"), show.rate(stats.tok_per_s, exact=exact)
    yield say("stats.total"), show.rate(stats.total_per_s, exact=exact)
    if shown.timings is not None and shown.timings.tok_per_s is not None:
        yield say("stats.server"), show.rate(shown.timings.tok_per_s)
    yield Heading(say("stats.gaps"))
    yield say("stats.gap_p50"), show.seconds(stats.gap_p50_s)
    yield say("stats.gap_p95"), show.seconds(stats.gap_p95_s)
    yield say("stats.gap_max"), show.seconds(stats.gap_max_s)
    if shown.phase in (Phase.STREAMING, Phase.THINKING, Phase.PROCESSING):
        yield say("stats.silence"), show.seconds(stats.silence_s)
    yield Heading(say("stats.cost"))
    yield say("stats.reply_cost"), show.money(cost)
    yield say("stats.session_cost"), show.money(session_cost)
    if cost.note:
        yield visible_line(cost.note, 200)
    if cost.usd is None:
        yield f'{say("stats.price_help")}\n[prices."{visible_line(shown.model, 60)}"]\ninput = …\noutput = …'
    if shown.skipped:
        yield say("stats.skipped"), str(shown.skipped)
