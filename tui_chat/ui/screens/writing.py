"""What is done for the one who writes: files, earlier questions, snippets and drafts; in the chat an estimate."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.widgets import Static, TextArea

from tui_chat.domain import figures
from tui_chat.domain.ask import in_words
from tui_chat.domain.failure import StoreError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.tokens import TokenCounter, count
from tui_chat.domain.words import say
from tui_chat.engine.budget import sending_cost
from tui_chat.ui.completing import Argument, Offer, file_offers, offers_for
from tui_chat.ui.compositing import LiveScreen
from tui_chat.ui.screens.keeping import Keeping
from tui_chat.ui.widgets.composer import Composer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from textual.timer import Timer

    from tui_chat.domain.actions import Action
    from tui_chat.domain.attachments import Attachment
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.images import Image
    from tui_chat.domain.tokens import Ratios
    from tui_chat.engine.reply import Target
    from tui_chat.store.attachments import Picture
    from tui_chat.ui.app import TuiChat
    from tui_chat.ui.widgets.completion import Completion
    from tui_chat.wiring import Chat

PROMPTS = 50
"""Earlier questions that are listed."""
DRAFT_S = 0.4
"""After the last key: when what is written is put down."""
ESTIMATE_S = 0.3
"""After a change: when the estimate follows."""
LONG = 400
"""Characters from which on a text has an estimate."""
ROOM = 60
"""Columns of a screen that has room for the estimate."""
SLICE = 10_000
"""Characters that are counted at once, between PAUSE_S."""
PAUSE_S = 0.01
SAVE = re.compile(r"(?:(.*)\n)?[ \t]*/snippet +save(?: +([^\s][^\n]*?))?\s*", re.DOTALL)
"""The command that keeps what stands above it."""


class Composing(LiveScreen):
    """Base of a screen with a composer: completes, attaches files, brings back earlier questions, keeps snippets."""

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app
    chat: Chat
    composer: Composer
    completion: Completion
    PLACE: ClassVar[str]
    """The screen's name in the table of actions."""

    _draft_timer: Timer | None = None
    _found_none = False
    """No earlier question holds what is looked for."""

    def notice(self, text: str) -> None:
        """Show a line for a while."""
        raise NotImplementedError

    def arguments(self, action: Action) -> Iterable[Argument]:
        """The values that a command is known to take."""
        raise NotImplementedError

    def receivers(self) -> Iterable[Target]:
        """Whom the message goes to, as far as the user may know."""
        raise NotImplementedError

    async def weigh(self, text: str) -> float:
        """About how many tokens a file's text is."""
        raise NotImplementedError

    @property
    def newest_question(self) -> Node | None:
        """What was asked last, as far as the screen shows it."""
        raise NotImplementedError

    @property
    def draft(self) -> str:
        """What of what is written is kept."""
        return self.composer.draft

    def show_state(self) -> None:
        """Bring the status line up to date."""
        raise NotImplementedError

    @on(TextArea.Changed, "#composer")
    def _follow(self) -> None:
        if self.composer.searching:
            self.offer_prompts()
        elif self.composer.is_put:
            self.completion.close()
        else:
            self.offer_completions()

    @on(Composer.Completed)
    def offer_completions(self) -> None:
        """Show what could complete a path behind `@`, or a command, once the user types at its end."""
        if (word := self.composer.word) is not None:
            self._offer_files(word[1])
            return
        found = offers_for(self.composer, self.PLACE, self.app.house.config.keys, self.arguments)
        self.completion.show(found, self.composer.text)

    @work(exclusive=True, group="paths", exit_on_error=False)
    async def _offer_files(self, typed: str) -> None:
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
        try:
            file = await asyncio.to_thread(_read, path, sure=sure)
        except StoreError as error:
            self.notice(str(error))
            self.composer.refuse()
            return
        match file:
            case None:
                self.composer.leave()
            case (image, data):
                await self._keep_image(image, data)
                self.composer.attach(image, image.tokens)
            case _:
                self.composer.attach(file, await self.weigh(file.block))

    async def _keep_image(self, image: Image, data: bytes) -> None:
        """Keep its bytes, and tell which model will not take it."""
        house = self.app.house
        try:
            await asyncio.to_thread(house.chats.keep_image, image, data, kept=self.chat.journal is not None)
        except StoreError as error:
            self.notice(str(error))
        blind = {to.model for to in self.receivers() if house.endpoints.sees(to.endpoint, to.model) is False}
        if blind:
            self.notice(say("attach.blind", model=visible_line(", ".join(sorted(blind)), 60)))

    # earlier questions

    @work(exclusive=True, group="recall", exit_on_error=False)
    async def recall_prompts(self) -> None:
        """Let Up bring back what was asked in earlier runs of the program."""
        await self.app.warm.wait()
        self.composer.recall(await asyncio.to_thread(self.app.house.chats.questions))

    @property
    def search_state(self) -> str:
        """What the keys do while an earlier question is looked for; empty otherwise."""
        if not self.composer.searching:
            return ""
        return say("prompts.none" if self._found_none else "prompts.state")

    def action_search_prompts(self) -> None:
        if self.composer.searching:
            if self.completion.is_open:
                self.completion.move(1)
            return
        self.composer.search()
        self.offer_prompts()
        # What the keys do now stands where a notice would hide it.
        self.notice("")

    def leave_search(self) -> bool:
        """Go back to what was written before; False when nothing is looked for."""
        if not self.composer.searching:
            return False
        self.composer.leave_search()
        self._end_search()
        return True

    @on(Composer.Found)
    def _end_search(self) -> None:
        self._found_none = False
        self.completion.close()
        self.show_state()

    @work(exclusive=True, group="prompts", exit_on_error=False)
    async def offer_prompts(self) -> None:
        """Show the earlier questions that hold what is written."""
        query = self.composer.text
        try:
            found = await asyncio.to_thread(self.app.house.chats.questions, query, PROMPTS)
        except StoreError as error:
            self.notice(str(error))
            return
        if self.composer.searching and self.composer.text == query:
            self.completion.show([Offer(text, visible_line(in_words(text), 300)) for text in found])
            self._found_none = not found
            self.show_state()

    # snippets

    def snippets(self) -> Iterator[Argument]:
        """What `/snippet` takes."""
        from tui_chat.store.snippets import SAVE as save
        from tui_chat.store.snippets import names

        for name in names(self.app.house.snippet_folder):
            yield Argument(visible_line(name))
        yield Argument(save, say("snippet.save"), known=False)

    def action_snippet(self, argument: str = "") -> None:
        from tui_chat.store.snippets import load, names

        folder = self.app.house.snippet_folder
        if not argument:
            self.composer.put("/snippet ")
            known = ", ".join(map(visible_line, names(folder))) or say("snippet.none")
            self.notice(say("snippet.usage", folder=folder, names=known))
            return
        try:
            text = load(folder, argument)
        except StoreError as error:
            self.notice(str(error))
            return
        if self.composer.fill(text):
            self.notice(say("snippet.fields"))

    def keeps_snippet(self, text: str) -> bool:
        """Keep what stands above `/snippet save NAME`, or without anything there the newest question."""
        command = SAVE.fullmatch(text)
        if command is None:
            return False
        above, name = command[1] or "", command[2] or ""
        asked = self.newest_question
        self.composer.put(above)
        self._keep_snippet(name, above if above.strip() else asked.text if asked is not None else "")
        return True

    def _keep_snippet(self, name: str, text: str) -> None:
        from tui_chat.store.snippets import save

        if not text or not name:
            self.notice(say("snippet.nothing"))
            return
        try:
            path = save(self.app.house.snippet_folder, name, text)
        except StoreError as error:
            self.notice(str(error))
        else:
            self.notice(say("snippet.saved", path=path, name=name))

    # drafts

    @on(TextArea.Changed, "#composer")
    def _written(self) -> None:
        if self._draft_timer is not None:
            self._draft_timer.stop()
        self._draft_timer = self.set_timer(DRAFT_S, self.keep_draft)

    def keep_draft(self) -> None:
        """Put down what is written in the composer, now."""
        if self._draft_timer is not None:
            self._draft_timer.stop()
            self._draft_timer = None
        text = self.draft
        if self.chat.journal is not None and text != self.chat.draft:
            self.chat.draft = text
            self.chat.journal.draft(text)


