"""The options that every command accepts, before its name and after it; the later one wins."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from tui_chat.cli import candidates
from tui_chat.domain.failure import UsageError
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Callable


class Common(Struct, frozen=True):
    endpoint: str | None = None
    model: str | None = None
    profile: str | None = None
    demo: bool = False
    record: Path | None = None
    no_save: bool = False

    def under(self, later: Common) -> Common:
        """These options with `later` laid over them."""
        return Common(
            endpoint=later.endpoint or self.endpoint,
            model=later.model or self.model,
            profile=later.profile or self.profile,
            demo=later.demo or self.demo,
            record=later.record or self.record,
            no_save=later.no_save or self.no_save,
        )


NEWEST = ""
"""The conversation that was last used, where an id may stand."""

_ID = re.compile(r"[a-z2-7]{4,12}")


def continuing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `-c/--continue [ID]`, which the command gets as `continued`: None, an id, or NEWEST."""
    return click.option(
        "-c",
        "--continue",
        "continued",
        is_flag=False,
        flag_value=NEWEST,
        metavar="[ID]",
        shell_complete=candidates.conversations,
        help="Go on with a conversation: the last one, or ID.",
    )(command)


def looks_like_id(text: str) -> bool:
    """True for what may be the id of a conversation, or the beginning of one."""
    return _ID.fullmatch(text) is not None


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets them as one `common: Common`."""

    @click.pass_context
    @wraps(command)
    def merged(
        ctx: click.Context,
        endpoint: str | None,
        model: str | None,
        profile: str | None,
        demo: bool,
        record: Path | None,
        no_save: bool,
        **rest: Any,
    ) -> Any:
        before = ctx.find_object(Common) or Common()
        ctx.obj = before.under(Common(endpoint, model, profile, demo, record, no_save))
        return ctx.invoke(command, common=ctx.obj, **rest)

    for option in (
        click.option("--no-save", is_flag=True, help="Leave nothing of the conversation on the disk."),
        click.option(
            "--record",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write what is asked and answered to FILE.",
        ),
        click.option("--demo", is_flag=True, help="Start the built-in endpoint for this run and ask it by default."),
        click.option(
            "-p",
            "--profile",
            metavar="PROFILE",
            shell_complete=candidates.profiles,
            help="A profile, of config.toml or kept on the screen.",
        ),
        click.option(
            "-m",
            "--model",
            metavar="MODEL",
            shell_complete=candidates.models,
            help="The model; ENDPOINT/MODEL names both.",
        ),
        click.option(
            "-e", "--endpoint", metavar="ENDPOINT", shell_complete=candidates.endpoints, help="The endpoint to ask."
        ),
    ):
        merged = option(merged)
    return merged


def amount(text: str | None) -> Decimal | None:
    """The USD of --max-cost. Raises UsageError."""
    if text is None:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except ArithmeticError:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0:
        raise UsageError(say("usage.max_cost", text=text))
    return amount
