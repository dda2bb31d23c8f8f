"""What requests have used, in a table that sums are fast in: drawn from the tries, and at any time drawn again.

Tries are stored whole, as JSON, which no sum can be taken of in time; here each has a short row. Rows are made when
somebody asks, for the tries that have come since, so that writing a reply costs nothing more.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from array import array
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tui_chat.domain.events import Usage
from tui_chat.domain.pricing import CostSource
from tui_chat.domain.usage import By, Line, Report, sorted_lines, summed
from tui_chat.domain.whatif import Request
from tui_chat.wire.forms import AttemptForm, CostForm, TimingForm, UsageForm, runs_of
from tui_chat.wire.surrogates import well_formed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import date

    from tui_chat.domain.attempts import RunRecord
    from tui_chat.domain.usage import Asked
    from tui_chat.store.database import Database

AT_ONCE = 5_000
"""Rows that are made in one transaction."""
WRITE_S = 60.0
"""How long the table is waited for; then what is asked is worked out without it."""
COLUMNS = (
    "attempt", "node", "first", "at", "endpoint", "model", "failed", "input", "cached", "cache_write",
    "cache_write_1h", "reasoning", "output", "exact", "usd", "odd_usd", "estimated", "ttft_s", "tok_per_s",
)  # fmt: skip
"""`first`: of the tries of its reply it is the first; `at`: when it was sent, in epoch seconds."""
PUT = f"INSERT INTO usage ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
KEYS = {By.MODEL: "model", By.ENDPOINT: "endpoint", By.DAY: "date(at, 'unixepoch', 'localtime')"}
SUMS = """
    total(first), count(*), total(failed), sum(input), sum(cached), sum(cache_write), sum(reasoning), sum(output),
    coalesce(min(CASE WHEN input IS NULL AND output IS NULL THEN 1 ELSE exact END), 1), sum(usd),
    exact_sum(odd_usd) FILTER (WHERE odd_usd IS NOT NULL), coalesce(max(estimated), 0),
    total(coalesce(usd, odd_usd) IS NULL AND coalesce(input, output) IS NOT NULL),
    median_ttft(ttft_s) FILTER (WHERE ttft_s IS NOT NULL), median_rate(tok_per_s) FILTER (WHERE tok_per_s IS NOT NULL),
    min(at), max(at)
"""
LATER = """
    SELECT a.id, a.node, NOT EXISTS (SELECT 1 FROM attempts b WHERE b.node = a.node AND b.id < a.id), n.created, a.form
    FROM attempts a JOIN nodes n ON n.id = a.node WHERE a.id > ? ORDER BY a.id LIMIT ?
