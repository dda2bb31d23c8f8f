"""Keeping to the budget: what a request is likely to cost before it leaves, and where it has to stop."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING

from tui_chat.domain.budget import Budget, Estimate, expected_output, judged, likely_cost
from tui_chat.domain.failure import Failure, Kind, failure
from tui_chat.domain.pricing import Cost, CostSource
from tui_chat.domain.tokens import count, tokens_of
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from tui_chat.domain.ask import Ask
    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.budget import Crossing, Spent
    from tui_chat.domain.pricing import Price
    from tui_chat.domain.tokens import Ratios
    from tui_chat.engine.ports import Engine


def prompt_tokens(ask: Ask, ratios: Ratios | None = None) -> float:
    """What is sent to the model, in estimated tokens; with the text that an answer is to be gone on with."""
    so_far = ask.continuation.text if ask.continuation is not None else ""
    said = (tokens_of(message.text, ratios) for message in ask.messages)
    return sum((count(ask.settings.system or "", ratios), *said, count(so_far, ratios)))


def foreseen(engine: Engine, ask: Ask, price: Price | None) -> Estimate:
    """What an Ask is likely to take if it is sent now."""
    endpoint, model = ask.endpoint.name, ask.model
    size = prompt_tokens(ask, engine.knowledge.ratios(endpoint, model))
    output = expected_output(ask.settings.max_tokens, engine.ledger.answer_tokens(endpoint, model))
    at = engine.clock.wall()
    least, likely = (likely_cost(size, tokens, price, at) for tokens in (0, output))
    return Estimate(ceil(size), output, likely, least)


def sending_cost(engine: Engine, tokens: float, price: Price | None) -> Cost:
    """What so many tokens cost if they are sent now, without their answer."""
    return likely_cost(tokens, 0, price, engine.clock.wall())


def weighed(engine: Engine, ask: Ask, price: Price | None, budget: Budget, spent: Spent) -> Estimate:
    """The estimate of an Ask, with the limits that it would likely cross."""
    return judged(foreseen(engine, ask, price), budget, spent)


def midnight(at: float) -> float:
    """The epoch seconds at which the day of `at` began by the clock of this place."""
    return datetime.fromtimestamp(at).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def spent_today(engine: Engine) -> Decimal:
    """USD spent since local midnight, by every program on the same data; may read from the disk."""
    return engine.ledger.spent_since(midnight(engine.clock.wall()))


def cost_today(engine: Engine) -> Cost:
    """The same, and whether a part of it is an estimate."""
    usd = spent_today(engine)
    estimated = engine.ledger.estimated_since(midnight(engine.clock.wall()))
    return Cost(usd, CostSource.ESTIMATED if estimated else CostSource.COMPUTED)


def book(engine: Engine, run: RunRecord) -> None:
    """Count what a run has cost into its day; whatever it came to, with every try."""
    for attempt in run.attempts:
        if attempt.cost.usd:
            estimated = attempt.cost.source is CostSource.ESTIMATED
            engine.ledger.book(run.began + attempt.at, attempt.cost.usd, estimated=estimated)


def unsent(estimate: Estimate) -> Failure:
    """Why a request was not sent: the estimate and the limits that it would cross, in one line."""
    message = say("fail.budget_unsent", estimate=estimate.line, over=estimate.over)
    return Failure(Kind.BUDGET, message, say("hint.budget_unsent"))


def stopped(crossings: Sequence[Crossing]) -> Failure:
    """Why a reply was stopped."""
    return failure(Kind.BUDGET, say("fail.budget", over=" · ".join(crossing.line for crossing in crossings)))
