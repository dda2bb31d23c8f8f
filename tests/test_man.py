"""The man page tells of every command and option; `python docs/make.py man` makes it."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from tests.kit.program import ROOT
from tui_chat.cli.main import tui_chat

COMMON = {"--endpoint", "--model", "--profile", "--demo", "--record", "--no-save", "--help"}


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from commands(found, f"{name} {below}")


PAGE = (ROOT / "docs" / "tui-chat.1").read_text("utf-8").replace("\\-", "-")


@pytest.mark.parametrize(
    ("name", "command"), list(commands(tui_chat, "tui-chat")), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_command_and_option_stands_in_it(name: str, command: click.Command) -> None:
    begins = ".SH OPTIONS" if name == "tui-chat" else f".SS {name} ["
    assert begins in PAGE
    part = PAGE.partition(begins)[2].partition("\n.SS ")[0]
    options = {flag for p in command.params if isinstance(p, click.Option) for flag in p.opts if flag.startswith("--")}
    assert not [flag for flag in options - COMMON if flag not in part]


def test_common_options_stand_in_it_once() -> None:
    part = PAGE.partition(".SS Accepted before every command and after it")[2].partition(".SH")[0]
    assert not [flag for flag in COMMON - {"--help"} if flag not in part]
