"""A reply told on the command line, as it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui_chat.cli.exits import ExitCode, exit_of, exit_of_kind
from tui_chat.cli.output import Answer, OutputLost, complain, print_json
from tui_chat.cli.results import figures_line, unsent_object
from tui_chat.domain import events
from tui_chat.domain.draft import Phase
from tui_chat.domain.figures import seconds
from tui_chat.domain.words import say
from tui_chat.engine.budget import unsent
from tui_chat.wiring.results import ask_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui_chat.domain.budget import Estimate
    from tui_chat.domain.failure import Failure
    from tui_chat.engine.session import Session


class Teller:
    """Listens to a session and tells what it hears: the answer to stdout, everything else to stderr."""

    def __init__(self, session: Session, *, quiet: bool, saved: bool = False, demo: bool = False) -> None:
        """`saved`: the run can be named later, to go on with it; `demo`: then too with the built-in endpoint."""
        self.interrupted = False
        self._saved = saved
        self._demo = demo
        self._session = session
        self._unsent: Failure | None = None
        """Why the question was not sent at all."""
        self._answer = None if quiet else Answer()
        self._ended = asyncio.Event()
        self._lost: OutputLost | None = None
        session.listeners.append(self._hear)

    async def tell(self, ask: Callable[[], object]) -> None:
        """Ask and wait for the end; a cancellation ends the reply, and its text stays.

        What the user breaks off is cancelled; a lost terminal or a machine going down interrupts.
        """
        ask()
        try:
            await self._ended.wait()
        except asyncio.CancelledError as error:
            self.interrupted = True
            await self._stop(error)
        finally:
            self._session.listeners.remove(self._hear)

    def report(self, *, as_json: bool, stats: bool) -> ExitCode:
        """Print what comes after the answer; the exit code. Raises OutputLost, also for what was lost before."""
        if self._lost is not None:
            raise self._lost
        if self._unsent is not None:
            return self._report_unsent(self._unsent, as_json=as_json)
        reply = self._session.reply
        assert reply is not None
        if self._answer is not None:
            self._answer.end()
        if as_json:
            print_json(ask_object(reply, saved=self._saved))
        trouble = reply.draft.failure
        if trouble is not None:
            complain(trouble.line)
        elif reply.draft.phase is Phase.COMPLETED and reply.draft.finish_reason == "length":
            complain(say("ask.length"))
        if not as_json:
            self._tell_resume()
        if stats:
            complain(figures_line(reply))
        return exit_of(reply.draft)

    def _tell_resume(self) -> None:
        """How to go on with what broke off, where there is something to go on from; in JSON the run is named."""
        node, reply = self._session.resumable, self._session.reply
        if self._saved and node is not None and reply is not None and reply.draft.phase is not Phase.COMPLETED:
            complain(say("history.resume", run=reply.run.id + (" --demo" if self._demo else "")))

    def _report_unsent(self, trouble: Failure, *, as_json: bool) -> ExitCode:
        if as_json:
            target = self._session.target
            print_json(unsent_object(trouble, target.endpoint.name, target.model))
        complain(trouble.line)
        return exit_of_kind(trouble.kind)

    async def _stop(self, error: asyncio.CancelledError) -> None:
        by_signal = error.args[:1] in ((ExitCode.TERMINATED.name,), (ExitCode.HUNG_UP.name,))
        await self._session.close(interrupted=by_signal)

    def _over_budget(self, estimate: Estimate) -> None:
        # Nobody is there to be asked.
        self._unsent = unsent(estimate)
        self._session.decline()
        self._ended.set()

    def _hear(self, event: events.SessionEvent) -> None:
        match event:
            case events.RunHeard(_, stamped):
                self._hear_run(stamped.event)
            case events.BudgetAsked(estimate):
                self._over_budget(estimate)
            case events.Notice(text):
                complain(text)
            case _:
                pass

    def _hear_run(self, event: events.RunEvent) -> None:
        match event:
            case events.Text(text):
                self._tell(text)
            case events.Waiting(wait, trouble):
                key = "ask.waiting_to_resume" if self._begun else "ask.waiting"
                complain(say(key, message=trouble.message, seconds=seconds(wait)))
            case events.Seam():
                complain(say("ask.resumed"))
            case events.Learned(_, _, refused):
                complain(say("ask.learned", parameter=refused))
            case events.Ended():
                self._ended.set()
            case _:
                pass

    @property
    def _begun(self) -> bool:
        """Something of the answer has been received: from then on it is not asked again, but gone on with."""
        reply = self._session.reply
        return reply is not None and bool(reply.draft.text or reply.draft.reasoning)

    def _tell(self, text: str) -> None:
        if self._answer is None or self._lost is not None:
            return
        try:
            self._answer.write(text)
        except OutputLost as lost:
            self._lost = lost
            self._session.cancel()
