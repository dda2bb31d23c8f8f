"""What a comparison says of itself to its composer: whom a question goes to, what its commands take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_chat.ui.compare_keys import SCREEN
from tui_chat.ui.completing import Argument, file_name, models
from tui_chat.ui.frames import frames_of
from tui_chat.ui.lane_lines import name_of
from tui_chat.ui.screens.compare_base import CompareBase
from tui_chat.ui.screens.writing import Composing, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.actions import Action
    from tui_chat.domain.conversation import Node
    from tui_chat.engine.reply import Target

FORMATS = ("md", "csv", "json")


class CompareWriting(CompareBase, Composing):
    """Base of the comparison's screen."""

    PLACE = SCREEN

    def receivers(self) -> Iterable[Target]:
        return () if self.hidden else (lane.target for lane in self.comparison.synced)

    async def weigh(self, text: str) -> float:
        target = self.comparison.session.target
        return await counted(text, self.app.house.engine.knowledge.ratios(target.endpoint.name, target.model))

    @property
    def newest_question(self) -> Node | None:
        """That of the current lane, else of the chat."""
        lane = self.lane
        path = self.comparison.session.conversation.path()
        question = lane.question if lane is not None else None
        return question or next((node for node in reversed(path) if node.role == "user"), None)

    def arguments(self, action: Action) -> Iterable[Argument]:
        """The values that a command is known to take."""
        match action.method:
            case "snippet":
                return self.snippets()
            case "sets":
                return [Argument(name) for name in self.app.house.config.compare]
            case "add":
                return models(self.app.house.endpoints.listed)
            case "diff" | "vote":
                lanes = self.comparison.lanes.values()
                return [
                    Argument(self.letter(lane), "" if self.hidden else name_of(lane.target), known=False)
                    for lane in lanes
                ]
            case "export":
                return [Argument(f"{file_name(self.chat.title)}.{ending}", known=False) for ending in FORMATS]
            case _:
                return []

    # what every screen with a composer does

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_suspend(self) -> None:
        self.app.action_suspend_process()

    def action_redraw(self) -> None:
        if (frames := frames_of(self)) is not None:
            frames.redraw()
