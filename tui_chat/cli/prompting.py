"""Messages read a line at a time: from a person, with readline and a history, or from a pipe."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

from tui_chat.cli.output import complain
from tui_chat.domain.failure import StoreError
from tui_chat.domain.words import say
from tui_chat.store.files import write_private

if TYPE_CHECKING:
    from collections.abc import Generator
    from io import TextIOWrapper
    from pathlib import Path
    from types import FrameType

FENCE = '"""'
"""Before and after a message of several lines."""
REMEMBERED = 1000
"""Lines of the history."""
NOTICED_S = 0.25
"""How soon a Ctrl+C is noticed that comes just before the prompt waits for a key."""


class Prompt:
    """Reads messages from stdin; a context manager, which keeps the lines of a person in `history`, if there is one."""

    def __init__(self, history: Path | None) -> None:
        self.person = sys.stdin.isatty()
        """Somebody is there to be asked."""
        self._edits = self.person and sys.stdout.isatty()
        self._history = history if self._edits else None
        cast("TextIOWrapper", sys.stdin).reconfigure(encoding=None if self.person else "utf-8-sig", errors="replace")

    def __enter__(self) -> Prompt:
        if self._edits:
            # `input` edits with it from the moment that it is imported.
            import readline

            readline.set_auto_history(True)
            for line in self._remembered():
                readline.add_history(line)
        return self

    def __exit__(self, *_: object) -> None:
        if self._history is None:
            return
        import readline

        lines = [readline.get_history_item(n) for n in range(1, readline.get_current_history_length() + 1)]
        kept = [line for line in lines if line and "\n" not in line][-REMEMBERED:]
        with suppress(StoreError):
            write_private(self._history, "".join(f"{line}\n" for line in kept))

    def message(self) -> str | None:
        """The next message that says something; None at the end of the input."""
        while True:
            try:
                text = self._message()
            except KeyboardInterrupt:
                if not self.person:
                    raise
                self.interrupted()
                continue
            if text is None or text.strip():
                return text

    def interrupted(self) -> None:
        """Tell a person who pressed Ctrl+C while nothing came in how to leave."""
        print(file=sys.stderr)
        complain(say("plain.leave"))

    def agreed(self, question: str) -> bool:
        """A person's word; only `y` says yes."""
        try:
            answer = self._line(f"{question} {say('plain.yes_no')}")
        except KeyboardInterrupt:
            print(file=sys.stderr)
            return False
        return answer is not None and answer.strip().lower() in ("y", "yes")

    def _message(self) -> str | None:
        line = self._line(say("plain.prompt"))
        if line is not None and line.lstrip().startswith(FENCE):
            return self._fenced(line.lstrip().removeprefix(FENCE))
        return None if line is None else self._continued(line)

    def _fenced(self, line: str | None) -> str:
        lines: list[str] = []
        while line is not None and not line.rstrip().endswith(FENCE):
            lines.append(line)
            line = self._line(say("plain.more"))
        if line is not None:
            lines.append(line.rstrip().removesuffix(FENCE))
        return "\n".join(lines).strip("\n")

    def _continued(self, line: str) -> str:
        lines = [line]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1].removesuffix("\\")
            lines.append(self._line(say("plain.more")) or "")
        return "\n".join(lines)

    def _line(self, lead: str) -> str | None:
        if self._edits:
            try:
                with _woken():
                    return input(f"{lead} ")
            except EOFError:
                # The shell's prompt begins on a line of its own.
                print()
                return None
        if self.person:
            print(f"{lead} ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        return line.rstrip("\r\n") if line else None

    def _remembered(self) -> list[str]:
        if self._history is None:
            return []
        try:
            return self._history.read_text("utf-8", "replace").splitlines()
        except OSError:
            return []


@contextmanager
def _woken() -> Generator[None]:
    """Wake a wait for a key now and then: Python sees a signal that came just before it only when the wait ends."""

    def woken(_number: int, _frame: FrameType | None) -> None:
        pass

    before = signal.signal(signal.SIGALRM, woken)
    signal.setitimer(signal.ITIMER_REAL, NOTICED_S, NOTICED_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
