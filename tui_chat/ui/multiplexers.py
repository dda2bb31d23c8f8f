"""Sequences for the terminal itself, wrapped so that a multiplexer between hands them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SCREEN_PIECE = 240
"""Bytes of one string that GNU screen passes on; an older one holds no more than 256."""


def in_tmux(env: Mapping[str, str]) -> bool:
    return bool(env.get("TMUX"))


def in_screen(env: Mapping[str, str]) -> bool:
    """GNU screen, also at the other end of SSH, where its name stands in TERM alone."""
    return not in_tmux(env) and (bool(env.get("STY")) or env.get("TERM", "").startswith("screen"))


def wrapped(sequence: str, env: Mapping[str, str]) -> str:
    """The sequence as the terminal around a multiplexer gets it; tmux needs allow-passthrough for it."""
    if in_tmux(env):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if in_screen(env):
        pieces = (sequence[at : at + SCREEN_PIECE] for at in range(0, len(sequence), SCREEN_PIECE))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return sequence
