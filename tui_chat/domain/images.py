"""Images of a message: in its text each is a Markdown image that names its bytes by their SHA-256, which a store keeps.

So a text with images is a text: a draft, a queue, a search and an export carry it as any other.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from tui_chat.domain.ask import IMAGE
from tui_chat.domain.attachments import MOST_NAME, file_size
from tui_chat.domain.hostile import visible_line
from tui_chat.domain.words import say

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 10_000_000
"""A larger image is refused: providers take 5 to 20 MB."""
LONGEST_EDGE = 1568
PIXELS_A_TOKEN = 750
"""How Anthropic scales and counts an image (docs, "Vision"); the tiles of others come to less, so that an estimate errs
upwards.
"""
_REFERENCE = re.compile(
    r"!\[([^\[\]\n]{0,200})\]\(tui-chat:([0-9a-f]{64})\.(png|jpeg|webp|gif)\?(\d{1,6})x(\d{1,6})\+(\d{1,9})\)"
)
_UNNAMED = re.compile(r"[\[\]\s]+")
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG frames, which begin with the size (ITU T.81, table B.1)."""


class Image(Struct, frozen=True):
    """What is known of an image without its bytes."""

    name: str
    """As the user wrote its path."""
    digest: str
    """SHA-256 of the bytes, in hex."""
    kind: str
    """`png`, `jpeg`, `webp` or `gif`."""
    width: int
    height: int
    size: int
    """Bytes."""

    @property
    def mime(self) -> str:
        return f"image/{self.kind}"

    @property
    def block(self) -> str:
        """What stands for it in the text of a message."""
        name = _UNNAMED.sub(" ", visible_line(self.name)).strip()[-MOST_NAME:]
        return f"![{name}](tui-chat:{self.digest}.{self.kind}?{self.width}x{self.height}+{self.size})"

    def mark(self, tokens: float) -> str:
        """What stands for it in the composer."""
        return say("composer.image", image=self.line, tokens=f"{tokens:,.0f}")

    @property
    def line(self) -> str:
        """`shot.png, 1200×800, 34.6 KB`."""
        name = visible_line(self.name)
        shown = name if len(name) <= MOST_NAME else f"…{name[1 - MOST_NAME :]}"
        return f"{shown}, {self.width}×{self.height}, {file_size(self.size)}"

    @property
    def words(self) -> str:
        """What stands for it where there are only words."""
        return say("image.words", image=self.line)

    @property
    def tokens(self) -> float:
        """About what it counts as."""
        scale = min(1.0, LONGEST_EDGE / max(self.width, self.height, 1))
        return max(1.0, self.width * scale * self.height * scale / PIXELS_A_TOKEN)


def image_of(name: str, data: bytes) -> Image | None:
    """What `data` is an image of; None where it is of no kind that models take."""
    kind, width, height = measured(data)
    return Image(name, sha256(data).hexdigest(), kind, width, height, len(data)) if width and height else None


def parts(text: str) -> Iterator[str | Image]:
    """The text between images, and the images, in their order; no part is empty."""
    at = 0
    if IMAGE in text:
        for found in _REFERENCE.finditer(text):
            if found.start() > at:
                yield text[at : found.start()]
            yield _image(found)
            at = found.end()
    if at < len(text):
        yield text[at:]


def images_in(text: str) -> list[Image]:
    return [part for part in parts(text) if isinstance(part, Image)]


def _image(found: re.Match[str]) -> Image:
    name, digest, kind, width, height, size = found.groups()
    return Image(name, digest, kind, int(width), int(height), int(size))


def measured(data: bytes) -> tuple[str, int, int]:
    """(kind, width, height) as the head of a file says; nothing and zeros where it is no image of a known kind."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return "png", _big(data[16:20]), _big(data[20:24])
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif", _little(data[6:8]), _little(data[8:10])
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp", *_webp(data[12:30])
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg", *_jpeg(data)
    return "", 0, 0


def _webp(head: bytes) -> tuple[int, int]:
    """The size in the first chunk (RFC 9649, section 2): lossy, lossless or extended."""
    match head[:4]:
        case b"VP8 " if head[11:14] == b"\x9d\x01\x2a":
            return _little(head[14:16]) & 0x3FFF, _little(head[16:18]) & 0x3FFF
        case b"VP8L" if head[8:9] == b"\x2f":
            bits = _little(head[9:13])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return _little(head[12:15]) + 1, _little(head[15:18]) + 1
        case _:
            return 0, 0


def _jpeg(data: bytes) -> tuple[int, int]:
    """The size in the first frame's head; what stands before it is passed over by its length."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_SIZES:
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        at += 1 if marker == 0xFF else 2 + max(2, _big(data[at + 2 : at + 4]))
    return 0, 0


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
