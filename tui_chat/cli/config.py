"""`tui-chat config`: where the settings are, what counts, and what is wrong with them."""

from __future__ import annotations

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.groups import Commands
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say

COMMANDS = {
    "path": "Print where config.toml is, or would be.",
    "show": "Print every setting that counts, and where it comes from.",
    "init": "Write a config.toml that explains itself.",
    "check": "Look for mistakes in config.toml.",
}


@click.group("config", cls=Commands, table=COMMANDS, prefix="tui_chat.cli.config_", invoke_without_command=True)
@common
def command(common: Common) -> None:
    """Find, show, begin and check the configuration. It is never rewritten."""
    if click.get_current_context().invoked_subcommand is None:
        raise UsageError(say("usage.group", group="config", commands=", ".join(COMMANDS)))
