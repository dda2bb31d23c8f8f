"""ChatGPT's conversations: which messages become turns, what hangs below what is left out, and nothing breaks it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.test_json_items import json_values
from tui_chat.wire import chatgpt
from tui_chat.wire.foreign import Parsed
from tui_chat.wire.forms import ConversationForm, NodeForm

NOW = 1.75e9
T0 = 1.7e9


def parsed(mapping: dict[str, Any], **more: Any) -> Parsed:
    value = {"title": "A title", "conversation_id": "c", "mapping": mapping, "create_time": T0, **more}
    assert chatgpt.is_conversation(value)
    return chatgpt.parse(value, lambda name: name.rpartition(" ")[2], NOW)


def form_of(mapping: dict[str, Any], **more: Any) -> ConversationForm:
    form = parsed(mapping, **more).form
    assert form is not None
    return form


def node(parent: str | None, role: str = "user", *parts: Any, **more: Any) -> dict[str, Any]:
    content = more.pop("content", {"content_type": "text", "parts": list(parts)})
    message = {"author": {"role": role}, "content": content, "create_time": None, **more}
    return {"message": message, "parent": parent, "children": []}


def empty(parent: str | None, *children: str) -> dict[str, Any]:
    return {"message": None, "parent": parent, "children": list(children)}


def shape(form: ConversationForm) -> list[tuple[str, str | None, str, str]]:
    return [(n.id, n.parent, n.role, n.text) for n in form.nodes]


def by_id(form: ConversationForm) -> dict[str, NodeForm]:
    return {n.id: n for n in form.nodes}


def test_a_plain_conversation() -> None:
    form = form_of(
        {
            "root": empty(None, "s"),
            "s": node("root", "system", ""),
            "q": node("s", "user", "Why?", create_time=T0 + 1),
            "a": node("q", "assistant", "Because.", create_time=T0 + 2, metadata={"model_slug": "gpt-4o"}),
        },
        current_node="a",
        update_time=T0 + 9,
    )
    assert shape(form) == [("q", None, "user", "Why?"), ("a", "q", "assistant", "Because.")]
    assert (form.id, form.title, form.titled, form.source) == ("c", "A title", True, "chatgpt")
    assert (form.created, form.updated, form.in_chat) == (T0, T0 + 9, ["q", "a"])
    question, answer = form.nodes
    assert (question.state, question.model, question.created) == (None, None, T0 + 1)
    assert (answer.state, answer.model, answer.created) == ("completed", "gpt-4o", T0 + 2)
    form.conversation()


def test_branches_and_the_path_in_chat() -> None:
    mapping = {
        "q": node(None, "user", "Q") | {"children": ["a2", "a1"]},
        "a1": node("q", "assistant", "A1"),
        "a2": node("q", "assistant", "A2"),
        "q2": node("a1", "user", "Q2"),
        "old": node("a2", "user", "later"),
    }
    form = form_of(mapping, current_node="q2")
    assert form.in_chat == ["q", "a1", "q2"]
    assert [n.id for n in form.nodes if n.parent == "q"] == ["a2", "a1"]
    assert by_id(form)["old"].in_chat
    assert form_of(mapping, current_node="q").in_chat == ["q"]
    assert form_of(mapping, current_node="nowhere").in_chat[-1] in ("old", "q2")


def test_what_is_no_turn_is_left_out_and_its_children_move_up() -> None:
    found = parsed(
        {
            "sys": node(None, "system", "Be kind."),
            "ctx": node("sys", "user", content={"content_type": "user_editable_context", "user_profile": "I am"}),
            "hid": node("ctx", "user", "x", metadata={"is_visually_hidden_from_conversation": True}),
            "q": node("hid", "user", "Q"),
            "call": node("q", "assistant", content={"content_type": "code", "text": "search()"}, recipient="browser"),
            "tool": node("call", "tool", content={"content_type": "execution_output", "text": "42"}),
            "odd": node("tool", "critic", "hm"),
            "new": node("odd", "assistant", content={"content_type": "holograms", "x": 1}),
            "a": node("new", "assistant", "A"),
        },
        current_node="a",
    )
    assert found.form is not None
    assert shape(found.form) == [("q", None, "user", "Q"), ("a", "q", "assistant", "A")]
    assert found.form.in_chat == ["q", "a"]
    assert found.skipped == Counter(
        {
            "system message": 1,
            "hidden message (instructions, memory)": 2,
            "tool call or result": 2,
            "message of the role “critic”": 1,
            "content of the kind “holograms”": 1,
        }
    )


def test_thoughts_become_the_reasoning_of_the_answer() -> None:
    thoughts = [{"summary": "S", "content": "first"}, {"summary": "only a summary", "content": ""}]
    form = form_of(
        {
            "q": node(None, "user", "Q"),
            "t": node("q", "assistant", content={"content_type": "thoughts", "thoughts": thoughts}),
            "r": node("t", "assistant", content={"content_type": "reasoning_recap", "content": "Thought for 3 s"}),
            "a": node("r", "assistant", "A"),
        },
        current_node="a",
    )
    assert shape(form) == [("q", None, "user", "Q"), ("a", "q", "assistant", "A")]
    assert form.nodes[1].reasoning == "first\n\nonly a summary"


def test_an_answer_in_several_parts_is_one_turn_and_a_branch_in_it_stays() -> None:
    mapping = {
        "q": node(None, "user", "Q"),
        "a1": node("q", "assistant", "I will look.", create_time=T0 + 5),
        "tool": node("a1", "tool", "x"),
        "a2": node("tool", "assistant", "Found.", metadata={"model_slug": "m"}, create_time=T0 + 8),
        "q2": node("a2", "user", "Q2"),
    }
    form = form_of(mapping, current_node="a1")
    assert shape(form) == [
        ("q", None, "user", "Q"),
        ("a2", "q", "assistant", "I will look.\n\nFound."),
        ("q2", "a2", "user", "Q2"),
    ]
    assert form.in_chat == ["q", "a2"]
    assert form.nodes[1].created == T0 + 5
    branched = form_of(mapping | {"b2": node("tool", "assistant", "Other.")})
    assert [n.parent for n in branched.nodes if n.id in ("a2", "b2")] == ["a1", "a1"]


def test_images_and_sounds_leave_a_word_behind() -> None:
    parts = [
        {"content_type": "image_asset_pointer", "asset_pointer": "file://x"},
        "What is this?",
        {"content_type": "audio_transcription", "text": "spoken"},
    ]
    found = parsed({"q": node(None, content={"content_type": "multimodal_text", "parts": parts})})
    assert found.form is not None
    assert found.form.nodes[0].text == "[image: not imported]\n\nWhat is this?\n\nspoken"
    assert found.skipped == Counter({"content of the kind “image”": 1})


def test_code_is_fenced_so_that_nothing_ends_it() -> None:
    code = {"content_type": "code", "language": "python", "text": "s = '```'\n"}
    form = form_of({"a": node(None, "assistant", content=code)})
    assert form.nodes[0].text == "````python\ns = '```'\n\n````"


def test_marks_of_search_results_are_taken_out() -> None:
    found = parsed({"a": node(None, "assistant", "So it is\ue200cite\ue202turn0search1\ue201.")})
    assert found.form is not None
    assert found.form.nodes[0].text == "So it is."
    assert found.skipped == Counter({"reference to a search result": 1})


def test_how_an_answer_ended() -> None:
    def ended(**more: Any) -> tuple[str | None, str | None]:
        answer = form_of({"a": node(None, "assistant", "A", **more)}).nodes[0]
        assert answer.result is not None
        return answer.state, answer.result.finish_reason

    assert ended(status="finished_successfully") == ("completed", None)
    assert ended(status="in_progress") == ("cancelled", None)
    assert ended(metadata={"finish_details": {"type": "interrupted"}}) == ("cancelled", None)
    assert ended(metadata={"finish_details": {"type": "max_tokens"}}) == ("completed", "length")


def test_circles_and_missing_parents() -> None:
    mapping = {
        "lost": node("nowhere", "user", "still here"),
        "x": node("y", "user", "X"),
        "y": node("x", "assistant", "Y"),
        "self": node("self", "user", "me"),
        "below": node("self", "user", "too"),
    }
    found = parsed(mapping, current_node="y")
    assert found.form is not None
    assert shape(found.form) == [("lost", None, "user", "still here")]
    assert found.skipped == Counter({"message that is its own ancestor": 4})
    assert found.form.in_chat == ["lost"]


def test_a_conversation_of_which_nothing_is_left_is_none() -> None:
    assert parsed({"root": empty(None)}).form is None
    assert parsed({}).form is None


def test_times_are_made_up_where_there_are_none() -> None:
    mapping = {f"m{n}": node(f"m{n - 1}", "user", "x") for n in range(5)}
    form = form_of(mapping, create_time="nonsense", update_time=float("inf"))
    assert [n.created for n in form.nodes] == sorted({n.created or 0.0 for n in form.nodes})
    assert NOW <= (form.created or 0) <= (form.updated or 0) < NOW + 1


def test_without_a_title_the_first_words_are_one() -> None:
    form = form_of({"q": node(None, "user", "# Why is it\nso")}, title=None)
    assert (form.title, form.titled) == ("Why is it", False)


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    form = form_of(
        {"q": node(None, "user", "a\ud83d b"), "a": node("q", "assistant", "x", metadata={"model_slug": "\udc00"})},
        title="\ud800",
    )
    assert "\ud83d" not in form.nodes[0].text
    assert (form.title, form.nodes[1].model) == ("�", "�")


def test_names_do_not_depend_on_order_or_company() -> None:
    one = {"q": node(None, "user", "Q"), "a": node("q", "assistant", "A")}
    more = {"z": node("a", "user", "Z"), **dict(reversed(one.items()))}
    assert {n.id for n in form_of(one).nodes} < {n.id for n in form_of(more).nodes}


def test_a_very_long_chain_is_no_trouble() -> None:
    mapping = {f"m{n}": node(f"m{n - 1}", "assistant", "x") for n in range(30_000)}
    assert len(form_of(mapping).nodes) == 1


keys = st.sampled_from(
    ["message", "parent", "children", "author", "role", "content", "content_type", "parts", "metadata"]
)
words = st.sampled_from(["user", "assistant", "tool", "text", "multimodal_text", "code", "thoughts", "all", "m1", "m2"])
garbage = st.recursive(
    words | json_values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5)
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["m1", "m2", "m3"]), garbage, max_size=3), garbage, garbage)
def test_no_shape_breaks_it(mapping: dict[str, Any], title: Any, time: Any) -> None:
    found = parsed(mapping, title=title, create_time=time, current_node=title, update_time=time, conversation_id=time)
    if found.form is not None:
        assert found.form.conversation().nodes
