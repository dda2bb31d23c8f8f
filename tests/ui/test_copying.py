"""Text handed out: what reaches the clipboard of the terminal, what goes to files, and what can be marked."""

from __future__ import annotations

import re
import stat
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.style import Style
from textual import events

from tests.kit.program import COMMAND, clean_environment
from tests.kit.screen import Chat, opened
from tests.kit.terminal import Terminal
from tui_chat.ui.clipboard import LIMIT, encoded, sequence
from tui_chat.ui.multiplexers import SCREEN_PIECE
from tui_chat.ui.rows import STYLES, Head, Turn, TurnRows
from tui_chat.ui.rows.marks import text_of
from tui_chat.ui.taking import code_blocks, plain_text

PALETTE = {name: Style(color=f"color({16 + place})") for place, name in enumerate(STYLES)}
REPLY = """Run **this**, see [the page](https://example.org/x):

```sh
echo 1

echo 2
```

- a
  ```
  in a list
  ```
- b

| n | m |
|---|---|
| 1 | `x` |

> said
"""


class Desk(Chat):
    """A chat whose terminal is a list."""

    sent: list[str]

    @property
    def copied(self) -> list[str]:
        """What the clipboard was sent, one after the other."""
        found = (re.fullmatch(r"\x1b\]52;c;([^\x07]*)\x07", data) for data in self.sent)
        return [b64decode(match[1]).decode() for match in found if match]


