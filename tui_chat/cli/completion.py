"""`tui-chat completion`: the script that makes a shell complete."""

from __future__ import annotations

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.output import print_line

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "tui-chat"
VARIABLE = "_TUI_CHAT_COMPLETE"
"""What the script sets; click's name for a program of this name."""


@click.command("completion", short_help="Print the script that makes bash, zsh or fish complete.")
@click.argument("shell", type=click.Choice(SHELLS))
@common
def command(common: Common, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, endpoints, models and conversations.

    \b
    bash  eval "$(tui-chat completion bash)"           in ~/.bashrc
    zsh   eval "$(tui-chat completion zsh)"            in ~/.zshrc, after compinit
    fish  tui-chat completion fish | source            in ~/.config/fish/config.fish
    """
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, shell
    # The class's own `source` runs bash to look at its version, and speaks where there is none.
    print_line(ShellComplete.source(kind(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE)))
