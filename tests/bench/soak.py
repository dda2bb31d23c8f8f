"""Many streams at once against a server that fails in every way: `python tests/bench/soak.py --seconds 60`.

Every run must end once and stay ended, hold all text that the server knows to be acknowledged, and leave nothing
behind: no connection, no task, no file descriptor. Exit code 1 and the reasons where that is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from msgspec import Struct

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.kit.faulty import FAULTS, FaultyServer, Served, canon, prompt
from tests.kit.stage import ask
from tui_chat.domain.draft import Draft, Phase
from tui_chat.domain.endpoint import Endpoint, RetryPolicy, Timeouts
from tui_chat.domain.events import Attempt, Cancelled, Completed, Connected, Ended, Failed, Text, Waiting
from tui_chat.domain.failure import Kind
from tui_chat.domain.tokens import Lesson, Ratios
from tui_chat.engine.clock import SystemClock
from tui_chat.engine.lanes import start
from tui_chat.engine.ports import Engine
from tui_chat.engine.run import MAX_RESUMES
from tui_chat.net.transport import MOST_IDLE, HttpTransport
from tui_chat.wire.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.events import Learned, Outcome, Stamped
    from tui_chat.engine.lanes import Lane

PARTY = 4
"""Lanes that are started together, as in a comparison."""
CALM = Timeouts(connect=10, first_token=3, idle=2)
HURRIED = Timeouts(connect=10, first_token=3, idle=2, total=1)
TIMERS = (Kind.FIRST_TOKEN_TIMEOUT, Kind.IDLE_TIMEOUT, Kind.TOTAL_TIMEOUT)
MOMENT_S = 0.5
"""Where the client itself hangs up: what was acknowledged so long before, and three turns, must have been read."""
WATCH_S = 0.05
STUCK_S = 60.0
"""No run takes so long."""
MOST_REASONS = 20
CANCELS = ("once", "twice", "twice a tick apart", "its waiter twice", "at the first text", "never")
ENDS = {Completed: Phase.COMPLETED, Cancelled: Phase.CANCELLED, Failed: Phase.FAILED}


class Plan(Struct, frozen=True):
    streams: int = 200
    seconds: float = 60.0
    seed: int = 1
    concurrency: int = 200
    runs: int = 100_000
    """So many are begun at most; in whole parties."""
    pace: float = 0.08
    """Mean seconds between two pieces of an answer."""
    timeouts: Timeouts = CALM
    hurried: Timeouts = HURRIED
    """For one run in twenty."""
    share_cancelled: float = 0.2


@dataclass(slots=True)
class Try:
    """One attempt as the client heard it; where its text begins and ends in that of the run."""

    began: int
    since: float
    ended: int = 0
    id: str = ""
    at: float = 0.0
    """When the client was through with it, and when it had begun."""
    own: bool = False
    """The client ended it: cancelled, or a timer rang."""


class Heard:
    """Listens to one run."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.draft = Draft()
        self.tries: list[Try] = []
        self.outcomes: list[Outcome] = []
        self.late: list[str] = []
        self.resumes = 0
        self.cancelled = False
        self.patience = 0.0
        """No try of so few seconds can have been ended by a timer."""
        self.size = 0
        """Characters of text."""
        self.at_first_text: Callable[[], None] | None = None

    def hear(self, stamped: Stamped) -> None:
        if self.outcomes:
            self.late.append(type(stamped.event).__name__)
        self.draft.fold(stamped)
        match stamped.event:
            case Attempt(_, resumes):
                self.tries.append(Try(self.size, asyncio.get_running_loop().time()))
                self.resumes = resumes
            case Connected(_, request_id):
                self.tries[-1].id = request_id or ""
            case Text(text):
                self.size += len(text)
                if self.at_first_text is not None:
                    self.at_first_text()
                    self.at_first_text = None
            case Waiting(_, trouble):
                self._through(own=trouble.kind in TIMERS)
            case Ended(outcome):
                self.outcomes.append(outcome)
                timed_out = isinstance(outcome, Failed) and outcome.failure.kind in TIMERS
                self._through(own=timed_out or isinstance(outcome, Cancelled))
            case _:
                pass

    def _through(self, *, own: bool) -> None:
        if self.tries and not self.tries[-1].at:
            self.tries[-1].at = asyncio.get_running_loop().time()
            self.tries[-1].own = own
        if self.tries:
            self.tries[-1].ended = self.size


