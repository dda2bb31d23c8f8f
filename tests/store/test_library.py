"""The conversations on the disk."""

from __future__ import annotations

import sqlite3
import time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.kit.desk import Desk, rows, shape, sound, until
from tui_chat.domain.ask import Settings
from tui_chat.domain.attempts import RunRecord
from tui_chat.domain.conversation import Conversation, Node, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import UsageError
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import Cost, CostSource
from tui_chat.store import library, nodes
from tui_chat.wire.forms import AttemptForm, ConversationForm, NodeForm, node_forms

NOW = 1_700_000_000.0


def tree(turns: int = 4, name: str = "t", text: str = "text") -> Conversation:
    """Questions and answers in a row."""
    made = Conversation()
    parent = None
    for n in range(turns):
        role = "user" if n % 2 == 0 else "assistant"
        node = Node(
            f"{name}{n}", parent, role, f"{text} {n} of {name}", created=NOW + n / 1000, model="m" if n % 2 else ""
        )
        if role == "assistant":
            node = replace(node, result=RESULT)
        made.graft(node)
        made.select(node.id)
        parent = node.id
    return made


TRY = AttemptForm(run="r1").record()
RESULT = NodeForm(id="x", role="assistant").node().result


def put(desk: Desk, uid: str, turns: int = 4, **more: Any) -> Conversation:
    made = tree(turns, f"{uid}-", more.pop("text", "text"))
    form = ConversationForm(
        id=uid,
        nodes=node_forms(made),
        in_chat=[node.id for node in made.path()],
        created=more.pop("created", NOW),
        updated=more.pop("updated", NOW),
        **more,
    )
    assert desk.library.add(form)
    return made


def ids(desk: Desk) -> list[str]:
    desk.flush()
    return [summary.id for summary in desk.library.list()]


# lists


def test_an_empty_store(desk):
    assert (desk.library.count(), desk.library.list(), desk.library.newest(), desk.library.unsent()) == (
        0,
        [],
        None,
        None,
    )
    assert desk.library.summary("none") is None
    assert list(desk.library.every()) == []
    assert desk.library.load("none").conversation.nodes == {}


def test_the_pinned_come_first_then_the_newest(desk):
    for n, uid in enumerate(("aaaa", "bbbb", "cccc")):
        put(desk, uid, updated=NOW + n)
    assert ids(desk) == ["cccc", "bbbb", "aaaa"]
    desk.library.pin("aaaa", True)
    assert ids(desk) == ["aaaa", "cccc", "bbbb"]
    assert desk.library.newest() == "cccc"
    assert [s.id for s in desk.library.list(1, 1)] == ["cccc"]
    desk.library.pin("aaaa", False)
    assert ids(desk) == ["cccc", "bbbb", "aaaa"]


def test_a_line_of_the_list(desk):
    put(desk, "aaaa", turns=6, title="What is it?")
    (summary,) = desk.library.list()
    assert (summary.title, summary.turns, summary.models, summary.state) == ("What is it?", 6, ("m",), "completed")
    assert desk.library.summary("aaaa") == summary
    desk.library.rename("aaaa", "A better \ud800 name")
    desk.flush()
    assert desk.library.list()[0].title == "A better \ufffd name"


def test_a_name_may_be_cut_short(desk):
    for uid in ("abcdef", "abcxyz", "abcdzz"):
        put(desk, uid)
    find = desk.library.find
    assert (find("abcdef"), find("abcx"), find("abcde")) == ("abcdef", "abcxyz", "abcdef")
    for name in ("abcd", "abc", "zzzz", "", "%", "abc_", "\ud800\ud800\ud800\ud800", "abcdef\x00"):
        with pytest.raises(UsageError):
            find(name)
    desk.library.delete("abcdzz")
    desk.flush()
    assert find("abcd") == "abcdef"
    with pytest.raises(UsageError):
        find("abcdzz")


def test_the_place_of_a_run(desk):
    made = tree(2, "aaaa-")
    run = RunRecord("r1", "e", "openai-chat", "m", Settings(), NOW, (TRY,))
    made.nodes["aaaa-1"] = replace(made.nodes["aaaa-1"], runs=(run,))
    desk.library.add(ConversationForm(id="aaaa", nodes=node_forms(made)))
    assert desk.library.place_of_run("r1") == ("aaaa", "aaaa-1")
    with pytest.raises(UsageError, match="no run"):
        desk.library.place_of_run("none")
    desk.library.delete("aaaa")
    desk.flush()
    with pytest.raises(UsageError, match="no run"):
        desk.library.place_of_run("r1")


# one conversation


