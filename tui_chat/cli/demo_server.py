"""`tui-chat demo-server`: the built-in endpoint in the foreground, for trying other clients on it."""

from __future__ import annotations

import asyncio

import click

from tui_chat.cli.common import Common, common
from tui_chat.cli.exits import ExitCode
from tui_chat.cli.output import complain, print_line
from tui_chat.cli.running import run_until_signal
from tui_chat.demo.server import DemoServer
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say


@click.command("demo-server", short_help="Run the built-in endpoint in the foreground.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port on 127.0.0.1; 0 takes a free one."
)
@common
def command(common: Common, port: int) -> int:
    """Serve the demo on loopback until Ctrl+C; its base URL is printed first."""
    code = run_until_signal(lambda: _serve(port))
    return ExitCode.DONE if code is ExitCode.INTERRUPTED else code


async def _serve(port: int) -> ExitCode:
    server = DemoServer(seed=None)
    try:
        await server.start(port)
    except OSError as error:
        raise UsageError(say("usage.port", port=port, reason=error.strerror or error)) from error
    try:
        print_line(server.base_url)
        complain(say("demo.serving", url=server.base_url))
        await asyncio.Event().wait()
    finally:
        await server.close()
    return ExitCode.DONE
