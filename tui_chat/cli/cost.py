"""`tui-chat cost`: what the same tokens cost at different models, and the import of price lists."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from msgspec import Struct

from tui_chat.cli.candidates import conversations
from tui_chat.cli.common import Common, common
from tui_chat.cli.cost_output import fields_of, print_rows, savings
from tui_chat.cli.cost_traffic import compare
from tui_chat.cli.exits import ExitCode
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.cli.spans import span
from tui_chat.domain.events import Usage
from tui_chat.domain.failure import ConfigError, UsageError
from tui_chat.domain.figures import USD, tokens
from tui_chat.domain.whatif import ARTICLE, Offer, Request, what_if
from tui_chat.domain.words import for_programs, say
from tui_chat.store.config import load
from tui_chat.store.price_import import import_prices
from tui_chat.store.state import load_state
from tui_chat.wire.spreadsheet import as_csv
from tui_chat.wiring.offers import offers, priced_models, priced_name, unpriced, usual_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui_chat.domain.whatif import Row
    from tui_chat.store.config import Config

TOKENS = "10M"
MODELS = "tui_chat.cost.models"
MOST_TOKENS = 10**15
UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
COLUMNS = ("model", "provider", "usd", "ratio", "saving_pct", "checked", "source", "when", "note")

_COUNT = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)([kmbg]?)", re.IGNORECASE)


class Choice(Struct, frozen=True):
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
@click.option("--history", is_flag=True, help="Instead of --tokens: all requests that were made, at their times.")
@click.option(
    "--conversation",
    metavar="ID",
    shell_complete=conversations,
    help="Instead of --tokens: the requests of a conversation.",
)
@click.option("--since", metavar="DATE", help="Of the requests those from this day, month or year on: 2026-11.")
@click.option("--until", metavar="DATE", help="And those to the end of this one.")
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
    history: bool,
    conversation: str | None,
    since: str | None,
    until: str | None,
) -> int | None:
    """Compare what the same tokens cost at different models, the dearest first.

    With -m MODEL, as often as you like, those models; else four well-known ones and those of your configuration.
    """
    if ctx.invoked_subcommand is not None:
        return None
    form = "json" if as_json else form
    if history or conversation is not None or since or until:
        _refuse_both(ctx)
        names = ctx.meta.get(MODELS) or ((common.model,) if common.model else ())
        days = span(since, until)
        compare(names, conversation, days, everything=everything, against=against, endpoint=common.endpoint, form=form)
        return ExitCode.DONE
    usage = Usage(input=_count(given, "--input-tokens"), output=_count(output, "--tokens"))
    config = _config()
    names = ctx.meta.get(MODELS) or ((common.model,) if common.model else ())
    if common.demo and common.endpoint is None:
        names = tuple(priced_name(config, name) for name in names)
        against = against and priced_name(config, against)
    offers = _offers(config, common, Choice(names, everything, against))
    if form == "table":
        for line in unpriced(config, offers, (*names, against or "")):
            complain(line)
    with for_programs(form != "table"):
        rows = what_if([Request(usage, many=True)], offers, against)
    _print(rows, usage, config, form)
    return ExitCode.DONE


def _refuse_both(ctx: click.Context) -> None:
    """Tokens that were made and tokens that are made up cannot be compared at once. Raises UsageError."""
    for name, option in (("output", "--tokens"), ("given", "--input-tokens")):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(say("usage.measured", option=option))


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
    names = priced_models(config) if choice.all else choice.models or usual_models(config)
    extra = (choice.reference,) if choice.reference else ()
    return offers(config, (*names, *extra), datetime.now(UTC).date().isoformat(), common.endpoint)


def _print(rows: list[Row], usage: Usage, config: Config, form: str) -> None:
    if form == "json":
        print_json(_as_object(rows, usage, config))
    elif form == "csv":
        _print_csv(rows, config)
    else:
        _print_table(rows, usage, config)


def _as_object(rows: list[Row], usage: Usage, config: Config) -> dict[str, Any]:
    return {
        "tokens": {"input": usage.input, "output": usage.output},
        "currency": config.currency.code,
        "per_usd": config.currency.per_usd,
        "rows": [fields_of(row, config.currency) for row in rows],
        "cheapest": savings(rows),
    }


def _print_csv(rows: list[Row], config: Config) -> None:
    local = config.currency.code.lower()
    columns = COLUMNS if local == USD.lower() else (*COLUMNS, local)
    lines: list[Sequence[object]] = [columns]
    for row in rows:
        fields = fields_of(row, config.currency)
        fields[local] = fields["usd"] if local == USD.lower() else fields["amount"]
        lines.append([fields[name] for name in columns])
    print_line(as_csv(lines).removesuffix("\n"))


def _print_table(rows: list[Row], usage: Usage, config: Config) -> None:
    print_line(say("cost.traffic", input=tokens(usage.input), output=tokens(usage.output)))
    print_rows(rows, config.currency)
    saved = savings(rows)
    if saved is None or len(saved["saves_pct"]) >= len(ARTICLE) * 2:
        return
    for name, percent in saved["saves_pct"].items():
        if percent and percent != 100:
            print_line(say("cost.saves", cheapest=saved["model"], percent=f"{percent:f}", other=name))
