"""Reasoning that a model writes into its answer as `<think> … </think>` at the very start."""

from __future__ import annotations

from tui_chat.domain.events import Text, Thinking

OPEN, CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Content deltas -> Text and Thinking; only a block that opens the answer counts as reasoning."""

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""

    def feed(self, content: str) -> list[Text | Thinking]:
        if self._state == "answer":
            return [Text(content)]
        held, self._held = self._held + content, ""
        if self._state == "start":
            return self._start(held)
        if self._state == "think":
            return self._think(held)
        return self._after(held)

    def finish(self) -> list[Text | Thinking]:
        """What was held back because it might have become a tag."""
        held, self._held = self._held, ""
        if not held or self._state == "after":
            return []
        return [Thinking(held) if self._state == "think" else Text(held)]

    def _start(self, held: str) -> list[Text | Thinking]:
        opening = held.lstrip()
        if opening.startswith(OPEN):
            self._state = "think"
            return self._think(opening[len(OPEN) :].lstrip("\n"))
        if OPEN.startswith(opening):
            self._held = held
            return []
        self._state = "answer"
        return [Text(held)]

    def _think(self, held: str) -> list[Text | Thinking]:
        thought, tag, rest = held.partition(CLOSE)
        if tag:
            self._state = "after"
            return ([Thinking(thought)] if thought else []) + self._after(rest)
        keep = _partial_tag(held)
        self._held = held[len(held) - keep :]
        thought = held[: len(held) - keep]
        return [Thinking(thought)] if thought else []

    def _after(self, held: str) -> list[Text | Thinking]:
        """The white space that sets the answer off from the block belongs to neither."""
        answer = held.lstrip()
        if not answer:
            return []
        self._state = "answer"
        return [Text(answer)]


def _partial_tag(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of the closing tag."""
    return next((n for n in range(min(len(CLOSE) - 1, len(text)), 0, -1) if CLOSE.startswith(text[-n:])), 0)
