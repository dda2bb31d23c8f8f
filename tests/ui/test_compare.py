"""The comparison on the screen: lanes, one composer, judging, keeping; against the demo endpoint."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events
from textual.widgets import Static

from tests.kit.screen import Chat, environment, opened
from tui_chat.demo.server import DemoServer
from tui_chat.domain.draft import Phase
from tui_chat.domain.pricing import CostSource
from tui_chat.ui.screens.budget import BudgetQuestion
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.compare import CompareScreen
from tui_chat.ui.screens.difference import DifferenceScreen
from tui_chat.ui.screens.results import ResultsScreen
from tui_chat.ui.screens.sweep import SweepScreen
from tui_chat.ui.screens.told import Told

SETS = """
[compare.temps]
lanes = [
    { endpoint = "openai", model = "demo-fast", temperature = 0.0 },
    { endpoint = "openai", model = "demo-fast", temperature = 0.5 },
    { endpoint = "openai", model = "demo-fast", temperature = 1.0 },
]
[compare.mixed]
lanes = [
    { endpoint = "openai", model = "demo-fast" },
    { endpoint = "openai", model = "demo-drop" },
    { endpoint = "openai", model = "demo-slow" },
]
"""


def priced(env: dict[str, str]) -> dict[str, str]:
    price = '[prices."demo-fast"]\ninput = 1000\noutput = 1000\n'
    Path(env["TUI_CHAT_CONFIG"]).write_text(SETS + price)
    return env


class Lanes:
    """A comparison on a screen, as a test sees and handles it."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.press, self.type, self.until, self.settle = chat.press, chat.type, chat.until, chat.settle

    @property
    def screen(self) -> CompareScreen:
        found = [screen for screen in self.chat.app.screen_stack if isinstance(screen, CompareScreen)]
        assert found, self.chat.app.screen
        return found[-1]

    @property
    def comparison(self):
        return self.screen.comparison

    @property
    def lanes(self):
        return list(self.comparison.lanes.values())

    @property
    def models(self) -> list[str]:
        return [lane.target.model for lane in self.lanes]

    @property
    def answers(self) -> list[str]:
        """What stands in each lane, from left to right."""
        return [view.transcript.turns[-1].text for view in self.screen._views.values()]

    @property
    def status(self) -> str:
        return str(self.screen.query_one("#status", Static).content)

    def line(self, name: str) -> str:
        return str(self.screen.query_one(name, Static).content)

    def heads(self) -> list[str]:
        return [str(head.content) for head in self.screen.query(".lane-head").results(Static)]

    def figures(self) -> list[str]:
        return [str(figures.content) for figures in self.screen.query(".lane-figures").results(Static)]

    @property
    def shown(self) -> list[bool]:
        return [bool(view.display) for view in self.screen._views.values()]

    async def send(self, text: str) -> None:
        self.screen.composer.put(text)
        self.screen.composer.focus()
        await self.press("enter")

    async def ask(self, text: str) -> None:
        """Send to all lanes and wait for the end of each."""
        before = self.comparison.round
        await self.send(text)
        await self.until(lambda: self.comparison.round != before and not self.comparison.running)


@pytest.fixture
async def server() -> AsyncIterator[DemoServer]:
    demo = DemoServer(seed=1)
    await demo.start()
    yield demo
    await demo.close()


@pytest.fixture
def env(tmp_path: Path, server: DemoServer) -> dict[str, str]:
    variables = environment(tmp_path, server)
    Path(variables["TUI_CHAT_CONFIG"]).write_text(SETS)
    return variables


def add_to_config(env: dict[str, str], text: str) -> None:
    Path(env["TUI_CHAT_CONFIG"]).write_text(f"{SETS}\n{text}")


@asynccontextmanager
async def comparing(
    env: dict[str, str], lanes: str = "", size: tuple[int, int] = (130, 40), uid: str | None = None
) -> AsyncIterator[Lanes]:
    """A chat from which the comparison was opened, with the lanes of a set where one is named."""
    async with opened(env, None if uid else "demo-fast", size=size, uid=uid) as chat:
        await chat.until(lambda: any(isinstance(screen, ChatScreen) for screen in chat.app.screen_stack))
        await chat.send(f"/compare {lanes}".strip())
        await chat.until(lambda: isinstance(chat.app.screen, CompareScreen))
        shown = Lanes(chat)
        if lanes:
            await chat.until(lambda: len(shown.lanes) > 1)
        yield shown


