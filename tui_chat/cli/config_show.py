"""`tui-chat config show`: every setting that counts, and where it comes from."""

from __future__ import annotations

import os

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.domain.words import for_programs
from tui_chat.store.config import load
from tui_chat.store.provenance import settings
from tui_chat.store.state import load_state
from tui_chat.wire.dialects import DIALECTS

WIDTH = 56
"""Settings up to this length have their places in one column."""


@click.command("show", short_help="Print every setting that counts, and where it comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of {key, value, source}.")
@common
def command(common: Common, as_json: bool) -> None:
    """Print every setting that counts, as TOML, and where it comes from. Keys are never printed."""
    state = load_state(os.environ)
    config = load(os.environ, DIALECTS, state)
    for problem in (*config.problems, *state.problems):
        complain(str(problem))
    with for_programs(as_json):
        found = list(settings(config, state))
    if as_json:
        print_json([{"key": s.key, "value": s.value, "source": s.source} for s in found])
        return
    width = max(len(s.line) for s in found if len(s.line) <= WIDTH)
    for setting in found:
        print_line(f"{setting.line:<{width}}  # {setting.source}")
