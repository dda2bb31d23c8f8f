"""What a comparison is made of: lanes added, swept, edited, taken out, and how rounds are run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work

from tui_chat.domain.failure import Broken, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.lane import MOST, LaneError, LaneSpec, lane_text
from tui_chat.domain.words import say
from tui_chat.store.lanes import read_lane
from tui_chat.ui.lane_lines import name_of
from tui_chat.ui.screens.choosing import Choosing
from tui_chat.ui.screens.compare_base import CompareBase
from tui_chat.ui.screens.compare_options import OptionError, read_options
from tui_chat.ui.screens.models import ModelPicker, Picked
from tui_chat.ui.screens.sweep import SweepScreen
from tui_chat.wiring import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.engine.reply import Target


class Setting(CompareBase):
    """Base of the comparison's screen."""

    # lanes that come

    def action_add(self, argument: str = "") -> None:
        """Add a lane from its text, or have one written."""
        if argument:
            self._add_or_write(argument)
        else:
            # At once: what is typed next belongs in that line.
            self.write_line("add", say("lanes.line.add"), self._text_of_current(), whole=True)

    @work(exclusive=True, group="lanes", exit_on_error=False)
    async def _add_or_write(self, text: str) -> None:
        if not await self._add_text(text):
            self.write_line("add", say("lanes.line.add"), text)

    def action_model(self) -> None:
        """Add a lane for a model that is picked, with the settings of the current lane."""
        base = self.comparison.session.target if self.lane is None else self.lane.target

        def picked(found: Picked | None) -> None:
            if found is not None:
                self.add_target(self.app.house.targets.of(found.endpoint, found.model, base.settings))

        self.app.push_screen(ModelPicker(self.app.house, base.endpoint), picked)

    def action_sets(self, argument: str = "") -> None:
        """Compare with the lanes of a set of config.toml."""
        names = list(self.app.house.config.compare)
        if argument:
            self.take_set(argument)
        elif names:
            self.app.push_screen(
                Choosing(say("lanes.sets"), [(name, self._set_line(name)) for name in names]), self._set
            )
        else:
            self.notice(say("lanes.no_sets", file=self.app.house.config_file))

    def _set(self, name: str | None) -> None:
        if name is not None:
            self.take_set(name)

    def _set_line(self, name: str) -> str:
        return f"{name}: {'; '.join(lane_text(spec) for spec in self.app.house.config.lanes(name))}"

    @work(exclusive=True, group="lanes", exit_on_error=False)
    async def take_set(self, name: str) -> None:
        """Have the lanes of a set be the lanes; all of them or none."""
        try:
            specs = self.app.house.config.lanes(name)
            targets = [(await self.target_of(spec), spec.label) for spec in specs]
        except (TuiChatError, Broken) as error:
            self.notice(_line(error))
            return
        self._take(targets)

    def action_sweep(self) -> None:
        """Have models, temperatures and system prompts written, each combination of which is a lane."""
        question = self.composer.text.strip()
        lane = self.lane
        if not question and lane is not None and lane.question is not None:
            question = lane.question.text
        text = self._text_of_current()
        self.app.push_screen(SweepScreen(self.app.house, self, text, question), self._swept)

    def _swept(self, targets: list[Target] | None) -> None:
        if targets is not None:
            self._take([(target, "") for target in targets])

    def _take(self, targets: Iterable[tuple[Target, str]]) -> None:
        """Have these be the lanes; those there were are taken out, their answers stay in the tree."""
        wanted = list(targets)
        if len(wanted) > MOST:
            self.notice(say("lanes.many", most=MOST, count=len(wanted)))
            return
        for lane_id in list(self.comparison.lanes):
            self.comparison.remove(lane_id)
        for target, label in wanted:
            self.comparison.add(target, self._free(label))
        self.letters = {}
        self.composer.focus()
        self.renew()
        self.notice(say("lanes.taken", count=len(self.comparison.lanes)))

    def _free(self, label: str) -> str:
        """The label, unless a lane is called so already: then it gets a letter."""
        return "" if any(lane.label == label for lane in self.comparison.lanes.values()) else label

    def add_target(self, target: Target) -> None:
        lane = self.comparison.add(target)
        if lane is None:
            self.notice(say("lanes.full", most=MOST))
            return
        self.letters = {}
        self.renew()
        self.notice(say("lanes.added", name=lane.label, target=name_of(target)))

    async def target_of(self, spec: LaneSpec) -> Target:
        """Whom a lane asks; where it is silent, the current lane speaks. Raises TuiChatError, Broken."""
        base = self.comparison.session.target if self.lane is None else self.lane.target
        under = Choice() if spec.profile else Choice(base.endpoint.name, base.model or None)
        house = self.app.house
        return await house.targets.completed(await asyncio.to_thread(house.targets.lane, spec, under))

    def _text_of_current(self) -> str:
        target = self.comparison.session.target if self.lane is None else self.lane.target
        return lane_text(LaneSpec(endpoint=target.endpoint.name, model=target.model, settings=target.settings))

    async def _add_text(self, text: str) -> bool:
        try:
            spec = read_lane(text, say("lanes.new"))
            target = await self.target_of(spec)
        except (TuiChatError, Broken) as error:
            self.notice(_line(error))
            return False
        self.add_target(target)
        return True

    # lanes that are there

    def action_edit(self) -> None:
        """Have the current lane's endpoint, model and settings written anew."""
        if (lane := self.lane) is not None and not self.hidden:
            self.write_line("edit", say("lanes.line.edit", name=self.letter(lane)), self._text_of_current())
        else:
            self.notice(say("lanes.still_blind"))

    def action_note(self, argument: str = "") -> None:
        if (lane := self.lane) is None:
            return
        if argument:
            self.comparison.annotate(lane.id, argument)
        else:
            self.write_line("note", say("lanes.line.note", name=self.letter(lane)), lane.note)

    def action_options(self, argument: str = "") -> None:
        """Have it written how rounds are run."""
        if not argument or not self._set_options(argument):
            self.write_line("options", say("lanes.line.options"), argument or self.options.line)

    async def line_written(self, what: str, text: str) -> bool:
        """Take a line; False, with what is wrong with it in the status line, where that cannot be."""
        match what:
            case "add":
                return await self._add_text(text)
            case "edit":
                return await self._edit(text)
            case "note" if self.lane is not None:
                self.comparison.annotate(self.lane.id, text.strip())
                return True
            case "options":
                return self._set_options(text)
            case _:
                return True

    async def _edit(self, text: str) -> bool:
        if (lane := self.lane) is None:
            return True
        try:
            spec = read_lane(text, self.letter(lane))
            target = await self.target_of(spec)
        except (TuiChatError, Broken) as error:
            self.notice(_line(error))
            return False
        lane.label = self._free(spec.label) or lane.label
        self.comparison.edit(lane.id, target)
        self.renew()
        return True

    def _set_options(self, text: str) -> bool:
        try:
            self.options = read_options(text, self.options)
        except (OptionError, LaneError) as error:
            self.notice(str(error))
            return False
        self.comparison.pace = self.options.pace
        self.renew()
        return True

    def action_duplicate(self) -> None:
        """Add a lane that goes on from where this one is; its settings are there to be changed."""
        if (lane := self.lane) is None:
            return
        twin = self.comparison.duplicate(lane.id)
        if twin is None:
            self.notice(say("lanes.full", most=MOST))
            return
        self.letters = {}
        self.renew()
        self.current = twin.id
        self.call_after_refresh(self.action_edit)

    def action_remove(self) -> None:
        if (lane := self.lane) is None:
            return
        self.comparison.remove(lane.id)
        self.letters.pop(lane.id, None)
        self.composer.focus()
        self.renew()
        self.notice(say("lanes.removed", name=visible_line(lane.label, 40)))

    def action_sync(self) -> None:
        if (lane := self.lane) is not None:
            self.comparison.sync(lane.id, not lane.synced)
            self.renew()
            said = "lanes.synced" if lane.synced else "lanes.unsynced"
            self.notice(say(said, name=self.letter(lane)))

    def action_rejoin(self) -> None:
        """Have every lane go on from where the chat is."""
        if self.comparison.running:
            self.notice(say("lanes.busy"))
        else:
            self.comparison.rejoin()
            self.renew()
            self.notice(say("lanes.rejoined"))


def _line(error: Exception) -> str:
    return error.failure.line if isinstance(error, Broken) else str(error)
