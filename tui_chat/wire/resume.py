"""Going on with an answer that was broken off: which ways there are, and joining what comes to what is there.

Which server knows which way: see `openai_ways`. Sources: DeepSeek and Mistral documentation (prefix), vLLM and
llama.cpp (`continue_final_message`), the migration notes of Anthropic and Gemini (trailing assistant turns refused).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tui_chat.domain.ask import Way

if TYPE_CHECKING:
    from tui_chat.domain.endpoint import Endpoint

PREFIX_HOSTS = ("deepseek.com", "mistral.ai")
RESTARTING_HOSTS = ("openai.com", "openrouter.ai", "groq.com")
"""They accept a trailing assistant message, and begin the answer anew."""

GO_ON = (
    "Your last answer was cut off by the network. Continue it exactly from its last character: do not repeat"
    " anything, do not comment, do not open a new code block if one is open."
)

REFUSALS = (
    (Way.CONTINUE, re.compile(r"continue_final_message|add_generation_prompt", re.IGNORECASE)),
    (Way.PREFIX, re.compile(r"\bprefix\b", re.IGNORECASE)),
    (
        Way.TRAILING,
        re.compile(
            r"prefill|(final|last) (message|turn|position).{0,60}(user|assistant|model)"
            r"|(must|should|has to) end with.{0,40}user|trailing (assistant|model)",
            re.IGNORECASE,
        ),
    ),
)
"""What the words of a 400 say about the way that was tried."""

RESTART = 24
"""Characters from the beginning of the answer that, when they come again, show that the server began anew."""
MIN_OVERLAP = 12
"""Characters that must agree before a repetition is taken for one: shorter agreements are mere chance."""
MIN_WHOLE = 4
"""The same where all of the text so far comes again."""


def openai_ways(endpoint: Endpoint) -> tuple[Way, ...]:
    """The ways of an OpenAI-compatible server, the best first."""
    if endpoint.host.endswith(PREFIX_HOSTS):
        return Way.PREFIX, Way.ASK
    if endpoint.host.endswith(RESTARTING_HOSTS):
        return (Way.ASK,)
    return Way.CONTINUE, Way.TRAILING, Way.ASK


def refused_way(words: str) -> Way | None:
    """The way that an error message turns down."""
    return next((way for way, pattern in REFUSALS if pattern.search(words)), None)


def mid_sentence(text: str) -> bool:
    """True where what comes next shows whether it goes on: the text broke off within a sentence."""
    end = text.rstrip(" ")[-1:]
    return end.isalnum() or (end != "" and end in ",(-–—/'\"’")


def fits(before: str, text: str) -> bool:
    """False when `text` cannot be what follows a text that broke off within a sentence: it opens a new one.

    A server that drops the parameter begins another answer, with a capital letter or a heading.
    """
    return not mid_sentence(before) or not (text[:1].isupper() or text.startswith("#"))


class Join:
    """What comes after a break, joined to the text before it by the longest overlap.

    An exact way takes up the last character, so nothing is held back but the sign of a server that began anew: its
    text starts like the whole answer. Any other way may repeat words, which are left out once `MIN_OVERLAP` agree.
    """

    def __init__(self, before: str, way: Way) -> None:
        self.way = way
        self.dropped = 0
        """Characters of repetition left out."""
        self.restarted = False
        """The server has begun another answer: its text starts like the one before, then says something else."""
        self._before = before
        self._starts = [0] if way.exact else list(range(max(0, len(before) - 4000), len(before)))
        """Where in the text before a repetition may have begun, as far as what has come agrees with it."""
        self._held = ""
        self._joined = way is Way.STREAM or len(before) < (MIN_WHOLE if way.exact else 1)

    @property
    def joined(self) -> bool:
        return self._joined

    def feed(self, text: str) -> str:
        """The part of `text` that is new; empty while it still agrees with what is there."""
        if self._joined:
            return text
        self._held += text
        self._starts = [s for s in self._starts if self._agrees(s)]
        complete = [s for s in self._starts if len(self._before) - s <= len(self._held)]
        if complete and len(complete) == len(self._starts):
            return self._cut(len(self._before) - complete[0])
        if self._starts:
            return ""
        self.restarted = self._begins_anew()
        return "" if self.restarted else self._cut(0)

    def finish(self) -> str:
        """What was held back when the stream ended."""
        if self._joined:
            return ""
        whole = [len(self._before) - s for s in self._starts if len(self._before) - s <= len(self._held)]
        self.restarted = not whole and self.way is Way.CONTINUE and not fits(self._before, self._held)
        return "" if self.restarted else self._cut(whole[0] if whole else 0)

    def _begins_anew(self) -> bool:
        if self.way is Way.CONTINUE and not fits(self._before, self._held):
            return True
        return _common(self._before, self._held) >= RESTART

    def _agrees(self, start: int) -> bool:
        length = min(len(self._held), len(self._before) - start)
        return self._before.startswith(self._held[:length], start)

    def _cut(self, overlap: int) -> str:
        held, self._held, self._joined = self._held, "", True
        if overlap < min(MIN_OVERLAP, len(self._before)):
            # Where white space at the end was not sent along, as Claude wants it, the model writes it again.
            end = self._before[len(self._before.rstrip()) :]
            overlap = len(end) if self.way is Way.TRAILING and end and held.startswith(end) else 0
        self.dropped = overlap
        return held[overlap:]


def _common(one: str, other: str) -> int:
    """Characters that two texts have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
