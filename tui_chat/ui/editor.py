"""$EDITOR in the place of the screen; what goes on meanwhile goes on."""

from __future__ import annotations

import asyncio
import shlex
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from tui_chat.ui.app import TuiChat

EDITOR = "vi"
"""Where neither $VISUAL nor $EDITOR names one."""


class Edited(Struct, frozen=True):
    """A text as it came back from the editor."""

    text: str
    code: int
    """The editor's exit code; other than 0, `text` is what it was given."""
    left: Path | None = None
    """Where what it wrote all the same lies."""


async def edit_file(app: TuiChat, file: Path) -> int:
    """Have the user edit a file; the editor's exit code. Raises OSError, ValueError, SuspendNotSupported."""
    command = [*editor_of(app.house.env), str(file)]
    with app.suspend(), _keyboard_signals_for_editor(app):
        # What is raised within leaves Textual suspended for ever.
        ended = await asyncio.gather(_run(command, app.house.env), return_exceptions=True)
    (code,) = ended
    if isinstance(code, BaseException):
        raise code
    return code


async def _run(command: list[str], env: Mapping[str, str]) -> int:
    process = await asyncio.create_subprocess_exec(*command, env=dict(env))
    return await process.wait()


async def edit_text(app: TuiChat, text: str) -> Edited:
    """Have the user edit a text. Raises as `edit_file` does."""
    file = _put_down(text)
    left = None
    try:
        code = await edit_file(app, file)
        after = _read(file)
        if code == 0:
            return Edited(after, code)
        left = file if after != text.removesuffix("\n") else None
        return Edited(text, code, left)
    finally:
        if left is None:
            _remove(file)


def _put_down(text: str) -> Path:
    """A private file with a text."""
    descriptor, name = tempfile.mkstemp(prefix="tui-chat-", suffix=".md")
    with open(descriptor, "wb") as file:
        file.write(text.encode("utf-8", "replace"))
    return Path(name)


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "replace").removesuffix("\n")


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


def editor_of(env: Mapping[str, str]) -> list[str]:
    """The user's editor with its options. Raises ValueError where quotes do not match."""
    return shlex.split(env.get("VISUAL") or env.get("EDITOR") or EDITOR)


@contextmanager
def _keyboard_signals_for_editor(app: TuiChat) -> Generator[None]:
    """Ctrl+C and Ctrl+\\ reach every program of the terminal; here they are the editor's alone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGQUIT):
        # Unlike SIG_IGN, a handler is not handed down to the editor.
        loop.add_signal_handler(number, _unheard)
    try:
        yield
    finally:
        app.listen_to_signals()


def _unheard() -> None:
    """The editor has heard it."""
