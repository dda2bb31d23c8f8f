"""`tui-chat config init`: a config.toml that explains itself, where there is none."""

from __future__ import annotations

import os

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.output import complain, print_line
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say
from tui_chat.store.files import write_private
from tui_chat.store.paths import config_file
from tui_chat.store.shipped import config_template


@click.command("init", short_help="Write a config.toml that explains itself.")
@click.option("--stdout", is_flag=True, help="Print it instead.")
@common
def command(common: Common, stdout: bool) -> None:
    """Write a config.toml in which every setting stands as a comment. One that is there is left as it is."""
    text = config_template()
    path = config_file(os.environ)
    if stdout:
        print_line(text.rstrip("\n"))
        return
    if path.exists():
        raise UsageError(say("config.exists", path=path))
    write_private(path, text)
    complain(say("config.written", path=path))
