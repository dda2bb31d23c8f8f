"""What a chat does for the one who writes: files are attached."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import on, work

from tui_chat.domain.failure import StoreError
from tui_chat.domain.tokens import count
from tui_chat.ui.completing import file_offers
from tui_chat.ui.screens.keeping import Keeping
from tui_chat.ui.widgets.composer import Composer

if TYPE_CHECKING:
    from tui_chat.domain.attachments import Attachment
    from tui_chat.domain.tokens import Ratios
    from tui_chat.ui.widgets.completion import Completion


class Writing(Keeping):
    """Base of the chat screen."""

    completion: Completion

    # files

    @work(exclusive=True, group="paths", exit_on_error=False)
    async def offer_files(self, typed: str) -> None:
        """Show the files and folders that the path could become."""
        from tui_chat.store.attachments import entries

        found = file_offers(await asyncio.to_thread(entries, typed))
        word = self.composer.word
        if word is not None and word[1] == typed:
            self.completion.show(found)

    @on(Composer.Attach)
    def _attach_file(self, message: Composer.Attach) -> None:
        self._read_file(message.path, sure=message.sure)

    @work(group="attach", exit_on_error=False)
    async def _read_file(self, path: str, *, sure: bool) -> None:
        target = self.session.target
        ratios = self.app.house.engine.knowledge.ratios(target.endpoint.name, target.model)
        try:
            read = await asyncio.to_thread(_read, path, ratios, sure=sure)
        except StoreError as error:
            self.notice(str(error))
            self.composer.refuse()
            return
        if read is None:
            self.composer.leave()
        else:
            self.composer.attach(*read)


def _read(path: str, ratios: Ratios, *, sure: bool) -> tuple[Attachment, float] | None:
    """A file with the tokens of its block; None where it is not `sure` to be one, and is none. Raises StoreError."""
    from tui_chat.store.attachments import is_file, read

    if not sure and not is_file(path):
        return None
    file = read(path)
    return file, count(file.block, ratios)
