"""Files that go along with a question: `ask -f`, `compare -f`, `/file` of the line mode."""

from __future__ import annotations

import json

import pytest

from tests.kit.pictures import PNG, picture
from tests.kit.program import Program
from tui_chat.demo.server import DemoServer

SEEN = "I see an image: PNG, 5×3, 77 B."
IMAGE = picture()


@pytest.fixture(autouse=True)
def files(program: Program, demo: DemoServer) -> None:
    (program.home / "shot.png").write_bytes(PNG)
    (program.home / "note.txt").write_text("remember\n")
    (program.home / "binary").write_bytes(b"\xff\xfe\0")


def test_an_image_and_a_text_go_along_and_stay(program: Program) -> None:
    done = program.run("ask", "-m", "demo-fast", "look", "-f", "shot.png", "--file", "note.txt", "--json")
    assert (done.code, json.loads(done.out)["text"].startswith(SEEN)) == (0, True)
    done = program.run("ask", "-c", "echo more")
    assert done.out == "more\n"
    shown = program.run("history", "show", json.loads(program.run("history", "list", "--json").out)[0]["id"]).out
    assert "[image: shot.png, 5×3, 77 B]" in shown
    assert "```text\nremember\n```" in shown
    assert (program.home / ".local/share/tui-chat/images" / IMAGE.digest).read_bytes() == PNG


def test_without_saving_it_leaves_nothing(program: Program) -> None:
    done = program.run("ask", "-m", "demo-fast", "look", "-f", "shot.png", "--no-save")
    assert (done.code, done.out.startswith(SEEN)) == (0, True)
    assert not list(program.home.rglob(IMAGE.digest))


@pytest.mark.parametrize(("name", "said"), [("gone.png", "gone.png cannot be read"), ("binary", "no text in UTF-8")])
def test_what_cannot_be_attached_is_told_and_nothing_is_sent(
    program: Program, demo: DemoServer, name: str, said: str
) -> None:
    demo.log.clear()
    done = program.run("ask", "-m", "demo-fast", "look", "-f", name)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert [asked.path for asked in demo.log if asked.method == "POST"] == []


def test_a_model_that_takes_none_says_so(program: Program) -> None:
    done = program.run("ask", "-m", "demo-slow", "look", "-f", "shot.png")
    assert (done.code, done.out) == (1, "")
    assert "demo-slow takes no images" in done.err


def test_each_lane_sees_it_or_says_why_not(program: Program) -> None:
    done = program.run(
        "compare", "look", "-f", "shot.png", "--lane", "openai/demo-fast", "--lane", "openai/demo-slow", "--json"
    )
    assert done.code == 1
    one, other = json.loads(done.out)["lanes"]
    assert one["runs"][0]["text"].startswith(SEEN)
    assert other["runs"][0]["error"]["message"].startswith("demo-slow takes no images")


def test_a_line_attaches_to_the_next_message_alone(program: Program) -> None:
    done = program.run("--plain", "-m", "demo-fast", stdin=b"/file shot.png\nlook\necho again\n/file gone\n")
    assert done.out.startswith(SEEN)
    assert done.out.count("I see an image") == 1
    assert done.out.endswith("again\n")
    assert "shot.png goes along with your next message." in done.err
    assert "gone cannot be read" in done.err
