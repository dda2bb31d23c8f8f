"""Runs whose program is gone."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.kit import DONE, HANG, Pause, Stage, cut, said, stopped, thought, used
from tests.kit.desk import Desk, eventually, played, shape, sound
from tui_chat.domain.ask import Settings
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import Kind
from tui_chat.domain.pricing import CostSource, Price
from tui_chat.engine.reply import Target
from tui_chat.engine.session import Session
from tui_chat.store.ids import new_id
from tui_chat.store.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from tui_chat.store.journal import Journal

PRICE = Price(input=Decimal(1), output=Decimal(2))

UNDECIDED = (
    "UPDATE nodes SET state = 'interrupted', result = replace(result, '\"kept\":true', '\"kept\":false')"
    " WHERE role = 'assistant'"
)


def begun(
    desk: Desk, *scripts: Any, settings: Settings | None = None, **changes: Any
) -> tuple[Stage, Session, Journal]:
    stage = Stage(*scripts, **changes)
    target = Target(stage.endpoint, "m", settings or Settings(), lambda *_: PRICE)
    session = Session(replace(stage.engine, new_id=new_id), target)
    return stage, session, desk.journal(session)


def die(desk: Desk) -> None:
    """End as a kill has it: what is on the disk stays, and the lock is gone."""
    desk.flush()
    desk.database.close()
    desk.instance.close()


@pytest.fixture
def gone(tmp_path: Path) -> Desk:
    """A program that is going to die."""
    return Desk(tmp_path / "data").open()


async def test_a_reply_that_was_cut_short_is_interrupted_with_its_text(gone, desk):
    stage, session, journal = begun(gone, [thought("hm"), said("Hello "), Pause(1), said("world"), HANG])
    session.submit("hi")
    await eventually(lambda: stage.clock.pending and session.reply.draft.received)
    await stage.clock.advance(2)
    die(gone)
    assert desk.recover(PRICE) == [journal.uid]
    tree = desk.library.load(journal.uid).conversation
    question, reply = tree.path()
    assert (question.text, reply.text, reply.reasoning) == ("hi", "Hello world", "hm")
    assert reply.result is not None
    assert (reply.result.phase, reply.result.undecided) == (Phase.INTERRUPTED, True)
    (summary,) = desk.library.list()
    assert (summary.state, summary.turns) == ("interrupted", 2)
    assert desk.rows("SELECT count(*) FROM pieces") == [(0,)]
    assert desk.rows("SELECT count(*) FROM openings") == [(0,)]
    assert sound(desk.path)
    await session.close()


async def test_what_it_cost_is_estimated_and_counted(gone, desk):
    settings = Settings(system="s" * 400)
    stage, session, journal = begun(gone, [said("x" * 4000), HANG], settings=settings)
    session.submit("q" * 800)
    await eventually(lambda: stage.transport.being_read)
    await asyncio.sleep(0.01)
    die(gone)
    desk.recover(PRICE)
    node = desk.library.form(journal.uid).conversation().path()[-1]
    assert node.result is not None
    usage, cost = node.result.stats.usage, node.result.cost
    assert (usage.input, usage.output) == (300, 1000)
    assert (cost.usd, cost.source) == (Decimal(300 + 2 * 1000) / 1_000_000, CostSource.ESTIMATED)
    assert not node.result.stats.exact
    (run,) = node.runs
    assert (run.settings, run.model, len(run.attempts)) == (settings, "m", 1)
    assert (run.attempts[0].phase, run.attempts[0].cost) == (Phase.INTERRUPTED, cost)
    assert desk.library.list()[0].cost == cost.usd
    assert Ledger(desk.database).spent_since(session.reply.run.began - 900) == cost.usd, "it counts into the day"
    await session.close()


async def test_a_request_that_was_not_answered_costs_nothing_that_is_known(gone, desk):
    _, session, journal = begun(gone, [HANG])
    session.submit("hi")
    gone.flush()
    die(gone)
    desk.recover(PRICE)
    reply = desk.library.load(journal.uid).conversation.path()[-1]
    assert reply.result is not None
    assert (reply.text, reply.result.phase, reply.result.stats.usage.output) == ("", Phase.INTERRUPTED, None)
    await session.close()


async def test_a_reply_taken_up_again_keeps_what_it_had_before(gone, desk):
    stage, session, journal = begun(
        gone, [said("Hello beautiful "), cut(Kind.RESET)], [said("Hello beautiful world"), HANG]
    )
    session.submit("hi")
    await played(stage.clock, session)
    before = session.conversation.path()[-1].result
    assert before is not None
    assert session.resume()
    await eventually(lambda: stage.transport.being_read)
    for _ in range(20):
        await stage.clock.advance(0.5)
        await asyncio.sleep(0.001)
    assert session.reply is not None
    draft = session.reply.draft
    die(gone)
    desk.recover(PRICE)
    reply = desk.library.form(journal.uid).conversation().path()[-1]
    assert reply.result is not None
    assert (reply.text, list(reply.result.seams)) == (draft.text, draft.seams)
    assert [run.attempts[0].phase for run in reply.runs] == [Phase.FAILED, Phase.INTERRUPTED]
    assert before.cost.usd is not None
    assert reply.result.cost.usd is not None
    assert reply.result.cost.usd > before.cost.usd
    assert reply.result.stats.attempts >= before.stats.attempts
    await session.close()


async def test_taken_up_again_and_nothing_came(gone, desk):
    stage, session, journal = begun(gone, [said("Hello "), cut(Kind.RESET)], [HANG])
    session.submit("hi")
    await played(stage.clock, session)
    session.resume()
    gone.flush()
    die(gone)
    desk.recover()
    reply = desk.library.load(journal.uid).conversation.path()[-1]
    assert reply.result is not None
    assert (reply.text, reply.result.seams, reply.result.phase) == ("Hello ", (), Phase.INTERRUPTED)
    await session.close()


async def test_it_can_be_resumed_kept_and_discarded(gone, desk):
    stage, session, journal = begun(gone, [said("Hello "), HANG])
    session.submit("hi")
    await eventually(lambda: stage.transport.being_read)
    await asyncio.sleep(0.01)
    die(gone)
    desk.recover()
    rest = Stage([said("Hello world"), stopped(), used(1, 2), DONE])
    for decide, text, state in (
        ("keep", "Hello ", "cancelled"),
        ("discard", None, "cancelled"),
        ("resume", "Hello world", "completed"),
    ):
        found = desk.library.load(journal.uid).conversation
        if decide == "resume":
            found.select(next(n.id for n in found.nodes.values() if n.role == "assistant"))
        again = Session(replace(rest.engine, new_id=new_id), session.target, found)
        desk.journal(again, journal.uid)
        assert getattr(again, decide)(), decide
        await played(rest.clock, again)
        desk.flush()
        back = desk.library.load(journal.uid).conversation
        assert shape(back) == shape(again.conversation)
        assert ([n.text for n in back.path()][1:] or [None])[0] == text
        assert desk.library.list()[0].state == state
        assert again.undecided is None
        if decide == "keep":
            # So that it can be decided about once more.
            desk.do(lambda c: c.execute(UNDECIDED))
    await session.close()


async def test_another_program_at_work_is_left_alone(gone, desk):
    """Two side by side: each recovers, neither touches the other's run."""
    stage, session, journal = begun(gone, [said("Hello "), Pause(5), said("world"), stopped(), DONE])
    session.submit("hi")
    await eventually(lambda: stage.clock.pending and session.reply.draft.received)
    gone.flush()
    before = desk.rows("SELECT * FROM pieces")
    assert desk.recover() == []
    assert gone.recover() == []
    assert desk.rows("SELECT * FROM pieces") == before != []
    under_way = desk.library.load(journal.uid).conversation.path()[-1]
    assert (under_way.text, under_way.result) == ("", None)
    await played(stage.clock, session)
    gone.flush()
    assert desk.library.load(journal.uid).conversation.path()[-1].text == "Hello world"
    gone.close()


