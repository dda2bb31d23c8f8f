"""Price lists of others, taken into a file of the data folder: LiteLLM's table, and OpenRouter's answer to /models.

Each list has a section of its own there, and a new import of the same list replaces it. LiteLLM's names stand as they
are, for they begin with a provider where that matters; OpenRouter's begin with `openrouter/`. The file is JSON: its
thousands of prices are read at each start, and TOML takes thirty times as long.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Struct

from tui_chat.domain.failure import StoreError, UsageError
from tui_chat.domain.pricing import EVERY_DAY
from tui_chat.domain.words import say
from tui_chat.store.files import locked, reason, write_private
from tui_chat.store.paths import prices_file
from tui_chat.store.prices import RATES, price_of
from tui_chat.store.schema import MAX_USD, SPAN, WEEKDAYS, ImportedPrices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tui_chat.domain.pricing import Price

MOST_BYTES = 64 * 2**20
MILLION = 1_000_000
LITELLM_PAGE = "https://github.com/BerriAI/litellm"
OPENROUTER_PAGE = "https://openrouter.ai/api/v1/models"

Table = dict[str, Any]


class Skip(Exception):
    """A model whose price is not taken; the message is the reason."""


class Imported(Struct, frozen=True):
    """What came of an import."""

    list_name: str
    taken: int
    skipped: dict[str, int]
    """How many models were left out, by reason."""
    file: Path


def imported_prices(env: Mapping[str, str]) -> dict[str, Price]:
    """The prices that were imported. Raises StoreError when their file cannot be read."""
    file = prices_file(env)
    try:
        sections = _sections(file)
        return {
            name: price_of(
                row,
                row.tiers,
                row.windows,
                checked=section.checked,
                source=section.source,
                provider=row.provider,
                context=row.context,
            )
            for section in sections.values()
            for name, row in section.prices.items()
        }
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(say("prices.damaged", file=file, fault=error)) from None


def _sections(file: Path) -> dict[str, ImportedPrices]:
    """The sections of our file, by list. Raises msgspec.DecodeError, StoreError."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, ImportedPrices])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(say("store.read", path=file, reason=reason(error))) from error


def import_prices(env: Mapping[str, str], source: Path) -> Imported:
    """Take the prices of a file. Raises UsageError when it is no list that is known, StoreError from writing."""
    content, dated = _read(source)
    name, page, rows = _recognised(source, content)
    prices: Table = {}
    skipped: Counter[str] = Counter()
    for model, row, read in rows:
        try:
            prices[model] = read(row)
        except Skip as skip:
            skipped[str(skip)] += 1
    if not prices:
        raise UsageError(say("prices.none", file=source))
    section = {"checked": dated, "source": page, "prices": prices}
    _keep(env, name.lower(), msgspec.convert(section, ImportedPrices))
    return Imported(name, len(prices), dict(skipped), prices_file(env))


