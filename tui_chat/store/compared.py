"""What a comparison came to, as JSON, CSV or Markdown: printed by the command line, exported by the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui_chat.domain import figures as show
from tui_chat.domain.ask import in_words
from tui_chat.domain.comparing import shown
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.lane import settings_text
from tui_chat.domain.words import say
from tui_chat.wire.forms import CostForm, ErrorForm, SettingsForm, TimingForm, UsageForm
from tui_chat.wire.spreadsheet import as_csv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui_chat.domain.comparing import Best, Compared, ComparedLane, ComparedRun, Spread, Summary

COLUMNS = (
    *("lane", "endpoint", "model", "settings", "repeat", "state", "finish_reason", "ttft_s", "tok_per_s", "total_s"),
    *("input", "cached", "reasoning", "output", "usd", "cost_source", "error_kind", "text"),
)
MOST = 2_000
"""Characters of what a server says of a failure."""
MARK = "*"
"""Beside a figure that is the best."""


def compared_object(compared: Compared) -> dict[str, Any]:
    """The JSON of the contract; unknown is None, never 0."""
    best = compared.best
    return {
        "prompt": compared.prompt,
        "lanes": [_lane(lane) for lane in compared.lanes],
        "best": {
            "ttft": next(iter(best.ttft), None),
            "speed": next(iter(best.speed), None),
            "cost": next(iter(best.cost), None),
        },
    }


def compared_csv(compared: Compared) -> str:
    """One row a run, under a line of names."""
    return as_csv([COLUMNS, *(_row(lane, run) for lane in compared.lanes for run in lane.runs)])


def compared_markdown(compared: Compared) -> str:
    """The question, the figures, and the answers lane by lane."""
    from tui_chat.store.markdown import MARK as TURN
    from tui_chat.store.markdown import body, escaped

    rows = table(compared)
    lines = ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    parts = [f"# {say('compare.title')}", body(in_words(compared.prompt)), "\n".join(lines)]
    for lane in compared.lanes:
        for run in lane.runs:
            parts.append(f"## {TURN} {escaped(heading(lane, run))}")
            parts += [body(run.reply.text)] if run.reply.text else []
            parts += [f"> {escaped(line)}" for line in (ending(run),) if line]
        parts += [f"> {escaped(lane.note)}"] if lane.note else []
    return "\n\n".join(parts) + "\n"


def table(compared: Compared) -> list[list[str]]:
    """The figures of each lane, under a line of names; what is best is marked."""
    best = compared.best
    return [say("compare.columns").split(" | "), *(_line(lane, best) for lane in compared.lanes)]


def heading(lane: ComparedLane, run: ComparedRun) -> str:
    """`A 2/3 · demo/demo-fast · temperature=0`."""
    repeat = f" {run.repeat}/{len(lane.runs)}" if len(lane.runs) > 1 else ""
    name = "/".join(part for part in (lane.endpoint, lane.model) if part)
    return " · ".join(part for part in (f"{lane.name}{repeat}", name, settings_text(lane.settings)) if part)


def ending(run: ComparedRun) -> str:
    """How a run ended, where it is not simply done."""
    result = run.reply.result
    if result is None:
        return ""
    if result.failure is not None:
        return visible_line(result.failure.line, MOST)
    return "" if result.finish_reason == "stop" else _state(run)


def _lane(lane: ComparedLane) -> dict[str, Any]:
    return {
        "lane": lane.name,
        "endpoint": lane.endpoint or None,
        "model": lane.model or None,
        "settings": SettingsForm.of(lane.settings),
        "runs": [_run(run) for run in lane.runs],
        "summary": _summary(lane.summary),
        "note": lane.note or None,
    }


def _run(run: ComparedRun) -> dict[str, Any]:
    """The object of `ask`, with which repeat it was and whether its connection was open already."""
    reply, result = run.reply, run.reply.result
    assert result is not None
    return {
        "text": reply.text,
        "reasoning": reply.reasoning or None,
        "endpoint": reply.endpoint or None,
        "model": reply.model or None,
        "finish_reason": result.finish_reason,
        "state": result.phase.value,
        "attempts": result.stats.attempts,
        "usage": UsageForm.of(result.stats),
        "timing": TimingForm.of(result.stats),
        "cost": CostForm.of(result.cost),
        "skipped": result.skipped,
        "run": run.run,
        "error": None if result.failure is None else ErrorForm.of(result.failure),
        "repeat": run.repeat,
        "warm": result.stats.warm if result.stats.ttft_s is not None else None,
    }


def _summary(figures: Summary) -> dict[str, Any]:
    return {
        "completed": figures.completed,
        "failed": figures.failed,
        "cancelled": figures.cancelled,
        "ttft_s": _spread(figures.ttft_s),
        "tok_per_s": _spread(figures.tok_per_s),
        "total_s": _spread(figures.total_s),
        "usd": _spread(figures.usd),
    }


def _spread(spread: Spread[Any] | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    values = {"median": spread.median, "min": spread.min, "max": spread.max}
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}


def _row(lane: ComparedLane, run: ComparedRun) -> Iterator[object]:
    found = _run(run)
    usage, timing, cost, error = found["usage"], found["timing"], found["cost"], found["error"]
    yield from (lane.name, lane.endpoint, lane.model, settings_text(lane.settings), run.repeat)
    yield from (found["state"], found["finish_reason"], timing.ttft_s, timing.tok_per_s, timing.total_s)
    yield from (usage.input, usage.cached, usage.reasoning, usage.output, cost.usd, cost.source.value)
    yield from (None if error is None else error.kind.value, found["text"])


def _line(lane: ComparedLane, best: Best) -> list[str]:
    results = lane.results
    figures = shown(results)
    outputs = [result.stats.usage.output for result in results if result.stats.usage.output is not None]
    exact = all(result.stats.exact for result in results)
    longest = [len(run.reply.text) for run in lane.runs]
    return [
        lane.name,
        "/".join(part for part in (lane.endpoint, lane.model) if part) or show.NONE,
        settings_text(lane.settings) or show.NONE,
        _states(lane),
        _marked(show.seconds(figures.ttft_s.median if figures.ttft_s else None), lane.name in best.ttft),
        _marked(
            show.rate(figures.tok_per_s.median if figures.tok_per_s else None, exact=exact), lane.name in best.speed
        ),
        show.seconds(figures.total_s.median if figures.total_s else None),
        show.tokens(sorted(outputs)[len(outputs) // 2] if outputs else None, exact=exact),
        _marked(_cost(lane, figures), lane.name in best.cost),
        f"{sorted(longest)[len(longest) // 2]:,}" if longest else show.NONE,
    ]


def _cost(lane: ComparedLane, figures: Summary) -> str:
    sources = {result.cost.source.value for result in lane.results}
    if figures.usd is None:
        return show.NONE if figures.total_s is None else "price?"
    return show.spent(figures.usd.median, estimated="estimated" in sources)


def _states(lane: ComparedLane) -> str:
    """`done`, or how many of how many where they differ: `2/3 done, 1 failed`."""
    phases = [result.phase for result in lane.results]
    counts = {phase: phases.count(phase) for phase in dict.fromkeys(phases)}
    if len(phases) == 1 or not phases:
        return say(f"state.{phases[0]}") if phases else show.NONE
    return ", ".join(f"{count} {say(f'state.{phase}')}" for phase, count in counts.items())


def _marked(text: str, is_best: bool) -> str:
    return f"{text} {MARK}" if is_best else text


def _state(run: ComparedRun) -> str:
    result = run.reply.result
    assert result is not None
    if result.finish_reason == "length":
        return say("ask.length")
    return "" if result.phase == "completed" else say(f"state.{result.phase}")
