"""What runs side by side came to: the figures of each lane over its repeats, and who was best."""

from __future__ import annotations

from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from tui_chat.domain.draft import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tui_chat.domain.ask import Settings
    from tui_chat.domain.conversation import Node, Result

N = TypeVar("N", float, Decimal)


class Spread(Struct, Generic[N], frozen=True):
    """The middle and both ends of what is known of one figure."""

    median: N
    min: N
    max: N


class Summary(Struct, frozen=True):
    """A lane's runs of one question. The figures are those of completed runs; None where none of them is known."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    """Interrupted ones too; a run that is under way counts nowhere."""
    ttft_s: Spread[float] | None = None
    tok_per_s: Spread[float] | None = None
    total_s: Spread[float] | None = None
    usd: Spread[Decimal] | None = None


class Best(Struct, frozen=True):
    """The lanes that were best by their medians, several where they are equal; empty where nothing is known."""

    ttft: tuple[str, ...] = ()
    speed: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()


class ComparedRun(Struct, frozen=True):
    """One run of a lane. `reply` has a result, also while it is under way."""

    repeat: int
    reply: Node
    run: str | None = None
    """Its name in the store."""


class ComparedLane(Struct, frozen=True):
    name: str
    endpoint: str
    model: str
    settings: Settings
    runs: tuple[ComparedRun, ...]
    note: str = ""

    @property
    def results(self) -> list[Result]:
        return [run.reply.result for run in self.runs if run.reply.result is not None]

    @property
    def summary(self) -> Summary:
        return summary(self.results)


class Compared(Struct, frozen=True):
    """What all lanes made of one question."""

    prompt: str
    lanes: tuple[ComparedLane, ...]

    @property
    def best(self) -> Best:
        return best({lane.name: lane.summary for lane in self.lanes})


def summary(results: Iterable[Result]) -> Summary:
    results = list(results)
    return _summed(results, [result for result in results if result.phase is Phase.COMPLETED])


def shown(results: Iterable[Result]) -> Summary:
    """The same for people: where no run was completed, the figures are those of what came before each broke off."""
    results = list(results)
    figures = summary(results)
    begun = [result for result in results if result.stats.ttft_s is not None]
    return figures if figures.completed else _summed(results, begun)


def _summed(results: Sequence[Result], done: Sequence[Result]) -> Summary:
    """The ends of `results` with the figures of those that are `done`."""
    phases = [result.phase for result in results]
    return Summary(
        completed=phases.count(Phase.COMPLETED),
        failed=phases.count(Phase.FAILED),
        cancelled=phases.count(Phase.CANCELLED) + phases.count(Phase.INTERRUPTED),
        ttft_s=spread(result.stats.ttft_s for result in done),
        tok_per_s=spread(result.stats.tok_per_s for result in done),
        total_s=spread(result.stats.elapsed_s for result in done),
        usd=spread(result.cost.usd for result in done),
    )


def spread(values: Iterable[N | None]) -> Spread[N] | None:
    """Of the values that are known; an even number of them has its median halfway between the middle two."""
    known = sorted(value for value in values if value is not None)
    return Spread(median(known), known[0], known[-1]) if known else None


def best(lanes: Mapping[str, Summary]) -> Best:
    """Who was best, by the names of the lanes; a lane of which a figure is unknown is not judged by it."""
    return Best(
        ttft=_ahead({name: lane.ttft_s for name, lane in lanes.items()}, min),
        speed=_ahead({name: lane.tok_per_s for name, lane in lanes.items()}, max),
        cost=_ahead({name: lane.usd for name, lane in lanes.items()}, min),
    )


def _ahead(spreads: Mapping[str, Spread[Any] | None], choose: Any) -> tuple[str, ...]:
    known = {name: figure.median for name, figure in spreads.items() if figure is not None}
    mark = choose(known.values(), default=None)
    return tuple(name for name, value in known.items() if value == mark)
