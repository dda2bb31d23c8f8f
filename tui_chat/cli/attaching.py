"""Files that go along with a question of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui_chat.wiring import House


def attaching(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `-f/--file PATH`, which the command gets as `files`."""
    return click.option(
        "-f",
        "--file",
        "files",
        multiple=True,
        type=click.Path(),
        metavar="PATH",
        help="Attach a text file or an image; may be given several times.",
    )(command)


def with_files(built: House, text: str, files: Sequence[str], *, kept: bool) -> str:
    """The question with its files behind it; may block. Raises StoreError where one cannot be attached."""
    return joined(text, [attached(built, path, kept=kept) for path in files])


def joined(text: str, blocks: Sequence[str]) -> str:
    return "\n\n".join([text, *blocks])


def attached(built: House, path: str, *, kept: bool) -> str:
    """What stands in a question for a file; may block. `kept`: the conversation goes to the disk. Raises StoreError."""
    from tui_chat.store.attachments import Picture, read

    found = read(path)
    if not isinstance(found, Picture):
        return found.block
    built.chats.keep_image(found.image, found.data, kept=kept)
    return found.image.block
