"""The terminal's clipboard: OSC 52, wrapped so that a multiplexer hands it on."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 74_994
"""Bytes of base64 that are sent at most; many terminals drop what is longer, without a word."""
SCREEN_PIECE = 240
"""Bytes of one string that GNU screen passes on; an older one holds no more than 256."""


def encoded(text: str) -> str | None:
    """The text as OSC 52 carries it; None when a terminal may not take as much."""
    data = b64encode(text.encode("utf-8", "replace")).decode()
    return data if len(data) <= LIMIT else None


def sequence(data: str, env: Mapping[str, str]) -> str:
    """What puts base64 `data` on the clipboard of the terminal, whatever stands between."""
    plain = f"\x1b]52;c;{data}\x07"
    if env.get("TMUX"):
        # By set-clipboard tmux takes the plain form, by allow-passthrough the wrapped one: each may be off.
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if env.get("TERM", "").startswith("screen"):
        pieces = (plain[at : at + SCREEN_PIECE] for at in range(0, len(plain), SCREEN_PIECE))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return plain
