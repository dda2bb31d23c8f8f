"""What can go wrong with a request, as values.

Expected trouble (a refused key, a cut line, a full queue) is a `Failure`: it is shown, stored and decided upon,
never raised through the house. `Broken` carries one across the seam where foreign exceptions are translated.

Exception
├── Broken                    a Failure on its way to the engine
└── TuiChatError              stops the program with one clear line
    ├── ConfigError           a file, key or value of the configuration
    ├── StoreError            the data folder
    ├── RecordingError        a recording that cannot be played
    └── UsageError            a command line that cannot be carried out
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from tui_chat.domain.words import say


class Kind(StrEnum):
    """Kinds of failure; the values are part of the JSON contract (`error.kind`)."""

    AUTH = "auth"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    CONTEXT_LENGTH = "context_length"
    QUOTA = "quota"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER = "server"
    LOADING = "loading"
    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    PROXY = "proxy"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    TRUNCATED = "truncated"
    BLOCKED = "blocked"
    BUDGET = "budget"
    PROTOCOL = "protocol"
    INTERNAL = "internal"


RETRYABLE = frozenset(
    {
        Kind.RATE_LIMIT,
        Kind.OVERLOADED,
        Kind.SERVER,
        Kind.LOADING,
        Kind.DNS,
        Kind.REFUSED,
        Kind.RESET,
        Kind.PROXY,
        Kind.CONNECT_TIMEOUT,
        Kind.FIRST_TOKEN_TIMEOUT,
        Kind.IDLE_TIMEOUT,
        Kind.TRUNCATED,
    }
)
"""Kinds after which the same request may well succeed, as long as nothing was received."""

BROKEN_OFF = frozenset({Kind.RESET, Kind.TRUNCATED, Kind.SERVER, Kind.OVERLOADED})
"""Kinds after which an answer that has begun is taken up again unasked, where that can be done exactly."""

TRIES = {Kind.DNS: 2, Kind.FIRST_TOKEN_TIMEOUT: 2, Kind.IDLE_TIMEOUT: 2}
"""Upper bound of tries for kinds where more of the same only costs the user's time."""


class Failure(Struct, frozen=True):
    """One failure, in words a person can act on; foreign text in `message` is as received."""

    kind: Kind
    message: str
    hint: str = ""
    status: int | None = None
    """HTTP status, when an answer came."""
    retryable: bool = False
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    parameter: str | None = None
    """The request parameter that the server refused, when it names one."""

    @property
    def line(self) -> str:
        """Message and hint as one line."""
        end = "" if self.message.endswith((".", "!", "?", ":")) else "."
        return f"{self.message}{end} {self.hint}".strip()


def failure(
    kind: Kind,
    message: str,
    *,
    status: int | None = None,
    retry_after: float | None = None,
    retryable: bool | None = None,
    parameter: str | None = None,
    **facts: object,
) -> Failure:
    """A Failure with the hint of its kind; `facts` fill the hint's blanks."""
    return Failure(
        kind=kind,
        message=message,
        hint=say(f"hint.{kind}", **facts),
        status=status,
        retryable=kind in RETRYABLE if retryable is None else retryable,
        retry_after=retry_after,
        parameter=parameter,
    )


class Broken(Exception):
    """Carries a Failure out of transport or codec to the engine."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class TuiChatError(Exception):
    """Expected trouble outside a request: printed as one line, without a traceback."""


class ConfigError(TuiChatError):
    """The configuration cannot be used; the message names file, key, fault and remedy."""


class StoreError(TuiChatError):
    """The data folder cannot be read or written."""


class RecordingError(TuiChatError):
    """A file that is no recording, or a damaged one; the message names file, line and remedy."""


class UsageError(TuiChatError):
    """The command line asks for something that cannot be carried out."""
