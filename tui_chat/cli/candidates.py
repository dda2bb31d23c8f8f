"""What a shell may complete a value with. A key waits for it: files are read, nobody is asked, nothing written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tui_chat.domain.failure import TuiChatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click import Context, Parameter
    from click.shell_completion import CompletionItem

    from tui_chat.store.config import Config

MOST_CONVERSATIONS = 50


def endpoints(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Those that can be used, then all others that are known."""
    config = _config()
    return _items(() if config is None else (*config.available(), *config.endpoints), incomplete)


def models(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Models of the catalog and of profiles, behind `ENDPOINT/` where that is typed."""
    config = _config()
    if config is None:
        return []
    head, slash, _ = incomplete.partition("/")
    place = f"{head}/" if slash and config.knows(head) else ""
    own = [profile.model for profile in config.profiles.values() if profile.model]
    names = [name.removeprefix(place) for name in (*own, *config.prices) if not name.endswith("/*")]
    return _items((f"{place}{name}" for name in names), incomplete)


def profiles(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    config = _config()
    return _items(() if config is None else config.profiles, incomplete)


def lane_sets(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    config = _config()
    return _items(() if config is None else config.compare, incomplete)


def conversations(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest ones' ids, with their titles for shells that show them."""
    from click.shell_completion import CompletionItem

    from tui_chat.domain.hostile import visible_line
    from tui_chat.store.glance import newest
    from tui_chat.store.paths import database_file

    found = newest(database_file(os.environ), incomplete, MOST_CONVERSATIONS)
    return [CompletionItem(uid, help=visible_line(title, 60)) for uid, title in found]


def files(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    """Leaves it to the shell."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def conversations_or_files(ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
    return [*conversations(ctx, param, incomplete), *files(ctx, param, incomplete)]


def _config() -> Config | None:
    """The configuration; None where it cannot be read, which is no time to complain."""
    from tui_chat.store.config import load

    try:
        return load(os.environ)
    except (TuiChatError, OSError):
        return None


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]