def _read(source: Path) -> tuple[object, str]:
    """The file's JSON and the ISO date of the file."""
    try:
        with source.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        dated = datetime.fromtimestamp(source.stat().st_mtime, UTC)
    except OSError as error:
        raise UsageError(say("store.read", path=source, reason=reason(error))) from error
    if len(data) > MOST_BYTES:
        raise UsageError(say("prices.too_large", file=source))
    try:
        content = json.loads(data, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        raise UsageError(say("prices.not_json", file=source)) from None
    # An archive may have set the file's date to the beginning of time.
    return content, (dated if dated.year > 2000 else datetime.now(UTC)).date().isoformat()


Rows = list[tuple[str, Table, "Callable[[Table], Table]"]]


def _recognised(source: Path, content: object) -> tuple[str, str, Rows]:
    """The name of the list, its page, and its models, each with what reads it."""
    whole = _table(content)
    models = _tables(whole.get("data"))
    if any("pricing" in model for model in models):
        return (
            "OpenRouter",
            OPENROUTER_PAGE,
            [(f"openrouter/{model.get('id')}", model, _openrouter) for model in models],
        )
    named = {name: _table(row) for name, row in whole.items() if name != "sample_spec"}
    if any("litellm_provider" in row for row in named.values()):
        return "LiteLLM", LITELLM_PAGE, [(name, row, _litellm) for name, row in named.items()]
    raise UsageError(say("prices.foreign", file=source))


def _table(value: object) -> Table:
    """`value` if it is a table, else an empty one."""
    return cast("Table", value) if isinstance(value, dict) else {}


def _tables(value: object) -> list[Table]:
    return [_table(entry) for entry in cast("list[object]", value)] if isinstance(value, list) else []


def _keep(env: Mapping[str, str], name: str, section: ImportedPrices) -> None:
    """Write a section; what another import has left stays, unless it is damaged."""
    file = prices_file(env)
    with locked(file):
        try:
            others = _sections(file)
        except msgspec.DecodeError:
            others = {}
        write_private(file, _encode({**others, name: section}))


_encode = msgspec.json.Encoder(decimal_format="number").encode


def _usd(value: object) -> Decimal | None:
    """USD per million tokens for one per token; None for what is no price."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        usd = Decimal(value) * MILLION
    except ArithmeticError:
        return None
    return _plain(usd) if usd.is_finite() and 0 <= usd <= MAX_USD else None


def _plain(usd: Decimal) -> Decimal:
    """Without an exponent and without zeros at the end."""
    return Decimal(format(usd.normalize(), "f"))


OPENROUTER = {
    "input": "prompt",
    "output": "completion",
    "cached": "input_cache_read",
    "cache_write": "input_cache_write",
    "reasoning": "internal_reasoning",
}
OPENROUTER_KNOWN = {*OPENROUTER.values(), "image", "audio", "web_search", "request", "discount", "input_audio_cache"}


def _openrouter(model: Table) -> Table:
    told = _table(model.get("pricing"))
    if _usd(told.get("request", 0)) != 0 or told.keys() - OPENROUTER_KNOWN:
        raise Skip(say("prices.skip.more"))
    rates = {ours: usd for ours, theirs in OPENROUTER.items() if (usd := _usd(told.get(theirs))) is not None}
    if not rates.get("reasoning"):
        rates.pop("reasoning", None)
    return _row(rates, "OpenRouter", model.get("context_length"))


LITELLM = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
}
LITELLM_MODES = ("chat", "responses", "completion", None)
LITELLM_MORE = ("input_cost_per_request", "citation_cost_per_token")
LITELLM_TIER = re.compile(r"_above_(\d+)k_tokens$")


def _litellm(model: Table) -> Table:
    if model.get("mode") not in LITELLM_MODES:
        raise Skip(say("prices.skip.mode"))
    if any(model.get(name) for name in LITELLM_MORE):
        raise Skip(say("prices.skip.more"))
    steps = _tables(model.get("tiered_pricing"))
    base = _litellm_rates(steps[0] if steps else model)
    if not base.get("input") and not base.get("output") and "input" in base:
        # The table says 0 for what nobody knows, too.
        raise Skip(say("prices.skip.zero"))
    row = _row(base, model.get("litellm_provider"), model.get("max_input_tokens"))
    tiers = [*_steps(steps), *_thresholds(model, base)]
    windows = _off_peak(model.get("off_peak_pricing"), base)
    if tiers and windows:
        raise Skip(say("prices.skip.more"))
    return row | ({"tiers": tiers} if tiers else {}) | ({"windows": windows} if windows else {})


def _litellm_rates(told: Table, ending: str = "") -> dict[str, Decimal]:
    rates = {ours: _usd(told.get(f"{theirs}{ending}")) for ours, theirs in LITELLM.items()}
    return {name: usd for name, usd in rates.items() if usd is not None}


def _steps(steps: list[Table]) -> list[Table]:
    """The ranges of `tiered_pricing` after the first."""
    try:
        return [{"above": int(step["range"][0]), **_whole(_litellm_rates(step))} for step in steps[1:]]
    except (KeyError, TypeError, ValueError, IndexError):
        raise Skip(say("prices.skip.more")) from None


def _thresholds(model: Table, base: dict[str, Decimal]) -> list[Table]:
    """The `…_above_200k_tokens` of a model; a rate without one stays as it is."""
    sizes = sorted({int(found[1]) for name in model if (found := LITELLM_TIER.search(name)) and _is_rate(name)})
    return [{"above": k * 1000, **base, **_litellm_rates(model, f"_above_{k}k_tokens")} for k in sizes]


def _is_rate(name: str) -> bool:
    return LITELLM_TIER.sub("", name) in LITELLM.values()


def _off_peak(told: object, base: dict[str, Decimal]) -> list[Table]:
    if told is None:
        return []
    schedule = _table(told)
    rates = base | _litellm_rates(schedule)
    windows = _tables(schedule.get("windows"))
    if not windows:
        raise Skip(say("prices.skip.more"))
    return [
        {"utc": _spans(window.get("hours_utc")), "days": _weekdays(window.get("weekdays")), **rates}
        for window in windows
    ]


def _spans(hours: object) -> list[str]:
    """A span that ends at midnight ends at 24:00 here."""
    listed = cast("list[object]", hours) if isinstance(hours, list) else [hours]
    spans = [re.sub(r"-00:00$", "-24:00", str(span)) for span in listed]
    if not all(SPAN.fullmatch(span) for span in spans):
        raise Skip(say("prices.skip.more"))
    return spans


def _weekdays(days: object) -> list[str]:
    """ISO weekdays by our names; every day where none is named."""
    listed = cast("list[object]", days) if isinstance(days, list) else [*EVERY_DAY]
    if not all(day in EVERY_DAY for day in listed):
        raise Skip(say("prices.skip.more"))
    return [WEEKDAYS[cast("int", day) - 1] for day in listed]


def _row(rates: dict[str, Decimal], provider: object, context: object) -> Table:
    row: Table = {**_whole(rates)}
    if isinstance(provider, str) and provider:
        row["provider"] = provider
    if isinstance(context, int) and not isinstance(context, bool) and context > 0:
        row["context"] = context
    return row


def _whole(rates: dict[str, Decimal]) -> dict[str, Decimal]:
    """The rates in our order; raises Skip without the two that every price has."""
    if "input" not in rates or "output" not in rates:
        raise Skip(say("prices.skip.none"))
    if rates.get("reasoning") == rates["output"]:
        rates = {name: usd for name, usd in rates.items() if name != "reasoning"}
    return {name: rates[name] for name in RATES if name in rates}
