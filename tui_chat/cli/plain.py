"""`tui-chat --plain`: the conversation line by line, for screen readers, simple terminals and pipes."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from msgspec.structs import replace

from tui_chat.cli.attaching import attached, joined
from tui_chat.cli.exits import ExitCode, exit_of_kind, worst
from tui_chat.cli.output import Answer, complain, print_line
from tui_chat.cli.prompting import Prompt
from tui_chat.cli.running import opened
from tui_chat.cli.telling import Teller
from tui_chat.domain.actions import command_of
from tui_chat.domain.failure import Broken, TuiChatError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.store.paths import prompts_file
from tui_chat.wiring import Choice, NoEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType

    from tui_chat.cli.common import Common
    from tui_chat.domain.budget import Estimate
    from tui_chat.wiring import Chat, House

LISTED = 20
"""Conversations that /list tells of."""
CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HUNG_UP,
}

T = TypeVar("T")


def run(common: Common, continued: str | None) -> ExitCode:
    """Hold a conversation until stdin ends or the user leaves; the exit code.

    A person who leaves has 0; a pipe has the worst of its replies. `continued` as `screen.run` has it.
    Raises UsageError, ConfigError, StoreError, OutputLost.
    """
    loop = Loop()
    stack = AsyncExitStack()
    try:
        built = loop.run(stack.enter_async_context(opened(common)))
        with Prompt(prompts_file(built.env) if built.chats.saving else None) as prompt:
            return _hold(Plain(loop, built, prompt), common, continued)
    except Left as left:
        return left.code
    finally:
        loop.close(stack.aclose())


def _hold(plain: Plain, common: Common, continued: str | None) -> ExitCode:
    try:
        plain.begin(Choice(common.endpoint, common.model, common.profile), continued)
    except NoEndpoint as error:
        complain(str(error))
        return ExitCode.NO_KEY
    except Broken as broken:
        complain(broken.failure.line)
        return exit_of_kind(broken.failure.kind)
    return plain.hold()


class Left(Exception):
    """A signal ends the program."""

    def __init__(self, code: ExitCode) -> None:
        self.code = code


class Loop:
    """Runs one piece of work after the other; a signal cancels what runs, or else ends what is being typed.

    At the prompt no event loop runs: so readline has the main thread, and Ctrl+C the line.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._task: asyncio.Task[Any] | None = None
        self._left: ExitCode | None = None
        for number in CODES:
            signal.signal(number, self._signalled)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns. Raises Left when a signal came that ends the program."""
        result = self._runner.run(self._guarded(work))
        if self._left is not None:
            raise Left(self._left)
        return result

    def close(self, work: Coroutine[Any, Any, object]) -> None:
        """Run the last piece, which nothing breaks off."""
        for number in CODES:
            signal.signal(number, signal.SIG_IGN)
        with self._runner:
            self._runner.run(work)

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        self._task = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError as error:
            raise Left(self._left or ExitCode.INTERRUPTED) from error
        finally:
            self._task = None

    def _signalled(self, number: int, _: FrameType | None) -> None:
        code, task = CODES[signal.Signals(number)], self._task
        if code is not ExitCode.INTERRUPTED:
            self._left = code
        if task is None:
            _end_prompt(code)
        if not task.cancelling():
            self._runner.get_loop().call_soon_threadsafe(task.cancel, code.name)


def _end_prompt(code: ExitCode) -> NoReturn:
    if code is ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    raise Left(code)


class Exchange(Teller):
    """One question of a conversation that goes on: a cancelled reply leaves the session open, a person is asked."""

    def __init__(self, chat: Chat, *, person: bool) -> None:
        super().__init__(chat.session, quiet=False)
        self._person = person

    async def _stop(self, error: asyncio.CancelledError) -> None:
        if error.args[:1] == (ExitCode.INTERRUPTED.name,) and self._session.cancel():
            await self._ended.wait()
        else:
            await super()._stop(error)

    def _over_budget(self, estimate: Estimate) -> None:
        if self._person:
            self._ended.set()
        else:
            super()._over_budget(estimate)


class Plain:
    """The conversation: what is read becomes questions and commands."""

    def __init__(self, loop: Loop, built: House, prompt: Prompt) -> None:
        self._loop = loop
        self._built = built
        self._prompt = prompt
        self._codes: list[ExitCode] = []
        self._choice = Choice()
        self._chat: Chat
        self._left = False
        self._files: list[str] = []
        """What goes along with the next message."""

    def begin(self, choice: Choice, continued: str | None) -> None:
        """Open the conversation to talk in. Raises NoEndpoint, Broken, UsageError, ConfigError, StoreError."""
        built = self._built
        self._choice = choice
        if trouble := built.open_store():
            complain(trouble)
        uid = None if continued is None else built.conversation(continued)
        if uid is None and self._prompt.person:
            uid = next(iter(built.chats.interrupted), None)
        if uid is None:
            self._chat = built.new_chat(built.targets.choose(choice))
        else:
            self._reopen(uid)
        if detour := built.targets.detour(choice, self._chat.session.target.endpoint):
            complain(detour)
        self._complete()
        if self._prompt.person:
            complain(say("plain.welcome", model=self._whom()))

    def hold(self) -> ExitCode:
        """Talk until the end of the input. Raises Left, OutputLost."""
        while not self._left and (text := self._prompt.message()) is not None:
            try:
                self._take(text)
            except TuiChatError as error:
                self._fail(str(error), ExitCode.USAGE)
            except Broken as broken:
                self._fail(broken.failure.line, exit_of_kind(broken.failure.kind))
            except KeyboardInterrupt:
                # The reply has just ended that it was meant for.
                if not self._prompt.person:
                    raise
                self._prompt.interrupted()
        return ExitCode.DONE if self._prompt.person else worst(self._codes)

    def _take(self, text: str) -> None:
        if (written := command_of(text)) is None:
            message, self._files = joined(text, self._files), []
            self._exchange(lambda: self._chat.session.submit(message))
            return
        name, argument = written
        if name in COMMANDS:
            COMMANDS[name](self, argument)
        else:
            self._fail(say("plain.no_command", command=visible_line(f"/{name}", 40)), ExitCode.USAGE)

    def _fail(self, line: str, code: ExitCode) -> None:
        complain(line)
        self._codes.append(code)

    def _exchange(self, ask: Callable[[], object]) -> None:
        """Ask, and tell the answer as it comes with a line of figures at its end."""
        self._complete()
        session = self._chat.session
        exchange = Exchange(self._chat, person=self._prompt.person)
        self._loop.run(exchange.tell(ask))
        if session.asked is not None:
            if self._agreed(session.asked.estimate):
                self._exchange(session.agree)
            else:
                session.decline()
                complain(say("status.unsent"))
            return
        self._codes.append(exchange.report(as_json=False, stats=True))
        if exchange.interrupted and not self._prompt.person:
            raise Left(ExitCode.INTERRUPTED)

    def _agreed(self, estimate: Estimate) -> bool:
        for line in (estimate.line, *(crossing.line for crossing in estimate.crossings)):
            complain(line)
        return self._prompt.agreed(say("confirm.budget"))

    def _complete(self) -> None:
        session = self._chat.session
        if not session.target.model:
            session.target = self._loop.run(self._built.targets.completed(session.target))

    def _whom(self) -> str:
        target = self._chat.session.target
        return f"{target.endpoint.name}/{visible_line(target.model, 60)}"

    def _reopen(self, uid: str) -> None:
        """Open a conversation and tell where it was left."""
        self._chat = self._built.reopen(uid, self._choice)
        session = self._chat.session
        # What waited there is asked on the screen, where it can be seen.
        session.queue.clear()
        for notice in self._chat.notices:
            complain(notice)
        complain(say("plain.opened", title=self._chat.title, id=uid))
        if self._prompt.person:
            self._tell_last()
        if session.undecided is not None:
            complain(say("plain.interrupted"))

    def _tell_last(self) -> None:
        """The last question and its answer."""
        for node in self._chat.session.conversation.path()[-2:]:
            answer = Answer()
            answer.write(f"{say('plain.prompt')} {node.words}" if node.role == "user" else node.text)
            answer.end()

    # commands

    def help(self, _: str) -> None:
        for name in COMMANDS:
            complain(f"/{name}: {say(HELP.get(name, f'action.{name}.help'))}")
        complain(say("plain.lines"))
        complain(say("plain.leave"))

    def retry(self, _: str) -> None:
        if any(node.role == "user" for node in self._chat.session.conversation.path()):
            self._exchange(self._chat.session.retry)
        else:
            self._fail(say("status.nothing"), ExitCode.USAGE)

    def resume(self, _: str) -> None:
        if self._chat.session.resumable is None:
            self._fail(say("status.whole"), ExitCode.USAGE)
        else:
            self._exchange(self._chat.session.resume)

    def keep(self, _: str) -> None:
        if not self._chat.session.keep():
            self._fail(say("status.not_interrupted"), ExitCode.USAGE)

    def discard(self, _: str) -> None:
        if not self._chat.session.discard():
            self._fail(say("status.not_interrupted"), ExitCode.USAGE)

    def model(self, argument: str) -> None:
        """Choose a model, or without an argument list those that the endpoint offers."""
        session, built = self._chat.session, self._built
        if not argument:
            for model in self._loop.run(built.endpoints.offers(session.target.endpoint)):
                print_line(model.id)
            return
        endpoint, name = built.targets.named(argument, session.target.endpoint)
        session.target = built.targets.of(endpoint, name, session.target.settings)
        complain(say("status.model", endpoint=endpoint.name, model=visible_line(name, 60)))

    def system(self, argument: str) -> None:
        session = self._chat.session
        session.target = replace(session.target, settings=replace(session.target.settings, system=argument or None))
        complain(say("status.system" if argument else "status.system_none"))

    def file(self, argument: str) -> None:
        self._files.append(attached(self._built, argument, kept=self._chat.journal is not None))
        complain(say("plain.file", path=visible_line(argument)))

    def new(self, _: str) -> None:
        self._chat = self._built.new_chat(self._chat.session.target)
        complain(say("plain.new", model=self._whom()))

    def list(self, _: str) -> None:
        library = self._built.chats.library
        found = library.each() if self._built.chats.stored else iter(())
        for summary in islice(found, LISTED):
            print_line(f"{summary.id} {visible_line(summary.title, 200)}")

    def open(self, argument: str) -> None:
        self._reopen(self._built.conversation(argument))

    def quit(self, _: str) -> None:
        self._left = True


COMMANDS: dict[str, Callable[[Plain, str], None]] = {
    "help": Plain.help,
    "retry": Plain.retry,
    "resume": Plain.resume,
    "keep": Plain.keep,
    "discard": Plain.discard,
    "model": Plain.model,
    "system": Plain.system,
    "file": Plain.file,
    "new": Plain.new,
    "list": Plain.list,
    "open": Plain.open,
    "quit": Plain.quit,
}
HELP = {
    "help": "plain.help",
    "new": "plain.new_help",
    "list": "plain.list_help",
    "open": "plain.open_help",
    "file": "plain.file_help",
    "quit": "plain.quit_help",
    "model": "plain.model_help",
}
"""What a command does, where it is not what the screen's does."""
