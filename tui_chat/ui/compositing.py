"""Drawing what has changed of a screen, and no more of the widgets that it stands in; what is typed at once."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.screen import Screen

from tui_chat.ui.frames import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from textual.events import Idle
    from textual.strip import Strip

    Spans = dict[int, list[tuple[int, int]]]


class SparseCompositor(Compositor):
    """Asks each widget for the lines that have changed in it.

    Textual's asks every widget within the frame around all changes for all of its lines, at each paint.
    """

    _changed: Spans | None = None
    """Columns that are to be drawn, by line; None: all of the screen is."""

    def render_partial_update(self) -> ChopsUpdate | None:
        regions = self._dirty_regions.copy()
        self._dirty_regions.clear()
        if not regions:
            return None
        spans = list(self._regions_to_spans(regions))
        changed: Spans = {}
        for y, left, right in spans:
            changed.setdefault(y, []).append((left, right))
        self._changed = changed
        try:
            chops = self._render_chops(self.size.region, changed.__contains__)
        finally:
            self._changed = None
        return ChopsUpdate(chops, spans, [cuts[1:] for cuts in self.cuts])

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if self._changed is None:
            yield from super()._get_renders(crop)
            return
        # The widgets come front to back.
        bare = dict(self._changed)
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            for first, end in bands(bare, shown):
                band = Region(shown.x, first, shown.width, end - first)
                yield region, band, widget.render_lines(band.translate((-region.x, -region.y)))
                cover(bare, band)


class LiveScreen(Screen[None]):
    """A screen on which much moves while the user types."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = SparseCompositor()

    async def _on_idle(self, event: Idle) -> None:
        """Draw what a key has changed: Textual lets it wait for up to a sixtieth of a second since the last frame.

        Called before Textual's own of the same name, which then finds nothing to draw.
        """
        frames = frames_of(self)
        if frames is not None and frames.pacer.echoing and (self._dirty_widgets or self._layout_required):
            self._on_timer_update()


def cover(bare: Spans, band: Region) -> None:
    """Leave out what is hidden behind a band of lines."""
    left, right = band.column_span
    for y in band.line_range:
        bare[y] = [(first, end) for first, end in bare[y] if first < left or end > right]


def bands(changed: Spans, region: Region) -> Iterator[tuple[int, int]]:
    """(first, end) of the lines, next to each other, in which something of a region is to be drawn."""
    left, right = region.column_span
    top, bottom = region.line_span
    lines = sorted(
        y
        for y, spans in changed.items()
        if top <= y < bottom and any(first < right and end > left for first, end in spans)
    )
    for _, group in groupby(enumerate(lines), lambda placed: placed[1] - placed[0]):
        band = [y for _, y in group]
        yield band[0], band[-1] + 1
