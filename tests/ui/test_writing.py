"""Earlier questions, snippets and the estimate, as the one who writes meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from tests.kit.screen import Chat, opened
from tui_chat.engine import budget
from tui_chat.ui.screens import writing


def offered(chat: Chat) -> list[str]:
    return [offer.name for offer in chat.screen.completion.offers]


async def asked_before(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        for text in ("sort a list", "sort a map", "a\nsonnet", "sort a list"):
            await chat.ask(text)


async def recalled(chat: Chat) -> None:
    await chat.until(lambda: chat.app.warm.is_set())
    await chat.app.workers.wait_for_complete([w for w in chat.app.workers if w.group == "recall"])
    await chat.settle()


# earlier questions


async def test_up_brings_back_what_was_asked_in_earlier_runs(env: dict[str, str]) -> None:
    await asked_before(env)
    async with opened(env, "demo-fast") as chat:
        await recalled(chat)
        await chat.ask("here")
        seen: list[str] = []
        for _ in range(5):
            await chat.press("ctrl+a", "up")
            seen.append(chat.written)
            await chat.press(*["up"] * chat.screen.composer.cursor_location[0])
        assert seen == ["here", "sort a list", "a\nsonnet", "sort a map", "sort a map"]


async def test_what_was_typed_before_the_store_was_read_keeps_its_place(env: dict[str, str]) -> None:
    await asked_before(env)
    async with opened(env, "demo-fast") as chat:
        await chat.send("/nothing")
        chat.screen.composer.put("")
        await chat.press("up")
        assert chat.written == "/nothing"
        await recalled(chat)
        await chat.press("up")
        assert chat.written == "sort a list"


async def test_a_search_as_it_is_typed(env: dict[str, str]) -> None:
    await asked_before(env)
    async with opened(env, "demo-fast") as chat:
        await chat.press("ctrl+r")
        await chat.until(lambda: offered(chat))
        assert offered(chat) == ["sort a list", "a sonnet", "sort a map"]
        assert "Esc leaves" in chat.status
        await chat.type("sort")
        await chat.until(lambda: len(offered(chat)) == 2)
        await chat.press("ctrl+r", "enter")
        assert chat.written == "sort a map"
        assert not offered(chat)
        assert "Esc leaves" not in chat.status
        assert chat.screen.session.conversation.path() == []
        await chat.press("enter")
        await chat.until(lambda: chat.screen.session.conversation.path())
        assert chat.screen.session.conversation.path()[0].text == "sort a map"


async def test_leaving_the_search_brings_back_what_was_written(env: dict[str, str]) -> None:
    await asked_before(env)
    async with opened(env, "demo-fast") as chat:
        await chat.type("sort")
        await chat.press("ctrl+r")
        await chat.until(lambda: len(offered(chat)) == 2)
        await chat.type("xyz")
        await chat.until(lambda: "no earlier question" in chat.status)
        await chat.press("enter")
        assert chat.screen.session.conversation.path() == []
        chat.screen.keep_draft()
        assert chat.screen.chat.draft == "sort"
        await chat.press("escape")
        assert (chat.written, offered(chat)) == ("sort", [])
        await chat.type("!")
        assert chat.written == "sort!"


async def test_another_chat_ends_the_search(env: dict[str, str]) -> None:
    await asked_before(env)
    async with opened(env, "demo-fast") as chat:
        await chat.type("draft")
        await chat.press("ctrl+r", "alt+n")
        await chat.settle()
        assert chat.written == ""
        assert not offered(chat)
        await chat.type("x")
        await chat.press("enter")
        await chat.until(lambda: chat.screen.session.conversation.path())


async def test_temporary_chats_and_no_save_leave_no_question(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast", save=False) as chat:
        await chat.ask("unsaved")
        await chat.press("ctrl+r")
        await chat.until(lambda: "no earlier question" in chat.status)
    async with opened(env, "demo-fast") as chat:
        chat.screen.action_temporary()
        await chat.ask("temporary")
    async with opened(env, "demo-fast") as chat:
        await recalled(chat)
        await chat.press("up")
        assert chat.written == ""


# snippets


def keep(env: dict[str, str], name: str, text: str) -> None:
    folder = Path(env["TUI_CHAT_CONFIG"]).parent / "snippets"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(text)


async def test_tab_leads_through_the_placeholders(chat: Chat, env: dict[str, str]) -> None:
    keep(env, "translate", "From {{a}} to {{b}}:\n{{text}}\n({{a}}, {{b}})\n")
    await chat.type("/snippet tr")
    assert offered(chat) == ["translate"]
    await chat.press("tab", "enter")
    assert chat.screen.composer.selected_text == "{{a}}"
    await chat.type("de")
    await chat.press("tab")
    assert chat.screen.composer.selected_text == "{{b}}"
    await chat.type("vi")
    await chat.press("tab")
    assert chat.screen.composer.selected_text == "{{text}}"
    await chat.type("hi")
    await chat.press("tab")
    assert chat.written == "From de to vi:\nhi\n(de, vi)"
    assert chat.screen.composer.cursor_location == (2, 8)
    assert chat.screen.focused is chat.screen.composer


async def test_a_placeholder_that_is_skipped_comes_again(chat: Chat, env: dict[str, str]) -> None:
    keep(env, "two", "{{a}} {{b}}")
    await chat.send("/snippet two")
    await chat.press("tab")
    assert chat.screen.composer.selected_text == "{{b}}"
    await chat.press("tab")
    assert chat.screen.composer.selected_text == "{{a}}"
    await chat.press("1", "tab", "2", "tab")
    assert chat.written == "1 2"


async def test_what_is_written_is_kept_as_a_snippet(chat: Chat) -> None:
    await chat.send("Say it\nto {{whom}}\n/snippet save say")
    assert "/snippet say" in chat.status
    assert chat.written == "Say it\nto {{whom}}"
    await chat.send("/snippet say")
    assert chat.screen.composer.selected_text == "{{whom}}"
    await chat.send("Say no\n/snippet save say")
    assert "exists already" in chat.status
    assert chat.written == "Say no"


async def test_a_message_that_speaks_of_the_command_is_sent(chat: Chat) -> None:
    await chat.ask("/snippet save x\nis a command?")
    assert chat.screen.session.conversation.path()[0].text == "/snippet save x\nis a command?"


async def test_the_newest_question_is_kept_as_a_snippet(chat: Chat) -> None:
    await chat.send("/snippet save it")
    assert "Nothing to keep" in chat.status
    await chat.ask("a question")
    await chat.send("/snippet save it")
    await chat.send("/snippet it")
    assert chat.written == "a question"


async def test_a_bad_snippet_is_a_message(chat: Chat, env: dict[str, str]) -> None:
    keep(env, "empty", "")
    for command, word in (("/snippet empty", "empty"), ("/snippet gone", "no snippet gone"), ("/snippet", "empty")):
        await chat.send(command)
        assert word in chat.status
    assert chat.screen.session.conversation.path() == []


# the estimate


async def test_a_longer_text_is_estimated_with_all_that_goes_before_it(chat: Chat, env: dict[str, str]) -> None:
    def estimate() -> str:
        return str(chat.screen.estimate.content)

    await chat.type("short")
    await chat.pilot.pause(writing.ESTIMATE_S * 1.5)
    assert estimate() == ""
    chat.screen.composer.put("word " * 400)
    await chat.until(estimate)
    assert estimate() == "~500 tokens"
    chat.screen.composer.put("")
    await chat.until(lambda: not estimate())
    await chat.ask("markdown")
    answered = chat.screen.session.target.ask(
        chat.screen.session.conversation.messages(chat.screen.session.conversation.head)
    )
    before = budget.prompt_tokens(answered)
    assert before > 50
    chat.screen.composer.put("word " * 400)
    await chat.until(lambda: estimate() == f"~{before + 500:,.0f} tokens")


def price(env: dict[str, str]) -> None:
    Path(env["TUI_CHAT_CONFIG"]).write_text('[prices."openai/demo-fast"]\ninput = 2\noutput = 8\n')


async def test_the_cost_is_told_where_there_is_a_price(env: dict[str, str]) -> None:
    price(env)
    async with opened(env, "demo-fast") as chat:
        chat.screen.composer.put("word " * 4000)
        await chat.until(lambda: "·" in str(chat.screen.estimate.content))
        assert str(chat.screen.estimate.content) == "~5,000 tokens · ~$0.0100"
        assert "ready" in chat.status


async def test_a_megabyte_is_counted_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []

    class Counter(writing.TokenCounter):
        def feed(self, text: str) -> float:
            fed.append(len(text))
            return super().feed(text)

    monkeypatch.setattr(writing, "TokenCounter", Counter)
    pasted = "```py\n" + "x = foo(1)\n" * 30_000
    chat.app.post_message(events.Paste(pasted))
    await chat.type("xyz")
    await chat.until(lambda: str(chat.screen.estimate.content))
    for char in "abc":
        await chat.type(char)
        await chat.pilot.pause(writing.ESTIMATE_S * 1.5)
    assert sum(fed) == len(pasted)
    assert max(fed) <= writing.SLICE


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_the_estimate_moves_nothing(env: dict[str, str], size: tuple[int, int]) -> None:
    price(env)
    async with opened(env, "demo-fast", size=size) as chat:
        await chat.ask("markdown")
        region = chat.screen.transcript.region
        chat.screen.composer.put("word" * 110)
        await chat.settle()
        written = chat.screen.transcript.region
        await chat.pilot.pause(writing.ESTIMATE_S * 2)
        await chat.settle()
        assert bool(chat.screen.estimate.content) is (size[0] == 80)
        assert chat.screen.transcript.region == written
        assert chat.screen.query_one("#state").region.height == 1
        chat.screen.composer.put("")
        await chat.until(lambda: not chat.screen.estimate.content)
        assert chat.screen.transcript.region == region