class Writing(Composing, Keeping):
    """Base of the chat screen."""

    PLACE = "chat"

    estimate: Static
    """How much of what is written is sent, and what that costs."""

    _lent = False
    """The comparison's composer has what was written here, and keeps it."""
    _estimate_timer: Timer | None = None
    """Set until the estimate that is due has been made."""
    _changed = False
    """Something has changed since the last estimate was begun."""
    _before: tuple[object, float] = (None, 0.0)
    """(what the conversation was when they were counted, the tokens that go before what is written)."""
    _behind: tuple[Ratios, dict[str, float]] | None = None
    """Tokens of what stands behind marks."""

    @property
    def newest_question(self) -> Node | None:
        return next((node for node in reversed(self.session.conversation.path()) if node.role == "user"), None)

    @property
    def draft(self) -> str:
        if self._lent:
            return self.chat.draft
        return self._set_aside if self.revising else super().draft

    def notice(self, text: str, *, passing: bool = False) -> None:
        """Show a line for a while, a `passing` one until the reply ends."""
        raise NotImplementedError

    def receivers(self) -> Iterable[Target]:
        return [self.session.target]

    async def weigh(self, text: str) -> float:
        return await self._tokens_behind(text, self._ratios())

    def _ratios(self) -> Ratios:
        target = self.session.target
        return self.app.house.engine.knowledge.ratios(target.endpoint.name, target.model)

    # the estimate

    @on(TextArea.Changed, "#composer")
    def estimate_soon(self) -> None:
        """Bring the estimate up to date, at most a few times a second."""
        self._changed = True
        if self._estimate_timer is None:
            self._estimate_timer = self.set_timer(ESTIMATE_S, self._estimate)

    @work(group="estimate", exit_on_error=False)
    async def _estimate(self) -> None:
        # One at a time, to its end: begun anew with each change, the count of a long text would never be done.
        self._changed = False
        text, behind = self.composer.parts()
        try:
            if self.composer.searching or self.size.width < ROOM or len(text) + sum(map(len, behind)) < LONG:
                self._show_estimate("")
            else:
                await self._count(text, behind)
        finally:
            self._estimate_timer = None
        if self._changed:
            self.estimate_soon()

    async def _count(self, text: str, behind: list[str]) -> None:
        """Show what would be sent: what was said before, what is written and what stands behind marks."""
        target, ratios = self.session.target, self._ratios()
        tokens = await self._tokens_before(ratios) + count(text, ratios)
        for part in behind:
            tokens += await self._tokens_behind(part, ratios)
        words = say("estimate.tokens", tokens=f"{tokens:,.0f}")
        cost = sending_cost(self.app.house.engine, tokens, target.price)
        if cost.usd is not None:
            words = f"{words} · {figures.money(cost, self.app.house.config.currency)}"
        self._show_estimate(words)

    async def _tokens_before(self, ratios: Ratios) -> float:
        session = self.session
        tree, target = session.conversation, session.target
        parent = self._revised.parent if self._revised is not None else session.anchor(tree.head)
        place = (session, parent, target, ratios)
        if self._before[0] != place:
            messages = () if parent is None else tree.messages(parent)
            texts = (target.settings.system or "", *(message.text for message in messages))
            self._before = place, sum([await counted(text, ratios) for text in texts])
        return self._before[1]

    async def _tokens_behind(self, part: str, ratios: Ratios) -> float:
        """Counted once: a megabyte takes long."""
        if self._behind is None or self._behind[0] != ratios:
            self._behind = ratios, {}
        known = self._behind[1]
        if part not in known:
            known[part] = await counted(part, ratios)
        return known[part]

    def _show_estimate(self, words: str) -> None:
        if str(self.estimate.content) != words:
            self.estimate.update(words)
            self.estimate.set_class(bool(words), "-shown")


async def counted(text: str, ratios: Ratios) -> float:
    """The tokens of a text; a thread of its own would hold up the keys for longer than the moments taken here."""
    from tui_chat.domain.images import Image, parts

    tokens = 0.0
    for part in parts(text):
        if isinstance(part, Image):
            tokens += part.tokens
            continue
        counter = TokenCounter(ratios)
        for start in range(0, len(part), SLICE):
            counter.feed(part[start : start + SLICE])
            if len(part) > SLICE:
                await asyncio.sleep(PAUSE_S)
        tokens += counter.tokens
    return tokens


def _read(path: str, *, sure: bool) -> Attachment | Picture | None:
    """A file; None where it is not `sure` to be one, and is none. Raises StoreError."""
    from tui_chat.store.attachments import is_file, read

    return read(path) if sure or is_file(path) else None
