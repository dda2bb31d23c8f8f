"""Links: found, numbered, shown whole, and opened by an explicit act alone."""

from __future__ import annotations

import webbrowser

import pytest
from rich.style import Style
from textual.strip import Strip
from textual.widgets import Static

from tests.kit.screen import Chat
from tui_chat.ui.links import LONGEST, NotOpened, open_target, shown
from tui_chat.ui.rows import STYLES, Head, Turn, TurnRows
from tui_chat.ui.rows.links import Link
from tui_chat.ui.rows.marks import text_of
from tui_chat.ui.screens.confirm import Confirm
from tui_chat.ui.screens.told import Told


class Browser:
    """Notes what it is asked to open."""

    name = "/usr/bin/browser"

    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, target: str) -> bool:
        self.opened.append(target)
        return True


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    return browser


TEXT = """See [the *docs*](https://docs.test/a?b=1), <https://auto.test>, https://bare.test/x.

- ![a cat](https://img.test/cat.png)

| a | b |
|---|---|
| [cell](https://cell.test) | mailto:me@x.test |

> [ref], and [the docs](https://docs.test/a?b=1) again

```
https://in-code.test
```

[ref]: https://ref.test
"""


PALETTE = {name: Style(bold=name == "strong") for name in STYLES}


def laid_out(text: str, width: int = 100, pieces: int = 10_000) -> TurnRows:
    rows = TurnRows(Turn("t", "assistant", Head("m")), PALETTE, width)
    for at in range(0, len(text), pieces):
        rows.append(text[at : at + pieces], "")
        rows.advance()
    rows.rows()
    return rows


def links(text: str) -> list[Link]:
    return laid_out(text).links


def drawn(text: str, width: int = 100) -> list[str]:
    return [strip.text.replace("\u00a0", " ").strip() for strip in laid_out(text, width).rows()[1:-1]]


def test_links_are_found_in_their_order() -> None:
    assert links(TEXT) == [
        Link("the docs", "https://docs.test/a?b=1"),
        Link("https://auto.test", "https://auto.test"),
        Link("https://bare.test/x", "https://bare.test/x"),
        Link("a cat", "https://img.test/cat.png"),
        Link("cell", "https://cell.test"),
        Link("mailto:me@x.test", "mailto:me@x.test"),
        Link("ref", "https://ref.test"),
    ]
    assert links("plain text, http:// and no link") == []
    assert links("only https://bare.test.") == [Link("https://bare.test", "https://bare.test")]


def test_links_carry_their_numbers() -> None:
    assert drawn("[a](https://a.test) and [*b*](https://b.test), [a](https://a.test)") == [
        "a [1] (https://a.test) and b [2] (https://b.test), a [1] (https://a.test)"
    ]
    assert drawn("https://a.test/x. ![b](https://b.test/b.png) <https://a.test/x>") == [
        "https://a.test/x [1]. [b] https://b.test/b.png [2] https://a.test/x [1]"
    ]
    assert drawn("no `https://a.test` in code, no [b] without a target") == [
        "no https://a.test in code, no [b] without a target"
    ]


@pytest.mark.parametrize("width", [7, 10, 20, 22, 23, 24, 25, 100])
@pytest.mark.parametrize(
    "text", ["See https://a.test/with/words and", "漢字[漢字](https://a.test)漢字", "[word](a) [b](b)"]
)
def test_a_number_is_no_text_wherever_the_row_breaks(text: str, width: int) -> None:
    rows = laid_out(text, width).rows()[1:-1]
    assert text_of(rows) == "\n".join(strip.text.strip() for strip in laid_out(text, 900).rows()[1:-1]).replace(
        "\u00a0[1]", ""
    ).replace("\u00a0[2]", "")


def test_a_number_stays_while_more_text_comes() -> None:
    text = "".join(f"{n} [link](https://x.test/{n % 40}) and https://y.test/{n}\n\n" for n in range(60))
    rows = TurnRows(Turn("t", "assistant", Head("m")), PALETTE, 100)
    frozen: list[Strip] = []
    for at in range(0, len(text), 37):
        rows.append(text[at : at + 37], "")
        rows.advance()
        now = rows._body.frozen  # pyright: ignore[reportPrivateUsage]
        assert [list(strip) for strip in now[: len(frozen)]] == [list(strip) for strip in frozen]
        frozen = now[:]
    assert rows.links == links(text)
    assert len(rows.links) == 100
    assert [strip.text for strip in rows.rows()] == [strip.text for strip in laid_out(text).rows()]


