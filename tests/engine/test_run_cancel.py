"""Cancelled at every await, in every way: one Ended, nothing after it, nothing left open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.kit import (
    DONE,
    HANG,
    Head,
    Pause,
    Script,
    Stage,
    cut,
    models,
    refusal,
    said,
    stopped,
    thought,
    ticks,
    used,
)
from tui_chat.domain.endpoint import RetryPolicy, Secret, Timeouts
from tui_chat.domain.events import Cancelled, Completed, Failed
from tui_chat.domain.failure import Kind, failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.events import Outcome
    from tui_chat.engine.run import Run

AT_ONCE = RetryPolicy(4, 0.0, 0.0)
SUCCESS: Script = [thought("hm"), said("Hello"), said(" world"), stopped(), used(1, 2), DONE]
REFUSES = refusal(400, "Unrecognized request argument: stream_options", param="stream_options")
SCENES: dict[str, list[Script]] = {
    "success": [SUCCESS],
    "slow success": [[Pause(1), Head(), Pause(1), *SUCCESS, Pause(0.05)]],
    "end left open": [[said("x"), stopped(), HANG]],
    "done left open": [[said("x"), DONE, HANG]],
    "retry at once": [refusal(503), [cut()], refusal(429), SUCCESS],
    "retry after a while": [refusal(503, headers={"retry-after": "2"}), SUCCESS],
    "option dropped": [REFUSES, SUCCESS],
    "hang before the head": [[HANG]],
    "hang in the body": [[said("x"), HANG]],
    "hang in an error": [[Head(500), HANG]],
    "cut in the middle": [[said("x"), cut()]],
    "failure": [refusal(401)],
    "unknown model": [refusal(404), models("m1", "m2")],
    "unknown model, no list": [refusal(404), [HANG]],
    "reported fault": [[said("x"), b'data: {"error": {"message": "broken"}}\n\n', said("y")]],
}
WAITING = frozenset(
    name for name, scripts in SCENES.items() if "while" in name or "slow" in name or HANG in scripts[-1]
)
"""Scenes that a standing clock does not bring to their end."""
BUDGET = failure(Kind.BUDGET, "too dear")
ENOUGH, ENOUGH_TO_WAIT = 400, 40
"""More loop iterations than any of the scenes has awaits: to its end, or to where the standing clock holds it."""


class Scene:
    """A run on its way, and the ways to end it from outside."""

    def __init__(self, name: str, **changes: object) -> None:
        self.stage = Stage(*SCENES[name], retry=AT_ONCE, **changes)
        self.run: Run = self.stage.run()
        self.task = asyncio.ensure_future(self.run.go())
        self.touched = False

    def cancel(self) -> None:
        self.touched = self.touched or not self.task.done()
        self.task.cancel()

    def stop(self) -> None:
        self.run.stop()

    def stop_with_cause(self) -> None:
        self.run.stop(BUDGET)

    async def outcome(self) -> Outcome:
        """How it ended, after a look at the traces."""
        await self.stage.clock.settle()
        assert self.task.done(), "the run goes on"
        assert self.task.cancelled() == self.touched
        outcome = self.stage.recorder.outcome()
        if not self.task.cancelled():
            assert self.task.result() == outcome
        count = len(self.stage.recorder.heard)
        self.stage.assert_clean()
        await ticks(20)
        assert len(self.stage.recorder.heard) == count, "something was told after the end"
        return outcome


WAYS: dict[str, list[Callable[[Scene], None]]] = {
    "cancel": [Scene.cancel],
    "cancel twice": [Scene.cancel, Scene.cancel],
    "cancel three times": [Scene.cancel] * 3,
    "stop": [Scene.stop],
    "stop twice": [Scene.stop, Scene.stop],
    "stop with a cause": [Scene.stop_with_cause, Scene.stop],
    "stop, then cancel": [Scene.stop, Scene.cancel],
    "cancel, then stop": [Scene.cancel, Scene.stop],
    "both at once": [lambda scene: (scene.stop(), scene.cancel())[0]],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SCENES)
async def test_at_every_await(name: str, way: str) -> None:
    before_start = way.startswith("cancel") or way == "both at once"
    last: Outcome | None = None
    # A task that is cancelled before it starts is the lanes' concern.
    for count in range(before_start, ENOUGH_TO_WAIT if name in WAITING else ENOUGH):
        scene = Scene(name)
        await ticks(count)
        finished = scene.task.done()
        for act in WAYS[way]:
            act(scene)
            await ticks(1)
        outcome = await scene.outcome()
        if finished:
            last = outcome
            break
        if way == "stop with a cause" and isinstance(outcome, Failed):
            assert outcome.failure.kind in (Kind.BUDGET, *KINDS.get(name, ()))
        if count == 1:
            assert outcome == (Failed(BUDGET) if way == "stop with a cause" else Cancelled())
    assert last is not None or name in WAITING, "the scene has more awaits than were tried"


KINDS = {
    "failure": (Kind.AUTH,),
    "cut in the middle": (Kind.RESET,),
    "unknown model": (Kind.NOT_FOUND,),
    "reported fault": (Kind.SERVER,),
}


@pytest.mark.parametrize("name", sorted(WAITING))
@pytest.mark.parametrize("way", ["cancel", "cancel twice", "stop"])
async def test_at_the_very_moment_of_a_deadline(name: str, way: str) -> None:
    for count in range(60):
        scene = Scene(name, timeouts=Timeouts(first_token=3, idle=3, total=8))
        clock = scene.stage.clock
        await ticks(100)
        moving = asyncio.ensure_future(clock.advance(8))
        await ticks(count * 5)
        for act in WAYS[way]:
            act(scene)
            await ticks(1)
        await moving
        await scene.outcome()


async def test_a_run_that_is_not_touched_ends_as_it_should() -> None:
    ends: dict[str, object] = {}
    for name, scripts in SCENES.items():
        stage = Stage(*scripts)
        if name in ("hang before the head", "hang in an error"):
            stage.transport.scripts *= 2
        outcome = await stage.play()
        ends[name] = outcome.failure.kind if isinstance(outcome, Failed) else outcome
    assert ends == {
        "success": Completed("stop"),
        "slow success": Completed("stop"),
        "end left open": Completed("stop"),
        "done left open": Completed(None),
        "retry at once": Completed("stop"),
        "retry after a while": Completed("stop"),
        "option dropped": Completed("stop"),
        "hang before the head": Kind.FIRST_TOKEN_TIMEOUT,
        "hang in the body": Kind.IDLE_TIMEOUT,
        "hang in an error": Kind.FIRST_TOKEN_TIMEOUT,
        "cut in the middle": Kind.RESET,
        "failure": Kind.AUTH,
        "unknown model": Kind.NOT_FOUND,
        "unknown model, no list": Kind.NOT_FOUND,
        "reported fault": Kind.SERVER,
    }


async def test_a_key_that_may_not_be_sent_leaves_no_room_for_a_cancel() -> None:
    for count in range(1, 12):
        stage = Stage(key=Secret("sk-..."))
        task = asyncio.ensure_future(stage.run().go())
        await ticks(count)
        task.cancel()
        await ticks(9)
        stage.recorder.outcome()
        stage.assert_clean()
        assert task.done()
