"""`tui-chat cost --history` and `--conversation`: what the requests that were made would have cost elsewhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tui_chat.cli.cost_output import fields_of, print_rows, savings
from tui_chat.cli.looking import find, looked_into
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.domain import figures
from tui_chat.domain.dates import iso
from tui_chat.domain.usage import Asked
from tui_chat.domain.whatif import DAY_S, Measured, elsewhere, monthly
from tui_chat.domain.words import say
from tui_chat.store.usage import models, traffic
from tui_chat.wire.spreadsheet import as_csv
from tui_chat.wiring.offers import offers, priced_models, unpriced, usual_models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tui_chat.wiring import House

COLUMNS = ("model", "provider", "usd", "ratio", "saving_pct", "month_usd", "checked", "source", "note")


def compare(
    names: Sequence[str],
    conversation: str | None,
    span: tuple[date | None, date | None],
    *,
    everything: bool,
    against: str | None,
    endpoint: str | None,
    form: str,
) -> None:
    """Compare measured traffic at the models of these names, else at the usual ones and those that were asked."""
    with looked_into() as built:
        uid = None if conversation is None else find(built, conversation)
        asked = Asked(since=span[0], until=span[1], conversation=uid)
        found = _measured(built, asked, names, everything=everything, against=against, endpoint=endpoint)
        named = [*names, *([against] if against else [])]
        until = min(time.time(), time.mktime(span[1].timetuple())) if span[1] is not None else time.time()
        # A conversation is no month's traffic.
        end = until if uid is None else None
        if form == "table":
            for line in unpriced(built.config, offers(built.config, named, _today(), endpoint), named):
                complain(line)
        if form == "json":
            print_json(_as_object(found, end, built))
        elif form == "csv":
            _print_csv(found, end, built)
        else:
            _print_table(found, end, built)


def _measured(
    built: House, asked: Asked, names: Sequence[str], *, everything: bool, against: str | None, endpoint: str | None
) -> Measured:
    database, config = built.chats.database, built.config
    stored = built.chats.stored
    if everything:
        wanted = priced_models(config)
    else:
        used = models(database, asked) if stored else []
        wanted = [*names] or [*used, *usual_models(config, used)]
    compared = offers(config, [*wanted, *([against] if against else [])], _today(), endpoint)
    return elsewhere(traffic(database, asked) if stored else (), compared, against)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _as_object(found: Measured, end: float | None, built: House) -> dict[str, Any]:
    total, currency = found.total, built.config.currency
    return {
        "tokens": {"input": total.input, "output": total.output},
        "currency": currency.code,
        "per_usd": currency.per_usd,
        "requests": total.requests,
        "first": iso(found.first),
        "last": iso(found.last),
        "days": _days(found, end),
        "paid": {
            "usd": total.usd,
            "source": total.cost.source,
            "unpriced": total.unpriced,
            "month_usd": _month(total.usd, found, end),
        },
        "against": "paid" if found.reference is None else found.reference,
        "rows": [{**fields_of(row, currency), "month_usd": _month(row.usd, found, end)} for row in found.rows],
        "cheapest": savings(found.rows),
    }


def _days(found: Measured, end: float | None) -> float | None:
    """The days that a projection is made from."""
    return None if end is None or found.first is None else round(max(1.0, (end - found.first) / DAY_S), 3)


def _month(usd: Any, found: Measured, end: float | None) -> Any:
    return None if end is None else monthly(usd, found.first, end)


def _print_csv(found: Measured, end: float | None, built: House) -> None:
    lines: list[Sequence[object]] = [COLUMNS]
    for row in found.rows:
        fields = {**fields_of(row, built.config.currency), "month_usd": _month(row.usd, found, end)}
        lines.append([fields[name] for name in COLUMNS])
    print_line(as_csv(lines).removesuffix("\n"))


def _print_table(found: Measured, end: float | None, built: House) -> None:
    total, currency = found.total, built.config.currency
    if not total.requests:
        print_line(say("usage.none_then"))
        return
    tokens = {name: figures.tokens(getattr(total, name), exact=total.exact) for name in ("input", "output")}
    print_line(say("whatif.traffic", requests=f"{total.requests:,}", **tokens))
    print_rows(found.rows, currency, months=None if end is None else [_month(r.usd, found, end) for r in found.rows])
    print_line(say("whatif.paid", paid=figures.money(total.cost, currency)))
    if total.unpriced:
        print_line(say("usage.unpriced", count=f"{total.unpriced:,}"))
    print_line(say("whatif.against", against=found.reference) if found.reference else say("whatif.against_paid"))
    if (days := _days(found, end)) is not None:
        print_line(say("whatif.month", days=f"{days:,.0f}"))
