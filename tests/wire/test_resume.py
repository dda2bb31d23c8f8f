"""Joining the rest of an answer to what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.ask import Way
from tui_chat.domain.endpoint import Endpoint
from tui_chat.wire.resume import MIN_OVERLAP, MIN_WHOLE, Join, fits, mid_sentence, openai_ways, refused_way

EXACT = [way for way in Way if way.exact]
INEXACT = [way for way in Way if not way.exact]
BEFORE = "The quick brown fox jumps over the la"

CASES = {
    "goes on mid-word": (Way.CONTINUE, BEFORE, "zy dog.", "zy dog.", 0),
    "a chance agreement stays": (Way.CONTINUE, "ha ha ha", "ha ha", "ha ha", 0),
    "an exact way that begins anew": (Way.CONTINUE, BEFORE, BEFORE + "zy dog.", "zy dog.", len(BEFORE)),
    "a short text that begins anew": (Way.CONTINUE, "half an", "half an hour", " hour", 7),
    "a kept stream is taken as it comes": (Way.STREAM, BEFORE, BEFORE, BEFORE, 0),
    "repeats its last words": (Way.ASK, BEFORE, "fox jumps over the lazy dog.", "zy dog.", 21),
    "repeats everything": (Way.TRAILING, BEFORE, BEFORE + "zy dog.", "zy dog.", len(BEFORE)),
    "repeats nothing": (Way.ASK, BEFORE, "zy dog.", "zy dog.", 0),
    "too short to be a repetition": (Way.ASK, BEFORE, "the la-di-da", "the la-di-da", 0),
    "ends inside a repetition": (Way.ASK, BEFORE, "fox jumps", "fox jumps", 0),
    "the longest overlap counts": (Way.ASK, "abcabcabcabcabcabc", "abcabcabcabcabcabcX", "X", 18),
    "white space at the end comes again": (Way.TRAILING, BEFORE + " \n", " \nzy dog.", "zy dog.", 2),
    "white space at the end does not come again": (Way.TRAILING, BEFORE + " ", "zy dog.", "zy dog.", 0),
    "nothing before": (Way.CONTINUE, "", "all of it", "all of it", 0),
}


def joined(before: str, way: Way, pieces: list[str]) -> tuple[str, int]:
    join = Join(before, way)
    text = "".join(join.feed(piece) for piece in pieces) + join.finish()
    return text, join.dropped


@pytest.mark.parametrize("name", CASES)
def test_join_however_the_text_is_cut(name: str) -> None:
    way, before, text, expected, dropped = CASES[name]
    for cut in range(len(text) + 1):
        assert joined(before, way, [text[:cut], text[cut:]]) == (expected, dropped)
    assert joined(before, way, list(text)) == (expected, dropped)


@given(st.sampled_from(EXACT), st.text(min_size=1), st.text(), st.data())
def test_an_exact_way_changes_no_text_that_does_not_begin_anew(
    way: Way, before: str, rest: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rest)))
    text, dropped = joined(before, way, [rest[:cut], rest[cut:]])
    new = way is Way.CONTINUE and not fits(before, rest)
    if way is Way.STREAM or len(before) < MIN_WHOLE or not (new or rest.startswith(before)):
        assert (text, dropped) == (rest, 0)


@given(st.sampled_from(INEXACT), st.text(min_size=MIN_OVERLAP + 5), st.integers(MIN_OVERLAP), st.text())
def test_a_repetition_is_left_out_once(way: Way, before: str, overlap: int, rest: str) -> None:
    overlap = min(overlap, len(before))
    text, dropped = joined(before, way, [before[-overlap:] + rest])
    assert dropped >= overlap
    assert (before[-overlap:] + rest)[dropped:] == text


WAYS = {
    "https://api.deepseek.com": (Way.PREFIX, Way.ASK),
    "https://api.mistral.ai/v1": (Way.PREFIX, Way.ASK),
    "https://api.openai.com/v1": (Way.ASK,),
    "http://127.0.0.1:8000/v1": (Way.CONTINUE, Way.TRAILING, Way.ASK),
    "https://gateway.example/v1": (Way.CONTINUE, Way.TRAILING, Way.ASK),
}


@pytest.mark.parametrize("url", WAYS)
def test_ways_of_a_host(url: str) -> None:
    assert openai_ways(Endpoint("x", url)) == WAYS[url]


REFUSED = {
    "Unrecognized request argument supplied: continue_final_message": Way.CONTINUE,
    "Extra inputs are not permitted: add_generation_prompt": Way.CONTINUE,
    "messages.2.prefix: Extra inputs are not permitted": Way.PREFIX,
    "This model does not support assistant message prefill; end with a user message.": Way.TRAILING,
    "Please ensure that the last turn is of role user": Way.TRAILING,
    "temperature is not supported": None,
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_a_refusal_speaks_of(words: str) -> None:
    assert refused_way(words) is REFUSED[words]


FITS = {
    ("goes like th", "e wind"): True,
    ("goes like", " the wind"): True,
    ("goes like th", "Here is another"): False,
    ("goes like th ", "Here is another"): False,
    ("goes like th", "# Another"): False,
    ("It is done.", "Here is another"): True,
    ("a line\n", "Next"): True,
    ("流式输出", "把长文本"): True,
}


@pytest.mark.parametrize(("before", "text"), FITS)
def test_what_can_follow_a_text_that_broke_off(before: str, text: str) -> None:
    assert fits(before, text) is FITS[before, text]


def test_an_answer_that_opens_anew_is_told_from_one_that_goes_on() -> None:
    join = Join("The first wording goes like th ", Way.CONTINUE)
    assert join.feed("Here is another wording.") == ""
    assert join.restarted


@pytest.mark.parametrize(("text", "within"), [("the ca", True), ("the cat,", True), ("the cat.", False), ("", False)])
def test_where_a_text_broke_off(text: str, within: bool) -> None:
    assert mid_sentence(text) is within
