"""`tui-chat history show`: one conversation as text, with the runs that can be gone on with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from tui_chat.cli.candidates import conversations
from tui_chat.cli.common import Common, common
from tui_chat.cli.looking import find, looked_into
from tui_chat.cli.output import print_json, print_line
from tui_chat.domain import figures
from tui_chat.domain.dates import short
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from tui_chat.domain.conversation import Conversation, Node, Result
    from tui_chat.wire.forms import ConversationForm


@click.command("show", short_help="Print a conversation, with its runs.")
@click.argument("id", shell_complete=conversations)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON, with every version and attempt.")
@common
def command(common: Common, id: str, as_json: bool) -> None:
    """Print the conversation ID as it is in chat: Markdown as received, and over each answer its run."""
    with looked_into() as built:
        uid = find(built, id)
        form, summary = built.chats.library.form(uid), built.chats.library.summary(uid)
    if as_json:
        print_json(form)
    else:
        _print(form, "" if summary is None else figures.spent(summary.cost, estimated=summary.estimated))


def _print(form: ConversationForm, spent: str) -> None:
    tree, now = form.conversation(), time.time()
    print_line(visible_line(form.title))
    turns = len(tree.nodes)
    facts = [
        form.id,
        say("history.turn" if turns == 1 else "history.turns", count=turns),
        spent,
        short(form.updated, now),
    ]
    print_line(" · ".join(facts))
    for node in tree.path():
        print_line("")
        print_line(_heading(tree, node, now))
        print_line(node.words)
        if node.result is not None:
            _print_end(node, node.result)


def _heading(tree: Conversation, node: Node, now: float) -> str:
    """`── demo/demo-drop · 09:15 · failed · $0.0012 · run abc · 1/2`."""
    who = say("turn.you") if node.role == "user" else visible_line(f"{node.endpoint}/{node.model}", 80)
    facts = [who, short(node.created, now)]
    if node.result is not None:
        facts += [say(f"state.{node.result.phase}"), figures.money(node.result.cost)]
    if node.runs:
        facts.append(say("history.run", run=node.runs[-1].id))
    place, count = tree.siblings(node.id)
    if count > 1:
        facts.append(f"{place}/{count}")
    return f"── {' · '.join(facts)}"


def _print_end(node: Node, result: Result) -> None:
    """What went wrong, and how to have the rest."""
    if result.failure is not None:
        print_line(f"   {visible_line(result.failure.line)}")
    if result.broken_off and node.text and node.runs:
        print_line(f"   {say('history.resume', run=node.runs[-1].id)}")
