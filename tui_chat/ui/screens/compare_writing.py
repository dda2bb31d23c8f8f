"""What a comparison does for the one who writes: completes commands as they are typed, attaches files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import on, work
from textual.widgets import TextArea

from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.compare_keys import SCREEN
from tui_chat.ui.completing import Argument, file_name, file_offers, models, offers_for
from tui_chat.ui.frames import frames_of
from tui_chat.ui.lane_lines import name_of
from tui_chat.ui.screens.compare_base import CompareBase
from tui_chat.ui.screens.writing import counted, read_file
from tui_chat.ui.widgets.composer import Composer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.actions import Action
    from tui_chat.domain.images import Image
    from tui_chat.ui.widgets.completion import Completion

FORMATS = ("md", "csv", "json")


class CompareWriting(CompareBase):
    """Base of the comparison's screen."""

    completion: Completion

    @on(TextArea.Changed, "#composer")
    def _written(self) -> None:
        if self.composer.is_put:
            self.completion.close()
        else:
            self._offer_completions()

    @on(Composer.Completed)
    def _offer_completions(self) -> None:
        """Show what could complete a path behind `@`, or a command, once the user types at its end."""
        if (word := self.composer.word) is not None:
            self._offer_files(word[1])
            return
        found = offers_for(self.composer, SCREEN, self.app.house.config.keys, self._arguments)
        self.completion.show(found, self.composer.text)

    def _arguments(self, action: Action) -> Iterable[Argument]:
        """The values that a command is known to take."""
        match action.method:
            case "sets":
                return [Argument(name) for name in self.app.house.config.compare]
            case "add":
                return models(self.app.house.listed)
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

    # files

    @work(exclusive=True, group="paths", exit_on_error=False)
    async def _offer_files(self, typed: str) -> None:
        from tui_chat.store.attachments import entries

        found = file_offers(await asyncio.to_thread(entries, typed))
        word = self.composer.word
        if word is not None and word[1] == typed:
            self.completion.show(found)

    @on(Composer.Attach)
    def _attach_file(self, message: Composer.Attach) -> None:
        self._read_file(message.path, sure=message.sure)

    @work(group="attach", exit_on_error=False)
    async def _read_file(self, path: str, *, sure: bool) -> None:
        try:
            file = await asyncio.to_thread(read_file, path, sure=sure)
        except StoreError as error:
            self.notice(str(error))
            self.composer.refuse()
            return
        match file:
            case None:
                self.composer.leave()
            case (image, data):
                await self._keep_image(image, data)
                self.composer.attach(image, image.tokens)
            case _:
                target = self.comparison.session.target
                ratios = self.app.house.engine.knowledge.ratios(target.endpoint.name, target.model)
                self.composer.attach(file, await counted(file.block, ratios))

    async def _keep_image(self, image: Image, data: bytes) -> None:
        """Keep its bytes, and tell which lane's model will not take it."""
        house = self.app.house
        try:
            await asyncio.to_thread(house.chats.keep_image, image, data, kept=self.chat.journal is not None)
        except StoreError as error:
            self.notice(str(error))
        targets = [lane.target for lane in self.comparison.synced]
        blind = {target.model for target in targets if house.sees(target.endpoint, target.model) is False}
        if blind and not self.hidden:
            self.notice(say("attach.blind", model=visible_line(", ".join(sorted(blind)), 60)))

    # what every screen with a composer does

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_suspend(self) -> None:
        self.app.action_suspend_process()

    def action_redraw(self) -> None:
        if (frames := frames_of(self)) is not None:
            frames.redraw()
