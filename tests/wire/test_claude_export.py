"""Claude's conversations: senders, blocks, attachments and branches; and nothing breaks it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.test_json_items import json_values
from tui_chat.wire import claude_export
from tui_chat.wire.foreign import Parsed
from tui_chat.wire.forms import ConversationForm

NOW = 1.75e9
ROOT = "00000000-0000-4000-8000-000000000000"


def parsed(*messages: Any, **more: Any) -> Parsed:
    value = {
        "uuid": "c",
        "name": "A name",
        "chat_messages": list(messages),
        "created_at": "2024-01-02T03:04:05Z",
        **more,
    }
    assert claude_export.is_conversation(value)
    return claude_export.parse(value, lambda name: name.rpartition(" ")[2], NOW)


def form_of(*messages: Any, **more: Any) -> ConversationForm:
    form = parsed(*messages, **more).form
    assert form is not None
    return form


def said(uuid: str, sender: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "sender": sender, "text": text, **more}


def shape(form: ConversationForm) -> list[tuple[str, str | None, str, str]]:
    return [(n.id, n.parent, n.role, n.text) for n in form.nodes]


def test_a_plain_conversation() -> None:
    form = form_of(
        said("q", "human", "Why?", created_at="2024-01-02T03:04:06.5+00:00"),
        said("a", "assistant", "old", content=[{"type": "text", "text": "Because."}, {"type": "text", "text": "So."}]),
        updated_at="2024-01-03T00:00:00.000000Z",
    )
    assert shape(form) == [("q", None, "user", "Why?"), ("a", "q", "assistant", "Because.\n\nSo.")]
    assert (form.id, form.title, form.titled, form.source) == ("c", "A name", True, "claude")
    assert (form.created, form.updated, form.in_chat) == (1704164645.0, 1704240000.0, ["q", "a"])
    assert form.nodes[0].created == 1704164646.5
    form.conversation()


def test_branches_by_their_parents() -> None:
    messages = [
        said("q", "human", "Q", parent_message_uuid=ROOT),
        said("a1", "assistant", "A1", parent_message_uuid="q"),
        said("a2", "assistant", "A2", parent_message_uuid="q"),
        said("q2", "human", "Q2", parent_message_uuid="a1"),
    ]
    form = form_of(*messages)
    assert [(n.id, n.parent) for n in form.nodes] == [("q", None), ("a1", "q"), ("a2", "q"), ("q2", "a1")]
    assert form.in_chat == ["q", "a1", "q2"]
    assert form_of(*messages, current_leaf_message_uuid="a2").in_chat == ["q", "a2"]


def test_thinking_tools_and_unknown_blocks() -> None:
    found = parsed(
        said("q", "human", "Q"),
        said(
            "a",
            "assistant",
            content=[
                {"type": "thinking", "thinking": "hm"},
                {"type": "tool_use", "name": "x"},
                {"type": "tool_result"},
                {"type": "text", "text": "A"},
                {"type": "hologram"},
            ],
        ),
    )
    assert found.form is not None
    assert (found.form.nodes[1].text, found.form.nodes[1].reasoning) == ("A", "hm")
    assert found.skipped == Counter({"tool call or result": 2, "content of the kind “hologram”": 1})


def test_attached_texts_are_kept_and_other_files_named() -> None:
    found = parsed(
        said(
            "q",
            "human",
            "Read this",
            attachments=[{"file_name": "a.txt", "extracted_content": "x ``` y ```` z"}, {"file_name": "b.bin"}],
            files=[{"file_name": "b.bin"}, {"file_name": "c.png"}],
        )
    )
    assert found.form is not None
    assert found.form.nodes[0].text == (
        "Read this\n\n[attached: a.txt]\n\n`````\nx ``` y ```` z\n`````\n\n"
        "[b.bin: not imported]\n\n[c.png: not imported]"
    )
    assert found.skipped == Counter({"content of the kind “file”": 2})


def test_empty_strange_and_repeated_messages() -> None:
    found = parsed(
        said("q", "human", "Q"),
        said("e", "assistant", "  "),
        said("q", "human", "again"),
        said("s", "narrator", "meanwhile"),
        said("q2", "human", "Q2"),
        17,
    )
    assert found.form is not None
    assert shape(found.form) == [("q", None, "user", "Q"), ("q2", "q", "user", "Q2")]
    assert found.skipped == Counter({"message that is there twice": 1, "message of the role “narrator”": 1})


def test_a_circle_is_left_out() -> None:
    found = parsed(
        said("a", "human", "A", parent_message_uuid="b"), said("b", "assistant", "B", parent_message_uuid="a")
    )
    assert found.form is None
    assert found.skipped == Counter({"message that is its own ancestor": 2})


keys = st.sampled_from(["uuid", "sender", "text", "content", "type", "attachments", "files", "parent_message_uuid"])
words = st.sampled_from(["human", "assistant", "text", "thinking", "m1", "m2", ROOT])
garbage = st.recursive(
    words | json_values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(garbage, max_size=4), garbage)
def test_no_shape_breaks_it(messages: list[Any], anything: Any) -> None:
    found = parsed(*messages, name=anything, created_at=anything, updated_at=anything, uuid=anything)
    if found.form is not None:
        assert found.form.conversation().nodes
