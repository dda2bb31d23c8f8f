"""The options that every command accepts, before its name and after it; the later one wins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Common:
    endpoint: str | None = None
    model: str | None = None
    profile: str | None = None
    demo: bool = False

    def under(self, later: Common) -> Common:
        """These options with `later` laid over them."""
        return Common(
            endpoint=later.endpoint or self.endpoint,
            model=later.model or self.model,
            profile=later.profile or self.profile,
            demo=later.demo or self.demo,
        )


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
        **rest: Any,
    ) -> Any:
        before = ctx.find_object(Common) or Common()
        ctx.obj = before.under(Common(endpoint, model, profile, demo))
        return ctx.invoke(command, common=ctx.obj, **rest)

    for option in (
        click.option("--demo", is_flag=True, help="Start the built-in endpoint for this run and ask it by default."),
        click.option("-p", "--profile", metavar="PROFILE", help="A profile of config.toml."),
        click.option("-m", "--model", metavar="MODEL", help="The model; ENDPOINT/MODEL names both."),
        click.option("-e", "--endpoint", metavar="ENDPOINT", help="The endpoint to ask."),
    ):
        merged = option(merged)
    return merged
