"""`tui-chat replay`: a recording, played through the same engine that made it."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.exits import ExitCode, worst
from tui_chat.cli.output import complain, print_json
from tui_chat.cli.running import opened, run_until_signal
from tui_chat.cli.telling import Teller
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say
from tui_chat.wiring.results import ask_object

if TYPE_CHECKING:
    from tui_chat.engine.replay import Player


@click.command("replay", short_help="Play a recording made with --record.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--speed", type=float, default=1.0, metavar="N", help="N times as fast; 0 plays without waiting.")
@click.option("--json", "as_json", is_flag=True, help="Print what `ask --json` printed, with the recorded times.")
@common
def command(common: Common, file: Path, speed: float, as_json: bool) -> int:
    """Play FILE on the full screen, or, without a terminal, as `ask` prints an answer. Nothing is sent anywhere."""
    if not (math.isfinite(speed) and speed >= 0):
        raise UsageError(say("recording.speed"))
    if common.record is not None:
        raise UsageError(say("recording.record"))
    if not as_json and sys.stdin.isatty() and sys.stdout.isatty():
        # The screen's imports are paid for here alone.
        from tui_chat.cli.screen import play

        return play(file, speed, os.environ)
    return run_until_signal(lambda: _replay(common, file, speed, as_json=as_json))


async def _replay(common: Common, file: Path, speed: float, *, as_json: bool) -> ExitCode:
    async with opened(common) as built:
        player = built.play(file, speed)
        if player.recording.note:
            complain(player.recording.note)
        objects, code = await _tell_all(player, quiet=as_json)
        if as_json:
            print_json(objects if len(objects) > 1 else objects[0])
        return code


async def _tell_all(player: Player, *, quiet: bool) -> tuple[list[dict[str, Any]], ExitCode]:
    """The object of each reply, and the code for all of them."""
    objects: list[dict[str, Any]] = []
    codes: list[ExitCode] = []
    while player.left:
        teller = Teller(player.session, quiet=quiet)
        await teller.tell(player.play_next)
        codes.append(teller.report(as_json=False, stats=False))
        reply = player.session.reply
        assert reply is not None
        objects.append(ask_object(reply))
        if teller.interrupted:
            break
    return objects, worst(codes)
