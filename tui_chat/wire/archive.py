"""The JSON of exports: one object with all conversations, or a header line and a conversation a line.

docs/export.md describes both. Writing: `opening`, `encode`, `CLOSING` or `header_line`, `encode`. Reading: `check` for
the header, `decode` for one conversation, which is in order then: parents first, every time known, a path in chat.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tui_chat.domain.failure import UsageError
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say
from tui_chat.wire.forms import ConversationForm
from tui_chat.wire.order import Damaged, dated, newest_in_chat, parents_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tui_chat.wire.forms import FiguresForm, NodeForm

FORMAT = "tui-chat"
VERSION = 1
CLOSING = b"\n]}\n"
SEPARATOR = b",\n"
ID_LENGTH = 200
MOST_USD = Decimal(10**12)
DEEPEST = 100
"""Levels of an extra body."""


class Header(Struct, frozen=True, kw_only=True):
    """What stands before the conversations."""

    format: str = FORMAT
    version: int = VERSION
    at: datetime
    """When the export was made."""
    program: str


def header(epoch: float, program: str) -> Header:
    return Header(at=datetime.fromtimestamp(epoch, UTC), program=program)


def header_line(head: Header) -> bytes:
    return _encoder.encode(head) + b"\n"


def opening(head: Header) -> bytes:
    """The beginning of one object; conversations with SEPARATOR between them and CLOSING follow."""
    return _encoder.encode(head).removesuffix(b"}") + b',"conversations":[\n'


def encode(form: ConversationForm) -> bytes:
    """One conversation, without a line end."""
    return _encoder.encode(form)


def is_header_line(line: bytes) -> bool:
    """True for the first line of a file of lines, of any version."""
    try:
        head = _any.decode(line)
    except _BAD:
        return False
    return "format" in head and "conversations" not in head and "nodes" not in head


def check(head: Mapping[str, Any], name: str) -> None:
    """Raises UsageError naming the file when it is of another format or of a newer version."""
    if head.get("format") != FORMAT:
        raise UsageError(say("import.foreign", file=name))
    version = head.get("version")
    if not isinstance(version, int) or version < 1:
        raise UsageError(say("import.foreign", file=name))
    if version > VERSION:
        raise UsageError(say("import.newer", file=name, version=version, known=VERSION))


def check_line(line: bytes, name: str) -> None:
    """`check` for a header line."""
    check(_any.decode(line), name)


def decode(data: bytes, now: float) -> ConversationForm:
    """The conversation; what has no time is dated by what stands around it, or by `now`. Raises Damaged."""
    try:
        form = _decoder.decode(data)
    except _BAD as error:
        raise Damaged(_fault(error)) from None
    _check_names(form)
    _check_money(form)
    _check_bodies(form)
    form = msgspec.structs.replace(form, nodes=parents_first(form.nodes))
    _check_path(form)
    if form.nodes and not any(node.in_chat for node in form.nodes) and not _decided(data):
        form = newest_in_chat(form)
    return dated(form, now)


_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(ConversationForm)
_any = msgspec.json.Decoder(dict[str, Any])

_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _InChat(Struct):
    in_chat: bool | UnsetType = UNSET


class _Choice(Struct):
    """What a file says about the path in chat."""

    in_chat: list[str] | UnsetType = UNSET
    nodes: list[_InChat] = []


_choice = msgspec.json.Decoder(_Choice)


def _decided(data: bytes) -> bool:
    """True when the file says of its turns that none is in chat."""
    return any(node.in_chat is not UNSET for node in _choice.decode(data).nodes)


def _check_names(form: ConversationForm) -> None:
    for name in (form.id, *(node.id for node in form.nodes)):
        if not name or name != visible_line(name, ID_LENGTH):
            raise Damaged(say("import.bad_id", id=visible_line(name, 40)))


def _check_money(form: ConversationForm) -> None:
    for figures in _figures(form.nodes):
        for usd in (figures.cost.usd, figures.more.reported_usd):
            if usd is not None and not (usd.is_finite() and abs(usd) <= MOST_USD):
                raise Damaged(say("import.bad_cost", usd=str(usd)[:40]))


def _check_bodies(form: ConversationForm) -> None:
    """What is nested too deep could be read and not be written again."""
    level: list[Any] = [form.settings.extra_body, *(a.settings.extra_body for n in form.nodes for a in n.attempts)]
    for _ in range(DEEPEST):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return
    raise Damaged(say("import.too_deep"))


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _figures(nodes: Iterable[NodeForm]) -> Iterable[FiguresForm]:
    for node in nodes:
        if node.result is not None:
            yield node.result.figures
        for attempt in node.attempts:
            yield attempt.figures


def _check_path(form: ConversationForm) -> None:
    parents = {node.id: node.parent for node in form.nodes}
    above: str | None = None
    for name in form.in_chat:
        if name not in parents or parents[name] != above:
            raise Damaged(say("import.bad_path", id=visible_line(name, 40)))
        above = name


def _fault(error: Exception) -> str:
    return say("import.too_deep") if isinstance(error, RecursionError) else visible_line(str(error), 200)
