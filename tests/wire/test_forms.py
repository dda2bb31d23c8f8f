"""Values of the domain as JSON, and back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from tests.kit import records
from tui_chat.domain.ask import Settings
from tui_chat.domain.conversation import Conversation, Node
from tui_chat.wire.forms import (
    AttemptForm,
    ConversationForm,
    NodeForm,
    ResultForm,
    SettingsForm,
    node_forms,
    runs_of,
    settings_of,
)

encode = msgspec.json.Encoder(decimal_format="number").encode


@given(records.results)
def test_a_result_comes_back(result):
    assert msgspec.json.decode(encode(ResultForm.of(result)), type=ResultForm).result() == result


@given(records.settings)
def test_settings_come_back(settings):
    assert settings_of(encode(SettingsForm.of(settings)).decode()) == settings


@pytest.mark.parametrize("text", ["", "{", "[]", '{"temperature": "hot"}'])
def test_damaged_settings_are_none(text):
    assert settings_of(text) == Settings()


@given(records.replies)
def test_a_reply_comes_back_with_its_tries(reply):
    form = msgspec.json.decode(encode(NodeForm.of(reply, in_chat=True)), type=NodeForm)
    assert form.node() == reply
    assert form.state == reply.result.phase.value


@given(records.runs)
def test_tries_are_gathered_under_their_runs(run):
    forms = AttemptForm.all_of([run])
    assert runs_of(msgspec.json.decode(encode(forms), type=list[AttemptForm])) == (run,)


def test_an_unknown_key_is_passed_over_and_a_missing_one_is_unknown():
    form = msgspec.json.decode(b'{"id": "a", "role": "assistant", "later": 1, "text": "hi"}', type=NodeForm)
    node = form.node()
    assert (node.text, node.endpoint, node.created) == ("hi", "", 0.0)
    assert node.result is not None
    assert (node.result.phase.value, node.result.cost.usd, node.result.stats.usage.output) == ("completed", None, None)


def test_a_reply_under_way_counts_as_interrupted():
    form = NodeForm.of(Node("a", None, "assistant", "so far"), in_chat=True)
    assert form.state == "interrupted"
    node = form.node()
    assert node.result is not None
    assert node.result.undecided


def test_halves_of_characters_are_no_text():
    node = NodeForm(id="a", role="user", text="a\ud800b").node()
    assert node.text == "a\ufffdb"


def tree() -> Conversation:
    made = Conversation()
    for id_, parent in (("a", None), ("b", "a"), ("c", "b"), ("d", "b"), ("e", None)):
        made.add(parent, "user", id_, id=id_)
    made.select("d")
    return made


def test_a_conversation_comes_back_with_what_is_in_chat():
    made = tree()
    form = ConversationForm(id="x", in_chat=[n.id for n in made.path()], nodes=node_forms(made))
    back = msgspec.json.decode(encode(form), type=ConversationForm).conversation()
    assert (back.nodes, back.children, back.chosen, back.head) == (made.nodes, made.children, made.chosen, "d")


def test_what_is_rewound_to_stays_the_head():
    made = tree()
    made.rewind("b")
    form = ConversationForm(id="x", in_chat=[n.id for n in made.path()], nodes=node_forms(made))
    assert form.conversation().head == "b"


NONSENSE = {
    "an id twice": ConversationForm(id="x", nodes=[NodeForm(id="a", role="user"), NodeForm(id="a", role="user")]),
    "a child before its parent": ConversationForm(
        id="x", nodes=[NodeForm(id="b", role="user", parent="a"), NodeForm(id="a", role="user")]
    ),
    "its own parent": ConversationForm(id="x", nodes=[NodeForm(id="a", role="user", parent="a")]),
    "a path beside the tree": ConversationForm(id="x", in_chat=["b"], nodes=[NodeForm(id="a", role="user")]),
    "a path with a hole": ConversationForm(
        id="x", in_chat=["b"], nodes=[NodeForm(id="a", role="user"), NodeForm(id="b", role="user", parent="a")]
    ),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_tree_that_makes_no_sense_is_refused(name):
    with pytest.raises(ValueError):
        NONSENSE[name].conversation()