"""
PICO = Decimal(10) ** 12
"""Of a dollar in the column `usd`."""
MOST_PICO = 10**15
"""More than this goes to `odd_usd`, for the sum of a million of them must find room."""
USED = "coalesce(input, output) IS NOT NULL"
OF_CONVERSATION = "node IN (SELECT n.id FROM nodes n JOIN conversations c ON c.id = n.conversation WHERE c.uid = ?)"
MOST_MODELS = 12
MOST = 10**12
"""A count of an imported file that is larger means nothing, and would leave SQLite no room for a sum."""


class _More(Struct, frozen=True):
    cache_write_1h: int | None = None


class _Figures(Struct, frozen=True):
    usage: UsageForm = UsageForm()
    timing: TimingForm = TimingForm()
    cost: CostForm = CostForm()
    more: _More = _More()


class _Try(Struct, frozen=True):
    """What is read of an AttemptForm."""

    endpoint: str = ""
    model: str = ""
    state: str = ""
    began: float | None = None
    at: float = 0.0
    figures: _Figures = _Figures()


_try = msgspec.json.Decoder(_Try)
_attempt = msgspec.json.Decoder(AttemptForm)


def report(database: Database, asked: Asked) -> Report:
    """What the requests came to; may block. Raises StoreError."""
    where, values = _condition(asked)
    with _table(database) as c:
        medians = _Medians(c)
        query = f"SELECT {KEYS[asked.by]} AS key, {SUMS} FROM usage {where} GROUP BY key"
        rows = c.execute(query, values).fetchall()
    lines = [_line(row) for row in rows]
    times = [at for *_, first, last in rows for at in (first, last)]
    total = replace(summed(lines), ttft_s=medians.ttft.of_all(), tok_per_s=medians.rate.of_all())
    return Report(asked, sorted_lines(asked.by, lines), total, min(times, default=None), max(times, default=None))


def models(database: Database, asked: Asked) -> list[str]:
    """The models that were asked, as `ENDPOINT/MODEL`, those with the most requests first. Raises StoreError."""
    where, values = _condition(asked, USED)
    query = f"SELECT endpoint || '/' || model FROM usage {where} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ?"
    with _table(database) as c:
        return [name for (name,) in c.execute(query, (*values, MOST_MODELS))]


def traffic(database: Database, asked: Asked) -> Iterator[tuple[Request, Line]]:
    """Each request that used tokens, with its own figures.

    Few are held in memory. Nothing else may be read in this thread before the last one. Raises StoreError.
    """
    where, values = _condition(asked, USED)
    query = (
        "SELECT at, model, input, cached, cache_write, cache_write_1h, reasoning, output, exact, usd,"
        f" odd_usd, estimated FROM usage {where} ORDER BY at"
    )
    with _table(database) as c:
        for at, model, given, cached, written, long, thought, output, exact, *usd, estimated in c.execute(
            query, values
        ):
            usage, paid = Usage(given, cached, written, thought, output, None, long), _usd(*usd)
            own = Line(model, 1, 1, exact=bool(exact), usd=paid, estimated=bool(estimated), unpriced=paid is None)
            yield Request(usage, at), own


def tries(database: Database, turn: str) -> tuple[RunRecord, ...]:
    """The runs of a reply with all their tries; may block. Raises StoreError."""
    query = "SELECT a.form FROM attempts a JOIN nodes n ON n.id = a.node WHERE n.uid = ? ORDER BY a.id"
    forms: list[AttemptForm] = []
    with database.reading() as c:
        for (form,) in c.execute(query, (turn,)):
            with suppress(msgspec.MsgspecError):
                forms.append(_attempt.decode(form))
    return runs_of(forms)


# the table


@contextmanager
def _table(database: Database) -> Generator[sqlite3.Connection]:
    """A connection whose table `usage` is complete: the one on the disk, else one in memory."""
    complete = _brought_up(database)
    with database.reading() as c:
        if complete:
            yield c
            return
        c.execute("PRAGMA query_only = OFF")
        c.execute(f"CREATE TEMP TABLE usage ({', '.join(COLUMNS)})")
        try:
            while _fill(c):
                pass
            yield c
        finally:
            c.execute("DROP TABLE temp.usage")
            c.execute("PRAGMA query_only = ON")


def _brought_up(database: Database) -> bool:
    """Make the rows that are missing; False when the disk does not take them."""
    database.open()
    deadline = time.monotonic() + WRITE_S
    try:
        while not database.behind and database.write(_fill).result(max(0.0, deadline - time.monotonic())):
            pass
    except (TimeoutError, CancelledError, sqlite3.Error):
        return False
    return not database.behind


def _fill(c: sqlite3.Connection) -> bool:
    """Make some rows for the tries behind the last one that has one; False when that was the rest."""
    last = c.execute("SELECT coalesce(max(attempt), 0) FROM usage").fetchone()[0]
    found = c.execute(LATER, (last, AT_ONCE)).fetchall()
    c.executemany(PUT, [_row(*row) for row in found])
    return len(found) == AT_ONCE


def _row(attempt: int, node: int, first: int, created: float, form: str) -> tuple[Any, ...]:
    """The row of a try; of one that is damaged, its place alone."""
    try:
        told = _try.decode(form)
    except msgspec.MsgspecError:
        told = _Try()
    usage, cost, timing = told.figures.usage, told.figures.cost, told.figures.timing
    counts = (usage.input, usage.cached, usage.cache_write, told.figures.more.cache_write_1h)
    return (
        attempt,
        node,
        first,
        (created if told.began is None else told.began) + told.at,
        well_formed(told.endpoint),
        well_formed(told.model),
        told.state == "failed",
        *(_count(count) for count in (*counts, usage.reasoning, usage.output)),
        usage.exact,
        *_money(cost.usd),
        cost.source is CostSource.ESTIMATED and bool(cost.usd),
        timing.ttft_s,
        timing.tok_per_s,
    )


def _money(usd: Decimal | None) -> tuple[int | None, str | None]:
    """(usd, odd_usd) of an amount."""
    if usd is None:
        return None, None
    pico = usd * PICO
    held = abs(pico) <= MOST_PICO and pico == pico.to_integral_value()
    return (int(pico), None) if held else (None, str(usd))


def _usd(pico: int | None, odd: str | None) -> Decimal | None:
    """The amount that the two columns hold, or their sums."""
    if pico is None and odd is None:
        return None
    return Decimal(pico or 0) / PICO + Decimal(odd or 0)


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= MOST else None


# sums


def _condition(asked: Asked, *more: str) -> tuple[str, list[object]]:
    """The WHERE of what is asked for, with its values."""
    limits = (
        ("at >= ?", None if asked.since is None else _begin(asked.since)),
        ("at < ?", None if asked.until is None else _begin(asked.until)),
        (OF_CONVERSATION, asked.conversation),
        ("node = (SELECT id FROM nodes WHERE uid = ?)", asked.turn),
        ("model = ?", asked.model),
        ("endpoint = ?", asked.endpoint),
    )
    set_ = [(text, value) for text, value in limits if value is not None]
    parts = [*(text for text, _ in set_), *more]
    return f"WHERE {' AND '.join(parts)}" if parts else "", [value for _, value in set_]


def _begin(day: date) -> float:
    """Epoch seconds at which a day begins, by the clock of this place."""
    return time.mktime(day.timetuple())


def _line(row: tuple[Any, ...]) -> Line:
    key, replies, requests, failed, *counts, exact, usd, odd, estimated, unpriced, ttft, rate, _, _ = row
    return Line(
        key or "",
        int(replies),
        requests,
        int(failed),
        *counts,
        exact=bool(exact),
        usd=_usd(usd, odd),
        estimated=bool(estimated),
        unpriced=int(unpriced),
        ttft_s=ttft,
        tok_per_s=rate,
    )


class _Medians:
    """The sums that SQLite has not, given to a connection."""

    def __init__(self, c: sqlite3.Connection) -> None:
        self.ttft, self.rate = _Values(), _Values()
        teach: Any = c.create_aggregate  # its stub knows aggregates of integers alone
        teach("median_ttft", 1, lambda: _Median(self.ttft))
        teach("median_rate", 1, lambda: _Median(self.rate))
        teach("exact_sum", 1, _ExactSum)


class _Values:
    """The values of all groups of a query, for the median of the whole."""

    def __init__(self) -> None:
        self._groups: list[array[float]] = []

    def add(self, group: array[float]) -> float | None:
        self._groups.append(group)
        return statistics.median(group) if group else None

    def of_all(self) -> float | None:
        values = [value for group in self._groups for value in group]
        return statistics.median(values) if values else None


class _Median:
    def __init__(self, kept: _Values) -> None:
        self._kept = kept
        self._values = array("d")
        self.step = self._values.append

    def finalize(self) -> float | None:
        return self._kept.add(self._values)


class _ExactSum:
    """Amounts as texts, added up to the last digit."""

    def __init__(self) -> None:
        self._sum: Decimal | None = None

    def step(self, amount: str) -> None:
        self._sum = (self._sum or Decimal(0)) + Decimal(amount)

    def finalize(self) -> str | None:
        return None if self._sum is None else str(self._sum)
