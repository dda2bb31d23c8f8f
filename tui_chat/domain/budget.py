"""Budgets: what may be spent on a reply, in a conversation, on a day and by one command; and what a request may cost.

An amount that is not known counts nothing. A limit is crossed by what goes beyond it: exactly the limit is still
within it, and a limit of 0 allows only what costs nothing.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.events import Usage
from tui_chat.domain.figures import money, tokens, usd
from tui_chat.domain.pricing import UNKNOWN, Cost, cost, total
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tui_chat.domain.pricing import Price

ANSWER_TOKENS = 1000
"""What an answer is taken to have, where neither a limit nor earlier answers of the model tell."""
NOTHING = Decimal(0)


class Limit(StrEnum):
    """What a budget is for."""

    COMMAND = "command"
    """Everything that one command asks: `--max-cost`."""
    REPLY = "reply"
    """One reply, with every try and each time that it was taken up again."""
    CONVERSATION = "conversation"
    DAY = "day"
    """From midnight to midnight, local time."""


class Budget(Struct, frozen=True):
    """The limits in USD; None is no limit."""

    per_reply: Decimal | None = None
    per_conversation: Decimal | None = None
    per_day: Decimal | None = None
    per_command: Decimal | None = None

    def cap(self, limit: Limit) -> Decimal | None:
        return getattr(self, f"per_{limit}")

    @property
    def empty(self) -> bool:
        """There is no limit at all."""
        return self == Budget()


class Spent(Struct, frozen=True):
    """USD spent so far under each limit; all of it known amounts, estimated ones among them."""

    reply: Decimal = NOTHING
    conversation: Decimal = NOTHING
    day: Decimal = NOTHING
    command: Decimal = NOTHING

    def under(self, limit: Limit) -> Decimal:
        return getattr(self, limit)

    def and_then(self, more: Decimal) -> Spent:
        """What will have been spent when one more request has cost `more`: it counts under every limit."""
        return Spent(self.reply + more, self.conversation + more, self.day + more, self.command + more)


class Crossing(Struct, frozen=True):
    """A limit that is crossed, or would be."""

    limit: Limit
    cap: Decimal
    usd: Decimal
    """What is spent in all, beyond `cap`."""

    @property
    def line(self) -> str:
        """`$1.02 of $1.00 for today (per_day)`."""
        return say(f"budget.over.{self.limit}", usd=usd(self.usd), cap=usd(self.cap))


class Left(Struct, frozen=True):
    """How much is left under a limit; never below 0."""

    limit: Limit
    cap: Decimal
    usd: Decimal


class Estimate(Struct, frozen=True):
    """What a request is likely to take, and the limits that it would cross."""

    input: int
    output: int
    cost: Cost
    least: Cost = UNKNOWN
    """What its input alone costs."""
    crossings: tuple[Crossing, ...] = ()
    requests: int = 1
    unpriced: int = 0
    """Requests whose price is not known; `cost` is that of the others."""

    @property
    def line(self) -> str:
        """`likely ~$0.052 for 12,400 tokens in and about 800 out`."""
        line = say("budget.likely", cost=money(self.cost), input=tokens(self.input), output=tokens(self.output))
        if not 0 < self.unpriced < self.requests:
            return line
        return f"{line}; {say('budget.some_prices', count=self.unpriced, of=self.requests)}"

    @property
    def limits(self) -> frozenset[Limit]:
        """The limits that would be crossed."""
        return frozenset(crossing.limit for crossing in self.crossings)

    @property
    def over(self) -> str:
        """The limits that would be crossed, in one line."""
        return " · ".join(crossing.line for crossing in self.crossings)


def likely_cost(input_tokens: float, output_tokens: float, price: Price | None, at: float | None = None) -> Cost:
    """An estimate of one request sent `at` epoch seconds; what a cache may save is not taken off."""
    if price is None:
        return UNKNOWN
    return cost(Usage(input=ceil(input_tokens), output=ceil(output_tokens)), price, exact=False, at=at)


def expected_output(max_tokens: int | None, typical: float | None = None) -> int:
    """Tokens of an answer to come: its limit, else what the model's answers had so far, else ANSWER_TOKENS."""
    if max_tokens is not None:
        return max_tokens
    return ANSWER_TOKENS if typical is None else ceil(typical)


def crossed(
    budget: Budget, spent: Spent, more: Decimal = NOTHING, allowed: Collection[Limit] = ()
) -> tuple[Crossing, ...]:
    """The limits that `spent` and `more` on top of it cross, leaving out those that the user has let go."""
    then = spent.and_then(more)
    caps = [(limit, cap) for limit in Limit if limit not in allowed and (cap := budget.cap(limit)) is not None]
    return tuple(Crossing(limit, cap, then.under(limit)) for limit, cap in caps if then.under(limit) > cap)


def left(budget: Budget, spent: Spent) -> tuple[Left, ...]:
    """What is left under each limit that is set, the least first."""
    caps = [(limit, cap) for limit in Limit if (cap := budget.cap(limit)) is not None]
    amounts = [Left(limit, cap, max(NOTHING, cap - spent.under(limit))) for limit, cap in caps]
    return tuple(sorted(amounts, key=lambda amount: amount.usd))


def judged(estimate: Estimate, budget: Budget, spent: Spent) -> Estimate:
    """The estimate with the limits that it would cross; a request that costs nothing crosses none.

    What one command may spend is a cap, under which an answer may end where it must: only an input that is too dear
    for it keeps a request from being sent.
    """
    certain = crossed(Budget(per_command=budget.per_command), spent, estimate.least.usd or NOTHING)
    likely = crossed(replace(budget, per_command=None), spent, estimate.cost.usd or NOTHING)
    return replace(estimate, crossings=(*certain, *likely) if estimate.cost.usd else ())


def judged_together(estimates: Sequence[Estimate], budget: Budget, spent: Spent) -> Estimate:
    """One estimate of several requests, with the limits that the dearest reply would cross, or all of them together."""
    whole = Estimate(
        sum(one.input for one in estimates),
        sum(one.output for one in estimates),
        total([one.cost for one in estimates]),
        total([one.least for one in estimates]),
        requests=len(estimates),
        unpriced=sum(one.cost.usd is None for one in estimates),
    )
    dearest = max(estimates, key=lambda one: one.cost.usd or NOTHING)
    alone = judged(dearest, Budget(per_reply=budget.per_reply), spent)
    together = judged(whole, replace(budget, per_reply=None), spent)
    return replace(together, crossings=(*alone.crossings, *together.crossings))
