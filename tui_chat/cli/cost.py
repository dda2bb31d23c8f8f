"""`tui-chat cost`: what the same tokens cost at different models, and the import of price lists."""

from __future__ import annotations

import csv
import io
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.exits import ExitCode
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.domain.events import Usage
from tui_chat.domain.failure import ConfigError, UsageError
from tui_chat.domain.figures import NONE, USD, in_both, tokens
from tui_chat.domain.pricing import ANY_MODEL, find_price
from tui_chat.domain.whatif import ARTICLE, Offer, Request, Row, saving, what_if
from tui_chat.domain.words import say
from tui_chat.store.config import DEMO, load
from tui_chat.store.price_import import import_prices
from tui_chat.store.prices import PRICE_SOURCE
from tui_chat.store.state import load_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.whatif import Row
    from tui_chat.store.config import Config

TOKENS = "10M"
MODELS = "tui_chat.cost.models"
MOST_TOKENS = 10**15
UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
COLUMNS = ("model", "provider", "usd", "ratio", "saving_pct", "checked", "source", "when", "note")

_COUNT = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)([kmbg]?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """Whose prices to compare."""

    models: tuple[str, ...]
    all: bool
    reference: str | None


@click.group("cost", invoke_without_command=True, short_help="Compare what the same tokens cost at different models.")
@click.option(
    "--tokens", "output", default=TOKENS, show_default=True, metavar="N", help="Output tokens: 10M, 500k, 1234."
)
@click.option("--input-tokens", "given", default="0", show_default=True, metavar="N", help="Input tokens, none cached.")
@click.option("--all", "everything", is_flag=True, help="Every model whose price is known.")
@click.option("--against", metavar="MODEL", help="The model that ratio and saving refer to; else the dearest.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    common: Common,
    output: str,
    given: str,
    everything: bool,
    against: str | None,
    form: str,
    as_json: bool,
) -> int | None:
    """Compare what the same tokens cost at different models, the dearest first.

    With -m MODEL, as often as you like, those models; else four well-known ones and those of your configuration.
    """
    if ctx.invoked_subcommand is not None:
        return None
    usage = Usage(input=_count(given, "--input-tokens"), output=_count(output, "--tokens"))
    config = _config()
    choice = Choice(ctx.meta.get(MODELS) or ((common.model,) if common.model else ()), everything, against)
    offers = _offers(config, common, choice)
    rows = what_if([Request(usage, many=True)], offers, against)
    _print(rows, usage, config, "json" if as_json else form)
    return ExitCode.DONE


def _all_models(ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> str | None:
    """Keep every `-m`; the last one is what the common options get."""
    ctx.meta[MODELS] = given
    return given[-1] if given else None


command.params = [
    click.Option(param.opts, multiple=True, metavar="MODEL", callback=_all_models, help="A model to compare.")
    if param.name == "model"
    else param
    for param in command.params
]


@command.command("import", short_help="Take the prices of a list into your own.")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@common
def take_over(common: Common, file: Path, as_json: bool) -> int:
    """Take the prices of FILE: LiteLLM's model_prices_and_context_window.json, or what OpenRouter's /models answers.

    They stand above those that come with the program, and below those of config.toml.
    """
    done = import_prices(os.environ, file)
    if as_json:
        print_json({"list": done.list_name, "taken": done.taken, "skipped": done.skipped, "file": str(done.file)})
        return ExitCode.DONE
    print_line(say("prices.taken", count=f"{done.taken:,}", list=done.list_name, file=done.file))
    for why, count in done.skipped.items():
        print_line(say("prices.skipped", count=f"{count:,}", why=why))
    return ExitCode.DONE


def _config() -> Config:
    config = load(os.environ, saved=load_state(os.environ))
    if config.unreadable:
        raise ConfigError(config.unreadable)
    for problem in config.problems:
        complain(str(problem))
    return config


def _count(text: str, option: str) -> int:
    """`10M` as 10,000,000. Raises UsageError."""
    found = _COUNT.fullmatch(text.strip())
    try:
        count = Decimal(found[1].replace(",", "").replace("_", "")) * UNITS[found[2].lower()] if found else None
    except InvalidOperation:
        count = None
    if count is None or count != int(count) or count > MOST_TOKENS:
        raise UsageError(say("usage.tokens", option=option, text=text))
    return int(count)


def _offers(config: Config, common: Common, choice: Choice) -> list[Offer]:
    if choice.all:
        names: Iterable[str] = _models(config)
    else:
        names = choice.models or (*ARTICLE, *_in_use(config))
    extra = (choice.reference,) if choice.reference else ()
    return [_offer(config, common, name) for name in dict.fromkeys((*names, *extra))]


def _models(config: Config) -> list[str]:
    """The names of models that have a price, each once: not again for a host that asks the same."""
    prices = config.prices
    return [
        name
        for name, price in prices.items()
        if not name.endswith(f"/{ANY_MODEL}")
        and not name.startswith(f"{DEMO}/")
        and prices.get(name.partition("/")[2]) is not price
    ]


def _in_use(config: Config) -> Iterable[str]:
    """The models that the user has named: in config.toml, and last on screen."""
    named = [
        config.default.model,
        *(profile.model for profile in config.profiles.values()),
        load_state(config.env).model,
    ]
    own = [name for name in _models(config) if config.prices[name].source == PRICE_SOURCE]
    return [name for name in (*named, *own) if name]


def _offer(config: Config, common: Common, name: str) -> Offer:
    """A model at today's price; `X/Y` is a model of the endpoint X where there is one of that name."""
    endpoint, slash, model = name.partition("/")
    if common.endpoint is None and slash and config.knows(endpoint):
        price = find_price(config.prices, endpoint, model)
    else:
        price = find_price(config.prices, common.endpoint or "", name)
    return Offer(name, None if price is None else price.on(datetime.now(UTC).date().isoformat()))


def _print(rows: list[Row], usage: Usage, config: Config, form: str) -> None:
    if form == "json":
        print_json(_as_object(rows, usage, config))
    elif form == "csv":
        _print_csv(rows, config)
    else:
        _print_table(rows, usage, config)


def _as_object(rows: list[Row], usage: Usage, config: Config) -> dict[str, Any]:
    priced = [row for row in rows if row.usd is not None]
    return {
        "tokens": {"input": usage.input, "output": usage.output},
        "currency": config.currency.code,
        "per_usd": config.currency.per_usd,
        "rows": [_fields(row, config) for row in rows],
        "cheapest": {"model": priced[-1].model, "saves_pct": _savings(priced)} if priced else None,
    }


def _fields(row: Row, config: Config) -> dict[str, Any]:
    price = row.price
    return {
        "model": row.model,
        "provider": price.provider if price is not None else None,
        "usd": row.usd,
        "ratio": row.ratio,
        "saving_pct": row.saving_pct,
        "checked": price.checked if price is not None else None,
        "source": price.source if price is not None else None,
        "when": row.when or None,
        "note": price.note or None if price is not None else None,
        "amount": None if row.usd is None else row.usd * config.currency.per_usd,
    }


def _savings(priced: list[Row]) -> dict[str, Decimal | None]:
    """Per cent that the cheapest costs less than each of the others."""
    *others, cheapest = priced
    return {
        f"{row.model} {row.when}".strip(): saving(cheapest.usd, row.usd)
        for row in others
        if row.usd is not None and cheapest.usd is not None
    }


def _print_csv(rows: list[Row], config: Config) -> None:
    local = config.currency.code.lower()
    columns = COLUMNS if local == USD.lower() else (*COLUMNS, local)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        fields = _fields(row, config)
        fields[local] = fields["usd"] if local == USD.lower() else fields["amount"]
        writer.writerow(_cell(fields[name]) for name in columns)
    print_line(out.getvalue().removesuffix("\n"))


def _cell(value: object) -> str:
    """Amounts without exponents; text that a spreadsheet would take for a formula stands behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def _print_table(rows: list[Row], usage: Usage, config: Config) -> None:
    print_line(say("cost.traffic", input=tokens(usage.input), output=tokens(usage.output)))
    lines = [say("cost.columns").split(" | "), *(_line(row, config) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for model, provider, *figures, checked, note in lines:
        right = (f"{cell:>{width}}" for cell, width in zip(figures, widths[2:-2], strict=True))
        cells = (f"{model:<{widths[0]}}", f"{provider:<{widths[1]}}", *right, f"{checked:<{widths[-2]}}", note)
        print_line("  ".join(cells).rstrip())
    _print_savings([row for row in rows if row.usd is not None])


def _line(row: Row, config: Config) -> list[str]:
    price = row.price
    return [
        row.model,
        (price.provider if price is not None else None) or NONE,
        in_both(row.usd, config.currency) if row.usd is not None else "price?",
        NONE if row.ratio is None else f"{row.ratio:f}",
        NONE if row.saving_pct is None else f"{row.saving_pct:f} %",
        (price.checked if price is not None else None) or NONE,
        "; ".join(text for text in (row.when, price.note if price is not None else "") if text),
    ]


def _print_savings(priced: list[Row]) -> None:
    if len(priced) > len(ARTICLE) * 2 or not priced or not priced[-1].usd:
        return
    for name, percent in _savings(priced).items():
        if percent:
            print_line(say("cost.saves", cheapest=priced[-1].model, percent=f"{percent:f}", other=name))