@pytest.fixture
async def chat(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with opened(env, "demo-fast") as running:
        desk = Desk(running.app, running.pilot)
        desk.sent = []
        driver = desk.app._driver  # pyright: ignore[reportPrivateUsage]
        assert driver is not None
        monkeypatch.setattr(driver, "write", desk.sent.append)
        yield desk


# to the terminal


def test_the_clipboard_is_reached_through_multiplexers() -> None:
    data = encoded("häßlich\n")
    assert data is not None
    assert b64decode(data).decode() == "häßlich\n"
    plain = f"\x1b]52;c;{data}\x07"
    assert sequence(data, {"TERM": "xterm-256color"}) == plain
    for term in ("screen-256color", "tmux-256color"):
        assert sequence(data, {"TERM": term, "TMUX": "/tmp/x,1,0"}) == (
            plain + f"\x1bPtmux;\x1b\x1b]52;c;{data}\x07\x1b\\"
        )


def test_screen_is_sent_strings_that_it_can_hold() -> None:
    data = encoded("word " * 300)
    assert data is not None
    wrapped = sequence(data, {"TERM": "screen.xterm"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", wrapped, re.DOTALL)
    assert "".join(pieces) == f"\x1b]52;c;{data}\x07"
    assert max(map(len, pieces)) <= SCREEN_PIECE
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == wrapped


def test_no_more_is_sent_than_terminals_take() -> None:
    most = LIMIT // 4 * 3
    data = encoded("x" * most)
    assert data is not None
    assert len(data) <= LIMIT
    assert encoded("x" * (most + 1)) is None
    assert encoded("\ud800") is not None


# what there is to take


def test_code_blocks_are_taken_as_they_were_written() -> None:
    assert code_blocks(REPLY) == ["echo 1\n\necho 2", "in a list"]
    assert code_blocks("```py\r\nx = 1\r\n```\r\n") == ["x = 1"]
    assert code_blocks("~~~\nopen") == ["open"]


def test_plain_text_has_no_marks() -> None:
    assert plain_text(REPLY) == (
        "Run this, see the page (https://example.org/x):\n\necho 1\n\necho 2\n\n"
        "- a\n  in a list\n- b\n\nn\tm\n1\tx\n\nsaid"
    )
    assert plain_text("# Title\n\n1. one\n2. two\n\n---\n\n![cat](c.png) \\* a < b") == (
        "Title\n\n1. one\n2. two\n\ncat (c.png) * a < b"
    )


async def test_a_reply_is_copied_as_markdown_as_text_and_by_its_code(chat: Desk) -> None:
    await chat.send("/copy")
    assert "no reply to copy" in chat.status
    await chat.ask("echo " + REPLY)
    await chat.send("/copy")
    assert "sent to the terminal's clipboard" in chat.status
    await chat.send("/copy plain")
    await chat.until(lambda: len(chat.copied) == 2)
    await chat.send("/copy 2")
    await chat.until(lambda: len(chat.copied) == 3)
    await chat.press("alt+1")
    await chat.until(lambda: "Code block 1" in chat.status)
    reply = chat.replies[0]
    assert chat.copied == [reply, plain_text(reply), "in a list", "echo 1\n\necho 2"]
    await chat.press("alt+3")
    await chat.until(lambda: "no code block 3; it has 2" in chat.status)
    await chat.send("/copy everything")
    assert "/copy plain" in chat.status
    assert len(chat.copied) == 4


async def test_what_is_too_long_for_a_clipboard_goes_to_a_private_file(chat: Desk, env: dict[str, str]) -> None:
    text = "long " * 20_000
    await chat.ask("echo " + text)
    await chat.send("/copy")
    await chat.until(lambda: "more than terminals take" in chat.status)
    assert chat.copied == []
    files = list((Path(env["TUI_CHAT_DATA_DIR"]) / "copied").iterdir())
    assert [file.read_text() for file in files] == chat.replies
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]
    assert files[0].name in chat.status.replace("\n", "")


async def test_a_reply_is_saved_to_a_new_file(chat: Desk, tmp_path: Path) -> None:
    await chat.ask("echo hello")
    await chat.send("/save")
    assert chat.written == "/save "
    await chat.send(f"/save {tmp_path}/reply.md")
    await chat.until(lambda: "The reply is in" in chat.status)
    assert (tmp_path / "reply.md").read_text() == "hello\n"
    await chat.send(f"/save {tmp_path}/reply.md")
    await chat.until(lambda: "is there already" in chat.status)
    (tmp_path / "file").touch()
    await chat.send(f"/save {tmp_path}/file/x.md")
    await chat.until(lambda: "x.md" in chat.status and "there already" not in chat.status)
    assert (tmp_path / "file").read_text() == ""
    await chat.send(f"/save {tmp_path}/no/x.md")
    await chat.until(lambda: f"there is no folder {tmp_path}/no." in chat.status.replace("\n", ""))
    assert not (tmp_path / "no").exists()


async def test_the_composers_selection_comes_before_a_cancellation(chat: Desk) -> None:
    await chat.type("abc")
    await chat.press("shift+left", "shift+left", "ctrl+c")
    assert chat.copied == ["bc"]
    assert chat.written == "abc"


async def test_without_a_terminal_there_is_no_mouse_to_leave(chat: Desk) -> None:
    await chat.send("/mouse")
    assert "no terminal" in chat.status


# what is marked

DOCUMENT = """# Title

A paragraph with **bold** words that is long enough to be wrapped more than once at a width of forty cells.

- an item that is long enough to go on in a second row
  1. inner

> A quoted paragraph, long enough to go on in a second row.

```py
if x:

    return "a line of code that is too long for the width of forty cells"
```

---

| name | what it is |
|---|---|
| one | a cell with so many words that they take several rows |
| two | short |

漢字仮名交じり文は単語の間に空白を置かないので、どこでも折り返すことができる。
"""
LOGICAL = """# Title

A paragraph with bold words that is long enough to be wrapped more than once at a width of forty cells.

• an item that is long enough to go on in a second row
  1. inner

A quoted paragraph, long enough to go on in a second row.

if x:

    return "a line of code that is too long for the width of forty cells"


name\twhat it is
one\ta cell with so many words that they take several rows
two\tshort

漢字仮名交じり文は単語の間に空白を置かないので、どこでも折り返すことができる。"""


@pytest.mark.parametrize("width", [30, 41, 60, 200])
@pytest.mark.parametrize("step", [7, 10_000])
def test_rows_give_back_the_text_before_it_was_wrapped(width: int, step: int) -> None:
    rows = TurnRows(Turn("a", "assistant", Head("model", "done")), PALETTE, width)
    for start in range(0, len(DOCUMENT), step):
        rows.append(DOCUMENT[start : start + step], "")
        rows.advance()
    assert text_of(rows.rows()) == f"model\n{LOGICAL}"


def test_long_paragraphs_are_joined_where_they_were_frozen() -> None:
    text = " ".join(f"word{n}" for n in range(3_000))
    rows = TurnRows(Turn("a", "assistant", Head("m"), text), PALETTE, 50)
    assert text_of(rows.rows()) == f"m\n{text}"
    asked = TurnRows(Turn("a", "user", Head("You"), "one  two\n\n" + text), PALETTE, 50)
    assert text_of(asked.rows()) == f"You\none  two\n\n{text}"


async def drag(chat: Desk, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press at one cell of the transcript, move and let go at another."""
    transcript = chat.screen.transcript
    await chat.pilot.mouse_down(transcript, offset=start)
    await chat.pilot.hover(transcript, offset=end)
    await chat.pilot.mouse_up(transcript, offset=end)
    await chat.settle()


def place_of(chat: Desk, text: str) -> tuple[int, int]:
    """Where a text stands in the transcript, as the mouse sees it."""
    transcript = chat.screen.transcript
    for y in range(transcript.size.height):
        x = transcript.render_line(y).text.find(text)
        if x >= 0:
            return x + transcript.gutter.left, y
    raise AssertionError(text)


def marked_cells(chat: Desk) -> list[str]:
    """The marked part of each row in view."""
    transcript = chat.screen.transcript
    colour = chat.screen.get_component_rich_style("screen--selection").bgcolor
    rows = [transcript.render_line(y) for y in range(transcript.size.height)]
    found = ["".join(run.text for run in row if run.style and run.style.bgcolor == colour) for row in rows]
    return [text for text in found if text]


async def test_the_mouse_marks_over_turns_and_ctrl_c_copies_the_text(chat: Desk) -> None:
    words = " ".join(f"w{n}" for n in range(100))
    await chat.ask(f"echo {words}")
    x, y = place_of(chat, "echo w0")
    last = [at for at in range(40) if "w99" in chat.screen.transcript.render_line(at).text][-1]
    end_x = chat.screen.transcript.render_line(last).text.find("w99") + chat.screen.transcript.gutter.left
    await drag(chat, (x + 5, y), (end_x + 2, last))
    assert "Ctrl+C copies" in chat.status
    assert "w99" in marked_cells(chat)[-1]
    await chat.press("ctrl+c")
    model = chat.screen.session.target.model
    assert chat.copied == [f"{words}\n\n{model}\n{words}"]
    assert marked_cells(chat) == []
    assert chat.screen.transcript.following


async def test_two_clicks_mark_a_word_and_three_a_line(chat: Desk) -> None:
    words = " ".join(f"w{n}" for n in range(60))
    await chat.ask(f"echo {words} (last)")
    place = place_of(chat, "w30")
    transcript = chat.screen.transcript
    await chat.pilot.click(transcript, offset=place, times=2)
    assert marked_cells(chat) == ["w30"]
    await chat.press("ctrl+c")
    await chat.pilot.click(transcript, offset=place, times=3)
    await chat.press("ctrl+c")
    assert chat.copied[0] == "w30"
    assert chat.copied[1].endswith(f"{words} (last)")
    await chat.pilot.click(transcript, offset=place)
    await chat.press("ctrl+c")
    assert len(chat.copied) == 2


async def test_keys_mark(chat: Desk) -> None:
    await chat.send("/mark")
    assert "no text to mark" in chat.status
    await chat.ask("echo one two\n\nthree 漢字")
    await chat.press("alt+v")
    assert "Esc leaves" in chat.status
    await chat.press("home", "v", "up", "up", "y")
    assert chat.copied == ["one two\n\nt"]
    assert chat.screen.composer.has_focus
    await chat.press("alt+v", "end", "shift+left", "enter")
    assert chat.copied[1:] == ["漢字"]
    await chat.press("alt+v", "enter")
    assert chat.copied[2:] == ["three 漢字"]
    await chat.press("alt+v", "shift+up", "escape", "x")
    assert chat.written == "x"
    assert marked_cells(chat) == []


async def test_the_cursor_takes_the_view_along(chat: Desk) -> None:
    for n in range(3):
        await chat.ask("echo " + "\n\n".join(f"line {n}-{at}" for at in range(40)))
    await chat.send("/fold all")
    await chat.press("alt+v", "v")
    for _ in range(20):
        await chat.press("pageup")
    assert chat.screen.transcript.scroll_offset.y == 0
    assert not chat.screen.transcript.following
    await chat.press("home", "ctrl+c")
    text = chat.copied[0]
    assert text.startswith("You\necho line 0-0\n\nline 0-1\n")
    assert [text.count(f"line {n}-{at}\n") for n in range(2) for at in range(40)] == [2] * 80
    assert text.endswith("\nl")


async def test_what_is_marked_stays_marked_while_a_reply_comes_in(chat: Desk) -> None:
    await chat.ask("echo first words")
    x, y = place_of(chat, "first words")
    await drag(chat, (x, y), (x + 4, y))
    assert marked_cells(chat) == ["first"]
    await chat.ask("count 400")
    chat.screen.transcript.stand_at(0)
    assert marked_cells(chat) == ["first"]
    chat.app.post_message(events.Key("ctrl+c", None))
    await chat.until(lambda: chat.copied == ["first"])


# in a terminal


def test_the_terminal_gets_clipboard_and_mouse(tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    with Terminal([*COMMAND, "--demo"], env, (120, 40), tmp_path) as terminal:
        terminal.wait("Message ")
        assert b"\x1b[?1000h" in terminal.raw
        terminal.send("\x1bm")
        terminal.wait("The terminal has the mouse")
        assert terminal.raw.rindex(b"\x1b[?1000l") > terminal.raw.rindex(b"\x1b[?1000h")
        terminal.send("\x1bm")
        terminal.wait("marks here again")
        assert terminal.raw.rindex(b"\x1b[?1000h") > terminal.raw.rindex(b"\x1b[?1000l")
        terminal.send("echo some `code`:\x0a```\x0ax = 1\x0a```")
        terminal.wait("x = 1")
        terminal.press("enter")
        terminal.wait("done")
        terminal.send("\x1b1")
        terminal.wait("Code block 1")
        data = encoded("x = 1")
        assert data is not None
        assert sequence(data, {}).encode() in terminal.raw
        terminal.press("ctrl+q")
        assert terminal.wait_exit() == 0


def test_the_mouse_can_be_left_to_the_terminal_from_the_start(tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    config = tmp_path / ".config" / "tui-chat" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[ui]\nmouse = false\n")
    with Terminal([*COMMAND, "--demo"], env, (120, 40), tmp_path) as terminal:
        terminal.wait("Message ")
        assert b"?1000h" not in terminal.raw
        terminal.send("\x1bm")
        terminal.wait("marks here again")
        assert b"?1000h" in terminal.raw


async def test_the_blocks_of_the_newest_reply_show_the_numbers_that_copy_them(chat: Desk) -> None:
    def numbered() -> list[str]:
        transcript = chat.screen.transcript
        rows = [transcript.render_line(y).text.rstrip() for y in range(transcript.size.height)]
        return [row for row in rows if row.endswith("]")]

    await chat.ask("echo a\n\n```py\nx = 1\n```\n\n- item\n\n  ```\n  y = 2\n  ```\n\n      z = 3\n")
    assert [row.split()[-1] for row in numbered()] == ["[1]", "[2]", "[3]"]
    assert numbered()[0].split()[0] == "py"
    for n, code in enumerate(("x = 1", "y = 2", "z = 3"), 1):
        await chat.press(f"alt+{n}")
        await chat.until(lambda n=n: len(chat.copied) == n)
        assert chat.copied[-1].strip() == code
    await chat.ask("echo no code")
    assert numbered() == []