def test_a_definition_after_its_use_counts_in_the_place_of_the_use() -> None:
    text = "[late] and https://x.test\n\nmore\n\n[late]: https://late.test\n"
    for pieces in (1, 7, 1_000):
        assert [link.target for link in laid_out(text, pieces=pieces).links] == ["https://late.test", "https://x.test"]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("https://x.test/a", "https://x.test/a · host x.test"),
        ("https://good.test@evil.test/", "https://good.test@evil.test/ · host evil.test"),
        ("https://xn--e1awd7f.test/", "https://xn--e1awd7f.test/ · host xn--e1awd7f.test · host еріс.test"),
        ("https://аррӏе.test/", "https://аррӏе.test/ · host xn--80ak6aa92e.test · host аррӏе.test"),
        ("mailto:me@x.test", "mailto:me@x.test"),
    ],
)
def test_a_target_is_shown_whole_with_its_host(target: str, text: str) -> None:
    assert shown(target) == text


@pytest.mark.parametrize(
    "target",
    [
        *("javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "/etc/passwd", "--help", "", "https://"),
        *("javascript%3Aalert(1)", "file%3A///etc/passwd", "ftp://x.test", "https:x", "https://[bad"),
        *("https://x.test/\x1b]52;c;eA==\x07", "https://x.test/\n", "https://x.test/ a", "https://x.test/\u202etxt"),
        "https://x.test/" + "a" * LONGEST,
    ],
)
def test_nothing_else_is_opened(target: str, browser: Browser) -> None:
    with pytest.raises(NotOpened):
        shown(target)
    with pytest.raises(NotOpened):
        open_target(target)
    assert browser.opened == []


@pytest.mark.parametrize("name", ["w3m", "/usr/bin/www-browser"])
def test_a_browser_in_the_terminal_is_not_started(name: str, browser: Browser) -> None:
    browser.name = name
    with pytest.raises(NotOpened, match="no browser"):
        open_target("https://x.test")
    assert browser.opened == []


def test_without_a_browser_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    with pytest.raises(NotOpened, match="no browser"):
        open_target("https://x.test")


# the screen


async def test_links_are_listed_by_the_numbers_they_carry(chat: Chat) -> None:
    await chat.ask("echo [one](https://one.test) https://two.test/[/red]")
    rows = [strip.text.replace("\u00a0", " ") for strip in chat.app.screen._compositor.render_strips()]  # pyright: ignore[reportPrivateUsage]
    assert any("one [1] (https://one.test) https://two.test/[/red [2]" in row for row in rows)
    await chat.send("/links")
    await chat.until(lambda: isinstance(chat.app.screen, Told))
    text = "\n".join(str(static.content) for static in chat.app.screen.query(Static))
    assert "[1] one → https://one.test" in text
    assert "[2] https://two.test/" in text


async def test_a_link_opens_only_after_a_yes(chat: Chat, browser: Browser) -> None:
    target = "https://one.test/" + "a" * 700
    await chat.ask(f"echo [harmless]({target})")
    for answer in ("escape", "n", "enter"):
        await chat.send("/open 1")
        await chat.until(lambda: isinstance(chat.app.screen, Confirm))
        await chat.press(answer)
        assert not isinstance(chat.app.screen, Confirm)
    assert browser.opened == []
    await chat.send("/open 1")
    await chat.until(lambda: isinstance(chat.app.screen, Confirm))
    assert any(target in str(static.content) for static in chat.app.screen.query(Static))
    await chat.press("y")
    await chat.until(lambda: browser.opened)
    assert browser.opened == [target]
    assert "The browser has the link" in chat.status


async def test_what_cannot_be_opened_is_said(chat: Chat, browser: Browser) -> None:
    await chat.send("/open 1")
    await chat.until(lambda: "no link" in chat.status)
    await chat.send("/links")
    await chat.until(lambda: "no link" in chat.status)
    await chat.ask("echo [a](ftp://one.test) [b](/etc/passwd)")
    for number in ("", "0", "3", "x", "²"):
        await chat.send(f"/open {number}")
        await chat.until(lambda: "1 to 2" in chat.status)
    for number in "12":
        await chat.send(f"/open {number}")
        await chat.until(lambda: "Only http, https and mailto" in chat.status)
    assert browser.opened == []
