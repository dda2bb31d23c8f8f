"""The composer's own keys, and commands that complete as they are typed."""

from __future__ import annotations

import pytest

from tests.kit.screen import Chat, opened
from tui_chat.ui.screens.theme_picker import ThemePicker


def offered(chat: Chat) -> list[str]:
    return [offer.name for offer in chat.screen.completion.offers]


# as in a shell

KEYS = {
    "to the beginning": (["ctrl+a"], "|one two"),
    "to the end": (["ctrl+a", "ctrl+e"], "one two|"),
    "back and forth": (["ctrl+b", "ctrl+b", "ctrl+f"], "one tw|o"),
    "a word back": (["alt+b"], "one |two"),
    "a word on": (["ctrl+a", "alt+f"], "one| two"),
    "the rest": (["alt+b", "ctrl+k"], "one |"),
    "the beginning": (["alt+b", "ctrl+u"], "|two"),
    "a word before": (["ctrl+w"], "one |"),
    "a word behind": (["ctrl+a", "alt+d"], "| two"),
    "a character": (["ctrl+h", "ctrl+a", "ctrl+d"], "|ne tw"),
    "yank": (["ctrl+w", "ctrl+a", "ctrl+y"], "two|one "),
    "yank twice": (["ctrl+u", "ctrl+y", "ctrl+y"], "one twoone two|"),
    "yank what was killed piece by piece": (["ctrl+w", "ctrl+w", "ctrl+y"], "one two|"),
    "yank the words killed behind": (["ctrl+a", "alt+d", "alt+d", "ctrl+y"], "one two|"),
    "yank only the last kill": (["ctrl+w", "ctrl+a", "alt+d", "ctrl+y"], "one| "),
    "nothing to yank": (["ctrl+y"], "one two|"),
    "what is deleted was not killed": (["ctrl+h", "ctrl+y"], "one tw|"),
}


@pytest.mark.parametrize("name", KEYS)
async def test_keys_of_a_shell(chat: Chat, name: str) -> None:
    keys, expected = KEYS[name]
    await chat.type("one two")
    await chat.press(*keys)
    composer = chat.screen.composer
    column = composer.cursor_location[1]
    word_end = expected.replace("|", "")
    assert composer.text == word_end
    assert f"{composer.text[:column]}|{composer.text[column:]}" == expected


# commands


async def test_commands_are_offered_as_they_are_typed(chat: Chat) -> None:
    await chat.type("/")
    assert {"/help", "/theme", "/quit"} <= set(offered(chat))
    await chat.type("re")
    assert offered(chat)[:3] == ["/retry", "/resume", "/revise"]
    await chat.press("escape")
    assert not offered(chat)
    assert chat.written == "/re"
    await chat.press("t")
    assert offered(chat) == ["/retry"]


@pytest.mark.parametrize("key", ["tab", "enter"])
async def test_tab_and_enter_complete_and_do_not_send(chat: Chat, key: str) -> None:
    await chat.type("/them")
    await chat.press(key)
    assert chat.written == "/theme "
    assert set(offered(chat)) == set(chat.app.theme_names)


async def test_up_and_down_choose(chat: Chat) -> None:
    await chat.type("/theme")
    await chat.press("tab", "down", "down", "up")
    name = sorted(chat.app.theme_names)[1]
    await chat.press("enter")
    assert chat.written == f"/theme {name}"
    assert not offered(chat)
    await chat.press("enter")
    assert chat.app.theme == name


async def test_a_command_typed_in_full_is_run(chat: Chat) -> None:
    await chat.type("/help\n")
    assert chat.app.screen is not chat.screen


async def test_models_that_were_listed_are_offered(chat: Chat) -> None:
    await chat.type("/model demo-re")
    assert not offered(chat)
    await chat.app.house.endpoints.offers(chat.screen.session.target.endpoint)
    await chat.type("a")
    assert offered(chat) == ["demo-reasoning"]
    await chat.press("tab", "enter")
    assert chat.screen.session.target.model == "demo-reasoning"


async def test_enter_sends_a_model_that_is_not_in_the_list(chat: Chat) -> None:
    await chat.app.house.endpoints.offers(chat.screen.session.target.endpoint)
    await chat.type("/model demo-")
    assert offered(chat)
    await chat.press("enter")
    assert chat.screen.session.target.model == "demo-"


async def test_enter_behind_a_command_chooses_no_argument(chat: Chat) -> None:
    theme = chat.app.theme
    await chat.type("/the")
    await chat.press("tab")
    assert (chat.written, bool(offered(chat))) == ("/theme ", True)
    await chat.press("enter")
    await chat.until(lambda: isinstance(chat.app.screen, ThemePicker))
    assert chat.app.theme == theme


async def test_what_was_not_typed_offers_nothing(chat: Chat) -> None:
    await chat.send("/theme paper")
    await chat.press("up")
    assert (chat.written, offered(chat)) == ("/theme paper", [])
    await chat.type("x")
    await chat.press("backspace", "backspace")
    assert offered(chat) == ["paper"]


@pytest.mark.parametrize("text", ["help", " /help", "/nothing", "a /help", "/help x"])
async def test_what_is_no_command_offers_nothing(chat: Chat, text: str) -> None:
    await chat.type(text)
    assert not offered(chat)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12)])
async def test_the_list_covers_neither_the_line_typed_nor_moves_the_conversation(
    env: dict[str, str], size: tuple[int, int]
) -> None:
    async with opened(env, "demo-fast", size=size) as chat:
        await chat.ask("markdown")
        transcript = chat.screen.transcript
        for rows_up in (0, 3):
            transcript.scroll_to(y=transcript.max_scroll_y - rows_up, animate=False)
            await chat.settle()
            before = (transcript.scroll_offset, transcript.following, transcript.region)
            await chat.type("/")
            assert len(offered(chat)) > 10
            region = chat.screen.completion.region
            assert region.height >= 1
            assert region.bottom <= chat.screen.composer.region.y
            assert not region.overlaps(chat.screen.composer.region)
            assert chat.screen.region.contains_region(region)
            assert (transcript.scroll_offset, transcript.following, transcript.region) == before
            await chat.press("escape", "backspace")


async def test_what_is_typed_in_a_burst_is_not_taken_for_what_its_beginning_could_become(chat: Chat) -> None:
    await chat.type("/model")
    await chat.until(lambda: chat.screen.completion.is_open)
    await chat.burst(" typed-name", "enter")
    await chat.until(lambda: chat.screen.session.target.model == "typed-name")
    assert chat.written == ""


async def test_a_burst_with_tab_completes_what_was_typed(chat: Chat) -> None:
    await chat.burst("/prof", "tab")
    assert chat.written.startswith("/prof")
    assert chat.screen.focused is chat.screen.composer
    assert chat.written != "/prof"


async def test_a_list_that_was_closed_stays_closed(chat: Chat) -> None:
    await chat.type("/mod")
    await chat.until(lambda: chat.screen.completion.is_open)
    await chat.press("escape", "enter")
    assert chat.written != "/model "
