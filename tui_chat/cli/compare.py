"""`tui-chat compare`: one question, several models or settings side by side, and a table of what they came to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from tui_chat.cli.ask import piped, question
from tui_chat.cli.attaching import attaching, with_files
from tui_chat.cli.candidates import lane_sets
from tui_chat.cli.common import Common, amount, common
from tui_chat.cli.compare_telling import print_compared, watch
from tui_chat.cli.exits import ExitCode, exit_of, worst
from tui_chat.cli.output import complain
from tui_chat.cli.running import opened, run_until_signal
from tui_chat.domain.ask import Settings
from tui_chat.domain.comparing import Compared, ComparedLane, ComparedRun
from tui_chat.domain.conversation import Node, Result
from tui_chat.domain.draft import Phase
from tui_chat.domain.failure import Broken, Failure, Kind, UsageError
from tui_chat.domain.lane import MOST, letter
from tui_chat.domain.meter import Meter
from tui_chat.domain.pricing import UNKNOWN
from tui_chat.domain.words import say
from tui_chat.engine import budget
from tui_chat.engine.comparison import Comparison, Pace
from tui_chat.engine.reply import Target
from tui_chat.store.lanes import read_lane
from tui_chat.wiring import Choice, NoEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from tui_chat.domain.lane import LaneSpec
    from tui_chat.wiring import House


@click.command("compare", short_help="Ask several models or settings side by side.")
@click.argument("prompt", required=False)
@click.option(
    "--lane", "lanes", multiple=True, metavar="LANE", help="'endpoint/model key=value ...'; one for each lane."
)
@click.option(
    "--set", "name", metavar="NAME", shell_complete=lane_sets, help="The lanes of [compare.NAME] of config.toml."
)
@click.option("--repeat", type=click.IntRange(1, 100), default=1, metavar="N", help="Ask each lane N times.")
@click.option("--parallel", is_flag=True, help="The repeats of a lane at once, not one after the other.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N requests at once.")
@click.option(
    "--stagger", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Between two lanes' beginnings."
)
@click.option("--warm", is_flag=True, help="Open the connections before the first request.")
@click.option("-s", "--system", metavar="SYSTEM", help="The system prompt of lanes that have none.")
@click.option("-t", "--temperature", type=click.FloatRange(0), metavar="TEMP", help="For lanes that have none.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="For lanes that have none.")
@click.option("--seed", type=int, metavar="N", help="For lanes that have none.")
@click.option("--no-stream", is_flag=True, help="Ask for whole answers at once.")
@click.option("--max-cost", metavar="USD", help="Stop when all lanes together would cost more (exit code 4).")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv", "md"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@attaching
@common
def command(
    common: Common,
    prompt: str | None,
    lanes: tuple[str, ...],
    name: str | None,
    repeat: int,
    parallel: bool,
    limit: int | None,
    stagger: float,
    warm: bool,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    seed: int | None,
    no_stream: bool,
    max_cost: str | None,
    form: str,
    as_json: bool,
    files: tuple[str, ...],
) -> int:
    """Ask PROMPT, joined with what is piped in, in every lane, and print all answers with their figures.

    A lane is 'endpoint/model key=value ...' or 'profile=NAME key=value ...': the keys are those of a profile.
    """
    settings = Settings(system=system, temperature=temperature, max_tokens=max_tokens, seed=seed)
    order = Order(
        prompt=question(prompt, piped()),
        files=files,
        lanes=lanes,
        set=name,
        under=Choice(common.endpoint, common.model, common.profile, settings, stream=not no_stream),
        pace=Pace(repeat, parallel, limit, stagger),
        warm=warm,
        cap=amount(max_cost),
        form="json" if as_json else form,
    )
    if bool(lanes) == bool(name):
        raise UsageError(say("usage.lanes"))
    return run_until_signal(lambda: _compare(common, order))


class Order(Struct, frozen=True):
    """What the command line asked for."""

    prompt: str
    files: tuple[str, ...]
    lanes: tuple[str, ...]
    set: str | None
    under: Choice
    pace: Pace
    warm: bool
    cap: Decimal | None
    form: str


async def _compare(common: Common, order: Order) -> ExitCode:
    async with opened(common) as built:
        trouble = await asyncio.to_thread(built.open_store)
        if trouble:
            complain(trouble)
        prompt = await asyncio.to_thread(with_files, built, order.prompt, order.files, kept=not common.no_save)
        order = replace(order, prompt=prompt)
        specs = _specs(built, order)
        found = await asyncio.gather(*(_target(built, spec, order.under) for spec in specs))
        targets = [target for target in found if isinstance(target, Target)]
        if order.cap is not None and (free := next((t for t in targets if t.price is None), None)) is not None:
            raise UsageError(say("usage.cap_without_price", model=free.model))
        names = [spec.label or letter(place) for place, spec in enumerate(specs)]
        unsent: dict[str, ComparedLane] = {}
        for name, spec, trouble in zip(names, specs, found, strict=True):
            if isinstance(trouble, Failure):
                complain(f"{name}: {trouble.line}")
                unsent[name] = _unsent(name, spec, trouble)
        if not targets:
            print_compared(Compared(order.prompt, tuple(unsent.values())), order.form)
            return worst(_codes(unsent.values()))
        chat = built.new_chat(targets[0])
        comparison = Comparison(built.engine, chat.session, pace=order.pace, cap=order.cap)
        for name, target in zip(names, found, strict=True):
            if isinstance(target, Target):
                comparison.add(target, name)
        if (estimate := comparison.weigh(order.prompt)) is not None:
            over = budget.unsent(estimate)
            complain(over.line)
            refused = {name: _unsent(name, spec, over) for name, spec in zip(names, specs, strict=True)}
            print_compared(Compared(order.prompt, tuple((refused | unsent).values())), order.form)
            return ExitCode.BUDGET
        interrupted = await _run(comparison, order)
        sent = {lane.name: lane for lane in comparison.compared(saved=chat.journal is not None).lanes}
        lanes = tuple((sent | unsent)[name] for name in names)
        print_compared(Compared(order.prompt, lanes), order.form)
        codes = _codes(lanes)
        if comparison.stopped is not None and any(len(lane.runs) < order.pace.repeat for lane in sent.values()):
            codes.append(ExitCode.BUDGET)
        return ExitCode.INTERRUPTED if interrupted else worst(codes)


def _specs(built: House, order: Order) -> tuple[LaneSpec, ...]:
    """The lanes as they were written. Raises UsageError, ConfigError."""
    if order.set is not None:
        specs = built.config.lanes(order.set)
    else:
        specs = tuple(read_lane(text, letter(place)) for place, text in enumerate(order.lanes))
    if len(specs) > MOST or len(specs) * order.pace.repeat < 2:
        raise UsageError(say("usage.lane_count", most=MOST, count=len(specs)))
    labels = [spec.label or letter(place) for place, spec in enumerate(specs)]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise UsageError(say("usage.lane_twice", name=twice))
    return specs


async def _target(built: House, spec: LaneSpec, under: Choice) -> Target | Failure:
    """Whom a lane asks, or why that cannot be known now. Raises UsageError, ConfigError."""
    try:
        return await built.targets.completed(await asyncio.to_thread(built.targets.lane, spec, under))
    except NoEndpoint as error:
        return Failure(Kind.AUTH, str(error))
    except Broken as broken:
        return broken.failure


async def _run(comparison: Comparison, order: Order) -> bool:
    """Ask, and wait for the end of every lane; True when a signal has ended them, and what came is there."""
    try:
        if order.warm:
            await comparison.warm_up()
        comparison.submit(order.prompt)
        await watch(comparison)
    except asyncio.CancelledError as error:
        comparison.cancel()
        by_signal = error.args[:1] in ((ExitCode.TERMINATED.name,), (ExitCode.HUNG_UP.name,))
        await comparison.session.close(interrupted=by_signal)
        return True
    return False


def _unsent(name: str, spec: LaneSpec, trouble: Failure) -> ComparedLane:
    """A lane that could not be asked, with one run that says why."""
    result = Result(Phase.FAILED, None, trouble, 0, Meter().stats(0.0), UNKNOWN)
    endpoint, model = spec.endpoint or "", spec.model or ""
    reply = Node("", None, "assistant", "", endpoint=endpoint, model=model, result=result)
    return ComparedLane(name, endpoint, model, spec.settings, (ComparedRun(1, reply),))


def _codes(lanes: Iterable[ComparedLane]) -> list[ExitCode]:
    return [exit_of(result) for lane in lanes for result in lane.results]