def test_what_is_put_in_comes_out(desk):
    made = put(desk, "aaaa", title="T", draft="not sent", source="chatgpt", pinned=True)
    stored = desk.library.load("aaaa")
    assert shape(stored.conversation) == shape(made)
    assert (stored.title, stored.draft, stored.queue) == ("T", "not sent", ())
    form = desk.library.form("aaaa")
    assert (form.title, form.draft, form.source, form.pinned, form.created) == ("T", "not sent", "chatgpt", True, NOW)
    assert shape(form.conversation()) == shape(made)
    assert not desk.library.add(form), "all of it is there"
    with pytest.raises(UsageError):
        desk.library.form("none")


def test_what_is_missing_of_a_conversation_is_put_in(desk):
    put(desk, "aaaa", turns=4)
    longer = tree(8, "aaaa-")
    assert desk.library.add(
        ConversationForm(id="aaaa", nodes=node_forms(longer), in_chat=[n.id for n in longer.path()])
    )
    assert list(desk.library.load("aaaa").conversation.nodes) == list(longer.nodes)
    assert sound(desk.path)


def test_many_turns_of_one_moment_find_their_rows(desk):
    """Imported turns often bear the same time, or none."""
    made = Conversation()
    for n in range(3000):
        made.graft(Node(f"n{n}", f"n{n - 1}" if n else None, "user", "x"))
    began = time.process_time()
    desk.library.add(ConversationForm(id="aaaa", nodes=node_forms(made)))
    assert time.process_time() - began < 5
    assert list(desk.library.load("aaaa").conversation.nodes) == list(made.nodes)


def test_a_clock_set_back_between_question_and_answer(desk):
    made = Conversation()
    made.graft(Node("q", None, "user", "?", created=NOW))
    made.graft(Node("a", "q", "assistant", "!", created=NOW - 3600, result=RESULT))
    made.graft(Node("b", "a", "user", "??", created=NOW - 7200))
    made.select("b")
    desk.library.add(ConversationForm(id="aaaa", nodes=node_forms(made), in_chat=["q", "a", "b"]))
    back = desk.library.load("aaaa").conversation
    assert [node.id for node in back.path()] == ["q", "a", "b"]
    assert list(back.nodes) == ["q", "a", "b"], "parents first, as an export has them"
    desk.library.delete("aaaa")
    purge(desk)
    assert desk.rows("SELECT count(*) FROM nodes") == [(0,)]


def test_a_turn_whose_parent_is_lost_is_shown(desk):
    put(desk, "aaaa")
    with desk.database.reading():
        pass
    desk.do(
        lambda c: (
            c.execute("PRAGMA defer_foreign_keys = ON"),
            c.execute("UPDATE nodes SET parent = NULL WHERE uid = 'aaaa-2'"),
        )
    )
    assert set(desk.library.load("aaaa").conversation.nodes) == {f"aaaa-{n}" for n in range(4)}


def test_a_damaged_result_spares_the_rest(desk):
    put(desk, "aaaa")
    desk.do(lambda c: c.execute("UPDATE nodes SET result = '{' WHERE role = 'assistant'"))
    reply = desk.library.load("aaaa").conversation.path()[-1]
    assert reply.result is not None
    assert (reply.text, reply.result.phase.value) == ("text 3 of aaaa-", "completed")


def test_a_fork_holds_the_path_alone(desk):
    made = put(desk, "aaaa", turns=6, title="T")
    made.add("aaaa-1", "user", "beside", id="side")
    desk.library.add(ConversationForm(id="aaaa", nodes=node_forms(made)))
    copy = desk.library.fork("aaaa", "aaaa-3")
    forked = desk.library.load(copy)
    assert [n.text for n in forked.conversation.path()] == [f"text {n} of aaaa-" for n in range(4)]
    assert len(forked.conversation.nodes) == 4
    assert not set(forked.conversation.nodes) & set(made.nodes)
    assert forked.title == "T (fork)"
    assert ids(desk)[0] == copy
    assert len(desk.library.load("aaaa").conversation.nodes) == 7


def test_what_a_fork_holds_is_paid_for_once(desk):
    tree = Conversation()
    asked = tree.add(None, "user", "a", id="a", created=NOW)
    tree.add(asked.id, "assistant", "", id="b", created=NOW)
    paid = Result(Phase.COMPLETED, "stop", None, 0, Meter().stats(1.0), Cost(Decimal("0.5"), CostSource.REPORTED))
    tree.finish("b", "b", "", paid)
    desk.library.add(ConversationForm(id="aaaa", in_chat=["a", "b"], nodes=node_forms(tree)))
    copy = desk.library.fork("aaaa", "b")
    desk.flush()
    assert [desk.library.summary(uid).cost for uid in ("aaaa", copy)] == [Decimal("0.5"), None]


