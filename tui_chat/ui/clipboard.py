"""The terminal's clipboard: OSC 52, wrapped so that a multiplexer hands it on."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from tui_chat.ui.multiplexers import in_tmux, wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 74_994
"""Bytes of base64 that are sent at most; many terminals drop what is longer, without a word."""


def encoded(text: str) -> str | None:
    """The text as OSC 52 carries it; None when a terminal may not take as much."""
    data = b64encode(text.encode("utf-8", "replace")).decode()
    return data if len(data) <= LIMIT else None


def sequence(data: str, env: Mapping[str, str]) -> str:
    """What puts base64 `data` on the clipboard of the terminal, whatever stands between."""
    plain = f"\x1b]52;c;{data}\x07"
    # By set-clipboard tmux takes the plain form, by allow-passthrough the wrapped one: each may be off.
    return (plain if in_tmux(env) else "") + wrapped(plain, env)
