"""Reasoning that a model writes into its answer as `<think> … </think>` at the very start."""

from __future__ import annotations

from typing import Literal

from tui_chat.domain.events import Text, Thinking

OPEN, CLOSE = "<think>", "</think>"

_Place = Literal["start", "opened", "think", "closed", "answer"]


class ThinkSplitter:
    """Content deltas -> Text and Thinking; only a block that opens the answer counts as reasoning.

    The line ends after the opening tag and the white space after the closing one belong to neither.
    """

    def __init__(self) -> None:
        self._place: _Place = "start"
        self._held = ""

    def feed(self, content: str) -> list[Text | Thinking]:
        if self._place == "answer":
            return [Text(content)]
        held, self._held = self._held + content, ""
        match self._place:
            case "start":
                return self._start(held)
            case "opened":
                return self._opened(held)
            case "think":
                return self._think(held)
            case "closed":
                return self._closed(held)

    def finish(self) -> list[Text | Thinking]:
        """What was held back because it might have become a tag."""
        held, self._held = self._held, ""
        if not held:
            return []
        return [Text(held) if self._place == "start" else Thinking(held)]

    def _start(self, held: str) -> list[Text | Thinking]:
        opening = held.lstrip()
        if opening.startswith(OPEN):
            return self._opened(opening[len(OPEN) :])
        if OPEN.startswith(opening):
            self._held = held
            return []
        self._place = "answer"
        return [Text(held)]

    def _opened(self, held: str) -> list[Text | Thinking]:
        thought = held.lstrip("\r\n")
        self._place = "think" if thought else "opened"
        return self._think(thought) if thought else []

    def _think(self, held: str) -> list[Text | Thinking]:
        thought, tag, rest = held.partition(CLOSE)
        if tag:
            self._place = "closed"
            return ([Thinking(thought)] if thought else []) + self._closed(rest)
        keep = _partial_tag(held)
        self._held = held[len(held) - keep :]
        thought = held[: len(held) - keep]
        return [Thinking(thought)] if thought else []

    def _closed(self, held: str) -> list[Text | Thinking]:
        answer = held.lstrip()
        if not answer:
            return []
        self._place = "answer"
        return [Text(answer)]


def _partial_tag(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of the closing tag."""
    return next((n for n in range(min(len(CLOSE) - 1, len(text)), 0, -1) if CLOSE.startswith(text[-n:])), 0)