async def test_recovering_twice_changes_nothing(gone, desk):
    stage, session, journal = begun(gone, [said("Hello "), HANG])
    session.submit("hi")
    await eventually(lambda: stage.transport.being_read)
    await asyncio.sleep(0.01)
    die(gone)
    assert desk.recover(PRICE) == [journal.uid]
    first = shape(desk.library.load(journal.uid).conversation)
    assert desk.recover(PRICE) == [journal.uid]
    assert shape(desk.library.load(journal.uid).conversation) == first
    assert desk.rows("SELECT count(*) FROM attempts") == [(1,)]
    await session.close()


async def test_a_reply_in_a_deleted_conversation_is_closed_without_a_word(gone, desk):
    stage, session, journal = begun(gone, [said("Hello "), HANG])
    session.submit("hi")
    await eventually(lambda: stage.transport.being_read)
    gone.flush()
    desk.library.delete(journal.uid)
    die(gone)
    assert desk.recover() == []
    assert desk.rows("SELECT state FROM nodes WHERE role = 'assistant'") == [("interrupted",)]
    await session.close()


async def test_damaged_settings_of_a_run_are_no_obstacle(gone, desk):
    stage, session, journal = begun(gone, [said("Hello "), HANG])
    session.submit("hi")
    await eventually(lambda: stage.transport.being_read)
    gone.flush()
    gone.do(lambda c: c.execute("UPDATE runs SET settings = '{'"))
    die(gone)
    assert desk.recover() == [journal.uid]
    await session.close()


async def test_many_interrupted_runs_at_once(gone, desk):
    made = [begun(gone, [said(f"text {n}"), HANG]) for n in range(20)]
    for n, (_, session, _) in enumerate(made):
        session.submit(f"q{n}")
    for stage, _, _ in made:
        await eventually(lambda stage=stage: stage.transport.being_read)
    await asyncio.sleep(0.05)
    die(gone)
    assert sorted(desk.recover()) == sorted(journal.uid for _, _, journal in made)
    for n, (_, session, journal) in enumerate(made):
        assert desk.library.load(journal.uid).conversation.path()[-1].text == f"text {n}"
        await session.close()
