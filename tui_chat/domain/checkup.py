"""What a checkup finds, of an endpoint or of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui_chat.domain.failure import Kind

ENDPOINT_CHECKS = ("key", "dns", "tcp", "tls", "proxy", "models", "stream", "clock")
"""In the order in which they are told; the names are part of the JSON contract."""


class Check(Struct, frozen=True):
    """One finding; foreign text in `detail` is as received, keys are blotted out."""

    name: str
    ok: bool | None
    """None: it does not apply here, or was not tried; the detail says which."""
    detail: str
    hint: str | None = None
    """What mends it; where `ok` is True, something to see to soon."""
    ms: float | None = None
    """Milliseconds it took."""
    kind: Kind | None = None
    """Of what failed, where a Failure is behind it."""


class Certificate(Struct, frozen=True):
    """A server's certificate, and the connection that it secures."""

    issuer: str
    protocol: str
    """As `TLSv1.3`."""
    until: float
    """Epoch seconds at which it expires."""


class Route(Struct, frozen=True):
    """The way to an endpoint's server."""

    proxy: str | None
    """Without its credentials; None: straight to the server."""
    source: str = ""
    """What names the proxy; without one, the variable that is set and not followed."""
    tunnel: bool = False
    """The proxy lends a tunnel through which the server's certificate can be seen."""


def verdict(checks: Iterable[Check], *, finished: bool = True) -> bool | None:
    """False when anything failed; True when nothing did; None when the checkup was broken off before it could tell."""
    if any(check.ok is False for check in checks):
        return False
    return True if finished else None