class Facts:
    """ports.Knowledge in memory: each run's model is another one, so that each learns for itself."""

    def __init__(self) -> None:
        self._refused: dict[str, frozenset[str]] = {}

    def refused(self, endpoint: str, model: str) -> frozenset[str]:
        return self._refused.get(model, frozenset())

    def ratios(self, endpoint: str, model: str) -> Ratios:
        return Ratios()

    def learn_ratio(self, endpoint: str, model: str, lesson: Lesson) -> None:
        pass

    def learn(self, fact: Learned) -> None:
        self._refused[fact.model] = self.refused(fact.endpoint, fact.model) | {fact.refused}

    def forget(self, model: str) -> None:
        self._refused.pop(model, None)


@dataclass(slots=True)
class Report:
    """What is to be told at the end."""

    ends: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    attempts: int = 0
    resumes: int = 0
    joined: int = 0
    """Runs that were completed although they had broken off."""
    acknowledged: int = 0
    """Bytes of text that were acknowledged and found."""
    received: int = 0
    connections: int = 0
    peak_fds: int = 0
    idle: int = 0
    rss: list[float] = field(default_factory=list)
    """MiB at the start, at half-time and at the end."""
    longest_turn: float = 0.0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)

    def count(self, heard: Heard) -> None:
        self.runs += 1
        self.attempts += len(heard.tries)
        self.resumes += heard.resumes
        self.received += len(heard.draft.text.encode())
        for outcome in heard.outcomes:
            self.ends[type(outcome).__name__.lower()] += 1
            self.joined += isinstance(outcome, Completed) and heard.resumes > 0
            if isinstance(outcome, Failed):
                self.failures[outcome.failure.kind] += 1

    def lines(self) -> list[str]:
        return [
            f"{self.runs} runs in {self.seconds:.1f} s, {self.attempts} attempts, {self.resumes} resumes",
            f"ended: {_told(self.ends)}; broken off and completed all the same: {self.joined}",
            f"failed: {_told(self.failures)}",
            f"faults played: {_told(self.faults)}",
            f"bytes of text: {self.received:,} received, {self.acknowledged:,} acknowledged before a fault and found",
            f"connections: {self.connections} at most, {self.idle} idle at the end; "
            f"file descriptors: {self.peak_fds} at most (both ends)",
            f"memory: {' MiB, '.join(f'{mib:.1f}' for mib in self.rss)} MiB (start, half-time if reached, end); "
            f"longest turn of the loop: {self.longest_turn * 1000:.0f} ms",
        ]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def check(heard: Heard, served: list[Served], seed: int, report: Report) -> list[str]:
    """What is wrong with a run that should be over."""
    wrong = [*_wrong_end(heard), *_wrong_text(heard, seed), *_wrong_outcome(heard, served, seed)]
    for one in served:
        missing = _missing(heard, one, MOMENT_S + 3 * report.longest_turn)
        if missing:
            wrong.append(missing)
        elif one.text:
            report.acknowledged += len(one.text.encode())
    return [f"run {heard.number} ({', '.join(s.fault for s in served)}): {words}; {heard.outcomes}" for words in wrong]


def _wrong_end(heard: Heard) -> list[str]:
    wrong: list[str] = []
    if len(heard.outcomes) != 1:
        wrong.append(f"{len(heard.outcomes)} ends")
    elif heard.draft.phase is not ENDS[type(heard.outcomes[0])]:
        wrong.append(f"{heard.outcomes[0]} in the phase {heard.draft.phase}")
    if heard.late:
        wrong.append(f"after the end: {heard.late}")
    if heard.outcomes == [Cancelled()] and not heard.cancelled:
        wrong.append("cancelled by nobody")
    if heard.resumes > MAX_RESUMES:
        wrong.append(f"{heard.resumes} resumes")
    return wrong


def _wrong_text(heard: Heard, seed: int) -> list[str]:
    meant, draft = canon(seed, heard.number), heard.draft
    wrong: list[str] = []
    if not meant.text.startswith(draft.text):
        wrong.append(f"the text went wrong: {draft.text!r} instead of {meant.text!r}")
    if not meant.reasoning.startswith(draft.reasoning):
        wrong.append(f"the reasoning went wrong: {draft.reasoning!r} instead of {meant.reasoning!r}")
    return wrong


