"""`tui-chat models`: what endpoints offer; a key is tested by the way."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from tui_chat.cli.candidates import endpoints
from tui_chat.cli.common import Common, common
from tui_chat.cli.exits import ExitCode, exit_of_kind, worst
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.cli.running import opened, run_until_signal
from tui_chat.domain.failure import Broken, ConfigError
from tui_chat.domain.figures import tokens
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.pricing import find_price
from tui_chat.domain.words import say
from tui_chat.wiring import DEMO

if TYPE_CHECKING:
    from tui_chat.domain.endpoint import Endpoint
    from tui_chat.domain.pricing import Price
    from tui_chat.wire.codec import ModelInfo
    from tui_chat.wiring import House


@click.command("models", short_help="List the models that endpoints offer; this also tests the key.")
@click.argument("name", metavar="[ENDPOINT]", required=False, shell_complete=endpoints)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@common
def command(common: Common, name: str | None, as_json: bool) -> int:
    """List the models of ENDPOINT, or of every endpoint that can be used."""
    return run_until_signal(lambda: _models(common, name, as_json=as_json))


async def _models(common: Common, name: str | None, *, as_json: bool) -> ExitCode:
    async with opened(common) as built:
        names = _asked(built, common, name)
        if not names:
            complain(say("config.none", variables=", ".join(built.endpoints.variables()), file=built.config_file))
            if as_json:
                print_json([])
            return ExitCode.NO_KEY
        answers = await asyncio.gather(*(_offered(built, n, alone=len(names) == 1) for n in names))
        rows = [row for offered, _ in answers for row in offered]
        if as_json:
            print_json(rows)
        else:
            _print_table(rows)
        return worst(code for _, code in answers)


def _asked(built: House, common: Common, name: str | None) -> list[str]:
    if chosen := name or common.endpoint:
        return [chosen]
    return [DEMO] if common.demo else built.endpoints.names()


async def _offered(built: House, name: str, *, alone: bool) -> tuple[list[dict[str, Any]], ExitCode]:
    """The rows of one endpoint; what is wrong with it spares the others. Raises ConfigError when it is the only one."""
    try:
        endpoint = built.endpoints.get(name)
        return [_row(built, endpoint, model) for model in await built.endpoints.offers(endpoint)], ExitCode.DONE
    except Broken as broken:
        complain(f"{name}: {broken.failure.line}")
        return [], exit_of_kind(broken.failure.kind)
    except ConfigError as error:
        if alone:
            raise
        complain(str(error))
        return [], ExitCode.NO_KEY


def _row(built: House, endpoint: Endpoint, model: ModelInfo) -> dict[str, Any]:
    price = find_price(built.config.prices, endpoint.name, model.id)
    return {
        "endpoint": endpoint.name,
        "id": model.id,
        "name": model.name,
        "context": model.context,
        "price": None if price is None else _price(price),
    }


def _price(price: Price) -> dict[str, Any]:
    """USD per million tokens."""
    return {"input": price.input, "cached": price.cached, "output": price.output, "checked": price.checked}


def _print_table(rows: list[dict[str, Any]]) -> None:
    ids = [f"{row['endpoint']}/{row['id']}" for row in rows]
    if sys.stdout.isatty():
        # A line feed in a name would make a line that looks like another model's.
        ids = [visible_line(name, 200) for name in ids]
    width = max(map(len, ids), default=0)
    for label, row in zip(ids, rows, strict=True):
        price = row["price"]
        costs = "price?" if price is None else f"${price['input']} in  ${price['output']} out"
        print_line(f"{label:<{width}}  {tokens(row['context']):>11}  {costs}")
