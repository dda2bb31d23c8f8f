"""Conversations taken in: nothing lost from our own exports, nothing changed by a malformed file, nothing twice."""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile

from tests.kit.trees import stores
from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.folding import match
from tui_chat.store import export, imports
from tui_chat.store.database import Database
from tui_chat.store.library import Library
from tui_chat.wire import archive
from tui_chat.wire.forms import ConversationForm, NodeForm
from tui_chat.wire.order import END_OF_TIME

HEADER = '{"format":"tui-chat","version":1}\n'


@contextmanager
def empty_store() -> Iterator[Library]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "store.db")
        try:
            yield Library(database)
        finally:
            database.close()


@pytest.fixture
def library() -> Iterator[Library]:
    with empty_store() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], Path]:
    """A file with this content, JSON where it is no text."""

    def write(content: Any, name: str = "some.file") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def everything(library: Library) -> list[ConversationForm]:
    return [library.form(uid) for uid in library.every()]


def exported(library: Library, path: Path, *, lines: bool) -> list[bytes]:
    """The lines of an export of everything, without the time it was made."""
    export.write(library, library.every(), path, "json", lines=lines)
    return re.sub(rb'"at":"[^"]*"', b"", path.read_bytes(), count=1).split(b"\n")


def conversation(id: str, *turns: tuple[str, str | None, str, str], **more: Any) -> dict[str, Any]:
    """In the least shape of the contract."""
    nodes = [
        {"id": name, "parent": parent, "role": role, "text": text, "reasoning": None, "state": None, "attempts": []}
        for name, parent, role, text in turns
    ]
    return {"id": id, "title": f"title of {id}", "nodes": nodes, **more}


