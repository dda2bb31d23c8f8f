"""`tui-chat config check`: each mistake in one line."""

from __future__ import annotations

import os

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.exits import ExitCode
from tui_chat.cli.output import complain, print_json, print_line
from tui_chat.domain.words import say
from tui_chat.store.config import Config, load
from tui_chat.store.paths import shipped_themes, user_themes
from tui_chat.store.state import load_state
from tui_chat.store.tables import Problem, Reader, not_one_of
from tui_chat.wire.dialects import DIALECTS


@click.command("check", short_help="Look for mistakes in config.toml.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of {file, key, message}.")
@common
def command(common: Common, as_json: bool) -> int:
    """Look for mistakes in config.toml and in what it names: one line each, exit code 2 where there is one."""
    config = load(os.environ, DIALECTS, load_state(os.environ))
    problems = [*config.problems, *_theme(config)]
    if as_json:
        print_json([{"file": p.where, "key": p.key or None, "message": p.line} for p in problems])
    else:
        for problem in problems:
            complain(problem.line)
        if not problems:
            print_line(say("config.fine" if config.file.exists() else "config.none_yet", path=config.file))
    return ExitCode.USAGE if problems else ExitCode.DONE


def _theme(config: Config) -> list[Problem]:
    """What is wrong with the name of the theme; the screen tells it when it has read them."""
    folders = (shipped_themes(), user_themes(config.env))
    names = tuple(sorted({path.stem for folder in folders for path in folder.glob("*.toml")}))
    reader = Reader(str(config.file))
    if config.ui.theme is not None and config.ui.theme not in names:
        reader.report(("ui", "theme"), not_one_of(config.ui.theme, names))
    return reader.problems
