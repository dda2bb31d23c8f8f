"""`tui-chat batch`: many prompts from a file, several at a time; what the output holds is not done again."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tui_chat.cli.batch_telling import (
    Faults,
    Report,
    estimate_lines,
    estimate_object,
    exit_code,
    tell_failed_before,
    tell_unread,
    told,
)
from tui_chat.cli.candidates import files
from tui_chat.cli.common import Common, amount, common
from tui_chat.cli.exits import ExitCode, exit_of_kind
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.cli.running import opened
from tui_chat.domain.ask import Settings
from tui_chat.domain.batch import Shard, shard
from tui_chat.domain.failure import Broken, StoreError, UsageError
from tui_chat.domain.template import BadTemplate, Template
from tui_chat.domain.words import say
from tui_chat.engine.batch import Ending
from tui_chat.store.batch_input import FORMATS, Source
from tui_chat.wiring import Choice, NoEndpoint
from tui_chat.wiring.batch import Plan, Reading, faults, forecast, opened_batch, standings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from decimal import Decimal
    from typing import Any

    from tui_chat.engine.batch import Batch
    from tui_chat.wiring import House

STDIN = "-"


@click.command("batch", short_help="Ask many prompts from a file, several at a time.")
@click.argument("input", metavar="IN", shell_complete=files)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="The file of the results, a JSON line for each item.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    metavar="N",
    help="How many are asked at a time.",
)
@click.option("--max-cost", metavar="USD", help="Start nothing that would cost more in all (exit code 4).")
@click.option("--retry-failed", is_flag=True, help="Run items again whose line says failed.")
@click.option("--estimate", is_flag=True, help="Print what it would take; nothing is sent.")
@click.option("--shard", "part", metavar="I/N", help="Only the I-th of N parts; an item's id decides.")
@click.option("--template", metavar="TEXT", help="The prompt, with {field} for what stands in the line.")
@click.option("--format", "format", type=click.Choice(FORMATS), help="Of IN; else by its name, or jsonl.")
@click.option("--strict", is_flag=True, help="Send nothing when a line of IN is wrong (exit code 2).")
@click.option("--save", is_flag=True, help="Keep each item as a conversation; else its figures alone.")
@click.option("-s", "--system", metavar="SYSTEM", help="The system prompt.")
@click.option("-t", "--temperature", type=click.FloatRange(0), metavar="TEMP", help="Sampling temperature.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Longest answer, in tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print the totals as one JSON object.")
@common
def command(
    common: Common,
    input: str,
    output: Path | None,
    concurrency: int,
    max_cost: str | None,
    retry_failed: bool,
    estimate: bool,
    part: str | None,
    template: str | None,
    format: str | None,
    strict: bool,
    save: bool,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    as_json: bool,
) -> int:
    """Ask every prompt of IN, a JSON object a line, and write a line to OUT as each ends; - is stdin.

    Run it again with the same OUT, and only what has no line there is asked.
    """
    if output is None and not estimate:
        raise UsageError(say("batch.no_output"))
    path = None if input == STDIN else Path(input)
    settings = Settings(system=system, temperature=temperature, max_tokens=max_tokens)
    cap = amount(max_cost)
    choice = Choice(common.endpoint, common.model, common.profile, settings)
    plan = Plan(path, choice, format or _format(path), retry_failed=retry_failed, priced=cap is not None)
    plan = plan.with_parts(_template(template), _shard(part))
    wish = Wish(plan, output, concurrency, cap, strict=strict, save=save and not common.no_save, as_json=as_json)
    if save and common.no_save:
        raise UsageError(say("batch.save_or_not"))
    return Signals().run(lambda signals: _carry_out(common, wish, signals, estimate=estimate))


class Wish(Struct, frozen=True):
    """What the command line asks for."""

    plan: Plan
    output: Path | None
    concurrency: int
    cap: Decimal | None
    strict: bool
    save: bool
    as_json: bool


class Signals:
    """Ctrl+C once lets what is under way finish, twice ends it; any other signal ends it at once."""

    def __init__(self) -> None:
        self.caught: list[ExitCode] = []
        self._task: asyncio.Task[ExitCode] | None = None
        self._batch: Batch | None = None

    def run(self, work: Callable[[Signals], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
        """The exit code of `work`, or that of the first signal."""
        code = asyncio.run(self._guarded(work))
        return self.caught[0] if self.caught else code

    def guard(self, batch: Batch) -> None:
        """From now on signals are for the batch."""
        self._batch = batch

    async def _guarded(self, work: Callable[[Signals], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
        self._task = asyncio.ensure_future(work(self))
        loop = asyncio.get_running_loop()
        for number, code in (
            (signal.SIGINT, ExitCode.INTERRUPTED),
            (signal.SIGTERM, ExitCode.TERMINATED),
            (signal.SIGHUP, ExitCode.HUNG_UP),
        ):
            loop.add_signal_handler(number, self._hear, code)
        try:
            return await self._task
        except asyncio.CancelledError:
            return ExitCode.INTERRUPTED

    def _hear(self, code: ExitCode) -> None:
        self.caught.append(code)
        if self._batch is None:
            if self._task is not None:
                self._task.cancel()
        elif code is ExitCode.INTERRUPTED and len(self.caught) == 1:
            self._batch.finish()
            complain(say("batch.finishing", count=len(self._batch.running)))
        else:
            self._batch.stop()


async def _carry_out(common: Common, wish: Wish, signals: Signals, *, estimate: bool) -> ExitCode:
    with ExitStack() as stack:
        source = Source(wish.plan.input)
        stack.callback(source.close)
        async with opened(common) as built:
            try:
                trouble = await asyncio.to_thread(built.open_store)
                if trouble:
                    complain(trouble)
                if wish.strict and await _refused(built, wish, source):
                    return ExitCode.USAGE
                if estimate:
                    return await _estimate(built, wish, source)
                return await _run(built, wish, source, signals)
            except NoEndpoint as error:
                complain(str(error))
                return ExitCode.NO_KEY
            except Broken as broken:
                complain(broken.failure.line)
                return exit_of_kind(broken.failure.kind)


async def _refused(built: House, wish: Wish, source: Source) -> bool:
    """True, and told, when a line is wrong."""
    listed = Faults(source.name, wish.plan.template)
    counts = await faults(built, wish.plan, source, listed.tell)
    listed.close()
    if counts.faults:
        tell_unread(counts, source.name)
        complain(say("batch.strict", count=f"{counts.faults:,}"))
    return counts.faults > 0


async def _estimate(built: House, wish: Wish, source: Source) -> ExitCode:
    reading = Reading(built, wish.plan, source, await asyncio.to_thread(standings_of, wish.output))
    listed = Faults(source.name, wish.plan.template)
    reading.fault = listed.tell
    found = await forecast(built, reading)
    listed.close()
    tell_unread(reading.counts, source.name, whole=wish.plan.shard.of == 1)
    if wish.as_json:
        print_json(estimate_object(found, reading.counts))
    else:
        for line in estimate_lines(found, reading.counts):
            print_line(line)
    tell_failed_before(reading.counts)
    return ExitCode.FAILED if reading.counts.faults else ExitCode.DONE


async def _run(built: House, wish: Wish, source: Source, signals: Signals) -> ExitCode:
    assert wish.output is not None
    opening = opened_batch(built, wish.plan, source, wish.output, wish.concurrency, wish.cap, keep=wish.save)
    async with opening as opened:
        signals.guard(opened.batch)
        if opened.output.mended:
            complain(say("batch.mended", path=wish.output))
        report = Report(opened)
        lost: StoreError | None = None
        async with told(report, Faults(source.name, wish.plan.template)) as listed:
            opened.reading.fault = listed.tell
            try:
                await opened.run()
            except StoreError as error:
                lost = error
        if lost is not None:
            complain(str(lost))
        if opened.batch.ending is Ending.DONE:
            tell_unread(opened.reading.counts, source.name, whole=wish.plan.shard.of == 1)
        report.end(as_json=wish.as_json)
        code = exit_code(report)
        return ExitCode.FAILED if lost is not None and code is ExitCode.DONE else code


def _format(path: Path | None) -> str:
    suffix = "" if path is None else path.suffix.lower()
    return {".csv": "csv", ".txt": "text"}.get(suffix, "jsonl")


def _template(text: str | None) -> Template | None:
    if text is None:
        return None
    try:
        return Template(text)
    except BadTemplate as bad:
        raise UsageError(say("batch.template", field="{name}", open="{{", close="}}")) from bad


def _shard(text: str | None) -> Shard:
    found = shard(text or "1/1")
    if found is None:
        raise UsageError(say("batch.shard", text=text))
    return found
