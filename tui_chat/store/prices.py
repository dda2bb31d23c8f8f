"""The prices in use: those of config.toml above those that were imported, above those that are shipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from tui_chat.domain.pricing import ANY_MODEL, Price, Tier, Window
from tui_chat.domain.words import say
from tui_chat.store.schema import WEEKDAYS, PriceTable, RatesTable, TierTable, WindowTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui_chat.store.tables import Reader

R = TypeVar("R", bound=RatesTable)

PRICE_SOURCE = "config.toml"
RATES = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")


class Prices(Mapping[str, Price]):
    """Prices by name, read when one is asked for: the catalog takes longer than all the rest of a configuration."""

    def __init__(self, read: Callable[[], Mapping[str, Price]]) -> None:
        self._read = read

    @cached_property
    def _all(self) -> Mapping[str, Price]:
        return self._read()

    def __getitem__(self, name: str) -> Price:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def price_of(table: RatesTable, tiers: Iterable[TierTable], windows: Iterable[WindowTable], **about: Any) -> Price:
    """The price that a table states; `about` are the fields of Price that say what it is of and where it was read."""
    return Price(
        **_rates(table),
        **about,
        tiers=tuple(Tier(**_rates(tier), above=tier.above, whole=tier.whole) for tier in tiers),
        windows=tuple(window for row in windows for window in _windows(row)),
    )


def _rates(table: RatesTable) -> dict[str, Any]:
    return {name: getattr(table, name) for name in RATES}


def _windows(table: WindowTable) -> Iterable[Window]:
    days = tuple(WEEKDAYS.index(day) + 1 for day in table.days)
    for span in table.utc:
        begins, ends = (int(time[:2]) * 60 + int(time[3:]) for time in span.split("-"))
        yield Window(**_rates(table), begins=begins, ends=ends, weekdays=days, since=table.since)


def layered(lower: Mapping[str, Price], own: Mapping[str, Price], bad: Iterable[str]) -> dict[str, Price]:
    """The user's own prices above others; a spoilt one hides what stands below as well, for that was not wanted.

    The name `m` stands for the model wherever it is asked: it hides `host/m`, and comes before `host/*`.
    """
    hidden = {*own, *bad}
    kept = {name: price for name, price in lower.items() if hidden.isdisjoint(_endings(name))}
    hosts = [name.removesuffix(ANY_MODEL) for name in kept if name.endswith(f"/{ANY_MODEL}")]
    hosted = {f"{host}{name}": price for name, price in own.items() for host in hosts}
    return {**kept, **hosted, **own}


def _endings(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]


def own_prices(section: Mapping[str, Any], reader: Reader) -> tuple[dict[str, Price], list[str]]:
    """The prices of `[prices]`, and the names whose price is spoilt."""
    good: dict[str, Price] = {}
    bad: list[str] = []
    for name, entry in section.items():
        price = _own_price(entry, ("prices", name), reader)
        if price is None:
            bad.append(name)
        else:
            good[name] = price
    return good, bad


def _own_price(entry: object, at: tuple[str, ...], reader: Reader) -> Price | None:
    table, fault = reader.table(PriceTable, entry, at)
    if table is None or fault is not None:
        return None
    tiers = _rows(TierTable, table.tiers, (*at, "tiers"), reader)
    windows = _rows(WindowTable, table.windows, (*at, "windows"), reader)
    if tiers is None or windows is None:
        return None
    if tiers and windows:
        reader.report(at, say("config.tiers_and_windows"))
        return None
    return price_of(table, tiers, windows, source=PRICE_SOURCE, context=table.context, vision=table.vision)


def _rows(shape: type[R], rows: list[dict[str, Any]], at: tuple[str, ...], reader: Reader) -> list[R] | None:
    """The rows as tables; None when one of them is spoilt."""
    read = [reader.table(shape, row, (*at, str(n))) for n, row in enumerate(rows, 1)]
    good = [table for table, fault in read if table is not None and fault is None]
    return good if len(good) == len(rows) else None
