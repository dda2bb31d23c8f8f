"""`tui-chat config path`."""

from __future__ import annotations

import os

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.output import print_line
from tui_chat.store.paths import config_file


@click.command("path", short_help="Print where config.toml is, or would be.")
@common
def command(common: Common) -> None:
    """Print where config.toml is, or would be."""
    print_line(str(config_file(os.environ)))
