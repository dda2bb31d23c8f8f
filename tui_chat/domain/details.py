"""Everything that is known of one turn's requests, as lines of a label and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tui_chat.domain import figures as show
from tui_chat.domain.ask import Settings
from tui_chat.domain.dates import iso
from tui_chat.domain.events import Usage
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import CostSource
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tui_chat.domain.attempts import AttemptRecord, RunRecord
    from tui_chat.domain.conversation import Node
    from tui_chat.domain.events import Timings
    from tui_chat.domain.figures import Currency
    from tui_chat.domain.meter import Stats
    from tui_chat.domain.pricing import Cost, Price

    PriceOf = Callable[[str, str], Price | None]

MOST = 400
"""Characters of what a server or a file said."""


class Detail(Struct, frozen=True):
    """`label` is empty where a line goes on with the one above; without text it names the lines below it."""

    label: str
    text: str = ""


def details(
    node: Node, runs: Sequence[RunRecord], price_of: PriceOf, currency: Currency | None = None
) -> Iterator[Detail]:
    """The turn as a whole, then each run with each of its tries."""
    if node.result is not None:
        stats = node.result.stats
        yield Detail(say("details.turn", model=visible_line(node.model, MOST)))
        yield Detail(say("details.state"), _state(say(f"state.{node.result.phase}"), node.result.finish_reason))
        yield Detail(say("stats.elapsed"), show.seconds(stats.elapsed_s))
        yield Detail(say("stats.wait"), show.seconds(stats.wait_s))
        yield Detail(say("details.usage"), _usage(stats))
        yield Detail(say("stats.cost"), _cost(node.result.cost, None, currency))
    for number, run in enumerate(runs, 1):
        yield from _run(number, run, price_of(run.endpoint, run.model), currency)
    if not runs:
        yield Detail(say("details.none"))


def as_text(lines: Sequence[Detail]) -> str:
    """The lines as they may be pasted elsewhere."""
    width = max((len(line.label) for line in lines if line.text), default=0)
    return "\n".join(
        f"  {line.label:<{width}}  {line.text}" if line.text else f"{chr(10) if place else ''}{line.label}"
        for place, line in enumerate(lines)
    )


def _run(number: int, run: RunRecord, price: Price | None, currency: Currency | None) -> Iterator[Detail]:
    yield Detail(say("details.run", number=number, id=visible_line(run.id, MOST)))
    yield Detail(say("details.asked"), visible_line(f"{run.endpoint}/{run.model}", MOST))
    yield Detail(say("details.dialect"), run.dialect)
    yield Detail(say("details.began"), iso(run.began) or show.NONE)
    yield Detail(say("details.settings"), _settings(run.settings))
    for attempt, following in zip(run.attempts, (*run.attempts[1:], None), strict=True):
        yield from _attempt(attempt, price, currency)
        if following is not None and (pause := following.at - attempt.at - attempt.stats.elapsed_s) > 0.0005:
            yield Detail(say("details.pause"), show.seconds(pause))


def _attempt(attempt: AttemptRecord, price: Price | None, currency: Currency | None) -> Iterator[Detail]:
    stats = attempt.stats
    key = "details.try_resumed" if attempt.resumes else "details.try"
    yield Detail(say(key, number=attempt.n, resumes=attempt.resumes))
    yield Detail(say("details.state"), _state(say(f"state.{attempt.phase}"), attempt.finish_reason))
    if attempt.failure is not None:
        yield Detail(say("details.failure"), f"{attempt.failure.kind}: {visible_line(attempt.failure.message, MOST)}")
        if attempt.failure.hint:
            yield Detail("", visible_line(attempt.failure.hint, MOST))
    if attempt.refused is not None:
        yield Detail(say("details.refused"), visible_line(attempt.refused, MOST))
    yield Detail(say("details.sent"), f"+{show.seconds(attempt.at)}")
    status = show.NONE if attempt.status is None else str(attempt.status)
    yield Detail(say("details.status"), status)
    yield Detail(say("details.request"), visible_line(attempt.request_id or "", MOST) or show.NONE)
    yield Detail(say("stats.connect"), _connection(attempt))
    yield Detail(say("stats.elapsed"), show.seconds(stats.elapsed_s))
    if stats.usage != Usage():
        yield from _answer(attempt, price, currency)


def _answer(attempt: AttemptRecord, price: Price | None, currency: Currency | None) -> Iterator[Detail]:
    """What there is to tell of a try that was answered."""
    stats = attempt.stats
    yield Detail(say("stats.ttft"), _times(stats))
    yield Detail(say("details.speed"), _speed(stats))
    yield Detail(say("stats.gaps"), _gaps(stats))
    if stats.timings is not None:
        yield Detail(say("stats.server"), _server(stats.timings))
    yield Detail(say("details.usage"), _usage(stats))
    if (estimate := estimated(stats)) is not None:
        yield Detail(say("details.estimate"), estimate)
    yield Detail(say("stats.cost"), _cost(attempt.cost, price, currency))


def estimated(stats: Stats) -> str | None:
    """`estimated 412, counted 398: +3.5 %`: the tokens of the answer, reasoning left out."""
    if stats.estimate is None or not stats.usage.output:
        return None
    counted = stats.usage.output - (stats.usage.reasoning or 0)
    guessed, error = round(stats.estimate * counted), (stats.estimate - 1) * 100
    return say("details.estimated", guessed=f"{guessed:,}", counted=f"{counted:,}", error=f"{error:+.1f}")


def _state(state: str, reason: str | None) -> str:
    return state if reason is None else f"{state} · {say('details.reason', reason=visible_line(reason, MOST))}"


def _settings(settings: Settings) -> str:
    """What was set; the rest was left to the server."""
    empty = Settings()
    said = {
        name: getattr(settings, name)
        for name in Settings.__struct_fields__
        if getattr(settings, name) != getattr(empty, name)
    }
    parts = [f"{name} = {visible_line(str(value), MOST)}" for name, value in said.items()]
    return " · ".join(parts) or say("details.defaults")


def _connection(attempt: AttemptRecord) -> str:
    stats = attempt.stats
    if stats.warm:
        how = say("details.warm")
    else:
        how = show.NONE if stats.connect_s is None else say("details.cold", seconds=show.seconds(stats.connect_s))
    return how if attempt.via is None else f"{how} · {say('details.via', proxy=visible_line(attempt.via, MOST))}"


def _times(stats: Stats) -> str:
    first, answer = show.seconds(stats.ttft_s), show.seconds(stats.ttft_answer_s)
    return first if stats.ttft_s == stats.ttft_answer_s else say("details.ttft", first=first, answer=answer)


def _speed(stats: Stats) -> str:
    decode, total = (show.rate(rate, exact=stats.exact) for rate in (stats.tok_per_s, stats.total_per_s))
    return say("details.rates", decode=decode, total=total)


def _gaps(stats: Stats) -> str:
    p50, p95, most = map(show.seconds, (stats.gap_p50_s, stats.gap_p95_s, stats.gap_max_s))
    return say("details.gaps", p50=p50, p95=p95, most=most)


def _server(own: Timings) -> str:
    return say(
        "details.server",
        prompt=show.seconds(own.prompt_s),
        decode=show.seconds(own.decode_s),
        rate=show.rate(own.tok_per_s),
    )


def _usage(stats: Stats) -> str:
    usage, exact = stats.usage, stats.exact
    given = [show.tokens(usage.input, exact=exact)]
    for key, count in (("stats.cached", usage.cached), ("details.written", usage.cache_write)):
        given += [f"{say(key)} {show.tokens(count)}"] if count is not None else []
    came = [show.tokens(usage.output, exact=exact)]
    came += [f"{say('stats.reasoning')} {show.tokens(usage.reasoning, exact=exact)}"] if usage.reasoning else []
    counted = say("details.counted" if exact else "details.guessed")
    return f"{say('stats.input')} {_with(given)} · {say('stats.output')} {_with(came)} · {counted}"


def _with(parts: list[str]) -> str:
    first, *more = parts
    return f"{first} ({', '.join(more)})" if more else first


def _cost(cost: Cost, price: Price | None, currency: Currency | None) -> str:
    """The amount, where it comes from, and of which day and source the price is."""
    parts = [show.money(cost, currency)]
    if cost.source is not CostSource.UNKNOWN:
        parts.append(say(f"details.cost.{cost.source}"))
    if cost.price_checked is not None:
        parts.append(say("details.checked", day=cost.price_checked))
        if price is not None and price.source is not None and price.checked == cost.price_checked:
            parts.append(visible_line(price.source, MOST))
    if cost.note:
        parts.append(visible_line(cost.note, MOST))
    return " · ".join(parts)
