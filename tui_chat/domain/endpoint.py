"""An endpoint: where a request goes, with what key, and how patiently."""

from __future__ import annotations

import ipaddress
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from msgspec import Struct, field

from tui_chat.domain.failure import Failure, Kind
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER = re.compile(
    r"""
    # YOUR_HOLYSHEEP_API_KEY, sk-your-key-here
    ([a-z]{2,6}[-_]){0,3}your[-_ ]?[a-z0-9_ -]*(key|token|secret)([-_ ]here)?
    # sk-..., sk-proj-…a1B2, ****
    | ([a-z0-9]{2,6}[-_]?){0,3}(\.{3,}|…|\*{3,})[a-z0-9]{0,6}
    # sk-xxxx, xxxxxxxx
    | ([a-z0-9]{2,6}[-_]){1,3}(\.\.|x{3,}) | x{8,}
    # <api key>, {{ key }}, ${OPENAI_API_KEY}, %KEY%, OPENAI_API_KEY
    | <[^>]*> | \{\{[^}]*\}\} | \$\{?\w+\}? | %\w+% | [a-z]+_api_key
    | change[-_ ]?me | replace[-_ ]?me | placeholder | todo
    | (insert|paste|enter|replace)[-_ ][a-z0-9_ -]*(key|token)[a-z0-9_ -]*
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What documentation prints where a key belongs; not what is given to a local server for one, as `x` or `none`."""


class Secret:
    """A key that no repr, log line or traceback shows; `reveal` is called where it is sent."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written anywhere")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Timeouts(Struct, frozen=True):
    """Seconds; 0 means no limit."""

    connect: float = 10.0
    first_token: float = 120.0
    """From the request to the first token of either kind; 600 by default on loopback."""
    idle: float = 60.0
    """Between two pieces of data; keep-alive comments are not data."""
    total: float = 0.0


class RetryPolicy(Struct, frozen=True):
    attempts: int = 4
    """Total tries, the first one included."""
    base: float = 0.5
    cap: float = 30.0


class Endpoint(Struct, frozen=True):
    """One server and how to talk to it."""

    name: str
    base_url: str
    dialect: str = "openai-chat"
    key: Secret | None = None
    key_source: str = ""
    """Where the key was found, or where it was looked for: named in messages instead of the key."""
    needs_key: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    extra_body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    proxy: str | None = None
    ca_file: str | None = None
    insecure_http: bool = False
    """The user agreed to send the key over plain http to another host."""
    timeouts: Timeouts = Timeouts()
    retry: RetryPolicy = RetryPolicy()
    default_model: str | None = None

    def __repr__(self) -> str:
        """Without headers and proxy, which may hold what nobody is to read."""
        shown = [name for name in self.__struct_fields__ if name not in ("headers", "proxy")]
        return f"Endpoint({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    @property
    def origin(self) -> str:
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def local(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """True for localhost, *.localhost, the loopback address ranges and the unspecified address, which leads there."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def is_placeholder(key: str) -> bool:
    """True when the key is the blank of some documentation and not a key."""
    return PLACEHOLDER.fullmatch(key.strip()) is not None


def key_in_the_open(endpoint: Endpoint) -> bool:
    """True when the key would cross a network unencrypted and nobody has agreed to that."""
    plain = urlsplit(endpoint.base_url).scheme == "http" and not endpoint.local
    return plain and bool(endpoint.key) and not endpoint.insecure_http


def key_trouble(endpoint: Endpoint) -> Failure | None:
    """Why the key as it stands may not be sent: it is missing, a placeholder, or would travel in the open."""
    key, source = endpoint.key, endpoint.key_source or endpoint.name
    if not key:
        if not endpoint.needs_key:
            return None
        message = say("fail.key_missing", endpoint=endpoint.name, source=source)
        return Failure(Kind.AUTH, message, say("hint.key_missing"))
    if is_placeholder(key.reveal()):
        message = say("fail.key_placeholder", source=source, placeholder=key.reveal())
        return Failure(Kind.AUTH, message, say("hint.key_placeholder"))
    if key_in_the_open(endpoint):
        message = say("fail.key_open", endpoint=endpoint.name, host=endpoint.host)
        return Failure(Kind.AUTH, message, say("hint.key_open", endpoint=endpoint.name))
    return None
