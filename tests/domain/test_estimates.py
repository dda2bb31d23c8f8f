"""Live estimates of tokens after a few replies, against what real tokenizers count.

The texts of tests/fixtures/estimates.json are such as models write; their tokens were counted with the vocabularies of
three tokenizers (o200k_base and cl100k_base of OpenAI, and that of Claude 2). The demo's own pieces are a fourth.
"""

from __future__ import annotations

import json
import statistics
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tui_chat.demo.tokens import pieces
from tui_chat.domain.events import Attempt, Completed, Connected, Ended, Stamped, Stopped, Text, Usage
from tui_chat.domain.meter import Meter
from tui_chat.store.learned import LearnedFacts

REPLIES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "estimates.json").read_text()
)
TOKENIZERS = ("o200k", "cl100k", "claude-2", "demo")
LESSONS = 3
CHUNK = 11
"""Characters of a chunk."""
MOST_ERROR = 0.08
MOST_OF_ONE = 0.12
"""In the median, for any one tokenizer."""


def counted(reply: dict[str, Any], tokenizer: str) -> int:
    return len(list(pieces(reply["text"]))) if tokenizer == "demo" else reply["tokens"][tokenizer]


def streamed(reply: dict[str, Any], tokenizer: str, facts: LearnedFacts) -> tuple[Meter, float]:
    """The meter of a whole reply, and the tokens that were shown just before the provider's count came."""
    text: str = reply["text"]
    meter = Meter(ratios=facts.ratios("e", "m"))
    events = [Attempt(1), Connected(200, None, None, None)]
    events += [Text(text[i : i + CHUNK]) for i in range(0, len(text), CHUNK)]
    for at, event in enumerate(events):
        meter.fold(Stamped("main", float(at), event))
    shown = meter.stats(len(events)).usage.output or 0
    for event in (Usage(input=1, output=counted(reply, tokenizer)), Stopped("stop"), Ended(Completed("stop"))):
        meter.fold(Stamped("main", float(len(events)), event))
    return meter, shown


def errors(kind: str, tokenizer: str) -> list[float]:
    """By how much the estimates of the other replies are off after each three of them were learned from."""
    replies, found = REPLIES[kind], list[float]()
    for lessons in permutations(range(len(replies)), LESSONS):
        facts = LearnedFacts()
        for place in lessons:
            lesson = streamed(replies[place], tokenizer, facts)[0].lesson()
            assert lesson is not None
            facts.learn_ratio("e", "m", lesson)
        others = [reply for place, reply in enumerate(replies) if place not in lessons]
        for reply in others:
            meter, shown = streamed(reply, tokenizer, facts)
            count = counted(reply, tokenizer)
            told = meter.stats(1e9).estimate
            assert told is not None
            assert told * count == pytest.approx(shown, abs=0.6), "what is told afterwards is what was shown"
            found.append(abs(told - 1))
    return found


@pytest.mark.parametrize("kind", REPLIES)
def test_after_three_replies_an_estimate_is_near(kind: str) -> None:
    """Where a tokenizer makes few tokens of a language, how many depends on what is talked about."""
    found = {tokenizer: errors(kind, tokenizer) for tokenizer in TOKENIZERS}
    assert statistics.median(error for each in found.values() for error in each) < MOST_ERROR
    assert all(statistics.median(each) < MOST_OF_ONE for each in found.values())


@pytest.mark.parametrize("kind", ["English", "code", "JSON"])
def test_of_english_and_code_it_is_near_whatever_the_tokenizer(kind: str) -> None:
    assert all(statistics.median(errors(kind, tokenizer)) < MOST_ERROR for tokenizer in TOKENIZERS)


@pytest.mark.parametrize("kind", ["Vietnamese", "Chinese"])
def test_learning_is_what_brings_it_near(kind: str) -> None:
    """Before it has learned a tokenizer that is far from what it begins with, the estimate is far off."""
    first = [streamed(reply, "cl100k", LearnedFacts())[0].stats(1e9).estimate or 0.0 for reply in REPLIES[kind]]
    assert statistics.median(abs(estimate - 1) for estimate in first) > 2 * MOST_ERROR
    assert statistics.median(errors(kind, "cl100k")) < MOST_ERROR