def whole(*conversations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format": "tui-chat", "version": 1, "conversations": list(conversations), **more}


def chatgpt(id: str, *texts: str, **more: Any) -> dict[str, Any]:
    """A conversation in which questions and answers follow each other."""
    mapping: dict[str, Any] = {}
    for place, text in enumerate(texts):
        message = {
            "author": {"role": "assistant" if place % 2 else "user"},
            "content": {"content_type": "text", "parts": [text]},
        }
        mapping[f"m{place}"] = {"message": message, "parent": f"m{place - 1}" if place else None, "children": []}
    return {"title": "T", "conversation_id": id, "mapping": mapping, "create_time": 1.7e9, **more}


# our own exports


@pytest.mark.parametrize("lines", [True, False])
@profile(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(forms=stores())
def test_an_export_into_an_empty_store_loses_nothing(lines: bool, forms: list[ConversationForm]) -> None:
    with empty_store() as one, empty_store() as other, tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "one.json"), Path(folder, "two.json")
        for form in forms:
            one.add(form)
        before = exported(one, first, lines=lines)
        report = imports.read(other, first)
        assert (report.new, report.updated, report.unchanged, report.skipped) == (len(forms), 0, 0, [])
        assert everything(other) == everything(one)
        assert exported(other, second, lines=lines) == before
        again = imports.read(other, second)
        assert (again.new, again.updated, again.unchanged, again.turns) == (0, 0, len(forms), 0)
        assert exported(other, second, lines=lines) == before


@profile(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(forms=stores(most=2))
def test_putting_in_and_taking_out_keeps_what_was_given(forms: list[ConversationForm]) -> None:
    with empty_store() as library:
        for form in forms:
            library.add(form)
            found = library.form(form.id)
            for name in form.__struct_fields__:
                if name != "nodes":
                    assert getattr(found, name) == getattr(form, name), name
            by_id = {node.id: node for node in found.nodes}
            for node in form.nodes:
                for name in ("parent", "role", "text", "reasoning", "state", "created", "in_chat", "model", "endpoint"):
                    assert getattr(by_id[node.id], name) == getattr(node, name), name
                assert len(by_id[node.id].attempts) == len(node.attempts)
                assert [a.settings for a in by_id[node.id].attempts] == [a.settings for a in node.attempts]
                result = by_id[node.id].result
                assert (result is None) == (node.result is None)
                if result is not None and node.result is not None:
                    assert result.figures.cost == node.result.figures.cost
                    assert result.figures.usage == node.result.figures.usage
                    assert (result.seams, result.place) == (node.result.seams, node.result.place)


def test_the_least_shape_of_the_contract_is_taken(library: Library, file: Callable[..., Path]) -> None:
    turns = [("a", None, "user", "hi"), ("b", "a", "assistant", "yes"), ("c", "a", "assistant", "no")]
    path = file(whole(conversation("x", *turns, in_chat=["a", "b"], more={"unknown": 1}), unknown=[1]))
    report = imports.read(library, path)
    assert (report.new, report.turns) == (1, 3)
    form = library.form("x")
    assert form.in_chat == ["a", "b"]
    assert [(n.id, n.parent, n.text, n.state) for n in form.nodes] == [
        ("a", None, "hi", None),
        ("b", "a", "yes", "completed"),
        ("c", "a", "no", "completed"),
    ]
    assert library.list()[0].title == "title of x"
    assert imports.read(library, path).unchanged == 1


def test_conversations_with_the_same_names_of_turns_stay_apart(library: Library, file: Callable[..., Path]) -> None:
    turns = [("1", None, "user", "hi"), ("2", "1", "assistant", "yes")]
    path = file(whole(*(conversation(id, *turns, in_chat=["1", "2"]) for id in ("x", "y", "z"))))
    assert imports.read(library, path).turns == 6
    for id in ("x", "y", "z"):
        form = library.form(id)
        assert [n.text for n in form.nodes] == ["hi", "yes"]
        assert form.in_chat == [n.id for n in form.nodes]
    assert imports.read(library, path).unchanged == 3


def test_turns_without_times_take_no_longer_the_more_there_are(library: Library, file: Callable[..., Path]) -> None:
    turns = [(f"t{n}", f"t{n - 1}" if n else None, "user", "x") for n in range(3000)]
    imports.read(library, file(whole(conversation("x", *turns))))
    created = [n.created for n in library.form("x").nodes]
    assert created == sorted(set(created))
    assert len(library.form("x").in_chat) == 3000


def test_a_conversation_that_has_gone_on_gets_the_new_turns(library: Library, file: Callable[..., Path]) -> None:
    imports.read(library, file([chatgpt("x", "q1", "a1", update_time=1.7e9)]))
    uid = next(library.every())
    report = imports.read(library, file([chatgpt("x", "q1", "a1", "q2", "a2", update_time=1.8e9), chatgpt("y", "q")]))
    assert (report.new, report.updated, report.unchanged, report.turns) == (1, 1, 0, 3)
    assert [n.text for n in library.load(uid).conversation.path()] == ["q1", "a1", "q2", "a2"]
    assert library.form(uid).updated == 1.8e9


def test_what_is_in_chat_here_stays_in_chat(library: Library, file: Callable[..., Path]) -> None:
    imports.read(library, file([chatgpt("x", "q1", "a1", "q2", "a2")]))
    uid = next(library.every())
    form = library.form(uid)
    own = NodeForm(id="own", parent=form.nodes[1].id, role="user", text="mine", created=1.75e9, in_chat=True)
    library.add(
        msgspec.structs.replace(form, nodes=[*form.nodes, own], in_chat=[form.nodes[0].id, form.nodes[1].id, "own"])
    )
    imports.read(library, file([chatgpt("x", "q1", "a1", "q2", "a2", "q3")]))
    assert [n.text for n in library.load(uid).conversation.path()] == ["q1", "a1", "q2", "a2", "q3"]


def test_a_deleted_conversation_comes_back(library: Library, file: Callable[..., Path]) -> None:
    path = file(whole(conversation("x", ("a", None, "user", "hi"))))
    imports.read(library, path)
    library.delete("x")
    library._database.flush(5)  # pyright: ignore[reportPrivateUsage]
    assert library.list() == []
    assert imports.read(library, path).new == 1
    assert [found.id for found in library.list()] == ["x"]


def test_what_is_imported_is_found(library: Library, file: Callable[..., Path]) -> None:
    imports.read(library, file([chatgpt("x", "Über Đà Nẵng", "answer")]))
    with library._database.reading() as c:  # pyright: ignore[reportPrivateUsage]
        assert c.execute("SELECT count(*) FROM search WHERE search MATCH ?", (match("uber"),)).fetchone() == (1,)


def test_a_bare_conversation_is_taken(library: Library, file: Callable[..., Path]) -> None:
    imports.read(library, file(conversation("x", ("a", None, "user", "hi"))))
    assert library.form("x").in_chat == ["a"]


# files that are refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", r"line 1, column 1: the file is empty"),
        ("hello", r"line 1, column 1: this is no JSON"),
        (b"\xff\xfe[\x00]\x00", r"not UTF-8"),
        ("{}", "is no export of tui-chat, ChatGPT or Claude"),
        ("[1, 2]", "is no export of"),
        ('{"format": "tui-chat-recording", "version": 1}\n', "is no export of"),
        ('{"format": "other", "version": 1, "conversations": [{"id": "x", "nodes": 1}]}', "is no export of"),
        ('{"format": "tui-chat", "version": "1", "conversations": []}', "is no export of"),
        ('{"format": "tui-chat", "version": 2, "conversations": [{"x": 1}]}', "has version 2 of the format.*knows 1"),
        ('{"conversations": [], "format": "tui-chat", "version": 2}', "has version 2"),
        ('{"format":"tui-chat","version":3}\n{}\n', "has version 3"),
        (HEADER + '{"id": "x", "nodes": []}\n{"id": 1}\n', r"line 3: Expected `str`, got `int`.*\$\.id"),
        (HEADER + '{"id": "x", "nodes": []}\n{"id": "y", "no', r"line 3: .*take out the line"),
        (HEADER + "[1]\n", r"line 2: Expected `object`"),
        (whole(conversation("x", ("a", None, "user", "hi")), {"id": "y"}, {"nodes": []}), r"column \d+: .*missing"),
        (whole(conversation("x", ("a", None, "user", "h"), ("a", None, "user", "h"))), "the turn a is there twice"),
        (whole(conversation("x", ("a", "b", "user", "h"))), "there is no turn b"),
        (whole(conversation("x", ("a", "b", "user", ""), ("b", "a", "user", ""))), "their own ancestors"),
        (whole(conversation("x", ("a", None, "user", ""), in_chat=["b"])), "the turn b does not follow"),
        (whole(conversation("x", ("a", None, "system", ""))), "Invalid enum value 'system'"),
        (whole(conversation("x\x1b[2J", ("a", None, "user", ""))), "cannot be an id"),
        (whole(conversation("", ("a", None, "user", ""))), "cannot be an id"),
        ('[{"title": "T", "mapping": {}},\n {"title" "T"}]', r"line 2, column 11: Expecting ':'"),
        ('[{"mapping": ' + "[" * 100_000, "nested too deep"),
    ],
)
def test_a_malformed_file_changes_nothing(library: Library, file: Callable[..., Path], content: Any, said: str) -> None:
    imports.read(library, file(whole(conversation("old", ("o", None, "user", "hi")))))
    before = everything(library)
    with pytest.raises(UsageError, match=said) as caught:
        imports.read(library, file(content, "bad.json"))
    assert "bad.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything(library) == before


