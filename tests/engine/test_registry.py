"""Sessions that outlive the screen that shows them."""

from __future__ import annotations

from tests.kit import DONE, HANG, Pause, Stage, refusal, said, stopped
from tui_chat.domain.draft import Phase
from tui_chat.engine.registry import Registry


def answer(text: str):
    return [Pause(1), said(text), stopped(), DONE]


async def test_a_reply_goes_on_unseen_and_its_session_is_let_go_at_its_end():
    stage = Stage(answer("A"))
    session = stage.session().session
    registry = Registry()
    registry.show("c", session)
    session.submit("a")
    registry.hide("c")
    assert registry.get("c") is session
    assert registry.busy == ["c"]
    await stage.clock.advance(2)
    assert session.conversation.path()[-1].text == "A"
    assert registry.get("c") is None
    assert registry.busy == []


async def test_what_is_shown_is_held():
    stage = Stage(answer("A"))
    session = stage.session().session
    registry = Registry()
    registry.show("c", session)
    session.submit("a")
    await stage.clock.advance(2)
    assert registry.get("c") is session
    registry.hide("c")
    assert registry.get("c") is None


async def test_queued_messages_are_answered_unseen():
    stage = Stage(answer("A"), answer("B"))
    held = stage.session()
    registry = Registry()
    registry.show("c", held.session)
    held.session.submit("a")
    held.session.submit("b")
    registry.hide("c")
    await stage.clock.advance(1.5)
    assert registry.get("c") is held.session
    await stage.clock.advance(2)
    assert [text for _, text in held.dialogue] == ["a", "A", "b", "B"]
    assert registry.get("c") is None


async def test_what_still_waits_behind_a_failure_is_held():
    stage = Stage(refusal(401))
    session = stage.session().session
    registry = Registry()
    registry.show("c", session)
    session.submit("a")
    session.submit("b")
    registry.hide("c")
    await stage.clock.advance(1)
    assert registry.get("c") is session
    session.take_back()
    assert registry.get("c") is None


async def test_shown_again_before_its_end():
    stage = Stage(answer("A"))
    session = stage.session().session
    registry = Registry()
    registry.show("c", session)
    session.submit("a")
    registry.hide("c")
    registry.show("c", session)
    await stage.clock.advance(2)
    assert registry.get("c") is session


async def test_closing_interrupts_every_reply():
    stage = Stage([said("A"), HANG], [said("B"), HANG])
    sessions = [stage.session().session, stage.session().session]
    registry = Registry()
    for name, session in zip("ab", sessions, strict=True):
        registry.show(name, session)
        session.submit(name)
    registry.hide("a")
    await stage.clock.settle()
    assert registry.busy == ["a", "b"]
    await registry.close()
    ends = [session.conversation.path()[-1] for session in sessions]
    assert [node.result.phase for node in ends if node.result] == [Phase.INTERRUPTED] * 2
    assert [node.text for node in ends] == ["A", "B"]
    assert registry.busy == []
    stage.assert_clean()


def test_nothing_is_known_of_what_was_never_shown():
    registry = Registry()
    registry.hide("c")
    assert registry.get("c") is None