def _wrong_outcome(heard: Heard, served: list[Served], seed: int) -> list[str]:
    """Success where the answer was not whole, and failure where it was."""
    whole = bool(served) and served[-1].fault in FAULTS and FAULTS[served[-1].fault].completes
    match heard.outcomes:
        case [Completed()] if not whole:
            return ["completed, though the answer was not whole"]
        case [Completed()] if heard.draft.text != canon(seed, heard.number).text:
            return [f"completed with {heard.size} characters of {len(canon(seed, heard.number).text)}"]
        case [Failed(trouble)] if trouble.kind is Kind.INTERNAL or (whole and not _may_be_late(heard, trouble.kind)):
            return [f"failed: {trouble.kind} {trouble.message}"]
        case _:
            return []


def _may_be_late(heard: Heard, kind: Kind) -> bool:
    """A timer ended it; where the rest of a broken answer came too late, the failure is that which broke it."""
    last = heard.tries[-1]
    return kind in TIMERS or last.at - last.since >= heard.patience


def _missing(heard: Heard, served: Served, moment: float) -> str:
    """What the server knows to be acknowledged and the client does not have.

    Where the client itself hung up, only what had been there for a moment counts.
    """
    if not (served.text or served.reasoning):
        return ""
    found = next((one for one in heard.tries if one.id == served.id), None)
    # Hung up on before its head was read, it has no name.
    likely = found or next((one for one in heard.tries if not one.id and one.at > served.at), heard.tries[-1])
    if likely.own and served.at > likely.at - moment:
        return ""
    if found is None:
        return f"request {served.id} was answered, and nobody heard it"
    text = heard.draft.text
    if text[: found.began] != served.before:
        return f"went on from {served.before!r} with {text[: found.began]!r}"
    if not text[found.began : found.ended].startswith(served.text):
        return f"lost text: {served.text!r} was acknowledged, {text[found.began : found.ended]!r} is here"
    if not heard.draft.reasoning.startswith(served.reasoning):
        return f"lost reasoning: {served.reasoning!r}, {heard.draft.reasoning!r} is here"
    return ""


