"""Earlier questions, snippets and drafts in the composer of a comparison."""

from __future__ import annotations

import asyncio

from tests.kit.screen import Chat, opened
from tests.ui.test_compare import Lanes, comparing
from tests.ui.test_compare import env as env
from tests.ui.test_compare import server as server
from tests.ui.test_compare_keys import configure, names
from tests.ui.test_writing import asked_before, keep, recalled
from tui_chat.ui.screens.chat import ChatScreen
from tui_chat.ui.screens.compare import CompareScreen


def written(it: Lanes) -> str:
    return it.screen.composer.text


async def leave(it: Lanes) -> None:
    it.screen.action_leave()
    await it.until(lambda: isinstance(it.chat.app.screen, ChatScreen))


async def enter(chat: Chat) -> Lanes:
    await chat.press("alt+c")
    await chat.until(lambda: isinstance(chat.app.screen, CompareScreen))
    return Lanes(chat)


# earlier questions


async def test_up_brings_back_what_was_asked_in_earlier_runs(env: dict[str, str]) -> None:
    await asked_before(env)
    async with opened(env, "demo-fast") as chat:
        await recalled(chat)
        it = await enter(chat)
        await it.ask("echo here")
        await it.press("up")
        assert written(it) == "echo here"
        await it.press("ctrl+a", "up")
        assert written(it) == "sort a list"
        await it.press("down", "down")
        assert written(it) == ""


