"""The composer: what is too long to be laid out stands behind a mark, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual import events

from tests.kit.screen import Chat, environment, opened
from tui_chat.demo.server import DemoServer
from tui_chat.ui.widgets.composer import ROOM, Composer

LONG = "".join(f"line {n} of what was pasted\n" for n in range(ROOM // 20))


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    async with DemoServer() as server, opened(environment(tmp_path, server), "demo-fast", save=False) as chat:
        yield chat


async def paste(chat: Chat, text: str) -> Composer:
    chat.app.post_message(events.Paste(text))
    await chat.settle()
    return chat.screen.composer


def shown(composer: Composer) -> str:
    return composer.document.text


async def test_a_long_paste_stands_behind_a_mark_and_is_sent_whole(chat: Chat) -> None:
    await chat.type("see: ")
    composer = await paste(chat, LONG)
    await chat.type(" end")
    assert shown(composer) == f"see: [text 1: {len(LONG):,} characters] end"
    assert composer.text == f"see: {LONG} end"
    await chat.press("enter")
    await chat.until(lambda: chat.screen.session.conversation.path())
    assert chat.screen.session.conversation.path()[0].text == f"see: {LONG} end"
    assert composer.text == ""


async def test_a_short_paste_stands_as_it_is(chat: Chat) -> None:
    composer = await paste(chat, "one\ntwo")
    assert shown(composer) == composer.text == "one\ntwo"


async def test_many_pastes_that_are_too_long_together(chat: Chat) -> None:
    part = "x" * (ROOM - 1)
    for _ in range(3):
        composer = await paste(chat, part)
    assert len(shown(composer)) < ROOM + 200
    assert composer.text == part * 3


@pytest.mark.parametrize("keys", [["backspace"], ["left"] * 9 + ["delete"], ["ctrl+w"], ["left", "left", "ctrl+u"]])
async def test_a_mark_is_taken_away_whole_and_comes_back_whole(chat: Chat, keys: list[str]) -> None:
    await chat.type("a")
    composer = await paste(chat, LONG)
    await chat.press(*keys)
    assert composer.text in ("a", "")
    await chat.press("ctrl+z")
    assert composer.text == f"a{LONG}"


async def test_what_is_typed_within_a_mark_stands_behind_it(chat: Chat) -> None:
    composer = await paste(chat, LONG)
    await chat.press("left", "left", "left", "b")
    assert composer.text == f"{LONG}b"


async def test_what_is_put_back_has_its_marks_again(chat: Chat) -> None:
    await chat.type("see: ")
    composer = await paste(chat, LONG)
    text, written = composer.text, shown(composer)
    composer.put("")
    composer.put(text)
    assert (composer.text, shown(composer)) == (text, written)
    # Nobody has pasted this one here.
    composer.put(other := "y" * ROOM * 2)
    assert composer.text == other
    assert len(shown(composer)) < 100


async def test_a_marked_mark_is_copied_whole(chat: Chat) -> None:
    composer = await paste(chat, LONG)
    composer.select_all()
    assert composer.selected_text == LONG


@pytest.mark.parametrize("text", ["x" * 1_000_000, "漢" * 100_000, "\n" * 1_000_000, "\t" * 1_000_000])
async def test_no_paste_holds_up_the_screen(chat: Chat, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    taken: list[float] = []
    run = asyncio.Handle._run  # pyright: ignore[reportPrivateUsage]  # every step goes through it

    def timed(handle: asyncio.Handle) -> None:
        started = time.thread_time()
        run(handle)
        taken.append(time.thread_time() - started)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    # What the tests hold takes the collector longer than the program does.
    gc.collect()
    gc.freeze()
    composer = await paste(chat, text)
    await chat.press("a", "left", "backspace")
    gc.unfreeze()
    assert max(taken) < 0.1
    assert composer.text == "a"
