"""The command line: which command, with which common options. stdout is data, stderr is narration."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from typing import NoReturn

import click

from tui_chat import __version__
from tui_chat.cli.common import Common, common, continuing
from tui_chat.cli.exits import ExitCode
from tui_chat.cli.groups import Commands
from tui_chat.cli.output import OutputLost, complain
from tui_chat.domain.failure import TuiChatError, UsageError
from tui_chat.domain.words import say, use_language

COMMANDS = {
    "ask": "Ask one question and print the answer as it streams.",
    "compare": "Ask several models or settings side by side.",
    "batch": "Ask many prompts from a file, several at a time, and resume where it ended.",
    "history": "List, search, show, export, import and delete conversations.",
    "models": "List the models that endpoints offer; this also tests the key.",
    "cost": "Compare what the same tokens cost at different models, or import a price list.",
    "config": "Find, show, begin and check the configuration.",
    "doctor": "Check endpoints step by step, or with --terminal the terminal.",
    "replay": "Play a recording made with --record.",
    "completion": "Print the script that makes bash, zsh or fish complete.",
    "demo-server": "Run the built-in endpoint in the foreground.",
}


@click.group(
    cls=Commands,
    table=COMMANDS,
    prefix="tui_chat.cli.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="tui-chat")
@continuing
@click.option("--plain", is_flag=True, help="Talk line by line instead, as for a screen reader or in a pipe.")
@common
def tui_chat(common: Common, continued: str | None, plain: bool) -> int | None:
    """Talk to language models in the terminal. Without a command, the full screen opens."""
    if click.get_current_context().invoked_subcommand is not None:
        if continued is not None:
            raise UsageError(say("usage.continue_where"))
        if plain:
            raise UsageError(say("usage.plain_where"))
        return None
    if plain:
        from tui_chat.cli.plain import run as run_plain

        return run_plain(common, continued)
    # Nothing of what a start makes is garbage; the screen turns it on again.
    gc.disable()
    # The screen's imports are paid for here alone.
    from tui_chat.cli.screen import run

    return run(common, continued, os.environ)


def main() -> NoReturn:
    """Run the command line and exit by the contract; a traceback never reaches the user."""
    _fill_streams()
    use_language("auto", os.environ)
    try:
        code = tui_chat.main(prog_name="tui-chat", standalone_mode=False)
    except click.ClickException as error:
        from tui_chat.cli.mistakes import told

        complain(told(error))
        code = ExitCode.USAGE
    except TuiChatError as error:
        complain(str(error))
        code = ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    except OutputLost as lost:
        if str(lost):
            complain(str(lost))
        code = ExitCode.FAILED
    except Exception as error:
        _tell_fault(error)
        code = ExitCode.FAILED
    _flush_streams()
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def _fill_streams() -> None:
    """Give a stream that the caller has closed a place to write to, or an end to read."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # open to the end


def _flush_streams() -> None:
    """Write what is buffered; what nobody takes any more must not change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell_fault(error: Exception) -> None:
    """A fault of our own: one line for the user, the traceback, without values of variables, for the log."""
    from tui_chat.store.logfile import start_log
    from tui_chat.store.paths import log_file

    file = log_file(os.environ)
    if not logging.getLogger().handlers:
        start_log(file, ())
    logging.getLogger(__name__).error("%s", "".join(traceback.format_exception(error)))
    complain(say("crash.line", error=type(error).__name__, file=file))
