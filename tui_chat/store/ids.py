"""Names for what is stored: short enough to type, unlike any other, and the same wherever an export takes them."""

from __future__ import annotations

import base64
import hashlib
import secrets

LENGTH = 12
"""Characters of five bits each: a million names collide with a probability of one in two million."""


def new_id() -> str:
    return _letters(secrets.token_bytes(8))


def id_for(text: str) -> str:
    """The same name for the same text, such as a foreign program's own name of a conversation."""
    return _letters(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().lower()[:LENGTH]
