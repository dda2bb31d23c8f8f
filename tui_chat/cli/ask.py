"""`tui-chat ask`: one question, the answer on stdout as it streams."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from tui_chat.cli.attaching import attaching, with_files
from tui_chat.cli.common import NEWEST, Common, amount, common, continuing, looks_like_id
from tui_chat.cli.exits import ExitCode, exit_of_kind
from tui_chat.cli.output import complain, print_json
from tui_chat.cli.results import unsent_object
from tui_chat.cli.running import opened, run_until_signal
from tui_chat.cli.telling import Teller
from tui_chat.domain.ask import Settings
from tui_chat.domain.failure import Broken, Failure, Kind, UsageError
from tui_chat.domain.words import say
from tui_chat.wiring import Choice, NoEndpoint

if TYPE_CHECKING:
    from decimal import Decimal

    from tui_chat.domain.conversation import Node
    from tui_chat.engine.session import Session
    from tui_chat.wiring import Chat, House


@click.command("ask", short_help="Ask one question and print the answer as it streams.")
@click.argument("prompt", required=False)
@click.option("-s", "--system", metavar="SYSTEM", help="The system prompt.")
@click.option("-t", "--temperature", type=click.FloatRange(0), metavar="TEMP", help="Sampling temperature.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Longest answer, in tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when the answer is there.")
@click.option("--no-stream", is_flag=True, help="Ask for the whole answer at once.")
@click.option("--stats", is_flag=True, help="Print the figures on stderr at the end.")
@click.option("--max-cost", metavar="USD", help="Stop when the answer would cost more (exit code 4).")
@attaching
@continuing
@click.option("--resume", metavar="RUN", help="Go on with an answer that broke off; `ask --json` names its run.")
@common
def command(
    common: Common,
    prompt: str | None,
    system: str | None,
    temperature: float | None,
    max_tokens: int | None,
    as_json: bool,
    no_stream: bool,
    stats: bool,
    max_cost: str | None,
    files: tuple[str, ...],
    continued: str | None,
    resume: str | None,
) -> int:
    """Ask PROMPT, joined with what is piped in, and print the answer as it streams."""
    settings = Settings(system=system, temperature=temperature, max_tokens=max_tokens)
    choice = Choice(common.endpoint, common.model, common.profile, settings, stream=not no_stream)
    cap = amount(max_cost)
    if resume is not None:
        if prompt is not None or continued is not None or files:
            raise UsageError(say("usage.resume_alone"))
        return run_until_signal(lambda: _ask(common, choice, Resumed(resume), cap, as_json=as_json, stats=stats))
    given = piped()
    if continued and prompt is None and (given is None or not looks_like_id(continued)):
        # `ask -c "And then?"`: what follows -c is the question; with a question piped in, it is an id.
        what = Asked(question(continued, given), NEWEST, files)
    else:
        what = Asked(question(prompt, given), continued, files)
    return run_until_signal(lambda: _ask(common, choice, what, cap, as_json=as_json, stats=stats))


class Asked(Struct, frozen=True):
    """A question, and the conversation that it goes on with: an id, NEWEST, or None for a new one."""

    text: str
    continued: str | None
    files: tuple[str, ...]


class Resumed(Struct, frozen=True):
    """The rest of an answer, by its run."""

    run: str


async def _ask(
    common: Common, choice: Choice, what: Asked | Resumed, cap: Decimal | None, *, as_json: bool, stats: bool
) -> ExitCode:
    async with opened(common) as built:
        try:
            chat = await asyncio.to_thread(_chat, built, choice, what)
            for notice in chat.notices:
                complain(notice)
            if detour := built.targets.detour(choice, chat.session.target.endpoint):
                complain(detour)
            target = chat.session.target = await built.targets.completed(chat.session.target)
        except NoEndpoint as error:
            return _unsent(Failure(Kind.AUTH, str(error)), choice, as_json=as_json)
        except Broken as broken:
            return _unsent(broken.failure, choice, as_json=as_json)
        except asyncio.CancelledError:
            return _unsent(None, choice, as_json=as_json)
        if cap is not None and target.price is None:
            raise UsageError(say("usage.cap_without_price", model=target.model))
        session = chat.session
        session.purse.budget = replace(session.purse.budget, per_command=cap)
        teller = Teller(session, quiet=as_json, saved=chat.journal is not None, demo=common.demo)
        if isinstance(what, Asked):
            kept = chat.journal is not None
            what = replace(what, text=await asyncio.to_thread(with_files, built, what.text, what.files, kept=kept))
        await teller.tell(lambda: _begin(session, what))
        return teller.report(as_json=as_json, stats=stats)


def _chat(built: House, choice: Choice, what: Asked | Resumed) -> Chat:
    """The conversation to ask in; may block. Raises UsageError, StoreError, ConfigError."""
    trouble = built.open_store()
    if trouble:
        complain(trouble)
    if isinstance(what, Resumed):
        return _broken_off(built, choice, what.run)
    if what.continued is None:
        return built.new_chat(built.targets.choose(choice))
    return built.reopen(built.conversation(what.continued), choice, faithful=True)


def _broken_off(built: House, choice: Choice, run: str) -> Chat:
    """The conversation of a run, with the answer that broke off as its newest turn. Raises as `_chat` does."""
    if not built.chats.stored:
        raise UsageError(say("history.no_run", id=run))
    uid, node = built.chats.library.place_of_run(run)
    chat = built.reopen(uid, choice, faithful=True)
    chat.session.select(node)
    # What was said after it stays where it is: only this program leaves it out.
    chat.session.conversation.rewind(node)
    if chat.session.resumable is None:
        raise UsageError(_not_resumable(chat.session.conversation.nodes[node], run))
    return chat


def _not_resumable(reply: Node, run: str) -> str:
    if reply.result is None:
        return say("usage.under_way", run=run)
    return say("usage.whole" if not reply.result.broken_off else "usage.nothing_came", run=run)


def _begin(session: Session, what: Asked | Resumed) -> None:
    if isinstance(what, Resumed):
        session.resume()
        return
    # What waited when the conversation was left is asked on the screen, where it can be seen.
    session.queue.clear()
    session.submit(what.text)


def _unsent(trouble: Failure | None, choice: Choice, *, as_json: bool) -> ExitCode:
    """The end of a question that was never sent, because of `trouble` or, without one, because of a signal."""
    if as_json:
        print_json(unsent_object(trouble, choice.endpoint, choice.model))
    if trouble is None:
        return ExitCode.INTERRUPTED
    complain(trouble.line)
    return exit_of_kind(trouble.kind)


def question(prompt: str | None, piped: str | None) -> str:
    """PROMPT and what is piped in, joined by a blank line."""
    parts = [part for part in (prompt, piped) if part is not None and part.strip()]
    if not parts:
        raise UsageError(say("usage.no_prompt"))
    return "\n\n".join(parts)


def piped() -> str | None:
    """stdin, when it is a pipe or a regular file that holds anything."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        return None
    return sys.stdin.buffer.read().decode("utf-8", "replace").removeprefix("\ufeff").strip("\n") or None
