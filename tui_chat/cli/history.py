"""`tui-chat history`: what was said before, for people and for scripts."""

from __future__ import annotations

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.groups import Commands
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say

COMMANDS = {
    "list": "List the conversations, pinned ones first, then the newest.",
    "search": "Find what was said; filters stand among the words.",
    "show": "Print a conversation, with its runs.",
    "export": "Write conversations to a file: Markdown, JSON or HTML.",
    "import": "Take conversations in: our JSON, or ChatGPT's or Claude's export.",
    "stats": "Sum up cost, tokens and speed by model, endpoint or day.",
    "delete": "Delete conversations; for a week --undo brings them back.",
}


@click.group("history", cls=Commands, table=COMMANDS, prefix="tui_chat.cli.history_", invoke_without_command=True)
@common
def command(common: Common) -> None:
    """List, search, show, export, import, delete and sum up conversations. The beginning of an ID stands for it."""
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        raise UsageError(say("usage.group", group="history", commands=", ".join(COMMANDS)))
