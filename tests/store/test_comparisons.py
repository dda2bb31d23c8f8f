"""Comparisons on the disk: lanes, their replies, and what was said of them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.kit import DONE, HANG, Pause, Stage, cut, said, stopped, used
from tests.kit.desk import Desk, eventually, played, rows, shape, sound
from tests.kit.program import Program
from tests.kit.serving import demo_server
from tui_chat.domain.ask import Settings
from tui_chat.domain.draft import Phase
from tui_chat.domain.endpoint import Secret
from tui_chat.domain.failure import Kind
from tui_chat.domain.lane import Tally
from tui_chat.engine.comparison import Comparison, Pace
from tui_chat.engine.reply import Target
from tui_chat.engine.session import Session
from tui_chat.store.ids import new_id
from tui_chat.store.journal import Journal
from tui_chat.wire.forms import ConversationForm


def answer(*texts: str) -> list[Any]:
    steps: list[Any] = [step for text in texts for step in (Pause(0.5), said(text))]
    return [*steps, stopped(), used(10, 20), DONE]


def compared(desk: Desk, *scripts: Any, lanes: int = 2, **options: Any) -> tuple[Stage, Comparison, Journal]:
    stage = Stage(*scripts)
    engine = replace(stage.engine, new_id=new_id)
    session = Session(engine, Target(stage.endpoint, "chat", Settings(temperature=9.0)))
    journal = desk.journal(session)
    targets = [Target(stage.endpoint, f"m{n}", Settings(temperature=float(n))) for n in range(lanes)]
    return stage, Comparison(engine, session, targets, **options), journal


async def test_several_replies_of_one_conversation_at_once(desk: Desk) -> None:
    stage, comparison, journal = compared(desk, answer("a", "1"), answer("b", "2"), answer("c", "3"), lanes=3)
    comparison.submit("q")
    await played(stage.clock, comparison.session)
    desk.flush()
    stored = desk.library.load(journal.uid)
    assert shape(stored.conversation) == shape(comparison.session.conversation)
    assert [node.text for node in stored.conversation.nodes.values()] == ["q", "a1", "b2", "c3"]
    assert [node.text for node in stored.conversation.path()] == ["q", "a1"]
    assert (stored.model, stored.settings) == ("m0", Settings(temperature=0)), "the chat is with the lane in chat"
    lanes = list(comparison.lanes.values())
    assert desk.library.lanes(journal.uid) == [lane.record() for lane in lanes]
    runs = desk.rows("SELECT model, lane, repeat, owner FROM runs ORDER BY model")
    assert runs == [(f"m{n}", lane.id, 1, None) for n, lane in enumerate(lanes)]
    assert desk.rows("SELECT count(*) FROM pieces") == [(0,)]


async def test_pieces_of_all_lanes_are_on_the_disk_as_they_come(desk: Desk) -> None:
    scripts = [[said(f"{n}a "), Pause(1), said(f"{n}b "), HANG] for n in range(3)]
    stage, comparison, _ = compared(desk, *scripts, lanes=3)
    comparison.submit("q")
    await eventually(lambda: len(stage.transport.requests) == 3)
    await stage.clock.advance(1)
    desk.flush()
    pieces = desk.rows("SELECT r.model, p.text FROM pieces p JOIN runs r ON r.uid = p.run ORDER BY r.model, p.seq")
    texts = [(model, "".join(text for _, text in group)) for model, group in groupby(pieces, lambda row: row[0])]
    assert texts == [(f"m{n}", f"{n}a {n}b ") for n in range(3)]
    comparison.cancel()
    await played(stage.clock, comparison.session)


async def test_a_seam_in_one_lane_is_none_in_another(desk: Desk) -> None:
    broken = [said("one "), cut(Kind.RESET)]
    stage, comparison, journal = compared(desk, broken, answer("x", "y"), answer("two"))
    comparison.submit("q")
    await played(stage.clock, comparison.session)
    assert comparison.resume()
    await played(stage.clock, comparison.session)
    desk.flush()
    tree = desk.library.load(journal.uid).conversation
    assert shape(tree) == shape(comparison.session.conversation)
    assert [node.text for node in tree.nodes.values()] == ["q", "one two", "xy"]


async def test_killed_in_the_middle_every_lane_s_text_is_there(desk: Desk) -> None:
    """The program is gone: its instance lets go of its lock, and another one opens the store."""
    scripts = [[said(f"lane {n}"), HANG] for n in range(3)]
    stage, comparison, journal = compared(desk, *scripts, lanes=3, pace=Pace(repeat=2))
    comparison.submit("q")
    await eventually(lambda: len(stage.transport.requests) == 3)
    await stage.clock.settle()
    desk.flush()
    desk.instance.close()
    other = Desk(desk.path.parent).open()
    assert other.recover() == [journal.uid]
    tree = other.library.load(journal.uid).conversation
    replies = [node for node in tree.nodes.values() if node.role == "assistant"]
    assert sorted(node.text for node in replies) == ["lane 0", "lane 1", "lane 2"]
    assert {node.result.phase for node in replies if node.result} == {Phase.INTERRUPTED}
    assert tree.path()[-1].text == "lane 0"
    records = other.library.lanes(journal.uid)
    assert [tree.nodes[record.head or ""].text for record in records] == ["lane 0", "lane 1", "lane 2"]
    form = other.library.form(journal.uid)
    assert {(a.lane, a.repeat) for node in form.nodes for a in node.attempts} == {(r.id, 1) for r in records}
    # Whoever decides about the newest reply decides about the lanes beside it too.
    session = Session(stage.engine, comparison.session.target, tree)
    other.journal(session, journal.uid)
    assert session.keep()
    other.flush()
    assert other.rows("SELECT state FROM conversations") == [("cancelled",)]
    other.close()
    comparison.cancel()
    await played(stage.clock, comparison.session)


async def test_keep_is_on_the_disk(desk: Desk) -> None:
    stage, comparison, journal = compared(desk, answer("A"), answer("B"))
    comparison.submit("q")
    await played(stage.clock, comparison.session)
    assert comparison.keep(list(comparison.lanes)[1])
    desk.flush()
    stored = desk.library.load(journal.uid)
    assert [node.text for node in stored.conversation.path()] == ["q", "B"]
    assert (stored.endpoint, stored.model, stored.settings) == ("test", "m1", Settings(temperature=1.0))


async def test_votes_are_tallied_by_model_and_settings(desk: Desk) -> None:
    stage, comparison, journal = compared(desk, *(answer(str(n)) for n in range(4)))
    a, b = comparison.lanes
    for winners in ({a}, {a, b}):
        comparison.submit("q")
        await played(stage.clock, comparison.session)
        comparison.vote({b})
        comparison.vote(winners)
    tally = desk.library.tally()
    assert [(t.model, t.won, t.lost, t.tied, t.rounds) for t in tally] == [("m0", 1, 0, 1, 2), ("m1", 0, 1, 1, 2)]
    assert tally[0] == Tally("test", "m0", Settings(temperature=0.0), 1, 0, 1)
    desk.library.delete(journal.uid)
    assert desk.library.tally() == []


async def test_lanes_are_changed_and_annotated(desk: Desk) -> None:
    stage, comparison, journal = compared(desk, answer("A"), answer("B"))
    assert desk.library.lanes(journal.uid) == []
    assert desk.rows("SELECT count(*) FROM conversations") == [(0,)], "lanes alone make no conversation"
    comparison.submit("q")
    await played(stage.clock, comparison.session)
    a, b = comparison.lanes
    comparison.annotate(a, "dry, but right")
    comparison.sync(b, False)
    comparison.duplicate(a)
    comparison.remove(b)
    records = desk.library.lanes(journal.uid)
    assert [(r.label, r.note, r.synced) for r in records] == [("A", "dry, but right", True), ("C", "", True)]
    comparison.sync(a, False)
    assert [r.synced for r in desk.library.lanes(journal.uid)] == [False, True]


async def test_a_comparison_goes_round_through_a_file(desk: Desk, tmp_path: Path) -> None:
    stage, comparison, journal = compared(desk, *(answer(str(n)) for n in range(4)), pace=Pace(repeat=2))
    comparison.submit("q")
    await played(stage.clock, comparison.session)
    comparison.annotate(list(comparison.lanes)[1], "good")
    comparison.vote({list(comparison.lanes)[1]})
    form = desk.library.form(journal.uid)
    assert len(form.lanes or ()) == len(form.votes or ()) == 2
    other = Desk(tmp_path / "other").open()
    assert other.library.add(form)
    again = other.library.form(journal.uid)
    assert isinstance(again, ConversationForm)
    assert again == form
    assert other.library.lanes(journal.uid) == desk.library.lanes(journal.uid)
    assert not other.library.add(form), "all of it is there"
    other.close()


async def test_no_key_is_among_what_is_kept_of_a_lane(desk: Desk) -> None:
    key = "sk-test-3fA9dQ7Lx2"
    stage, comparison, journal = compared(desk, answer("A"), answer("B"))
    clean = Journal(
        desk.database, desk.instance, journal.uid, comparison.session.conversation, lambda s: replace(s, system="…")
    )
    comparison.session.listeners[0] = clean.hear
    first = next(iter(comparison.lanes.values()))
    comparison.edit(first.id, replace(first.target, settings=Settings(system=f"key {Secret(key).reveal()}")))
    comparison.submit("q")
    await played(stage.clock, comparison.session)
    comparison.vote({first.id})
    comparison.keep(first.id)
    desk.flush()
    for path in desk.path.parent.glob("*.db*"):
        assert key.encode() not in path.read_bytes()
    assert desk.library.lanes(journal.uid)[0].settings.system == "…"


def test_the_program_killed_in_the_middle_of_a_comparison(tmp_path: Path) -> None:
    program = Program(tmp_path)
    words = [f"word{n}" for n in range(2000)]
    with demo_server(1) as demo:
        program.env |= {"OPENAI_BASE_URL": demo.base_url, "OPENAI_API_KEY": "sk-none"}
        lanes = [part for t in (0, 1, 2) for part in ("--lane", f"openai/demo-fast temperature={t}")]
        process = program.start("compare", "echo " + " ".join(words), *lanes)
        path = program.data / "tui-chat.db"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if path.exists() and _pieces(path) == 3:
                break
            time.sleep(0.02)
        time.sleep(1.5)
        process.kill()
        process.communicate()
    desk = Desk(program.data).open()
    (uid,) = desk.recover()
    tree = desk.library.load(uid).conversation
    texts = [node.text for node in tree.nodes.values() if node.role == "assistant"]
    assert len(texts) == 3
    whole = " ".join(words)
    assert all(len(text) > 300 and whole.startswith(text.strip()) for text in texts), [len(t) for t in texts]
    assert [record.label for record in desk.library.lanes(uid)] == ["A", "B", "C"]
    assert desk.rows("SELECT count(*) FROM runs WHERE owner IS NOT NULL") == [(0,)]
    desk.close()
    assert sound(path)


def _pieces(path: Path) -> int:
    """Runs of which something has come; none before the file is ready."""
    with suppress(sqlite3.OperationalError):
        return rows(path, "SELECT count(DISTINCT run) FROM pieces")[0][0]
    return 0
