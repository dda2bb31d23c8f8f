"""Server-sent events: bytes in, events out, no input or output of its own.

Source: WHATWG HTML, section 9.2 "Server-sent events", parts 9.2.5 (parsing) and 9.2.6 (interpretation).
Lines end with CRLF, LF or CR and with nothing else. However the bytes are cut into feeds, the events and the
state after them are the same, and the time taken is linear in the number of bytes.
"""

from collections.abc import Iterable

import msgspec

__all__ = ["DEFAULT_LIMIT", "FOREIGN_LIMIT", "EventTooLarge", "SseDecoder", "SseEvent"]

DEFAULT_LIMIT = 16 * 1024 * 1024
FOREIGN_LIMIT = 64 * 1024

_BOM = b"\xef\xbb\xbf"
_CR = 0x0D
_RETRY_DIGITS = 18


class SseEvent(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event; `id` is the last event id in force when it was dispatched."""

    event: str = "message"
    data: str = ""
    id: str = ""


class EventTooLarge(Exception):
    """An event outgrew the limit.

    `events` are those completed before it in the same feed, in order; they are delivered nowhere else.
    """

    def __init__(self, limit: int, events: Iterable[SseEvent] = ()) -> None:
        super().__init__(f"a server-sent event is larger than the limit of {limit:,} bytes")
        self.limit = limit
        self.events = list(events)


class SseDecoder:
    """Incremental decoder of one event stream.

    `limit` bounds, in bytes, the data collected for one event (each of its lines counts one byte for the line
    end) plus the line being read, field name included. No more than that and one feed is ever held.

    Attributes:
        last_event_id: id in force after the latest blank line, "" at first.
        retry_ms: latest valid reconnection time in milliseconds, None until one arrives.
        comments: number of finished comment lines.
    """

    __slots__ = (
        "_after_cr",
        "_at_start",
        "_between_blocks",
        "_data",
        "_event",
        "_foreign",
        "_id",
        "_limit",
        "_line",
        "_overflowed",
        "comments",
        "last_event_id",
        "retry_ms",
    )

    def __init__(self, *, limit: int = DEFAULT_LIMIT) -> None:
        self.last_event_id: str = ""
        self.retry_ms: int | None = None
        self.comments: int = 0
        self._limit = limit
        self._line = bytearray()
        self._data = bytearray()
        self._event = ""
        self._id = ""
        self._foreign = bytearray()
        self._at_start = True
        self._after_cr = False
        self._between_blocks = False
        self._overflowed = False

    @property
    def pending_data(self) -> str:
        """Data of the block not yet closed by a blank line, with the text so far of a `data:` line."""
        name, colon, value = bytes(self._line).partition(b":")
        if name == b"data" and colon:
            return _text(self._data + value.removeprefix(b" "))
        return _text(self._data[:-1])

    @property
    def foreign(self) -> str:
        """Lines that are neither field nor comment, joined by LF: the first 64 KiB of them.

        An error body sent as plain JSON ends up here. A last line without a line end joins at `finish`.
        """
        return _text(self._foreign)

    def feed(self, data: bytes) -> list[SseEvent]:
        """Take the next bytes; return the events they complete.

        Raises EventTooLarge when an event passes the limit. The stream ends there: the data of that event and
        the rest of the feed are dropped, and any later feed raises again.
        """
        if self._overflowed:
            raise EventTooLarge(self._limit)
        if self._at_start or self._after_cr or _CR in data:
            data = self._normalised(data)
        events: list[SseEvent] = []
        start, size = 0, len(data)
        while start < size:
            end = data.find(b"\n", start)
            # A whole block of one `data: ` line, the usual one, needs no buffer.
            if (
                self._between_blocks
                and data[end : end + 2] == b"\n\n"
                and data.startswith(b"data: ", start)
                and end - start <= self._limit
            ):
                events.append(SseEvent("message", data[start + 6 : end].decode("utf-8", "replace"), self._id))
                start = end + 2
            elif end >= 0:
                self._end_line(data[start:end], events)
                start = end + 1
            else:
                self._line += data[start:]
                self._between_blocks = False
                if len(self._data) + len(self._line) > self._limit:
                    raise self._overflow(events)
                break
        return events

    def finish(self) -> list[SseEvent]:
        """Note the end of the stream; an unfinished block is discarded together with its id.

        The list is always empty: a CR closes its line in the feed that brings it, no event waits for an LF.
        """
        name = bytes(self._line).partition(b":")[0]
        if name not in (b"", b"data", b"event", b"id", b"retry"):
            self._keep_foreign(self._line)
            self._line.clear()
        return []

    def _normalised(self, data: bytes) -> bytes:
        if self._at_start:
            data = self._without_bom(data)
        if self._after_cr and data:
            # The CR before the cut has closed its line; this LF is the rest of the same line end.
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if _CR in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _without_bom(self, data: bytes) -> bytes:
        data = bytes(self._line) + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._line[:] = data
            return b""
        self._line.clear()
        self._at_start = False
        return data.removeprefix(_BOM)

    def _end_line(self, line: bytes, events: list[SseEvent]) -> None:
        if self._line:
            self._line += line
            line = bytes(self._line)
            self._line.clear()
        if len(self._data) + len(line) > self._limit:
            raise self._overflow(events)
        self._between_blocks = not line
        if line:
            self._read_field(line)
        else:
            self._end_block(events)

    def _end_block(self, events: list[SseEvent]) -> None:
        self.last_event_id = self._id
        if self._data:
            text = _text(self._data[:-1])
            events.append(SseEvent(self._event or "message", text, self._id))
            self._data.clear()
        self._event = ""

    def _read_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data += value
                self._data += b"\n"
            case b"":
                self.comments += 1
            case b"event":
                self._event = _text(value)
            case b"id":
                if b"\0" not in value:
                    self._id = _text(value)
            case b"retry":
                digits = value.lstrip(b"0")
                # bytes.isdigit knows ASCII digits only; a number too long for any clock is no time to wait.
                if value.isdigit() and len(digits) <= _RETRY_DIGITS:
                    self.retry_ms = int(digits or b"0")
            case _:
                self._keep_foreign(line)

    def _keep_foreign(self, line: bytes | bytearray) -> None:
        if self._foreign:
            self._foreign += b"\n"
        self._foreign += line[:FOREIGN_LIMIT]
        del self._foreign[FOREIGN_LIMIT:]

    def _overflow(self, events: list[SseEvent]) -> EventTooLarge:
        self._overflowed = True
        self._line.clear()
        self._data.clear()
        return EventTooLarge(self._limit, events)


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "replace")
