"""What a chat does to hand text out: to the terminal's clipboard, to files, or by leaving the terminal the mouse."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from textual import on, work

from tui_chat.domain.failure import StoreError
from tui_chat.domain.words import say
from tui_chat.store.files import write_new, write_private
from tui_chat.store.paths import data_folder
from tui_chat.ui import clipboard
from tui_chat.ui.screens.keeping import Keeping
from tui_chat.ui.widgets.marking import Marking

TAKEN = "copied"
"""Folder, within that of the data, of what was too long for a clipboard."""


class Copying(Keeping):
    """Base of the chat screen."""

    def take(self, text: str, place: int | None = None) -> None:
        """Copy a text, code block `place` where that is given, and say so; what is too long goes to a file."""
        if clipboard.encoded(text) is None:
            self._take_to_file(text)
            return
        self.app.copy_to_clipboard(text)
        count = f"{len(text):,}"
        block = say("status.copied_code", place=place, count=count)
        self.notice(say("status.copied", count=count) if place is None else block)

    @work(group="files", exit_on_error=False)
    async def _take_to_file(self, text: str) -> None:
        folder = data_folder(self.app.house.env) / TAKEN
        file = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1_000_000:06}.txt"
        try:
            await asyncio.to_thread(write_private, file, text)
        except StoreError as error:
            self.notice(str(error))
        else:
            self.notice(say("status.too_long", count=f"{len(text):,}", file=file))

    def _newest_reply(self) -> str:
        """The text of the newest reply that has some; says so when there is none."""
        replies = (node for node in reversed(self.session.conversation.path()) if node.role == "assistant")
        live = self.session.reply if self.session.running else None
        for node in replies:
            text = live.draft.text if live is not None and live.node.id == node.id else node.text
            if text:
                return text
        self.notice(say("status.nothing_to_copy"))
        return ""

    @work(exclusive=True, group="copy", exit_on_error=False)
    async def action_copy(self, argument: str = "") -> None:
        text = self._newest_reply()
        if not text:
            return
        if argument.isdecimal():
            await self._copy_block(text, int(argument))
        elif argument in ("", "plain"):
            from tui_chat.ui.taking import plain_text

            self.take(await asyncio.to_thread(plain_text, text) if argument else text)
        else:
            self.notice(say("status.copy"))

    @work(exclusive=True, group="copy", exit_on_error=False)
    async def action_copy_code(self, place: int = 1) -> None:
        if text := self._newest_reply():
            await self._copy_block(text, place)

    async def _copy_block(self, text: str, place: int) -> None:
        from tui_chat.ui.taking import code_blocks

        # A megabyte takes most of a second to be read.
        blocks = await asyncio.to_thread(code_blocks, text)
        if 1 <= place <= len(blocks):
            self.take(blocks[place - 1], place)
        else:
            self.notice(say("status.no_code", place=place, count=len(blocks)))

    @work(exclusive=True, group="files", exit_on_error=False)
    async def action_save(self, argument: str = "") -> None:
        """Write the newest reply to a new file."""
        if not argument:
            self.composer.put("/save ")
            self.notice(say("status.save"))
            return
        if not (text := self._newest_reply()):
            return
        try:
            file = await asyncio.to_thread(_save, argument, text)
        except (StoreError, RuntimeError) as error:
            self.notice(str(error))
        else:
            self.notice(say("status.saved", file=file))

    # what is marked

    def action_mark(self) -> None:
        said = "status.marking" if self.transcript.mark_by_keys() else "status.nothing_to_mark"
        self.notice(say(said))

    @on(Marking.Marked)
    def _marked(self) -> None:
        self.notice(say("status.marked"))

    @on(Marking.Left)
    def _left(self) -> None:
        if self.focused is None or self.focused is self.transcript:
            self.composer.focus()

    @on(Marking.Taken)
    def take_marked(self) -> bool:
        """Copy what is marked in the conversation, else in the composer; False when nothing is."""
        text = self.transcript.marked_text or self.composer.selected_text
        if text:
            self.transcript.unmark()
            self.take(text)
        return bool(text)

    def leave_mark(self) -> bool:
        """Mark nothing any more; True when the keys did, and Esc is spent on that."""
        by_keys = self.transcript.keys_mark
        if self.transcript.unmark():
            self.notice("")
        return by_keys

    def action_mouse(self) -> None:
        taken = self.app.toggle_mouse()
        if taken is None:
            self.notice(say("status.no_mouse"))
        else:
            self.notice(say("status.mouse_on" if taken else "status.mouse_off"))


def _save(name: str, text: str) -> Path:
    """Write a text to a new file, whose path is returned. Raises StoreError, RuntimeError."""
    file = Path(name).expanduser()
    write_new(file, text.removesuffix("\n") + "\n")
    return file
