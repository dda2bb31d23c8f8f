"""Files that are attached to what is written."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.screen import Chat, environment, opened
from tui_chat.demo.server import DemoServer
from tui_chat.store import attachments
from tui_chat.ui.completing import at_word


@pytest.fixture
async def chat(tmp_path: Path, server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chat]:
    env = environment(tmp_path, server)
    work = tmp_path / "work"
    (work / "src").mkdir(parents=True)
    (work / "src" / "x.py").write_text("x = 1\n")
    (work / "two words.txt").write_text("words\n")
    (work / "binary").write_bytes(b"\xff\xfe\0")
    monkeypatch.chdir(work)
    async with opened(env, "demo-fast") as running:
        yield running


BLOCK = "\nsrc/x.py:\n\n```python\nx = 1\n```\n"
MARK = "[file src/x.py: 6 B, ~9 tokens]"


def names(chat: Chat) -> list[str]:
    return [offer.name for offer in chat.screen.completion.offers]


def shown(chat: Chat) -> str:
    return chat.screen.composer.document.text


def change(name: str, text: str) -> None:
    Path(name).write_text(text)


@pytest.mark.parametrize(
    ("before", "word"),
    [
        ("@", (0, "")),
        ("see @src/x", (4, "src/x")),
        ("(@~/x", (1, "~/x")),
        ('@"two wo', (0, "two wo")),
        ('@"two"', (0, "two")),
        ("mail@example", None),
        ("@a b", None),
        ("", None),
    ],
)
def test_words_that_may_be_paths(before: str, word: tuple[int, str] | None) -> None:
    assert at_word(before) == word


async def test_a_path_completes_and_its_file_is_attached_and_sent(chat: Chat) -> None:
    await chat.type("see @")
    await chat.until(lambda: names(chat))
    assert names(chat) == ["src/", "binary", "two words.txt"]
    await chat.press("tab")
    await chat.until(lambda: names(chat) == ["src/x.py"])
    await chat.press("tab")
    await chat.until(lambda: MARK in shown(chat))
    await chat.type("please")
    assert shown(chat) == f"see {MARK} please"
    assert not names(chat)
    await chat.press("enter")
    await chat.until(lambda: chat.screen.session.conversation.path())
    assert chat.screen.session.conversation.path()[0].text == f"see {BLOCK} please"


async def test_what_was_attached_is_sent_as_it_was(chat: Chat) -> None:
    await chat.type("@src/x.py ")
    await chat.until(lambda: MARK in shown(chat))
    change("src/x.py", "x = 2\n")
    assert chat.written == f"{BLOCK} "
    await chat.type("@src/x.py ")
    await chat.until(lambda: "· 2]" in shown(chat))
    assert "x = 1" in chat.written
    assert "x = 2" in chat.written


async def test_a_name_of_two_words(chat: Chat) -> None:
    await chat.type("@two")
    await chat.until(lambda: names(chat))
    await chat.press("tab")
    await chat.until(lambda: shown(chat) == "[file two words.txt: 6 B, ~10 tokens] ")


async def test_enter_attaches_what_is_typed_in_full_and_sends_what_is_not(chat: Chat) -> None:
    await chat.type("@src/x.py")
    await chat.until(lambda: names(chat))
    await chat.press("enter")
    await chat.until(lambda: MARK in shown(chat))
    chat.screen.composer.put("")
    await chat.type("ask @tw")
    await chat.until(lambda: names(chat))
    await chat.press("enter")
    await chat.until(lambda: chat.screen.session.conversation.path())
    assert chat.screen.session.conversation.path()[0].text == "ask @tw"


async def test_the_file_stands_where_its_word_did(chat: Chat) -> None:
    chat.screen.composer.put("me@src/x.py @src/x.pyc (")
    await chat.type("@src/x.py")
    await chat.until(lambda: names(chat))
    await chat.press("tab")
    await chat.until(lambda: "[file" in shown(chat))
    assert shown(chat) == f"me@src/x.py @src/x.pyc ({MARK} "


async def test_a_mark_goes_whole_and_comes_back(chat: Chat) -> None:
    await chat.type("@src/x.py ")
    await chat.until(lambda: MARK in shown(chat))
    await chat.press("backspace", "backspace")
    assert chat.written == ""
    await chat.press("ctrl+z")
    assert BLOCK in chat.written


async def test_what_is_no_text_is_refused_in_a_line(chat: Chat) -> None:
    await chat.type("@binary ")
    await chat.until(lambda: "UTF-8" in chat.status)
    assert chat.written == "@binary "
    await chat.type("@nobody ")
    assert chat.written == "@binary @nobody "


async def test_a_message_waits_for_its_file(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, read = threading.Event(), attachments.read

    def slow(path: str) -> attachments.Attachment:
        gate.wait(10)
        return read(path)

    monkeypatch.setattr(attachments, "read", slow)
    await chat.type("@src/x.py go")
    await chat.press("enter")
    assert not chat.screen.session.conversation.path()
    gate.set()
    await chat.until(lambda: chat.screen.session.conversation.path())
    assert chat.screen.session.conversation.path()[0].text == f"{BLOCK} go"
