"""Calls of tools, put together from their pieces and shown as text: there is nobody here to carry them out."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct, field

from tui_chat.domain.words import say
from tui_chat.wire.surrogates import well_formed


class _Call(Struct):
    id: str
    index: int | None
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def complete(self) -> bool:
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


class ToolCalls:
    """Pieces of calls -> calls, in the order in which they began.

    A piece belongs to the call of its id; without one, to the last call of its index, or to the last of all. Servers
    leave the index out or count every call as 0 (ollama#15457), and give the id once, always, or a new one with each
    piece: so a name where the call has one already begins another call.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def feed(self, piece: Any) -> None:
        """A list of pieces, or one."""
        match piece:
            case [*pieces]:
                for inner in pieces:
                    self._take(inner)
            case _:
                self._take(piece)

    def _take(self, piece: Any) -> None:
        match piece:
            case {"function": {**function}}:
                self._feed(function, _text(piece.get("id")), piece.get("index"))
            case {"name": _} | {"arguments": _}:  # the older function_call
                self._feed(piece, "", None)
            case _:
                pass

    def finish(self) -> list[str]:
        """A line for each call since the last time."""
        calls, self._calls = self._calls, []
        return [tool_line(call.name, call.arguments) for call in calls]

    def _feed(self, function: dict[str, Any], identity: str, index: Any) -> None:
        place = index if isinstance(index, int) else None
        name, arguments = _text(function.get("name")), function.get("arguments")
        call = self._call(identity, place, name)
        call.name = call.name or name
        if arguments is not None:
            call.pieces.append(arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))

    def _call(self, identity: str, index: int | None, name: str) -> _Call:
        known = next((c for c in self._calls if identity and c.id == identity), None)
        if known is not None:
            return known
        last = next((c for c in reversed(self._calls) if index is None or c.index in (index, None)), None)
        if last is None or _begins(last, identity, name):
            last = _Call(identity, index)
            self._calls.append(last)
        last.id = last.id or identity
        return last


def tool_line(name: str, arguments: str) -> str:
    return say("answer.tool_call", name=well_formed(name) or "?", arguments=well_formed(arguments))


def _begins(last: _Call, identity: str, name: str) -> bool:
    """True when a piece with this id and name is not of the call `last`."""
    if not name or not last.name:
        return False
    return bool(identity and last.id) or name != last.name or last.complete()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
