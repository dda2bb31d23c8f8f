"""`tui-chat doctor`: what stands between this computer and an answer, step by step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from tui_chat.cli.candidates import endpoints
from tui_chat.cli.common import Common, common
from tui_chat.cli.exits import ExitCode, worst
from tui_chat.cli.findings import Page, check_object
from tui_chat.cli.output import complain, print_json
from tui_chat.cli.running import opened, run_until_signal
from tui_chat.domain.checkup import ENDPOINT_CHECKS
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say
from tui_chat.wiring import Choice

if TYPE_CHECKING:
    from tui_chat.domain.checkup import Check
    from tui_chat.engine.doctor import Doctor
    from tui_chat.wiring import House


@click.command("doctor", short_help="Check endpoints step by step, or with --terminal the terminal.")
@click.argument("name", metavar="[ENDPOINT]", required=False, shell_complete=endpoints)
@click.option("--terminal", is_flag=True, help="Check the terminal instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; for several endpoints, an array.")
@common
def command(common: Common, name: str | None, terminal: bool, as_json: bool) -> int:
    """Check ENDPOINT, or every endpoint that can be used: key, network, models, and a streamed answer.

    That answer is asked for with one request, for one token.
    """
    if not terminal:
        return run_until_signal(lambda: _doctor(common, name, as_json=as_json))
    if name:
        raise UsageError(say("usage.doctor_terminal"))
    from tui_chat.cli.terminal_doctor import examine

    return run_until_signal(lambda: examine(as_json=as_json))


async def _doctor(common: Common, name: str | None, *, as_json: bool) -> ExitCode:
    async with opened(common) as built:
        choices = _asked(built, common, name)
        if not choices:
            complain(say("config.none", variables=", ".join(built.endpoints.variables()), file=built.config_file))
            if as_json:
                print_json([])
            return ExitCode.NO_KEY
        visits = [Visit(built, choice, live=len(choices) == 1 and not as_json) for choice in choices]
        await _examine(visits, quiet=as_json)
        if as_json:
            objects = [visit.object() for visit in visits]
            print_json(objects[0] if len(objects) == 1 else objects)
        return worst(visit.code for visit in visits)


def _asked(built: House, common: Common, name: str | None) -> list[Choice]:
    """One choice where the command line makes one, else each endpoint that can be used."""
    endpoint = name or common.endpoint
    if endpoint or common.model or common.profile or common.demo:
        return [Choice(endpoint, common.model, common.profile)]
    return [Choice(usable) for usable in built.endpoints.names()]


async def _examine(visits: list[Visit], *, quiet: bool) -> None:
    """Examine all at the same time and tell them in their order; a cancellation leaves what was found by then."""
    tasks = [asyncio.ensure_future(visit.doctor.examine()) for visit in visits]
    try:
        for visit, task in zip(visits, tasks, strict=True):
            await task
            if not quiet:
                visit.tell()
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not quiet:
            for visit in visits:
                visit.tell()


class Visit:
    """One checkup and how it is told; `live` tells each finding as it comes."""

    def __init__(self, built: House, choice: Choice, *, live: bool) -> None:
        self._live = live
        self.doctor: Doctor = built.targets.doctor(choice, self._hear)
        endpoint = self.doctor.endpoint
        if detour := built.targets.detour(choice, endpoint):
            complain(detour)
        self._page = Page(f"{endpoint.name}  {endpoint.base_url}", ENDPOINT_CHECKS)

    def _hear(self, check: Check) -> None:
        if self._live:
            self._page.add(check)

    def tell(self) -> None:
        self._page.complete(self.doctor.checks)

    @property
    def code(self) -> ExitCode:
        if self.doctor.key_refused:
            return ExitCode.NO_KEY
        return {True: ExitCode.DONE, False: ExitCode.FAILED, None: ExitCode.INTERRUPTED}[self.doctor.ok]

    def object(self) -> dict[str, Any]:
        """As the contract has it."""
        checks = [check_object(check) for check in self.doctor.checks]
        return {"endpoint": self.doctor.endpoint.name, "ok": self.doctor.ok, "checks": checks}