async def test_chat_and_comparison_remember_each_others_questions(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", save=False) as chat:
        await chat.ask("echo in the chat")
        it = await enter(chat)
        await it.press("up")
        assert written(it) == "echo in the chat"
        await it.ask("echo in the lanes")
        await leave(it)
        await chat.press("up")
        assert chat.written == "echo in the lanes"
        await chat.press("ctrl+a", "up", "down")
        assert chat.written == "echo in the lanes"


async def test_a_question_of_a_comparison_is_found_in_later_runs(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.ask("echo of three lanes")
    async with opened(env, "demo-fast") as chat:
        await recalled(chat)
        await chat.press("up")
        assert chat.written == "echo of three lanes"
        await chat.press("ctrl+a", "up")
        assert chat.written == "echo of three lanes"


async def test_a_search_as_it_is_typed(env: dict[str, str]) -> None:
    await asked_before(env)
    async with comparing(env, "temps") as it:
        await it.press("ctrl+r")
        await it.until(lambda: names(it))
        assert names(it) == ["sort a list", "a sonnet", "sort a map"]
        assert "Esc leaves" in it.status
        await it.type("sort")
        await it.until(lambda: len(names(it)) == 2)
        await it.press("ctrl+r", "enter")
        assert written(it) == "sort a map"
        assert not names(it)
        assert "Esc leaves" not in it.status
        assert not it.comparison.round
        await it.press("enter")
        await it.until(lambda: it.comparison.round and not it.comparison.running)
        assert {lane.question.text for lane in it.lanes if lane.question} == {"sort a map"}


async def test_leaving_the_search_cancels_no_lane_and_brings_back_what_was_written(env: dict[str, str]) -> None:
    await asked_before(env)
    async with comparing(env, "mixed") as it:
        await it.send("echo " + "slow " * 200)
        await it.until(lambda: it.comparison.running)
        await it.type("sort")
        await it.press("ctrl+r")
        await it.until(lambda: len(names(it)) == 2)
        await it.type("xyz")
        await it.until(lambda: "no earlier question" in it.status)
        await it.press("enter", "escape")
        assert (written(it), names(it)) == ("sort", [])
        assert it.comparison.running
        await it.press("escape")
        await it.until(lambda: not it.comparison.running)


async def test_the_search_from_a_lane_goes_to_the_composer(env: dict[str, str]) -> None:
    await asked_before(env)
    async with comparing(env, "temps") as it:
        await it.press("alt+2", "ctrl+r")
        await it.until(lambda: names(it))
        assert it.screen.focused is it.screen.composer


async def test_search_and_a_line_that_is_written_end_each_other(env: dict[str, str]) -> None:
    await asked_before(env)
    async with comparing(env, "temps") as it:
        await it.type("mine")
        await it.press("ctrl+r", "alt+l")
        await it.until(lambda: it.screen._what == "add")
        assert not it.screen.composer.searching
        assert written(it) == "mine"
        await it.press("ctrl+r")
        assert it.screen.composer.searching
        assert not it.screen._what
        await it.press("escape")
        assert it.screen.focused is it.screen.composer
        assert written(it) == "mine"


async def test_another_key_searches(env: dict[str, str]) -> None:
    configure(env, 'search_prompts = "f11"')
    async with comparing(env, size=(130, 70)) as it:
        await it.press("f11")
        assert it.screen.composer.searching


# snippets


async def test_tab_leads_through_the_placeholders_and_then_to_the_lanes(env: dict[str, str]) -> None:
    keep(env, "translate", "echo {{a}} and {{b}}, {{a}}\n")
    async with comparing(env, "temps") as it:
        await it.type("/snippet tr")
        assert names(it) == ["translate"]
        await it.press("tab", "enter")
        assert it.screen.composer.selected_text == "{{a}}"
        assert "Tab" in it.status
        await it.type("de")
        await it.press("tab")
        await it.type("vi")
        await it.press("tab")
        assert written(it) == "echo de and vi, de"
        assert it.screen.focused is it.screen.composer
        await it.press("tab")
        assert it.screen.lane_has_focus
        await it.press("escape", "enter")
        await it.until(lambda: it.comparison.round and not it.comparison.running)
        assert all("de and vi, de" in answer for answer in it.answers)


async def test_what_is_written_or_was_asked_last_is_kept_as_a_snippet(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        await it.send("/snippet save it")
        assert "Nothing to keep" in it.status
        await it.send("Say it\nto {{whom}}\n/snippet save say")
        assert "/snippet say" in it.status
        assert written(it) == "Say it\nto {{whom}}"
        await it.ask("echo of all lanes")
        await it.send("/snippet save it")
        await it.send("/snippet it")
        assert written(it) == "echo of all lanes"


async def test_the_commands_are_in_the_palette(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        titles = [command.title for command in it.chat.app.get_system_commands(it.screen)]
        assert "snippet" in titles
        assert "earlier questions · Ctrl+R" in titles


# drafts


async def test_what_is_written_comes_along_and_goes_back(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.type("begun in the chat")
        it = await enter(chat)
        assert written(it) == "begun in the chat"
        await it.type(" and lanes")
        await it.press("ctrl+r")
        await leave(it)
        assert chat.written == "begun in the chat and lanes"
        it = await enter(chat)
        await it.ask("echo it")
        await leave(it)
        assert chat.written == ""


async def test_a_question_that_is_written_anew_stays_in_the_chat(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        await chat.type("set aside")
        await chat.press("alt+e")
        it = await enter(chat)
        assert written(it) == ""
        await leave(it)
        assert (chat.written, chat.screen.revising) == ("echo one", True)


async def test_what_is_written_is_there_when_the_program_starts_again(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        uid = chat.screen.chat.id
        it = await enter(chat)
        await it.type("not sent yet")
    async with opened(env, "demo-fast", uid=uid) as chat:
        assert chat.written == "not sent yet"


async def test_a_question_that_is_not_sent_pushes_nothing_out_that_was_written_meanwhile(env: dict[str, str]) -> None:
    async with comparing(env, "temps") as it:
        opened = asyncio.Event()
        it.comparison.warm_up = opened.wait
        await it.send("/options warm=true")
        await it.send("echo one")
        await it.type("and this")
        for lane in it.lanes:
            it.comparison.sync(lane.id, synced=False)
        opened.set()
        await it.until(lambda: "sync" in it.status)
        assert written(it) == "echo one\nand this"


async def test_what_comes_back_during_a_search_stands_there_after_it(env: dict[str, str]) -> None:
    async with comparing(env) as it:
        await it.type("mine")
        await it.press("ctrl+r")
        it.screen.composer.put_before("echo one")
        assert written(it) == "mine"
        await it.press("escape")
        assert written(it) == "echo one\nmine"