# lanes


async def test_a_comparison_begins_with_whom_the_chat_asks(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        assert it.models == ["demo-fast"]
        assert it.heads() == ["A  openai/demo-fast"]
        assert "F2" in it.status


async def test_the_footer_offers_what_can_be_done(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.until(lambda: "F2" in it.line("#keys"))
        assert "Alt+K" not in it.line("#keys")
        assert "Alt+A" not in it.line("#keys")
        await it.ask("echo hello")
        await it.until(lambda: "Alt+K" in it.line("#keys"))


async def test_a_set_makes_the_lanes(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        assert [lane.target.settings.temperature for lane in it.lanes] == [0.0, 0.5, 1.0]
        assert it.shown == [True, True, True]


async def test_a_set_that_is_not_there_is_said_in_the_chat(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.send("/compare nothing")
        await chat.until(lambda: "nothing" in chat.status)
        assert isinstance(chat.app.screen, ChatScreen)


async def test_one_message_goes_to_all_lanes_in_sync(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.press("alt+2", "alt+y")
        assert not it.lanes[1].synced
        await it.ask("echo hello")
        assert [len(lane.replies) for lane in it.lanes] == [1, 0, 1]
        await it.press("alt+2", "alt+y")
        await it.ask("echo again")
        assert [len(lane.replies) for lane in it.lanes] == [1, 1, 1]
        # Each goes on with its own answers.
        sent = [len(lane.replies[0].ask.messages) for lane in it.lanes]
        assert sent == [3, 1, 3]


async def test_a_lane_is_added_by_its_text_and_a_mistake_loses_nothing(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.press("alt+l")
        line = it.screen._line
        line.value = "openai/demo-slow temperature=hot"
        await it.press("enter")
        assert "temperature" in it.status
        assert line.value == "openai/demo-slow temperature=hot"
        line.value = "demo-slow temperature=1"
        await it.press("enter")
        await it.until(lambda: len(it.lanes) == 2)
        assert it.models == ["demo-fast", "demo-slow"]
        assert not it.screen._asking.has_class("-open")


async def test_a_command_adds_a_lane_and_a_mistake_in_it_can_be_mended(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.send("/lane openai/demo-slow temperature=1")
        await it.until(lambda: it.models == ["demo-fast", "demo-slow"])
        await it.send("/lane openai/demo-slow temperature=hot")
        await it.until(lambda: it.screen._asking.has_class("-open"))
        assert it.screen._line.value == "openai/demo-slow temperature=hot"
        assert "temperature" in it.status


async def test_the_settings_of_a_lane_are_edited_in_place(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.press("alt+2", "alt+e")
        assert it.screen._line.value == "openai/demo-fast temperature=0.5"
        it.screen._line.value = "openai/demo-slow seed=7"
        await it.press("enter")
        await it.until(lambda: it.models[1] == "demo-slow")
        assert it.lanes[1].target.settings.seed == 7
        assert it.heads()[1] == "B  openai/demo-slow · seed=7"
        assert it.chat.app.focused is it.screen.view


async def test_lanes_are_duplicated_and_taken_out_up_to_six(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        for count in range(2, 7):
            await it.press("alt+c")
            await it.until(lambda count=count: len(it.lanes) == count)
            await it.press("escape")
        await it.press("alt+c")
        assert len(it.lanes) == 6
        assert "6" in it.status
        await it.press("alt+6", "alt+x")
        await it.until(lambda: len(it.lanes) == 5 and len(it.screen._views) == 5)
        assert [lane.label for lane in it.lanes] == ["A", "B", "C", "D", "E"]


async def test_a_lane_taken_out_while_its_colours_change_is_no_fault(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("echo hello")
        it.screen.action_lane(2)
        it.screen.action_leave()
        await it.until(lambda: isinstance(it.chat.app.screen, ChatScreen))
        await it.settle()
        assert it.chat.app.return_code is None


# where lanes stand


async def test_lanes_that_would_be_narrow_are_tabs(env: dict[str, str]) -> None:
    async with comparing(env, "temps", size=(80, 24)) as it:
        assert it.shown == [True, False, False]
        assert it.screen._tabs.display
        await it.press("alt+3")
        assert it.shown == [False, False, True]
        await it.ask("echo hello")
        await it.press("alt+1")
        assert it.answers == ["hello"] * 3 or all("hello" in answer for answer in it.answers)
        assert it.line("#tabs").count("done") == 3
        assert it.line("#tabs").endswith("Alt+1 to 3")


async def test_a_lane_is_maximised_and_restored(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.press("alt+2", "alt+z")
        assert it.shown == [False, True, False]
        await it.press("alt+z")
        assert it.shown == [True, True, True]


async def test_tab_goes_from_the_composer_through_the_lanes(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        seen: list[object] = []
        for _ in range(4):
            seen.append(it.chat.app.focused)
            await it.press("tab")
        assert seen[0] is it.screen.composer
        assert len({id(widget) for widget in seen}) == 4
        assert it.chat.app.focused is it.screen.composer


async def test_what_is_typed_in_a_lane_is_written_in_the_composer(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.press("alt+2")
        await it.type("kept and voted")
        assert it.screen.composer.text == "kept and voted"
        await it.press("alt+1")
        it.chat.app.post_message(events.Paste(" and\npasted"))
        await it.settle()
        assert it.screen.composer.text == "kept and voted and\npasted"
        assert it.chat.app.focused is it.screen.composer
        assert len(it.lanes) == 3


async def test_locked_lanes_stand_at_the_same_turn(env: dict[str, str]) -> None:
    async with comparing(env, "temps", size=(130, 24)) as it:
        for _ in range(2):
            await it.ask("long 150")
        await it.press("alt+1", "alt+s", "pageup", "pageup")
        views = list(it.screen._views.values())
        await it.until(lambda: not any(view.transcript.following for view in views))
        tops = [view.transcript.view.start for view in views]
        assert len(set(tops)) == 1
        await it.press("end")
        await it.until(lambda: all(view.transcript.following for view in views))


# a round


async def test_a_lane_that_was_asked_nothing_has_not_failed(env: dict[str, str]) -> None:
    async with opened(env, "demo-drop") as chat:
        await chat.send("long 200")
        await chat.until(
            lambda: chat.screen.session.conversation.newest is not None and not chat.screen.session.running
        )
        await chat.send("/compare")
        await chat.until(lambda: isinstance(chat.app.screen, CompareScreen))
        it = Lanes(chat)
        await it.send("/lane openai/demo-fast")
        await it.until(lambda: len(it.lanes) == 2)
        await it.until(lambda: [text.strip() for text in it.figures()] == ["nothing asked yet"] * 2)
        assert not any(lane.runs for lane in it.comparison.compared().lanes)
        await it.ask("echo hi")
        await it.until(lambda: [text.split()[0] for text in it.figures()] == ["failed", "done"])
        await it.send("/lane openai/demo-slow")
        await it.until(lambda: len(it.lanes) == 3)
        await it.until(lambda: [text.split()[0] for text in it.figures()] == ["failed", "done", "nothing"])
        uid = it.chat.screen.chat.id if isinstance(it.chat.screen, ChatScreen) else it.screen.chat.id
    async with comparing(env, uid=uid) as it:
        await it.until(lambda: [text.split()[0] for text in it.figures()] == ["failed", "done", "ready"])


async def test_one_lane_fails_one_is_cancelled_the_third_is_kept_and_the_chat_goes_on(env: dict[str, str]) -> None:
    async with comparing(env, "mixed") as it:
        await it.send("long 200")
        await it.until(lambda: it.lanes[2].replies and it.lanes[2].replies[0].draft.text)
        await it.press("alt+3", "escape")
        await it.until(lambda: not it.comparison.running)
        phases = [lane.replies[0].draft.phase for lane in it.lanes]
        assert phases == [Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED]
        assert [text.split()[0] for text in it.figures()] == ["done", "failed", "cancelled"]
        kept = it.lanes[0].replies[0].draft.text
        await it.press("alt+1", "alt+k")
        chat = it.chat
        await it.until(lambda: isinstance(chat.app.screen, ChatScreen))
        assert chat.replies == [kept]
        await chat.ask("echo on")
        assert len(chat.replies) == 2
        uid = chat.screen.chat.id
    async with opened(env, uid=uid) as chat:
        await chat.until(lambda: len(chat.replies) == 2)
        tree = chat.screen.session.conversation
        question = tree.path()[0]
        assert [tree.nodes[id].model for id in tree.children[question.id]] == ["demo-fast", "demo-drop", "demo-slow"]
        assert tree.siblings(tree.path()[1].id) == (1, 3)


async def test_an_estimate_makes_an_estimate_of_today_s_sum(env: dict[str, str]) -> None:
    async with opened(priced(env), "demo-fast") as chat:
        await chat.ask("echo hello")
        assert chat.screen.spending().today.source is CostSource.COMPUTED
        await chat.send("long 400")
        await chat.until(lambda: bool(chat.screen.session.reply and chat.screen.session.reply.draft.text))
        await chat.press("escape")
        await chat.until(lambda: not chat.screen.session.running)
        spending = chat.screen.spending()
        assert spending.session.source is CostSource.ESTIMATED
        assert spending.today == spending.session


async def test_what_the_lanes_cost_is_in_today_s_sum_of_the_chat(env: dict[str, str]) -> None:
    async with comparing(priced(env), "temps") as it:
        await it.ask("echo hello")
        it.screen.action_leave()
        await it.until(lambda: isinstance(it.chat.app.screen, ChatScreen))
        spending = it.chat.screen.spending()
        assert spending.session.usd
        assert spending.today.usd == spending.session.usd


async def test_escape_in_the_composer_cancels_all(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("long 2000")
        await it.until(lambda: all(lane.replies and lane.replies[0].draft.text for lane in it.lanes))
        await it.press("escape")
        await it.until(lambda: not it.comparison.running)
        assert {lane.replies[0].draft.phase for lane in it.lanes} == {Phase.CANCELLED}


async def test_what_broke_off_is_asked_again_or_gone_on_with(env: dict[str, str]) -> None:
    async with comparing(env, "mixed") as it:
        await it.send("long 60")
        await it.until(lambda: it.lanes[1].replies and it.lanes[1].replies[0].draft.phase is Phase.FAILED)
        await it.press("alt+2", "f5")
        await it.until(lambda: it.lanes[1].replies[0].draft.phase is Phase.FAILED and not it.lanes[1].running)
        tree = it.comparison.session.conversation
        question = it.lanes[1].question
        assert question is not None
        assert len(tree.children[question.id]) == 4
        before = len(it.lanes[1].replies[0].draft.text)
        await it.press("f6")
        await it.until(lambda: not it.lanes[1].running)
        assert len(it.lanes[1].replies[0].draft.text) >= before


async def test_esc_twice_leaves_and_the_lanes_are_there_again(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("echo hello")
        answers = it.answers
        uid = it.chat.screen.chat.id
        await it.press("escape")
        assert isinstance(it.chat.app.screen, CompareScreen)
        await it.press("escape")
        await it.until(lambda: isinstance(it.chat.app.screen, ChatScreen))
        assert it.chat.replies == answers[:1]
    async with comparing(env, uid=uid) as it:
        await it.until(lambda: len(it.lanes) == 3)
        assert [lane.target.settings.temperature for lane in it.lanes] == [0.0, 0.5, 1.0]
        assert it.answers == answers
        await it.ask("echo again")
        assert [len(lane.replies) for lane in it.lanes] == [1, 1, 1]


async def test_lanes_go_on_unseen_and_a_lane_that_ended_meanwhile_is_whole(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("long 300")
        await it.until(lambda: all(lane.replies for lane in it.lanes))
        it.screen.action_leave()
        chat = it.chat
        await it.until(lambda: isinstance(chat.app.screen, ChatScreen))
        assert "at work" in chat.status
        comparison = chat.screen.session.comparison
        assert comparison is not None
        await it.until(lambda: not comparison.running)
        assert chat.screen.transcript.turns[-1].text == chat.replies[-1]
        await chat.press("alt+c")
        await it.until(lambda: isinstance(chat.app.screen, CompareScreen))
        assert [reply.draft.text for lane in comparison.lanes.values() for reply in lane.replies] == it.answers


async def test_the_newest_question_of_the_chat_is_asked_again_in_all_lanes(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo once")
        await chat.send("/compare temps")
        it = Lanes(chat)
        await chat.until(lambda: isinstance(chat.app.screen, CompareScreen) and len(it.lanes) == 3)
        await it.press("alt+a")
        await it.until(lambda: all(lane.replies for lane in it.lanes) and not it.comparison.running)
        tree = chat.screen.session.conversation
        roots = tree.children[None]
        assert len(roots) == 1
        assert len(tree.children[roots[0]]) == 4


async def test_what_is_typed_while_lanes_are_at_work_is_not_lost(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("long 2000")
        await it.until(lambda: it.comparison.running)
        await it.send("and then")
        assert it.screen.composer.text == "and then"
        assert "at work" in it.status


async def test_runs_of_a_lane_are_repeated_and_walked_through(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("/options repeat=3 parallel=true")
        assert it.comparison.pace.repeat == 3
        await it.ask("haiku")
        assert [len(lane.replies) for lane in it.lanes] == [3, 3, 3]
        lane = it.lanes[0]
        await it.press("alt+1", "right")
        await it.until(lambda: lane.head == lane.replies[1].node.id)
        await it.until(lambda: it.answers[0] == lane.replies[1].draft.text)
        assert "run 2/3" in it.figures()[0]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [("repeat=0", "repeat"), ("stagger=x", "stagger"), ("warm=1", "warm"), ("speed=9", "speed"), ("limit=-1", "limit")],
)
async def test_options_that_make_no_sense_are_said_and_stay_written(env: dict[str, str], line: str, wrong: str) -> None:
    async with comparing(env, "temps") as it:
        before = it.screen.options
        await it.send(f"/options {line}")
        assert wrong in it.status
        assert it.screen._line.value == line
        assert it.screen.options == before


async def test_staggered_lanes_show_what_they_are_told_when_it_is_their_time(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("/options stagger=0.2 limit=2 warm=true")
        await it.ask("echo hello")
        assert all("hello" in answer for answer in it.answers)


# judging


async def test_the_results_are_sorted_by_any_column(env: dict[str, str]) -> None:
    async with comparing(env, "mixed") as it:
        await it.ask("long 40")
        await it.press("f9")
        await it.until(lambda: isinstance(it.chat.app.screen, ResultsScreen))
        results = it.chat.app.screen.query_one("#results")
        rows = [results.render_line(y).text for y in (0, 2, 4)]
        assert [row[1] for row in rows] == ["A", "B", "C"]
        await it.press("left", "r")
        assert it.chat.app.screen.query_one("#result-head", Static).content


async def test_the_difference_of_two_lanes_is_shown(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("haiku")
        await it.press("f7")
        await it.until(lambda: isinstance(it.chat.app.screen, DifferenceScreen))
        screen = it.chat.app.screen
        title = screen.query_one(".screen-title", Static)
        await it.until(lambda: "A" in str(title.content))
        assert "A → B" in str(title.content)
        await it.press("right")
        await it.until(lambda: "A → C" in str(title.content))
        await it.press("right")
        await it.until(lambda: "A → B" in str(title.content))


async def test_the_runs_of_one_lane_are_told_apart(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("/options repeat=2 parallel=true")
        await it.ask("haiku")
        await it.press("alt+2", "f7")
        await it.until(lambda: isinstance(it.chat.app.screen, DifferenceScreen))
        title = it.chat.app.screen.query_one(".screen-title", Static)
        await it.until(lambda: "B1 → B2" in str(title.content))
        await it.press("escape")
        await it.send("/diff A2 C1")
        await it.until(lambda: isinstance(it.chat.app.screen, DifferenceScreen))
        title = it.chat.app.screen.query_one(".screen-title", Static)
        await it.until(lambda: "A2 → C1" in str(title.content))


async def test_what_the_chat_is_told_meanwhile_goes_when_the_lanes_have_ended(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("long 100")
        await it.until(lambda: all(lane.replies for lane in it.lanes))
        it.screen.action_leave()
        chat = it.chat
        await it.until(lambda: isinstance(chat.app.screen, ChatScreen))
        await chat.send("echo after")
        assert chat.screen.session.queue == ["echo after"]
        await it.until(lambda: len(chat.replies) == 2 and not chat.screen.session.busy)
        assert "after" in chat.replies[1]


async def test_a_blind_round_tells_nobody_until_the_vote(env: dict[str, str]) -> None:
    async with comparing(env, "mixed") as it:
        await it.press("f8")
        await it.send("long 40")
        await it.until(lambda: it.comparison.running)
        assert "F9" not in it.line("#keys"), "it would tell who answers"
        await it.until(lambda: not it.comparison.running)
        drawn = "\n".join([*it.heads(), *it.figures(), it.line("#title")])
        heads = [turn.head.name for view in it.screen._views.values() for turn in view.transcript.turns]
        assert "demo" not in drawn
        assert "tok/s" not in drawn
        assert set(heads) == {"You", "A", "B", "C"}
        await it.press("f9")
        assert isinstance(it.chat.app.screen, CompareScreen)
        winner = next(iter(it.screen._views))
        await it.press("alt+1", "alt+v")
        now = it.comparison.lanes[winner]
        assert f"A was {now.label}, openai/{now.target.model}." in it.status
        assert not it.screen.hidden
        it.chat.app.house.chats.database.flush(5)
        tally = it.chat.app.house.chats.library.tally()
        assert sum(line.won for line in tally) == 1
        assert sum(line.lost for line in tally) == 2
        assert next(line.model for line in tally if line.won) == it.comparison.lanes[winner].target.model
        await it.send("/tally")
        await it.until(lambda: isinstance(it.chat.app.screen, Told))


async def test_back_in_a_narrow_chat_the_figures_are_those_of_the_answer_shown(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", size=(80, 24)) as chat:
        await chat.ask("count 5")
        await chat.send("/compare temps")
        await chat.until(lambda: isinstance(chat.app.screen, CompareScreen))
        it = Lanes(chat)
        await it.until(lambda: len(it.lanes) == 3)
        await it.ask("count 60")
        await it.send("/chat")
        await chat.until(lambda: isinstance(chat.app.screen, ChatScreen))
        assert "60 tok " in chat.status


async def test_a_lane_that_was_not_asked_cannot_win(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("echo hello")
        await it.press("alt+3", "alt+y", "escape")
        await it.ask("echo again")
        await it.press("alt+3", "alt+v")
        assert "C has no answer" in it.status
        await it.press("alt+1", "alt+v")
        assert "kept: A" in it.status


async def test_an_interrupted_lane_names_no_key_that_does_something_else_here(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("echo hello")
        nodes = it.comparison.session.conversation.nodes
        node = nodes[it.lanes[0].head or ""]
        assert node.result is not None
        stats = replace(node.result.stats, elapsed_s=0.0)
        nodes[node.id] = replace(node, result=replace(node.result, phase=Phase.INTERRUPTED, stats=stats))
        it.screen.renew()
        await it.settle()
        turn = it.screen._views[it.lanes[0].id].transcript.turns[-1]
        assert "F6" in turn.notes[0].text
        assert "F8" not in turn.notes[0].text
        assert it.figures()[0].startswith("interrupted  "), "how long it took is not known"


async def test_a_note_stays_with_its_lane(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("echo hello")
        await it.press("alt+2", "alt+n")
        await it.type("best so far")
        await it.press("enter")
        assert it.lanes[1].note == "best so far"
        assert "best so far" in it.heads()[1]


async def test_a_narrow_lane_tells_first_that_it_is_out_of_sync_and_shows_its_note(env: dict[str, str]) -> None:
    async with comparing(env, "temps", size=(120, 40)) as it:
        await it.press("alt+2", "alt+y", "alt+n")
        await it.type("best so far")
        await it.press("enter")
        await it.until(lambda: it.lanes[1].note and "“" in it.heads()[1])
        shown = it.heads()[1]
        assert shown.startswith("B  out of sync · openai/")
        assert "“best" in shown[: it.screen._views[it.lanes[1].id].size.width - 2]


async def test_a_name_too_long_for_its_lane_says_so(env: dict[str, str]) -> None:
    lane = '{ endpoint = "openai", model = "demo-reasoning", temperature = 0.5, max_tokens = 2000 }'
    add_to_config(env, f"[compare.long]\nlanes = [{lane}, {lane}]\n")
    async with comparing(env, "long", size=(80, 24)) as it:
        await it.until(lambda: len(it.heads()) == 2)
        lines = [head.render_line(0).text.rstrip() for head in it.screen.query(".lane-head").results(Static)]
        assert [line[-1] for line in lines] == ["…", "…"]


async def test_a_lane_that_waits_says_for_what_and_the_results_why_it_failed(env: dict[str, str]) -> None:
    closed = '[endpoints.closed]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "OPENAI_API_KEY"\n'
    add_to_config(env, f"{closed}retry = {{ attempts = 2, base = 1.0 }}\n")
    async with comparing(env) as it:
        await it.send("/lane closed/m1")
        await it.until(lambda: len(it.lanes) == 2)
        await it.send("echo hi")
        await it.until(lambda: "next in" in it.figures()[1])
        state, reason = it.figures()[1].splitlines()
        assert "next in" in state
        assert "Esc stops" in state
        assert reason.startswith("No connection")
        await it.until(lambda: not it.comparison.running)
        await it.press("f9")
        await it.until(lambda: isinstance(it.chat.app.screen, ResultsScreen))
        results = it.chat.app.screen.query_one("#results")
        assert "failed" in results.render_line(2).text
        assert "refused" in results.render_line(3).text


async def test_what_stands_in_the_line_of_a_new_lane_gives_way_to_what_is_typed(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.press("alt+l")
        await it.type("openai/demo-slow")
        await it.press("enter")
        await it.until(lambda: len(it.lanes) == 2)
        assert it.models == ["demo-fast", "demo-slow"]


async def test_the_day_counts_what_lanes_have_cost(env: dict[str, str]) -> None:
    add_to_config(env, '[prices."demo-fast"]\ninput = 1000\noutput = 1000\n')
    async with comparing(env, "temps") as it:
        await it.ask("echo hi")
        await it.press("alt+1", "alt+k")
        await it.until(lambda: isinstance(it.chat.app.screen, ChatScreen))
        spending = it.chat.screen.spending()
        assert spending.today.usd == spending.session.usd


@pytest.mark.parametrize("ending", ["md", "csv", "json"])
async def test_a_round_is_exported(env: dict[str, str], tmp_path: Path, ending: str) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("echo hello")
        file = tmp_path / f"out.{ending}"
        await it.send(f"/export {file}")
        await it.until(file.exists)
        text = file.read_text()
        assert text.count("demo-fast") >= 3
        if ending == "json":
            assert [lane["lane"] for lane in json.loads(text)["lanes"]] == ["A", "B", "C"]
        await it.until(lambda: str(file) in it.status)
        await it.send(f"/export {file}")
        await it.until(lambda: "already" in it.status)
        assert file.read_text() == text
        await it.send(f"/export {tmp_path}/no/out.{ending}")
        await it.until(lambda: f"there is no folder {tmp_path}/no." in it.status.replace("\n", ""))
        assert not (tmp_path / "no").exists()


# the sweep


async def test_a_sweep_says_how_many_lanes_it_makes_and_what_a_round_costs(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.press("f4")
        await it.until(lambda: isinstance(it.chat.app.screen, SweepScreen))
        screen = it.chat.app.screen
        assert isinstance(screen, SweepScreen)
        screen._models.value = "demo-fast, demo-slow"
        screen._temperatures.value = "0, 1"
        screen._systems.value = "Be brief. | Rhyme."
        await it.until(lambda: "= lanes: 8" in str(screen._found.content))
        assert "at most 6" in str(screen._found.content)
        await it.press("enter")
        assert isinstance(it.chat.app.screen, SweepScreen)
        screen._systems.value = ""
        await it.until(lambda: "= lanes: 4" in str(screen._found.content))
        assert "Requests: 4" in str(screen._found.content)
        await it.press("enter")
        await it.until(lambda: len(it.lanes) == 4)
        found = [(lane.target.model, lane.target.settings.temperature) for lane in it.lanes]
        assert found == [("demo-fast", 0), ("demo-fast", 1), ("demo-slow", 0), ("demo-slow", 1)]


async def test_typing_replaces_the_temperatures_that_a_sweep_begins_with(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.press("f4")
        await it.until(lambda: isinstance(it.chat.app.screen, SweepScreen))
        screen = it.chat.app.screen
        assert isinstance(screen, SweepScreen)
        await it.until(lambda: screen._temperatures.has_focus)
        await it.press("0", ",", "2")
        assert screen._temperatures.value == "0,2"
        await it.press("shift+tab", "x")
        assert screen._models.value.endswith("demo-fastx")


async def test_a_sweep_that_makes_no_sense_is_said(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.press("f4")
        await it.until(lambda: isinstance(it.chat.app.screen, SweepScreen))
        screen = it.chat.app.screen
        assert isinstance(screen, SweepScreen)
        screen._temperatures.value = "0, warm"
        await it.until(lambda: "warm" in str(screen._found.content))
        await it.press("enter")
        assert isinstance(it.chat.app.screen, SweepScreen)


# the rest


async def test_every_command_has_a_method_and_its_words(env: dict[str, str]) -> None:
    from tui_chat.domain.actions import IN_LANE
    from tui_chat.ui.compare_keys import COMMANDS, SLASHES

    for command in (*COMMANDS, *IN_LANE):
        assert callable(getattr(CompareScreen, f"action_{command.method}"))
        assert command.label_on("compare")
        assert command.help_on("compare")
    assert all(len(key) > 1 for action in IN_LANE for key in action.default)
    keys = [key for command in COMMANDS for key in command.default]
    plain = [key for action in IN_LANE for key in action.default]
    assert len(keys) == len(set(keys))
    assert len(plain) == len(set(plain))
    assert len(SLASHES) == sum(bool(command.slash) for command in COMMANDS)


async def test_a_command_that_is_none_stays_written(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.send("/blnd")
        assert "/blind" in it.status
        assert it.screen.composer.text == "/blnd"


async def test_help_lists_the_commands(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.press("f1")
        await it.settle()
        assert it.chat.app.screen is not it.screen
        await it.press("escape")
        assert it.chat.app.screen is it.screen


# the budget


def limit(env: dict[str, str]) -> None:
    """An answer of unknown length is likely to cost a dollar, and a conversation may cost one and a half."""
    prices = '[prices."demo-fast"]\ninput = 1000\noutput = 1000\n'
    Path(env["TUI_CHAT_CONFIG"]).write_text(f"{SETS}\n{prices}[budget]\nper_conversation = 1.5\n")


async def test_a_round_over_the_budget_is_asked_about_first(env: dict[str, str], server: DemoServer) -> None:
    limit(env)
    async with comparing(env, "temps") as it:
        asked = len(server.log)
        await it.send("echo hi")
        await it.chat.until(lambda: isinstance(it.chat.app.screen, BudgetQuestion))
        await it.press("enter")
        await it.chat.until(lambda: isinstance(it.chat.app.screen, CompareScreen))
        assert (it.screen.composer.text, len(server.log)) == ("echo hi", asked)
        await it.send("echo hi")
        await it.chat.until(lambda: isinstance(it.chat.app.screen, BudgetQuestion))
        await it.press("y")
        await it.until(lambda: len(server.log) == asked + len(it.lanes) and not it.comparison.running)
        assert all(lane.results[0].phase is Phase.COMPLETED for lane in it.comparison.lanes.values())
