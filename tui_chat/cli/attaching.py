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
    """The question with its files behind it; may block. `kept`: the conversation goes to the disk.

    Raises StoreError where one cannot be attached.
    """
    if not files:
        return text
    from tui_chat.store.attachments import Picture, read

    blocks: list[str] = []
    for path in files:
        found = read(path)
        if isinstance(found, Picture):
            built.chats.keep_image(found.image, found.data, kept=kept)
        blocks.append((found.image if isinstance(found, Picture) else found).block)
    return "\n\n".join([text, *blocks])