def test_the_fault_may_stand_at_the_very_end(library: Library, file: Callable[..., Path]) -> None:
    good = [chatgpt(f"c{n}", "q", "a" * 5000) for n in range(300)]
    with pytest.raises(UsageError, match=r"line 1, column 1[0-9]{6}: something follows"):
        imports.read(library, file(json.dumps(good) + "]"))
    assert library.count() == 0


def test_other_paths_are_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.json cannot be read: No such file"):
        imports.read(library, tmp_path / "none.json")
    with pytest.raises(UsageError, match="is no ordinary file"):
        imports.read(library, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no ordinary file"):
        imports.read(library, tmp_path / "pipe")
    with pytest.raises(StoreError, match="cannot be read"):
        imports.read(library, tmp_path / "a\0b")


@pytest.mark.parametrize("usd", ['"NaN"', "1e999999", "-1e300", '"Infinity"'])
def test_a_cost_that_is_none_is_refused(library: Library, file: Callable[..., Path], usd: str) -> None:
    figures = '{"figures": {"cost": {"usd": USD}}, "state": "completed"}'.replace("USD", usd)
    node = f'{{"id": "a", "role": "assistant", "result": {figures}}}'
    with pytest.raises(UsageError, match="is no cost"):
        imports.read(library, file(HEADER + f'{{"id": "x", "nodes": [{node}]}}\n'))


@pytest.mark.parametrize("deep", [90, 300])
def test_a_nested_body_is_stored_or_refused(library: Library, file: Callable[..., Path], deep: int) -> None:
    body = '{"a":' * deep + "1" + "}" * deep
    path = file(HEADER + f'{{"id": "x", "draft": "d", "settings": {{"extra_body": {body}}}}}\n')
    if deep < archive.DEEPEST:
        imports.read(library, path)
        assert library.form("x").settings.extra_body == json.loads(body)
    else:
        with pytest.raises(UsageError, match="nested too deep"):
            imports.read(library, path)


@pytest.mark.parametrize("at", ["1e300", "-5", "1e15", "null"])
def test_times_that_no_calendar_knows_are_made_up(library: Library, file: Callable[..., Path], at: str) -> None:
    node = f'{{"id": "a", "role": "user", "text": "t", "created": {at}}}'
    imports.read(library, file(HEADER + f'{{"id": "x", "created": {at}, "updated": {at}, "nodes": [{node}]}}\n'))
    form = library.form("x")
    assert 1.7e9 < (form.created or 0) <= (form.updated or 0) < END_OF_TIME


def test_a_file_that_changes_in_between_is_told(
    library: Library, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(whole(conversation("x", ("a", None, "user", "h")), conversation("y", ("b", None, "user", "h"))))
    add = Library.add_soon

    def add_and_change(self: Library, form: ConversationForm) -> Any:
        path.write_text("[]")
        return add(self, form)

    monkeypatch.setattr(Library, "add_soon", add_and_change)
    with pytest.raises(StoreError, match=r"some\.file changed, or could not be read again; .* in: [12]\."):
        imports.read(library, path)


# other programs


def test_what_is_left_out_is_reported(library: Library, file: Callable[..., Path]) -> None:
    other = chatgpt("x", "q", "a")
    other["mapping"]["m1"]["message"]["author"]["role"] = "tool"
    claude = {"uuid": "c", "name": "C", "chat_messages": [{"uuid": "1", "sender": "human", "text": "hi"}]}
    report = imports.read(library, file([other, claude, {"strange": 1}, chatgpt("z")]))
    assert (report.new, report.turns) == (2, 2)
    assert report.skipped == [("T", "tool call or result"), ("line 1, column 447", "this is no conversation")]
    assert {form.source for form in everything(library)} == {"chatgpt", "claude"}


def test_the_list_of_what_is_left_out_is_capped(library: Library, file: Callable[..., Path]) -> None:
    report = imports.read(library, file([chatgpt("x", "q"), *[{"strange": n} for n in range(1000)]]))
    assert len(report.skipped) == imports.LISTED
    assert report.skipped_count == 1000


@pytest.mark.parametrize("name", ["conversations.json", "data/conversations.json", "conversations-001.json"])
def test_a_zip_is_opened(library: Library, tmp_path: Path, name: str) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archived:
        archived.writestr("chat.html", "<html>")
        archived.writestr(name, json.dumps([chatgpt("x", "q", "a")]))
    assert imports.read(library, path).new == 1
    assert imports.read(library, path).unchanged == 1


def test_a_zip_without_conversations_or_damaged_is_refused(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archived:
        archived.writestr("users.json", "[]")
    with pytest.raises(UsageError, match=r"holds no conversations\.json"):
        imports.read(library, path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archived:
        archived.writestr("conversations.json", json.dumps([chatgpt("x", os.urandom(3000).hex())]))
    data = bytearray(path.read_bytes())
    data[200:300] = os.urandom(100)
    for broken in (bytes(data), bytes(data[:500])):
        path.write_bytes(broken)
        with pytest.raises(UsageError, match=r"zip that cannot be read|line 1"):
            imports.read(library, path)
    assert library.count() == 0
