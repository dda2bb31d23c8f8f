"""A command that is a table of commands, each in a module of its own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem


class Commands(click.Group):
    """Imports a command's module when it is called, so that none pays for another."""

    def __init__(self, *args: Any, table: Mapping[str, str], prefix: str, **kwargs: Any) -> None:
        """`table`: every command with its line in --help; its module is `prefix` and its name, underscored."""
        super().__init__(*args, **kwargs)
        self._table = table
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        return importlib.import_module(f"{self._prefix}{cmd_name.replace('-', '_')}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._table and not name.startswith("-") and not ctx.resilient_parsing:
            if ctx.params.get("continued") in self._table:
                # `tui-chat -c ask "And then?"`: what follows -c is taken for an id.
                raise UsageError(say("usage.continue_where"))
            raise UsageError(say("usage.no_command", name=name, group=ctx.command_path))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=line) for name, line in self._table.items() if name.startswith(incomplete)]
        # The group's own way imports every command for its line of help.
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._table.items()))
