"""The list of what could complete the line that is being typed: it lies over what is above the composer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.widgets import Static

from tui_chat.domain.hostile import visible_line
from tui_chat.ui.cells import BAR, clipped, columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.visual import VisualType

    from tui_chat.ui.completing import Offer

MOST_ROWS = 8
ROOM = 7
"""Rows of the screen that are left free of it: title, status, composer, keys, and something to read."""
GAP = 2
LEAST_HELP = 12


class Completion(Static):
    """Empty it is not there. It never has the focus: the composer asks it what to do with a key."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "completion--name", "completion--help", "completion--key", "completion--chosen",
    }  # fmt: skip
    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._offers: Sequence[Offer] = ()
        self._chosen = 0
        self._moved = False
        """The user has chosen with Up or Down."""
        self.of = ""
        """The command that was completed last."""

    @property
    def is_open(self) -> bool:
        return bool(self._offers)

    @property
    def offers(self) -> Sequence[Offer]:
        return self._offers

    @property
    def chosen(self) -> Offer:
        return self._offers[self._chosen]

    def show(self, offers: Sequence[Offer], of: str | None = None) -> None:
        """Offer these from now on, for the command `of`; nothing closes the list."""
        self.of = self.of if of is None else of
        if offers == self._offers:
            return
        self._offers, self._chosen, self._moved = offers, 0, False
        self.set_class(bool(offers), "-open")
        self._draw()

    def close(self) -> bool:
        """False when it was not open."""
        was = self.is_open
        self.show(())
        return was

    def move(self, step: int) -> None:
        self._chosen = (self._chosen + step) % len(self._offers)
        self._moved = True
        self._draw()

    def meant(self, written: str) -> Offer | None:
        """What Enter takes instead of sending what is written; None when it is to be sent."""
        # Where nothing of an argument is written, a command without one is meant.
        begun = written == written.rstrip()
        sure = self.is_open and (self._moved or (begun and self.chosen.known))
        return self.chosen if sure and self.chosen.text.rstrip() != written.rstrip() else None

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        rows = min(MOST_ROWS, len(self._offers), max(1, self.screen.size.height - ROOM))
        first = max(0, min(self._chosen - rows // 2, len(self._offers) - rows))
        # It is laid out where the status line begins, and drawn above it.
        self.styles.height, self.styles.offset = rows, (0, -rows)
        self.update(self._table(range(first, first + rows)))

    def _table(self, places: range) -> VisualType:
        width = self.screen.size.width - 2
        names = max((columns(offer.name) for offer in self._offers), default=0)
        keys = max((columns(offer.key) for offer in self._offers), default=0)
        alone = not keys and not any(offer.help for offer in self._offers)
        names = min(names, width - 2 * GAP if alone else max(8, width // 2))
        text = Text(no_wrap=True, overflow="ellipsis")
        for place in places:
            if text:
                text.append("\n")
            text.append_text(self._row(self._offers[place], names, keys, width, chosen=place == self._chosen))
        return text

    def _row(self, offer: Offer, names: int, keys: int, width: int, *, chosen: bool) -> Text:
        room = width - names - keys - 2 * GAP
        row = Text()
        parts = [("name", offer.name, names), ("key", offer.key, keys)]
        if room >= LEAST_HELP:
            parts.append(("help", offer.help, room))
        for style, part, size in parts:
            shown = clipped(visible_line(part), size)
            row.append(
                shown + " " * (size - columns(shown) + GAP),
                self.get_component_rich_style(f"completion--{style}", partial=True),
            )
        row.truncate(width, pad=True)
        row = Text.assemble(
            (BAR if chosen else " ", self.get_component_rich_style("completion--key", partial=True)), row
        )
        if chosen:
            row.stylize(self.get_component_rich_style("completion--chosen", partial=True))
        return row
