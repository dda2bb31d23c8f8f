"""How a chat is answered, chosen on its screen: its settings, a profile, and the user's files read again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work
from textual.app import SuspendNotSupported

from tui_chat.domain.failure import ConfigError, StoreError, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.files import write_private
from tui_chat.store.shipped import config_template
from tui_chat.ui.screens.keeping import Keeping

if TYPE_CHECKING:
    from tui_chat.engine.reply import Target
    from tui_chat.ui.screens.settings import Chosen


class Settling(Keeping):
    """Base of the chat screen; `follow_files` is its own."""

    _taken = ""
    """The profile that was taken last."""

    def follow_files(self) -> None:
        """Look as the user's files say now."""
        raise NotImplementedError

    def action_settings(self) -> None:
        from tui_chat.ui.screens.settings import SettingsScreen

        screen = SettingsScreen(self.app.house, self.session.target, self.app.choice, self._taken)
        self.app.push_screen(screen, self._settle)

    def _settle(self, chosen: Chosen | None) -> None:
        if chosen is None:
            return
        self._taken = chosen.profile
        if chosen.offered:
            self.app.house.remember(chosen.target.endpoint, chosen.target.model)
        self.go_on_with(chosen.target)
        self.notice(chosen.said)

    def go_on_with(self, target: Target) -> None:
        """Send the next message to this target."""
        self.session.target = target
        self.retarget()

    def action_profile(self, argument: str = "") -> None:
        from tui_chat.ui.screens.profiles import ProfilesScreen

        if argument:
            self._take(argument)
        else:
            self.app.push_screen(ProfilesScreen(self.app.house, self._taken), self._take_listed)

    def _take_listed(self, name: str | None) -> None:
        if name is not None:
            self._take(name)

    @work(exclusive=True, group="profile", exit_on_error=False)
    async def _take(self, name: str) -> None:
        """Go on with a profile; the key of its endpoint may come from a command that takes a while."""
        session = self.session
        try:
            target = await asyncio.to_thread(self.app.house.profiles.take, name, session.target)
        except TuiChatError as error:
            self.notice(str(error))
            return
        if session is self.session:
            self._taken = name
            self.go_on_with(target)
            self.notice(say("status.profile", name=visible_line(name, 60)))

    @work(exclusive=True, group="editor", exit_on_error=False)
    async def action_edit(self) -> None:
        """Have $EDITOR write the message; what comes back stands in the composer, however the editor ended."""
        from tui_chat.ui.editor import edit_text

        before = self.composer.text
        try:
            edited = await edit_text(self.app, before)
        except (OSError, ValueError, SuspendNotSupported) as error:
            self.notice(say("status.no_text_editor", fault=error))
            return
        now = self.composer.text
        # A reply that failed meanwhile may have given its question back.
        self.composer.put(edited.text if now == before else f"{edited.text}\n{now}")
        if edited.left is not None:
            self.notice(say("status.editor_left", code=edited.code, file=edited.left))
        elif edited.code:
            self.notice(say("status.editor_failed", code=edited.code))

    @work(exclusive=True, group="editor", exit_on_error=False)
    async def action_config(self) -> None:
        """Have $EDITOR change config.toml, then read it again."""
        from tui_chat.ui.editor import edit_file

        file = self.app.house.config_file
        try:
            if not file.exists():
                write_private(file, config_template())
            await edit_file(self.app, file)
        except (StoreError, OSError, ValueError, SuspendNotSupported) as error:
            self.notice(say("status.no_editor", file=file, fault=error))
        else:
            self.action_reload()

    @work(exclusive=True, group="reload", exit_on_error=False)
    async def action_reload(self) -> None:
        """Read config.toml, themes and keys again; a reply under way goes on as it was asked."""
        from tui_chat.ui.screens.told import Told

        session = self.session
        problems = [*await asyncio.to_thread(self.app.house.reload), *self.app.follow_files()]
        try:
            target = await asyncio.to_thread(self.app.house.targets.renewed, session.target)
        except ConfigError as error:
            problems.append(str(error))
        else:
            session.target = target
        self.follow_files()
        self.retarget()
        if len(problems) > 1:
            self.app.push_screen(Told(say("problems.title", count=len(problems)), problems))
        else:
            self.notice(problems[0] if problems else say("status.reloaded"))
