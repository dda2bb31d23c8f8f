"""The command palette, which says in the language in use that it has found nothing."""

from __future__ import annotations

from contextlib import suppress

from rich.align import Align
from rich.text import Text
from textual.command import CommandList, CommandPalette
from textual.widgets.option_list import OptionDoesNotExist

from tui_chat.domain.words import say


class Palette(CommandPalette):
    def __init__(self) -> None:
        # By this id Textual knows that the palette is open.
        super().__init__(placeholder=say("palette.search"), id="--command-palette")

    def _start_no_matches_countdown(self, search_value: str) -> None:
        super()._start_no_matches_countdown(search_value)
        # Begun after the one that adds the line, a timer of the same length comes right after it.
        self.set_timer(self._NO_MATCHES_COUNTDOWN, self._say_none)

    def _say_none(self) -> None:
        said = Align.center(Text(say("palette.none"), style="not bold"))
        # More may have been typed meanwhile.
        with suppress(OptionDoesNotExist):
            self.query_one(CommandList).replace_option_prompt(self._NO_MATCHES, said)
