"""The JSON of exports: what is written is read again, and what is read is in order."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings

from tests.kit.trees import conversations
from tui_chat.domain.failure import UsageError
from tui_chat.wire import archive
from tui_chat.wire.forms import ConversationForm
from tui_chat.wire.order import Damaged

HEAD = archive.header(1_700_000_000.0, "1.2.3")
NOW = 1.75e9


def decoded(**values: object) -> ConversationForm:
    return archive.decode(json.dumps({"id": "x", **values}).encode(), NOW)


def node(id: str, parent: str | None = None, role: str = "user", **more: object) -> dict[str, object]:
    return {"id": id, "parent": parent, "role": role, **more}


def test_the_header_is_a_line_and_the_beginning_of_an_object() -> None:
    line = archive.header_line(HEAD)
    assert json.loads(line) == {"format": "tui-chat", "version": 1, "at": "2023-11-14T22:13:20Z", "program": "1.2.3"}
    assert line.endswith(b"\n")
    forms = [archive.encode(ConversationForm(id=name)) for name in ("x", "y")]
    whole = json.loads(archive.opening(HEAD) + archive.SEPARATOR.join(forms) + archive.CLOSING)
    assert [form["id"] for form in whole.pop("conversations")] == ["x", "y"]
    assert whole == json.loads(line)
    assert json.loads(archive.opening(HEAD) + archive.CLOSING)["conversations"] == []


def test_a_header_line_is_told_from_anything_else() -> None:
    assert archive.is_header_line(archive.header_line(HEAD))
    assert archive.is_header_line(b'{"format":"another","version":9}')
    for other in (b"", b"[", b'{"format":"tui-chat","version":1,"conversations":[', b'{"title":"x"}', b"[1]", b"\xff"):
        assert not archive.is_header_line(other)


@settings(max_examples=60, deadline=None)
@given(conversations())
def test_a_conversation_is_read_as_it_was_written(form: ConversationForm) -> None:
    assert archive.decode(archive.encode(form), NOW) == form


def test_the_keys_of_the_contract_are_there() -> None:
    written = json.loads(archive.encode(decoded(nodes=[node("a", role="assistant", attempts=[{"run": "r"}])])))
    assert {"id", "title", "in_chat", "nodes"} <= set(written)
    assert {"id", "parent", "role", "text", "reasoning", "state", "attempts"} <= set(written["nodes"][0])
    assert written["nodes"][0]["attempts"][0]["run"] == "r"


def test_money_stays_exact() -> None:
    usd = "0.1234567890123456789012345678"
    form = archive.decode(
        b'{"id":"x","nodes":[{"id":"a","role":"assistant","result":{"state":"completed","figures":{"cost":{"usd":%s}}}}]}'
        % usd.encode(),
        NOW,
    )
    assert form.nodes[0].result is not None
    assert form.nodes[0].result.figures.cost.usd == Decimal(usd)
    assert f'"usd":{usd}'.encode() in archive.encode(form)


def test_without_a_word_about_the_path_the_newest_is_in_chat() -> None:
    tree = [node("a"), node("b", "a", created=5.0), node("c", "b", created=6.0), node("d", "a", created=5.5)]
    assert decoded(nodes=tree).in_chat == ["a", "b", "c"]
    assert decoded(nodes=[*tree, node("e", "d", created=9.0)]).in_chat == ["a", "d", "e"]
    untimed = [{key: value for key, value in turn.items() if key != "created"} for turn in tree]
    assert decoded(nodes=untimed).in_chat == ["a", "d"]


def test_a_path_that_is_named_is_taken_and_the_newest_is_chosen_beside_it() -> None:
    tree = [node("a"), node("b", "a"), node("c", "a"), node("d", "b"), node("e", "b"), node("f", "c")]
    form = decoded(nodes=tree, in_chat=["a", "c"])
    assert form.in_chat == ["a", "c"]
    assert form.conversation().head == "c"
    assert form.conversation().chosen["b"] == "e"


def test_nothing_is_in_chat_where_a_file_says_so() -> None:
    form = decoded(nodes=[node("a", in_chat=False), node("b", "a", in_chat=False)], in_chat=[])
    assert form.in_chat == []
    assert form.conversation().head is None


def test_children_may_stand_before_their_parents() -> None:
    form = decoded(nodes=[node("c", "b"), node("b", "a"), node("a"), node("d", "a")])
    assert [turn.id for turn in form.nodes] == ["a", "b", "d", "c"]
    assert form.in_chat


def test_a_try_without_a_run_is_one_of_its_turn() -> None:
    form = decoded(nodes=[node("a", role="assistant", created=7.0, attempts=[{"state": "failed"}, {}])])
    assert [(attempt.run, attempt.began) for attempt in form.nodes[0].attempts] == [("a", 7.0), ("a", 7.0)]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({}, "f.json is no export"),
        ({"format": "tui-chat-recording", "version": 1}, "f.json is no export"),
        ({"format": "tui-chat"}, "f.json is no export"),
        ({"format": "tui-chat", "version": 0}, "f.json is no export"),
        ({"format": "tui-chat", "version": 2}, "f.json has version 2 of the format, this tui-chat knows 1"),
    ],
)
def test_other_formats_and_newer_versions_are_refused(head: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        archive.check(head, "f.json")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b'{"id":"x","nodes":1}', b'{"id":"\xff"}', b'{"id":"x","nodes":' + b"[" * 9999],
)
def test_what_is_no_conversation_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        archive.decode(data, NOW)
