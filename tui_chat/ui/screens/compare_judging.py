"""What is done with the answers of a comparison: looked at side by side, told apart, voted on, kept, taken out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from textual import work

from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.lane import settings_text
from tui_chat.domain.words import say
from tui_chat.store.compared import compared_csv, compared_markdown, compared_object
from tui_chat.store.files import write_new
from tui_chat.ui import clipboard
from tui_chat.ui.lane_lines import name_of, shown_reply
from tui_chat.ui.screens.compare_base import CompareBase
from tui_chat.ui.screens.compare_help import CompareHelp
from tui_chat.ui.screens.difference import DifferenceScreen, Side
from tui_chat.ui.screens.results import ResultsScreen
from tui_chat.ui.screens.told import Told

if TYPE_CHECKING:
    from tui_chat.domain.comparing import Compared
    from tui_chat.engine.comparison import LaneState

JSON = msgspec.json.Encoder(decimal_format="number")
"""A Decimal stands as the exact number."""


class Judging(CompareBase):
    """Base of the comparison's screen."""

    blind = False
    """Rounds are judged before it is shown who answered."""

    # side by side

    def action_results(self) -> None:
        if self.hidden:
            self.notice(say("lanes.still_blind"))
        else:
            self.app.push_screen(ResultsScreen(self.comparison))

    def action_diff(self, argument: str = "") -> None:
        """Show what differs between two lanes, or between the runs of one."""
        sides, starts = list(self._sides()), list[int]()
        for name in argument.split()[:2]:
            place = next((place for place, side in enumerate(sides) if side.name.casefold() == name.casefold()), None)
            if place is None:
                self.notice(say("lanes.unknown", name=visible_line(name, 40)))
                return
            starts.append(place)
        if len(sides) < 2:
            self.notice(say("lanes.no_two"))
            return
        if not starts and (lane := self.lane) is not None:
            own = [place for place, side in enumerate(sides) if side.lane == lane.id]
            # The runs of a lane differ from each other, where there are several; else the lane from the next.
            starts = own[:2] if len(own) > 1 and self.lane_has_focus else own[:1]
        first = starts[0] if starts else 0
        rest = [place for place in range(len(sides)) if place != first and sides[place].lane != sides[first].lane]
        second = starts[1] if len(starts) > 1 else (rest or [1 - min(first, 1)])[0]
        self.app.push_screen(DifferenceScreen(sides, first, second))

    def _sides(self) -> list[Side]:
        """Every text that there is to compare: the runs of the newest round, else what stands in a lane."""
        found: list[Side] = []
        nodes = self.comparison.session.conversation.nodes
        for lane in self.comparison.lanes.values():
            letter = self.letter(lane)
            several = len(lane.replies) > 1
            for reply in lane.replies:
                name = f"{letter}{reply.run.repeat}" if several else letter
                if reply.draft.text:
                    found.append(Side(name, lane.id, reply.draft.text))
            if not lane.replies and lane.head in nodes and nodes[lane.head].role == "assistant":
                found.append(Side(letter, lane.id, nodes[lane.head].text))
        return found

    # blind

    def action_blind(self) -> None:
        """Judge rounds without knowing who answers; in the middle of one, show it."""
        if self.blind:
            self.blind, self.letters = False, {}
        else:
            self.blind = True
            self.draw_letters()
        self.renew()
        self.notice(say("lanes.blind_on" if self.blind else "lanes.blind_off"))

    def draw_letters(self) -> None:
        """Letters for the round that begins, if it is a blind one."""
        self.letters = self.comparison.shuffled() if self.blind else {}

    def action_vote(self, argument: str = "") -> None:
        """The current lane, or those that are named, was best."""
        names = argument.replace(",", " ").split()
        lanes = [self.lane_called(name) for name in names] if names else [self.lane]
        winners = [lane for lane in lanes if lane is not None]
        if len(winners) < len(lanes):
            self.notice(say("lanes.unknown", name=visible_line(argument, 40)))
        else:
            self._vote(winners)

    def action_tie(self) -> None:
        self._vote([])

    def _vote(self, winners: list[LaneState]) -> None:
        comparison = self.comparison
        if comparison.running:
            self.notice(say("lanes.vote_later"))
        elif len(comparison.judged) < 2:
            self.notice(say("lanes.no_two"))
        elif apart := next((lane for lane in winners if lane not in comparison.judged), None):
            self.notice(say("lanes.no_part", name=self.letter(apart)))
        else:
            comparison.vote([lane.id for lane in winners])
            names = ", ".join(self._revealed(lane) for lane in winners)
            self.letters = {}
            self.renew()
            self.notice(say("lanes.voted", names=names) if len(winners) == 1 else say("lanes.tied"))

    def _revealed(self, lane: LaneState) -> str:
        """A lane by its own label, and in a blind round by the letter that it had there."""
        name = f"{lane.label}, {name_of(lane.target)}"
        return say("lanes.was", letter=self.letter(lane), name=name) if self.hidden else name

    @work(exclusive=True, group="tally", exit_on_error=False)
    async def action_tally(self) -> None:
        """Show how each model with each of its settings was judged, in all conversations."""
        if self.hidden:
            self.notice(say("lanes.still_blind"))
            return
        found = await asyncio.to_thread(self.app.house.chats.library.tally) if self.app.house.chats.stored else []
        lines = [
            say(
                "tally.line",
                name=" · ".join(part for part in (f"{t.endpoint}/{t.model}", settings_text(t.settings)) if part),
                won=t.won,
                lost=t.lost,
                tied=t.tied,
                rounds=t.rounds,
            )
            for t in found
        ]
        self.app.push_screen(Told(say("tally.title"), lines or [say("tally.none")]))

    # what is taken from it

    def action_keep(self) -> None:
        """Make the current lane's answer the conversation's and go back to the chat."""
        comparison, lane = self.comparison, self.lane
        if lane is None or not comparison.keep(lane.id):
            busy = lane is not None and lane.running
            self.notice(say("lanes.keep_later" if busy else "lanes.nothing_to_keep"))
            return
        # What the others would still say has lost already, and the chat could not go on before it was said.
        comparison.cancel()
        self.dismiss(None)

    def action_copy(self) -> None:
        """Copy the answer of the current lane."""
        lane = self.lane
        reply = shown_reply(lane) if lane is not None else None
        nodes = self.comparison.session.conversation.nodes
        text = reply.draft.text if reply is not None else nodes[lane.head].text if lane and lane.head else ""
        if text:
            self.take(text)
        else:
            self.notice(say("status.nothing_to_copy"))

    def take(self, text: str) -> None:
        """Send a text to the terminal's clipboard."""
        if clipboard.encoded(text) is None:
            self.notice(say("lanes.too_long"))
            return
        self.app.copy_to_clipboard(text)
        self.notice(say("status.copied", count=f"{len(text):,}"))

    @work(exclusive=True, group="files", exit_on_error=False)
    async def action_export(self, argument: str = "") -> None:
        """Write the newest round to a new file, in the format of its name."""
        comparison = self.comparison
        if not argument:
            self.composer.put("/export ")
            self.notice(say("lanes.export"))
        elif self.hidden:
            self.notice(say("lanes.still_blind"))
        elif not any(lane.runs for lane in comparison.compared().lanes):
            self.notice(say("lanes.nothing_asked"))
        else:
            compared = comparison.compared(saved=self.chat.journal is not None)
            try:
                file = await asyncio.to_thread(_write, argument, compared)
            except (StoreError, RuntimeError) as error:
                self.notice(str(error))
            else:
                self.notice(say("lanes.exported", file=file))

    def action_help(self) -> None:
        self.app.push_screen(CompareHelp(self.app.house.config.keys))


def _write(name: str, compared: Compared) -> Path:
    """Write the results to a new file, whose path is returned. Raises StoreError, RuntimeError."""
    file = Path(name).expanduser()
    match file.suffix.lower():
        case ".md":
            text = compared_markdown(compared)
        case ".csv":
            text = compared_csv(compared)
        case ".json":
            text = f"{msgspec.json.format(JSON.encode(compared_object(compared)), indent=2).decode()}\n"
        case _:
            raise StoreError(say("lanes.export"))
    write_new(file, text)
    return file
