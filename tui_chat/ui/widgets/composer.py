"""Where the user writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from textual.message import Message
from textual.widgets.text_area import Selection

from tui_chat.domain.ask import IMAGE
from tui_chat.domain.hostile import visible
from tui_chat.domain.keymap import forms
from tui_chat.domain.words import say
from tui_chat.ui.completing import at_word, written
from tui_chat.ui.widgets.editing import act_at_once
from tui_chat.ui.widgets.readline import ReadlineArea

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual import events
    from textual.document._document import Location
    from textual.document._edit import Edit
    from textual.widgets.text_area import EditResult

    from tui_chat.domain.attachments import Attachment
    from tui_chat.domain.images import Image
    from tui_chat.ui.app import TuiChat
    from tui_chat.ui.completing import Offer
    from tui_chat.ui.widgets.completion import Completion

ROOM = 10_000
"""Characters that are laid out: an edit wraps its whole line again. What is more stands behind a mark."""
FIELD = re.compile(r"\{\{[^{}\n]{1,60}\}\}")
"""A placeholder, such as {{language}}."""
SHORT = 200
"""Characters that stand as they are, however many there are already."""
QUERY = 80
"""Characters of what is written that are taken for what is looked for."""


class Composer(ReadlineArea):
    """Grows to a third of the screen; Up and Down walk the completions, at the edges the prompts that were sent."""

    @dataclass
    class Sent(Message):
        """The user pressed Enter on a text that is not blank."""

        text: str

    @dataclass
    class Completed(Message):
        """A completion was taken; there may be more to complete."""

    @dataclass
    class Found(Message):
        """An earlier prompt was taken: the search for one is over."""

    @dataclass
    class Attach(Message):
        """A file is to be attached where its word stands: `read` and `attach` or `refuse` follow."""

        path: str
        sure: bool = True
        """False: the word may as well be a word."""

    app: TuiChat  # pyright: ignore[reportIncompatibleMethodOverride]  # there is no other app

    def __init__(self, completion: Completion | None = None, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, highlight_cursor_line=False, soft_wrap=True)
        self._completion = completion
        self.sent: list[str] = []
        """Prompts that Up brings back, oldest first; composers may have one list."""
        self._back = 0
        """How many of them Up has gone back; 0 in what is being written."""
        self._written = ""
        self._behind: dict[str, str] = {}
        """What stands behind each mark, such as `[text 1: 40,000 characters]`."""
        self._marks = _any_of(())
        self._put = ""
        self._before_search: str | None = None
        """What was written before an earlier prompt was looked for; None while none is."""
        self._filling: tuple[str, str, str] | None = None
        """(before, placeholder, behind) of the text in which a placeholder is being filled."""
        self._reading = 0
        """Files that are being read, which a message waits for."""
        self._sends = False
        """The message is to be sent once they have been."""
        self.renew_offers: Callable[[], object] = lambda: None
        """Shows what could complete the command that is written."""

    @property
    def text(self) -> str:
        """What is written, that behind marks included."""
        return self._whole(self.document.text)

    @text.setter
    def text(self, value: str) -> None:
        self.put(value)

    @property
    def word(self) -> tuple[int, str] | None:
        """(column of its `@`, path) of the word before the cursor that begins with `@`."""
        row, column = self.cursor_location
        return at_word(self.document.get_line(row)[:column])

    @property
    def selected_text(self) -> str:
        return self._whole(super().selected_text)

    async def _on_key(self, event: events.Key) -> None:
        self._catch_up(event.key)
        if self._completion is not None and self._completion.is_open and self._complete(self._completion, event.key):
            event.stop()
            event.prevent_default()
        elif self._means("send", event.key):
            event.stop()
            event.prevent_default()
            self.send()
        elif self._means("newline", event.key):
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key == "tab" and self._filling is not None:
            event.stop()
            event.prevent_default()
            self._fill_next(*self._filling)
        elif event.key == "up" and self.cursor_at_first_line and self._back < len(self.sent):
            event.stop()
            event.prevent_default()
            self._walk(1)
        elif event.key == "down" and self.cursor_at_last_line and self._back > 0:
            event.stop()
            event.prevent_default()
            self._walk(-1)
        else:
            if event.key == "space" and (word := self.word) is not None and word[1]:
                self._await_file(word[1], sure=False)
            await act_at_once(self, event)

    def on_resize(self) -> None:
        self.call_after_refresh(self.scroll_cursor_visible)

    @property
    def is_put(self) -> bool:
        """True while what is written was not typed, but put there."""
        return self._put == self.text

    def remember(self, text: str) -> None:
        """Add a prompt to those that Up brings back, each once."""
        if text in self.sent:
            self.sent.remove(text)
        self.sent.append(text)
        self._back = 0

    def recall(self, earlier: Sequence[str]) -> None:
        """Put prompts of before, newest first, behind those that were sent here."""
        self.sent[:0] = [text for text in reversed(earlier) if text not in self.sent]

    @property
    def searching(self) -> bool:
        """What is written is what is looked for in earlier prompts; nothing is sent."""
        return self._before_search is not None

    @property
    def draft(self) -> str:
        """What is to be sent one day: what is written, or was before an earlier prompt was looked for."""
        return self.text if self._before_search is None else self._before_search

    def search(self) -> None:
        """Look for an earlier prompt, with what is written where that is short."""
        text = self.text
        self._before_search = text
        self.put(text if len(text) <= QUERY and "\n" not in text else "")
        self.focus()

    def leave_search(self) -> None:
        """Go back to what was written before."""
        text, self._before_search = self.draft, None
        self.put(text)

    def put(self, text: str) -> None:
        """Replace what is written, the cursor behind it."""
        self._filling = None
        if IMAGE in text:
            text = self._with_image_marks(text)
        for mark, behind in self._behind.items():
            text = text.replace(behind, mark)
        self.load_text(self._fitted(visible(text), 0))
        self.move_cursor(self.document.end)
        self._put = self.text

    def put_before(self, text: str) -> None:
        """Put a text in front of what is written, or was before an earlier prompt was looked for."""
        written = self.draft
        whole = f"{text}\n{written}" if written.strip() else text
        if self.searching:
            self._before_search = whole
        else:
            self.put(whole)

    def take_over(self, other: Composer) -> None:
        """Put what is to be sent in another composer in front of what is written, marks and all."""
        if other.draft.strip():
            self._behind |= other._behind
            self._marks = _any_of(self._behind)
            self.put_before(other.draft)

    def edit(self, edit: Edit) -> EditResult:
        # What is pasted holds whatever the page held that it was copied from.
        edit.text = self._fitted(visible(edit.text), len(self.document.text))
        edit.from_location, edit.to_location = self._around_marks(edit.top, edit.bottom)
        return super().edit(edit)

    def parts(self) -> tuple[str, list[str]]:
        """What is written without what stands behind marks, and that."""
        shown = self.document.text
        return self._marks.sub("", shown), [self._behind[mark[0]] for mark in self._marks.finditer(shown)]

    # placeholders

    def fill(self, text: str) -> bool:
        """Put a text whose placeholders Tab leads through, the first one selected; False where it has none."""
        self.put(text)
        return self._select_field(0)

    def _fill_next(self, before: str, field: str, behind: str) -> None:
        """Give every other placeholder of the same name what this one was filled with, and go to the next."""
        text = self.document.text
        if len(text) < len(before) + len(behind) or not (text.startswith(before) and text.endswith(behind)):
            self._select_field(0)
            return
        filled = text[len(before) : len(text) - len(behind)]
        end = len(before) + len(filled)
        if field in behind and filled != field:
            self.replace(behind.replace(field, filled), self._location(end), self.document.end)
        self._select_field(end)

    def _select_field(self, start: int) -> bool:
        """Select the next placeholder, the first one behind the last; with none left the cursor goes to the end."""
        text = self.document.text
        found = FIELD.search(text, start) or FIELD.search(text)
        self._filling = None if found is None else (text[: found.start()], found[0], text[found.end() :])
        if found is None:
            self.move_cursor(self.document.end)
        else:
            self.selection = Selection(self._location(found.start()), self._location(found.end()))
        return found is not None

    def _location(self, index: int) -> Location:
        before = self.document.text[:index]
        return before.count("\n"), index - (before.rfind("\n") + 1)

    # files

    def attach(self, file: Attachment | Image, tokens: float) -> None:
        """Put the mark of a file where its word stands; what it says is sent is what was read."""
        mark = self._named(file.mark(tokens), file.block)
        # What stands there is what can be seen of a name that holds control characters.
        name = re.escape(visible(file.name))
        word = re.compile(rf'(?:^|(?<=[\s(]))@(?:"{name}"|{name})(?=[\s)]|$)')
        for row in range(self.document.line_count):
            if (found := word.search(self.document.get_line(row))) is not None:
                self.replace(mark, (row, found.start()), (row, found.end()))
                break
        self._read()

    def refuse(self) -> None:
        """A file was not attached: nothing is sent before the user has seen that."""
        self._sends = False
        self._read()

    def leave(self) -> None:
        """A word was no file."""
        self._read()

    def _with_image_marks(self, text: str) -> str:
        """The text with the marks of its images in their places."""
        from tui_chat.domain.images import images_in

        for image in images_in(text):
            text = text.replace(image.block, self._named(image.mark(image.tokens), image.block))
        return text

    async def _on_paste(self, event: events.Paste) -> None:
        """A terminal pastes the path of an image that is dropped on it: it is attached."""
        from tui_chat.ui.dropping import dropped_images

        if not self.searching and (paths := dropped_images(event.text)):
            event.stop()
            event.prevent_default()
            for path in paths:
                self.insert(f"{written(path)} ")
                self._await_file(path)

    def _await_file(self, path: str, *, sure: bool = True) -> None:
        self._reading += 1
        self.post_message(self.Attach(path, sure))

    def _read(self) -> None:
        self._reading -= 1
        if self._sends and not self._reading:
            self._sends = False
            self.send()

    def _named(self, mark: str, behind: str) -> str:
        """The mark under which a text stands from now on; numbered where another text has it."""
        free = (mark if n == 1 else f"{mark[:-1]} · {n}]" for n in count(1))
        mark = next(one for one in free if self._behind.get(one, behind) == behind)
        self._behind[mark] = behind
        self._marks = _any_of(self._behind)
        return mark

    # what is too long to be laid out

    def _fitted(self, text: str, written: int) -> str:
        """The text, or a mark for it where `written` characters leave no room."""
        if len(text) <= SHORT or len(text) + written <= ROOM:
            return text
        mark = next((mark for mark, behind in self._behind.items() if behind == text), "")
        if not mark:
            mark = self._named(say("composer.mark", place=len(self._behind) + 1, count=f"{len(text):,}"), text)
        return mark

    def _whole(self, text: str) -> str:
        return self._marks.sub(lambda mark: self._behind[mark[0]], text)

    def _around_marks(self, top: Location, bottom: Location) -> tuple[Location, Location]:
        """The ends of an edit moved out of marks, which are taken away whole or not at all."""
        if top == bottom:
            return (after := self._beside_mark(top, -1)), after
        return self._beside_mark(top, 0), self._beside_mark(bottom, -1)

    def _beside_mark(self, place: Location, end: int) -> Location:
        """The place; inside of a mark its beginning (`end` 0) or its end (-1)."""
        row, column = place
        spans = (mark.span() for mark in self._marks.finditer(self.document.get_line(row)))
        return next(((row, span[end]) for span in spans if span[0] < column < span[1]), place)

    def _means(self, action: str, key: str) -> bool:
        return any(key in forms(own) for own in self.app.house.config.keys.of(action))

    def _catch_up(self, key: str) -> None:
        """Have a key that takes a completion find those of what is written: they follow the text, if only by a key."""
        if self._completion is None or self.searching or not (key == "tab" or self._means("send", key)):
            return
        if self.text.startswith("/") and self._completion.of != self.text and not self.is_put:
            self.renew_offers()

    def _complete(self, completion: Completion, key: str) -> bool:
        """What a key means to the completions; False when nothing."""
        if key in ("up", "down"):
            completion.move(-1 if key == "up" else 1)
            return True
        taken = completion.chosen if key == "tab" else None
        if self._means("send", key):
            taken = completion.meant(self.text) or self._named_in_full(completion)
        if taken is not None:
            self._take(taken)
        return taken is not None

    def _named_in_full(self, completion: Completion) -> Offer | None:
        """The file whose whole path is the word before the cursor; the list may be a key behind."""
        word = self.word
        return next((one for one in completion.offers if word and one.file and one.file == word[1]), None)

    def _take(self, offer: Offer) -> None:
        if self.searching:
            self._before_search = None
            self.put(offer.text)
            self.post_message(self.Found())
            return
        if not offer.of_word:
            self.put(offer.text)
        elif (word := self.word) is not None:
            row, column = self.cursor_location
            after = " " if offer.file else ""
            self.replace(offer.text + after, (row, word[0]), (row, column), maintain_selection_offset=False)
        if offer.file:
            self._await_file(offer.file)
        self.post_message(self.Completed())

    def send(self) -> None:
        """Send what is written; behind a backslash make a new line."""
        row, column = self.cursor_location
        line = self.document.get_line(row)
        if self.selection.is_empty and column == len(line) and line.endswith("\\"):
            self.replace("\n", (row, column - 1), (row, column))
            return
        if self.searching:
            return
        if self._reading:
            self._sends = True
            return
        text = self.text
        if text.strip():
            self.remember(text)
            self.put("")
            self.post_message(self.Sent(text))

    def _walk(self, step: int) -> None:
        if not self._back:
            self._written = self.text
        self._back += step
        self.put(self.sent[-self._back] if self._back else self._written)


def _any_of(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, marks)) or "(?!)")