class Soak:
    """The streams of a plan, kept going until its time is over."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report()
        self._rng = Random(plan.seed)
        self._facts = Facts()
        self._transport = HttpTransport()
        self._engine = Engine(self._transport, DIALECTS.__getitem__, SystemClock(), self._facts)
        self._server = FaultyServer(plan.seed, plan.pace)
        self._number = 0
        self._lanes: set[Lane] = set()
        self._over = False

    async def run(self) -> Report:
        """Carry out the plan and look at what is left behind."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._blame(f"asyncio: {context}"))
        tasks, fds, began = asyncio.all_tasks(), open_fds(), loop.time()
        self._weigh()
        async with self._server:
            watch = asyncio.ensure_future(self._watch())
            timers = [
                loop.call_later(self.plan.seconds, self._close),
                loop.call_later(self.plan.seconds / 2, self._weigh),
            ]
            try:
                await self._keep_going()
            finally:
                for timer in timers:
                    timer.cancel()
                watch.cancel()
                await asyncio.wait((watch,))
            await self._look_at_idle(fds + 1)
            await self._transport.close()
            await self._until(lambda: not self._server.wires, "connections are open after the transport was closed")
        await self._until(lambda: open_fds() <= fds, f"file descriptors beyond the {fds} of the start")
        await self._until(lambda: asyncio.all_tasks() <= tasks, "tasks are left")
        self._finish(loop.time() - began)
        return self.report

    async def _keep_going(self) -> None:
        """As many streams as planned, always: whenever enough have ended, the next party begins."""
        room = asyncio.Semaphore(self.plan.streams)
        async with asyncio.TaskGroup() as parties:
            for _ in range(-(-self.plan.runs // PARTY)):
                for _ in range(PARTY):
                    await room.acquire()
                if self._over:
                    break
                parties.create_task(self._party(room))

    async def _party(self, room: asyncio.Semaphore) -> None:
        heard = {str(one.number): one for one in (self._heard() for _ in range(PARTY))}
        asks = {name: self._ask(one) for name, one in heard.items()}
        limit = max(1, round(PARTY * self.plan.concurrency / self.plan.streams))
        lanes = start(self._engine, asks, lambda stamped: heard[stamped.lane].hear(stamped), limit)
        waiters = [asyncio.ensure_future(lane.outcome()) for lane in lanes]
        for waiter in waiters:
            waiter.add_done_callback(lambda _: room.release())
        self._lanes.update(lanes)
        await self._see_through(lanes, waiters, list(heard.values()))
        self._lanes.difference_update(lanes)

    def _heard(self) -> Heard:
        self._number += 1
        return Heard(self._number)

    def _ask(self, heard: Heard) -> Ask:
        limits = self.plan.hurried if self._rng.random() < 0.05 else self.plan.timeouts
        heard.patience = 0.0 if limits.total else min(limits.first_token, limits.idle)
        retry = RetryPolicy(4, 0.02, 0.2)
        return ask(
            prompt(heard.number),
            Endpoint("soak", self._server.base_url, timeouts=limits, retry=retry),
            str(heard.number),
        )

    async def _see_through(self, lanes: list[Lane], waiters: list[asyncio.Future[Outcome]], heard: list[Heard]) -> None:
        """Wait for the end of all, cancelling some meanwhile, and look at what came of them."""
        cancels = [asyncio.ensure_future(self._cancel(*each)) for each in zip(lanes, waiters, heard, strict=True)]
        _, stuck = await asyncio.wait(waiters, timeout=STUCK_S)
        for task in (*stuck, *cancels):
            task.cancel()
        await asyncio.wait((*stuck, *cancels))
        await asyncio.sleep(2 * WATCH_S)  # a long turn is known by then
        for lane, one in zip(lanes, heard, strict=True):
            lane.cancel()  # too late to change anything
            one.cancelled |= self._over
            self._judge(one)
        if stuck:
            self._blame(f"{len(stuck)} runs did not end")

    def _judge(self, heard: Heard) -> None:
        self.report.count(heard)
        self._facts.forget(str(heard.number))
        for reason in check(heard, self._server.take(heard.number), self.plan.seed, self.report):
            self._blame(reason)

    async def _cancel(self, lane: Lane, waiter: asyncio.Future[Outcome], heard: Heard) -> None:
        """Cancel a lane in one way or another at some time, or never."""
        how = self._rng.choice(CANCELS) if self._rng.random() < self.plan.share_cancelled else "never"
        if how == "never":
            return
        heard.cancelled = True
        if how == "at the first text":
            heard.at_first_text = lane.cancel
            return
        await asyncio.sleep(self._rng.choice((0, self._rng.uniform(0, 40 * self.plan.pace))))
        end = waiter.cancel if how == "its waiter twice" else lane.cancel
        end()
        if how == "twice a tick apart":
            await asyncio.sleep(0)
        if how != "once":
            end()

    def _close(self) -> None:
        """Time is up: everything that still runs is cancelled, twice."""
        self._over = True
        loop = asyncio.get_running_loop()
        for lane in self._lanes:
            lane.cancel()
            loop.call_soon(lane.cancel)

    def _weigh(self) -> None:
        self.report.rss.append(resident())

    async def _watch(self) -> None:
        """Peaks, while it lasts."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(WATCH_S)
            self.report.longest_turn = max(self.report.longest_turn, time.monotonic() - before - WATCH_S)
            self.report.peak_fds = max(self.report.peak_fds, open_fds())

    async def _look_at_idle(self, fds: int) -> None:
        """Before the transport is closed: only connections that wait for the next question, each with two ends."""
        wires = self._server.wires
        await self._until(lambda: not self._server.answering, "the server is still answering")
        await self._until(lambda: len(wires) <= MOST_IDLE, f"more than {MOST_IDLE} idle connections")
        await self._until(lambda: open_fds() == fds + 2 * len(wires), "file descriptors that are no idle connections")
        self.report.idle = len(wires)

    async def _until(self, condition: Callable[[], bool], blame: str) -> None:
        try:
            async with asyncio.timeout(5):
                while not condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self._blame(blame)

    def _finish(self, seconds: float) -> None:
        gc.collect()  # whatever was never awaited speaks up now
        report = self.report
        report.seconds = seconds
        self._weigh()
        report.faults, report.connections = self._server.faults, self._server.peak
        report.reasons += self._server.complaints

    def _blame(self, reason: str) -> None:
        self.report.reasons.append(reason)


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident() -> float:
    """MiB of memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def arguments() -> Plan:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=200, help="how many of the streams may be open at once")
    given = parser.parse_args()
    return Plan(given.streams, given.seconds, given.seed, given.concurrency)


def main() -> int:
    report = asyncio.run(Soak(arguments()).run())
    print(*report.lines(), sep="\n")
    for reason in report.reasons[:MOST_REASONS]:
        print(f"WRONG: {reason}", file=sys.stderr)
    if len(report.reasons) > MOST_REASONS:
        print(f"and {len(report.reasons) - MOST_REASONS} more", file=sys.stderr)
    return 1 if report.reasons else 0


if __name__ == "__main__":
    sys.exit(main())
