"""The batch screen: begun from the chat, acted on, left, watched; and what it costs however long the list is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from tests.kit.screen import Chat, environment, opened
from tests.kit.serving import demo_server
from tests.kit.shelf import OneScreen
from tui_chat.demo.server import DemoServer
from tui_chat.domain.actions import BY_NAME
from tui_chat.domain.draft import Phase
from tui_chat.domain.words import say, use_language
from tui_chat.store.batch_output import BatchOutput
from tui_chat.ui.batching import LiveBatch, WatchedBatch
from tui_chat.ui.board import QUEUED, Board, Show
from tui_chat.ui.cells import columns
from tui_chat.ui.keys import KeyLine
from tui_chat.ui.screens.batch import BatchScreen, LeaveBatch
from tui_chat.ui.screens.batch_item import ANSWER, BatchItem
from tui_chat.ui.screens.batch_start import BatchStart, default_output
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.confirm import Confirm
from tui_chat.ui.widgets.batch_list import COLUMNS, state_word

MANY = 100_000


@pytest.fixture(scope="module")
def steady() -> Iterator[DemoServer]:
    """Answers as fast as a model would."""
    with demo_server(speed=2) as running:
        yield running


@pytest.fixture
def input(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


@pytest.fixture
async def slow(tmp_path: Path, steady: DemoServer) -> AsyncIterator[Chat]:
    async with opened(environment(tmp_path, steady), "demo-fast") as made:
        yield made


def write(path: Path, prompts: Sequence[str], **more: Any) -> None:
    path.write_text("".join(json.dumps({"id": f"i{n}", "prompt": p} | more) + "\n" for n, p in enumerate(prompts)))


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def lines(input: Path) -> dict[str, dict[str, Any]]:
    """What the output says, by id; each has one line."""
    found = [json.loads(line) for line in Path(default_output(str(input))).read_text().splitlines()]
    assert len({line["id"] for line in found}) == len(found)
    return {line["id"]: line for line in found}


def told(screen: BatchStart) -> str:
    return str(screen.query_one("#batch-told", Static).content)


async def weighed(chat: Chat, input: Path) -> BatchStart:
    """The start dialog with its estimate."""
    await chat.send(f"/batch {input}")
    await chat.until(lambda: isinstance(chat.app.screen, BatchStart))
    screen = chat.app.screen
    assert isinstance(screen, BatchStart)
    await chat.until(lambda: told(screen) not in ("", say("batch.start.reading")))
    return screen


async def begun(chat: Chat, input: Path) -> BatchScreen:
    await weighed(chat, input)
    await chat.press("enter")
    return await on_screen(chat)


async def on_screen(chat: Chat) -> BatchScreen:
    await chat.until(lambda: isinstance(chat.app.screen, BatchScreen))
    screen = chat.app.screen
    assert isinstance(screen, BatchScreen)
    return screen


def shown(screen: BatchScreen) -> list[str]:
    items = screen.items
    return [text for y in range(items.size.height) if (text := items.render_line(y).text.strip(" ▌"))]


def lead(screen: BatchScreen) -> str:
    return str(next(iter(screen.query(Static))).content)


async def ended(chat: Chat, screen: BatchScreen) -> None:
    await chat.until(lambda: screen.batching.ended_at is not None)
    screen.bring_up()


async def test_what_it_would_take_is_said_before_anything_is_sent(chat: Chat, input: Path) -> None:
    write(input, ["echo a", "echo b", "echo c"])
    add(Path(default_output(str(input))), '{"id":"gone","state":"completed"}\n')
    screen = await weighed(chat, input)
    assert say("batch.start.begin") in told(screen)
    assert "3 · about" in told(screen)
    await chat.press("escape")
    assert isinstance(chat.app.screen, ChatScreen)
    assert list(lines(input)) == ["gone"]


async def test_it_runs_and_its_lines_stand(chat: Chat, input: Path) -> None:
    write(input, [f"echo word{n}" for n in range(8)])
    screen = await begun(chat, input)
    await ended(chat, screen)
    assert {id: line["text"] for id, line in lines(input).items()} == {f"i{n}": f"word{n}" for n in range(8)}
    assert len(shown(screen)) == 8
    assert all("done" in row and "demo-fast" in row for row in shown(screen))
    assert "[all 8]" in lead(screen)
    assert say("batch.screen.over") in lead(screen)


async def test_the_same_again_asks_nothing_and_lists_what_there_is(chat: Chat, input: Path) -> None:
    write(input, ["echo a", "echo b"])
    await ended(chat, await begun(chat, input))
    await chat.press("escape")
    screen = await weighed(chat, input)
    assert say("batch.start.resume", done=2, all=2) in told(screen)
    assert say("batch.start.nothing") in told(screen)
    await chat.press("enter")
    again = await on_screen(chat)
    await ended(chat, again)
    assert len(shown(again)) == 2
    assert again.batching.board.tokens > 0
    assert not any(again.batching.tempo.rates(again.batching.elapsed))


async def test_failed_ones_are_listed_and_run_again(chat: Chat, input: Path) -> None:
    write(input, ["echo a", "echo b"])
    add(input, '{"id": "bad", "prompt": "echo c", "model": "no-such-model"}\n')
    screen = await begun(chat, input)
    await ended(chat, screen)
    await chat.press("f", "f")
    assert screen.items.filter is Show.FAILED
    assert [row.split()[:2] for row in shown(screen)] == [["bad", "failed"]]
    row = screen.batching.board.row("bad")
    assert row is not None
    assert row.why in shown(screen)[0]
    first = lines(input)["bad"]
    await chat.press("a")
    await ended(chat, screen)
    await chat.until(lambda: lines(input)["bad"]["timing"] != first["timing"])
    assert screen.batching.board.failures == {row.why: 1}
    assert len(lines(input)) == 3


def keys(screen: BatchScreen | BatchItem) -> set[str]:
    """What its keys offer to do with items."""
    offered = {key.partition(" ")[2] for key in str(screen.query_one(KeyLine).content).split("   ")}
    return offered & {BY_NAME[f"batch_{name}"].label for name in ("cancel", "retry", "retry_all", "stop")}


def labels(*names: str) -> set[str]:
    return {BY_NAME[f"batch_{name}"].label for name in names}


async def test_keys_are_offered_while_they_can_do_something(slow: Chat, input: Path) -> None:
    write(input, ["tell a long story"], model="demo-slow")
    screen = await begun(slow, input)
    await slow.until(lambda: bool(screen.batching.board.works))
    screen.bring_up()
    assert keys(screen) == labels("cancel", "stop")
    await slow.press("enter")
    item = slow.app.screen
    assert isinstance(item, BatchItem)
    assert keys(item) == labels("cancel")
    await slow.press("c")
    await ended(slow, screen)
    await slow.until(lambda: keys(item) == labels("retry"))
    assert keys(screen) == labels("retry", "retry_all")
    await slow.press("r")
    await slow.until(lambda: keys(item) == labels("cancel"))
    screen.bring_up()
    assert keys(screen) == labels("cancel", "stop")


async def test_a_batch_that_ended_well_offers_nothing_to_do_with_items(chat: Chat, input: Path) -> None:
    write(input, ["echo a"])
    screen = await begun(chat, input)
    await ended(chat, screen)
    assert keys(screen) == set()
    await chat.press("enter")
    assert isinstance(chat.app.screen, BatchItem)
    assert keys(chat.app.screen) == set()


async def test_one_is_cancelled_and_the_others_go_on(slow: Chat, input: Path) -> None:
    write(input, ["tell a long story"], model="demo-slow")
    add(input, '{"id": "quick", "prompt": "echo a"}\n')
    screen = await begun(slow, input)
    await slow.until(lambda: screen.batching.board.count(Show.DONE) == 1)
    await slow.until(lambda: shown(screen)[0].startswith("i0"))
    await slow.press("c")
    await ended(slow, screen)
    assert {id: line["state"] for id, line in lines(input).items()} == {"i0": "cancelled", "quick": "completed"}


async def test_an_item_is_read_as_it_streams(slow: Chat, input: Path) -> None:
    write(input, ["tell a long story"], model="demo-slow")
    screen = await begun(slow, input)
    await slow.until(lambda: "i0" in screen.batching.board.works)
    await slow.press("enter")
    item = slow.app.screen
    assert isinstance(item, BatchItem)
    await slow.until(lambda: any(turn.id == ANSWER and len(turn.text) > 20 for turn in item.transcript.turns))
    assert item.transcript.turns[0].text == "tell a long story"
    await slow.press("c")
    await ended(slow, screen)
    await slow.until(lambda: item.transcript.turns[-1].notes)
    work_text = lines(input)["i0"]["text"]
    assert item.transcript.turns[-1].text == work_text
    await slow.press("escape")
    assert slow.app.screen is screen


async def test_one_that_has_ended_is_read_back(chat: Chat, input: Path) -> None:
    write(input, ["echo **these** words"])
    screen = await begun(chat, input)
    await ended(chat, screen)
    await chat.press("enter")
    item = chat.app.screen
    assert isinstance(item, BatchItem)
    await chat.until(lambda: item.transcript.turns)
    assert [turn.text for turn in item.transcript.turns] == ["echo **these** words", "**these** words"]


async def test_it_goes_on_in_the_background_and_says_when_it_ends(slow: Chat, input: Path) -> None:
    write(input, ["echo " + "word " * 400] * 3)
    screen = await begun(slow, input)
    await slow.until(lambda: screen.batching.board.works)
    await slow.press("escape")
    assert isinstance(slow.app.screen, LeaveBatch)
    await slow.press("escape")
    assert slow.app.screen is screen
    await slow.press("escape", "b")
    assert isinstance(slow.app.screen, ChatScreen)
    await slow.until(lambda: slow.status == say("batch.screen.ended", done=3, failed=0))
    await slow.send("/batch")
    assert (await on_screen(slow)).batching is screen.batching
    await slow.press("escape")
    await slow.until(lambda: slow.app.batching is None)
    BatchOutput(screen.batching.output).close()


@pytest.mark.parametrize(("times", "words"), [(1, 100), (2, 5000)])
async def test_stop_finishes_what_runs_and_twice_breaks_it_off(slow: Chat, input: Path, times: int, words: int) -> None:
    write(input, ["echo " + "word " * words] * 20)
    screen = await begun(slow, input)
    await slow.until(lambda: screen.batching.board.works)
    await slow.press(*["s"] * times)
    await ended(slow, screen)
    states = [line["state"] for line in lines(input).values()] if screen.batching.output.stat().st_size else []
    assert len(states) < 20
    assert set(states) <= {"completed"}
    assert bool(states) == (times == 1)


@pytest.mark.parametrize("place", ["batch", "chat"])
async def test_leaving_the_program_asks_while_a_batch_runs(slow: Chat, input: Path, place: str) -> None:
    write(input, ["echo " + "word " * 400] * 3)
    screen = await begun(slow, input)
    await slow.until(lambda: screen.batching.board.works)
    if place == "chat":
        await slow.press("escape", "b")
    before = slow.app.screen
    await slow.press("ctrl+q", "ctrl+q")
    question = slow.app.screen
    assert isinstance(question, Confirm)
    asked = "\n".join(str(line.content) for line in question.query(Static))
    assert "0 of 3" in asked
    assert screen.batching.output.name in asked
    await slow.press("escape")
    assert slow.app.screen is before
    assert screen.batching.running
    await slow.press("ctrl+q", "y")
    await slow.until(lambda: slow.app._exit)


async def test_a_question_about_leaving_says_that_the_batch_has_ended_meanwhile(slow: Chat, input: Path) -> None:
    write(input, ["echo " + "word " * 100] * 3)
    screen = await begun(slow, input)
    await slow.until(lambda: screen.batching.board.works)
    await slow.press("ctrl+q")
    question = slow.app.screen

    def asked() -> str:
        return "\n".join(str(line.content) for line in question.query(Static))

    assert "0 of 3" in asked()
    await slow.until(lambda: "(3 of 3)" in asked())
    await slow.until(lambda: say("confirm.batch_ended_keys") in asked())
    assert "stops it" not in asked()
    assert "while a batch runs" not in asked()
    await slow.press("y")
    await slow.until(lambda: slow.app._exit)


async def test_the_end_of_the_program_leaves_whole_lines(tmp_path: Path, steady: DemoServer, input: Path) -> None:
    write(input, ["echo " + "word " * 100] * 30)
    async with opened(environment(tmp_path, steady), "demo-fast") as chat:
        screen = await begun(chat, input)
        await chat.until(lambda: screen.batching.board.count(Show.DONE))
    assert 0 < len(lines(input)) < 30
    assert all(line["state"] == "completed" for line in lines(input).values())
    BatchOutput(screen.batching.output).close()


async def test_another_program_s_batch_is_watched(chat: Chat, input: Path) -> None:
    write(input, ["echo a"])
    output = BatchOutput(Path(default_output(str(input))))
    output.append("x", "0", "completed", {"id": "x", "hash": "0", "state": "completed", "text": "first"})
    dialog = await weighed(chat, input)
    assert told(dialog) == say("batch.start.busy", path=output.path)
    await chat.press("enter")
    screen = await on_screen(chat)
    assert isinstance(screen.batching, WatchedBatch)
    await chat.until(lambda: len(screen.batching.board) == 1)
    output.append("y", "0", "failed", {"id": "y", "hash": "0", "state": "failed", "text": ""})
    await chat.until(lambda: screen.batching.board.count(Show.FAILED) == 1)
    screen.bring_up()
    assert say("batch.screen.watched") in lead(screen)
    assert "running –" in lead(screen), "no file says how many"
    await chat.press("a", "s", "c")
    assert len(output.standings) == 2
    output.close()
    await chat.until(lambda: not screen.batching.running)
    screen.bring_up()
    assert say("batch.screen.watched_ended") in lead(screen)
    await chat.press("enter")
    item = chat.app.screen
    assert isinstance(item, BatchItem)
    await chat.until(lambda: item.transcript.turns)
    assert item.transcript.turns[-1].text == "first"


async def test_an_output_can_be_named_itself(chat: Chat, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"id": 1, "hash": "0", "state": "completed", "text": "old"}\n')
    assert told(await weighed(chat, path)) == say("batch.start.watch", path=path)


async def test_an_output_that_is_named_with_the_input_is_the_one_written(chat: Chat, input: Path) -> None:
    write(input, ["echo a"])
    output = input.with_name("elsewhere.jsonl")
    await chat.send(f"/batch {input} {output}")
    await chat.until(lambda: isinstance(chat.app.screen, BatchStart))
    dialog = chat.app.screen
    assert isinstance(dialog, BatchStart)
    await chat.until(lambda: say("batch.start.begin") in told(dialog))
    assert dialog.output.value == str(output)
    await chat.press("enter")
    await ended(chat, await on_screen(chat))
    assert [path.name for path in input.parent.glob("*.jsonl")].count(output.name) == 1
    assert not list(input.parent.glob("*.out.jsonl"))


async def test_the_output_follows_the_input_until_it_is_named(chat: Chat, input: Path) -> None:
    await chat.send("/batch")
    await chat.until(lambda: isinstance(chat.app.screen, BatchStart))
    dialog = chat.app.screen
    assert isinstance(dialog, BatchStart)
    await chat.type("a.txt")
    assert dialog.output.value == "a.out.jsonl"
    dialog.output.value = "mine.jsonl"
    await chat.press("backspace")
    assert dialog.output.value == "mine.jsonl"
    dialog.input.value = str(input.parent)
    await chat.press("enter")
    await chat.until(lambda: told(dialog) == say("batch.start.folder", path=input.parent))


async def test_what_is_wrong_is_said(chat: Chat, input: Path) -> None:
    assert told(await weighed(chat, input)) == say("batch.start.missing", path=input)
    write(input, ["echo a", "echo b"])
    add(input, "nonsense\n")
    await chat.press("escape")
    screen = await begun(chat, input)
    await ended(chat, screen)
    assert f"{input.name}:3" in screen.batching.faults[0]
    assert len(lines(input)) == 2


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12)])
async def test_it_fits(tmp_path: Path, server: DemoServer, input: Path, size: tuple[int, int]) -> None:
    write(input, ["echo a"] * 3)
    async with opened(environment(tmp_path, server), "demo-fast", size=size) as chat:
        screen = await begun(chat, input)
        await ended(chat, screen)
        assert [row.split()[:2] for row in shown(screen)] == [[f"i{n}", "done"] for n in range(3)]
        assert lead(screen).startswith("[all 3]")
        assert screen.items.size.width == size[0]


# what it costs


def filled(count: int) -> WatchedBatch:
    batch = WatchedBatch(Path("none.jsonl"))
    for n in range(count):
        batch.board.read({"id": f"i{n}", "state": "completed", "text": "t", "usage": {"output": 5, "exact": True}})
    return batch


@asynccontextmanager
async def listing(batch: WatchedBatch) -> AsyncIterator[tuple[BatchScreen, Callable[[], Any]]]:
    screen = BatchScreen(batch)
    app = OneScreen(screen)
    async with app.run_test(size=(120, 40)) as pilot:

        async def calm() -> None:
            await asyncio.sleep(0)
            await pilot.pause(0)

        await calm()
        yield screen, calm


async def test_a_hundred_thousand_items_paint_no_more_than_a_few() -> None:
    for count in (1_000, MANY):
        async with listing(filled(count)) as (screen, calm):
            assert screen.items.length == count
            for place in (count // 2, count - 1, 0):
                screen.items.move_to(place)
                await calm()
            assert len(list(screen.walk_children())) < 20
            assert screen.items.painted < 10 * screen.items.size.height


async def test_a_tick_paints_only_what_has_changed() -> None:
    async with listing(filled(MANY)) as (screen, calm):
        await calm()
        before, sizes = screen.items.painted, screen.items.virtual_size
        for _ in range(3):
            screen.bring_up()
            await calm()
        assert screen.items.painted == before
        screen.batching.board.read({"id": "i2", "state": "failed", "text": ""})
        screen.batching.board.read({"id": "new", "state": "completed", "text": ""})
        screen.bring_up()
        await calm()
        assert screen.items.painted == before + 1
        assert screen.items.virtual_size.height == sizes.height + 1


def test_figures_follow_the_newest_line_of_each_item() -> None:
    board = Board()
    board.read({"id": 1, "state": "failed", "error": {"kind": "rate_limit", "message": "m"}, "cost": {"usd": 0.5}})
    assert (board.count(Show.FAILED), board.failures["rate_limit"], str(board.usd)) == (1, 1, "0.5")
    board.read({"id": 1, "state": "completed", "usage": {"output": 7}, "cost": {"usd": 0.25}})
    assert (board.count(Show.FAILED), board.failures["rate_limit"], str(board.usd)) == (0, 0, "0.25")
    assert (len(board), board.tokens, list(board.listed(Show.DONE))) == (1, 7, [0])


@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize("state", [QUEUED, *Phase])
def test_what_an_item_does_fits_its_column(state: str, language: str) -> None:
    use_language(language, {})
    try:
        assert columns(state_word(state)) <= COLUMNS[1].width
    finally:
        use_language("en", {})


def test_a_live_batch_is_named_by_its_input() -> None:
    assert default_output("dir/in.jsonl") == "dir/in.out.jsonl"
    assert default_output("  ") == ""
    assert LiveBatch.can_act
    assert not WatchedBatch.can_act
