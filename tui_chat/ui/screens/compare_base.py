"""What the halves of the comparison's screen share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.ui.compositing import LiveScreen

if TYPE_CHECKING:
    from tui_chat.engine.comparison import Comparison, LaneState
    from tui_chat.ui.app import TuiChat
    from tui_chat.ui.screens.compare_options import Options
    from tui_chat.ui.widgets.composer import Composer
    from tui_chat.ui.widgets.lane import LaneView
    from tui_chat.wiring import Chat


class CompareBase(LiveScreen):
    """Base of the comparison's screen, which fills in what has no body here."""

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app
    chat: Chat
    comparison: Comparison
    composer: Composer
    options: Options
    current = ""
    """Id of the lane that had the focus last; what is done to one lane is done to it."""
    letters: dict[str, str]
    """Of a blind round, the letters that say nothing; empty while it shows who answers."""

    @property
    def lane(self) -> LaneState | None:
        """The current lane."""
        return self.comparison.lanes.get(self.current)

    @property
    def view(self) -> LaneView | None:
        """What shows the current lane."""
        raise NotImplementedError

    @property
    def lane_has_focus(self) -> bool:
        raise NotImplementedError

    @property
    def hidden(self) -> bool:
        """True while a blind round is not decided: nothing may tell who answers where."""
        return bool(self.letters)

    def letter(self, lane: LaneState) -> str:
        """What the lane is called on the screen now."""
        return self.letters.get(lane.id) or lane.label

    def lane_called(self, name: str) -> LaneState | None:
        """The lane with this letter or label."""
        wanted = name.casefold()
        return next((lane for lane in self.comparison.lanes.values() if self.letter(lane).casefold() == wanted), None)

    def notice(self, text: str) -> None:
        """Show a line for a while."""
        raise NotImplementedError

    def renew(self) -> None:
        """Show the lanes as they stand by now, soon."""
        raise NotImplementedError

    def write_line(self, what: str, label: str, text: str, *, whole: bool = False) -> None:
        """Have the user write a line; `line_written` gets it with `what`. Typing replaces a `whole` text."""
        raise NotImplementedError
