"""Images that are attached to a message, on the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual import events

from tests.kit.pictures import JPEG, PNG, picture
from tests.kit.screen import Chat, environment, opened
from tui_chat.demo.server import DemoServer
from tui_chat.ui.dropping import dropped_images

SHOT = picture()
MARK = "[image shot.png, 5×3, 77 B, ~1 tokens]"
WORDS = "[image: shot.png, 5×3, 77 B]"
SEEN = "I see an image: PNG, 5×3, 77 B."


@pytest.fixture
def env(tmp_path: Path, server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    work = tmp_path / "work"
    work.mkdir()
    (work / "shot.png").write_bytes(PNG)
    (work / "two words.jpg").write_bytes(JPEG)
    (work / "note.txt").write_text("text\n")
    monkeypatch.chdir(work)
    server.log.clear()
    return environment(tmp_path, server)


@pytest.fixture
async def chat(env: dict[str, str]) -> AsyncIterator[Chat]:
    async with opened(env, "demo-fast") as running:
        yield running


def shown(chat: Chat) -> str:
    return chat.screen.composer.document.text


def dialogue(chat: Chat) -> list[str]:
    return [node.text for node in chat.screen.session.conversation.path()]


async def attach(chat: Chat, before: str = "echo hi") -> None:
    await chat.type("@shot.png ")
    await chat.until(lambda: shown(chat) == f"{MARK} ")
    await chat.type(before)


async def paste(chat: Chat, text: str) -> None:
    chat.app.post_message(events.Paste(text))
    await chat.settle()


async def test_it_is_attached_sent_seen_and_kept(chat: Chat) -> None:
    await attach(chat, "what is it")
    await chat.press("enter")
    await chat.until(lambda: not chat.screen.session.running and len(dialogue(chat)) == 2)
    assert dialogue(chat)[0] == f"{SHOT.block} what is it"
    assert dialogue(chat)[1].startswith(SEEN)
    assert chat.screen.transcript.turns[0].text == f"{WORDS} what is it"
    assert chat.title.startswith(f"tui-chat · {WORDS}")
    assert chat.app.house.chats.library.images.read(SHOT.digest) == PNG


async def test_a_draft_with_an_image_is_there_after_a_restart(env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.ask("echo one")
        await attach(chat)
        first = chat.screen.chat.id
    async with opened(env, "demo-fast") as chat:
        chat.screen.open_conversation(first)
        await chat.until(lambda: chat.written)
        assert shown(chat) == f"{MARK} echo hi"
        await chat.press("enter")
        await chat.until(lambda: not chat.screen.session.running and len(dialogue(chat)) == 4)
        assert dialogue(chat)[3].startswith(SEEN)


async def test_a_question_that_is_edited_has_its_image_as_a_mark(chat: Chat) -> None:
    await attach(chat)
    await chat.press("enter")
    await chat.until(lambda: not chat.screen.session.running and len(dialogue(chat)) == 2)
    await chat.press("up")
    assert shown(chat) == f"{MARK} echo hi"
    assert chat.written == f"{SHOT.block} echo hi"
    chat.screen.composer.move_cursor((0, len(MARK)))
    await chat.press("backspace")
    assert chat.written == " echo hi"


async def test_a_model_that_is_known_to_take_none_says_so_when_it_is_attached(chat: Chat, server: DemoServer) -> None:
    target = chat.screen.session.target
    await chat.app.house.endpoints.offers(target.endpoint)
    await chat.send("/model demo-slow")
    await chat.type("@shot.png ")
    await chat.until(lambda: "demo-slow takes no images" in chat.status)
    await chat.type("look")
    await chat.press("enter")
    await chat.until(lambda: "back in the composer" in chat.status)
    assert shown(chat) == f"{MARK} look"
    assert [asked.method for asked in server.log] == ["GET"]


async def test_an_image_of_before_does_not_keep_such_a_model_from_answering(chat: Chat, server: DemoServer) -> None:
    await attach(chat)
    await chat.press("enter")
    await chat.until(lambda: not chat.screen.session.running and len(dialogue(chat)) == 2)
    await chat.send("/model demo-slow")
    await chat.ask("echo and now")
    assert dialogue(chat)[3] == "and now"


async def test_the_estimate_counts_an_image_by_its_size(chat: Chat) -> None:
    image = picture()
    block = image.block.replace("5x3", "1000x750")
    chat.screen.composer.put(block + " " + "word " * 100)
    await chat.until(lambda: str(chat.screen.estimate.content))
    assert "~1,1" in str(chat.screen.estimate.content)


@pytest.mark.parametrize(
    "pasted",
    [
        "{work}/shot.png",
        "'{work}/shot.png' ",
        "file://{work}/shot.png\r\n",
        "{work}/two\\ words.jpg",
        "{work}/two words.jpg",
        "file://{work}/two%20words.jpg",
        "{work}/shot.png\n{work}/two words.jpg",
        "'{work}/shot.png' '{work}/two words.jpg'",
    ],
)
async def test_a_path_that_is_dropped_on_the_terminal_is_attached(chat: Chat, pasted: str) -> None:
    await paste(chat, pasted.format(work=Path.cwd()))
    count = pasted.count("{work}")
    await chat.until(lambda: shown(chat).count("[image ") == count)
    assert "@" not in shown(chat).replace("[image", "")


@pytest.mark.parametrize(
    "pasted", ["shot.png", "see {work}/shot.png", "{work}/gone.png", "{work}/note.txt", "a.png b", "'"]
)
async def test_any_other_paste_stays_as_it_is(chat: Chat, pasted: str) -> None:
    text = pasted.format(work=Path.cwd())
    assert dropped_images(text) == []
    await paste(chat, text)
    assert chat.written == text


async def test_a_name_that_would_act_on_the_terminal_is_attached_as_what_can_be_seen_of_it(chat: Chat) -> None:
    rename("shot.png", "evil\x1b]0;x\x07.png")
    await chat.type("see @ev")
    await chat.until(lambda: chat.screen.completion.is_open)
    await chat.press("tab")
    await chat.until(lambda: shown(chat) == f"see {MARK.replace('shot', 'evil␛]0;x␇')} ")
    assert "\x1b" not in chat.written


def rename(old: str, new: str) -> None:
    Path(old).rename(new)


def kept(folder: Path) -> list[Path]:
    return list(folder.rglob(SHOT.digest))


async def test_a_temporary_chat_leaves_no_image(tmp_path: Path, env: dict[str, str]) -> None:
    async with opened(env, "demo-fast") as chat:
        await chat.send("/temporary")
        await chat.settle()
        await attach(chat)
        await chat.press("enter")
        await chat.until(lambda: not chat.screen.session.running and len(dialogue(chat)) == 2)
        assert dialogue(chat)[1].startswith(SEEN)
    assert not kept(tmp_path)
