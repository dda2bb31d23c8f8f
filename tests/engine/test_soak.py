"""A short soak: every fault of the server at least once, real sockets, nothing lost and nothing left behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

if sys.platform != "linux":
    pytest.skip("reads /proc and asks sockets for what is not acknowledged", allow_module_level=True)

from tests.bench.soak import Plan, Soak
from tests.kit.faulty import FAULTS
from tui_chat.domain.endpoint import Timeouts
from tui_chat.net.transport import HttpAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PLAN = Plan(
    streams=16,
    seconds=30,
    concurrency=12,
    runs=60,
    pace=0.01,
    timeouts=Timeouts(connect=5, first_token=1, idle=0.7),
    hurried=Timeouts(connect=5, first_token=1, idle=0.7, total=0.3),
)


async def test_nothing_is_lost_and_nothing_is_left() -> None:
    report = await Soak(PLAN).run()
    assert report.reasons == []
    assert report.runs == PLAN.runs
    assert sum(report.ends.values()) == PLAN.runs
    assert set(report.faults) >= set(FAULTS)
    assert report.joined
    assert report.acknowledged


async def test_a_client_that_loses_the_last_piece_before_a_fault_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = HttpAnswer.chunks

    async def lossy(self: HttpAnswer) -> AsyncGenerator[bytes, None]:
        held = b""
        async for piece in chunks(self):
            if held:
                yield held
            held = piece
        yield held

    monkeypatch.setattr(HttpAnswer, "chunks", lossy)
    report = await Soak(replace(PLAN, runs=28, share_cancelled=0)).run()
    assert any("lost text" in reason for reason in report.reasons)
