"""`tui-chat history delete`: out of every list at once, off the disk after a week."""

from __future__ import annotations

import click

from tui_chat.cli.candidates import conversations
from tui_chat.cli.common import Common, common
from tui_chat.cli.looking import find, looked_into, title_of, written
from tui_chat.cli.output import complain, print_json
from tui_chat.domain.words import say


@click.command("delete", short_help="Delete conversations; for a week --undo brings them back.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=conversations)
@click.option("--undo", is_flag=True, help="Bring them back; `history list --deleted` names them.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as a JSON array.")
@common
def command(common: Common, ids: tuple[str, ...], undo: bool, as_json: bool) -> None:
    """Delete the conversations ID. For a week they can be brought back; then they are removed for good."""
    with looked_into() as built:
        library = built.chats.library
        uids = list(dict.fromkeys(find(built, name, deleted=undo) for name in ids))
        for uid in uids:
            (library.restore if undo else library.delete)(uid)
        written(built)
        titles = {uid: title_of(library, uid) for uid in uids}
    for uid, title in titles.items():
        complain(say("history.restored" if undo else "history.deleted", title=title, id=uid))
    if as_json:
        print_json([{"id": uid, "title": title, "deleted": not undo} for uid, title in titles.items()])
