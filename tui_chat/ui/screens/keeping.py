"""What a chat does with conversations: opens and leaves them, keeps drafts, branches, names, deletes, takes out and in.

The half of the chat screen that has nothing to do with a reply under way.
"""

from __future__ import annotations

import asyncio
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from tui_chat.domain.budget import NOTHING
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.ui.compositing import LiveScreen

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Node
    from tui_chat.engine.session import Session
    from tui_chat.store.imports import Report
    from tui_chat.ui.app import TuiChat
    from tui_chat.ui.screens.history import Opened
    from tui_chat.ui.screens.tree import TreeChoice
    from tui_chat.ui.widgets.composer import Composer
    from tui_chat.ui.widgets.history_list import HistoryList
    from tui_chat.ui.widgets.transcript import Transcript
    from tui_chat.wire.forms import ConversationForm
    from tui_chat.wiring import Chat


class Keeping(LiveScreen):
    """Base of the chat screen; `show_chat` and `notice` are its own."""

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app
    chat: Chat
    composer: Composer
    transcript: Transcript
    sidebar: HistoryList | None = None
    """Made when it is first shown."""

    _revised: Node | None = None
    """The question that is being written anew."""
    _set_aside = ""
    """What was written before."""
    _deleted: str | None = None

    @property
    def session(self) -> Session:
        """The session that is shown."""
        return self.chat.session

    def show_chat(self, chat: Chat) -> None:
        """Show another conversation; the one shown so far goes on unseen."""
        raise NotImplementedError

    def notice(self, text: str, *, passing: bool = False) -> None:
        """Show a line for a while."""
        raise NotImplementedError

    def keep_draft(self) -> None:
        """Put down what is written in the composer, now."""
        raise NotImplementedError

    # other conversations

    def action_new_chat(self) -> None:
        self.show_chat(self.app.house.new_chat(self.session.target))

    def action_temporary(self) -> None:
        self.show_chat(self.app.house.new_chat(self.session.target, temporary=True))
        self.notice(say("status.temporary"))

    def action_history(self) -> None:
        from tui_chat.ui.screens.history import HistoryScreen

        self.keep_draft()

        def opened(found: Opened | None) -> None:
            self.list_anew()
            if found is not None:
                self.open_conversation(found.uid, found.node)

        self.app.push_screen(HistoryScreen(self.app.house, self.chat.id), opened)

    def left_by_deletion(self, uid: str) -> None:
        """A conversation was deleted elsewhere on the screen: nothing more may be said in it."""
        if uid == self.chat.id:
            self.chat.draft = self.composer.text
            self.action_new_chat()

    def on_history_list_broke(self, message: HistoryList.Broke) -> None:
        self.notice(message.reason)

    def action_sidebar(self) -> None:
        if self.sidebar is None:
            from tui_chat.ui.widgets.history_list import HistoryList

            self.sidebar = HistoryList(self.app.house.chats, compact=True, id="sidebar")
            self.sidebar.current = self.chat.id
            self.query_one("#body").mount(self.sidebar, before=0)
        self.sidebar.set_class(not self.sidebar.has_class("-shown"), "-shown")
        if self.sidebar.has_class("-shown"):
            self.sidebar.reload()
            self.sidebar.focus()
        else:
            self.composer.focus()

    def list_anew(self) -> None:
        """A conversation has come, gone or changed."""
        if self.sidebar is not None:
            self.sidebar.reload()

    def on_history_list_chosen(self, message: HistoryList.Chosen) -> None:
        self.composer.focus()
        self.open_conversation(message.uid, message.node)

    @work(exclusive=True, group="open", exit_on_error=False)
    async def open_conversation(self, uid: str, node: str | None = None) -> None:
        """Show a conversation as it was left, at `node` where one is given."""
        if uid != self.chat.id:
            self.keep_draft()
            try:
                chat = await asyncio.to_thread(self.app.house.reopen, uid, self.app.choice)
            except TuiChatError as error:
                self.notice(str(error))
                return
            self.show_chat(chat)
        if node is not None and node in self.session.conversation.nodes:
            if node not in {turn.id for turn in self.session.conversation.path()}:
                self.session.select(node)
            self.transcript.to_turn(node)

    # an interrupted reply

    def action_keep(self) -> None:
        self.notice(say("status.kept" if self.session.keep() else "status.not_interrupted"))

    def action_discard(self) -> None:
        self.notice(say("status.discarded" if self.session.discard() else "status.not_interrupted"))

    # branches

    def action_tree(self) -> None:
        from tui_chat.ui.screens.tree import TreeScreen

        if not self.session.conversation.nodes:
            self.notice(say("status.nothing_said"))
            return
        reply = self.session.reply
        live = reply.node.id if reply is not None and self.session.running else None
        self.app.push_screen(TreeScreen(self.session.conversation, live, self.app.house.config.keys), self._take_branch)

    def _take_branch(self, choice: TreeChoice | None) -> None:
        if choice is None:
            return
        if choice.action == "fork":
            self._fork(choice.node)
        elif choice.action == "edit":
            self._revise(self.session.conversation.nodes[choice.node])
        elif self.session.select(choice.node):
            self.transcript.to_turn(choice.node)
        else:
            self.notice(say("status.running"), passing=True)

    def action_revise(self) -> None:
        """Write the newest question anew; again, the one before it."""
        questions = [node for node in self.session.conversation.path() if node.role == "user"]
        if self._revised is not None:
            at = next((i for i, node in enumerate(questions) if node is self._revised), 0)
            questions = questions[:at]
        if self.session.running:
            self.notice(say("status.running"), passing=True)
        elif questions:
            self._revise(questions[-1])
        else:
            self.notice(say("status.nothing_to_revise"))

    def _revise(self, question: Node) -> None:
        if self._revised is None:
            self._set_aside = self.composer.text
        self._revised = question
        self.composer.put(question.text)
        self.composer.focus()
        self.notice(say("status.revising"))

    @property
    def revising(self) -> bool:
        """True while an earlier question is being written anew."""
        return self._revised is not None

    def leave_revision(self) -> None:
        """Leave the question as it is, and go back to what was written."""
        self._revised = None
        self.composer.put(self._set_aside)
        self.notice("")

    def send_revision(self, text: str) -> bool:
        """Ask the question anew as a branch; False when none is being written, or a reply is under way."""
        if self._revised is None or not self.session.revise(self._revised.id, text):
            return False
        self._revised = None
        self.composer.put(self._set_aside)
        return True

    def action_fork(self) -> None:
        path = [node for node in self.session.conversation.path() if node.sendable]
        if not path or self.session.running:
            self.notice(say("status.running" if self.session.running else "status.nothing_said"), passing=True)
        else:
            self._fork(path[-1].id)

    @work(exclusive=True, group="open", exit_on_error=False)
    async def _fork(self, node: str) -> None:
        if not self._kept():
            return
        self.keep_draft()
        house = self.app.house
        try:
            uid = await asyncio.to_thread(house.chats.library.fork, self.chat.id, node)
            chat = await asyncio.to_thread(house.reopen, uid, self.app.choice)
        except TuiChatError as error:
            self.notice(str(error))
            return
        chat.session.target = self.session.target
        self.show_chat(chat)
        self.notice(say("status.forked"))

    # this conversation

    def action_rename(self, argument: str = "") -> None:
        if not argument:
            self.composer.put(f"/rename {self.chat.title}")
            self.notice(say("status.rename"))
        elif self._kept():
            self.chat.title = argument
            self.app.house.chats.library.rename(self.chat.id, argument)
            self.retarget()
            self.list_anew()

    @work(exclusive=True, group="title", exit_on_error=False)
    async def action_title(self, *, asked: bool = True) -> None:
        """Have the model give the conversation its title."""
        from tui_chat.engine.titling import title_of

        chat, turns = self.chat, self.session.conversation.path()
        if not self._kept():
            return
        if asked:
            self.notice(say("status.titling", model=visible_line(self.session.target.model, 60)))
        titled = await title_of(self.app.house.engine, self.session.target, turns)
        self.app.house.chats.library.entitle(chat.id, titled.title, titled.cost.usd)
        chat.session.beside += titled.cost.usd or NOTHING
        if titled.title:
            chat.title = titled.title
            self.retarget()
            self.list_anew()
        if asked:
            untitled = titled.failure.line if titled.failure is not None else say("status.untitled")
            title = visible_line(titled.title)
            self.notice(say("status.titled", title=title) if title else untitled)

    def action_delete(self) -> None:
        """Delete the conversation; undo brings it back."""
        if self._kept():
            self._deleted = self.chat.id
            title = visible_line(self.chat.title, 40)
            self.session.cancel()
            self.app.house.chats.library.delete(self.chat.id)
            self.action_new_chat()
            self.notice(say("status.deleted", title=title))

    def action_undo(self) -> None:
        if self._deleted is None:
            self.notice(say("status.nothing_deleted"))
            return
        uid, self._deleted = self._deleted, None
        self.app.house.chats.library.restore(uid)
        self.open_conversation(uid)

    @work(exclusive=True, group="files", exit_on_error=False)
    async def action_export(self, argument: str = "") -> None:
        """Write the conversation to a file, in the format of its name."""
        if not argument:
            self.composer.put("/export ")
            self.notice(say("status.export"))
        elif not self.session.conversation.nodes:
            self.notice(say("status.nothing_said"))
        else:
            form = None if self._on_the_disk() else self._form_in_memory()
            try:
                path = await asyncio.to_thread(self._write_export, argument, form)
            except (TuiChatError, RuntimeError) as error:
                self.notice(str(error))
            else:
                self.notice(say("status.exported", file=path))

    def _on_the_disk(self) -> bool:
        """True when the store has all of the conversation."""
        return self.chat.journal is not None and not self.app.house.chats.database.behind

    def _form_in_memory(self) -> ConversationForm:
        """The conversation as it stands here: a temporary one, or one that the disk does not take."""
        from tui_chat.wire.forms import ConversationForm, node_forms

        reply, tree = self.session.reply, copy(self.session.conversation)
        tree.nodes = dict(tree.nodes)
        if reply is not None and self.session.running:
            tree.finish(reply.node.id, reply.draft.text, reply.draft.reasoning, reply.result(Phase.INTERRUPTED))
        nodes = node_forms(tree)
        return ConversationForm(
            id=self.chat.id,
            title=self.chat.title,
            in_chat=[node.id for node in tree.path()],
            nodes=nodes,
            created=nodes[0].created,
            updated=nodes[-1].created,
        )

    def _write_export(self, name: str, form: ConversationForm | None) -> Path:
        """Write the form, or without one what the store has."""
        from tui_chat.store import export

        path = Path(name).expanduser()
        if form is not None:
            export.write_one(form, path, export.format_of(path))
        else:
            export.write(self.app.house.chats.library, [self.chat.id], path, export.format_of(path))
        return path

    @work(exclusive=True, group="files", exit_on_error=False)
    async def action_import(self, argument: str = "") -> None:
        """Take in the conversations of a file."""
        if not argument:
            self.composer.put("/import ")
            self.notice(say("status.import"))
            return
        try:
            report = await asyncio.to_thread(self._read_import, argument)
        except (TuiChatError, RuntimeError) as error:
            self.notice(str(error))
            return
        self.list_anew()
        self._tell_import(report)

    def _read_import(self, name: str) -> Report:
        from tui_chat.store import imports

        return imports.read(self.app.house.chats.library, Path(name).expanduser())

    def _tell_import(self, report: Report) -> None:
        line = say("status.imported", new=report.new, updated=report.updated, unchanged=report.unchanged)
        if not report.skipped:
            self.notice(line)
            return
        from tui_chat.ui.screens.told import Told

        lines = [f"{what}: {why}" for what, why in report.skipped]
        self.app.push_screen(Told(line, lines))

    def _kept(self) -> bool:
        """True when the conversation is in the store; says so when it is not."""
        if self.chat.journal is None:
            self.notice(say("status.not_kept"))
        elif not self.session.conversation.nodes:
            self.notice(say("status.nothing_said"))
        else:
            return True
        return False

    def retarget(self) -> None:
        """Say whom the next message goes to, and in which conversation."""
        raise NotImplementedError
