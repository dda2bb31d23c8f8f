"""Where links go: shown whole with the host, opened by the system's browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

SCHEMES = ("http", "https", "mailto")
LONGEST = 1_000
"""Characters of a target that can be shown whole on a small screen."""
IN_TERMINAL = ("www-browser", "links", "elinks", "lynx", "w3m")
"""Browsers that would draw over this program."""


class NotOpened(Exception):
    """A link is not opened; says why."""


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