def test_every_conversation_oldest_first(desk):
    uids = [f"c{n:04}" for n in range(250)]
    for n, uid in enumerate(uids):
        put(desk, uid, turns=1, created=NOW + (n * 7) % 250)
    found = list(desk.library.every())
    assert sorted(found) == uids
    assert [desk.library.summary(uid).created for uid in found] == sorted(NOW + n for n in range(250))


# gone, and gone for good


def purge(desk: Desk) -> None:
    desk.flush()
    desk.library.purge(now=time.time() + library.KEPT_S + 1)
    until(lambda: desk.rows("SELECT count(*) FROM conversations WHERE deleted IS NOT NULL") == [(0,)])
    until(lambda: desk.rows("SELECT count(*) FROM facts WHERE name = 'merge'") == [(0,)])
    desk.flush()


def test_what_is_deleted_can_be_brought_back_for_a_week(desk):
    put(desk, "aaaa")
    put(desk, "bbbb")
    desk.library.delete("aaaa")
    assert ids(desk) == ["bbbb"]
    desk.library.purge(now=time.time() + library.KEPT_S - 60)
    desk.flush()
    desk.library.restore("aaaa")
    assert sorted(ids(desk)) == ["aaaa", "bbbb"]
    assert len(desk.library.load("aaaa").conversation.nodes) == 4


SECRET = "xylophonequartz"


def found_in_files(desk: Desk, word: str) -> list[str]:
    return [p.name for p in desk.path.parent.glob("tui-chat.db*") if word.encode() in p.read_bytes().lower()]


def test_nothing_of_what_was_purged_is_left_in_the_file(desk):
    for n in range(30):
        put(desk, f"keep{n}", text="plain words " * 40)
    put(desk, "gone", turns=40, text=f"{SECRET} " * 200)
    put(desk, "late", turns=2, text="other words")
    desk.flush()
    assert found_in_files(desk, SECRET)
    desk.library.delete("gone")
    purge(desk)
    desk.close()
    assert found_in_files(desk, SECRET) == []
    assert sound(desk.path)
    assert rows(desk.path, "SELECT count(*) FROM search WHERE search MATCH ?", SECRET) == [(0,)]
    assert rows(desk.path, "SELECT count(*) FROM search WHERE search MATCH '_plain'") == [(120,)]


def test_a_purge_cut_short_is_gone_on_with(desk, monkeypatch):
    put(desk, "gone", turns=40, text=f"{SECRET} " * 50)
    put(desk, "keep")
    desk.library.delete("gone")
    desk.flush()
    monkeypatch.setattr(library.Library, "_repeat", lambda self, op: self._database.write(op))
    purged = time.time() + library.KEPT_S + 1
    for _ in range(2):
        desk.library.purge(now=purged)
    desk.flush()
    desk.database.close()
    monkeypatch.undo()
    again = Desk(desk.path.parent).open()
    purge(again)
    again.close()
    assert found_in_files(desk, SECRET) == []


def test_a_conversation_of_many_turns_can_be_purged(desk):
    put(desk, "gone", turns=3000)
    desk.library.delete("gone")
    purge(desk)
    assert desk.rows("SELECT count(*) FROM nodes") == [(0,)]
    assert sound(desk.path)


def test_what_is_not_in_the_index_is_put_in(desk):
    put(desk, "aaaa", turns=130)
    desk.do(
        lambda c: (
            c.execute("INSERT INTO search (search) VALUES ('delete-all')"),
            c.execute("UPDATE nodes SET indexed = 0"),
        )
    )
    desk.library.reindex()
    until(lambda: desk.rows("SELECT count(*) FROM nodes WHERE indexed = 0") == [(0,)])
    assert desk.rows("SELECT count(*) FROM search WHERE search MATCH '_text'") == [(130,)]


# opened in several places


def test_others_who_show_it_are_named(desk):
    put(desk, "aaaa")
    put(desk, "bbbb")
    opened = desk.library.opened
    assert opened("aaaa", "one") == []
    assert opened("aaaa", "two") == ["one"]
    assert opened("aaaa", "two") == ["one"]
    assert opened("bbbb", "one") == []
    assert opened("aaaa", "two") == []
    assert opened("none", "one") == []


