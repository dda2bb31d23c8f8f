"""What could complete the command that is being typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tui_chat.domain.actions import commands
from tui_chat.domain.attachments import file_size
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tui_chat.domain.actions import Action
    from tui_chat.domain.keymap import Keymap
    from tui_chat.store.attachments import Entry
    from tui_chat.ui.widgets.composer import Composer
    from tui_chat.wire.codec import ModelInfo

T = TypeVar("T")

AT = re.compile(r'(?:^|(?<=[\s(]))@(?:"([^"]*)"?|([^\s"]*))$')
MOST_NAME = 40
"""Characters of a title that its file's name is made of."""


class Offer(Struct, frozen=True):
    """One line of the list."""

    text: str
    """What the composer holds once it is taken, or the word where only that is completed."""
    name: str
    help: str = ""
    key: str = ""
    known: bool = True
    """Nothing else can be meant, so that Enter takes it; else Enter sends what is typed."""
    of_word: bool = False
    """It completes the word that begins with `@`, not all that is written."""
    file: str = ""
    """A path that is attached in the place of the word."""


class Argument(Struct, frozen=True):
    """A value that a command takes."""

    value: str
    help: str = ""
    known: bool = True
    """The command takes no other values than those offered."""


def offers_for(
    composer: Composer, screen: str, keymap: Keymap, arguments: Callable[[Action], Iterable[Argument]]
) -> list[Offer]:
    """What could complete the command in the composer of a screen, once the user types at its end."""
    command = composer.document.get_line(0).startswith("/")
    if not command or composer.cursor_location != composer.document.end:
        return []
    text = composer.text
    found = offers(text, screen, keymap, arguments)
    return [offer for offer in found if offer.text != text or len(found) > 1]


def offers(text: str, screen: str, keymap: Keymap, arguments: Callable[[Action], Iterable[Argument]]) -> list[Offer]:
    """What could complete `text`, the likeliest first; empty when it is no command or says all there is to say."""
    if not text.startswith("/") or "\n" in text:
        return []
    name, space, argument = text[1:].partition(" ")
    known = commands(screen)
    if not space:
        return list(_commands(name, screen, keymap, known))
    action = known.get(name)
    if action is None or not action.takes:
        return []
    found = _matching(argument.lstrip(), list(arguments(action)), lambda one: one.value)
    return [Offer(f"/{name} {one.value}", one.value, one.help, known=one.known) for one in found]


def at_word(before: str) -> tuple[int, str] | None:
    """(place of its `@`, the path behind it) of the word at the end of `before`; None where it begins with no `@`."""
    found = AT.search(before)
    return None if found is None else (found.start(), found[1] or found[2] or "")


def written(path: str, *, open_ended: bool = False) -> str:
    """A path as a word: `@src/x.py`, `@"two words.txt"`; `open_ended` when more of it is to be typed."""
    return f'@"{path}' + ("" if open_ended else '"') if " " in path else f"@{path}"


def file_offers(found: Iterable[Entry]) -> list[Offer]:
    """The files and folders that a path could become."""
    return [
        Offer(written(one.path, open_ended=True), one.path, say("attach.folder"), known=False, of_word=True)
        if one.is_folder
        else Offer(written(one.path), one.path, file_size(one.size), known=False, of_word=True, file=one.path)
        for one in found
    ]


def file_name(title: str) -> str:
    """A name for a file, without its ending, made of a title."""
    return "-".join(re.findall(r"\w+", title))[:MOST_NAME].strip("-_") or "chat"


def models(listed: Mapping[str, Sequence[ModelInfo]], own: str = "") -> Iterator[Argument]:
    """The models that were listed since the start, by endpoint; those of `own` come first and go without its name."""
    for name in sorted(listed, key=lambda name: name != own):
        for model in listed[name]:
            value = model.id if name == own else f"{name}/{model.id}"
            yield Argument(visible_line(value, 100), visible_line(model.name or "", 60), known=False)


def _commands(typed: str, screen: str, keymap: Keymap, known: Mapping[str, Action]) -> Iterator[Offer]:
    for action in _matching(typed, list(known.values()), lambda action: action.slash):
        slash = f"/{action.slash}"
        yield Offer(slash + " " * action.takes, slash, action.help_on(screen), keymap.shown(action.name))


def _matching(typed: str, items: Sequence[T], word: Callable[[T], str]) -> list[T]:
    """The one that is typed in full, then those that begin with it, then those that hold it."""
    wanted = typed.lower()

    def rank(item: T) -> int:
        text = word(item).lower()
        return 0 if text == wanted else 1 if text.startswith(wanted) else 2 if wanted in text else 3

    return sorted((item for item in items if rank(item) < 3), key=rank)
