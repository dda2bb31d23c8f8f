"""Links of a reply: found in its Markdown, shown whole with their host, opened by the system's browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tui_chat.domain.hostile import visible, visible_line
from tui_chat.domain.words import say
from tui_chat.ui.rows.parsing import parse, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from markdown_it.token import Token

    from tui_chat.ui.rows.parsing import Node, References

SCHEMES = ("http", "https", "mailto")
LONGEST = 1_000
"""Characters of a target that can be shown whole on a small screen."""
MOST = 200_000
"""Characters of a reply that are looked at, from its end."""
IN_TERMINAL = ("www-browser", "links", "elinks", "lynx", "w3m")
"""Browsers that would draw over this program."""

_BARE = re.compile(r"\b(?:https?://|mailto:)[^\s<>\"'`|\\^{}]+", re.IGNORECASE)
_CLOSING = ".,;:!?)]*_~"


class Link(NamedTuple):
    """What a link says, and where it goes."""

    text: str
    target: str


class NotOpened(Exception):
    """A link is not opened; says why."""


def links(text: str) -> list[Link]:
    """The links and images of a reply in their order, each target once."""
    kids, references = parse(visible(text[-MOST:]).split("\n"))
    found: dict[str, Link] = {}
    for node in _texts(kids):
        for link in _links(node.content, references):
            found.setdefault(link.target, link)
    return list(found.values())


def _texts(kids: Iterable[Node]) -> Iterator[Node]:
    for node in kids:
        if node.type not in ("fence", "code_block", "definition"):
            if node.content:
                yield node
            yield from _texts(node.kids)


def _links(content: str, references: References) -> Iterator[Link]:
    tokens = spans(content, references)
    if tokens is None:
        yield from _bare(content)
        return
    inside: list[str] = []
    target = ""
    for token in tokens:
        if token.type == "link_open":
            target = _attribute(token, "href")
        elif token.type == "link_close":
            yield Link(visible_line("".join(inside), 80) or target, target)
            target = ""
            inside.clear()
        elif token.type == "image":
            yield Link(visible_line(token.content, 80) or say("links.image"), _attribute(token, "src"))
        elif target:
            inside.append(token.content or " ")
        elif token.type == "text":
            yield from _bare(token.content)


def _attribute(token: Token, name: str) -> str:
    return str(token.attrs.get(name, ""))


def _bare(text: str) -> Iterator[Link]:
    """Addresses that stand in the text as they are."""
    for found in _BARE.finditer(text):
        target = found[0].rstrip(_CLOSING)
        yield Link(target, target)


def shown(target: str) -> str:
    """The whole of a target, and its host in every spelling; raises NotOpened for what must not be opened."""
    try:
        parts = urlsplit(target)
        host = parts.hostname or ""
    except ValueError:
        raise NotOpened(say("links.broken")) from None
    if parts.scheme.lower() not in SCHEMES or (parts.scheme.lower() != "mailto" and not host):
        raise NotOpened(say("links.scheme"))
    if len(target) > LONGEST:
        raise NotOpened(say("links.long", count=f"{len(target):,}"))
    if any(char.isspace() or not char.isprintable() for char in target):
        raise NotOpened(say("links.broken"))
    return " · ".join([visible_line(target, LONGEST), *(say("links.host", host=name) for name in _spellings(host))])


def _spellings(host: str) -> list[str]:
    """The host as it is looked up and, where that differs, in the letters that it stands for."""
    if not host:
        return []
    try:
        ascii_host = host.encode("idna").decode() if not host.isascii() else host
        letters = ascii_host.encode().decode("idna")
    except UnicodeError:
        return [visible_line(host, LONGEST)]
    return [ascii_host, visible_line(letters, LONGEST)] if letters != ascii_host else [ascii_host]


def open_target(target: str) -> None:
    """Open a target that `shown` has passed; blocks until a browser has it. Raises NotOpened."""
    import webbrowser  # seldom needed, and looks for programs

    shown(target)
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        raise NotOpened(say("links.no_browser")) from None
    if getattr(browser, "name", "").rpartition("/")[2] in IN_TERMINAL or not browser.open(target):
        raise NotOpened(say("links.no_browser"))