def test_a_locked_file_keeps_nobody_from_opening(desk, monkeypatch):
    monkeypatch.setattr(library, "WAIT_S", 0.1)
    put(desk, "aaaa")
    other = sqlite3.connect(desk.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert desk.library.opened("aaaa", "one") == []
    assert len(desk.library.load("aaaa").conversation.nodes) == 4
    assert time.monotonic() - began < 2
    other.execute("ROLLBACK")
    other.close()


# how it is done


class Spy:
    """Collects the plans of all statements that a library runs."""

    def __init__(self, desk: Desk) -> None:
        self.statements: list[str] = []
        with desk.database.reading() as c:
            c.set_trace_callback(self.statements.append)
        desk.do(lambda c: c.set_trace_callback(self.statements.append))

    def scans(self, desk: Desk) -> list[str]:
        """The steps that go through a whole table or a whole index without an order to follow."""
        found: list[str] = []
        for statement in set(self.statements):
            if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH", "INSERT")):
                with desk.database.reading() as c:
                    c.set_trace_callback(None)
                    steps = [step for *_, step in c.execute(f"EXPLAIN QUERY PLAN {statement}")]
                found += [
                    f"{step}: {statement}"
                    for step in steps
                    if step.startswith("SCAN") and not harmless(step, statement)
                ]
        return found


def harmless(step: str, statement: str) -> bool:
    """In the order of the list and up to its limit, or through what is small whatever the store holds."""
    ordered = "USING" in step and "LIMIT" in statement and "count(*)" not in statement
    return ordered or any(
        name in step for name in ("openings", "json_each", "SCAN p ", "learned", "facts", "CONSTANT", "up")
    )


def test_no_table_is_gone_through(desk):
    for n in range(20):
        put(desk, f"conv{n}")
    spy = Spy(desk)
    lib = desk.library
    lib.list(0, 50), lib.newest(), lib.unsent(), lib.find("conv1"), lib.load("conv3"), lib.form("conv3")
    lib.summary("conv4"), lib.opened("conv5", "one"), lib.fork("conv6", "conv6-2")
    with pytest.raises(UsageError):
        lib.find("convx")
    with pytest.raises(UsageError):
        lib.place_of_run("none")
    lib.rename("conv1", "x"), lib.pin("conv1", True), lib.delete("conv2")
    list(lib.every())
    lib.purge()
    lib.reindex()
    desk.recover()
    desk.flush()
    assert len(set(spy.statements)) > 30
    assert spy.scans(desk) == []


def make_many(desk: Desk, count: int) -> None:
    def op(c: sqlite3.Connection) -> None:
        c.executemany(
            "INSERT INTO conversations (uid, title, created, updated, turns) VALUES (?, ?, ?, ?, 2)",
            [(f"c{n:08}", f"title {n}", NOW + n, NOW + (n * 7919) % count) for n in range(count)],
        )

    desk.do(op)


def best(work, times: int = 15) -> float:
    """Seconds of the processor that one call takes at best."""
    spans = []
    for _ in range(times):
        began = time.thread_time()
        work()
        spans.append(time.thread_time() - began)
    return min(spans)


def test_a_page_of_the_list_is_quick_among_ten_thousand(desk):
    make_many(desk, 10_000)
    assert best(lambda: desk.library.list(0, 50)) < 0.005
    assert best(lambda: desk.library.newest()) < 0.001
    assert best(lambda: desk.library.find("c00001234")) < 0.001


def test_two_thousand_turns_are_read_quickly(desk):
    put(desk, "aaaa", turns=2000, text="words " * 100)
    spent = best(lambda: desk.library.load("aaaa"), 5)
    print(f"2,000 turns in {spent * 1000:.1f} ms")
    assert spent < 0.06


def test_a_row_of_an_answer_is_found_again(desk):
    put(desk, "aaaa")
    with desk.database.reading() as c:
        row = nodes.row_of(c, "aaaa-1")
        assert row is not None
        assert nodes.node_at(c, row).text == "text 1 of aaaa-"


@pytest.mark.parametrize(("sources", "estimated"), [("computed", False), ("computed estimated", True)])
def test_a_sum_says_when_a_part_of_it_is_estimated(desk, sources, estimated):
    tree, parent = Conversation(), None
    for n, source in enumerate(sources.split()):
        asked = tree.add(parent, "user", "a", id=f"q{n}", created=NOW + n)
        parent = tree.add(asked.id, "assistant", "", id=f"a{n}", created=NOW + n).id
        cost = Cost(Decimal("0.5"), CostSource(source))
        tree.finish(parent, "b", "", Result(Phase.COMPLETED, "stop", None, 0, Meter().stats(1.0), cost))
    desk.library.add(ConversationForm(id="aaaa", nodes=node_forms(tree)))
    assert desk.library.summary("aaaa").estimated is estimated
