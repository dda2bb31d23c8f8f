"""What is mistyped on the command line, told by what would be right."""

from __future__ import annotations

import click

from tui_chat.domain.words import say

PROMPTED = ("ask", "compare")
"""Commands whose one argument is a prompt: more of them are as a rule a prompt without quotes."""


def told(error: click.ClickException) -> str:
    """One line; where nothing better is known, click's."""
    match error:
        case click.NoSuchOption(ctx=click.Context() as ctx) if near := _beginning_with(ctx, error.option_name):
            return say("usage.no_option", option=error.option_name, near=", ".join(near))
        case click.BadParameter(param=click.Parameter(type=click.IntRange() | click.FloatRange() as wanted) as param):
            return _number(param.opts[-1], wanted)
        case click.UsageError(ctx=click.Context() as ctx) if _is_unquoted(ctx, error.message):
            return say("usage.quotes", command=ctx.command_path)
        case _:
            return error.format_message()


def _beginning_with(ctx: click.Context, name: str) -> list[str]:
    return [option for param in ctx.command.params for option in param.opts if option.startswith(name)]


def _number(option: str, wanted: click.IntRange | click.FloatRange) -> str:
    kind = say("usage.whole_number" if isinstance(wanted, click.IntRange) else "usage.a_number")
    if wanted.max is None:
        return say("usage.number_from", option=option, kind=kind, least=wanted.min)
    return say("usage.number_between", option=option, kind=kind, least=wanted.min, most=wanted.max)


def _is_unquoted(ctx: click.Context, message: str) -> bool:
    return ctx.command.name in PROMPTED and message.startswith("Got unexpected extra argument")
