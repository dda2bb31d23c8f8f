"""The tree of turns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_chat.domain.ask import Message
from tui_chat.domain.conversation import Conversation, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import UNKNOWN

RESULT = Result(Phase.COMPLETED, "stop", None, 0, Meter().stats(1.0), UNKNOWN)


def ids(conversation: Conversation, node_id: str | None = None) -> str:
    return " ".join(node.id for node in conversation.path(node_id))


def chat() -> Conversation:
    """n1 asks; n2 and its retry n3 answer; n4 asks below n2, n5 answers; n6 is an edit of n1."""
    conversation = Conversation()
    question = conversation.add(None, "user", "q")
    first = conversation.add(question.id, "assistant", "a1")
    conversation.add(question.id, "assistant", "a2")
    below = conversation.add(first.id, "user", "more")
    conversation.add(below.id, "assistant", "a3", endpoint="work", model="m")
    conversation.add(None, "user", "q, edited")
    return conversation


def test_nothing_said() -> None:
    conversation = Conversation()
    assert conversation.path() == []
    assert conversation.head is None


def test_a_new_node_is_in_chat() -> None:
    conversation = chat()
    assert ids(conversation) == "n6"
    assert conversation.nodes["n5"].endpoint == "work"
    assert conversation.nodes["n5"].result is None


SELECTED = {
    "n1": "n1 n2 n4 n5",
    "n2": "n1 n2 n4 n5",
    "n3": "n1 n3",
    "n4": "n1 n2 n4 n5",
    "n5": "n1 n2 n4 n5",
    "n6": "n6",
}


@pytest.mark.parametrize("node", SELECTED)
def test_selecting_goes_on_to_what_was_last_in_chat_below(node: str) -> None:
    conversation = chat()
    conversation.select(node)
    assert ids(conversation) == SELECTED[node]
    assert all(conversation.chosen[n.parent] == n.id for n in conversation.path())


def test_walking_away_and_back_finds_the_old_continuation() -> None:
    conversation = chat()
    conversation.select("n5")
    conversation.select("n3")
    conversation.select("n2")
    assert ids(conversation) == "n1 n2 n4 n5"


SIBLINGS = {
    "n1": ((1, 2), None, "n6"),
    "n2": ((1, 2), None, "n3"),
    "n3": ((2, 2), "n2", None),
    "n4": ((1, 1), None, None),
    "n6": ((2, 2), "n1", None),
}


@pytest.mark.parametrize("node", SIBLINGS)
def test_siblings(node: str) -> None:
    conversation = chat()
    place, before, after = SIBLINGS[node]
    assert conversation.siblings(node) == place
    assert conversation.sibling(node, -1) == before
    assert conversation.sibling(node, 1) == after
    assert conversation.sibling(node, 0) == node


def test_rewinding_keeps_the_tree_and_ends_the_path() -> None:
    conversation = chat()
    conversation.select("n5")
    conversation.rewind("n2")
    assert ids(conversation) == "n1 n2"
    conversation.select("n1")
    assert ids(conversation) == "n1 n2"
    conversation.rewind(None)
    assert conversation.path() == []
    assert len(conversation.nodes) == 6


def test_the_path_to_any_node() -> None:
    conversation = chat()
    assert ids(conversation, "n4") == "n1 n2 n4"
    assert ids(conversation) == "n6"


def test_messages_leave_out_empty_turns() -> None:
    conversation = Conversation()
    first = conversation.add(None, "user", "a")
    empty = conversation.add(first.id, "assistant", " \n")
    last = conversation.add(empty.id, "user", "b")
    assert conversation.messages(last.id) == (Message("user", "a"), Message("user", "b"))


def test_finishing_fills_in_the_reply_where_it_stands() -> None:
    conversation = chat()
    node = conversation.finish("n3", "text", "hm", RESULT)
    assert conversation.nodes["n3"] is node
    assert (node.text, node.reasoning, node.result, node.parent) == ("text", "hm", RESULT, "n1")
    assert conversation.children["n1"] == ["n2", "n3"]
    assert ids(conversation) == "n6", "what is in chat does not change"


def test_nodes_do_not_change() -> None:
    with pytest.raises(AttributeError):
        chat().nodes["n1"].text = "x"  # pyright: ignore[reportAttributeAccessIssue]


@given(st.lists(st.tuples(st.sampled_from(["add", "select", "rewind"]), st.integers(0, 30)), max_size=30))
def test_the_tree_only_grows_and_the_path_holds_together(steps: list[tuple[str, int]]) -> None:
    conversation = Conversation()
    for what, number in steps:
        before = dict(conversation.nodes)
        known = [None, *conversation.nodes]
        node = known[number % len(known)]
        if what == "add":
            added = conversation.add(node, "user", "x")
            assert conversation.head == added.id
            assert added.id not in before
        elif what == "rewind":
            conversation.rewind(node)
            assert conversation.head == node
        elif node is not None:
            conversation.select(node)
            assert node in ids(conversation).split()
        path = conversation.path()
        assert all(below.parent == above.id for above, below in pairwise(path))
        assert not path or path[0].parent is None
        assert before.items() <= conversation.nodes.items()
        assert sorted(conversation.nodes) == sorted(i for family in conversation.children.values() for i in family)
